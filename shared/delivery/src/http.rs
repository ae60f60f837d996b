//! Receivers over HTTP: NDJSON by `https://` and OTLP by `otlp+https://`.
//!
//! Both are a POST of a compressed body and an answer with a status; what differs stands in the tables of
//! `http/protocol.rs`. A request carries the batch's identity in `Idempotency-Key`, so that a receiver
//! can tell a repetition from new records: an answer that was lost does not say whether the records were
//! taken, and they are sent again.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_sdk_s3::primitives::SdkBody;
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use bytes::Bytes;
use telemetry::FailureClass;

use crate::batch::Batch;
use crate::compression::Compressor;
use crate::destination::{Confirmation, DeliveryError, Destination};
use crate::encoding::{Compression, EncodingError};
use crate::retry::{RetryPolicy, SystemTimer, Timer, retry_after, within};
use crate::s3::causes;
use crate::secret::Secret;

mod answer;
mod client;
mod protobuf;
mod protocol;
mod split;
mod url;

use answer::{Answer, PartialSuccess};
pub use client::{CaBundleError, HttpClient, HttpClients};
pub use protocol::HttpKind;
use protocol::{AnswerForm, Meaning, Protocol};
pub use url::{HttpUrl, HttpUrlError};

/// The longest that a request with its answer takes, unless the configuration says otherwise.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The longest time that can be configured: the longest that a Lambda function runs.
const LONGEST_TIMEOUT: u64 = 900;

/// Who sends, unless a header says otherwise.
const USER_AGENT: &str = concat!("cloud-export/", env!("CARGO_PKG_VERSION"));

/// Headers that requests have of their own.
const OWN_HEADERS: &[&str] = &[
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "idempotency-key",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// What rustls says of a certificate that it does not accept.
const CERTIFICATE: &str = "invalid peer certificate";

/// How a receiver is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpOptions {
    /// Where it is, and what it speaks.
    pub url: HttpUrl,
    /// How bodies are compressed.
    pub compression: Compression,
    /// Headers that requests have besides their own, such as `Authorization`.
    pub headers: Vec<(String, Secret)>,
    /// The longest that a request with its answer takes; then it is sent again.
    pub timeout: Duration,
    /// A PEM file with the certificate authorities to trust instead of this machine's.
    pub ca_bundle: Option<PathBuf>,
}

/// Why a receiver cannot be reached as it is configured.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpOptionsError {
    /// An option has no such value, or there is no such option.
    #[error("{0}")]
    Option(String),
    /// A header that cannot be sent. Its value is not repeated.
    #[error("the header {name:?} for {url} cannot be sent: {reason}")]
    Header {
        /// Its name.
        name: String,
        /// The receiver.
        url: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The URL is none that requests can have.
    #[error("{url} is no URL that can be asked; percent-encode what is not a letter or a digit")]
    Url {
        /// The URL without its query.
        url: String,
    },
    /// The certificates to trust.
    #[error(transparent)]
    CaBundle(#[from] CaBundleError),
}

impl HttpOptions {
    /// What holds unless a configuration says otherwise.
    pub fn new(url: HttpUrl) -> HttpOptions {
        HttpOptions {
            compression: url.kind().protocol().compression,
            url,
            headers: Vec::new(),
            timeout: TIMEOUT,
            ca_bundle: None,
        }
    }

    /// Sets an option by its name in a URL: `compression` (`none`, `gzip` or `zstd`), `timeout_s` (seconds
    /// from 1 to 900) or `ca_bundle` (a path).
    ///
    /// # Errors
    /// [`HttpOptionsError::Option`], with what can be written.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), HttpOptionsError> {
        match name {
            "compression" => {
                let compression = Compression::from_str(value);
                self.compression = compression
                    .map_err(|error| HttpOptionsError::Option(format!("compression={error}")))?;
            }
            "timeout_s" => {
                let seconds = value
                    .parse()
                    .ok()
                    .filter(|s| (1..=LONGEST_TIMEOUT).contains(s));
                let seconds = seconds.ok_or_else(|| {
                    HttpOptionsError::Option(format!(
                        "timeout_s={value:?} is no number of seconds from 1 to {LONGEST_TIMEOUT}"
                    ))
                })?;
                self.timeout = Duration::from_secs(seconds);
            }
            "ca_bundle" if value.is_empty() => {
                let message = "ca_bundle= names no file".to_owned();
                return Err(HttpOptionsError::Option(message));
            }
            "ca_bundle" => self.ca_bundle = Some(PathBuf::from(value)),
            _ => {
                return Err(HttpOptionsError::Option(format!(
                    "{name:?} is none of compression, timeout_s, ca_bundle"
                )));
            }
        }
        Ok(())
    }

    /// What all requests have in common.
    fn template(&self) -> Result<HttpRequest, HttpOptionsError> {
        let protocol = self.url.kind().protocol();
        let invalid = || HttpOptionsError::Url {
            url: self.url.to_string(),
        };
        let mut request = HttpRequest::new(SdkBody::empty());
        request.set_method("POST").map_err(|_| invalid())?;
        request.set_uri(self.url.request()).map_err(|_| invalid())?;
        let encoding = match self.compression {
            Compression::None => None,
            other => Some(("content-encoding", other.label())),
        };
        let own = [
            ("content-type", protocol.content_type),
            ("user-agent", USER_AGENT),
        ];
        for (name, value) in own.into_iter().chain(encoding) {
            request.headers_mut().insert(name, value);
        }
        for (name, value) in &self.headers {
            let error = |reason| HttpOptionsError::Header {
                name: name.clone(),
                url: self.url.to_string(),
                reason,
            };
            let lower = name.to_ascii_lowercase();
            if OWN_HEADERS.contains(&lower.as_str()) {
                return Err(error("requests have it already"));
            }
            if !is_token(name) {
                return Err(error("a name has letters, digits and -"));
            }
            if !value
                .expose()
                .bytes()
                .all(|byte| matches!(byte, b'\t' | b' '..=b'~'))
            {
                return Err(error(
                    "its value holds a line end or another character that headers cannot have",
                ));
            }
            let value = value.expose().trim().to_owned();
            let inserted = request.headers_mut().try_insert(lower, value);
            inserted.map_err(|_| error("HTTP does not allow it"))?;
        }
        Ok(request)
    }
}

/// RFC 9110, section 5.6.2.
fn is_token(name: &str) -> bool {
    let special = b"!#$%&'*+-.^_`|~";
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || special.contains(&byte))
}

/// Posts each batch to a receiver.
pub struct HttpDestination {
    options: HttpOptions,
    protocol: &'static Protocol,
    template: HttpRequest,
    client: HttpClient,
    policy: RetryPolicy,
    timer: Arc<dyn Timer>,
    /// What the last attempt failed with, while there is to be another.
    trouble: Mutex<Option<String>>,
}

impl fmt::Debug for HttpDestination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpDestination")
            .field("options", &self.options)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

/// Records that are sent in one request.
#[derive(Debug, Clone)]
struct Part {
    /// The batch's identity, and for a half `-1` or `-2` behind that of the whole.
    key: String,
    /// How many records of the batch are before it.
    before: u64,
    body: Bytes,
}

/// What became of a request.
enum Outcome {
    Taken(PartialSuccess),
    /// Smaller parts may be taken; with what was said.
    TooLarge(String),
}

/// Why a request was of no use.
#[derive(Debug)]
struct Failed {
    class: FailureClass,
    code: String,
    reason: String,
    /// The wait that the receiver asked for.
    asked: Option<Duration>,
}

fn failed(class: FailureClass, code: impl Into<String>, reason: impl Into<String>) -> Failed {
    Failed {
        class,
        code: code.into(),
        reason: reason.into(),
        asked: None,
    }
}

impl HttpDestination {
    /// A receiver as it is configured, over the client of those that trust the same certificates.
    ///
    /// # Errors
    /// A header, the URL or the certificates cannot be used.
    pub fn open(
        options: HttpOptions,
        clients: &mut HttpClients,
    ) -> Result<HttpDestination, HttpOptionsError> {
        let client = clients.client(options.ca_bundle.as_deref())?;
        HttpDestination::new(options, client)
    }

    /// A receiver over a client, which several destinations can share. What the client trusts is its own.
    ///
    /// # Errors
    /// A header or the URL cannot be used.
    pub fn new(
        options: HttpOptions,
        client: HttpClient,
    ) -> Result<HttpDestination, HttpOptionsError> {
        Ok(HttpDestination {
            template: options.template()?,
            protocol: options.url.kind().protocol(),
            options,
            client,
            policy: RetryPolicy::default(),
            timer: Arc::new(SystemTimer),
            trouble: Mutex::default(),
        })
    }

    /// Why a batch is being sent again, if one is: what whoever gives up waiting has to know.
    pub fn trouble(&self) -> Option<String> {
        self.last_trouble().clone()
    }

    fn last_trouble(&self) -> MutexGuard<'_, Option<String>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes when requests are sent again, and where time comes from.
    pub fn retrying(self, policy: RetryPolicy, timer: Arc<dyn Timer>) -> HttpDestination {
        HttpDestination {
            policy,
            timer,
            ..self
        }
    }

    /// Sends a part until it is taken, refused, or time is not worth more attempts.
    async fn deliver_part(&self, part: &Part, retries: &mut u32) -> Result<Outcome, Failed> {
        let body = compressed(part.body.clone(), self.options.compression).await?;
        let mut attempt = 1;
        loop {
            let mut error = match self.send(&part.key, body.clone()).await {
                Ok(outcome) => {
                    *self.last_trouble() = None;
                    return Ok(outcome);
                }
                Err(error) => error,
            };
            let random = self.timer.random();
            let Some(delay) = self.policy.delay(attempt, error.class, error.asked, random) else {
                // What is refused for good is said in the same words however often it was asked: they are kept.
                if attempt > 1 && error.class == FailureClass::Retry {
                    error.reason = format!("{} (attempt {attempt})", error.reason);
                }
                return Err(error);
            };
            *self.last_trouble() = Some(error.reason);
            self.timer.sleep(delay).await;
            attempt += 1;
            *retries += 1;
        }
    }

    /// Sends a body once.
    async fn send(&self, key: &str, body: Bytes) -> Result<Outcome, Failed> {
        let mut request = self.request(body);
        request
            .headers_mut()
            .insert("idempotency-key", key.to_owned());
        let exchange = async {
            let response = self.client.connector.call(request).await;
            let response = response.map_err(|error| unanswered(&error))?;
            let read = Answer::read(response, self.protocol.answer_limit).await;
            read.map_err(|error| {
                let reason = format!("its answer ended early: {}", causes(&error));
                failed(FailureClass::Retry, "Truncated", reason)
            })
        };
        match within(&*self.timer, self.options.timeout, exchange).await {
            Some(answer) => self.judge(&answer?),
            None => {
                let reason = format!("there was no answer in {:?}", self.options.timeout);
                Err(failed(FailureClass::Retry, "Timeout", reason))
            }
        }
    }

    fn request(&self, body: Bytes) -> HttpRequest {
        let mut request = HttpRequest::new(SdkBody::from(body));
        // What the template was made of is valid.
        drop(request.set_method(self.template.method()));
        drop(request.set_uri(self.template.uri()));
        *request.headers_mut() = self.template.headers().clone();
        request
    }

    /// What an answer means, by the tables.
    fn judge(&self, answer: &Answer) -> Result<Outcome, Failed> {
        let status = answer.status;
        let said = answer.body.reason().map(|words| self.hidden(words));
        let said = said.map_or(String::new(), |words| format!(" {words:?}"));
        let answered = format!("it answered {status}{said}");
        let refused = |class, advice: &str| {
            Err(failed(
                class,
                format!("Status{status}"),
                format!("{answered}: {advice}"),
            ))
        };
        match self.protocol.meaning(status) {
            Meaning::Taken => self.confirmed(answer),
            Meaning::TooLarge => Ok(Outcome::TooLarge(answered)),
            Meaning::Retry => Err(Failed {
                asked: answer
                    .retry_after
                    .as_deref()
                    .and_then(|value| retry_after(value, self.timer.now())),
                ..failed(FailureClass::Retry, format!("Status{status}"), answered)
            }),
            Meaning::Poison(advice) => refused(FailureClass::Poison, advice),
            Meaning::Config(advice) => match &answer.location {
                Some(place) => refused(FailureClass::Config, &format!("{advice}: {place}")),
                None => refused(FailureClass::Config, advice),
            },
        }
    }

    /// What a receiver that took the records says of them.
    fn confirmed(&self, answer: &Answer) -> Result<Outcome, Failed> {
        if self.protocol.answer == AnswerForm::Free {
            return Ok(Outcome::Taken(PartialSuccess::default()));
        }
        if answer.body.cut {
            let reason = "its answer is longer than the 4 MiB that OTLP allows; check that the URL is that of an OTLP receiver";
            return Err(failed(FailureClass::Config, "WrongAnswer", reason));
        }
        if answer.body.is_page() {
            let reason =
                "it answered with a web page; check that the URL is that of an OTLP receiver";
            return Err(failed(FailureClass::Config, "WrongAnswer", reason));
        }
        let partial = answer.body.partial_success().map_err(|_| {
            let reason =
                "its answer is not what OTLP receivers say, so the records may not have been taken";
            failed(FailureClass::Retry, "WrongAnswer", reason)
        })?;
        Ok(Outcome::Taken(PartialSuccess {
            message: partial.message.map(|words| self.hidden(words)),
            ..partial
        }))
    }

    /// A receiver's words without the secrets that it was sent.
    fn hidden(&self, words: String) -> String {
        let secrets = self
            .options
            .headers
            .iter()
            .map(|(_, secret)| secret.expose());
        secrets
            .flat_map(|secret| secret.split_whitespace().chain([secret]))
            .filter(|secret| secret.len() >= SHORTEST_SECRET)
            .fold(words, |words, secret| words.replace(secret, "***"))
    }

    fn error(&self, error: Failed, retries: u32) -> DeliveryError {
        DeliveryError {
            class: error.class,
            code: error.code,
            destination: self.options.url.to_string(),
            reason: error.reason,
            retries,
        }
    }
}

/// Shorter parts of headers are words such as `Bearer`, and hide nothing.
const SHORTEST_SECRET: usize = 8;

impl Destination for HttpDestination {
    /// Posts the batch; in halves, quarters and so on when it is too large for the receiver, each with an
    /// `Idempotency-Key` of its own that is the same every time. Parts that the receiver refuses do not
    /// keep it from getting the others.
    async fn deliver(&self, batch: &Batch) -> Result<Confirmation, DeliveryError> {
        let framing = self.protocol.framing;
        let mut pending = vec![Part {
            key: batch.id(),
            before: 0,
            body: batch.bytes.clone(),
        }];
        let mut confirmation = Confirmation::default();
        let mut poison: Option<Failed> = None;
        let (mut taken, mut arrived) = (0_u32, 0);
        while let Some(part) = pending.pop() {
            let outcome = self.deliver_part(&part, &mut confirmation.retries).await;
            let refused = match outcome {
                Ok(Outcome::Taken(partial)) => {
                    taken += 1;
                    arrived += framing.count(&part.body);
                    confirmation.rejected += partial.rejected;
                    confirmation.message = confirmation.message.or(partial.message);
                    continue;
                }
                Ok(Outcome::TooLarge(answered)) => match framing.halves(&part.body) {
                    Some([first, second]) => {
                        let half = |number, before, body| Part {
                            key: format!("{}-{number}", part.key),
                            before,
                            body,
                        };
                        let between = part.before + framing.count(&first);
                        pending.push(half(2, between, second));
                        pending.push(half(1, part.before, first));
                        continue;
                    }
                    None => {
                        let reason = format!(
                            "{answered}: a record of {} bytes is larger than the receiver takes",
                            part.body.len()
                        );
                        failed(FailureClass::Poison, "Status413", reason)
                    }
                },
                Err(error) if error.class == FailureClass::Poison => error,
                Err(error) => return Err(self.error(error, confirmation.retries)),
            };
            if poison.is_none() {
                let count = framing.count(&part.body);
                let (first, last) = (part.before + 1, part.before + count);
                let place = if part.body.len() == batch.bytes.len() {
                    String::new()
                } else if count > 1 {
                    format!("; records {first} to {last} of the batch")
                } else {
                    format!("; record {first} of the batch")
                };
                poison = Some(Failed {
                    reason: refused.reason + &place,
                    ..refused
                });
            }
        }
        if let Some(mut poison) = poison {
            if arrived > 0 {
                poison.reason += &format!("; {arrived} records of the batch arrived all the same");
            }
            return Err(self.error(poison, confirmation.retries));
        }
        if taken > 1 && confirmation.message.is_none() {
            confirmation.message = Some(format!(
                "the batch of {} bytes was too large and was sent in {taken} parts; smaller batches save requests",
                batch.bytes.len()
            ));
        }
        Ok(confirmation)
    }
}

/// What it means that nothing came back.
fn unanswered(error: &ConnectorError) -> Failed {
    let causes = causes(error);
    if causes.contains(CERTIFICATE) {
        let reason = format!(
            "its certificate is not accepted: {causes}; check the host name, or name the certificate authority of a private receiver with ca_bundle"
        );
        return failed(FailureClass::Config, "Certificate", reason);
    }
    let reason = format!("it gave no answer that can be read: {causes}");
    if error.is_user() {
        failed(FailureClass::Config, "Request", reason)
    } else if error.is_timeout() {
        failed(FailureClass::Retry, "Timeout", reason)
    } else {
        failed(FailureClass::Retry, "Dispatch", reason)
    }
}

/// The body as it is sent.
async fn compressed(body: Bytes, compression: Compression) -> Result<Bytes, Failed> {
    if compression == Compression::None {
        return Ok(body);
    }
    let work = tokio::task::spawn_blocking(move || compress(&body, compression));
    match work.await {
        Ok(Ok(bytes)) => Ok(Bytes::from(bytes)),
        Ok(Err(error)) => Err(failed(
            FailureClass::Retry,
            "Compression",
            error.to_string(),
        )),
        Err(panicked) => Err(failed(
            FailureClass::Retry,
            "Compression",
            panicked.to_string(),
        )),
    }
}

fn compress(body: &[u8], compression: Compression) -> Result<Vec<u8>, EncodingError> {
    let Some(mut compressor) = Compressor::new(compression)? else {
        return Ok(body.to_vec());
    };
    compressor.write(body)?;
    compressor.finish()
}
