//! The running house: every room started in order, and stopped in the reverse one.
//!
//! Start and reload use the same code: what starts a binding at first is what the plugin manager later orders a
//! shard to do. Nothing here touches samples; see `shard` for the thread that does.

mod chronicle;
mod cohorts;
mod field;
mod guests;
mod house;
mod keeper;
mod lane;
mod live;
mod message;
mod meters;
pub(crate) mod plan;
mod plugins;
mod proposals;
mod replay;
mod shard;
mod token;
mod view;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context as _;
use crossbeam_channel::{Receiver, Sender};
use geminus_api::{BusLimits, EventBus, House};
use geminus_behavior::{Compiled, Engine, HostCalls, Limits};
use geminus_core::{Clock, Digest, Event, Severity, SystemClock, TwinIndex};
use geminus_registry::{Change, Watcher};
use geminus_store::Store;
use geminus_twin::{BindingIndex, Plant, Shard};
use tokio::sync::watch;
use tokio::task::JoinHandle as Task;

use chronicle::Chronicle;
use cohorts::Cohorts;
use field::Source;
use house::Rooms;
use keeper::Keeper;
use message::Ask;
pub(crate) use meters::ShardMeters;
use plan::Plan;
use plugins::{Active, Board, Manager};
use shard::{ShardParts, ShardRunner};

/// Shards when the site does not say: one for two cores, so that sockets and the store have room beside it.
const SHARDS_MAX: usize = 16;

/// How to start.
#[derive(Clone, Debug)]
pub(crate) struct StartOptions {
    /// The site file.
    pub(crate) site: PathBuf,
    /// Overrides `http.listen`.
    pub(crate) listen: Option<SocketAddr>,
    /// Overrides what behaviors may use.
    pub(crate) limits: Option<Limits>,
}

/// A running site.
pub(crate) struct Running {
    name: String,
    address: SocketAddr,
    token_file: PathBuf,
    rooms: Arc<Rooms>,
    sources: Arc<Vec<Source>>,
    replays: Vec<Task<()>>,
    asks: Vec<Sender<Ask>>,
    threads: Vec<JoinHandle<()>>,
    keeper: Keeper,
    watcher: Watcher,
    bus: Arc<EventBus>,
    store: Arc<Store>,
    stop_serving: watch::Sender<bool>,
    server: Task<()>,
    tail: Task<()>,
    /// Kept so that a shard's lane never closes before the shard is told to stop.
    lanes: lane::Lanes,
}

impl Running {
    /// Starts everything. Needs a tokio runtime.
    ///
    /// # Errors
    /// Names the first thing that is in the way.
    pub(crate) async fn start(options: StartOptions) -> anyhow::Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let site = plan::load(&options.site)?;
        let data = site.data_folder();
        let mut settings = geminus_store::Options {
            group_commit_ms: site.document.store.group_commit_ms.into(),
            ..geminus_store::Options::default()
        };
        settings.retention_hours = u64::from(site.document.store.retention_days) * 24;
        let store = Store::open(&data, settings, Arc::clone(&clock))?;
        let listen = match options.listen {
            Some(address) => address,
            None => site.document.http.listen.parse().context("http.listen is no address")?,
        };
        let snapshot_every = Duration::from_secs(site.document.store.snapshot_s.into());
        let Plan { mut plant, shelf, picked, refused, revived, folder } = plan::numbered(&site, &store)?;
        let mut routes = std::mem::take(&mut plant.routes);
        let (plant, store) = (Arc::new(plant), Arc::new(store));

        let bus = EventBus::new(Arc::clone(&clock), BusLimits::default());
        let chronicle = Chronicle::new(store.journal());
        let tail = tokio::spawn(chronicle.clone().tail(Arc::clone(&bus)));
        let engine = Engine::new(options.limits.unwrap_or_default())?;
        let cache = data.join("compiled");
        let active = compile(&engine, &plant, &picked, &cache, &chronicle, clock.as_ref());
        let board = Board::new(shelf, active.clone());
        for package in revived {
            let label = package.declaration.label();
            let message = format!("the plugin folder has no usable {label}: the one that ran last is used");
            chronicle.tell(Event::new("plugin-revived", Severity::Warning, message).plugin(label));
        }
        let vault = plan::vault(&site);
        for (package, active) in picked.iter().zip(&active) {
            if active.is_some() {
                plugins::keep(&vault, package, &chronicle);
            }
        }
        for (path, reason) in refused {
            let message = format!("{} is not taken: {reason}", plugins::file_name(&path));
            chronicle.tell(Event::new("plugin-refused", Severity::Error, message));
            board.refuse(&path, reason, clock.now());
        }

        let count = shard_count(&plant, site.document.site.shards);
        let (lanes, exits) = lane::lanes(count, series_owners(&plant, count));
        let host: Arc<dyn HostCalls> = Arc::new(guests::Desk { plant: Arc::clone(&plant) });
        let meters: Vec<_> = (0..count).map(|_| Arc::new(ShardMeters::new(plant.bindings.len()))).collect();
        let (asks, inboxes): (Vec<_>, Vec<_>) = (0..count).map(|_| crossbeam_channel::unbounded()).unzip();
        let mut threads = Vec::new();
        for (number, ((exit, inbox), meters)) in exits.into_iter().zip(inboxes).zip(&meters).enumerate() {
            let parts = ShardParts {
                number,
                plant: Arc::clone(&plant),
                shard: Shard::new(Arc::clone(&plant), &members(&plant, number, count)),
                cohorts: Cohorts::default(),
                exit,
                asks: inbox,
                recorder: store.recorder(),
                clock: Arc::clone(&clock),
                bus: Arc::clone(&bus),
                chronicle: chronicle.clone(),
                board: board.clone(),
                host: Arc::clone(&host),
                meters: Arc::clone(meters),
            };
            threads.push(start_shard(parts, &active, &store)?);
        }
        let keeper = Keeper::start(
            Arc::clone(&plant),
            asks.clone(),
            Arc::clone(&store),
            chronicle.clone(),
            snapshot_every,
        )?;
        let (changes_in, changes) = crossbeam_channel::unbounded();
        let plugins_folder = folder.path().to_owned();
        let watcher = Watcher::start(folder, move |change| {
            // The manager ends only after the watcher was dropped.
            drop(changes_in.send(change));
        })?;
        let manager = Manager {
            plant: Arc::clone(&plant),
            engine,
            cache,
            shards: asks.clone(),
            board: board.clone(),
            chronicle: chronicle.clone(),
            control: store.control(),
            vault,
            clock: Arc::clone(&clock),
        };
        threads.push(start_manager(manager, changes)?);
        let sources = Arc::new(field::start(&plant, &mut routes, &data, &lanes, &clock, &chronicle)?);
        let replays = field::replays(&plant, &mut routes, &site.beside(""), &lanes, &clock, &chronicle)?;

        let mut by_id: Vec<TwinIndex> = plant.indices().collect();
        by_id.sort_by(|a, b| id_of(&plant, *a).cmp(id_of(&plant, *b)));
        let rescan = watcher.signal();
        let rooms = Arc::new(Rooms {
            shard_of: plant.indices().map(|twin| shard_number(twin, count)).collect(),
            by_id,
            shards: asks.clone(),
            meters,
            store: Arc::clone(&store),
            board,
            sources: Arc::clone(&sources),
            clock: Arc::clone(&clock),
            started: clock.now(),
            plugins: plugins_folder,
            rescan: Box::new(move || rescan.rescan()),
            plant: Arc::clone(&plant),
        });
        let (token_file, hash) = token::token(&data)?;
        let (stop_serving, stopped) = watch::channel(false);
        let (address, server) =
            serve(listen, Arc::clone(&rooms), Arc::clone(&bus), Arc::clone(&clock), hash, stopped).await?;
        chronicle.tell(Event::new(
            "host-started",
            Severity::Info,
            format!("{} runs with {} twins on {count} shards", plant.name, plant.twins.len()),
        ));
        Ok(Self {
            name: plant.name.clone(),
            address,
            token_file,
            rooms,
            sources,
            replays,
            asks,
            threads,
            keeper,
            watcher,
            bus,
            store,
            stop_serving,
            server,
            tail,
            lanes,
        })
    }

    /// Name of the site.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Address of the page.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Where the token for whatever writes is kept.
    pub(crate) fn token_file(&self) -> &Path {
        &self.token_file
    }

    /// The house, as the API asks it.
    #[cfg(any(feature = "demo", feature = "bench"))]
    pub(crate) fn house(&self) -> &Arc<Rooms> {
        &self.rooms
    }

    /// The way in for samples.
    #[cfg(feature = "bench")]
    pub(crate) fn lanes(&self) -> &lane::Lanes {
        &self.lanes
    }

    /// The sources that run, in the order of the site.
    #[cfg(feature = "bench")]
    pub(crate) fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// The store, for figures.
    #[cfg(feature = "bench")]
    pub(crate) fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Stops in order: sources deliver what they have read and wait for its commit, shards step and record the
    /// rest, state is saved, pages are told, history and journal are closed.
    ///
    /// # Errors
    /// When something that was taken could not be made durable.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        let site = self.rooms.site().await.ok();
        drop(self.rooms);
        self.bus.close();
        self.stop_serving.send_replace(true);
        drop(self.watcher);
        self.replays.iter().for_each(Task::abort);
        // The server held the last other share of the sources.
        drop(self.server.await);
        match Arc::try_unwrap(self.sources) {
            Ok(sources) => {
                for source in sources {
                    source.handle.stop().await;
                }
            }
            Err(_) => tracing::warn!("sources are still in use and end without a goodbye"),
        }
        self.keeper.stop();
        // Not before: a shard ends when its lane does, and would leave its last state uncopied.
        for shard in &self.asks {
            drop(shard.send(Ask::Stop));
        }
        drop((self.asks, self.lanes));
        let (threads, store) = (self.threads, self.store);
        tokio::task::spawn_blocking(move || {
            for thread in threads {
                if thread.join().is_err() {
                    tracing::error!("a thread of the house panicked");
                }
            }
            let samples = site.map_or(0, |site| site.inputs.samples);
            let message = format!("stopped in order after {samples} samples");
            store.journal().write(Event::new("host-stopped", Severity::Info, message));
            store.flush()
        })
        .await??;
        self.tail.abort();
        Ok(())
    }
}

fn id_of(plant: &Plant, twin: TwinIndex) -> &str {
    plant.twin(twin).map_or("", |twin| &*twin.id)
}

fn shard_count(plant: &Plant, wished: u32) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let count = match wished {
        0 => (cores / 2).max(1),
        wished => wished as usize,
    };
    count.min(SHARDS_MAX).min(plant.twins.len().max(1))
}

fn shard_number(twin: TwinIndex, count: usize) -> u16 {
    u16::try_from(twin.0 as usize % count.max(1)).unwrap_or_default()
}

fn members(plant: &Plant, number: usize, count: usize) -> Vec<TwinIndex> {
    plant.indices().filter(|twin| usize::from(shard_number(*twin, count)) == number).collect()
}

fn series_owners(plant: &Plant, count: usize) -> Arc<[u16]> {
    let owners = plant.twin_of_series();
    owners.into_iter().map(|owner| owner.map_or(0, |twin| shard_number(twin, count))).collect()
}

/// Compiles what each binding starts with. One that cannot be compiled is journaled; its binding waits for a
/// better one, the rest of the house runs.
fn compile(
    engine: &Engine,
    plant: &Plant,
    picked: &[geminus_registry::Package],
    cache: &Path,
    chronicle: &Chronicle,
    clock: &dyn Clock,
) -> Vec<Option<Active>> {
    let mut known: Vec<(Digest, Arc<Compiled>)> = Vec::new();
    let mut active = Vec::new();
    for (binding, package) in plant.bindings.iter().zip(picked) {
        let compiled = match known.iter().find(|(digest, _)| *digest == package.digest) {
            Some((_, compiled)) => Ok(Arc::clone(compiled)),
            None => {
                engine.compile(package.digest, &package.bytes, Arc::clone(&package.declaration), Some(cache))
            }
        };
        active.push(match compiled {
            Ok(compiled) => {
                known.push((package.digest, Arc::clone(&compiled)));
                let parameters = Arc::clone(&binding.parameters);
                Some(Active { compiled, parameters, since: clock.now() })
            }
            Err(error) => {
                let label = package.declaration.label();
                let message = format!("{} cannot run {label}: {error}", binding.name);
                chronicle.tell(Event::new("plugin-refused", Severity::Error, message).plugin(label));
                None
            }
        });
    }
    active
}

/// Starts the instances of a shard, puts their state back, and lets the thread run.
fn start_shard(
    mut parts: ShardParts,
    active: &[Option<Active>],
    store: &Store,
) -> anyhow::Result<JoinHandle<()>> {
    let plant = Arc::clone(&parts.plant);
    for ((index, binding), active) in (0..).map(BindingIndex).zip(&plant.bindings).zip(active) {
        let Some(active) = active else { continue };
        let mine: Vec<TwinIndex> =
            parts.shard.twins().filter(|twin| binding.twins.binary_search(twin).is_ok()).collect();
        let openings = cohorts::openings(&plant, binding, &mine, &active.parameters);
        match parts.cohorts.start(index, binding, &active.compiled, &parts.host, openings) {
            Ok(refused) => {
                for twin in refused {
                    let message = format!("{} does not take up {}: {}", binding.name, twin.id, twin.message);
                    let event = Event::new("twin-refused", Severity::Error, message).twin(twin.id);
                    parts.chronicle.tell(event);
                }
                keeper::restore(&mut parts, store, index, binding, &mine);
            }
            Err(error) => {
                let message = format!("{} does not run: {error}", binding.name);
                parts.chronicle.tell(Event::new("behavior-not-started", Severity::Error, message));
            }
        }
    }
    let name = format!("shard-{}", parts.number);
    let runner = ShardRunner::new(parts);
    Ok(std::thread::Builder::new().name(name).spawn(move || runner.run())?)
}

fn start_manager(manager: Manager, changes: Receiver<Change>) -> anyhow::Result<JoinHandle<()>> {
    let thread = std::thread::Builder::new().name("plugins".to_owned());
    Ok(thread.spawn(move || {
        while let Ok(change) = changes.recv() {
            manager.hear(change);
        }
    })?)
}

async fn serve(
    listen: SocketAddr,
    rooms: Arc<Rooms>,
    bus: Arc<EventBus>,
    clock: Arc<dyn Clock>,
    token: Digest,
    mut stopped: watch::Receiver<bool>,
) -> anyhow::Result<(SocketAddr, Task<()>)> {
    let listener = tokio::net::TcpListener::bind(listen)
        .await
        .with_context(|| format!("cannot listen on {listen}: choose another address with --listen"))?;
    let address = listener.local_addr()?;
    let mut options = geminus_api::Options::new(env!("CARGO_PKG_VERSION"), token, bus, clock);
    options.dashboard = Some(asset);
    let traffic = Arc::clone(&options.traffic);
    let router = geminus_api::router(rooms, options);
    let stop = async move {
        // A sender that is gone stops the server too.
        drop(stopped.wait_for(|stopped| *stopped).await);
    };
    let task = tokio::spawn(async move {
        if let Err(error) = geminus_api::serve(listener, router, traffic, stop).await {
            tracing::error!(%error, "the page is not served any more");
        }
    });
    Ok((address, task))
}

/// A file of the dashboard.
fn asset(path: &str) -> Option<geminus_api::Asset> {
    let file = geminus_ui::asset(path)?;
    Some(geminus_api::Asset { bytes: file.bytes, content_type: file.content_type.into(), etag: file.etag })
}
