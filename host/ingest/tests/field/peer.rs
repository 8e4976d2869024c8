//! A real mosquitto on a free port of loopback, with its own folder; killed by id when dropped.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// A broker.
pub(crate) struct Mosquitto {
    program: PathBuf,
    child: Child,
    folder: TempDir,
    port: u16,
}

impl Mosquitto {
    /// `None`, said plainly, when there is no mosquitto; a failure on CI.
    pub(crate) async fn start() -> Option<Self> {
        Self::start_with("").await
    }

    /// The same with more lines in its configuration.
    pub(crate) async fn start_with(more: &str) -> Option<Self> {
        let Some(program) = find() else {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "mosquitto must be installed on CI");
            eprintln!("NOT RUN: mosquitto is not installed (apt-get install mosquitto)");
            return None;
        };
        let port =
            TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
        let folder = tempfile::tempdir().expect("a folder");
        let config = format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\npersistence true\npersistence_location {}/\n\
             max_queued_messages 200000\nmax_packet_size 8000000\nuser root\n{more}",
            folder.path().display()
        );
        std::fs::write(folder.path().join("mosquitto.conf"), config).expect("a configuration");
        let child = spawn(&program, folder.path());
        let broker = Self { program, child, folder, port };
        broker.ready().await;
        Some(broker)
    }

    /// Where clients find it.
    pub(crate) fn url(&self) -> String {
        format!("mqtt://127.0.0.1:{}", self.port)
    }

    /// Ends it as an operator would, so that it stores its sessions.
    pub(crate) async fn terminate(&mut self) {
        let id = self.child.id().to_string();
        let done = Command::new("kill").args(["-TERM", &id]).status().expect("kill");
        assert!(done.success());
        let child = &mut self.child;
        tokio::task::block_in_place(|| child.wait()).expect("an end");
    }

    /// Starts it again with what it stored.
    pub(crate) async fn restart(&mut self) {
        self.child = spawn(&self.program, self.folder.path());
        self.ready().await;
    }

    async fn ready(&self) {
        let mut tries = tokio::time::interval(std::time::Duration::from_millis(20));
        for _ in 0..500 {
            tries.tick().await;
            if tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.is_ok() {
                return;
            }
        }
        let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        panic!("mosquitto does not listen: {log}");
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        if let Err(error) = self.child.kill().and_then(|()| self.child.wait().map(drop)) {
            eprintln!("mosquitto {} was not killed: {error}", self.child.id());
        }
    }
}

fn find() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin")])
        .map(|folder| folder.join("mosquitto"))
        .find(|program| program.is_file())
}

fn spawn(program: &Path, folder: &Path) -> Child {
    let log = File::create(folder.join("log")).expect("a log");
    Command::new(program)
        .arg("-c")
        .arg(folder.join("mosquitto.conf"))
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a log"))
        .stderr(log)
        .spawn()
        .expect("mosquitto starts")
}
