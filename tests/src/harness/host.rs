//! The real binary as a child process, and questions to its API.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::http::{asking, asking_whatever_the_status};
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
        Self::spawn(Command::new(geminus()?), site, port)
    }

    /// The same for a site whose plugins take long to be compiled.
    ///
    /// # Errors
    /// As [`Host::start`], after `patience`.
    pub fn start_within(site: &Path, patience: Duration) -> anyhow::Result<Self> {
        Self::spawn_within(Command::new(geminus()?), site, free_port()?, patience)
    }

    /// The same with all its threads on the first CPU.
    ///
    /// # Errors
    /// As [`Host::start`]; needs `taskset` of util-linux.
    pub fn start_on_one_cpu(site: &Path) -> anyhow::Result<Self> {
        let mut command = Command::new("taskset");
        command.args(["-c", "0"]).arg(geminus()?);
        Self::spawn(command, site, free_port()?)
    }

    pub(super) fn spawn(command: Command, site: &Path, port: u16) -> anyhow::Result<Self> {
        Self::spawn_within(command, site, port, Duration::from_secs(60))
    }

    fn spawn_within(
        mut command: Command,
        site: &Path,
        port: u16,
        patience: Duration,
    ) -> anyhow::Result<Self> {
        let log = std::fs::File::options().create(true).append(true).open(log_path(site))?;
        let child = command
            .arg("run")
            .arg(site)
            .args(["--listen", &format!("127.0.0.1:{port}")])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("geminus cannot be started")?;
        let mut host = Self { port, site: site.to_owned(), child };
        host.await_ready(patience)?;
        Ok(host)
    }

    fn await_ready(&mut self, patience: Duration) -> anyhow::Result<()> {
        let url = self.url("/readyz");
        let ready = wait_for("the host to be ready", patience, || {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Some(Err(status)));
            }
            Ok(asking().get(&url).call().is_ok().then_some(Ok(())))
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

    /// JSON of a POST under `/api/v1` with the host's token, and the status.
    ///
    /// # Errors
    /// When there is no token yet, or no answer.
    pub fn post(&self, path: &str, body: &Value) -> anyhow::Result<(u16, Value)> {
        let token = std::fs::read_to_string(self.site.with_file_name("data").join("token"))?;
        let request = asking_whatever_the_status()
            .post(self.url(&format!("/api/v1{path}")))
            .header("Authorization", format!("Bearer {}", token.trim()));
        let mut answer = request.send_json(body).with_context(|| path.to_owned())?;
        let status = answer.status().as_u16();
        Ok((status, answer.body_mut().read_json().with_context(|| path.to_owned())?))
    }

    /// Whether it says of itself that it lives and is ready.
    ///
    /// # Errors
    /// With what it says instead.
    pub fn lives(&self) -> anyhow::Result<()> {
        for path in ["/livez", "/readyz"] {
            asking().get(self.url(path)).call().with_context(|| path.to_owned())?;
        }
        Ok(())
    }

    /// The CPUs that its threads may run on, as the system writes them; one list for each that some thread has.
    ///
    /// # Errors
    /// When it has ended.
    pub fn cpus(&self) -> anyhow::Result<Vec<String>> {
        let mut lists = Vec::new();
        for thread in std::fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            // Another thread may end while it is looked at.
            let text = std::fs::read_to_string(thread?.path().join("status")).unwrap_or_default();
            let cpus = text.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
            lists.extend(cpus.map(|cpus| cpus.trim().to_owned()));
        }
        anyhow::ensure!(!lists.is_empty(), "the system tells of no thread");
        lists.sort();
        lists.dedup();
        Ok(lists)
    }

    /// Processes that it has started and not yet taken leave of: compilers.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn children(&self) -> anyhow::Result<usize> {
        let mut count = 0;
        for process in std::fs::read_dir("/proc")? {
            // Another process may end while it is looked at.
            let text = std::fs::read_to_string(process?.path().join("stat")).unwrap_or_default();
            let fields = text.rsplit_once(')').map_or("", |(_, fields)| fields);
            count += usize::from(fields.split_whitespace().nth(1) == Some(&self.child.id().to_string()));
        }
        Ok(count)
    }

    /// Bytes of memory that it holds, where the system tells.
    ///
    /// # Errors
    /// When it has ended.
    pub fn resident_bytes(&self) -> anyhow::Result<u64> {
        let text = std::fs::read_to_string(format!("/proc/{}/statm", self.child.id()))?;
        let pages: u64 = text.split_whitespace().nth(1).context("statm")?.parse()?;
        Ok(pages * 4096)
    }

    /// The last lines of its log.
    #[must_use]
    pub fn log(&self) -> String {
        let text = std::fs::read_to_string(log_path(&self.site)).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines.get(lines.len().saturating_sub(40)..).unwrap_or_default().join("\n")
    }

    /// Its `site.toml`.
    #[must_use]
    pub fn site(&self) -> &Path {
        &self.site
    }

    /// Process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended; `None` while it runs.
    pub(super) fn has_ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
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
        let end = self.terminate(Duration::from_secs(30))?;
        anyhow::ensure!(end.success(), "the host ended with {end}:\n{}", self.log());
        Ok(())
    }

    /// SIGTERM to a host that has something in its way, and waits for its end, of whatever kind.
    ///
    /// # Errors
    /// When it does not end within a minute.
    pub fn end(mut self) -> anyhow::Result<ExitStatus> {
        self.terminate(Duration::from_secs(60))
    }

    fn terminate(&mut self, limit: Duration) -> anyhow::Result<ExitStatus> {
        let status = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status()?;
        anyhow::ensure!(status.success(), "kill failed");
        wait_for("the host to stop", limit, || Ok(self.child.try_wait()?))
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
    let mut answer = asking().get(url).call().with_context(|| url.to_owned())?;
    answer.body_mut().read_json().with_context(|| url.to_owned())
}
