//! Questions over HTTP that end: a host or a browser that never answers fails its scenario instead of holding it up.

use std::time::Duration;

/// The longest that anything is asked, the answer read to its end: longer than the slowest good answer of a host on a
/// busy machine and than a browser takes to open a window.
const ANSWER_MAX: Duration = Duration::from_secs(60);

/// Asks within [`ANSWER_MAX`]; an answer that is no success is an error. A new one for each question, because a host
/// that was killed and started again must not be asked over the old connection.
#[must_use]
pub fn asking() -> ureq::Agent {
    ureq::Agent::config_builder().timeout_global(Some(ANSWER_MAX)).build().into()
}

/// The same; every status is an answer.
#[must_use]
pub fn asking_whatever_the_status() -> ureq::Agent {
    let config = ureq::Agent::config_builder().timeout_global(Some(ANSWER_MAX));
    config.http_status_as_error(false).build().into()
}

/// The same, and whoever is sent elsewhere stays.
#[must_use]
pub fn asking_step_by_step() -> ureq::Agent {
    let config = ureq::Agent::config_builder().timeout_global(Some(ANSWER_MAX)).max_redirects(0);
    config.http_status_as_error(false).build().into()
}
