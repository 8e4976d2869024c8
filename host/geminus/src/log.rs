//! The operator's log: one line per event on standard error, JSON when asked for.

use tracing_subscriber::EnvFilter;

/// Starts logging; `filter` as in `RUST_LOG`, default `info` for us and `warn` for what we use.
pub(crate) fn start(filter: Option<&str>) {
    let default = "warn,geminus=info,geminus_core=info,geminus_ingest=info,geminus_twin=info,geminus_behavior=info,\
                   geminus_store=info,geminus_registry=info,geminus_api=info";
    let filter = EnvFilter::try_new(filter.unwrap_or(default)).unwrap_or_else(|_| EnvFilter::new(default));
    let json = std::env::var("GEMINUS_LOG_FORMAT").is_ok_and(|format| format == "json");
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second start (in tests) keeps the first.
    drop(match json {
        true => builder.json().try_init(),
        false => builder.with_target(false).compact().try_init(),
    });
}
