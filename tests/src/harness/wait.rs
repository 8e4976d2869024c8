//! Waiting for a condition, under a deadline.

use std::time::{Duration, Instant};

use anyhow::bail;

const POLL: Duration = Duration::from_millis(20);

/// Polls `condition` until it gives something; after `limit`, by the clock and whatever a poll takes, fails with
/// `what`. The last poll begins after the limit, so that a slow one before it does not decide.
///
/// # Errors
/// When the limit is reached, with the last error that `condition` gave.
pub fn wait_for<T>(
    what: &str,
    limit: Duration,
    mut condition: impl FnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let began = Instant::now();
    let mut last = None;
    loop {
        let over = began.elapsed() >= limit;
        match condition() {
            Ok(Some(found)) => return Ok(found),
            Ok(None) => {}
            Err(error) => last = Some(error),
        }
        if over {
            break;
        }
        std::thread::sleep(POLL);
    }
    match last {
        Some(error) => bail!("waited {limit:?} for {what}; last error: {error:#}"),
        None => bail!("waited {limit:?} for {what}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_poll_takes_counts() {
        let limit = 5 * POLL;
        let mut polls = 0;
        let waited = wait_for("what never comes", limit, || -> anyhow::Result<Option<()>> {
            polls += 1;
            std::thread::sleep(2 * POLL);
            bail!("poll {polls}")
        });
        let error = waited.expect_err("it never comes").to_string();
        // Two polls' time each and one between them: three fit, or fewer on a busy machine. Rounds of 20 ms were six.
        assert!(polls <= 3, "{polls} polls: {error}");
        assert!(error.contains("for what never comes; last error: poll"), "{error}");
    }

    #[test]
    fn what_is_there_is_found_even_after_the_limit() {
        let mut polls = 0;
        let found = wait_for("what comes late", Duration::ZERO, || {
            polls += 1;
            Ok(Some(polls))
        });
        assert_eq!(found.expect("one poll at least"), 1);
    }
}
