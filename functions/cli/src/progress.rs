//! Progress bars for long runs; hidden where standard error is no terminal.

use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};

/// A bar of bytes.
pub fn of_bytes(total: u64) -> ProgressBar {
    styled(
        total,
        "{wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
    )
}

/// A bar of objects.
pub fn of_objects(total: u64) -> ProgressBar {
    styled(total, "{wide_bar} {pos}/{len} objects {elapsed} {msg}")
}

/// A count of objects, where nobody knows yet how many there are.
pub fn of_count() -> ProgressBar {
    let bar = ProgressBar::no_length().with_finish(ProgressFinish::AndClear);
    match ProgressStyle::with_template("{spinner} {human_pos} objects {elapsed} {msg}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn styled(total: u64, template: &str) -> ProgressBar {
    let bar = ProgressBar::new(total).with_finish(ProgressFinish::AndClear);
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
