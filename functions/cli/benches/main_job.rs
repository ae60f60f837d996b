//! The main job against its yardstick, decompression of the same bytes in the same run.
//!
//! ```text
//! cargo bench -p cloud-export --bench main_job               # 75 MB objects, 5 rounds
//! cargo bench -p cloud-export --bench main_job -- 5MB 3      # smaller, fewer rounds
//! cargo bench -p cloud-export --bench main_job -- 5MB 3 zstd # only steps with this in their name
//! ```
//!
//! Below the table stands what enriched and compressed records take beside decompression and compression alone.
//!
//! Rounds are interleaved and measured in CPU seconds of this thread, so that a busy machine slows
//! both sides of a ratio. Memory is what the built command reports of itself.

use std::fs::{self, File};
use std::hint::black_box;
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use delivery::compression::Compressor;
use delivery::destination::BATCH_BYTES;
use delivery::encoding::{Encoding, Format};
use delivery::ndjson::NdjsonEncoder;
use delivery::{Batcher, Origin, Packing};
use flate2::Compression;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;
use telemetry::enrichment::{Enricher, FieldSet, Level, Loaded, Options};
use telemetry::generate::{self, Generator, LogFormat};
use telemetry::index::{Directory, IndexUnit, Shard, directory_part, shard};
use telemetry::inventory::InventoryBuilder;
use telemetry::{Counts, LogReader, ReadOptions, Record, Row};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    // `cargo bench` passes flags of its own harness.
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| !a.starts_with("--"))
        .collect();
    let megabytes: u64 = match arguments.first() {
        Some(size) => size.trim_end_matches("MB").parse()?,
        None => 75,
    };
    let rounds: usize = arguments.get(1).map_or(Ok(5), |rounds| rounds.parse())?;
    let chosen = arguments.get(2).map_or("", String::as_str);
    let directory = tempfile::tempdir()?;
    println!("object  step                 CPU s   ratio (min-max)      rows/s     decoded MB/s");
    for (format, name) in [(LogFormat::VpcV2, "v2"), (LogFormat::VpcV5, "v2-v5")] {
        let object = directory.path().join(format!("{name}.log.gz"));
        make(format, megabytes * 1_000_000, &object)?;
        measure(name, &object, rounds, chosen)?;
        let small = directory.path().join(format!("{name}-small.log.gz"));
        make(format, 100_000, &small)?;
        println!(
            "{name:6}  peak memory of `cloud-export parse`: 100 KB {}, {megabytes} MB {}",
            peak(&small)?,
            peak(&object)?
        );
    }
    Ok(())
}

/// Unix time of the first row.
const START: u64 = 1_795_190_400;

/// Writes a generated gzip object of about this many bytes.
fn make(format: LogFormat, bytes: u64, path: &Path) -> Outcome<()> {
    let mut output = GzEncoder::new(File::create(path)?, Compression::default());
    let mut generator = Generator::new(format, 1, START);
    let mut block = generator
        .header()
        .map(|h| h + "\n")
        .unwrap_or_default()
        .into_bytes();
    while output.get_ref().metadata()?.len() < bytes {
        while block.len() < 64 * 1024 {
            generator.row(&mut block);
        }
        output.write_all(&block)?;
        block.clear();
    }
    output.finish()?;
    Ok(())
}

/// What is measured.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// The yardstick of all others.
    Inflate,
    Typed,
    NdjsonDiscarded,
    NdjsonToFile,
    Enriched(Level),
    /// The yardstick of compression: the standard enriched records, compressed and nothing else.
    CompressAlone(delivery::encoding::Compression),
    /// Standard enriched records in batches of 4 MiB.
    Packed(Format, delivery::encoding::Compression),
}

use delivery::encoding::Compression::{Gzip, None as Plain, Zstd};

const STEPS: &[(&str, Step)] = &[
    ("inflate alone", Step::Inflate),
    ("typed records", Step::Typed),
    ("NDJSON, discarded", Step::NdjsonDiscarded),
    ("NDJSON, to a file", Step::NdjsonToFile),
    ("enriched, minimal", Step::Enriched(Level::Minimal)),
    ("enriched, standard", Step::Enriched(Level::Standard)),
    ("enriched, full", Step::Enriched(Level::Full)),
    ("gzip alone", Step::CompressAlone(Gzip)),
    ("zstd alone", Step::CompressAlone(Zstd)),
    ("enriched, gzip", Step::Packed(Format::Ndjson, Gzip)),
    ("enriched, zstd", Step::Packed(Format::Ndjson, Zstd)),
    ("enriched, Parquet", Step::Packed(Format::Parquet, Plain)),
    ("enriched, OCSF zstd", Step::Packed(Format::Ocsf, Zstd)),
];

fn measure(name: &str, object: &Path, rounds: usize, chosen: &str) -> Outcome<()> {
    let yardstick = STEPS.iter().take(1);
    let others = STEPS
        .iter()
        .skip(1)
        .filter(|(label, _)| label.contains(chosen));
    let steps: Vec<&(&str, Step)> = yardstick.chain(others).collect();
    let output = object.with_extension("ndjson");
    let enriched = object.with_extension("enriched");
    let mut seconds = vec![Vec::new(); steps.len()];
    let mut bytes = vec![0; steps.len()];
    let counts = read(object)?;
    // The index is made once, and not part of what is measured.
    enricher(Level::Minimal)?;
    enrich(
        object,
        &mut enricher(Level::Standard)?,
        &mut File::create(&enriched)?,
    )?;
    for _ in 0..rounds {
        for (((_, step), seconds), bytes) in steps.iter().zip(&mut seconds).zip(&mut bytes) {
            let clock = Clock::start();
            match *step {
                Step::Inflate => inflate(object)?,
                Step::Typed => drop(read(object)?),
                Step::NdjsonDiscarded => encode(object, &mut io::sink())?,
                Step::NdjsonToFile => encode(object, &mut File::create(&output)?)?,
                Step::Enriched(level) => {
                    enrich(object, &mut enricher(level)?, &mut io::sink())?;
                }
                Step::CompressAlone(compression) => *bytes = compress(&enriched, compression)?,
                Step::Packed(format, compression) => {
                    let mut enricher = enricher(Level::Standard)?;
                    let encoding = Encoding {
                        format,
                        compression,
                    };
                    *bytes = pack(object, &mut enricher, encoding)?;
                }
            }
            seconds.push(clock.seconds());
        }
    }
    drop(fs::remove_file(&output));
    fs::remove_file(&enriched)?;
    for (step, (label, _)) in steps.iter().enumerate() {
        let ratios = seconds[step].iter().zip(&seconds[0]);
        let ratios = Spread::of(ratios.map(|(step, yardstick)| step / yardstick));
        let median = Spread::of(seconds[step].iter().copied()).median;
        let size = match bytes[step] {
            0 => String::new(),
            bytes => format!("  {bytes} bytes"),
        };
        println!(
            "{name:6}  {label:19}  {median:6.3}  {ratios}  {:10.0}  {:10.0}{size}",
            counts.rows as f64 / median,
            counts.bytes_decoded as f64 / median / 1e6
        );
    }
    let of = |name: &str| Some(&seconds[steps.iter().position(|(label, _)| *label == name)?]);
    for (whole, part) in [
        ("enriched, zstd", "zstd alone"),
        ("enriched, gzip", "gzip alone"),
    ] {
        let (Some(whole_seconds), Some(part_seconds)) = (of(whole), of(part)) else {
            continue;
        };
        let both = seconds[0].iter().zip(part_seconds).map(|(a, b)| a + b);
        let ratios = whole_seconds.iter().zip(both);
        let ratios = Spread::of(ratios.map(|(whole, both)| whole / both));
        println!("{name:6}  {whole}: {ratios} of (inflate alone + {part})");
    }
    Ok(())
}

/// What came out of the rounds.
struct Spread {
    least: f64,
    median: f64,
    most: f64,
}

impl Spread {
    fn of(values: impl Iterator<Item = f64>) -> Spread {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        Spread {
            least: values[0],
            median: values[values.len() / 2],
            most: values[values.len() - 1],
        }
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{:5.2} ({:.2}-{:.2})",
            self.median, self.least, self.most
        )
    }
}

fn inflate(object: &Path) -> Outcome<()> {
    let mut decoder = MultiGzDecoder::new(BufReader::with_capacity(64 * 1024, File::open(object)?));
    let mut block = vec![0; 256 * 1024];
    while black_box(decoder.read(&mut block)?) > 0 {}
    Ok(())
}

fn read(object: &Path) -> Outcome<Counts> {
    let mut log = open(object)?;
    while let Some(row) = log.next_row()? {
        if let Row::Record(Record::Flow(flow)) = row {
            black_box(flow.cells());
        }
    }
    Ok(log.counts().clone())
}

/// Compresses a file in pieces and discards the result; returns its bytes.
fn compress(file: &Path, compression: delivery::encoding::Compression) -> Outcome<u64> {
    let mut compressor = Compressor::new(compression)?.ok_or("nothing is compressed")?;
    let mut file = File::open(file)?;
    let mut block = vec![0; WRITE_BYTES];
    let mut bytes = 0;
    loop {
        let read = file.read(&mut block)?;
        compressor.write(&block[..read])?;
        if read == 0 || compressor.written() >= BATCH_BYTES {
            bytes += compressor.finish()?.len() as u64;
            compressor = Compressor::new(compression)?.ok_or("nothing is compressed")?;
        }
        if read == 0 {
            return Ok(bytes);
        }
    }
}

/// Makes batches of enriched records, as destinations get them; returns their bytes.
fn pack(object: &Path, enricher: &mut Enricher, encoding: Encoding) -> Outcome<u64> {
    let mut log = open(object)?;
    let origin = Origin {
        bucket: "logs".to_owned(),
        key: object.display().to_string(),
        revision: String::new(),
    };
    let packing = Packing {
        encoding,
        ..Packing::ndjson(BATCH_BYTES)
    };
    let mut batcher = Batcher::new(Arc::new([origin]), Arc::new(packing));
    let mut bytes = 0;
    while let Some(row) = log.next_row()? {
        if let Row::Record(record) = row {
            let enrichment = enricher.enrich(&record);
            batcher.push(&record, Some(&enrichment))?;
            while let Some(batch) = batcher.complete() {
                bytes += batch.bytes.len() as u64;
                batcher.recycle(batch);
            }
        }
    }
    batcher.finish()?;
    while let Some(batch) = batcher.complete() {
        bytes += batch.bytes.len() as u64;
    }
    Ok(bytes)
}

/// Bytes of NDJSON that are gathered before they are written, as the command does.
const WRITE_BYTES: usize = 256 * 1024;

fn encode(object: &Path, output: &mut dyn Write) -> Outcome<()> {
    let mut log = open(object)?;
    let mut encoder = NdjsonEncoder::new(WRITE_BYTES);
    while let Some(row) = log.next_row()? {
        if let Row::Record(record) = row {
            encoder.write(&record, None);
            if encoder.len() >= WRITE_BYTES {
                output.write_all(encoder.bytes())?;
                encoder.clear();
            }
        }
    }
    output.write_all(encoder.bytes())?;
    Ok(())
}

/// An enricher over an index of the estate that generated logs tell of: 5,000 interfaces.
fn enricher(level: Level) -> Outcome<Enricher> {
    static INDEX: std::sync::OnceLock<(Arc<Shard>, Arc<Directory>)> = std::sync::OnceLock::new();
    if INDEX.get().is_none() {
        let mut builder = InventoryBuilder::new();
        builder.add_path_document(generate::ANSWERS_PATH, &generate::answers());
        let inventory = builder.finish();
        let unit = IndexUnit {
            account: "123456789012",
            region: "us-east-1",
            collected: u32::try_from(START)?,
        };
        let file = shard(&inventory, unit, None, 0).ok_or("the shard is too large")?;
        let part = directory_part(&inventory, unit, None).ok_or("the directory is too large")?;
        let index = (
            Arc::new(Shard::open(file)?),
            Arc::new(Directory::open(part)?),
        );
        drop(INDEX.set(index));
    }
    let (shard, directory) = INDEX.get().ok_or("there is no index")?;
    let load = move |_: &str, _: &str| Loaded::Ready(Arc::clone(shard));
    let options = Arc::new(Options::new(FieldSet::of(level)));
    let directory = Loaded::Ready(Arc::clone(directory));
    Ok(Enricher::new(options, directory, Box::new(load)))
}

fn enrich(object: &Path, enricher: &mut Enricher, output: &mut dyn Write) -> Outcome<()> {
    let mut log = open(object)?;
    let mut encoder = NdjsonEncoder::new(WRITE_BYTES);
    while let Some(row) = log.next_row()? {
        if let Row::Record(record) = row {
            let enrichment = enricher.enrich(&record);
            encoder.write(&record, Some(&enrichment));
            if encoder.len() >= WRITE_BYTES {
                output.write_all(encoder.bytes())?;
                encoder.clear();
            }
        }
    }
    output.write_all(encoder.bytes())?;
    Ok(())
}

fn open(object: &Path) -> Outcome<LogReader<'static>> {
    Ok(LogReader::open(
        File::open(object)?,
        &ReadOptions::new(PathBuf::from("/tmp")),
    )?)
}

/// The peak memory that `cloud-export parse` reports.
fn peak(object: &Path) -> Outcome<String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cloud-export"));
    let output = command
        .arg("parse")
        .arg(object)
        .stdout(Stdio::null())
        .output()?;
    let summary = String::from_utf8(output.stderr)?;
    let line = summary
        .lines()
        .find_map(|line| line.strip_prefix("peak memory"));
    Ok(line.unwrap_or("not known here").trim().to_owned())
}

/// CPU time of this thread where Linux tells it, else the time of day.
struct Clock {
    cpu: Option<f64>,
    wall: Instant,
}

impl Clock {
    fn start() -> Clock {
        Clock {
            cpu: thread_cpu_seconds(),
            wall: Instant::now(),
        }
    }

    fn seconds(&self) -> f64 {
        match (self.cpu, thread_cpu_seconds()) {
            (Some(start), Some(end)) => end - start,
            _ => self.wall.elapsed().as_secs_f64(),
        }
    }
}

fn thread_cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanoseconds: f64 = stat.split(' ').next()?.parse().ok()?;
    Some(nanoseconds / 1e9)
}
