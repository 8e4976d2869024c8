//! Logging in with a real host: the page asks, refuses in words, shows a viewer no orders, and changes one's own password, after
//! which the old one opens nothing.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use geminus_tests::{Broker, Browser, Host, SiteFolder, geminus, wait_for};

use crate::{pictures, see};

const TWIN: &str = "pump-rig-1";
const PASSWORD: &str = "correct horse battery";
const OTHER: &str = "another horse entirely";
/// How long a button may take to be ready, or something to go.
const SOON: Duration = Duration::from_secs(20);

/// A target, so that there are orders to be hidden.
const TARGET: &str = r#"
[[target]]
name = "current"
unit = "A"
write = { source = "broker", topic = "rig/{twin}/set/current" }
feedback = { point = "current", tolerance = 0.05, within_s = 60 }
[target.interlock]
range = { min = 0, max = 10 }
"#;

fn add_user(site: &SiteFolder, name: &str, role: &str) -> anyhow::Result<()> {
    let file = site.site();
    let words = ["user", "add", file.to_str().context("a path in UTF-8")?, name, "--role", role];
    let mut child = Command::new(geminus()?)
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    child.stdin.take().context("standard input")?.write_all(format!("{PASSWORD}\n").as_bytes())?;
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// The button once it can be pressed.
fn press(browser: &Browser, test_id: &str) -> anyhow::Result<()> {
    wait_for(&format!("{test_id} to be ready"), SOON, || Ok(browser.press(test_id).ok()))
}

fn goes(browser: &Browser, test_id: &str) -> anyhow::Result<()> {
    wait_for(&format!("{test_id} to go"), SOON, || Ok(browser.text(test_id)?.is_none().then_some(())))
}

fn log_in(browser: &Browser, name: &str, password: &str) -> anyhow::Result<()> {
    see(browser, "login", "the login", |text| text.contains("Log in"))?;
    browser.fill("login-name", name)?;
    browser.fill("login-password", password)?;
    press(browser, "login-send")
}

fn change_password(browser: &Browser, current: &str, new: &str) -> anyhow::Result<()> {
    for (field, text) in [("current", current), ("new", new), ("again", new)] {
        browser.fill(&format!("password-{field}"), text)?;
    }
    press(browser, "password-send")
}

/// Status of a question that the page asks with its cookie.
fn status(browser: &Browser, path: &str) -> anyhow::Result<u64> {
    let script = format!("return fetch('{path}').then((answer) => answer.status)");
    browser.run(&script)?.as_u64().context("a status")
}

#[test]
fn the_page_asks_who_it_is_and_shows_each_what_that_one_may() -> anyhow::Result<()> {
    let broker = Broker::start(1_000)?;
    let site = SiteFolder::from_example("pump-rig", |text| {
        format!("{}{TARGET}", text.replace("mqtt://127.0.0.1:1883", &broker.url()))
    })?;
    add_user(&site, "ada", "admin")?;
    add_user(&site, "vic", "viewer")?;
    let host = Host::start(&site.site())?;
    let browser = Browser::open(1_400, 1_000)?;
    let targets = host.url(&format!("/#/targets/{TWIN}"));
    browser.go(&targets)?;
    see(&browser, "login", "the login and nothing else", |text| text.contains("Password"))?;
    ensure!(browser.text("logout")?.is_none() && status(&browser, "/api/v1/site")? == 401);

    log_in(&browser, "vic", "not the password")?;
    see(&browser, "login-problem", "why not", |text| text.contains("do not belong together"))?;
    browser.screenshot(&pictures().join("login.png"))?;
    log_in(&browser, "vic", PASSWORD)?;
    see(&browser, "who", "who it is", |text| text == "vic")?;
    see(&browser, "rules-current", "the rules of the target", |text| text.contains("range"))?;
    for order in ["hold-current", "propose-current", "lockout-current"] {
        ensure!(browser.text(order)?.is_none(), "a viewer is offered {order}");
    }
    browser.go(&host.url("/#/certificates"))?;
    see(&browser, "certificates-summary", "the page of certificates", |text| {
        text.contains("no server waits")
    })?;

    press(&browser, "password")?;
    change_password(&browser, "not the password", OTHER)?;
    see(&browser, "password-problem", "why not", |text| text.contains("not your present password"))?;
    change_password(&browser, PASSWORD, OTHER)?;
    goes(&browser, "own-password")?;
    ensure!(status(&browser, "/api/v1/site")? == 200, "the session that asked goes on");
    press(&browser, "logout")?;
    see(&browser, "login", "the login", |text| text.contains("Log in"))?;
    ensure!(status(&browser, "/api/v1/site")? == 401, "the session has ended");

    log_in(&browser, "vic", PASSWORD)?;
    see(&browser, "login-problem", "that the old one is over", |text| {
        text.contains("do not belong together")
    })?;
    log_in(&browser, "vic", OTHER)?;
    see(&browser, "who", "who it is", |text| text == "vic")?;
    press(&browser, "logout")?;
    log_in(&browser, "ada", PASSWORD)?;
    see(&browser, "who", "who it is", |text| text == "ada")?;
    browser.go(&targets)?;
    see(&browser, "hold-current", "an order for who may", |text| {
        text.contains("Hold") || text.contains("hold")
    })?;

    // What the host refused on purpose stands in the console, and nothing else.
    let errors = browser.errors()?;
    let others: Vec<_> = errors
        .iter()
        .filter(|line| !line.contains("status of 401") && !line.contains("status of 403"))
        .collect();
    ensure!(others.is_empty(), "{others:?}");
    let log = host.log();
    ensure!(!log.contains(PASSWORD) && !log.contains(OTHER), "a password stands in the log");
    ensure!(log.contains("vic changed the own password"), "{log}");
    host.stop()
}
