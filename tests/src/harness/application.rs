//! A host application of Sparkplug B: `tests/peers/sparkplug/application.mjs`, which the makers' own library reads for.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use super::place::repository;
use super::question::PATIENCE;

/// One host application, which follows one edge node; killed when dropped.
#[derive(Debug)]
pub struct HostApplication {
    child: Child,
    said: Receiver<Value>,
}

impl HostApplication {
    /// Connects to the broker on this loopback port, and waits until it listens.
    ///
    /// # Errors
    /// When Node.js or the peer's packages are missing.
    pub fn start(port: u16, group: &str, node: &str) -> anyhow::Result<Self> {
        let folder = repository().join("tests/peers/sparkplug");
        ensure!(
            folder.join("node_modules").is_dir(),
            "the host application is not installed: run tests/run, or `npm ci` in tests/peers/sparkplug"
        );
        let mut child = Command::new("node")
            .arg(folder.join("application.mjs"))
            .args([&port.to_string(), group, node])
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
        let application = Self { child, said };
        application.says("subscribed")?;
        Ok(application)
    }

    /// What it knows of the edge node, and what it found wrong with it.
    ///
    /// # Errors
    /// When it has ended.
    pub fn known(&mut self) -> anyhow::Result<Value> {
        self.tell("show")?;
        Ok(self.says("shows")?["known"].clone())
    }

    /// Asks the edge node for its births.
    ///
    /// # Errors
    /// When it has ended.
    pub fn ask_for_births(&mut self) -> anyhow::Result<()> {
        self.tell("rebirth")?;
        self.says("asked").map(drop)
    }

    fn tell(&mut self, deed: &str) -> anyhow::Result<()> {
        let stdin = self.child.stdin.as_mut().context("standard input")?;
        writeln!(stdin, "{}", json!({ "do": deed })).context("the host application has ended")
    }

    /// The next thing that it says, but for that it has connected again.
    fn says(&self, expect: &str) -> anyhow::Result<Value> {
        loop {
            let said =
                self.said.recv_timeout(PATIENCE).with_context(|| format!("it has not said {expect}"))?;
            if said["said"] == expect {
                return Ok(said);
            }
            ensure!(said["said"] == "subscribed", "it was to say {expect}, and said {said}");
        }
    }
}

impl Drop for HostApplication {
    fn drop(&mut self) {
        // It ends by itself only when something went wrong, which has been told.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
