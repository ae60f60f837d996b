//! Reading the documents of an inventory from a directory.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use serde_json::Value;

use super::InventoryBuilder;

/// The longest document that is read, in bytes of its text: some 300,000 interfaces.
pub const MAX_DOCUMENT: u64 = 1 << 30;

/// How deep a directory is walked.
const MAX_DEPTH: usize = 16;
/// The most files that are read: more than any organization has regions.
const MAX_FILES: usize = 200_000;

/// A file that is not in the inventory.
#[derive(Debug, thiserror::Error)]
#[error("{}: {kind}", path.display())]
pub struct DocumentError {
    /// The file or directory.
    pub path: PathBuf,
    /// Why.
    pub kind: DocumentErrorKind,
}

/// Why a file is not in the inventory.
#[derive(Debug, thiserror::Error)]
pub enum DocumentErrorKind {
    /// It cannot be read, or decompressed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is not JSON.
    #[error("not JSON: {0}")]
    NotJson(#[from] serde_json::Error),
    /// Its text is too long.
    #[error("longer than {MAX_DOCUMENT} bytes")]
    TooLong,
    /// The directory is nested too deeply, or has too many files; the rest of it is not read.
    #[error("nested deeper than {MAX_DEPTH} directories, or more than {MAX_FILES} files")]
    TooMany,
}

/// What became of a directory.
#[derive(Debug, Default)]
pub struct Reading {
    /// Documents that were added.
    pub documents: u64,
    /// Files that were not, sorted by path. The others are not affected.
    pub failed: Vec<DocumentError>,
}

/// Adds the documents of a directory, or the one file: Batfish's layout, that of our own store (of which
/// only what is current is read), or any other `*.json` and `*.json.gz`, each with what its path tells of
/// account and region. Links are followed, each file and directory is read once.
pub fn read_directory(root: &Path, builder: &mut InventoryBuilder) -> Reading {
    let mut documents = 0;
    let failed = each_document(root, |path, document| {
        builder.add_path_document(path, &document);
        documents += 1;
    });
    Reading { documents, failed }
}

/// Takes each document that [`read_directory`] reads, with its path, in the order of paths. Returns
/// what was not read, sorted by path.
pub fn each_document(root: &Path, mut take: impl FnMut(&str, Value)) -> Vec<DocumentError> {
    let mut walk = Walk::default();
    walk.enter(root, 0, true);
    let mut failed = walk.failed;
    for path in walk.files {
        match read_document(&path) {
            Ok(document) => take(&path.to_string_lossy(), document),
            Err(error) => failed.push(error),
        }
    }
    failed.sort_by(|a, b| a.path.cmp(&b.path));
    failed
}

/// Reads a JSON document; compressed with gzip or not, its first bytes tell.
pub fn read_document(path: &Path) -> Result<Value, DocumentError> {
    let read = || -> Result<Value, DocumentErrorKind> {
        let mut file = io::BufReader::new(File::open(path)?);
        let is_gzip = io::BufRead::fill_buf(&mut file)?.starts_with(&[0x1f, 0x8b]);
        let mut text = Vec::new();
        let limit = MAX_DOCUMENT + 1;
        let length = match is_gzip {
            true => MultiGzDecoder::new(file)
                .take(limit)
                .read_to_end(&mut text)?,
            false => file.take(limit).read_to_end(&mut text)?,
        };
        if u64::try_from(length).unwrap_or(u64::MAX) > MAX_DOCUMENT {
            return Err(DocumentErrorKind::TooLong);
        }
        // Windows' tools begin a file with a byte order mark.
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
        Ok(serde_json::from_slice(text)?)
    };
    read().map_err(|kind| DocumentError {
        path: path.to_owned(),
        kind,
    })
}

/// The files of a directory, as their real paths: a link leads nowhere twice.
#[derive(Default)]
struct Walk {
    files: BTreeSet<PathBuf>,
    entered: BTreeSet<PathBuf>,
    failed: Vec<DocumentError>,
}

impl Walk {
    fn enter(&mut self, path: &Path, depth: usize, is_root: bool) {
        if let Err(kind) = self.try_enter(path, depth, is_root) {
            self.failed.push(DocumentError {
                path: path.to_owned(),
                kind,
            });
        }
    }

    fn try_enter(
        &mut self,
        path: &Path,
        depth: usize,
        is_root: bool,
    ) -> Result<(), DocumentErrorKind> {
        let path = fs::canonicalize(path)?;
        if !path.is_dir() {
            let name = path.to_string_lossy();
            if is_root || name.ends_with(".json") || name.ends_with(".json.gz") {
                if self.files.len() >= MAX_FILES {
                    return Err(DocumentErrorKind::TooMany);
                }
                self.files.insert(path);
            }
            return Ok(());
        }
        if depth > MAX_DEPTH || self.entered.len() >= MAX_FILES {
            return Err(DocumentErrorKind::TooMany);
        }
        if !self.entered.insert(path.clone()) {
            return Ok(());
        }
        let mut entries = Vec::new();
        for entry in fs::read_dir(&path)? {
            entries.push(entry?.path());
        }
        entries.sort();
        // What was is in the store beside what is.
        let store = entries.iter().any(|entry| entry.ends_with("current"));
        for entry in entries {
            if !(store && entry.ends_with("history")) {
                self.enter(&entry, depth + 1, false);
            }
        }
        Ok(())
    }
}
