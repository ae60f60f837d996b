//! `cloud-export parse`: log files in, NDJSON out.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use delivery::ndjson::NdjsonEncoder;
use flow_forwarder::enrichment::EnrichmentSettings;
use flow_forwarder::index::{Index, Lease, origin};
use flow_forwarder::sides::SideCounter;
use indicatif::ProgressBar;
use invocation::{SettingError, aws};
use telemetry::{Layout, LogReader, ReadOptions, Row, analysis};
use tokio::runtime::Runtime;

use crate::args::{EnrichmentArguments, ParseArguments};
use crate::enrichment::{self, documents};
use crate::progress;
use crate::summary::{Summary, peak_memory};
use crate::{Stop, runtime};

/// Bytes of NDJSON that are gathered before they are written.
const WRITE_BYTES: usize = 256 * 1024;

/// Why a file was not read to its end.
enum FileError {
    /// The reader of our output is gone: there is nothing left to do.
    OutputClosed,
    Output(io::Error),
    /// The file cannot be opened, or not be read to its end; the reason.
    Unread(String),
}

/// Reads the files, writes their records to standard output and the summary to standard error.
pub fn parse(arguments: &ParseArguments) -> Result<(), Stop> {
    let mut options = ReadOptions::new(std::env::temp_dir());
    options.limits.max_decoded_bytes = arguments.max_decoded;
    if let Some(format) = &arguments.format {
        let layout =
            Layout::from_format(format).map_err(|e| Stop::Usage(format!("--format: {e}")))?;
        options.layout = Some(Arc::new(layout));
    }
    let standard_input = [Path::new("-").to_owned()];
    let files = if arguments.files.is_empty() {
        &standard_input[..]
    } else {
        &arguments.files
    };
    let enriching = Enriching::of(&arguments.enrichment)?;
    // Where shards are waited for.
    let _runtime = enriching.as_ref().map(|e| e.runtime.enter());
    let total = files
        .iter()
        .filter_map(|file| file.metadata().ok())
        .map(|m| m.len())
        .sum();
    let bar = progress::of_bytes(total);
    let started = Instant::now();
    let mut summary = Summary {
        unit: "files",
        ..Summary::default()
    };
    let mut output = Output {
        stdout: io::stdout().lock(),
        encoder: NdjsonEncoder::new(WRITE_BYTES),
        written: 0,
    };
    for file in files {
        let enriching = enriching.as_ref();
        match read_file(file, &options, enriching, &bar, &mut output, &mut summary) {
            Ok(()) => summary.done += 1,
            Err(FileError::OutputClosed) => return Ok(()),
            Err(FileError::Output(error)) => {
                return Err(Stop::Failed(format!("standard output: {error}")));
            }
            Err(FileError::Unread(reason)) => {
                summary.failed.push((file.display().to_string(), reason));
            }
        }
    }
    bar.finish_and_clear();
    summary.bytes_out = output.written;
    if !arguments.quiet {
        eprint!("{}", summary.table(started.elapsed(), peak_memory()));
    }
    if summary.failed.is_empty() {
        Ok(())
    } else {
        Err(Stop::SomeFailed)
    }
}

/// What records are enriched from.
struct Enriching {
    runtime: Runtime,
    index: Arc<Index>,
}

impl Enriching {
    /// `None` when nothing says from what.
    fn of(arguments: &EnrichmentArguments) -> Result<Option<Enriching>, Stop> {
        if arguments.inventory.is_none() && arguments.metadata.is_none() {
            return Ok(None);
        }
        let usage = |error: SettingError| Stop::Usage(error.to_string());
        let lookup = |name: &str| enrichment::setting(arguments, name);
        let settings = EnrichmentSettings::from_lookup(&lookup).map_err(usage)?;
        let documents = arguments.inventory.as_deref().map(documents).transpose()?;
        let runtime = runtime()?;
        let index = runtime.block_on(async {
            let aws = match settings.is_on_s3() {
                true => aws::sdk_config().await,
                false => aws::no_services(),
            };
            settings.start(documents, &aws).await
        });
        let index = index.map_err(usage)?;
        Ok(index.map(|index| Enriching { runtime, index }))
    }

    /// An enricher for the records of a file.
    fn enricher(&self, file: &Path) -> (Lease, SideCounter) {
        let origin = origin(&file.to_string_lossy());
        let lease = self.runtime.block_on(self.index.enricher(origin));
        (lease, SideCounter::default())
    }
}

fn unread(error: impl std::fmt::Display) -> FileError {
    FileError::Unread(error.to_string())
}

fn read_file(
    file: &Path,
    options: &ReadOptions,
    enriching: Option<&Enriching>,
    bar: &ProgressBar,
    output: &mut Output<'_>,
    summary: &mut Summary,
) -> Result<(), FileError> {
    let input: Box<dyn Read> = if file == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        Box::new(File::open(file).map_err(unread)?)
    };
    let mut log = LogReader::open(bar.wrap_read(input), options).map_err(unread)?;
    let mut enricher = enriching.map(|enriching| enriching.enricher(file));
    let result = read_rows(&mut log, enricher.as_mut(), output);
    if let (Some(enriching), Some((lease, sides))) = (enriching, enricher) {
        summary.sides.get_or_insert_default().add(sides.counts());
        enriching.index.take_back(lease);
    }
    summary.counts.add(log.counts());
    for shortfall in log
        .layouts()
        .iter()
        .filter_map(|layout| analysis::shortfall(layout))
    {
        summary.shortfall(&shortfall.to_string());
    }
    // What was read before an error is written: records are good one by one.
    output.flush()?;
    result
}

fn read_rows(
    log: &mut LogReader<'_>,
    mut enricher: Option<&mut (Lease, SideCounter)>,
    output: &mut Output<'_>,
) -> Result<(), FileError> {
    while let Some(row) = log.next_row().map_err(unread)? {
        let Row::Record(record) = row else { continue };
        match &mut enricher {
            None => output.encoder.write(&record, None),
            Some((lease, sides)) => {
                let enrichment = lease.enrich(&record);
                sides.count(&enrichment);
                output.encoder.write(&record, Some(&enrichment));
            }
        }
        if output.encoder.len() >= WRITE_BYTES {
            output.flush()?;
        }
    }
    Ok(())
}

struct Output<'o> {
    stdout: io::StdoutLock<'o>,
    encoder: NdjsonEncoder,
    written: u64,
}

impl Output<'_> {
    fn flush(&mut self) -> Result<(), FileError> {
        let written = self
            .stdout
            .write_all(self.encoder.bytes())
            .and_then(|()| self.stdout.flush());
        self.written += self.encoder.len() as u64;
        self.encoder.clear();
        written.map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => FileError::OutputClosed,
            _ => FileError::Output(error),
        })
    }
}
