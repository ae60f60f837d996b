//! Every file of the fuzzing corpus keeps the law it is there for.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "../fuzz/laws.rs"]
mod laws;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

fn replay(target: &str, law: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let mut files: Vec<_> = std::fs::read_dir(&corpus)
        .unwrap_or_else(|error| panic!("{}: {error}", corpus.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(files.len() >= 10, "{} seeds", files.len());
    let broken: Vec<_> = files
        .iter()
        .filter(|file| {
            let data = std::fs::read(file).unwrap();
            catch_unwind(AssertUnwindSafe(|| law(&data))).is_err()
        })
        .collect();
    assert!(broken.is_empty(), "{target} fails on {broken:#?}");
}

#[test]
fn reader() {
    replay("reader", laws::reader);
}

#[test]
fn layout() {
    replay("layout", laws::layout);
}

#[test]
fn firewall() {
    replay("firewall", laws::firewall);
}

#[test]
fn decode() {
    replay("decode", laws::decode);
}

#[test]
fn answer() {
    replay("answer", laws::answer);
}
