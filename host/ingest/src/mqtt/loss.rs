//! Which ends of connections are news. A broker that stays away is told once, and once more when it is away for another
//! reason than was told: one that is back and has an expired certificate, say.

use std::time::Duration;

use crate::refusal::QUIET;

/// What was told of a broker that is away.
#[derive(Debug, Default)]
pub struct Loss(Option<(String, Duration)>);

impl Loss {
    /// Whether to tell that the broker cannot be reached, for this reason. `now` is monotonic.
    pub fn is_news(&mut self, reason: &str, now: Duration) -> bool {
        let is_known =
            self.0.as_ref().is_some_and(|(told, at)| told == reason || now.saturating_sub(*at) < QUIET);
        if !is_known {
            self.0 = Some((reason.to_owned(), now));
        }
        !is_known
    }

    /// The broker is there: whatever comes next is news.
    pub fn over(&mut self) {
        self.0 = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_reason_is_news_but_not_at_once_and_the_same_one_never() {
        let (mut loss, later) = (Loss::default(), Duration::from_secs(5));
        assert!(loss.is_news("refused", Duration::ZERO));
        assert!(!loss.is_news("expired", later), "too soon");
        assert!(!loss.is_news("refused", QUIET * 2));
        assert!(loss.is_news("expired", QUIET * 2));
        assert!(!loss.is_news("expired", QUIET * 9));
        loss.over();
        assert!(loss.is_news("expired", QUIET * 9));
    }
}
