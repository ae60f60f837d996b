//! Directories that stand for buckets: `<root>/<bucket>/<key>`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use telemetry::FailureClass;
use tempfile::NamedTempFile;

use crate::batch::Batch;
use crate::destination::{Confirmation, DeliveryError, Destination};

/// Where an object of a bucket stands below a root directory.
///
/// Keys are any text, paths are not: a part that is empty, `.` or `..` or holds a NUL or a
/// backslash is percent-encoded, so that no key leaves the root and no two keys share a path.
pub fn object_path(root: &Path, bucket: &str, key: &str) -> PathBuf {
    let mut path = root.join(path_part(bucket));
    path.extend(key.split('/').map(path_part));
    path
}

/// The same for a name whose parts are separated by slashes, as a path relative to whatever root.
pub fn relative_path(name: &str) -> String {
    let parts: Vec<String> = name.split('/').map(path_part).collect();
    parts.join("/")
}

fn path_part(part: &str) -> String {
    match part {
        "" => "%".to_owned(),
        "." => "%2E".to_owned(),
        ".." => "%2E%2E".to_owned(),
        // A part that already looks encoded is left alone unless it is one of the above's codes.
        "%" | "%2E" | "%2E%2E" => part.replace('%', "%25"),
        _ => part.replace('\0', "%00").replace('\\', "%5C"),
    }
}

/// Writes each batch to a file of its own, below a directory.
#[derive(Debug)]
pub struct DirectoryDestination {
    root: PathBuf,
}

impl DirectoryDestination {
    /// Files are written below `root`, which is made when it is missing.
    pub fn new(root: PathBuf) -> DirectoryDestination {
        DirectoryDestination { root }
    }

    /// The path of an object's name.
    fn path(&self, name: &str) -> PathBuf {
        let (bucket, key) = name.split_once('/').unwrap_or(("", name));
        object_path(&self.root, bucket, key)
    }
}

impl Destination for DirectoryDestination {
    /// Writes beside the file and renames, so that a file is whole or not there, and a second
    /// delivery replaces the first.
    async fn deliver(&self, batch: &Batch) -> Result<Confirmation, DeliveryError> {
        let name = batch.object_name();
        let path = self.path(&name);
        let combined = batch.combined_prefix().map(|prefix| self.path(&prefix));
        let batch = batch.clone();
        let written = tokio::task::spawn_blocking(move || {
            let beside = combined.as_deref().and_then(Path::parent);
            match beside.map_or(Ok(false), |folder| holds_combined(folder, &batch))? {
                true => Ok(()),
                false => write_whole(&path, &batch.bytes),
            }
        });
        let written = written.await;
        let error = match written {
            Ok(Ok(())) => return Ok(Confirmation::default()),
            Ok(Err(error)) => error,
            Err(panicked) => io::Error::other(panicked),
        };
        Err(DeliveryError {
            class: FailureClass::Config,
            code: "directory".to_owned(),
            destination: format!("file://{}", self.root.display()),
            reason: format!("{name}: {error}; the directory must be writable and have room"),
            retries: 0,
        })
    }
}

/// Whether a folder has a batch's records among those of other objects.
fn holds_combined(folder: &Path, batch: &Batch) -> io::Result<bool> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        entries => entries?,
    };
    for entry in entries {
        if entry?
            .file_name()
            .to_str()
            .is_some_and(|name| batch.is_within(name))
        {
            return Ok(true);
        }
    }
    Ok(false)
}

fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    written_beside(path, bytes)?.persist(path)?;
    Ok(())
}

/// Writes a file beside `path`, in a directory that is made when it is missing. Persisting it there
/// is what replaces the old file by the new one at once.
///
/// # Errors
/// Those of the file system.
pub fn written_beside(path: &Path, bytes: &[u8]) -> io::Result<NamedTempFile> {
    let directory = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(directory)?;
    let mut file = NamedTempFile::new_in(directory)?;
    file.write_all(bytes)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Origin;
    use crate::batch::tests::batch_of;

    /// With and without partitions, which are other folders.
    #[tokio::test]
    async fn what_is_in_a_combined_file_is_not_written_again() {
        for partition in ["", "day=2026-11-20/region=us-east-1"] {
            let root = tempfile::tempdir().unwrap();
            let destination = DirectoryDestination::new(root.path().to_owned());
            let origin = |key: &str| Origin {
                bucket: "logs".into(),
                key: key.into(),
                revision: "1".into(),
            };
            let batch = |origins: &[&str], may_be_combined| Batch {
                origins: origins.iter().map(|key| origin(key)).collect(),
                partition: partition.into(),
                may_be_combined,
                ..batch_of("x")
            };
            let files = || files_below(root.path()).len();
            destination
                .deliver(&batch(&["a/1", "a/2"], false))
                .await
                .unwrap();
            destination.deliver(&batch(&["a/2"], true)).await.unwrap();
            assert_eq!(files(), 1, "{partition:?}");
            destination.deliver(&batch(&["a/3"], true)).await.unwrap();
            assert_eq!(files(), 2, "{partition:?}");
        }
    }

    fn files_below(folder: &Path) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths
            .flat_map(|path| match path.is_dir() {
                true => files_below(&path),
                false => vec![path],
            })
            .collect()
    }

    #[test]
    fn no_key_leaves_the_root_and_keys_stay_apart() {
        let root = Path::new("/buckets");
        let keys = [
            "a/b", "a//b", "/a/b", "../b", "./b", "%2E%2E/b", "%/b", "a\\b", "a/b/", ".", "..",
            "%2E",
        ];
        let paths: Vec<PathBuf> = keys
            .iter()
            .map(|key| object_path(root, "logs", key))
            .collect();
        for (key, path) in keys.iter().zip(&paths) {
            assert!(path.starts_with("/buckets/logs"), "{key}");
            assert!(path.components().all(|c| c.as_os_str() != ".."), "{key}");
            assert_eq!(paths.iter().filter(|p| *p == path).count(), 1, "{key}");
        }
        assert_eq!(object_path(root, "..", "x"), Path::new("/buckets/%2E%2E/x"));
    }
}
