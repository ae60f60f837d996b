//! Destinations: URLs in a configuration, and what they stand for.
//!
//! ```text
//! s3://records-use1/flows?format=parquet&partition=account,region,day
//! └─ where: Place ──────┘ └─ how: options, checked against what the place takes
//! ```

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use aws_config::SdkConfig;
use invocation::{JsonClient, JsonClientError, JsonService};
use sha2::{Digest, Sha256};
use telemetry::FailureClass;

use crate::batch::{Batch, Packing, hexadecimal};
use crate::credential::{Credential, CredentialError, CredentialTextError};
use crate::directory::DirectoryDestination;
use crate::encoding::{Compression, Content, Encoding, Format};
use crate::firehose::{FirehoseDestination, is_stream_name};
use crate::http::{
    HttpClients, HttpDestination, HttpKind, HttpOptions, HttpOptionsError, HttpUrlError,
};
use crate::partition::Partitioning;
use crate::s3::{S3Destination, S3Options, is_bucket_name};
use crate::stdout::StdoutDestination;

/// Takes batches and confirms them.
pub trait Destination {
    /// Delivers a batch. Returning `Ok` is the confirmation: the batch will not be lost.
    ///
    /// Delivering the same batch again must not leave more than one copy where the destination can
    /// help it; stdout cannot. The future may be dropped at any point, which is no confirmation.
    fn deliver(
        &self,
        batch: &Batch,
    ) -> impl Future<Output = Result<Confirmation, DeliveryError>> + Send;
}

/// What a destination said of a batch that it took.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Confirmation {
    /// Attempts that failed before the one that did not.
    pub retries: u32,
    /// Records that it took note of and did not keep: it answered for good that they are wrong.
    pub rejected: u64,
    /// What it said of them.
    pub message: Option<String>,
}

/// Why a batch was not confirmed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{destination} did not take the batch: {reason}")]
pub struct DeliveryError {
    /// What has to happen before it can be.
    pub class: FailureClass,
    /// A short, stable name for counters and log fields.
    pub code: String,
    /// The destination's URL, without anything secret.
    pub destination: String,
    /// What happened, and what to do.
    pub reason: String,
    /// Attempts that failed before the last one.
    pub retries: u32,
}

/// Where a destination is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// `stdout:`
    Stdout,
    /// `file:///absolute/dir`, or `file://dir` relative to the working directory.
    Directory(PathBuf),
    /// `s3://bucket/prefix`
    S3 {
        /// Bucket.
        bucket: String,
        /// What object keys start with, without a slash at either end; may be empty.
        prefix: String,
        /// How objects are kept there.
        options: S3Options,
    },
    /// `https://host/path`, `otlp+https://host`, and both without TLS on this machine.
    Http {
        /// How the receiver is reached; its headers' values are not read yet.
        options: HttpOptions,
        /// Headers that requests have, and where their values are kept.
        headers: Vec<(String, Credential)>,
    },
    /// `firehose://stream`
    Firehose {
        /// The stream.
        stream: String,
        /// Its region; the function's own when none is named.
        region: Option<String>,
    },
}

impl Place {
    /// The scheme, as messages name the kind of place.
    fn scheme(&self) -> &'static str {
        match self {
            Place::Stdout => "stdout:",
            Place::Directory(_) => "file://",
            Place::S3 { .. } => "s3://",
            Place::Http { options, .. } => match options.url.kind().is_otlp() {
                false => "https://",
                true => "otlp+https://",
            },
            Place::Firehose { .. } => "firehose://",
        }
    }

    /// Whether batches become files there, which names, compression and partitions are for.
    fn holds_files(&self) -> bool {
        matches!(self, Place::Directory(_) | Place::S3 { .. })
    }

    /// The formats that it takes; the first one is chosen unless another is asked for.
    fn formats(&self) -> &'static [Format] {
        match self {
            Place::Directory(_) | Place::S3 { .. } => &Format::ALL,
            Place::Http { options, .. } if options.url.kind().is_otlp() => &[Format::Otlp],
            Place::Stdout | Place::Http { .. } | Place::Firehose { .. } => {
                &[Format::Ndjson, Format::Ocsf, Format::Influx]
            }
        }
    }

    /// Bytes and records at which a batch is complete there, unless something else is asked for: receivers limit
    /// what a request has.
    fn limits(&self, batch_bytes: usize) -> (usize, u64) {
        match self {
            Place::Http { options, .. } if options.url.kind().is_otlp() => {
                (batch_bytes.min(REQUEST_BYTES), OTLP_RECORDS)
            }
            Place::Http { .. } => (batch_bytes.min(REQUEST_BYTES), u64::MAX),
            _ => (batch_bytes, u64::MAX),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Stdout => f.write_str("stdout:"),
            Place::Directory(path) => write!(f, "file://{}", path.display()),
            Place::S3 { bucket, prefix, .. } => write!(f, "s3://{bucket}/{prefix}"),
            Place::Http { options, .. } => options.url.fmt(f),
            Place::Firehose { stream, .. } => write!(f, "firehose://{stream}"),
        }
    }
}

/// A destination as it is written in a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DestinationUrl {
    /// Where it is.
    pub place: Place,
    /// How records are packed for it.
    pub packing: Packing,
}

/// Why a text is no destination.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DestinationUrlError {
    /// It cannot be used.
    #[error(
        "{url:?} is not a destination: {reason}; write stdout:, file:///dir, s3://bucket/prefix, https://host/path, otlp+https://host or firehose://stream"
    )]
    Unusable {
        /// As much of it as holds no secret.
        url: String,
        /// Why.
        reason: String,
    },
    /// It is the place of another one.
    #[error(
        "the destination {url:?} stands twice: what is written for one would replace what is written for the other, or arrive twice; give one of them another prefix, directory or receiver"
    )]
    Twice {
        /// As much of it as holds no secret.
        url: String,
    },
}

/// Bytes at which a batch is complete unless something else is asked for.
pub const BATCH_BYTES: usize = 4 << 20;

/// The same for receivers over HTTP: 1 MiB, which all of them take.
const REQUEST_BYTES: usize = 1 << 20;

/// Records of a batch of OTLP.
const OTLP_RECORDS: u64 = 1_000;

/// The smallest and the largest batch that can be asked for, in bytes.
const BATCH_BYTES_ALLOWED: std::ops::RangeInclusive<usize> = 65_536..=67_108_864;

/// The options of a URL, taken one by one: what is left over is not known.
struct Options<'u> {
    left: Vec<(&'u str, &'u str)>,
    /// Names that were asked for: those that are known.
    known: Vec<&'static str>,
}

impl<'u> Options<'u> {
    fn of(query: &'u str) -> Options<'u> {
        let options = query.split('&').filter(|option| !option.is_empty());
        Options {
            left: options
                .map(|o| o.split_once('=').unwrap_or((o, "")))
                .collect(),
            known: Vec::new(),
        }
    }

    fn take(&mut self, name: &'static str) -> Option<&'u str> {
        self.known.push(name);
        let at = self.left.iter().position(|(known, _)| *known == name)?;
        Some(self.left.remove(at).1)
    }

    /// What is wrong with an option that nobody took, if there is one.
    fn rest(&self, place: &Place, format: Format) -> Option<String> {
        let (name, _) = self.left.first()?;
        Some(match self.known.contains(name) {
            true => format!("its option {name} stands twice"),
            false => format!(
                "{} with {} has no option {name:?}, but {}",
                place.scheme(),
                format.label(),
                self.known.join(", ")
            ),
        })
    }

    /// Takes an option and reads it.
    fn read<T, E: fmt::Display>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&'u str) -> Result<T, E>,
    ) -> Result<Option<T>, String> {
        let value = self.take(name).map(read).transpose();
        value.map_err(|problem| format!("its option {name}: {problem}"))
    }
}

impl FromStr for DestinationUrl {
    type Err = DestinationUrlError;

    fn from_str(url: &str) -> Result<DestinationUrl, DestinationUrlError> {
        DestinationUrl::read(url, BATCH_BYTES, Content::Records)
    }
}

/// As much of a URL as holds no secret: of receivers, queries may, and what stands before an `@`.
fn shown(url: &str) -> &str {
    let (scheme, _) = url.split_once(':').unwrap_or_default();
    match scheme {
        "file" | "s3" | "firehose" => url,
        _ if url.contains('@') => scheme,
        _ => url.split(['?', '#']).next().unwrap_or_default(),
    }
}

fn place(url: &str) -> Result<Place, String> {
    let Some((scheme, rest)) = url.split_once(':') else {
        return Err("it has no scheme".to_owned());
    };
    let place = match (scheme, rest.strip_prefix("//")) {
        ("stdout", None) if rest.is_empty() => Ok(Place::Stdout),
        ("stdout", _) => Err("stdout: takes nothing after the colon"),
        ("file", Some("")) => Err("the directory is missing"),
        ("file", Some(path)) => Ok(Place::Directory(PathBuf::from(path))),
        ("s3", Some(path)) => {
            let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
            match is_bucket_name(bucket) {
                true if prefix.contains('#') => Err("its options come after ?, not after #"),
                true => Ok(Place::S3 {
                    bucket: bucket.to_owned(),
                    prefix: prefix.trim_matches('/').to_owned(),
                    options: S3Options::default(),
                }),
                false => Err("the bucket name is not one"),
            }
        }
        ("https" | "http" | "otlp+https" | "otlp+http", _) => {
            let url = url
                .parse()
                .map_err(|error: HttpUrlError| error.to_string())?;
            return Ok(Place::Http {
                options: HttpOptions::new(url),
                headers: Vec::new(),
            });
        }
        ("firehose", Some(stream)) => match is_stream_name(stream) {
            true => Ok(Place::Firehose {
                stream: stream.to_owned(),
                region: None,
            }),
            false => Err("the name of the stream is not one"),
        },
        ("file" | "s3" | "firehose", None) => Err("// is missing after the scheme"),
        _ => Err("its scheme is not supported"),
    };
    place.map_err(str::to_owned)
}

impl DestinationUrl {
    fn parse(url: &str, batch_bytes: usize, content: Content) -> Result<DestinationUrl, String> {
        // The query of a receiver's URL is the receiver's.
        let is_receiver = ["http", "otlp+http"]
            .iter()
            .any(|scheme| url.starts_with(scheme));
        let mark = if is_receiver { '#' } else { '?' };
        let (where_, query) = url.split_once(mark).unwrap_or((url, ""));
        let mut place = place(where_)?;
        let mut options = Options::of(query);
        let format = options.read("format", str::parse::<Format>)?;
        let formats = place.formats();
        let format = format
            .or(formats.first().copied())
            .unwrap_or(Format::Ndjson);
        if !formats.contains(&format) {
            return Err(format!("{} takes no {}", place.scheme(), format.label()));
        }
        if !content.formats().contains(&format) {
            return Err(content.refusal(format));
        }
        let (batch_bytes, batch_records) = place.limits(batch_bytes);
        let batch_bytes = options
            .read("batch_bytes", |text| {
                let bytes = text.parse().ok();
                bytes
                    .filter(|bytes| BATCH_BYTES_ALLOWED.contains(bytes))
                    .ok_or_else(|| {
                        let (least, most) = BATCH_BYTES_ALLOWED.into_inner();
                        format!("{text:?} is no number from {least} to {most}")
                    })
            })?
            .unwrap_or(batch_bytes);
        let max_records = options.read("batch_records", |text| {
            let records = text.parse().ok().filter(|records| *records > 0);
            records.ok_or_else(|| format!("{text:?} is no number above 0"))
        })?;
        let mut packing = Packing {
            encoding: Encoding {
                format,
                compression: Compression::None,
            },
            max_records: max_records.unwrap_or(batch_records),
            ..Packing::ndjson(batch_bytes)
        };
        if place.holds_files() {
            if !format.is_compressed() {
                let compression = options.read("compression", str::parse)?;
                packing.encoding.compression = compression.unwrap_or(match place {
                    Place::S3 { .. } => Compression::Zstd,
                    _ => Compression::None,
                });
            }
            let partitioning = options.read("partition", Partitioning::parse)?;
            packing.partitioning = partitioning.unwrap_or_default();
            let combines = options.read("combine", |text| match text {
                "on" => Ok(true),
                "off" => Ok(false),
                _ => Err(format!("{text:?} is neither on nor off")),
            })?;
            packing.combines = combines.unwrap_or(!packing.partitioning.is_none());
        }
        match &mut place {
            Place::Stdout | Place::Directory(_) => {}
            Place::S3 { options: kept, .. } => {
                kept.kms_key = options.read("kms_key", str::parse)?;
                kept.storage_class = options.read("storage_class", str::parse)?;
            }
            Place::Http {
                options: reached,
                headers,
            } => {
                let kind = HttpKind::of(format, content);
                reached.url = reached.url.clone().with_kind(kind);
                for name in ["compression", "timeout_s", "ca_bundle"] {
                    options.read(name, |value| reached.set(name, value))?;
                }
                for (name, value) in std::mem::take(&mut options.left) {
                    match name.strip_prefix("header.") {
                        Some(header) => {
                            if headers
                                .iter()
                                .any(|(known, _)| known.eq_ignore_ascii_case(header))
                            {
                                return Err(format!("its option {name} stands twice"));
                            }
                            let credential = value.parse();
                            let credential = credential.map_err(|error: CredentialTextError| {
                                format!("its option {name}: {error}")
                            })?;
                            headers.push((header.to_owned(), credential));
                        }
                        None => options.left.push((name, value)),
                    }
                }
                options.known.push("header.NAME");
            }
            Place::Firehose { region, .. } => {
                *region = options.take("region").map(str::to_owned);
            }
        }
        match options.rest(&place, format) {
            None => Ok(DestinationUrl { place, packing }),
            Some(problem) => Err(problem),
        }
    }

    /// Reads URLs that are separated by spaces or line ends; none is a list too. A batch has `batch_bytes` unless its
    /// URL says otherwise. `content` is what goes there.
    ///
    /// # Errors
    /// The first text that is no destination, or none for such content, or is one that stood before.
    pub fn list(
        urls: &str,
        batch_bytes: usize,
        content: Content,
    ) -> Result<Vec<DestinationUrl>, DestinationUrlError> {
        let mut list: Vec<DestinationUrl> = Vec::new();
        for text in urls.split_whitespace() {
            let url = DestinationUrl::read(text, batch_bytes, content)?;
            let tag = url.tag();
            if list.iter().any(|known| known.tag() == tag) {
                return Err(DestinationUrlError::Twice {
                    url: shown(text).to_owned(),
                });
            }
            list.push(url);
        }
        Ok(list)
    }

    /// A short name for where it is, with all that tells it from others: 16 hexadecimal digits of a SHA-256. How records
    /// are packed is no part of it.
    pub fn tag(&self) -> String {
        let mut hash = Sha256::new();
        match &self.place {
            Place::Stdout | Place::S3 { .. } => hash.update(self.to_string()),
            Place::Directory(path) => {
                let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
                // Parts, and not the text: slashes may be doubled.
                let parts: PathBuf = path.components().collect();
                hash.update(format!("file://{}", parts.display()));
            }
            Place::Http { options, headers } => {
                hash.update(options.url.request());
                for (name, credential) in headers {
                    hash.update(format!("\n{name}: {credential}"));
                }
            }
            Place::Firehose { stream, region } => {
                let region = region.as_deref().unwrap_or_default();
                hash.update(format!("firehose://{stream}?region={region}"));
            }
        }
        hexadecimal(hash, 8)
    }

    fn read(
        url: &str,
        batch_bytes: usize,
        content: Content,
    ) -> Result<DestinationUrl, DestinationUrlError> {
        let parsed = DestinationUrl::parse(url, batch_bytes, content);
        parsed.map_err(|reason| DestinationUrlError::Unusable {
            url: shown(url).to_owned(),
            reason,
        })
    }

    /// Whether the destination is reached through AWS: itself, or what it needs to be.
    pub fn uses_aws(&self) -> bool {
        match &self.place {
            Place::Stdout | Place::Directory(_) => false,
            Place::S3 { .. } | Place::Firehose { .. } => true,
            Place::Http { headers, .. } => headers
                .iter()
                .any(|(_, credential)| !matches!(credential, Credential::Environment(_))),
        }
    }
}

impl fmt::Display for DestinationUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.place.fmt(f)
    }
}

/// Any of the destinations a URL can name.
#[derive(Debug)]
pub enum AnyDestination {
    /// Standard output.
    Stdout(StdoutDestination),
    /// A directory.
    Directory(DirectoryDestination),
    /// A bucket.
    S3(Box<S3Destination>),
    /// A receiver.
    Http(Box<HttpDestination>),
    /// A stream.
    Firehose(Box<FirehoseDestination>),
}

/// What destinations are reached with.
pub struct Connections<'c> {
    sdk: &'c SdkConfig,
    variable: &'c (dyn Fn(&str) -> Option<String> + Sync),
    http: HttpClients,
}

impl<'c> Connections<'c> {
    /// AWS as the SDK is configured; `variable` gives the value of an environment variable, for credentials that
    /// are kept there.
    pub fn new(
        sdk: &'c SdkConfig,
        variable: &'c (dyn Fn(&str) -> Option<String> + Sync),
    ) -> Connections<'c> {
        Connections {
            sdk,
            variable,
            http: HttpClients::default(),
        }
    }

    /// The same without credentials in the environment.
    pub fn to_aws(sdk: &'c SdkConfig) -> Connections<'c> {
        Connections::new(sdk, &|_| None)
    }
}

/// Why a destination cannot be reached as it is configured.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A credential cannot be read.
    #[error(transparent)]
    Credential(#[from] CredentialError),
    /// A receiver.
    #[error(transparent)]
    Http(#[from] HttpOptionsError),
    /// AWS cannot be called.
    #[error(transparent)]
    Aws(#[from] JsonClientError),
}

impl AnyDestination {
    /// The destination that a URL names. Credentials are read here, once.
    ///
    /// # Errors
    /// A credential cannot be read, or a setting cannot be used. That the destination is there is not asked.
    pub async fn open(
        url: &DestinationUrl,
        connections: &mut Connections<'_>,
    ) -> Result<AnyDestination, OpenError> {
        let sdk = connections.sdk;
        Ok(match &url.place {
            Place::Stdout => AnyDestination::Stdout(StdoutDestination::default()),
            Place::Directory(root) => {
                AnyDestination::Directory(DirectoryDestination::new(root.clone()))
            }
            Place::S3 {
                bucket,
                prefix,
                options,
            } => AnyDestination::S3(Box::new(S3Destination::new(
                aws_sdk_s3::Client::new(sdk),
                bucket.clone(),
                prefix.clone(),
                options.clone(),
            ))),
            Place::Http { options, headers } => {
                let mut options = options.clone();
                for (name, credential) in headers {
                    let value = credential.read(connections.variable, sdk).await?;
                    options.headers.push((name.clone(), value));
                }
                let destination = HttpDestination::open(options, &mut connections.http)?;
                AnyDestination::Http(Box::new(destination))
            }
            Place::Firehose { stream, region } => {
                let client = JsonClient::new(sdk, JsonService::Firehose, region.as_deref())?;
                AnyDestination::Firehose(Box::new(FirehoseDestination::new(client, stream.clone())))
            }
        })
    }
}

impl AnyDestination {
    /// Why a batch is being sent again, where that is known.
    pub fn trouble(&self) -> Option<String> {
        match self {
            AnyDestination::Http(destination) => destination.trouble(),
            _ => None,
        }
    }

    /// Whether batches become files.
    pub fn is_directory(&self) -> bool {
        matches!(self, AnyDestination::Directory(_))
    }
}

impl Destination for AnyDestination {
    async fn deliver(&self, batch: &Batch) -> Result<Confirmation, DeliveryError> {
        match self {
            AnyDestination::Stdout(destination) => destination.deliver(batch).await,
            AnyDestination::Directory(destination) => destination.deliver(batch).await,
            AnyDestination::S3(destination) => destination.deliver(batch).await,
            AnyDestination::Http(destination) => destination.deliver(batch).await,
            AnyDestination::Firehose(destination) => destination.deliver(batch).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::StorageClass;

    #[test]
    fn urls_name_destinations_and_print_as_they_are_written() {
        for url in [
            "stdout:",
            "file:///var/out",
            "file://out",
            "s3://records-use1/flows/v1",
            "s3://records-use1/",
        ] {
            assert_eq!(url.parse::<DestinationUrl>().unwrap().to_string(), url);
        }
        let trimmed: DestinationUrl = "s3://records-use1//flows/".parse().unwrap();
        assert_eq!(trimmed.to_string(), "s3://records-use1/flows");
    }

    #[test]
    fn receivers_have_their_query_and_our_options_behind_it() {
        let url = "https://host/in?token=t#batch_bytes=65536&header.authorization=env:TOKEN&header.x-tenant=ssm:/t&timeout_s=5";
        let url: DestinationUrl = url.parse().unwrap();
        assert_eq!(url.to_string(), "https://host/in");
        assert_eq!(url.packing, Packing::ndjson(65_536));
        assert!(url.uses_aws());
        let Place::Http { options, headers } = &url.place else {
            panic!("it is a receiver");
        };
        assert_eq!(options.timeout.as_secs(), 5);
        let headers: Vec<String> = headers.iter().map(|(n, c)| format!("{n} {c}")).collect();
        assert_eq!(headers, ["authorization env:TOKEN", "x-tenant ssm:/t"]);
        let otlp = "otlp+https://host"
            .parse::<DestinationUrl>()
            .unwrap()
            .packing;
        assert_eq!((otlp.max_bytes, otlp.max_records), (1 << 20, 1_000));
        assert_eq!(otlp.encoding.format, Format::Otlp);
    }

    #[test]
    fn a_receivers_query_is_not_repeated() {
        let error = "https://host/in?token=secret#colour=red".parse::<DestinationUrl>();
        let error = error.unwrap_err().to_string();
        assert!(
            error.contains("colour") && !error.contains("secret"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn a_credential_that_is_not_there_keeps_a_destination_from_being_opened() {
        let url = "https://host/in#header.authorization=env:TOKEN"
            .parse()
            .unwrap();
        let sdk = invocation::aws::no_services();
        let mut connections = Connections::to_aws(&sdk);
        let error = AnyDestination::open(&url, &mut connections)
            .await
            .unwrap_err();
        assert!(error.to_string().contains("TOKEN is not set"), "{error}");
        let found = |name: &str| (name == "TOKEN").then(|| "Bearer x".to_owned());
        let mut connections = Connections::new(&sdk, &found);
        let opened = AnyDestination::open(&url, &mut connections).await.unwrap();
        assert!(!format!("{opened:?}").contains("Bearer"));
    }

    #[test]
    fn lists_are_separated_by_spaces() {
        let list = |urls| DestinationUrl::list(urls, 1000, Content::Records);
        let two = list(" stdout:\n file://out?batch_bytes=65536 ").unwrap();
        assert_eq!(two.len(), 2);
        assert_eq!(two[0].packing, Packing::ndjson(1000));
        assert_eq!(two[1].packing, Packing::ndjson(65_536));
        assert_eq!(list(""), Ok(vec![]));
        assert!(list("stdout: records").is_err());
    }

    /// Batches are named by what they are made of: two destinations at one place would write over one another.
    #[test]
    fn a_place_stands_once() {
        let list = |urls: &str| DestinationUrl::list(urls, BATCH_BYTES, Content::Records);
        for (one, other) in [
            ("s3://lake/two", "s3://lake/two/?format=ocsf"),
            ("file://out", "file://./out/?batch_bytes=65536"),
            ("https://host/in", "https://host/in#format=ocsf"),
            ("https://host", "https://host/#batch_records=30"),
            ("firehose://s", "firehose://s?format=ocsf"),
            ("stdout:", "stdout:"),
        ] {
            let error = list(&format!("{one} {other}")).unwrap_err().to_string();
            assert!(error.contains("stands twice"), "{error}");
        }
        for both in [
            "s3://lake/two s3://lake/one",
            "s3://lake s3://lake/one",
            "file://out file://out/in",
            "https://host/in?tenant=7 https://host/in?tenant=8",
            "https://host/in#header.x-tenant=env:A https://host/in#header.x-tenant=env:B",
            "firehose://s?region=eu-west-1 firehose://s?region=us-east-1",
        ] {
            assert_eq!(list(both).unwrap().len(), 2, "{both}");
        }
    }

    #[test]
    fn options_are_known_and_stand_once() {
        for (url, problem) in [
            (
                "s3://lake?colour=red",
                "s3:// with ndjson has no option \"colour\", but format, batch_bytes, batch_records, compression, \
                 partition, combine, kms_key, storage_class",
            ),
            (
                "https://host#colour=red",
                "no option \"colour\", but format, batch_bytes, batch_records, compression, timeout_s, ca_bundle, header.NAME",
            ),
            (
                "s3://lake?format=parquet&format=ndjson",
                "its option format stands twice",
            ),
            (
                "https://host#header.a=env:A&header.A=env:B",
                "its option header.A stands twice",
            ),
            (
                "s3://lake/x#format=parquet",
                "its options come after ?, not after #",
            ),
        ] {
            let error = url.parse::<DestinationUrl>().unwrap_err().to_string();
            assert!(error.contains(problem), "{error}");
        }
    }

    #[test]
    fn nothing_secret_of_a_url_is_repeated() {
        for url in [
            "https://user:s3cret@host/x",
            "https://user:s3/cret@host",
            "https://user:?s3cret@host",
            "https:host#header.authorization=s3cret",
            "otlp+https://user:s3cret@host",
            "ftp://user:s3cret@host",
        ] {
            let error = url.parse::<DestinationUrl>().unwrap_err().to_string();
            assert!(!error.contains("cret"), "{error}");
        }
    }

    #[test]
    fn content_decides_the_formats_and_what_receivers_speak() {
        let to = |url: &str, content| DestinationUrl::list(url, BATCH_BYTES, content);
        let every = [Content::Records, Content::Changes, Content::Datapoints];
        for (format, contents) in [
            ("ndjson", &every[..]),
            ("parquet", &every),
            ("ocsf", &every[..1]),
            ("ocsf-parquet", &every[..1]),
            ("otlp", &[Content::Records, Content::Datapoints]),
            ("influx", &every[2..]),
        ] {
            for content in every {
                let url = to(&format!("s3://lake-use1/x?format={format}"), content);
                assert_eq!(url.is_ok(), contents.contains(&content), "{format} {url:?}");
            }
        }
        let refused = |url: &str, content| to(url, content).unwrap_err().to_string();
        let error = refused("s3://lake-use1?format=influx", Content::Records);
        let advice = "records are not written as influx; choose from ndjson, parquet, ocsf, ocsf-parquet, otlp";
        assert!(error.contains(advice), "{error}");
        let error = refused("otlp+https://host", Content::Changes);
        let advice = "changes are not written as otlp; choose from ndjson, parquet";
        assert!(error.contains(advice), "{error}");
        let kind = |url: &str, content| match &to(url, content).unwrap()[0].place {
            Place::Http { options, .. } => options.url.kind(),
            other => panic!("{other} is no receiver"),
        };
        let influx = "https://host/api/v2/write?org=o&bucket=b#format=influx";
        for (url, content, expected) in [
            ("https://host/in", Content::Datapoints, HttpKind::Ndjson),
            (influx, Content::Datapoints, HttpKind::Influx),
            ("otlp+https://host", Content::Records, HttpKind::OtlpLogs),
            (
                "otlp+https://host",
                Content::Datapoints,
                HttpKind::OtlpMetrics,
            ),
        ] {
            assert_eq!(kind(url, content), expected, "{url}");
        }
    }

    #[test]
    fn options_say_how_records_are_packed() {
        let packing = |url: &str| url.parse::<DestinationUrl>().unwrap().packing;
        let lake = packing("s3://lake-use1/flows?format=parquet&partition=account,day");
        assert_eq!(lake.encoding.extension(), "parquet");
        assert!(lake.combines && lake.partitioning.spans().start(86_401) == Some(86_400));
        assert!(!packing("s3://lake-use1?partition=day&combine=off").combines);
        let plain = packing("s3://lake-use1?batch_records=1000");
        assert_eq!(plain.encoding.extension(), "ndjson.zst");
        let chosen = packing("s3://lake-use1?compression=gzip&format=ocsf");
        assert_eq!(chosen.encoding.extension(), "ndjson.gz");
        assert_eq!(packing("file://out").encoding, Encoding::NDJSON);
        assert!(!plain.combines && plain.max_records == 1000);
    }

    #[test]
    fn options_say_how_a_bucket_keeps_objects() {
        let url = "s3://lake-use1/flows?kms_key=alias/lake&storage_class=GLACIER_IR";
        let kept = S3Options {
            kms_key: Some("alias/lake".parse().unwrap()),
            storage_class: Some(StorageClass::GlacierIr),
        };
        let Place::S3 { options, .. } = url.parse::<DestinationUrl>().unwrap().place else {
            panic!("it is a bucket");
        };
        assert_eq!(options, kept);
    }

    #[test]
    fn what_is_wrong_with_a_url_is_said() {
        for (url, reason) in [
            ("records", "no scheme"),
            ("stdout:x", "takes nothing"),
            ("file:", "// is missing"),
            ("file://", "directory is missing"),
            ("s3:bucket", "// is missing"),
            ("s3://B/x", "bucket name"),
            ("s3://bucket/x?colour=red", "has no option \"colour\""),
            ("s3://bucket/x?format=csv", "\"csv\" is none of ndjson"),
            ("s3://bucket/x?partition=week", "\"week\" is no partition"),
            (
                "s3://bucket/x?format=parquet&compression=gzip",
                "has no option \"compression\"",
            ),
            ("s3://bucket/x?batch_bytes=1", "65536 to 67108864"),
            ("s3://bucket/x?batch_records=0", "number above 0"),
            ("s3://bucket/x?combine=yes", "neither on nor off"),
            ("s3://bucket/x?kms_key=lake", "\"lake\" is no KMS key"),
            ("s3://bucket/x?storage_class=GLACIER", "is none of STANDARD"),
            ("file:///x?kms_key=alias/lake", "has no option \"kms_key\""),
            ("stdout:?format=parquet", "stdout: takes no parquet"),
            ("stdout:?partition=day", "has no option"),
            ("kafka://host/topic", "not supported"),
            ("http://example.com/in", "without TLS"),
            (
                "https://host/in#format=parquet",
                "https:// takes no parquet",
            ),
            (
                "https://host/in#partition=day",
                "has no option \"partition\"",
            ),
            ("https://host/in#timeout_s=0", "1 to 900"),
            (
                "https://host/in#header.authorization=Bearer",
                "no place of a credential",
            ),
            (
                "otlp+https://host#format=ndjson",
                "otlp+https:// takes no ndjson",
            ),
            ("firehose://a/b", "the name of the stream"),
            ("firehose://flows?partition=day", "has no option"),
        ] {
            let error = url.parse::<DestinationUrl>().unwrap_err().to_string();
            assert!(
                error.contains(reason) && error.contains("s3://bucket/prefix"),
                "{error}"
            );
        }
    }
}
