//! `cloud-export generate`: realistic logs of any size, and the metadata that they are about.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use telemetry::Layout;
use telemetry::generate::parquet::ParquetLog;
use telemetry::generate::{self, ANSWERS_PATH, Generator, LogFormat};

use crate::Stop;
use crate::args::{Encoding, GenerateArguments, Generated};

/// Rows are gathered up to this many bytes before they are compressed and counted.
const BLOCK_BYTES: usize = 64 * 1024;

/// Writes a log, or the metadata.
pub fn generate(arguments: &GenerateArguments) -> Result<(), Stop> {
    let name = arguments
        .output
        .as_deref()
        .map_or("standard output".to_owned(), |path| {
            path.display().to_string()
        });
    let written = match arguments.log {
        Generated::Metadata => write_metadata(arguments),
        Generated::Log(_) if arguments.rows.is_none() && arguments.bytes.is_none() => {
            return Err(Stop::Usage(
                "say how long the log shall be, with --rows or --bytes".to_owned(),
            ));
        }
        Generated::Log(log) => write(log, arguments),
    };
    match written {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Stop::Failed(format!(
            "{name} could not be written: {error}"
        ))),
    }
}

/// Writes the answers where a directory of answers has them, below the one that is given.
fn write_metadata(arguments: &GenerateArguments) -> io::Result<()> {
    let output: Box<dyn Write> = match &arguments.output {
        Some(directory) => {
            let path = directory.join(ANSWERS_PATH);
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent)?;
            }
            Box::new(File::create(path)?)
        }
        None => Box::new(io::stdout()),
    };
    let mut output = BufWriter::new(output);
    serde_json::to_writer_pretty(&mut output, &generate::answers())?;
    writeln!(output)?;
    output.flush()
}

fn write(log: LogFormat, arguments: &GenerateArguments) -> io::Result<()> {
    let output: Box<dyn Write + Send> = match &arguments.output {
        Some(path) => Box::new(File::create(path)?),
        None => Box::new(io::stdout()),
    };
    let output = Counted {
        output: BufWriter::new(output),
        written: 0,
    };
    let encoding = arguments
        .encoding
        .or_else(|| by_name(arguments.output.as_deref()?));
    match encoding.unwrap_or(Encoding::Plain) {
        Encoding::Parquet => write_parquet(log, arguments, output),
        Encoding::Plain => write_rows(log, arguments, output, |output| output.written)?
            .output
            .flush(),
        Encoding::Gzip => {
            let encoder = GzEncoder::new(output, Compression::default());
            write_rows(log, arguments, encoder, |encoder| encoder.get_ref().written)?
                .finish()?
                .output
                .flush()
        }
        Encoding::Zstd => {
            let encoder = zstd::Encoder::new(output, 0)?;
            write_rows(log, arguments, encoder, |encoder| encoder.get_ref().written)?
                .finish()?
                .output
                .flush()
        }
    }
}

/// Writes rows until there are enough of them, or enough bytes have come out behind the encoder.
fn write_rows<W: Write>(
    log: LogFormat,
    arguments: &GenerateArguments,
    mut output: W,
    written: impl Fn(&W) -> u64,
) -> io::Result<W> {
    let mut generator = Generator::new(log, arguments.seed, arguments.start);
    let mut block = Vec::with_capacity(2 * BLOCK_BYTES);
    if let Some(header) = generator.header() {
        writeln!(block, "{header}")?;
    }
    let rows = arguments.rows.unwrap_or(u64::MAX);
    let bytes = arguments.bytes.unwrap_or(u64::MAX);
    let mut made = 0;
    while made < rows && written(&output) < bytes {
        while made < rows && block.len() < BLOCK_BYTES {
            generator.row(&mut block);
            made += 1;
        }
        output.write_all(&block)?;
        block.clear();
    }
    output.write_all(&block)?;
    Ok(output)
}

/// Writes rows as Parquet; the size is looked at after each row group.
fn write_parquet(
    log: LogFormat,
    arguments: &GenerateArguments,
    output: impl Write + Send,
) -> io::Result<()> {
    let mut generator = Generator::new(log, arguments.seed, arguments.start);
    let header = generator
        .header()
        .ok_or_else(|| io::Error::other("AWS delivers firewall logs as JSON only"))?;
    let layout = Layout::from_format(&header).map_err(io::Error::other)?;
    let mut file = ParquetLog::new(&layout, output).map_err(io::Error::other)?;
    let bytes = arguments.bytes.unwrap_or(u64::MAX);
    let mut row = Vec::new();
    for _ in 0..arguments.rows.unwrap_or(u64::MAX) {
        if file.bytes_written() >= bytes {
            break;
        }
        row.clear();
        generator.row(&mut row);
        let text = std::str::from_utf8(row.trim_ascii_end()).map_err(io::Error::other)?;
        file.row(text).map_err(io::Error::other)?;
    }
    file.finish().map_err(io::Error::other)?.flush()
}

fn by_name(path: &Path) -> Option<Encoding> {
    match path.extension().and_then(OsStr::to_str)? {
        "gz" => Some(Encoding::Gzip),
        "zst" => Some(Encoding::Zstd),
        "parquet" => Some(Encoding::Parquet),
        _ => None,
    }
}

/// Counts what passes.
struct Counted<W> {
    output: W,
    written: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.output.write(bytes)?;
        self.written += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}
