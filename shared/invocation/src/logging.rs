//! The function's log lines, as Lambda's settings ask for them.

use tracing_subscriber::EnvFilter;

/// Starts logging to standard output: JSON or text, from a level on. `lookup` gives an environment
/// variable's value.
///
/// JSON lines carry the `timestamp` and `level` that Lambda wants of structured logs ("Log level
/// filtering", *Lambda Developer Guide*).
pub fn start(lookup: impl Fn(&str) -> Option<String>) {
    let level = lookup("AWS_LAMBDA_LOG_LEVEL").or_else(|| lookup("RUST_LOG"));
    let filter = EnvFilter::try_new(level.as_deref().unwrap_or("info"));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter.unwrap_or_else(|_| EnvFilter::new("info")))
        .with_target(false)
        .with_ansi(false);
    if lookup("AWS_LAMBDA_LOG_FORMAT").is_some_and(|f| f.eq_ignore_ascii_case("json")) {
        lines.json().with_span_list(false).init();
    } else {
        // CloudWatch Logs has its own times for text.
        lines.without_time().init();
    }
}
