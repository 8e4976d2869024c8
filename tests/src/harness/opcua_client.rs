//! OPC UA clients of two libraries that are not ours, asyncua and node-opcua.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use super::opcua::{OpcUaPeer, program};
use super::question::PATIENCE;

/// Who logs in, and with which password.
pub type Login<'a> = Option<(&'a str, &'a str)>;

/// One client with one session; killed when dropped.
#[derive(Debug)]
pub struct OpcUaClient {
    child: Child,
    said: Receiver<Value>,
    /// Number that the namespace of twins has at the server.
    pub namespace: u64,
}

impl OpcUaClient {
    /// Connects, secured or not. `folder` keeps its certificate. A refusal is no error: the reason, in the peer's words.
    ///
    /// # Errors
    /// When the peer is not installed, or says nothing.
    pub fn connect(
        peer: OpcUaPeer,
        url: &str,
        folder: &Path,
        secured: bool,
        login: Login<'_>,
    ) -> anyhow::Result<Result<Self, String>> {
        let mut command = program(peer, "client")?;
        command.arg(url).arg(folder).arg(if secured { "aes256sha256rsapss" } else { "none" });
        if let Some((name, password)) = login {
            command.arg(name).env("OPCUA_PASSWORD", password);
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .with_context(|| format!("{peer:?} cannot be started"))?;
        let lines = BufReader::new(child.stdout.take().context("standard output")?).lines();
        let (tell, said) = channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                // Libraries write there too.
                let Ok(value) = serde_json::from_str::<Value>(&line) else { continue };
                if value["said"].is_string() && tell.send(value).is_err() {
                    return;
                }
            }
        });
        let mut client = Self { child, said, namespace: 0 };
        let first = client.next("connected")?;
        if first["said"] == "refused" {
            return Ok(Err(first["reason"].as_str().unwrap_or_default().to_owned()));
        }
        client.namespace = first["namespace"].as_u64().context("namespace")?;
        Ok(Ok(client))
    }

    /// Names, ids and types of what a node refers to; of the folder of all objects without one.
    ///
    /// # Errors
    /// When it has ended.
    pub fn browse(&mut self, node: &str) -> anyhow::Result<Vec<Value>> {
        self.list(&json!({ "do": "browse", "node": node }), "names")
    }

    /// Values of these nodes: `bits` or `text`, `status`, `time_ms`.
    ///
    /// # Errors
    /// When it has ended.
    pub fn read(&mut self, nodes: &[&str]) -> anyhow::Result<Vec<Value>> {
        self.list(&json!({ "do": "read", "nodes": nodes }), "values")
    }

    /// Writes a number to a node; gives the status code of the answer.
    ///
    /// # Errors
    /// When it has ended.
    pub fn write(&mut self, node: &str) -> anyhow::Result<u64> {
        let said = self.ask(&json!({ "do": "write", "node": node }))?;
        said["status"].as_u64().context("status")
    }

    /// Subscribes to these nodes.
    ///
    /// # Errors
    /// When it has ended.
    pub fn watch(&mut self, nodes: &[&str], sampling_ms: i32) -> anyhow::Result<()> {
        self.ask(&json!({ "do": "watch", "nodes": nodes, "sampling_ms": sampling_ms })).map(drop)
    }

    /// Everything that the subscription was sent of a node so far.
    ///
    /// # Errors
    /// When it has ended.
    pub fn seen(&mut self, node: &str) -> anyhow::Result<Vec<Value>> {
        let all = self.list(&json!({ "do": "values" }), "values")?;
        Ok(all.into_iter().filter(|value| value["node"] == node).collect())
    }

    fn list(&mut self, order: &Value, key: &str) -> anyhow::Result<Vec<Value>> {
        let said = self.ask(order)?;
        said[key].as_array().cloned().with_context(|| format!("{said} has no {key}"))
    }

    fn ask(&mut self, order: &Value) -> anyhow::Result<Value> {
        let stdin = self.child.stdin.as_mut().context("standard input")?;
        writeln!(stdin, "{order}").context("the client has ended")?;
        let expect = order["do"].as_str().unwrap_or_default();
        let said = self.next(expect)?;
        anyhow::ensure!(said["said"] == expect, "the client was to say {expect}, and said {said}");
        Ok(said)
    }

    fn next(&mut self, expect: &str) -> anyhow::Result<Value> {
        match self.said.recv_timeout(PATIENCE) {
            Ok(said) => Ok(said),
            Err(RecvTimeoutError::Timeout) => bail!("the client has not said {expect}"),
            Err(RecvTimeoutError::Disconnected) => bail!("the client has ended before it said {expect}"),
        }
    }
}

impl Drop for OpcUaClient {
    fn drop(&mut self) {
        // It may have ended by itself; then both calls fail and nothing is lost.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
