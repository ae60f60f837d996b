//! What records are enriched with: settings become options, files are read once.
//!
//! ```text
//! variables ─▶ EnrichmentSettings ─┬─▶ fields, device, ages ──────────────┐
//!                                  ├─▶ prices, ranges, databases: read ───┴─▶ Options ─┬─▶ Index ─▶ enrichers
//!                                  └─▶ metadata: a store, or documents at hand ────────┘
//! ```

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use bytes::Bytes;
use delivery::store::Fetched;
use delivery::{Store, StoreUrl, StoreUrlError};
use invocation::{SettingError, Variable};
use telemetry::enrichment::aws_ranges::AwsRanges;
use telemetry::enrichment::geography::Geography;
use telemetry::enrichment::price::PriceTable;
use telemetry::enrichment::{Device, FieldSet, Options};
use telemetry::index::DocumentIndex;

use crate::config::{
    AWS_RANGES, DEVICE, ENRICH, GEOIP, INDEX_MAX_AGE_H, INDEX_MEMORY_MIB, INDEX_REFRESH_S,
    METADATA, PRICES, TAGS, memory_mib,
};
use crate::index::{Index, IndexPlace, Limits};

/// What the setting for `device` spells.
const DEVICES: [(&str, Device); 4] = [
    ("vpc", Device::Vpc),
    ("subnet", Device::Subnet),
    ("interface", Device::Interface),
    ("folder", Device::Folder),
];

/// How records are enriched, and from what: validated, nothing of it read.
#[derive(Debug, Clone)]
pub struct EnrichmentSettings {
    /// What is added; nothing when it is empty.
    pub fields: FieldSet,
    /// What logged a flow of a VPC.
    pub device: Device,
    /// Age at which metadata count as stale, in seconds.
    pub max_age: u32,
    /// Where the index is.
    pub metadata: Option<StoreUrl>,
    /// Bytes of index files in memory, at most.
    pub index_bytes: usize,
    /// How often they are asked for anew.
    pub refresh: Duration,
    /// A price table instead of the shipped one.
    pub prices: Option<DataFile>,
    /// AWS's address ranges.
    pub aws_ranges: Option<DataFile>,
    /// Databases of countries and autonomous systems.
    pub geoip: Vec<DataFile>,
    /// Whether it is said what is added.
    chosen: bool,
    /// Whether a selection may decide by what is known of a record.
    pub decides: bool,
}

impl EnrichmentSettings {
    /// Reads the settings; `lookup` gives a variable's value.
    ///
    /// # Errors
    /// The first variable whose value cannot be used.
    pub fn from_lookup(
        lookup: &impl Fn(&str) -> Option<String>,
    ) -> Result<EnrichmentSettings, SettingError> {
        let chosen = lookup(ENRICH.name).is_some_and(|value| !value.trim().is_empty());
        let fields = ENRICH.value(lookup)?;
        let fields = FieldSet::parse(&fields).map_err(|error| ENRICH.error(error))?;
        let tags = TAGS.value(lookup)?;
        let tags = tags.split(',').map(str::trim).filter(|key| !key.is_empty());
        let fields = fields.with_tags(tags);
        let device = DEVICE.value(lookup)?;
        let named = DEVICES.iter().find(|(name, _)| *name == device.trim());
        let (_, device) = named.ok_or_else(|| {
            let names = DEVICES.map(|(name, _)| name);
            DEVICE.error(format!("{device:?} is none of {}", names.join(", ")))
        })?;
        let index_bytes = match INDEX_MEMORY_MIB.number(lookup, 0..=1 << 20)? as usize {
            0 => memory_mib(lookup)? << 18,
            mib => mib << 20,
        };
        let max_age = INDEX_MAX_AGE_H.number(lookup, 1..=8760)? * 3600;
        let refresh = INDEX_REFRESH_S.number(lookup, 0..=86_400)?;
        Ok(EnrichmentSettings {
            fields,
            device: *device,
            max_age: u32::try_from(max_age).unwrap_or(u32::MAX),
            metadata: metadata(&METADATA.value(lookup)?)?,
            index_bytes,
            refresh: Duration::from_secs(refresh),
            prices: DataFile::one(&PRICES, lookup)?,
            aws_ranges: DataFile::one(&AWS_RANGES, lookup)?,
            geoip: DataFile::list(&GEOIP, lookup)?,
            chosen,
            decides: false,
        })
    }

    /// Whether what is known of a record is of use: fields are added, or a selection may decide by it.
    pub fn is_of_use(&self) -> bool {
        !self.fields.is_empty() || self.decides
    }

    /// Whether records are enriched: it is of use, and fields are chosen, or there is something to enrich from. Without
    /// an index they are then marked so.
    pub fn is_wanted(&self) -> bool {
        let from_something = self.metadata.is_some()
            || self.prices.is_some()
            || self.aws_ranges.is_some()
            || !self.geoip.is_empty();
        let chosen = self.chosen && !self.fields.is_empty();
        self.is_of_use() && (chosen || from_something)
    }

    /// Whether any of it is read from S3.
    pub fn is_on_s3(&self) -> bool {
        let files = self.prices.iter().chain(&self.aws_ranges);
        let on_s3 = |file: &DataFile| matches!(file, DataFile::S3 { .. });
        self.metadata.as_ref().is_some_and(StoreUrl::is_s3) || files.chain(&self.geoip).any(on_s3)
    }

    /// Reads the files, and makes the index; `None` when records stay as they are. `documents` are an index
    /// that is at hand, instead of the one that is set.
    ///
    /// # Errors
    /// A file cannot be read, or is not what it should be.
    pub async fn start(
        &self,
        documents: Option<DocumentIndex>,
        sdk: &SdkConfig,
    ) -> Result<Option<Arc<Index>>, SettingError> {
        let nothing = !self.is_of_use() || (documents.is_none() && !self.is_wanted());
        if nothing {
            return Ok(None);
        }
        let options = self.options(sdk).await?;
        let stored = self.metadata.as_ref().map(|url| Store::on(url, sdk));
        let place = match (documents, stored) {
            (Some(documents), _) => IndexPlace::Memory(Box::new(documents)),
            (None, Some(store)) => IndexPlace::Store(store),
            // What there is not is marked as missing.
            (None, None) => IndexPlace::Memory(Box::default()),
        };
        let limits = Limits {
            bytes: self.index_bytes,
            refresh: self.refresh,
            ..Limits::default()
        };
        Ok(Some(Index::new(place, options, limits)))
    }

    async fn options(&self, sdk: &SdkConfig) -> Result<Options, SettingError> {
        let mut options = Options::new(self.fields.clone());
        options.device = self.device;
        options.max_age = self.max_age;
        options.decides = self.decides;
        if let Some(file) = &self.prices {
            let bytes = file.read(&PRICES, sdk).await?;
            let table = PriceTable::from_slice(&bytes);
            let table = table.map_err(|error| PRICES.error(format!("{file}: {error}")))?;
            options.prices = Arc::new(table);
        }
        if let Some(file) = &self.aws_ranges {
            let bytes = file.read(&AWS_RANGES, sdk).await?;
            let ranges = AwsRanges::from_slice(&bytes);
            let ranges = ranges.map_err(|error| AWS_RANGES.error(format!("{file}: {error}")))?;
            options.ranges = Some(Arc::new(ranges));
        }
        let mut databases = Vec::with_capacity(self.geoip.len());
        for file in &self.geoip {
            databases.push(Vec::from(file.read(&GEOIP, sdk).await?));
        }
        if !databases.is_empty() {
            let geography = Geography::new(databases).map_err(|error| {
                let file = self.geoip.get(error.number.saturating_sub(1));
                let file = file.map(DataFile::to_string).unwrap_or_default();
                GEOIP.error(format!("{file} cannot be used: {}", error.reason))
            })?;
            options.geography = Some(Arc::new(geography));
        }
        Ok(options)
    }
}

/// Where the collector keeps metadata.
fn metadata(url: &str) -> Result<Option<StoreUrl>, SettingError> {
    match url.trim() {
        "" | "none" => Ok(None),
        url => url
            .parse()
            .map(Some)
            .map_err(|error: StoreUrlError| METADATA.error(error)),
    }
}

/// A file that is read once, at the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DataFile {
    /// On this machine, or in the function's package or layers.
    Local(PathBuf),
    /// An object.
    S3 {
        /// Bucket.
        bucket: String,
        /// Key.
        key: String,
    },
}

impl FromStr for DataFile {
    type Err = String;

    /// Reads a path, a `file://` or an `s3://` URL.
    fn from_str(text: &str) -> Result<DataFile, String> {
        if !text.starts_with("s3:") {
            let path = text.strip_prefix("file://").unwrap_or(text);
            return Ok(DataFile::Local(PathBuf::from(path)));
        }
        match text.parse().map_err(|error| format!("{error}"))? {
            StoreUrl::S3 { bucket, prefix } if !prefix.is_empty() => Ok(DataFile::S3 {
                bucket,
                key: prefix,
            }),
            _ => Err(format!("{text:?} names no object")),
        }
    }
}

impl std::fmt::Display for DataFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            DataFile::Local(path) => write!(f, "{}", path.display()),
            DataFile::S3 { bucket, key } => write!(f, "s3://{bucket}/{key}"),
        }
    }
}

impl DataFile {
    fn one(
        variable: &Variable,
        lookup: &impl Fn(&str) -> Option<String>,
    ) -> Result<Option<DataFile>, SettingError> {
        match variable.value(lookup)?.trim() {
            "" => Ok(None),
            file => file
                .parse()
                .map(Some)
                .map_err(|p: String| variable.error(p)),
        }
    }

    fn list(
        variable: &Variable,
        lookup: &impl Fn(&str) -> Option<String>,
    ) -> Result<Vec<DataFile>, SettingError> {
        let value = variable.value(lookup)?;
        let files = value.split_whitespace().map(str::parse);
        files
            .collect::<Result<_, String>>()
            .map_err(|problem| variable.error(problem))
    }

    async fn read(&self, variable: &Variable, sdk: &SdkConfig) -> Result<Bytes, SettingError> {
        let read = match self {
            DataFile::Local(path) => std::fs::read(path)
                .map(Bytes::from)
                .map_err(|error| format!("{self} cannot be read: {error}")),
            DataFile::S3 { bucket, key } => {
                let url = StoreUrl::S3 {
                    bucket: bucket.clone(),
                    prefix: String::new(),
                };
                match Store::on(&url, sdk).get(key, None).await {
                    Ok(Fetched::Object { bytes, .. }) => Ok(bytes),
                    Ok(_) => Err(format!("{self} does not exist")),
                    Err(error) => Err(error.to_string()),
                }
            }
        };
        read.map_err(|problem| variable.error(problem))
    }
}
