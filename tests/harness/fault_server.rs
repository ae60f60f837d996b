//! A receiver over HTTP/1.1 that fails as it is told, down to the bytes and the packets: plain TCP or TLS,
//! no HTTP library that would mend anything.

use std::collections::{BTreeMap, VecDeque};
use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::server::TlsStream;

/// What happens to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// How much of it is read first.
    pub reads: Reads,
    /// Whether its records are taken.
    pub takes: bool,
    /// What is sent, byte for byte.
    pub sends: Vec<u8>,
    /// What happens then.
    pub ends: Ends,
}

/// How much of a request is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reads {
    Head,
    HalfOfBody,
    All,
}

/// What happens to the connection after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ends {
    /// It waits for the next request.
    Stays,
    /// It is closed as TCP closes.
    Closes,
    /// It is closed, and what still comes is read first.
    ClosesWhenRead,
    /// RST.
    Resets,
    /// Nothing, until the client gives up. [`FaultServer::hanging`] is told.
    Hangs,
}

/// An answer with a status, headers (each with its line end) and a body.
pub fn answer(status: u16, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status} Said So\r\n{headers}Content-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

impl Fault {
    /// None: the records are taken, and 200 says so.
    pub fn none() -> Fault {
        Fault::taken(answer(200, "", b""))
    }

    /// The records are taken, and this is the answer.
    pub fn taken(sends: Vec<u8>) -> Fault {
        Fault {
            takes: true,
            ..Fault::refused(sends)
        }
    }

    /// The records are not taken, and this is the answer.
    pub fn refused(sends: Vec<u8>) -> Fault {
        Fault {
            reads: Reads::All,
            takes: false,
            sends,
            ends: Ends::Stays,
        }
    }

    /// The records are not taken, and this status is the answer.
    pub fn status(status: u16) -> Fault {
        Fault::refused(answer(status, "", b""))
    }

    /// What else happens to the connection.
    pub fn and(self, ends: Ends) -> Fault {
        Fault { ends, ..self }
    }

    /// How much is read before.
    pub fn after(self, reads: Reads) -> Fault {
        Fault { reads, ..self }
    }
}

/// A request that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Method and target.
    pub line: String,
    /// Headers by their names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body without its compression; empty unless all of it was read.
    pub body: Vec<u8>,
    pub taken: bool,
    /// The number of its connection, from 1.
    pub connection: usize,
}

impl Request {
    /// Its `Idempotency-Key`.
    pub fn key(&self) -> &str {
        self.headers.get("idempotency-key").map_or("", |key| key)
    }
}

/// What decides what happens to requests, by their bodies: before faults, so that it is the same every time.
pub type Rule = fn(&[u8], limit: usize) -> Option<u16>;

/// The status of bodies above the limit.
pub const TOO_LARGE: Rule = |body, limit| (body.len() > limit).then_some(413);

#[derive(Debug, Default)]
struct State {
    faults: VecDeque<Fault>,
    /// What happens when the faults are used up.
    last: Option<Fault>,
    rule: Option<(Rule, usize)>,
    requests: Vec<Request>,
    connections: usize,
}

/// The server. It stops when it is dropped.
#[derive(Debug)]
pub struct FaultServer {
    address: SocketAddr,
    secure: bool,
    state: Arc<Mutex<State>>,
    hanging: Arc<Notify>,
    server: JoinHandle<()>,
}

/// Certificates that servers have, of `tests/http/certificates`.
pub fn certificate(file: &str) -> PathBuf {
    crate::project().join("tests/http/certificates").join(file)
}

fn acceptor(certificate_file: &Path) -> TlsAcceptor {
    let chain = CertificateDer::from_pem_file(certificate_file).unwrap();
    let key = PrivateKeyDer::from_pem_file(certificate("key.pem")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(
        tokio_rustls::rustls::crypto::aws_lc_rs::default_provider(),
    ));
    let config = config.with_safe_default_protocol_versions().unwrap();
    let config = config
        .with_no_client_auth()
        .with_single_cert(vec![chain], key);
    TlsAcceptor::from(Arc::new(config.unwrap()))
}

impl FaultServer {
    /// A server over plain TCP.
    pub async fn plain() -> FaultServer {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        FaultServer::start(listener, None)
    }

    /// A server over plain TCP at an address.
    pub async fn at(address: SocketAddr) -> FaultServer {
        FaultServer::start(TcpListener::bind(address).await.unwrap(), None)
    }

    /// A server over TLS with one of the certificates.
    pub async fn secure(file: &str) -> FaultServer {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        FaultServer::start(listener, Some(acceptor(&certificate(file))))
    }

    fn start(listener: TcpListener, tls: Option<TlsAcceptor>) -> FaultServer {
        let address = listener.local_addr().unwrap();
        let state = Arc::<Mutex<State>>::default();
        let hanging = Arc::<Notify>::default();
        let secure = tls.is_some();
        let (shared, notify) = (Arc::clone(&state), Arc::clone(&hanging));
        let server = tokio::spawn(async move {
            // Connections end with the server.
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                // A byte is a packet.
                stream.set_nodelay(true).unwrap();
                let (state, tls, notify) = (Arc::clone(&shared), tls.clone(), Arc::clone(&notify));
                let number = {
                    let mut state = state.lock().unwrap();
                    state.connections += 1;
                    state.connections
                };
                connections.spawn(async move {
                    match tls {
                        None => serve(stream, number, &state, &notify).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, number, &state, &notify).await;
                            }
                        }
                    }
                });
                while connections.try_join_next().is_some() {}
            }
        });
        FaultServer {
            address,
            secure,
            state,
            hanging,
            server,
        }
    }

    /// The URL of a path, without `otlp+`.
    pub fn url(&self, path: &str) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}{path}", self.address.port())
    }

    /// Adds what happens to the next request.
    pub fn fault(&self, fault: Fault) {
        self.state.lock().unwrap().faults.push_back(fault);
    }

    /// What happens to requests that no fault is left for.
    pub fn always(&self, fault: Fault) {
        self.state.lock().unwrap().last = Some(fault);
    }

    /// What bodies are refused whatever else happens to them.
    pub fn rule(&self, rule: Rule, limit: usize) {
        self.state.lock().unwrap().rule = Some((rule, limit));
    }

    /// Forgets faults and requests.
    pub fn reset(&self) {
        let mut state = self.state.lock().unwrap();
        *state = State {
            connections: state.connections,
            ..State::default()
        };
    }

    /// Requests in the order in which they arrived.
    pub fn requests(&self) -> Vec<Request> {
        self.state.lock().unwrap().requests.clone()
    }

    /// Requests whose records were taken.
    pub fn taken(&self) -> Vec<Request> {
        let mut requests = self.requests();
        requests.retain(|request| request.taken);
        requests
    }

    /// How many connections there were.
    pub fn connections(&self) -> usize {
        self.state.lock().unwrap().connections
    }

    /// Is told when a request gets no more answer.
    pub fn hanging(&self) -> Arc<Notify> {
        Arc::clone(&self.hanging)
    }
}

impl Drop for FaultServer {
    fn drop(&mut self) {
        self.server.abort();
    }
}

trait Socket: AsyncRead + AsyncWrite + Unpin {
    fn tcp(&self) -> &TcpStream;
}

impl Socket for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Socket for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// Answers requests until one end has enough.
async fn serve(mut socket: impl Socket, connection: usize, state: &Mutex<State>, hanging: &Notify) {
    let mut read = Vec::new();
    while let Some(mut request) = head(&mut socket, &mut read).await {
        request.connection = connection;
        let (mut fault, rule) = {
            let mut state = state.lock().unwrap();
            let fault = state.faults.pop_front().or_else(|| state.last.clone());
            (fault.unwrap_or_else(Fault::none), state.rule)
        };
        let length = request.headers["content-length"].parse::<usize>().unwrap();
        let wanted = match fault.reads {
            Reads::Head => 0,
            Reads::HalfOfBody => length / 2,
            Reads::All => length,
        };
        if !fill(&mut socket, &mut read, wanted).await {
            return;
        }
        if wanted == length {
            let body: Vec<u8> = read.drain(..length).collect();
            request.body = decoded(&request, &body);
            if let Some(status) = rule.and_then(|(rule, limit)| rule(&request.body, limit)) {
                fault = Fault::status(status);
            }
        }
        request.taken = fault.takes;
        state.lock().unwrap().requests.push(request);
        // Byte by byte when it will hang: what drips does not keep a client waiting for ever.
        let step = if fault.ends == Ends::Hangs {
            1
        } else {
            usize::MAX
        };
        for bytes in fault.sends.chunks(step) {
            if socket.write_all(bytes).await.is_err() || socket.flush().await.is_err() {
                return;
            }
        }
        match fault.ends {
            Ends::Stays => {}
            Ends::Closes => return drop(socket.shutdown().await),
            Ends::ClosesWhenRead => {
                drop(socket.shutdown().await);
                return drop(tokio::io::copy(&mut socket, &mut tokio::io::sink()).await);
            }
            Ends::Resets => return drop(socket.tcp().set_zero_linger()),
            Ends::Hangs => {
                hanging.notify_one();
                return drop(tokio::io::copy(&mut socket, &mut tokio::io::sink()).await);
            }
        }
    }
}

/// Reads until there are so many bytes; `false` when the client has gone.
async fn fill(socket: &mut impl Socket, read: &mut Vec<u8>, wanted: usize) -> bool {
    while read.len() < wanted {
        match socket.read_buf(read).await {
            Ok(1..) => {}
            Ok(0) | Err(_) => return false,
        }
    }
    true
}

/// Reads a request's head; `None` when the client has gone.
async fn head(socket: &mut impl Socket, read: &mut Vec<u8>) -> Option<Request> {
    let end = loop {
        match read.windows(4).position(|four| four == b"\r\n\r\n") {
            Some(at) => break at + 4,
            None => {
                let wanted = read.len() + 1;
                if !fill(socket, read, wanted).await {
                    return None;
                }
            }
        }
    };
    let head: Vec<u8> = read.drain(..end).collect();
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.trim_end().lines();
    let line = lines.next().unwrap_or_default().to_owned();
    let header = |line: &str| {
        let (name, value) = line.split_once(':').unwrap();
        (name.to_ascii_lowercase(), value.trim().to_owned())
    };
    Some(Request {
        line,
        headers: lines.map(header).collect(),
        body: Vec::new(),
        taken: false,
        connection: 0,
    })
}

fn decoded(request: &Request, body: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::new();
    match request.headers.get("content-encoding").map(String::as_str) {
        None => decoded.extend_from_slice(body),
        Some("gzip") => {
            let mut reader = flate2::read::MultiGzDecoder::new(body);
            reader.read_to_end(&mut decoded).unwrap();
        }
        Some("zstd") => decoded = zstd::stream::decode_all(body).unwrap(),
        Some(other) => panic!("content encoding {other}"),
    }
    decoded
}
