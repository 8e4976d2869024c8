//! Waiting for a condition, under a deadline.

use std::time::Duration;

use anyhow::bail;

const POLL: Duration = Duration::from_millis(20);

/// Polls `condition` until it gives something; after `limit` fails with `what`.
///
/// # Errors
/// When the limit is reached, with the last error that `condition` gave.
pub fn wait_for<T>(
    what: &str,
    limit: Duration,
    mut condition: impl FnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let rounds = limit.as_millis() / POLL.as_millis();
    let mut last = None;
    for _ in 0..=rounds {
        match condition() {
            Ok(Some(found)) => return Ok(found),
            Ok(None) => {}
            Err(error) => last = Some(error),
        }
        std::thread::sleep(POLL);
    }
    match last {
        Some(error) => bail!("waited {limit:?} for {what}; last error: {error:#}"),
        None => bail!("waited {limit:?} for {what}"),
    }
}
