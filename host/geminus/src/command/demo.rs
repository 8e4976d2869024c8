//! `geminus demo`: everything of a small plant in one process, and nothing to install.
//!
//! A simulated pump rig with a hidden truth publishes through the embedded broker; the twins, the plugins (built
//! from source, so that they can be edited and swapped in), history and the page are those of `geminus run`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use geminus_api::House as _;
use geminus_core::{Clock, SystemClock};
use geminus_ingest::broker::Broker;
use geminus_ingest::publisher::Publisher;
use geminus_ingest::rig::{self, RigOptions};
use geminus_ingest::{ProtocolVersion, QoS};
use tokio::sync::watch;

use super::plugin::build;
use crate::runtime::{Running, StartOptions};

/// The demo's site; `{broker}` becomes the address of the embedded broker.
const SITE: &str = include_str!("demo/site.toml");
/// The twin type of the example, so that demo and example never differ.
pub(crate) const TYPE: &str = include_str!("../../../../examples/pump-rig/types/pump-rig.json");
/// Plugins that the demo builds and runs.
const PLUGINS: [&str; 2] = ["motor-thermal", "pump-health"];
/// Rigs that are simulated.
const RIGS: u32 = 3;
/// Time between two readings of a rig.
const PERIOD: Duration = Duration::from_millis(100);

pub(crate) fn run(
    headless: bool,
    for_: Option<Duration>,
    listen: SocketAddr,
    data: Option<PathBuf>,
) -> anyhow::Result<()> {
    let folder = prepare(data)?;
    println!("building the plugins from source");
    for plugin in PLUGINS {
        build(&source(plugin)?, Some(&folder.join("plugins")))?;
    }
    let runtime = super::run::tokio_runtime()?;
    runtime.block_on(play(&folder, headless, for_, listen))
}

/// An empty folder with the type; the site follows when the broker's port is known.
fn prepare(data: Option<PathBuf>) -> anyhow::Result<PathBuf> {
    let (folder, keep) = match data {
        Some(folder) => (folder, true),
        None => (std::env::temp_dir().join("geminus-demo"), false),
    };
    // Before anything is written or emptied: what is there may belong to a demo that runs.
    geminus_store::check_free(&folder.join("data")).with_context(|| {
        format!("another demo runs in {}: stop it, or give this one a folder with --data", folder.display())
    })?;
    if !keep && folder.exists() {
        std::fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
    }
    let types = folder.join("types");
    std::fs::create_dir_all(&types).with_context(|| types.display().to_string())?;
    std::fs::write(types.join("pump-rig.json"), TYPE)?;
    Ok(folder)
}

/// Where the sources of a plugin are: beside the binary's own sources, or below the current folder.
pub(crate) fn source(plugin: &str) -> anyhow::Result<PathBuf> {
    folder(&format!("plugins/{plugin}"))
}

/// Where a crate of the repository lies: beside the sources that this binary was built from, else below here.
pub(crate) fn folder(within: &str) -> anyhow::Result<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(within);
    let here = Path::new(within).to_owned();
    let places = [beside, here];
    match places.iter().find(|place| place.join("Cargo.toml").is_file()) {
        Some(place) => Ok(place.canonicalize()?),
        None => bail!("the sources of {within} are not here: run this in a clone of the repository"),
    }
}

async fn play(
    folder: &Path,
    headless: bool,
    for_: Option<Duration>,
    listen: SocketAddr,
) -> anyhow::Result<()> {
    let mut signals = super::run::StopSignals::listen()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let broker = Broker::start(0).await?;
    let site = folder.join("site.toml");
    std::fs::write(&site, SITE.replace("{broker}", &broker.url()))?;
    let running = Running::start(StartOptions { site, listen: Some(listen), limits: None }).await?;
    let publisher = Publisher::connect(
        &broker.url(),
        "pump-rig",
        ProtocolVersion::V5,
        QoS::AtLeastOnce,
        Arc::clone(&clock),
    )
    .await?;
    let (stop, stopped) = watch::channel(false);
    let options = RigOptions { prefix: "rig/pump-rig-".to_owned(), rigs: RIGS, period: PERIOD, seed: 7 };
    let mut rig = std::pin::pin!(rig::publish(&options, publisher, clock, stopped));
    if !headless {
        introduce(&running, folder);
    }
    tokio::select! {
        ended = &mut rig => {
            ended?;
            bail!("the simulated rig ended by itself");
        }
        () = signals.within(for_) => {}
    }
    let site = running.house().site(geminus_access::Scope::all()).await?;
    let twin = running.house().twin("pump-rig-1".to_owned()).await?;
    stop.send_replace(true);
    rig.await?;
    super::run::stop(running, signals).await?;
    broker.stop().await;
    let rows: u64 = twin.behaviors.iter().map(|behavior| behavior.rows).sum();
    let samples = site.inputs.map_or(0, |inputs| inputs.samples);
    println!("{samples} samples in, {rows} rows of pump-rig-1 stepped, {} twins live", site.twins.live);
    // A demo that shows nothing is a failure, also for a script that only looks at the exit code.
    ensure!(for_.is_none_or(|span| span < Duration::from_secs(10)) || rows > 0, "no estimate was made");
    Ok(())
}

fn introduce(running: &Running, folder: &Path) {
    let thermal = Path::new("plugins/motor-thermal/src/parameters.rs");
    println!();
    println!("  open      {}", running.url());
    println!("  watch     pump-rig-1: winding and bearing temperature, which no sensor measures");
    println!("  edit      {}", thermal.display());
    println!(
        "  swap in   cargo run --release -- plugin build plugins/motor-thermal --out {}",
        folder.join("plugins").display()
    );
    println!("  stop      Ctrl-C");
    println!();
}
