//! For tests: an HTTP client that answers from a script, without a network.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use http_body_util::StreamBody;
use hyper::body::{Bytes, Frame};

use crate::aws;

/// What comes back for a request.
#[derive(Debug, Clone)]
pub enum Reply {
    /// An answer: status and body.
    Answer(u16, String),
    /// An answer with headers, and with a body that is cut.
    Whole {
        /// The status.
        status: u16,
        /// The headers.
        headers: Vec<(&'static str, String)>,
        /// The body.
        body: Vec<u8>,
        /// How many bytes of the body come before the connection breaks; `None` when it does not.
        breaks_at: Option<usize>,
    },
    /// The connection is refused.
    Refused,
    /// The connection ends in the middle.
    Cut,
    /// Nothing, ever.
    Silence,
}

impl Reply {
    /// An answer with that status and body.
    pub fn answer(status: u16, body: impl ToString) -> Reply {
        Reply::Answer(status, body.to_string())
    }
}

/// A request that arrived.
#[derive(Debug, Clone)]
pub struct Arrived {
    /// The method.
    pub method: String,
    /// The URL.
    pub url: String,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, where it is in memory.
    pub body: Vec<u8>,
}

impl Arrived {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

type Answers = dyn Fn(&Arrived) -> Option<Reply> + Send + Sync;

/// The client. Clones share the script and what arrived.
#[derive(Clone)]
pub struct ScriptedHttp {
    answers: Arc<Answers>,
    arrived: Arc<Mutex<Vec<Arrived>>>,
}

impl std::fmt::Debug for ScriptedHttp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ScriptedHttp")
    }
}

impl ScriptedHttp {
    /// Answers with these replies one after another, and refuses connections after the last.
    pub fn replies(replies: impl IntoIterator<Item = Reply>) -> ScriptedHttp {
        let left: Mutex<VecDeque<Reply>> = Mutex::new(replies.into_iter().collect());
        ScriptedHttp::answering(move |_| {
            left.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .pop_front()
        })
    }

    /// Answers each request as a function says; refuses the connection for `None`.
    pub fn answering(
        answers: impl Fn(&Arrived) -> Option<Reply> + Send + Sync + 'static,
    ) -> ScriptedHttp {
        ScriptedHttp {
            answers: Arc::new(answers),
            arrived: Arc::default(),
        }
    }

    /// The requests so far.
    pub fn arrived(&self) -> Vec<Arrived> {
        let arrived = self.arrived.lock();
        arrived.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Forgets the requests so far.
    pub fn forget(&self) {
        let arrived = self.arrived.lock();
        arrived.unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The configuration that functions have, with everything sent here, for us-east-1.
    pub async fn sdk_config(&self) -> SdkConfig {
        let credentials = Credentials::builder()
            .access_key_id("AKIAIOSFODNN7EXAMPLE")
            .secret_access_key("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
            .provider_name("tests")
            .build();
        let loader = aws::loader().http_client(self.clone());
        let loader = loader.credentials_provider(credentials);
        loader.region(Region::new("us-east-1")).load().await
    }
}

impl HttpClient for ScriptedHttp {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Connector {
            http: self.clone(),
            patience: settings.read_timeout(),
        })
    }
}

/// The client, with the time that is waited for an answer.
#[derive(Debug)]
struct Connector {
    http: ScriptedHttp,
    patience: Option<Duration>,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        self.http.answer(&request, self.patience)
    }
}

/// Without a time: silence lasts.
impl HttpConnector for ScriptedHttp {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        self.answer(&request, None)
    }
}

impl ScriptedHttp {
    fn answer(&self, request: &HttpRequest, patience: Option<Duration>) -> HttpConnectorFuture {
        let header = |(name, value): (&str, &str)| (name.to_lowercase(), value.to_owned());
        let arrived = Arrived {
            method: request.method().to_owned(),
            url: request.uri().to_owned(),
            headers: request.headers().iter().map(header).collect(),
            body: request.body().bytes().unwrap_or_default().to_vec(),
        };
        let reply = (self.answers)(&arrived);
        let mut all = self.arrived.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(arrived);
        HttpConnectorFuture::new(async move {
            match reply {
                Some(Reply::Answer(status, body)) => response(status, &[], SdkBody::from(body)),
                Some(Reply::Whole {
                    status,
                    headers,
                    body,
                    breaks_at: None,
                }) => response(status, &headers, SdkBody::from(body)),
                Some(Reply::Whole {
                    status,
                    headers,
                    mut body,
                    breaks_at: Some(at),
                }) => {
                    body.truncate(at);
                    response(status, &headers, broken(body))
                }
                Some(Reply::Cut) => Err(ConnectorError::io("connection reset".into())),
                Some(Reply::Silence) => match patience {
                    Some(patience) => {
                        tokio::time::sleep(patience).await;
                        Err(ConnectorError::timeout("nothing came".into()))
                    }
                    None => std::future::pending().await,
                },
                Some(Reply::Refused) | None => Err(ConnectorError::io("connection refused".into())),
            }
        })
    }
}

fn response(
    status: u16,
    headers: &[(&'static str, String)],
    body: SdkBody,
) -> Result<HttpResponse, ConnectorError> {
    let user = |error: BoxError| ConnectorError::user(error);
    let status = StatusCode::try_from(status).map_err(|error| user(error.into()))?;
    let mut response = HttpResponse::new(status, body);
    for (name, value) in headers {
        let inserted = response.headers_mut().try_insert(*name, value.clone());
        inserted.map_err(|error| user(error.into()))?;
    }
    Ok(response)
}

/// A body that begins so, and then the connection is reset.
fn broken(begins: Vec<u8>) -> SdkBody {
    let reset = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
    let frames = [Ok(Frame::data(Bytes::from(begins))), Err(reset)];
    SdkBody::from_body_1_x(StreamBody::new(futures_util::stream::iter(frames)))
}
