//! The operator's log: one line per event on standard error, JSON when asked for.

use std::io::IsTerminal as _;

use anyhow::{Context as _, bail};
use tracing_subscriber::EnvFilter;

/// What is logged unless told: `info` for us and `warn` for what we use.
const DEFAULT: &str = "warn,geminus=info,geminus_core=info,geminus_ingest=info,geminus_twin=info,geminus_behavior=info,\
                       geminus_store=info,geminus_registry=info,geminus_api=info";

/// Starts logging; `filter` as in `RUST_LOG`. Colors are for terminals: a file gets plain text.
///
/// # Errors
/// When filter or format are none that there are.
pub(crate) fn start(filter: Option<&str>) -> anyhow::Result<()> {
    let filter = read_filter(filter.unwrap_or(DEFAULT))?;
    let json = is_json(std::env::var_os("GEMINUS_LOG_FORMAT").as_deref().and_then(std::ffi::OsStr::to_str))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal() && plain_is_not_wished())
        .with_writer(std::io::stderr);
    // A second start (in tests) keeps the first.
    drop(match json {
        true => builder.json().try_init(),
        false => builder.with_target(false).compact().try_init(),
    });
    Ok(())
}

/// By the custom of <https://no-color.org>.
fn plain_is_not_wished() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|wish| wish.is_empty())
}

fn read_filter(text: &str) -> anyhow::Result<EnvFilter> {
    // The library takes a word that is no level for the name of a module, which then logs all it has: nobody means that.
    let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
    for word in words.filter(|word| !word.contains(['=', '[', '}', ':', '_'])) {
        let is_level = word.parse::<tracing_subscriber::filter::LevelFilter>().is_ok();
        if !is_level && word != "geminus" {
            return Err(anyhow::anyhow!("\"{word}\" is no level")).with_context(|| allowed(text));
        }
    }
    EnvFilter::try_new(text).with_context(|| allowed(text))
}

fn allowed(text: &str) -> String {
    format!(
        "--log (GEMINUS_LOG) cannot be \"{text}\": give a level (off, error, warn, info, debug, trace), or levels by \
         module such as warn,geminus_ingest=trace"
    )
}

/// Whether the log is JSON.
fn is_json(format: Option<&str>) -> anyhow::Result<bool> {
    match format {
        None | Some("" | "text") => Ok(false),
        Some("json") => Ok(true),
        Some(other) => {
            bail!("GEMINUS_LOG_FORMAT cannot be \"{other}\": give json, or text, which is the default")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_levels_or_says_which_there_are() {
        for good in [
            DEFAULT,
            "debug",
            "off",
            "WARN,geminus_ingest=trace",
            "geminus=info",
            "warn,geminus",
            "geminus[span]=debug",
        ] {
            assert!(read_filter(good).is_ok(), "{good}");
        }
        for bad in ["verbose", "warn,loud", "geminus=loud"] {
            let said = format!("{:#}", read_filter(bad).expect_err(bad));
            assert!(said.contains(bad) && said.contains("off, error, warn, info, debug, trace"), "{said}");
        }
    }

    #[test]
    fn a_format_is_one_of_two() {
        let check = |format: Option<&str>| is_json(format).ok();
        assert_eq!([None, Some("text"), Some("json")].map(check), [Some(false), Some(false), Some(true)]);
        let said = is_json(Some("xml")).expect_err("no such format").to_string();
        assert!(said.contains("xml") && said.contains("json") && said.contains("text"), "{said}");
    }
}
