//! A real mosquitto on a free loopback port, which can be killed and started again.

use std::fs;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;

use super::certificates::{Authority, Identity};
use super::place::free_port;
use super::wait::wait_for;

/// Unacknowledged messages per client; 0 would let mosquitto 2.0.11 send a returning client everything at once.
const WINDOW: u16 = 8_192;

/// A broker of our own; ended when dropped.
#[derive(Debug)]
pub struct Broker {
    /// Where it listens.
    pub port: u16,
    folder: tempfile::TempDir,
    child: Option<Child>,
}

impl Broker {
    /// Starts mosquitto with persistence and room for `queued` messages per absent client.
    ///
    /// # Errors
    /// When mosquitto is not installed or does not come up.
    pub fn start(queued: usize) -> anyhow::Result<Self> {
        Self::start_with(queued, free_port()?, "")
    }

    /// The same with a second listener, which speaks TLS as `server` and asks for a certificate of `clients`. Gives its
    /// port. The first listener is for the field.
    ///
    /// # Errors
    /// As [`Broker::start`].
    pub fn start_secured(
        queued: usize,
        server: &Identity,
        clients: &Authority,
    ) -> anyhow::Result<(Self, u16)> {
        let (port, secured) = (free_port()?, free_port()?);
        let listener = format!(
            "listener {secured} 127.0.0.1\ncafile {}\ncertfile {}\nkeyfile {}\nrequire_certificate true\n",
            clients.certificate().display(),
            server.certificate.display(),
            server.key.display()
        );
        Ok((Self::start_with(queued, port, &listener)?, secured))
    }

    fn start_with(queued: usize, port: u16, more: &str) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let configuration = format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\npersistence true\n\
             persistence_location {}/\nmax_queued_messages {queued}\nmax_inflight_messages {WINDOW}\n\
             log_dest none\nset_tcp_nodelay true\n{}{more}",
            folder.path().display(),
            // Started as root, mosquitto would otherwise become a user that may not write the folder.
            "user root\n"
        );
        fs::write(folder.path().join("mosquitto.conf"), configuration)?;
        let mut broker = Self { port, folder, child: None };
        broker.up()?;
        Ok(broker)
    }

    /// Starts it (again) on the same port with the same folder.
    ///
    /// # Errors
    /// When it does not answer within ten seconds.
    pub fn up(&mut self) -> anyhow::Result<()> {
        let program = ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto"]
            .map(PathBuf::from)
            .into_iter()
            .find(|path| path.is_file())
            .unwrap_or_else(|| "mosquitto".into());
        let child = Command::new(program)
            .arg("-c")
            .arg(self.folder.path().join("mosquitto.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("mosquitto cannot be started: install it (Debian: mosquitto)")?;
        self.child = Some(child);
        let port = self.port;
        wait_for("mosquitto to listen", Duration::from_secs(10), || {
            Ok(TcpStream::connect(("127.0.0.1", port)).ok().map(drop))
        })
    }

    /// Ends it at once, as a power cut would.
    ///
    /// # Errors
    /// When it cannot be ended.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// Ends it as an operator would, so that it writes down its sessions and what waits in them.
    ///
    /// # Errors
    /// When it does not end within ten seconds.
    pub fn terminate(&mut self) -> anyhow::Result<()> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        let status = Command::new("kill").args(["-TERM", &child.id().to_string()]).status()?;
        anyhow::ensure!(status.success(), "kill failed");
        wait_for("mosquitto to end", Duration::from_secs(10), || Ok(child.try_wait()?)).map(drop)
    }

    /// Sends it a signal: `-STOP` lets it stand still, `-CONT` go on.
    ///
    /// # Errors
    /// When it does not run, or the signal cannot be sent.
    pub fn signal(&self, which: &str) -> anyhow::Result<()> {
        let child = self.child.as_ref().context("mosquitto does not run")?;
        let status = Command::new("kill").args([which, &child.id().to_string()]).status()?;
        anyhow::ensure!(status.success(), "kill {which} failed");
        Ok(())
    }

    /// `mqtt://…` of it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("mqtt://127.0.0.1:{}", self.port)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Err(error) = self.kill() {
            eprintln!("mosquitto was not ended: {error}");
        }
    }
}
