//! OPC UA servers of two libraries that are not ours, asyncua and node-opcua, and a wire to them that can be cut.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};

use super::place::repository;
use super::question::PATIENCE;

/// Whose library the server is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpcUaPeer {
    /// asyncua, in Python.
    Asyncua,
    /// node-opcua, in JavaScript.
    NodeOpcua,
}

/// The program of a peer, `server` or `client`, without its arguments.
///
/// # Errors
/// When the peer is not installed.
pub(crate) fn program(peer: OpcUaPeer, role: &str) -> anyhow::Result<Command> {
    let peers = repository().join("tests/peers/opcua");
    let python = repository().join("target/peers/opcua-venv/bin/python");
    let mut command = match peer {
        OpcUaPeer::Asyncua => {
            ensure!(python.is_file(), "asyncua is not installed: run tests/run");
            let mut command = Command::new(python);
            command.arg("-u").arg(peers.join(role).with_extension("py"));
            command
        }
        OpcUaPeer::NodeOpcua => {
            ensure!(
                peers.join("node_modules").is_dir(),
                "node-opcua is not installed: run tests/run, or `npm ci` in tests/peers/opcua"
            );
            let mut command = Command::new("node");
            command.arg(peers.join(role).with_extension("mjs"));
            command
        }
    };
    // Nothing that Python has compiled is left among the sources.
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    Ok(command)
}

/// One server, which keeps its certificate in a folder; killed when dropped.
#[derive(Debug)]
pub struct OpcUaServer {
    child: Child,
    said: Receiver<Value>,
}

impl OpcUaServer {
    /// Starts it on this loopback port and waits until it is ready.
    ///
    /// # Errors
    /// When the peer is not installed, or does not start.
    pub fn start(peer: OpcUaPeer, port: u16, folder: &Path) -> anyhow::Result<Self> {
        let mut command = program(peer, "server")?;
        let mut child = command
            .arg(port.to_string())
            .arg(folder)
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
        let mut server = Self { child, said };
        server.says("ready")?;
        Ok(server)
    }

    /// Gives a node a value, with a status code, and waits until it has it.
    ///
    /// # Errors
    /// When it has ended.
    pub fn set(&mut self, name: &str, value: f64, status: u32) -> anyhow::Result<()> {
        let bits = format!("{:#018x}", value.to_bits());
        self.tell(&json!({ "do": "set", "name": name, "bits": bits, "status": status }))?;
        self.says("set").map(drop)
    }

    /// Lets a node count; does not wait for the end of it, which it says (`count`).
    ///
    /// # Errors
    /// When it has ended.
    pub fn count(&mut self, name: &str, from: u32, to: u32, period_ms: u32) -> anyhow::Result<()> {
        self.tell(&json!({ "do": "count", "name": name, "from": from, "to": to, "period_ms": period_ms }))
    }

    /// Bits of what a node holds.
    ///
    /// # Errors
    /// When it does not say it.
    pub fn held(&mut self, name: &str) -> anyhow::Result<u64> {
        self.tell(&json!({ "do": "held", "name": name }))?;
        bits(&self.says("held")?)
    }

    /// From now on subscriptions and items are told these lies: `publishing` and `sampling` in milliseconds as texts,
    /// `keep_alive` and `lifetime` as counts. asyncua only.
    ///
    /// # Errors
    /// When it has ended.
    pub fn lie(&mut self, lies: &Value) -> anyhow::Result<()> {
        let mut order = lies.clone();
        order["do"] = json!("lie");
        self.tell(&order)?;
        self.says("lie").map(drop)
    }

    /// From now on its clock is wrong by so much. asyncua only.
    ///
    /// # Errors
    /// When it has ended.
    pub fn skew(&mut self, seconds: i32) -> anyhow::Result<()> {
        self.tell(&json!({ "do": "skew", "seconds": seconds }))?;
        self.says("skew").map(drop)
    }

    /// Lets a node have so many values as fast as it can make them, from 1 on, and another one every hundredth time; does not
    /// wait for the end of it, which it says (`flood`). asyncua only.
    ///
    /// # Errors
    /// When it has ended.
    pub fn flood(&mut self, name: &str, count: u32, beside: &str) -> anyhow::Result<()> {
        self.tell(&json!({ "do": "flood", "name": name, "count": count, "beside": beside }))
    }

    /// Sets a dead-man on a node: once it has changed, and then has not for `patience`, the setpoint goes to 0, which it says
    /// (`failed`) with what the node held. asyncua only.
    ///
    /// # Errors
    /// When it has ended.
    pub fn guard(&mut self, name: &str, patience: Duration) -> anyhow::Result<()> {
        let patience_ms = u64::try_from(patience.as_millis())?;
        self.tell(&json!({ "do": "guard", "name": name, "patience_ms": patience_ms }))?;
        self.says("guard").map(drop)
    }

    /// Sends it a signal: `-STOP` lets it stand still, `-CONT` go on.
    ///
    /// # Errors
    /// When it has ended.
    pub fn signal(&self, which: &str) -> anyhow::Result<()> {
        let status = Command::new("kill").args([which, &self.child.id().to_string()]).status()?;
        ensure!(status.success(), "kill {which} failed");
        Ok(())
    }

    /// The next thing that it says, which must be this.
    ///
    /// # Errors
    /// When it says something else, or nothing.
    pub fn says(&mut self, expect: &str) -> anyhow::Result<Value> {
        match self.said.recv_timeout(PATIENCE) {
            Ok(said) if said["said"] == expect => Ok(said),
            Ok(said) => bail!("the server was to say {expect}, and said {said}"),
            Err(RecvTimeoutError::Timeout) => bail!("the server has not said {expect}"),
            Err(RecvTimeoutError::Disconnected) => bail!("the server has ended before it said {expect}"),
        }
    }

    fn tell(&mut self, order: &Value) -> anyhow::Result<()> {
        let stdin = self.child.stdin.as_mut().context("standard input")?;
        writeln!(stdin, "{order}").context("the server has ended")
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

impl Drop for OpcUaServer {
    fn drop(&mut self) {
        // Already ended by `kill`; then both calls fail and nothing is lost.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The bits of a value in what a server said.
///
/// # Errors
/// When there are none.
pub fn bits(said: &Value) -> anyhow::Result<u64> {
    let bits = said["bits"].as_str().and_then(|bits| bits.strip_prefix("0x")).context("bits")?;
    Ok(u64::from_str_radix(bits, 16)?)
}

/// A wire to a loopback port, which may be cut and mended.
#[derive(Debug)]
pub struct Wire {
    /// Its near end.
    pub port: u16,
    whole: Arc<AtomicBool>,
    ends: Arc<Mutex<Vec<TcpStream>>>,
}

impl Wire {
    /// A whole one.
    ///
    /// # Errors
    /// When no port is free.
    pub fn to(far: u16) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let port = listener.local_addr()?.port();
        let (whole, ends) = (Arc::new(AtomicBool::new(true)), Arc::new(Mutex::new(Vec::new())));
        let wire = Self { port, whole: Arc::clone(&whole), ends: Arc::clone(&ends) };
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                if !whole.load(Ordering::SeqCst) {
                    continue;
                }
                // A peer that is away refuses, which the near end sees as an end.
                let Ok(far) = TcpStream::connect(("127.0.0.1", far)) else { continue };
                if join(near, far, &ends).is_err() {
                    return;
                }
            }
        });
        Ok(wire)
    }

    /// Cuts it: what is under way is lost, and nobody gets through.
    pub fn cut(&self) {
        self.whole.store(false, Ordering::SeqCst);
        for end in self.ends.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            // One that is closed already is cut.
            drop(end.shutdown(Shutdown::Both));
        }
    }

    /// Makes it whole again.
    pub fn mend(&self) {
        self.whole.store(true, Ordering::SeqCst);
    }
}

fn join(near: TcpStream, far: TcpStream, ends: &Mutex<Vec<TcpStream>>) -> anyhow::Result<()> {
    let mut list = ends.lock().unwrap_or_else(PoisonError::into_inner);
    list.extend([near.try_clone()?, far.try_clone()?]);
    for (mut from, mut to) in [(near.try_clone()?, far.try_clone()?), (far, near)] {
        std::thread::spawn(move || {
            let mut bytes = [0; 65_536];
            while let Ok(count @ 1..) = from.read(&mut bytes) {
                if to.write_all(&bytes[..count]).is_err() {
                    break;
                }
            }
            // The other direction ends with this one.
            drop(to.shutdown(Shutdown::Both));
            drop(from.shutdown(Shutdown::Both));
        });
    }
    Ok(())
}

/// A server that accepts connections and says nothing, until it is dropped.
#[derive(Debug)]
pub struct Mute {
    /// Its port.
    pub port: u16,
    heard: Receiver<()>,
}

impl Mute {
    /// Listens.
    ///
    /// # Errors
    /// When no port is free.
    pub fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let port = listener.local_addr()?.port();
        let (tell, heard) = channel();
        std::thread::spawn(move || {
            let mut held = Vec::new();
            for stream in listener.incoming().map_while(Result::ok) {
                held.push(stream);
                if tell.send(()).is_err() {
                    return;
                }
            }
        });
        Ok(Self { port, heard })
    }

    /// Waits for the next connection.
    ///
    /// # Errors
    /// When none comes.
    pub fn called(&self, patience: Duration) -> anyhow::Result<()> {
        self.heard.recv_timeout(patience).context("nobody has called")
    }
}
