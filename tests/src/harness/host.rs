//! The real binary as a child process, and questions to its API.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::place::{free_port, geminus};
use super::wait::wait_for;

/// `geminus run`; killed when dropped.
#[derive(Debug)]
pub struct Host {
    /// Where its API listens.
    pub port: u16,
    site: PathBuf,
    child: Child,
}

impl Host {
    /// Starts `site` and waits until it is ready. Its log goes to `host.log` beside the site.
    ///
    /// # Errors
    /// When it ends or is not ready within 60 seconds; the log's end is in the message.
    pub fn start(site: &Path) -> anyhow::Result<Self> {
        Self::start_on(site, free_port()?)
    }

    /// The same on a given port.
    ///
    /// # Errors
    /// As [`Host::start`].
    pub fn start_on(site: &Path, port: u16) -> anyhow::Result<Self> {
        let log = std::fs::File::options().create(true).append(true).open(log_path(site))?;
        let child = Command::new(geminus()?)
            .arg("run")
            .arg(site)
            .args(["--listen", &format!("127.0.0.1:{port}")])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("geminus cannot be started")?;
        let mut host = Self { port, site: site.to_owned(), child };
        host.await_ready()?;
        Ok(host)
    }

    fn await_ready(&mut self) -> anyhow::Result<()> {
        let url = self.url("/readyz");
        let ready = wait_for("the host to be ready", Duration::from_secs(60), || {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Some(Err(status)));
            }
            Ok(ureq::get(&url).call().is_ok().then_some(Ok(())))
        });
        match ready {
            Ok(Ok(())) => Ok(()),
            Ok(Err(status)) => bail!("the host ended with {status}:\n{}", self.log()),
            Err(error) => bail!("{error:#}\n{}", self.log()),
        }
    }

    /// Full address of a path.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// JSON of a GET under `/api/v1`.
    ///
    /// # Errors
    /// When it does not answer with 200 and JSON.
    pub fn get(&self, path: &str) -> anyhow::Result<Value> {
        get(&self.url(&format!("/api/v1{path}")))
    }

    /// The last lines of its log.
    #[must_use]
    pub fn log(&self) -> String {
        let text = std::fs::read_to_string(log_path(&self.site)).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines.get(lines.len().saturating_sub(40)..).unwrap_or_default().join("\n")
    }

    /// Process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL: no goodbye.
    ///
    /// # Errors
    /// When it cannot be ended.
    pub fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// SIGTERM, and waits for a clean end.
    ///
    /// # Errors
    /// When it does not end with success within 30 seconds.
    pub fn stop(mut self) -> anyhow::Result<()> {
        let status = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status()?;
        anyhow::ensure!(status.success(), "kill failed");
        let end = wait_for("the host to stop", Duration::from_secs(30), || Ok(self.child.try_wait()?))?;
        anyhow::ensure!(end.success(), "the host ended with {end}:\n{}", self.log());
        Ok(())
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // Already ended by `kill` or `stop` in most scenarios; then both calls fail and nothing is lost.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn log_path(site: &Path) -> PathBuf {
    site.with_file_name("host.log")
}

/// JSON of a GET.
///
/// # Errors
/// When it does not answer with 200 and JSON.
pub fn get(url: &str) -> anyhow::Result<Value> {
    let mut answer = ureq::get(url).call().with_context(|| url.to_owned())?;
    answer.body_mut().read_json().with_context(|| url.to_owned())
}
