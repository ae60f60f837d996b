//! `cloud-export replay`: what is in quarantine, tried again.

use std::time::Instant;

use bytes::Bytes;
use delivery::store::Fetched;
use delivery::{Origin, Store, StoreUrl};
use flow_forwarder::config::{DELETE_AFTER_READ, DELETE_PREFIXES, QUARANTINE};
use flow_forwarder::quarantine::{BATCHES, BatchFile, OBJECTS, ROWS, RowsFile};
use flow_forwarder::source::{AnySource, HeldSource};
use flow_forwarder::{Config, Forwarder};
use invocation::{Budget, aws};
use serde_json::{Value, json};
use telemetry::Layout;

use crate::args::{QuarantineKind, ReplayArguments};
use crate::forwarding::{self, setting};
use crate::progress;
use crate::summary::Summary;
use crate::{Stop, dead_letters, runtime};

/// What a file of the quarantine is the most, in bytes: a batch, or rows.
const MOST_BYTES: u64 = 256 << 20;

/// Replays the quarantine, and writes the summary to standard error.
pub fn replay(arguments: &ReplayArguments) -> Result<(), Stop> {
    if let Some(url) = &arguments.dead_letters {
        return dead_letters::replay(arguments, url);
    }
    let url: StoreUrl = arguments
        .quarantine
        .as_deref()
        .unwrap_or_default()
        .parse()
        .map_err(|error| Stop::Usage(format!("{error}")))?;
    // What fails again stays where it is, and nothing is deleted but what is in quarantine.
    let config = forwarding::config(|name| {
        let kept = [QUARANTINE, DELETE_AFTER_READ, DELETE_PREFIXES];
        match kept.iter().any(|variable| variable.name == name) {
            true => None,
            false => setting(&arguments.forwarding, name),
        }
    })?;
    runtime()?.block_on(run(arguments, &url, config))
}

/// A replay under way.
struct Replay<'r> {
    arguments: &'r ReplayArguments,
    config: Config,
    store: Store,
    forwarder: Forwarder,
    summary: Summary,
}

async fn run(arguments: &ReplayArguments, url: &StoreUrl, config: Config) -> Result<(), Stop> {
    let started = Instant::now();
    let sdk = match url.is_s3() {
        true => aws::sdk_config().await,
        false => aws::no_services(),
    };
    let buckets = arguments.buckets.as_deref();
    let store = Store::on(url, &sdk);
    if let Store::Directory(directory) = &store
        && !directory.is_dir()
    {
        return Err(Stop::Usage(format!(
            "{} is not a directory: a replay names the quarantine",
            directory.display()
        )));
    }
    let mut replay = Replay {
        arguments,
        store,
        forwarder: forwarding::forwarder(config.clone(), buckets, None).await?,
        config,
        summary: Summary {
            unit: "files",
            ..Summary::default()
        },
    };
    let kinds = [
        (QuarantineKind::Rows, ROWS),
        (QuarantineKind::Batches, BATCHES),
        (QuarantineKind::Objects, OBJECTS),
    ];
    for (kind, folder) in kinds {
        if arguments.kind.is_none_or(|only| only == kind) {
            replay.folder(kind, folder).await?;
        }
    }
    if replay.summary.done == 0 && replay.summary.failed.is_empty() {
        let remark = format!("nothing is kept in {ROWS}, {BATCHES} or {OBJECTS} of {url}");
        replay.summary.remarks.push(remark);
    }
    forwarding::finish(&replay.summary, started.elapsed())
}

impl Replay<'_> {
    async fn folder(&mut self, kind: QuarantineKind, folder: &str) -> Result<(), Stop> {
        let keys = self.store.keys(folder).await;
        let mut keys = keys.map_err(|error| Stop::Failed(error.to_string()))?;
        if kind == QuarantineKind::Batches {
            keys.retain(|key| key.ends_with(".json"));
        }
        let bar = progress::of_objects(keys.len() as u64);
        for key in keys {
            let done = match kind {
                QuarantineKind::Rows => self.rows(&key).await,
                QuarantineKind::Batches => self.batch(&key).await,
                QuarantineKind::Objects => self.object(&key).await,
            };
            let done = match done {
                Ok(()) if self.arguments.delete => self.delete(kind, &key).await,
                done => done,
            };
            match done {
                Ok(()) => self.summary.done += 1,
                Err(reason) => self.summary.failed.push((key, reason)),
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(())
    }

    /// The header goes first: bytes without one are not found, a header without bytes would fail.
    async fn delete(&self, kind: QuarantineKind, key: &str) -> Result<(), String> {
        let deleted = self.store.delete(key).await;
        deleted.map_err(|error| error.to_string())?;
        match (kind, key.strip_suffix(".json")) {
            (QuarantineKind::Batches, Some(bytes)) => {
                let deleted = self.store.delete(bytes).await;
                deleted.map_err(|error| error.to_string())
            }
            _ => Ok(()),
        }
    }

    async fn read(&self, key: &str) -> Result<Bytes, String> {
        match self.store.get_at_most(key, None, MOST_BYTES).await {
            Ok(Fetched::Object { bytes, .. }) => Ok(bytes),
            Ok(Fetched::TooLarge { size, .. }) => Err(format!("it has {size} bytes")),
            Ok(Fetched::Missing | Fetched::Unchanged) => Err("it is gone".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    async fn header(&self, key: &str) -> Result<Value, String> {
        let bytes = self.read(key).await?;
        serde_json::from_slice(&bytes).map_err(|error| format!("it is not JSON: {error}"))
    }

    /// Reads rows again, as a log of their own: what it gives stands beside what the object gave.
    async fn rows(&mut self, key: &str) -> Result<(), String> {
        let file = RowsFile::from_bytes(&self.read(key).await?);
        let file = file.map_err(|error| error.to_string())?;
        let format = self.arguments.forwarding.format.as_deref();
        let log = log(&file, format)?;
        let Origin {
            bucket,
            key,
            revision,
        } = &file.origin;
        // Rows that are read by another format are other records, which stand beside those.
        let read_by = format.map(|format| format!(" as {format}"));
        let origin = Origin {
            revision: format!("{revision} rows{}", read_by.unwrap_or_default()),
            ..file.origin.clone()
        };
        let source = AnySource::Held(HeldSource::new(vec![(origin, Bytes::from(log))]));
        let forwarder = forwarding::forwarder_of(self.config.clone(), source, None).await;
        let forwarder = forwarder.map_err(|error| error.to_string())?;
        let event = json!({"backfill": {"objects": [{"bucket": bucket, "key": key}]}});
        let handled = forwarder.handle(&event, &Budget::UNLIMITED).await;
        self.summary.counts.add(&handled.report.counts);
        self.summary.bytes_out += handled.report.delivered.bytes;
        let failure = handled
            .objects
            .iter()
            .find_map(|o| o.outcome.failure.clone());
        let rejected = handled.report.delivered.rejected;
        match (
            failure,
            handled.report.counts.malformed(),
            file.kept.left_out,
        ) {
            (Some(failure), ..) => Err(failure.to_string()),
            (None, ..) if rejected > 0 => Err(refused(rejected, None)),
            (None, 0, 0) => Ok(()),
            (None, 0, more) => Err(format!(
                "its rows are delivered, and {more} more stand in {bucket}/{key} only"
            )),
            (None, again, _) => Err(format!(
                "{again} of its {} rows cannot be read again",
                file.kept.rows.len()
            )),
        }
    }

    async fn batch(&mut self, key: &str) -> Result<(), String> {
        let header = self.header(key).await?;
        let bytes = self.read(key.trim_end_matches(".json")).await?;
        let file = BatchFile::of(&header, bytes).map_err(|error| error.to_string())?;
        let delivered = self.forwarder.deliver(&file).await;
        let confirmation = delivered.map_err(|error| error.to_string())?;
        self.summary.bytes_out += file.batch.bytes.len() as u64;
        match confirmation.rejected {
            0 => Ok(()),
            rejected => Err(refused(rejected, confirmation.message.as_deref())),
        }
    }

    async fn object(&mut self, key: &str) -> Result<(), String> {
        let object = self.header(key).await?;
        let event = json!({"backfill": {"objects": [object]}});
        let handled = self.forwarder.handle(&event, &Budget::UNLIMITED).await;
        self.summary.counts.add(&handled.report.counts);
        self.summary.bytes_out += handled.report.delivered.bytes;
        match handled.answer.into_json() {
            Ok(_) if handled.objects.is_empty() => Err("it names no object".to_owned()),
            Ok(_) if handled.report.delivered.rejected > 0 => {
                Err(refused(handled.report.delivered.rejected, None))
            }
            Ok(_) => match handled.report.counts.malformed() {
                0 => Ok(()),
                rows => Err(format!(
                    "it is delivered but for {rows} rows, which cannot be read and stand in it only"
                )),
            },
            Err(failure) => Err(failure.to_string()),
        }
    }
}

/// What is said of records that a destination took note of and did not keep.
fn refused(records: u64, message: Option<&str>) -> String {
    match message {
        Some(message) => format!("{records} of its records were refused: {message}"),
        None => format!("{records} of its records were refused"),
    }
}

/// Rows as a log: below a header line wherever their layout changes, or below that of `format`.
fn log(file: &RowsFile, format: Option<&str>) -> Result<Vec<u8>, String> {
    let mut log = Vec::new();
    let mut write = |line: &[u8]| {
        log.extend_from_slice(line);
        log.push(b'\n');
    };
    let given = format.map(Layout::from_format).transpose();
    let given = given.map_err(|error| format!("--format: {error}"))?;
    if let Some(layout) = &given {
        let names: Vec<&str> = layout
            .columns()
            .iter()
            .map(|column| &*column.name)
            .collect();
        write(names.join(" ").as_bytes());
    }
    let mut last = None;
    for row in &file.kept.rows {
        let layout = row.layout.and_then(|layout| file.kept.layouts.get(layout));
        if let (None, Some(names)) = (&given, layout)
            && last != Some(names)
        {
            write(names.join(" ").as_bytes());
            last = Some(names);
        }
        write(&row.text);
    }
    Ok(log)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flow_forwarder::quarantine::{KeptRow, KeptRows};

    fn row(text: &str, layout: Option<usize>) -> KeptRow {
        KeptRow {
            row: 1,
            reason: "value".into(),
            detail: String::new(),
            text: text.into(),
            layout,
        }
    }

    #[test]
    fn rows_stand_below_their_layout_or_the_one_that_is_given() {
        let mut kept = KeptRows::default();
        let names = |names: &str| names.split(' ').map(str::to_owned).collect();
        kept.layouts = vec![names("srcaddr bytes"), names("bytes srcaddr")];
        kept.rows = vec![
            row("a 1", Some(0)),
            row("b 2", Some(0)),
            row("3 c", Some(1)),
        ];
        let file = RowsFile {
            origin: Origin {
                bucket: "logs".into(),
                key: "a".into(),
                revision: "1".into(),
            },
            format: "flow-text".into(),
            malformed: vec![],
            kept,
        };
        let text = |format| String::from_utf8(log(&file, format).unwrap()).unwrap();
        assert_eq!(text(None), "srcaddr bytes\na 1\nb 2\nbytes srcaddr\n3 c\n");
        assert_eq!(
            text(Some("${dstaddr} ${bytes}")),
            "dstaddr bytes\na 1\nb 2\n3 c\n"
        );
        assert!(log(&file, Some("${x}")).is_err());
    }
}
