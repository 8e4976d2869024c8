//! `geminus run`: a site, until it is told to stop.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;

use crate::runtime::{Running, StartOptions};

pub(crate) fn run(site: &Path, listen: Option<SocketAddr>, for_: Option<Duration>) -> anyhow::Result<()> {
    let runtime = tokio_runtime()?;
    runtime.block_on(async {
        let running = Running::start(StartOptions { site: site.to_owned(), listen, limits: None }).await?;
        println!("{} runs: {}", running.name(), running.url());
        match running.token_file() {
            Some(file) => println!("token for whatever writes: {}", file.display()),
            None => println!("users log in; `geminus token add` makes tokens for programs"),
        }
        until_stopped(for_).await?;
        stop(running).await
    })
}

/// Stops in order; a second Ctrl-C or SIGTERM ends the process at once, as a power cut would.
pub(crate) async fn stop(running: Running) -> anyhow::Result<()> {
    tracing::info!("stopping; another signal ends the process at once");
    tokio::select! {
        stopped = running.stop() => stopped,
        signal = stop_signal() => {
            signal?;
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

/// Waits for Ctrl-C, SIGTERM or the end of the given time.
pub(crate) async fn until_stopped(for_: Option<Duration>) -> anyhow::Result<()> {
    let Some(span) = for_ else { return stop_signal().await };
    match tokio::time::timeout(span, stop_signal()).await {
        Ok(signal) => signal,
        Err(_) => Ok(()),
    }
}

/// Ctrl-C or SIGTERM.
pub(crate) async fn stop_signal() -> anyhow::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            interrupt = tokio::signal::ctrl_c() => interrupt?,
            _ = terminate.recv() => {}
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await?;
    Ok(())
}
