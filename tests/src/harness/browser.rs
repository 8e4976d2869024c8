//! A real browser: Chromium driven through ChromeDriver's WebDriver protocol.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};

use super::http::asking;
use super::place::free_port;
use super::wait::wait_for;

/// One headless window; both processes end when dropped.
#[derive(Debug)]
pub struct Browser {
    driver: Child,
    session: String,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// Opens a window of the given size.
    ///
    /// # Errors
    /// When ChromeDriver or Chromium cannot be started.
    pub fn open(width: u32, height: u32) -> anyhow::Result<Self> {
        let port = free_port()?;
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("chromedriver cannot be started: install it (Debian: chromium-driver)")?;
        let profile = tempfile::tempdir()?;
        let base = format!("http://127.0.0.1:{port}");
        let mut browser = Self { driver, session: String::new(), _profile: profile };
        wait_for("chromedriver", Duration::from_secs(20), || {
            Ok(asking().get(format!("{base}/status")).call().is_ok().then_some(()))
        })?;
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
        ];
        let mut arguments: Vec<String> = arguments.map(str::to_owned).to_vec();
        arguments.push(format!("--window-size={width},{height}"));
        arguments.push(format!("--user-data-dir={}", browser._profile.path().display()));
        let wish = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:loggingPrefs": {"browser": "ALL"},
            "goog:chromeOptions": {"args": arguments},
        }}});
        let answer = call(asking().post(format!("{base}/session")).send_json(wish))?;
        let id = answer["sessionId"].as_str().context("no session id")?;
        browser.session = format!("{base}/session/{id}");
        Ok(browser)
    }

    /// Goes to a page.
    ///
    /// # Errors
    /// When the page cannot be loaded.
    pub fn go(&self, url: &str) -> anyhow::Result<()> {
        self.post("/url", &json!({ "url": url })).map(drop)
    }

    /// Runs a script in the page (`return …`) and gives its value.
    ///
    /// # Errors
    /// When the script throws.
    pub fn run(&self, script: &str) -> anyhow::Result<Value> {
        self.post("/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// Text of the element with this `data-testid`, `None` when it is not there.
    ///
    /// # Errors
    /// When the browser is gone.
    pub fn text(&self, test_id: &str) -> anyhow::Result<Option<String>> {
        let script =
            format!("return document.querySelector('[data-testid=\"{test_id}\"]')?.textContent ?? null");
        Ok(self.run(&script)?.as_str().map(|text| text.trim().to_owned()))
    }

    /// An attribute of the element with this `data-testid`, `None` when either is not there.
    ///
    /// # Errors
    /// When the browser is gone.
    pub fn attribute(&self, test_id: &str, name: &str) -> anyhow::Result<Option<String>> {
        let script = format!(
            "return document.querySelector('[data-testid=\"{test_id}\"]')?.getAttribute('{name}') ?? null"
        );
        Ok(self.run(&script)?.as_str().map(str::to_owned))
    }

    /// Presses the element with this `data-testid`.
    ///
    /// # Errors
    /// When it is not there, or cannot be pressed now.
    pub fn press(&self, test_id: &str) -> anyhow::Result<()> {
        let script = format!(
            "const button = document.querySelector('[data-testid=\"{test_id}\"]');
            if (!button || button.disabled) return false;
            button.click();
            return true"
        );
        anyhow::ensure!(self.run(&script)? == true, "{test_id} is not there or cannot be pressed");
        Ok(())
    }

    /// Puts text into the field with this `data-testid`, as a person would.
    ///
    /// # Errors
    /// When it is not there.
    pub fn fill(&self, test_id: &str, text: &str) -> anyhow::Result<()> {
        let script = format!(
            "const field = document.querySelector('[data-testid=\"{test_id}\"]');
            if (!field) return false;
            field.value = {};
            field.dispatchEvent(new Event('input', {{ bubbles: true }}));
            return true",
            json!(text)
        );
        anyhow::ensure!(self.run(&script)? == true, "there is no field {test_id}");
        Ok(())
    }

    /// Lines of the page's console at level SEVERE: script errors, refused requests.
    ///
    /// # Errors
    /// When the browser is gone.
    pub fn errors(&self) -> anyhow::Result<Vec<String>> {
        let log = self.post("/se/log", &json!({ "type": "browser" }))?;
        let lines = log.as_array().cloned().unwrap_or_default();
        Ok(lines
            .iter()
            .filter(|line| line["level"] == "SEVERE")
            .filter_map(|line| line["message"].as_str().map(str::to_owned))
            .collect())
    }

    /// Writes what the window shows as a PNG file.
    ///
    /// # Errors
    /// When it cannot be taken or written.
    pub fn screenshot(&self, file: &Path) -> anyhow::Result<()> {
        let answer = call(asking().get(format!("{}/screenshot", self.session)).call())?;
        let encoded = answer.as_str().context("no picture")?;
        std::fs::write(file, bytes_from_base64(encoded)?)?;
        Ok(())
    }

    fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        call(asking().post(format!("{}{path}", self.session)).send_json(body))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Chromium ends with its session, the driver by its id; when one is gone already nothing is left to do.
        drop(asking().delete(&self.session).call());
        drop(self.driver.kill());
        drop(self.driver.wait());
    }
}

fn call(answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> anyhow::Result<Value> {
    let mut body: Value =
        answer.context("webdriver")?.body_mut().with_config().limit(64 << 20).read_json()?;
    Ok(body["value"].take())
}

fn bytes_from_base64(text: &str) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0_u32, 0_u32);
    for letter in text.bytes().filter(|letter| *letter != b'=') {
        let six = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            other => anyhow::bail!("{other} is not base64"),
        };
        bits = (bits << 6) | u32::from(six);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from((bits >> count) & 0xff)?);
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_read() {
        assert_eq!(bytes_from_base64("aGVsbG8=").expect("valid"), b"hello");
        assert!(bytes_from_base64("a?").is_err());
    }
}
