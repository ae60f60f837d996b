//! From bytes as they are stored to the content of a log: decompressed, bounded, and never shorter
//! than what was written.
//!
//! The first bytes tell the encoding; names and content types are not asked. Gzip may have many
//! members, zstd many frames, and either may wrap the other once (CloudWatch Logs through Firehose
//! compresses twice).

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::rc::Rc;

use flate2::bufread::MultiGzDecoder;

use crate::failure::FailureClass;
use crate::flow::layout::LayoutError;

/// Bytes read from the input at a time; larger is no faster.
const INPUT_BUFFER: usize = 64 * 1024;

/// The largest window a zstd frame may ask for, as a power of two: 8 MiB, what RFC 8878 wants
/// every decoder to support.
const ZSTD_WINDOW_LOG: u32 = 23;

/// Compression layers around a log, at most.
const MAX_LAYERS: usize = 2;

/// Bounds on decoding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeLimits {
    /// The most bytes an object may have once decompressed.
    pub max_decoded_bytes: u64,
    /// Where Parquet objects are kept while they are read, since they are read from their end.
    pub spool: PathBuf,
}

/// Why an object could not be read to its end. Records already returned are good, the object is
/// not done.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The input failed: reading again may help.
    #[error("the object could not be read: {0}")]
    Source(#[source] io::Error),
    /// The temporary file for Parquet failed.
    #[error("the temporary file for a Parquet object in {} failed: {error}; give it a writable directory with room for the object", spool.display())]
    Spool {
        /// The directory.
        spool: PathBuf,
        /// What failed.
        #[source]
        error: io::Error,
    },
    /// The compressed data is cut off or damaged.
    #[error("the {encoding} data is truncated or corrupt after {decoded} decoded bytes: {detail}")]
    Corrupt {
        /// The encoding: gzip, zstd, Parquet.
        encoding: &'static str,
        /// Decoded bytes before the fault.
        decoded: u64,
        /// What the decoder found.
        detail: String,
    },
    /// The data expands beyond the limit.
    #[error(
        "the object expands to more than {limit} bytes; raise the limit if it is a log of that size"
    )]
    TooLarge {
        /// The limit that was passed.
        limit: u64,
    },
    /// The content is no flow log and no firewall log.
    #[error("the object is not a log this program reads: {0}")]
    NotALog(String),
    /// A Parquet file's columns make no layout.
    #[error("the Parquet columns are not those of a flow log: {0}")]
    Layout(#[from] LayoutError),
}

impl ReadError {
    /// What has to happen before the object can be read.
    pub fn class(&self) -> FailureClass {
        match self {
            ReadError::Source(_) => FailureClass::Retry,
            ReadError::Spool { .. } => FailureClass::Config,
            _ => FailureClass::Poison,
        }
    }

    /// A short, stable name for counters and log fields.
    pub fn label(&self) -> &'static str {
        match self {
            ReadError::Source(_) => "source",
            ReadError::Spool { .. } => "spool",
            ReadError::Corrupt { .. } => "corrupt",
            ReadError::TooLarge { .. } => "too_large",
            ReadError::NotALog(_) => "not_a_log",
            ReadError::Layout(_) => "layout",
        }
    }
}

/// The content of an object, ready for a reader.
pub(crate) enum Content<'i> {
    /// Text: rows or JSON.
    Text(Decoded<'i>),
    /// A Parquet file, spooled.
    Parquet(File, u64),
}

/// What the layers below noticed, since `io::Error` passes through decoders that blur it.
#[derive(Debug, Default)]
struct Observed {
    bytes_in: u64,
    source: Option<io::Error>,
    too_large: bool,
}

/// Decompressed text. Errors of `read` are explained by [`Decoded::explain`].
pub(crate) struct Decoded<'i> {
    reader: Box<dyn Read + 'i>,
    observed: Rc<RefCell<Observed>>,
    encoding: &'static str,
    limit: u64,
}

impl Read for Decoded<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buffer)
    }
}

impl Decoded<'_> {
    /// Bytes taken from the input so far.
    pub(crate) fn bytes_in(&self) -> u64 {
        self.observed.borrow().bytes_in
    }

    /// The meaning of an error that `read` returned after `decoded` bytes.
    pub(crate) fn explain(&self, error: io::Error, decoded: u64) -> ReadError {
        let mut observed = self.observed.borrow_mut();
        if let Some(source) = observed.source.take() {
            return ReadError::Source(source);
        }
        if observed.too_large {
            return ReadError::TooLarge { limit: self.limit };
        }
        ReadError::Corrupt {
            encoding: self.encoding,
            decoded,
            detail: error.to_string(),
        }
    }
}

/// Opens an object: finds its encoding by its first bytes and undoes it.
pub(crate) fn open<'i>(
    input: impl Read + 'i,
    limits: &DecodeLimits,
) -> Result<Content<'i>, ReadError> {
    let observed = Rc::new(RefCell::new(Observed::default()));
    let mut decoded = Decoded {
        reader: Box::new(Tap {
            input,
            observed: Rc::clone(&observed),
        }),
        observed,
        encoding: "plain",
        limit: limits.max_decoded_bytes,
    };
    for _ in 0..=MAX_LAYERS {
        let mut head = [0_u8; 4];
        let filled = fill(&mut decoded.reader, &mut head).map_err(|e| decoded.explain(e, 0))?;
        let head = head.into_iter().take(filled).collect::<Vec<_>>();
        let magic = Magic::of(&head);
        let whole = io::Cursor::new(head).chain(decoded.reader);
        let capped = |reader: Box<dyn Read + 'i>| {
            Box::new(Capped {
                reader,
                left: limits.max_decoded_bytes,
                observed: Rc::clone(&decoded.observed),
            })
        };
        match magic {
            Magic::Gzip => {
                let buffered = BufReader::with_capacity(INPUT_BUFFER, whole);
                decoded.reader = capped(Box::new(MultiGzDecoder::new(buffered)));
                decoded.encoding = "gzip";
            }
            Magic::Zstd => {
                let buffered = BufReader::with_capacity(INPUT_BUFFER, whole);
                let mut decoder = zstd::stream::read::Decoder::with_buffer(buffered)
                    .map_err(ReadError::Source)?;
                decoder
                    .window_log_max(ZSTD_WINDOW_LOG)
                    .map_err(ReadError::Source)?;
                decoded.reader = capped(Box::new(decoder));
                decoded.encoding = "zstd";
            }
            Magic::Parquet => {
                decoded.reader = capped(Box::new(whole));
                return spool(decoded, limits);
            }
            Magic::Other => {
                decoded.reader = capped(Box::new(whole));
                return Ok(Content::Text(decoded));
            }
        }
    }
    Err(ReadError::NotALog(format!(
        "it is compressed more than {MAX_LAYERS} times"
    )))
}

fn spool<'i>(mut decoded: Decoded<'i>, limits: &DecodeLimits) -> Result<Content<'i>, ReadError> {
    let failed = |error| ReadError::Spool {
        spool: limits.spool.clone(),
        error,
    };
    let mut file = tempfile::tempfile_in(&limits.spool).map_err(failed)?;
    let mut buffer = vec![0; INPUT_BUFFER];
    let mut written = 0;
    loop {
        let read = match decoded.reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(decoded.explain(error, written)),
        };
        io::Write::write_all(&mut file, buffer.get(..read).unwrap_or_default()).map_err(failed)?;
        written += read as u64;
    }
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    let bytes_in = decoded.bytes_in();
    Ok(Content::Parquet(file, bytes_in))
}

/// Reads until the buffer is full or the input ends.
fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(room) = buffer.get_mut(filled..).filter(|r| !r.is_empty()) {
        match reader.read(room) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Magic {
    Gzip,
    Zstd,
    Parquet,
    Other,
}

impl Magic {
    fn of(head: &[u8]) -> Magic {
        match head {
            // One byte of gzip is still gzip, cut off: as text it would be a blank line.
            [0x1f, 0x8b, ..] | [0x1f] => Magic::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd] => Magic::Zstd,
            b"PAR1" => Magic::Parquet,
            _ => Magic::Other,
        }
    }
}

/// Counts the input's bytes and keeps its error, which decoders would wrap.
struct Tap<R> {
    input: R,
    observed: Rc<RefCell<Observed>>,
}

impl<R: Read> Read for Tap<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.input.read(buffer) {
            Ok(read) => {
                self.observed.borrow_mut().bytes_in += read as u64;
                Ok(read)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => {
                let kind = error.kind();
                self.observed.borrow_mut().source = Some(error);
                Err(io::Error::from(kind))
            }
        }
    }
}

/// Ends with an error when more bytes come than allowed.
struct Capped<R> {
    reader: R,
    left: u64,
    observed: Rc<RefCell<Observed>>,
}

impl<R: Read> Read for Capped<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        match self.left.checked_sub(read as u64) {
            Some(left) => self.left = left,
            None => {
                self.observed.borrow_mut().too_large = true;
                return Err(io::Error::from(io::ErrorKind::FileTooLarge));
            }
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn limits(max_decoded_bytes: u64) -> DecodeLimits {
        DecodeLimits {
            max_decoded_bytes,
            spool: std::env::temp_dir(),
        }
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        zstd::encode_all(bytes, 1).unwrap()
    }

    fn read(bytes: &[u8], limit: u64) -> Result<Vec<u8>, ReadError> {
        let Content::Text(mut decoded) = open(bytes, &limits(limit))? else {
            panic!("text was expected");
        };
        let mut out = Vec::new();
        match decoded.read_to_end(&mut out) {
            Ok(_) => {
                assert_eq!(decoded.bytes_in(), bytes.len() as u64);
                Ok(out)
            }
            Err(error) => Err(decoded.explain(error, out.len() as u64)),
        }
    }

    #[test]
    fn each_encoding_is_undone_by_its_first_bytes() {
        let members = [gzip(b"ab"), gzip(b""), gzip(b"cd")].concat();
        let frames = [zstd(b"ab"), zstd(b"cd")].concat();
        for bytes in [
            b"abcd".to_vec(),
            gzip(b"abcd"),
            members,
            zstd(b"abcd"),
            frames,
            gzip(&gzip(b"abcd")),
            gzip(&zstd(b"abcd")),
        ] {
            assert_eq!(read(&bytes, 1000).unwrap(), b"abcd");
        }
        assert_eq!(read(b"", 1000).unwrap(), b"");
    }

    #[test]
    fn every_truncation_of_compressed_data_is_an_error() {
        for whole in [gzip(b"some text, some text"), zstd(b"some text, some text")] {
            for cut in (1..whole.len()).filter(|cut| whole[0] == 0x1f || *cut >= 4) {
                let error = read(&whole[..cut], 1000).unwrap_err();
                assert!(matches!(error, ReadError::Corrupt { .. }), "{cut}: {error}");
            }
        }
    }

    #[test]
    fn a_damaged_checksum_or_trailing_bytes_are_errors() {
        let mut damaged = gzip(b"some text");
        let crc = damaged.len() - 6;
        damaged[crc] ^= 1;
        let trailed = [gzip(b"some text"), b"junk".to_vec()].concat();
        for bytes in [damaged, trailed] {
            assert!(matches!(
                read(&bytes, 1000),
                Err(ReadError::Corrupt {
                    encoding: "gzip",
                    ..
                })
            ));
        }
    }

    #[test]
    fn expansion_is_capped_at_every_layer() {
        let bomb = gzip(&vec![0; 100_000]);
        for bytes in [bomb.clone(), gzip(&bomb), zstd(&vec![0; 100_000])] {
            assert!(matches!(
                read(&bytes, 99_999),
                Err(ReadError::TooLarge { limit: 99_999 })
            ));
        }
        assert_eq!(read(&bomb, 100_000).unwrap().len(), 100_000);
        assert!(matches!(
            read(&gzip(&gzip(&gzip(b"x"))), 1000),
            Err(ReadError::NotALog(_))
        ));
    }

    #[test]
    fn errors_of_the_input_stay_what_they_are() {
        struct Reset;
        impl Read for Reset {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("connection reset"))
            }
        }
        let whole = gzip(b"some text");
        let input = whole[..12].chain(Reset);
        let error = open(input, &limits(1000)).err().expect("the input fails");
        assert!(matches!(&error, ReadError::Source(e) if e.to_string() == "connection reset"));
        assert_eq!(error.class(), FailureClass::Retry);
    }

    #[test]
    fn parquet_is_spooled() {
        let Ok(Content::Parquet(mut file, bytes_in)) = open(&b"PAR1rest"[..], &limits(1000)) else {
            panic!("Parquet was expected");
        };
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        assert_eq!((text.as_str(), bytes_in), ("PAR1rest", 8));
        let error = open(&b"PAR1rest"[..], &limits(7)).err();
        assert!(matches!(error, Some(ReadError::TooLarge { .. })));
    }
}
