//! A real mosquitto on a free port of loopback, with room for what is under way and nothing kept on disk.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use geminus_core::Clock;
use tempfile::TempDir;

/// Messages that wait for one reader at most.
const QUEUE_MESSAGES_MAX: u32 = 200_000;
/// How long it may take to come up.
const UP_MAX: Duration = Duration::from_secs(10);

/// A broker of our own; ended when dropped.
#[derive(Debug)]
pub(crate) struct Mosquitto {
    child: Child,
    port: u16,
    _folder: TempDir,
}

impl Mosquitto {
    /// Starts it and waits until it listens.
    pub(crate) fn start(clock: &dyn Clock) -> anyhow::Result<Self> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("mosquitto.conf");
        // Without the last line a broker started as root would become another user.
        let text = format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\nmax_inflight_messages 0\n\
             max_queued_messages {QUEUE_MESSAGES_MAX}\nlog_dest none\nuser root\n"
        );
        std::fs::write(&file, text)?;
        let child = Command::new(program())
            .arg("-c")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("mosquitto cannot be started: install it (Debian: apt install mosquitto)")?;
        let mut broker = Self { child, port, _folder: folder };
        let start = clock.monotonic();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if let Some(status) = broker.child.try_wait()? {
                anyhow::bail!("mosquitto ended at once: {status}");
            }
            ensure!(clock.monotonic() - start < UP_MAX, "mosquitto does not listen");
            std::thread::park_timeout(Duration::from_millis(10));
        }
        Ok(broker)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Its process id.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn url(&self) -> String {
        format!("mqtt://127.0.0.1:{}", self.port)
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        if let Err(error) = self.child.kill().and_then(|()| self.child.wait()) {
            eprintln!("mosquitto was not ended: {error}");
        }
    }
}

/// Debian keeps it out of the path of ordinary users.
fn program() -> PathBuf {
    let known = ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto"].map(PathBuf::from);
    known.into_iter().find(|path| path.is_file()).unwrap_or_else(|| "mosquitto".into())
}
