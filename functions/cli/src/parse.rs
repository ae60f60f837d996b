//! `cloud-export parse`: log files in, NDJSON out.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use delivery::ndjson::NdjsonEncoder;
use indicatif::ProgressBar;
use telemetry::{Layout, LogReader, ReadOptions, Row, analysis};

use crate::Stop;
use crate::args::ParseArguments;
use crate::progress;
use crate::summary::{Summary, peak_memory};

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
        match read_file(file, &options, &bar, &mut output, &mut summary) {
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

fn unread(error: impl std::fmt::Display) -> FileError {
    FileError::Unread(error.to_string())
}

fn read_file(
    file: &Path,
    options: &ReadOptions,
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
    let result = read_rows(&mut log, output);
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

fn read_rows(log: &mut LogReader<'_>, output: &mut Output<'_>) -> Result<(), FileError> {
    while let Some(row) = log.next_row().map_err(unread)? {
        if let Row::Record(record) = row {
            output.encoder.write(&record);
            if output.encoder.len() >= WRITE_BYTES {
                output.flush()?;
            }
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
