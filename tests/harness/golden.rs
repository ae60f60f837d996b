//! Files that say what comes out, under `tests/golden` and in the like.
//!
//! `UPDATE_GOLDEN=1` writes them anew; read the difference before it is committed.

use std::collections::BTreeSet;
use std::path::PathBuf;

/// The golden files, and those that were compared.
#[derive(Debug)]
pub struct Golden {
    directory: PathBuf,
    update: bool,
    used: BTreeSet<String>,
    wrong: Vec<String>,
}

impl Golden {
    /// The golden files of this crate.
    pub fn open() -> Golden {
        Golden::at("tests/golden")
    }

    /// The golden files of a directory of the project.
    pub fn at(directory: &str) -> Golden {
        Golden {
            directory: crate::project().join(directory),
            update: std::env::var_os("UPDATE_GOLDEN").is_some(),
            used: BTreeSet::new(),
            wrong: Vec::new(),
        }
    }

    /// The content of a golden file.
    pub fn read(&self, name: &str) -> String {
        let path = self.directory.join(name);
        std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }

    /// Compares with a golden file. Differences are told at the end, all of them.
    pub fn compare(&mut self, name: &str, found: &str) {
        self.used.insert(name.to_owned());
        let path = self.directory.join(name);
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        if expected == found {
            return;
        }
        if self.update {
            std::fs::write(&path, found).unwrap();
            return;
        }
        let same = |(expected, found): &(&str, &str)| expected == found;
        let line = expected.lines().zip(found.lines()).take_while(same).count();
        self.wrong.push(format!(
            "{name}, line {}:\n  expected {}\n  found    {}",
            line + 1,
            expected.lines().nth(line).unwrap_or("the end"),
            found.lines().nth(line).unwrap_or("the end"),
        ));
    }

    /// Fails when something differed, or when a golden file was compared with nothing.
    pub fn finish(self) {
        for entry in std::fs::read_dir(&self.directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if self.used.contains(name) {
            } else if self.update {
                std::fs::remove_file(&path).unwrap();
            } else {
                panic!("{name} is a golden file that nothing is compared with");
            }
        }
        let wrong = self.wrong.join("\n");
        assert!(
            wrong.is_empty(),
            "{wrong}\nIf that is right, write the files anew with UPDATE_GOLDEN=1"
        );
    }
}
