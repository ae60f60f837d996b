//! Configuration from environment variables: one table, read once, into validated values.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use delivery::DestinationUrl;
use invocation::{SettingError, Variable};
use telemetry::{Layout, ReadOptions};

use crate::pipeline::PipelineOptions;

/// Where records go.
pub const DESTINATIONS: Variable = Variable {
    name: "CLOUD_EXPORT_DESTINATIONS",
    default: None,
    example: "s3://records-use1/flows",
    meaning: "Where records go: `stdout:`, `file:///dir` or `s3://bucket/prefix`; several are separated by spaces, and an object is done when all of them confirmed it",
};

/// The layout of rows without a header.
pub const FORMAT: Variable = Variable {
    name: "CLOUD_EXPORT_FORMAT",
    default: Some(""),
    example: "${version} ${srcaddr} ${dstaddr}",
    meaning: "Format of text logs without a header line, as given to AWS; AWS's default formats are recognised without it",
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

/// The function's memory, set by Lambda.
const MEMORY_SIZE: Variable = Variable {
    name: "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    default: Some("512"),
    example: "512",
    meaning: "Set by Lambda: the function's memory in MiB",
};

/// Every variable a person sets, in the order of the README.
pub const VARIABLES: &[Variable] = &[
    DESTINATIONS,
    FORMAT,
    BATCH_BYTES,
    CONCURRENCY,
    MAX_DECODED_BYTES,
    DEADLINE_RESERVE_MS,
    METRICS_NAMESPACE,
    SPOOL,
];

/// The least memory the function works in, in MiB.
const MIN_MEMORY_MIB: usize = 128;

/// Memory for the program itself: code, clients, connections.
const BASE_BYTES: usize = 64 << 20;

/// Memory for one object besides its batches: blocks, windows of decoders, pages of Parquet.
const OBJECT_BYTES: usize = 16 << 20;

/// Batches of one object that are in memory at once.
const BATCHES_HELD: usize = 4;

/// The most objects processed at once unless more is asked for; CPU is scarcer than memory.
const MAX_CHOSEN_CONCURRENCY: usize = 8;

/// The validated configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where records go; at least one.
    pub destinations: Vec<DestinationUrl>,
    /// How objects are processed.
    pub pipeline: PipelineOptions,
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
        let destinations = DestinationUrl::list(&DESTINATIONS.value(lookup)?)
            .map_err(|error| DESTINATIONS.error(error))?;
        let format = FORMAT.value(lookup)?;
        let layout = match format.trim() {
            "" => None,
            format => Some(Arc::new(
                Layout::from_format(format).map_err(|error| FORMAT.error(error))?,
            )),
        };
        let batch_bytes = BATCH_BYTES.number(lookup, 65_536..=67_108_864)? as usize;
        let max_decoded_bytes = MAX_DECODED_BYTES.number(lookup, 1..=u64::MAX)?;
        let reserve = DEADLINE_RESERVE_MS.number(lookup, 0..=600_000)?;
        let memory_mib = MEMORY_SIZE.number(lookup, MIN_MEMORY_MIB as u64..=1 << 20)? as usize;
        let concurrency = match CONCURRENCY.number(lookup, 0..=64)? as usize {
            0 => concurrency(memory_mib, batch_bytes),
            chosen => chosen,
        };
        let mut read = ReadOptions::new(PathBuf::from(SPOOL.value(lookup)?));
        read.layout = layout;
        read.limits.max_decoded_bytes = max_decoded_bytes;
        Ok(Config {
            destinations,
            pipeline: PipelineOptions { read, batch_bytes },
            concurrency,
            deadline_reserve: Duration::from_millis(reserve),
            metrics_namespace: METRICS_NAMESPACE.value(lookup)?.trim().to_owned(),
        })
    }
}

/// How many objects fit the memory at once; at least one.
fn concurrency(memory_mib: usize, batch_bytes: usize) -> usize {
    let free = (memory_mib << 20).saturating_sub(BASE_BYTES);
    (free / (OBJECT_BYTES + BATCHES_HELD * batch_bytes)).clamp(1, MAX_CHOSEN_CONCURRENCY)
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
    fn defaults_are_the_ones_of_the_table_and_examples_are_valid() {
        let destination = (DESTINATIONS.name, DESTINATIONS.example);
        let plain = config(&[destination]).unwrap();
        assert_eq!(plain.destinations[0].to_string(), "s3://records-use1/flows");
        assert_eq!(
            plain.pipeline.read.limits.max_decoded_bytes,
            ReadOptions::DEFAULT_MAX_DECODED_BYTES
        );
        assert_eq!(plain.metrics_namespace, "CloudExport");
        for variable in VARIABLES {
            config(&[destination, (variable.name, variable.example)]).unwrap();
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
    }

    #[test]
    fn concurrency_follows_memory() {
        let at = |memory: usize| concurrency(memory, 4 << 20);
        assert_eq!((at(128), at(256), at(512), at(3008)), (2, 6, 8, 8));
        assert_eq!(concurrency(128, 64 << 20), 1);
    }
}
