//! Replays the corpus of the event's fuzz target, and every shipped sample event.

#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use std::path::Path;

#[path = "../fuzz/law.rs"]
mod law;

#[test]
fn the_law_of_events_holds_for_the_corpus_and_the_sample_events() {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut replayed = 0;
    for directory in ["fuzz/corpus/event", "../../events"] {
        for entry in std::fs::read_dir(project.join(directory)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "md") {
                law::event(&std::fs::read(&path).unwrap());
                replayed += 1;
            }
        }
    }
    assert!(replayed > 20, "{replayed} files were replayed");
}
