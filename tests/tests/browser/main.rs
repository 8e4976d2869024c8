//! The page of a real host in a real browser.

mod commands;
mod login;
mod rollouts;
mod twin;

use std::path::PathBuf;
use std::time::Duration;

use geminus_tests::{Browser, repository, wait_for};

pub(crate) fn pictures() -> PathBuf {
    let folder = repository().join("target/screenshots");
    std::fs::create_dir_all(&folder).expect("folder for screenshots");
    folder
}

/// Waits until the element's text satisfies `wish`, and gives it.
pub(crate) fn see(
    browser: &Browser,
    test_id: &str,
    what: &str,
    wish: impl Fn(&str) -> bool,
) -> anyhow::Result<String> {
    wait_for(&format!("{test_id} to show {what}"), Duration::from_secs(40), || {
        Ok(browser.text(test_id)?.filter(|text| wish(text)))
    })
}
