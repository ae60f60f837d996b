//! Destinations: URLs in a configuration, and what they stand for.
//!
//! ```text
//! s3://records-use1/flows?format=parquet&partition=account,region,day
//! └─ where: Place ──────┘ └─ how: options, checked against what the place takes
//! ```

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use telemetry::FailureClass;

use crate::batch::{Batch, Packing};
use crate::directory::DirectoryDestination;
use crate::encoding::{Compression, Encoding, Format};
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
}

impl Place {
    /// The scheme, as messages name the kind of place.
    fn scheme(&self) -> &'static str {
        match self {
            Place::Stdout => "stdout:",
            Place::Directory(_) => "file://",
            Place::S3 { .. } => "s3://",
        }
    }

    /// Whether batches become files there, which names, compression and partitions are for.
    fn holds_files(&self) -> bool {
        matches!(self, Place::Directory(_) | Place::S3 { .. })
    }

    /// The formats that it takes; the first one is chosen unless another is asked for.
    fn formats(&self) -> &'static [Format] {
        match self {
            Place::Stdout => &[Format::Ndjson, Format::Ocsf],
            Place::Directory(_) | Place::S3 { .. } => &Format::ALL,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Stdout => f.write_str("stdout:"),
            Place::Directory(path) => write!(f, "file://{}", path.display()),
            Place::S3 { bucket, prefix, .. } => write!(f, "s3://{bucket}/{prefix}"),
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
#[error("{url:?} is not a destination: {reason}; write stdout:, file:///dir or s3://bucket/prefix")]
pub struct DestinationUrlError {
    url: String,
    reason: String,
}

/// Bytes at which a batch is complete unless something else is asked for.
pub const BATCH_BYTES: usize = 4 << 20;

/// The smallest and the largest batch that can be asked for, in bytes.
const BATCH_BYTES_ALLOWED: std::ops::RangeInclusive<usize> = 65_536..=67_108_864;

/// The options of a URL, taken one by one: what is left over is not known.
struct Options<'u>(Vec<(&'u str, &'u str)>);

impl<'u> Options<'u> {
    fn of(query: &'u str) -> Options<'u> {
        let options = query.split('&').filter(|option| !option.is_empty());
        Options(
            options
                .map(|o| o.split_once('=').unwrap_or((o, "")))
                .collect(),
        )
    }

    fn take(&mut self, name: &str) -> Option<&'u str> {
        let at = self.0.iter().position(|(known, _)| *known == name)?;
        Some(self.0.remove(at).1)
    }

    /// Takes an option and reads it.
    fn read<T, E: fmt::Display>(
        &mut self,
        name: &str,
        read: impl FnOnce(&'u str) -> Result<T, E>,
    ) -> Result<Option<T>, String> {
        let value = self.take(name).map(read).transpose();
        value.map_err(|problem| format!("its option {name}: {problem}"))
    }
}

impl FromStr for DestinationUrl {
    type Err = DestinationUrlError;

    fn from_str(url: &str) -> Result<DestinationUrl, DestinationUrlError> {
        DestinationUrl::parse(url, BATCH_BYTES).map_err(|reason| DestinationUrlError {
            url: url.to_owned(),
            reason,
        })
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
                true => Ok(Place::S3 {
                    bucket: bucket.to_owned(),
                    prefix: prefix.trim_matches('/').to_owned(),
                    options: S3Options::default(),
                }),
                false => Err("the bucket name is not one"),
            }
        }
        ("file" | "s3", None) => Err("// is missing after the scheme"),
        _ => Err("its scheme is not supported"),
    };
    place.map_err(str::to_owned)
}

impl DestinationUrl {
    fn parse(url: &str, batch_bytes: usize) -> Result<DestinationUrl, String> {
        let (where_, query) = url.split_once('?').unwrap_or((url, ""));
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
            max_bytes: batch_bytes,
            max_records: max_records.unwrap_or(u64::MAX),
            partitioning: Partitioning::default(),
            combines: false,
        };
        if place.holds_files() {
            if !format.is_compressed() {
                let compression = options.read("compression", str::parse)?;
                packing.encoding.compression = compression.unwrap_or(Compression::None);
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
        if let Place::S3 { options: kept, .. } = &mut place {
            kept.kms_key = options.read("kms_key", str::parse)?;
            kept.storage_class = options.read("storage_class", str::parse)?;
        }
        match options.0.first() {
            None => Ok(DestinationUrl { place, packing }),
            Some((name, _)) => Err(format!(
                "{} with {} has no option {name:?}",
                place.scheme(),
                format.label()
            )),
        }
    }

    /// Reads URLs that are separated by spaces or line ends; none is a list too. A batch has `batch_bytes` unless its
    /// URL says otherwise.
    ///
    /// # Errors
    /// The first text that is no destination.
    pub fn list(
        urls: &str,
        batch_bytes: usize,
    ) -> Result<Vec<DestinationUrl>, DestinationUrlError> {
        let urls = urls.split_whitespace();
        urls.map(|url| {
            DestinationUrl::parse(url, batch_bytes).map_err(|reason| DestinationUrlError {
                url: url.to_owned(),
                reason,
            })
        })
        .collect()
    }

    /// Whether the destination needs an S3 client.
    pub fn is_s3(&self) -> bool {
        matches!(self.place, Place::S3 { .. })
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
    S3(S3Destination),
}

impl AnyDestination {
    /// The destination that a URL names. `s3` makes the client, and is called for `s3://` only.
    pub fn open(url: &DestinationUrl, s3: impl FnOnce() -> aws_sdk_s3::Client) -> AnyDestination {
        match &url.place {
            Place::Stdout => AnyDestination::Stdout(StdoutDestination::default()),
            Place::Directory(root) => {
                AnyDestination::Directory(DirectoryDestination::new(root.clone()))
            }
            Place::S3 {
                bucket,
                prefix,
                options,
            } => AnyDestination::S3(S3Destination::new(
                s3(),
                bucket.clone(),
                prefix.clone(),
                options.clone(),
            )),
        }
    }
}

impl Destination for AnyDestination {
    async fn deliver(&self, batch: &Batch) -> Result<Confirmation, DeliveryError> {
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
    fn lists_are_separated_by_spaces() {
        let list = DestinationUrl::list(" stdout:\n file://out?batch_bytes=65536 ", 1000).unwrap();
        assert_eq!(list.len(), 2);
        assert_eq!(list[0].packing, Packing::ndjson(1000));
        assert_eq!(list[1].packing, Packing::ndjson(65_536));
        assert_eq!(DestinationUrl::list("", 1000), Ok(vec![]));
        assert!(DestinationUrl::list("stdout: records", 1000).is_err());
    }

    #[test]
    fn options_say_how_records_are_packed() {
        let packing = |url: &str| url.parse::<DestinationUrl>().unwrap().packing;
        let lake = packing("s3://lake-use1/flows?format=parquet&partition=account,day");
        assert_eq!(lake.encoding.extension(), "parquet");
        assert!(lake.combines && lake.partitioning.seconds() == Some(86_400));
        assert!(!packing("s3://lake-use1?partition=day&combine=off").combines);
        let plain = packing("s3://lake-use1?compression=zstd&batch_records=1000");
        assert_eq!(plain.encoding.extension(), "ndjson.zst");
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
        ] {
            let error = url.parse::<DestinationUrl>().unwrap_err().to_string();
            assert!(
                error.contains(reason) && error.contains("s3://bucket/prefix"),
                "{error}"
            );
        }
    }
}
