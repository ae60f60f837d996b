//! Configuration from environment variables: one table, read once, into validated values.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use delivery::encoding::Content;
use delivery::{DestinationUrl, Packing, StoreUrl, StoreUrlError};
use invocation::{SettingError, Variable};
use telemetry::enrichment::field::FlowField;
use telemetry::selection::Selection;
use telemetry::{Layout, ReadOptions};

use crate::deletion::DeletionSettings;
use crate::enrichment::EnrichmentSettings;
use crate::loop_guard::LoopGuard;
use crate::reading::ReadingOptions;

/// Where records go.
pub const DESTINATIONS: Variable = Variable {
    name: "CLOUD_EXPORT_DESTINATIONS",
    default: None,
    example: "s3://records-use1/flows",
    meaning: "Where records go: URLs such as `s3://bucket/prefix?format=parquet`, separated by spaces, see docs/destinations.md; an object is done when all of them confirmed it",
};

/// The layout of rows without a header.
pub const FORMAT: Variable = Variable {
    name: "CLOUD_EXPORT_FORMAT",
    default: Some(""),
    example: "${version} ${srcaddr} ${dstaddr}",
    meaning: "Format of text logs without a header line, as given to AWS; AWS's default formats are recognised without it",
};

/// Which records are delivered.
pub const SELECT: Variable = Variable {
    name: "CLOUD_EXPORT_SELECT",
    default: Some(""),
    example: "keep action=REJECT; drop port=53 protocol=udp; sample 1/10",
    meaning: "Which records are delivered: rules that keep, drop, sample and limit, see docs/selection.md; all are without it",
};

/// The size of a batch.
pub const BATCH_BYTES: Variable = Variable {
    name: "CLOUD_EXPORT_BATCH_BYTES",
    default: Some("4194304"),
    example: "8388608",
    meaning: "Size at which a batch is complete, in bytes, from 65536 to 67108864; an S3 destination writes one object a batch",
};

/// Objects at once.
pub const CONCURRENCY: Variable = Variable {
    name: "CLOUD_EXPORT_CONCURRENCY",
    default: Some("0"),
    example: "2",
    meaning: "Objects processed at once, from 1 to 64; 0 chooses by the function's memory",
};

/// The cap on decompression.
pub const MAX_DECODED_BYTES: Variable = Variable {
    name: "CLOUD_EXPORT_MAX_DECODED_BYTES",
    default: Some("4294967296"),
    example: "1073741824",
    meaning: "Most bytes an object may have once decompressed; a larger one is refused as a decompression bomb",
};

/// The reserve before the deadline.
pub const DEADLINE_RESERVE_MS: Variable = Variable {
    name: "CLOUD_EXPORT_DEADLINE_RESERVE_MS",
    default: Some("2000"),
    example: "5000",
    meaning: "Milliseconds before the invocation's deadline at which unfinished objects are handed back",
};

/// Where what cannot be delivered is kept.
pub const QUARANTINE: Variable = Variable {
    name: "CLOUD_EXPORT_QUARANTINE",
    default: Some(""),
    example: "s3://quarantine-use1/flows",
    meaning: "Where rows, batches and objects that can never be delivered are kept aside: `file:///dir` or `s3://bucket/prefix`; without it rows are skipped, and objects go to the dead-letter queue",
};

/// Whether objects are deleted.
pub const DELETE_AFTER_READ: Variable = Variable {
    name: "CLOUD_EXPORT_DELETE_AFTER_READ",
    default: Some("off"),
    example: "on",
    meaning: "`on` deletes an object once every destination confirmed all of it, if it is still the same; see docs/delivery.md",
};

/// Which objects may be deleted.
pub const DELETE_PREFIXES: Variable = Variable {
    name: "CLOUD_EXPORT_DELETE_PREFIXES",
    default: Some(""),
    example: "s3://logs-use1/AWSLogs",
    meaning: "Where objects may be deleted: `s3://bucket/prefix`, several are separated by spaces; needed when deleting is on, and nothing else is ever deleted",
};

/// Where a backfill hands its objects to.
pub const BACKFILL_QUEUE: Variable = Variable {
    name: "CLOUD_EXPORT_BACKFILL_QUEUE",
    default: Some(""),
    example: "https://sqs.us-east-1.amazonaws.com/123456789012/flow-logs",
    meaning: "URL of the SQS queue that this function gets its messages from: a backfill hands its objects, and what is left of it when the time is over, to that; without it the invocation forwards them itself",
};

/// The namespace of metrics.
pub const METRICS_NAMESPACE: Variable = Variable {
    name: "CLOUD_EXPORT_METRICS_NAMESPACE",
    default: Some("CloudExport"),
    example: "Network/CloudExport",
    meaning: "CloudWatch namespace of the function's own metrics",
};

/// The directory for temporary files.
pub const SPOOL: Variable = Variable {
    name: "CLOUD_EXPORT_SPOOL",
    default: Some("/tmp"),
    example: "/mnt/spool",
    meaning: "Directory for temporary copies of Parquet objects, which are read from their end",
};

/// Where the index is.
pub const METADATA: Variable = Variable {
    name: "CLOUD_EXPORT_METADATA",
    default: Some(""),
    example: "s3://metadata-use1/network",
    meaning: "Where the collector keeps metadata: `file:///dir` or `s3://bucket/prefix`; records are enriched from the index there, and stay as they are without one",
};

/// What is added to records.
pub const ENRICH: Variable = Variable {
    name: "CLOUD_EXPORT_ENRICH",
    default: Some("standard"),
    example: "minimal,src_security_groups",
    meaning: "What is added to records: `none`, `minimal`, `standard`, `full`, or names of fields, separated by commas; see docs/fields.md",
};

/// Tags that are added to records.
pub const TAGS: Variable = Variable {
    name: "CLOUD_EXPORT_TAGS",
    default: Some(""),
    example: "team,cost-center",
    meaning: "Keys of tags that are added to records as `src_tag_<key>` and `dst_tag_<key>`, separated by commas",
};

/// What the field `device` names.
pub const DEVICE: Variable = Variable {
    name: "CLOUD_EXPORT_DEVICE",
    default: Some("vpc"),
    example: "subnet",
    meaning: "What `device` names for flows of a VPC: `vpc`, `subnet`, `interface`, or `folder` for that of the log",
};

/// Memory for the index.
pub const INDEX_MEMORY_MIB: Variable = Variable {
    name: "CLOUD_EXPORT_INDEX_MEMORY_MIB",
    default: Some("0"),
    example: "256",
    meaning: "Memory for files of the index, in MiB; those used longest ago go first, and 0 means a quarter of the function's memory",
};

/// How often the index is asked for anew.
pub const INDEX_REFRESH_S: Variable = Variable {
    name: "CLOUD_EXPORT_INDEX_REFRESH_S",
    default: Some("300"),
    example: "60",
    meaning: "Seconds after which an invocation asks whether files of the index have changed, from 0 to 86400",
};

/// How old metadata may be.
pub const INDEX_MAX_AGE_H: Variable = Variable {
    name: "CLOUD_EXPORT_INDEX_MAX_AGE_H",
    default: Some("24"),
    example: "6",
    meaning: "Hours after which metadata count as stale, from 1 to 8760: those collected longer than that before a flow",
};

/// The price table.
pub const PRICES: Variable = Variable {
    name: "CLOUD_EXPORT_PRICES",
    default: Some(""),
    example: "s3://metadata-use1/prices.json",
    meaning: "Price table of data transfer instead of the shipped one, as JSON: a path or an `s3://` URL",
};

/// AWS's address ranges.
pub const AWS_RANGES: Variable = Variable {
    name: "CLOUD_EXPORT_AWS_RANGES",
    default: Some(""),
    example: "s3://metadata-use1/ip-ranges.json",
    meaning: "AWS's `ip-ranges.json`, which tells services by their addresses: a path or an `s3://` URL",
};

/// Databases of countries and autonomous systems.
pub const GEOIP: Variable = Variable {
    name: "CLOUD_EXPORT_GEOIP",
    default: Some(""),
    example: "s3://metadata-use1/country.mmdb /opt/asn.mmdb",
    meaning: "Databases in MaxMind's format that tell countries and autonomous systems: paths or `s3://` URLs, separated by spaces",
};

/// The function's memory, set by Lambda.
pub const MEMORY_SIZE: Variable = Variable {
    name: "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    default: Some("512"),
    example: "512",
    meaning: "Set by Lambda: the function's memory in MiB",
};

/// Every variable a person sets, in the order of the README.
pub const VARIABLES: &[Variable] = &[
    DESTINATIONS,
    FORMAT,
    SELECT,
    BATCH_BYTES,
    CONCURRENCY,
    MAX_DECODED_BYTES,
    DEADLINE_RESERVE_MS,
    QUARANTINE,
    DELETE_AFTER_READ,
    DELETE_PREFIXES,
    BACKFILL_QUEUE,
    METRICS_NAMESPACE,
    SPOOL,
    METADATA,
    ENRICH,
    TAGS,
    DEVICE,
    INDEX_MEMORY_MIB,
    INDEX_REFRESH_S,
    INDEX_MAX_AGE_H,
    PRICES,
    AWS_RANGES,
    GEOIP,
];

/// The least memory the function works in, in MiB.
const MIN_MEMORY_MIB: usize = 128;

/// Memory for the program itself: code, clients, connections.
const BASE_BYTES: usize = 64 << 20;

/// Memory for one object besides its batches: blocks, windows of decoders, pages of Parquet.
const OBJECT_BYTES: usize = 16 << 20;

/// Memory for enriching one object: what is remembered of its ends.
const ENRICHING_BYTES: usize = 16 << 20;

/// The most objects processed at once unless more is asked for; CPU is scarcer than memory.
const MAX_CHOSEN_CONCURRENCY: usize = 8;

/// The validated configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where records go; at least one.
    pub destinations: Vec<DestinationUrl>,
    /// How objects are read, and which of their records are delivered.
    pub reading: ReadingOptions,
    /// What records are enriched with, and from what.
    pub enrichment: EnrichmentSettings,
    /// Where what cannot be delivered is kept.
    pub quarantine: Option<StoreUrl>,
    /// Which objects are deleted once they are delivered.
    pub deletion: Option<DeletionSettings>,
    /// URL of the queue that backfills hand objects to.
    pub backfill_queue: Option<String>,
    /// Knows the objects that this configuration writes.
    pub guard: LoopGuard,
    /// Objects processed at once.
    pub concurrency: usize,
    /// Time kept for answering.
    pub deadline_reserve: Duration,
    /// Namespace of the function's metrics.
    pub metrics_namespace: String,
}

impl Config {
    /// Reads the configuration. `lookup` gives a variable's value; nothing else is asked.
    ///
    /// # Errors
    /// The first variable whose value cannot be used, with the problem and a valid example.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Config, SettingError> {
        let lookup = &lookup;
        let format = FORMAT.value(lookup)?;
        let layout = match format.trim() {
            "" => None,
            format => Some(Arc::new(
                Layout::from_format(format).map_err(|error| FORMAT.error(error))?,
            )),
        };
        let selection = Selection::parse(&SELECT.value(lookup)?);
        let selection = Arc::new(selection.map_err(|error| SELECT.error(error))?);
        let batch_bytes = BATCH_BYTES.number(lookup, 65_536..=67_108_864)? as usize;
        let destinations =
            DestinationUrl::list(&DESTINATIONS.value(lookup)?, batch_bytes, Content::Records);
        let mut destinations = destinations.map_err(|error| DESTINATIONS.error(error))?;
        let max_decoded_bytes = MAX_DECODED_BYTES.number(lookup, 1..=u64::MAX)?;
        let reserve = DEADLINE_RESERVE_MS.number(lookup, 0..=600_000)?;
        let memory_mib = memory_mib(lookup)?;
        let mut enrichment = EnrichmentSettings::from_lookup(lookup)?;
        enrichment.decides = selection.uses_enrichment();
        let fields = match selection.samples() {
            true => enrichment.fields.clone().with_flow(FlowField::SampleRate),
            false => enrichment.fields.clone(),
        };
        for destination in &mut destinations {
            destination.packing.fields = fields.clone();
        }
        let quarantine = match QUARANTINE.value(lookup)?.trim() {
            "" => None,
            url => Some(
                url.parse()
                    .map_err(|error: StoreUrlError| QUARANTINE.error(error))?,
            ),
        };
        let metadata = enrichment.metadata.as_ref();
        let guard = LoopGuard::new(&destinations, quarantine.as_ref(), metadata);
        let deletion = DeletionSettings::from_lookup(lookup, &destinations, &guard)?;
        let index_bytes = match enrichment.metadata {
            Some(_) => enrichment.index_bytes,
            None => 0,
        };
        let (fixed, each) = match enrichment.is_wanted() {
            true => (BASE_BYTES + index_bytes, ENRICHING_BYTES),
            false => (BASE_BYTES, 0),
        };
        // Destinations with the same packing share batches.
        let mut packings: Vec<&Packing> = Vec::new();
        for destination in &destinations {
            if !packings.contains(&&destination.packing) {
                packings.push(&destination.packing);
            }
        }
        let batches: usize = packings.iter().map(|packing| packing.memory_bytes()).sum();
        let each = each + OBJECT_BYTES + batches;
        let concurrency = match CONCURRENCY.number(lookup, 0..=64)? as usize {
            0 => concurrency(memory_mib, fixed, each),
            chosen => chosen,
        };
        let mut read = ReadOptions::new(PathBuf::from(SPOOL.value(lookup)?));
        read.layout = layout;
        read.limits.max_decoded_bytes = max_decoded_bytes;
        Ok(Config {
            destinations,
            reading: ReadingOptions { read, selection },
            enrichment,
            quarantine,
            deletion,
            backfill_queue: Some(BACKFILL_QUEUE.value(lookup)?.trim().to_owned())
                .filter(|url| !url.is_empty()),
            guard,
            concurrency,
            deadline_reserve: Duration::from_millis(reserve),
            metrics_namespace: METRICS_NAMESPACE.value(lookup)?.trim().to_owned(),
        })
    }
}

impl Config {
    /// Whether anything is read from S3 or written to it, besides the objects that are forwarded.
    pub fn is_on_s3(&self) -> bool {
        self.destinations.iter().any(DestinationUrl::uses_aws)
            || self.enrichment.is_on_s3()
            || self.quarantine.as_ref().is_some_and(StoreUrl::is_s3)
    }
}

/// The function's memory in MiB.
pub(crate) fn memory_mib(lookup: &impl Fn(&str) -> Option<String>) -> Result<usize, SettingError> {
    let mib = MEMORY_SIZE.number(lookup, MIN_MEMORY_MIB as u64..=1 << 20)?;
    Ok(mib as usize)
}

/// How many objects fit the memory at once, of which `fixed` bytes are taken, when one takes `each` bytes; at
/// least one.
fn concurrency(memory_mib: usize, fixed: usize, each: usize) -> usize {
    let free = (memory_mib << 20).saturating_sub(fixed);
    (free / each).clamp(1, MAX_CHOSEN_CONCURRENCY)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(values: &[(&str, &str)]) -> Result<Config, String> {
        let lookup = |name: &str| {
            values
                .iter()
                .find(|(n, _)| *n == name)
                .map(|(_, value)| (*value).to_owned())
        };
        Config::from_lookup(lookup).map_err(|error| error.to_string())
    }

    #[test]
    fn facts_are_made_for_rules_that_decide_by_them() {
        let destination = (DESTINATIONS.name, DESTINATIONS.example);
        let decides = |rules| {
            let config = config(&[destination, (SELECT.name, rules)]).unwrap();
            config.enrichment.decides
        };
        assert!(!decides(""));
        assert!(!decides("drop action=ACCEPT"));
        assert!(decides("drop scope=inter-az"));
        assert!(decides("drop direction=ingress"));
        assert!(decides("limit 10/s per device"));
    }

    #[test]
    fn defaults_are_the_ones_of_the_table_and_examples_are_valid() {
        let destination = (DESTINATIONS.name, DESTINATIONS.example);
        let plain = config(&[destination]).unwrap();
        assert_eq!(plain.destinations[0].to_string(), "s3://records-use1/flows");
        assert_eq!(
            plain.reading.read.limits.max_decoded_bytes,
            ReadOptions::DEFAULT_MAX_DECODED_BYTES
        );
        assert_eq!(plain.metrics_namespace, "CloudExport");
        let prefixes = (DELETE_PREFIXES.name, DELETE_PREFIXES.example);
        for variable in VARIABLES {
            config(&[destination, (variable.name, variable.example), prefixes]).unwrap();
            config(&[destination, (variable.name, "")])
                .map(drop)
                .or_else(|e| {
                    if variable.default.is_none() {
                        Ok(())
                    } else {
                        Err(e)
                    }
                })
                .unwrap();
        }
    }

    #[test]
    fn errors_name_the_variable_the_problem_and_an_example() {
        for (name, value, expected) in [
            (
                "CLOUD_EXPORT_DESTINATIONS",
                "",
                "CLOUD_EXPORT_DESTINATIONS: it is not set and has no default. A valid value: s3://records-use1/flows",
            ),
            (
                "CLOUD_EXPORT_BATCH_BYTES",
                "4MB",
                "CLOUD_EXPORT_BATCH_BYTES: \"4MB\" is not a whole number. A valid value: 8388608",
            ),
            (
                "CLOUD_EXPORT_BATCH_BYTES",
                "1",
                "CLOUD_EXPORT_BATCH_BYTES: 1 is not between 65536 and 67108864. A valid value: 8388608",
            ),
            (
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
                "64",
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE: 64 is not between 128 and 1048576. A valid value: 512",
            ),
            (
                "CLOUD_EXPORT_METADATA",
                "stdout:",
                "CLOUD_EXPORT_METADATA: \"stdout:\" is no place for objects: it has no scheme that anything is kept at; write file:///dir or s3://bucket/prefix. A valid value: s3://metadata-use1/network",
            ),
            (
                "CLOUD_EXPORT_DEVICE",
                "router",
                "CLOUD_EXPORT_DEVICE: \"router\" is none of vpc, subnet, interface, folder. A valid value: subnet",
            ),
            (
                "CLOUD_EXPORT_GEOIP",
                "s3://metadata-use1/",
                "CLOUD_EXPORT_GEOIP: \"s3://metadata-use1/\" names no object. A valid value: s3://metadata-use1/country.mmdb /opt/asn.mmdb",
            ),
        ] {
            let destination = if name == DESTINATIONS.name {
                value
            } else {
                "stdout:"
            };
            assert_eq!(
                config(&[(DESTINATIONS.name, destination), (name, value)]).unwrap_err(),
                expected
            );
        }
        let error = config(&[("CLOUD_EXPORT_DESTINATIONS", "stdout: kafka://x")]).unwrap_err();
        assert!(
            error.contains("kafka://x") && error.contains("not supported"),
            "{error}"
        );
        let error = config(&[
            ("CLOUD_EXPORT_DESTINATIONS", "stdout:"),
            ("CLOUD_EXPORT_FORMAT", "${nonsense}"),
        ])
        .unwrap_err();
        assert!(
            error.contains("CLOUD_EXPORT_FORMAT") && error.contains("flow-log field"),
            "{error}"
        );
        let error = config(&[
            ("CLOUD_EXPORT_DESTINATIONS", "stdout:"),
            ("CLOUD_EXPORT_ENRICH", "standard,src_nonsense"),
        ])
        .unwrap_err();
        assert!(
            error.contains("CLOUD_EXPORT_ENRICH: \"src_nonsense\" is no field"),
            "{error}"
        );
    }

    #[test]
    fn deleting_is_refused_where_it_would_lose_or_loop() {
        let deleting = |values: &[(&str, &str)]| {
            let on = (DELETE_AFTER_READ.name, "on");
            config(&[&[on], values].concat()).map(|config| config.deletion)
        };
        let prefixes = (DELETE_PREFIXES.name, "s3://logs/AWSLogs s3://more");
        let deletion = deleting(&[(DESTINATIONS.name, "s3://lake"), prefixes]);
        let deletion = deletion.unwrap().unwrap();
        assert!(deletion.covers("logs", "AWSLogs/a") && deletion.covers("more", "a"));
        assert!(!deletion.covers("logs", "AWSLogs2/a") && !deletion.covers("lake", "a"));
        for (values, problem) in [
            (
                &[(DESTINATIONS.name, "s3://lake")][..],
                "CLOUD_EXPORT_DELETE_PREFIXES: CLOUD_EXPORT_DELETE_AFTER_READ is on",
            ),
            (
                &[(DESTINATIONS.name, "s3://lake stdout:"), prefixes],
                "stdout: cannot confirm",
            ),
            (
                &[(DESTINATIONS.name, "s3://logs/AWSLogs/out"), prefixes],
                "would read and delete its own output",
            ),
            (
                &[
                    (DESTINATIONS.name, "s3://lake"),
                    (QUARANTINE.name, "s3://logs"),
                    prefixes,
                ],
                "s3://logs/AWSLogs and s3://logs/, where",
            ),
            (
                &[
                    (DESTINATIONS.name, "s3://lake"),
                    (METADATA.name, "s3://more/x"),
                    prefixes,
                ],
                "s3://more/ and s3://more/x, where",
            ),
        ] {
            let error = deleting(values).unwrap_err();
            assert!(error.contains(problem), "{error}");
        }
        let error = config(&[
            (DESTINATIONS.name, "stdout:"),
            (DELETE_AFTER_READ.name, "yes"),
        ]);
        assert!(error.unwrap_err().contains("neither on nor off"));
    }

    #[test]
    fn concurrency_follows_memory() {
        let to = |destinations: &str, memory: &str, batch: &str, metadata: &str| {
            let values = [
                (DESTINATIONS.name, destinations),
                (MEMORY_SIZE.name, memory),
                (BATCH_BYTES.name, batch),
                (METADATA.name, metadata),
            ];
            config(&values).unwrap().concurrency
        };
        let of = |memory: &str, batch: &str, metadata: &str| to("stdout:", memory, batch, metadata);
        let at = |memory| of(memory, "", "");
        assert_eq!((at("128"), at("256"), at("512"), at("3008")), (2, 6, 8, 8));
        assert_eq!(of("128", "67108864", ""), 1);
        // Each way of packing has batches of its own, and rows of Parquet wait to be encoded.
        assert_eq!(to("stdout: file://a file://b", "256", "", ""), 6);
        assert_eq!(to("stdout: file://a?compression=gzip", "256", "", ""), 4);
        assert_eq!(to("file://a?format=parquet", "256", "", ""), 4);
        // The index has its own share.
        let at = |memory| of(memory, "", "s3://metadata/network");
        assert_eq!((at("128"), at("256"), at("512"), at("3008")), (1, 2, 6, 8));
    }
}
