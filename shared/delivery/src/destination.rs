//! Destinations: URLs in a configuration, and what they stand for.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use telemetry::FailureClass;

use crate::batch::Batch;
use crate::directory::DirectoryDestination;
use crate::s3::S3Destination;
use crate::stdout::StdoutDestination;

/// Takes batches and confirms them.
pub trait Destination {
    /// Delivers a batch. Returning `Ok` is the confirmation: the batch will not be lost.
    ///
    /// Delivering the same batch again must not leave more than one copy where the destination can
    /// help it; stdout cannot.
    fn deliver(&self, batch: &Batch) -> impl Future<Output = Result<(), DeliveryError>> + Send;
}

/// Why a batch was not confirmed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{destination} did not take the batch: {reason}")]
pub struct DeliveryError {
    /// What has to happen before it can be.
    pub class: FailureClass,
    /// A short, stable name for counters and log fields.
    pub code: String,
    /// The destination's URL.
    pub destination: String,
    /// What happened, and what to do.
    pub reason: String,
}

/// A destination as it is written in a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DestinationUrl {
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
    },
}

/// Why a text is no destination.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{url:?} is not a destination: {reason}; write stdout:, file:///dir or s3://bucket/prefix")]
pub struct DestinationUrlError {
    url: String,
    reason: String,
}

impl FromStr for DestinationUrl {
    type Err = DestinationUrlError;

    fn from_str(url: &str) -> Result<DestinationUrl, DestinationUrlError> {
        let error = |reason: &str| DestinationUrlError {
            url: url.to_owned(),
            reason: reason.to_owned(),
        };
        let Some((scheme, rest)) = url.split_once(':') else {
            return Err(error("it has no scheme"));
        };
        if let Some((_, query)) = rest.split_once('?') {
            return Err(error(&format!("the option {query:?} is not known")));
        }
        match (scheme, rest.strip_prefix("//")) {
            ("stdout", None) if rest.is_empty() => Ok(DestinationUrl::Stdout),
            ("stdout", _) => Err(error("stdout: takes nothing after the colon")),
            ("file", Some("")) => Err(error("the directory is missing")),
            ("file", Some(path)) => Ok(DestinationUrl::Directory(PathBuf::from(path))),
            ("s3", Some(path)) => {
                let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
                if !is_bucket_name(bucket) {
                    return Err(error("the bucket name is not one"));
                }
                Ok(DestinationUrl::S3 {
                    bucket: bucket.to_owned(),
                    prefix: prefix.trim_matches('/').to_owned(),
                })
            }
            ("file" | "s3", None) => Err(error("// is missing after the scheme")),
            _ => Err(error("its scheme is not supported")),
        }
    }
}

/// The rules of general-purpose buckets that matter to a URL ("Bucket naming rules", *S3 User
/// Guide*).
fn is_bucket_name(name: &str) -> bool {
    (3..=63).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.'))
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
}

impl fmt::Display for DestinationUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DestinationUrl::Stdout => f.write_str("stdout:"),
            DestinationUrl::Directory(path) => write!(f, "file://{}", path.display()),
            DestinationUrl::S3 { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
        }
    }
}

impl DestinationUrl {
    /// Reads URLs that are separated by spaces or line ends; none is a list too.
    ///
    /// # Errors
    /// The first text that is no destination.
    pub fn list(urls: &str) -> Result<Vec<DestinationUrl>, DestinationUrlError> {
        urls.split_whitespace().map(str::parse).collect()
    }

    /// Whether the destination needs an S3 client.
    pub fn is_s3(&self) -> bool {
        matches!(self, DestinationUrl::S3 { .. })
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
    S3(S3Destination),
}

impl AnyDestination {
    /// The destination that a URL names. `s3` makes the client, and is called for `s3://` only.
    pub fn open(url: &DestinationUrl, s3: impl FnOnce() -> aws_sdk_s3::Client) -> AnyDestination {
        match url {
            DestinationUrl::Stdout => AnyDestination::Stdout(StdoutDestination::default()),
            DestinationUrl::Directory(root) => {
                AnyDestination::Directory(DirectoryDestination::new(root.clone()))
            }
            DestinationUrl::S3 { bucket, prefix } => {
                AnyDestination::S3(S3Destination::new(s3(), bucket.clone(), prefix.clone()))
            }
        }
    }
}

impl Destination for AnyDestination {
    async fn deliver(&self, batch: &Batch) -> Result<(), DeliveryError> {
        match self {
            AnyDestination::Stdout(destination) => destination.deliver(batch).await,
            AnyDestination::Directory(destination) => destination.deliver(batch).await,
            AnyDestination::S3(destination) => destination.deliver(batch).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn lists_are_separated_by_spaces() {
        let list = DestinationUrl::list(" stdout:\n file://out ").unwrap();
        assert_eq!(list.len(), 2);
        assert_eq!(DestinationUrl::list(""), Ok(vec![]));
        assert!(DestinationUrl::list("stdout: records").is_err());
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
            ("s3://bucket/x?format=parquet", "format=parquet"),
            ("kafka://host/topic", "not supported"),
        ] {
            let error = url.parse::<DestinationUrl>().unwrap_err().to_string();
            assert!(
                error.contains(reason) && error.contains("s3://bucket/prefix"),
                "{error}"
            );
        }
    }
}
