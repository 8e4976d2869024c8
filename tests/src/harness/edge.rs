//! An edge node of Sparkplug B: `tests/peers/sparkplug/edge.mjs`, which the makers' own library speaks for.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use super::place::repository;
use super::question::PATIENCE;

/// One edge node; killed when dropped, so that its will is published.
#[derive(Debug)]
pub struct EdgeNode {
    child: Child,
    said: Receiver<Value>,
}

impl EdgeNode {
    /// Connects to the broker on this loopback port; it is born when it is connected.
    ///
    /// # Errors
    /// When Node.js or the peer's packages are missing.
    pub fn start(port: u16, group: &str, node: &str, device: &str) -> anyhow::Result<Self> {
        let folder = repository().join("tests/peers/sparkplug");
        anyhow::ensure!(
            folder.join("node_modules").is_dir(),
            "the edge node is not installed: run tests/run, or `npm ci` in tests/peers/sparkplug"
        );
        let mut child = Command::new("node")
            .arg(folder.join("edge.mjs"))
            .args([&port.to_string(), group, node, device])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .context("node cannot be started: install Node.js")?;
        let lines = BufReader::new(child.stdout.take().context("standard output")?).lines();
        let (tell, said) = channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let Ok(value) = serde_json::from_str(&line) else { return };
                if tell.send(value).is_err() {
                    return;
                }
            }
        });
        Ok(Self { child, said })
    }

    /// Tells it to do something, with values by metric name.
    ///
    /// # Errors
    /// When it has ended.
    pub fn tell(&mut self, deed: &str, values: &[(&str, f64)]) -> anyhow::Result<()> {
        let bits = |value: f64| Value::from(format!("{:#x}", value.to_bits()));
        let values: Value = values
            .iter()
            .map(|(name, value)| ((*name).to_owned(), bits(*value)))
            .collect::<serde_json::Map<_, _>>()
            .into();
        let stdin = self.child.stdin.as_mut().context("standard input")?;
        writeln!(stdin, "{}", json!({ "do": deed, "values": values })).context("the edge node has ended")?;
        Ok(())
    }

    /// The next thing that it says, which must be this.
    ///
    /// # Errors
    /// When it says something else, or nothing.
    pub fn says(&self, expect: &str) -> anyhow::Result<Value> {
        match self.said.recv_timeout(PATIENCE) {
            Ok(said) if said["said"] == expect => Ok(said),
            Ok(said) => bail!("the edge node was to say {expect}, and said {said}"),
            Err(RecvTimeoutError::Timeout) => bail!("the edge node has not said {expect}"),
            Err(RecvTimeoutError::Disconnected) => bail!("the edge node has ended before it said {expect}"),
        }
    }

    /// Ends it at once, as a power cut would.
    ///
    /// # Errors
    /// When it cannot be ended.
    pub fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for EdgeNode {
    fn drop(&mut self) {
        // Already ended by `kill`; then both calls fail and nothing is lost.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
