//! `geminus run`: a site, until it is told to stop.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;

use crate::runtime::{Running, StartOptions};

pub(crate) fn run(site: &Path, listen: Option<SocketAddr>, for_: Option<Duration>) -> anyhow::Result<()> {
    let runtime = tokio_runtime()?;
    runtime.block_on(async {
        let mut signals = StopSignals::listen()?;
        let running = Running::start(StartOptions { site: site.to_owned(), listen, limits: None }).await?;
        println!("{} runs: {}", running.name(), running.url());
        match running.token_file() {
            Some(file) => println!("token for whatever writes: {}", file.display()),
            None => println!("users log in; `geminus token add` makes tokens for programs"),
        }
        signals.within(for_).await;
        stop(running, signals).await
    })
}

/// Stops in order; a second Ctrl-C or SIGTERM ends the process at once, as a power cut would.
pub(crate) async fn stop(running: Running, mut signals: StopSignals) -> anyhow::Result<()> {
    tracing::info!("stopping; another signal ends the process at once");
    tokio::select! {
        stopped = running.stop() => stopped,
        () = signals.next() => {
            eprintln!("ended before everything was closed; the next start checks it");
            std::process::exit(1)
        }
    }
}

/// Two workers: they own sockets and timers, guests never run on them.
pub(crate) fn tokio_runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("the runtime cannot be started")
}

/// Ctrl-C and SIGTERM, heard from its making on: one that comes while a host starts stops it in order once it has started.
#[derive(Debug)]
pub(crate) struct StopSignals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl StopSignals {
    /// Needs a tokio runtime.
    ///
    /// # Errors
    /// When the system lets nobody listen.
    #[cfg(unix)]
    pub(crate) fn listen() -> anyhow::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    #[cfg(not(unix))]
    pub(crate) fn listen() -> anyhow::Result<Self> {
        Ok(Self {})
    }

    /// The next one.
    #[cfg(unix)]
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    #[cfg(not(unix))]
    pub(crate) async fn next(&mut self) {
        if let Err(error) = tokio::signal::ctrl_c().await {
            tracing::error!(%error, "nobody can stop this process in order");
            std::future::pending::<()>().await;
        }
    }

    /// The next one, or the end of the given time.
    pub(crate) async fn within(&mut self, for_: Option<Duration>) {
        match for_ {
            Some(span) => tokio::time::timeout(span, self.next()).await.unwrap_or_default(),
            None => self.next().await,
        }
    }
}
