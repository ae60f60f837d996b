//! The Lambda Runtime API as a function sees it ("Using the Lambda runtime API", *Lambda Developer
//! Guide*): one invocation at a time, answers and errors by request id.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{Mutex as AsyncMutex, mpsc, oneshot, watch};
use tokio::task::JoinHandle;

/// What the function posted for an invocation.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// To `/response`.
    Response(Value),
    /// To `/error`.
    Error {
        /// `errorType`.
        error_type: String,
        /// `errorMessage`.
        message: String,
    },
}

impl Answer {
    /// The response; an error is a failed test.
    pub fn response(self) -> Value {
        match self {
            Answer::Response(value) => value,
            error => panic!("a response was expected, not {error:?}"),
        }
    }

    /// The error's type and message; a response is a failed test.
    pub fn error(self) -> (String, String) {
        match self {
            Answer::Error {
                error_type,
                message,
            } => (error_type, message),
            response => panic!("an error was expected, not {response:?}"),
        }
    }
}

/// The server. It stops when it is dropped.
#[derive(Debug)]
pub struct RuntimeApi {
    address: SocketAddr,
    state: Arc<State>,
    events: mpsc::UnboundedSender<Invocation>,
    polls: watch::Receiver<u64>,
    server: JoinHandle<()>,
}

#[derive(Debug)]
struct State {
    queue: AsyncMutex<mpsc::UnboundedReceiver<Invocation>>,
    waiting: Mutex<HashMap<String, oneshot::Sender<Answer>>>,
    init_errors: Mutex<Vec<Value>>,
    polled: watch::Sender<u64>,
    numbers: AtomicU64,
}

#[derive(Debug)]
struct Invocation {
    id: String,
    body: Bytes,
    deadline: SystemTime,
}

impl RuntimeApi {
    /// Starts the server on a free port.
    pub async fn start() -> RuntimeApi {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (events, queue) = mpsc::unbounded_channel();
        let (polled, polls) = watch::channel(0);
        let state = Arc::new(State {
            queue: AsyncMutex::new(queue),
            waiting: Mutex::default(),
            init_errors: Mutex::default(),
            polled,
            numbers: AtomicU64::new(1),
        });
        let served = Arc::clone(&state);
        let server = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let state = Arc::clone(&served);
                let service = service_fn(move |request| {
                    let state = Arc::clone(&state);
                    async move { Ok::<_, Infallible>(state.answer(request).await) }
                });
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(connection), service),
                );
            }
        });
        RuntimeApi {
            address,
            state,
            events,
            polls,
            server,
        }
    }

    /// `host:port`, as Lambda gives it in `AWS_LAMBDA_RUNTIME_API`.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Waits until the function asked for its first event: its initialisation is over.
    pub async fn polled(&self) {
        let mut polls = self.polls.clone();
        polls.wait_for(|polls| *polls > 0).await.unwrap();
    }

    /// Hands the function an event, and waits for what it posts.
    pub async fn invoke(&self, body: impl Into<Bytes>, remaining: Duration) -> Answer {
        let number = self.state.numbers.fetch_add(1, Ordering::Relaxed);
        let id = format!("8476a536-e9f4-11e8-9739-{number:012}");
        let (sender, answer) = oneshot::channel();
        self.state
            .waiting
            .lock()
            .unwrap()
            .insert(id.clone(), sender);
        let invocation = Invocation {
            id,
            body: body.into(),
            deadline: SystemTime::now() + remaining,
        };
        self.events.send(invocation).unwrap();
        answer.await.unwrap()
    }

    /// What was posted to `/init/error`.
    pub fn init_errors(&self) -> Vec<Value> {
        self.state.init_errors.lock().unwrap().clone()
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl State {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (parts, body) = request.into_parts();
        let path: Vec<&str> = parts
            .uri
            .path()
            .trim_start_matches('/')
            .split('/')
            .collect();
        match (&parts.method, &path[..]) {
            (&Method::GET, ["2018-06-01", "runtime", "invocation", "next"]) => self.next().await,
            (&Method::POST, ["2018-06-01", "runtime", "invocation", id, kind]) => {
                self.post(id, kind, read(body).await)
            }
            (&Method::POST, ["2018-06-01", "runtime", "init", "error"]) => {
                let error = read(body).await;
                self.init_errors.lock().unwrap().push(error);
                plain(StatusCode::ACCEPTED)
            }
            _ => plain(StatusCode::NOT_FOUND),
        }
    }

    async fn next(&self) -> Response<Full<Bytes>> {
        self.polled.send_modify(|polls| *polls += 1);
        let Some(invocation) = self.queue.lock().await.recv().await else {
            return plain(StatusCode::GONE);
        };
        let deadline = invocation.deadline.duration_since(UNIX_EPOCH).unwrap();
        Response::builder()
            .header("Lambda-Runtime-Aws-Request-Id", invocation.id)
            .header(
                "Lambda-Runtime-Deadline-Ms",
                deadline.as_millis().to_string(),
            )
            .header(
                "Lambda-Runtime-Invoked-Function-Arn",
                "arn:aws:lambda:us-east-1:123456789012:function:flow-forwarder",
            )
            .header(
                "Lambda-Runtime-Trace-Id",
                "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0",
            )
            .body(Full::new(invocation.body))
            .unwrap()
    }

    fn post(&self, id: &str, kind: &str, body: Value) -> Response<Full<Bytes>> {
        let answer = match kind {
            "response" => Answer::Response(body),
            "error" => {
                let member = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
                Answer::Error {
                    error_type: member("errorType"),
                    message: member("errorMessage"),
                }
            }
            _ => return plain(StatusCode::NOT_FOUND),
        };
        // An id that nobody waits for is one answered twice, or never given.
        match self.waiting.lock().unwrap().remove(id) {
            Some(sender) => {
                drop(sender.send(answer));
                plain(StatusCode::ACCEPTED)
            }
            None => plain(StatusCode::BAD_REQUEST),
        }
    }
}

async fn read(body: Incoming) -> Value {
    let bytes = body.collect().await.unwrap().to_bytes();
    serde_json::from_slice(&bytes).unwrap()
}

fn plain(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}
