//! The running house: every room started in order, and stopped in the reverse one.
//!
//! Nothing here touches samples; see `shard` for the thread that does. What runs at first is chosen in `start`; how
//! another version takes over is `rollouts`, on the `manager`'s thread.

pub(crate) mod access;
mod alarms;
pub(crate) mod certificates;
mod chronicle;
mod client_id;
mod close;
pub(crate) mod cohorts;
mod commanded;
mod commands;
pub(crate) mod compile;
mod crashes;
mod crumb;
pub(crate) mod field;
mod floods;
mod floor;
pub(crate) mod guests;
mod house;
mod keeper;
mod kept;
mod ladder;
mod lane;
mod live;
mod manager;
mod message;
mod meters;
mod oidc;
mod opcua_server;
mod pinned;
pub(crate) mod plan;
mod plugins;
mod press;
mod proposals;
mod quarantine;
mod refeed;
mod reopen;
mod replay;
mod rollouts;
mod serve;
mod shard;
mod shares;
mod site_change;
mod start;
mod storage;
mod substitutes;
mod swaps;
#[cfg(feature = "bench")]
pub(crate) mod tap;
mod tls;
mod token;
mod view;
mod vitals;
mod worked;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context as _;
use crossbeam_channel::Sender;
use geminus_access::Gate;
use geminus_api::{BusLimits, EventBus};
use geminus_behavior::{Engine, HostCalls, Limits};
use geminus_core::{Clock, Event, Severity, SystemClock, TwinIndex};
use geminus_opcua::server::OpcUaServer;
use geminus_publish::Publishing;
use geminus_registry::Watcher;
use geminus_store::Store;
use geminus_twin::site::Isolation;
use geminus_twin::{Plant, Shard};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle as Task;

use alarms::watch::Watch;
use chronicle::Chronicle;
use cohorts::Cohorts;
use commanded::EarlierCommands;
#[cfg(feature = "bench")]
pub(crate) use commands::ENDS;
pub(crate) use crumb::Crumb;
use field::Source;
use floor::Floor;
use house::Rooms;
use keeper::Keeper;
use manager::{Heard, Manager};
use message::Ask;
#[cfg(feature = "bench")]
pub(crate) use meters::Account;
pub(crate) use meters::ShardMeters;
use plan::Plan;
use plugins::Board;
use quarantine::Quarantines;
use serve::serve;
use shard::ShardParts;
use shares::{members, series_owners, shard_count, shard_number};

/// Instances beside dedicated ones: cohorts, candidates, rehearsals, searches.
const INSTANCES_SPARE: u32 = 1_000;

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
    /// Whether it speaks TLS.
    secure: bool,
    /// Whether it had no users when it started.
    open: bool,
    /// Look for changes of users and of the certificate.
    followers: Vec<Task<()>>,
    token_file: PathBuf,
    rooms: Arc<Rooms>,
    sources: Arc<Vec<Source>>,
    replays: Vec<Task<()>>,
    /// Told last, so that what shards say at the end is published too.
    publishing: Vec<Publishing>,
    /// Ends as late, for the same reason.
    opcua_server: Option<OpcUaServer>,
    asks: Vec<Sender<Ask>>,
    threads: Vec<JoinHandle<()>>,
    /// Whether a worker that nobody waits for has panicked.
    broken: Arc<AtomicBool>,
    manager: Sender<Heard>,
    commands: Sender<commands::Ask>,
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
        let store = Store::open(&data, storage::options(&site.document.store), Arc::clone(&clock))?;
        let listen = match options.listen {
            Some(address) => address,
            None => site.document.http.listen.parse().context("http.listen is no address")?,
        };
        let certificate = site.document.http.tls.as_ref();
        let certificate =
            certificate.map(|tls| tls::Pair::new(site.beside(&tls.certificate), site.beside(&tls.key)));
        let tls = certificate.as_ref().map(tls::Pair::open).transpose()?;
        let (token_file, hash) = token::token(&data)?;
        let chronicle = Chronicle::new(store.journal());
        let kept_access = access::Kept::open(&data)?;
        // The token of the data folder counts for whoever sits at this machine, and only while there are no users.
        let local = listen.ip().to_canonical().is_loopback().then_some(hash);
        let gate = Gate::open(Box::new(kept_access.clone()), local, chronicle.ear())?;
        let (gate, issuer) = oidc::join(gate, &site, &clock, &chronicle)?;
        let gate = Arc::new(gate);
        if let Some(lack) = access::exposure(listen, gate.has_users(), tls.is_some()) {
            anyhow::bail!(lack);
        }
        // Before anything that others notice: a host that cannot listen must not take a running one's session at the
        // broker, and has not run. After the store, which knows better than the port that this very site runs already.
        let listener = tokio::net::TcpListener::bind(listen)
            .await
            .with_context(|| format!("cannot listen on {listen}: choose another address with --listen"))?;
        let snapshot_every = Duration::from_secs(site.document.store.snapshot_s.into());
        let (control, store) = (store.control(), Arc::new(store));
        if let Err(error) = site_change::tell(&options.site, &site.types_folder(), &data, &chronicle) {
            tracing::warn!(%error, "whether the site changed since the last start cannot be told");
        }
        let past = start::past(&control, &data, (&site.document.containment, clock.now()), &chronicle);
        control.mark_running()?;
        let Plan { mut plant, shelf, kept, picked, refused, folder } = plan::numbered(&site, &store, &past)?;
        let mut routes = std::mem::take(&mut plant.routes);
        let plant = Arc::new(plant);

        let bus = EventBus::new(Arc::clone(&clock), BusLimits::default());
        let tail = tokio::spawn(chronicle.clone().tail(Arc::clone(&bus)));
        let count = shard_count(&plant, site.document.site.shards);
        let (lanes, exits) = lane::lanes(count, series_owners(&plant, count));
        let host: Arc<dyn HostCalls> = Arc::new(guests::Desk { plant: Arc::clone(&plant) });
        let meters: Vec<_> = (0..count).map(|_| Arc::new(ShardMeters::new(plant.bindings.len()))).collect();
        let (asks, inboxes): (Vec<_>, Vec<_>) = (0..count).map(|_| crossbeam_channel::unbounded()).unzip();
        let failed = {
            let bindings = plant.bindings.iter();
            let bindings = bindings.map(|one| (one.name.as_str(), one.declaration.name.as_str()));
            let packages: Vec<_> = shelf.packages().iter().chain(&kept).collect();
            past.not_by_itself(bindings, &packages)
        };
        let floor = Arc::new(Floor {
            plant: Arc::clone(&plant),
            engine: Engine::new(options.limits.unwrap_or_else(|| limits(&plant)))?,
            cache: data.join("compiled"),
            data: data.clone(),
            shards: asks.clone(),
            meters: meters.clone(),
            host: Arc::clone(&host),
            board: Board::new(plugins::State {
                shelf,
                kept,
                failed,
                declined: past.declined.clone(),
                ..Default::default()
            }),
            chronicle: chronicle.clone(),
            snapshots: store.snapshots(),
            vault: plan::vault(&site),
            clock: Arc::clone(&clock),
            bus: Arc::clone(&bus),
            incarnations: std::sync::Mutex::default(),
            ended_inside: past.ended_inside.clone(),
            broken: Arc::default(),
            control,
        });
        let cast = start::cast(&floor, &picked, &past);
        let quarantines = Quarantines::read(&floor.control, &plant, &chronicle);
        {
            let mut board = floor.board.lock();
            board.active.clone_from(&cast.active);
            board.pinned.clone_from(&cast.pinned);
            quarantines.show(&cast, &mut board);
        }
        quarantines.tell(&cast, &plant, &chronicle);
        let earlier = EarlierCommands::read(&floor.control, &plant, &chronicle);
        for package in picked.iter().map(|pick| &pick.package) {
            manager::record(&floor, package, &manager::file_name(&package.path));
        }
        for (path, reason) in refused {
            let message = format!("{} is not taken: {reason}", manager::file_name(&path));
            chronicle.tell(Event::new("plugin-refused", Severity::Error, message));
            floor.board.refuse(&path, reason, clock.now());
        }
        let (press, publications) = press::prepare(&site, &plant, &data)?;
        let (exhibit, opcua_server) = opcua_server::start(&site, &plant, &data, &gate, &clock, &chronicle)?;
        let beside = site.beside("");
        let commands = commands::start(
            &plant,
            &store,
            chronicle.clone(),
            Arc::clone(&bus),
            Arc::clone(&clock),
            (&data, &beside),
        )?;
        let alarms = alarms::start(
            &plant,
            floor.control.clone(),
            chronicle.clone(),
            (Arc::clone(&bus), Arc::clone(&press)),
            Arc::clone(&clock),
            commands.asks.clone(),
        )?;
        let (heard_in, heard) = crossbeam_channel::unbounded();
        let (borders_in, borders) = crossbeam_channel::unbounded();
        let mut threads = Vec::new();
        for (number, ((exit, inbox), meters)) in exits.into_iter().zip(inboxes).zip(&meters).enumerate() {
            let shard = Shard::new(Arc::clone(&plant), &members(&plant, number, count));
            let watch = Watch::new(&plant, &shard, alarms.signals.clone(), &alarms.active);
            let parts = ShardParts {
                number,
                plant: Arc::clone(&plant),
                shard,
                cohorts: Cohorts::default(),
                exit,
                asks: inbox,
                recorder: store.recorder(),
                clock: Arc::clone(&clock),
                bus: Arc::clone(&bus),
                chronicle: chronicle.clone(),
                board: floor.board.clone(),
                host: Arc::clone(&host),
                meters: Arc::clone(meters),
                crumb: Arc::new(Crumb::open(&data, number)),
                notes: heard_in.clone(),
                borders: borders_in.clone(),
                alarms: watch,
                press: Arc::clone(&press),
                exhibit: Arc::clone(&exhibit),
                commands: commands::watch::Watch::new(&plant, commands.told.clone()),
            };
            threads.push(start::shard(parts, &cast, &quarantines, &earlier, &store)?);
        }
        drop(borders_in);
        // It ends when all shards have, and comes after them in the order of the threads.
        drop(alarms.signals);
        threads.push(alarms.thread);
        drop(commands.told);
        threads.push(commands.thread);
        let keeper = Keeper::start(
            Arc::clone(&plant),
            asks.clone(),
            Arc::clone(&store),
            chronicle.clone(),
            borders,
            snapshot_every,
        )?;
        let changes_in = heard_in.clone();
        let plugins_folder = folder.path().to_owned();
        let watcher = Watcher::start(folder, move |change| {
            // The manager ends only after the watcher was dropped.
            drop(changes_in.send(Heard::Change(change)));
        })?;
        let manager = Manager::new(Arc::clone(&floor), heard, heard_in.clone());
        let thread = std::thread::Builder::new().name("plugins".to_owned());
        let (plugins_vital, alive) = vitals::Vital::waiting("plugins");
        threads.push(thread.spawn(move || {
            manager.run();
            drop(alive);
        })?);
        // What can still be in the way comes before the first connection, which others notice.
        let replays = field::replays(&plant, &mut routes, &beside, &lanes, &clock, &chronicle)?;
        let folders = (data.as_path(), beside.as_path());
        let sources = Arc::new(field::start(&plant, &mut routes, folders, &lanes, &clock, &chronicle)?);
        let publishing = press::start(publications, &clock, &chronicle);

        let mut by_id: Vec<TwinIndex> = plant.indices().collect();
        by_id.sort_by(|a, b| id_of(&plant, *a).cmp(id_of(&plant, *b)));
        let rescan = watcher.signal();
        let certificates =
            certificates::Certificates::new(&site, &data, Arc::clone(&clock), chronicle.clone());
        let rooms = Arc::new(Rooms {
            certificates: certificates.clone(),
            shard_of: plant.indices().map(|twin| shard_number(twin, count)).collect(),
            by_id,
            shards: asks.clone(),
            meters,
            store: Arc::clone(&store),
            board: floor.board.clone(),
            manager: heard_in.clone(),
            alarms: alarms.asks,
            commands: commands.asks.clone(),
            vitals: vec![alarms.vital, commands.vital, plugins_vital, keeper.vital()],
            command_meters: commands.meters,
            sources: Arc::clone(&sources),
            replayed: replays.refusals,
            opcua_server: opcua_server.as_ref().map(|server| (Arc::clone(server.stats()), exhibit)),
            studies: Arc::new(Semaphore::new(1)),
            clock: Arc::clone(&clock),
            started: clock.now(),
            plugins: plugins_folder,
            rescan: Box::new(move || rescan.rescan()),
            plant: Arc::clone(&plant),
        });
        let (stop_serving, stopped) = watch::channel(false);
        let hosts = site.document.http.hosts.clone();
        let mut followers =
            vec![tokio::spawn(access::follow(Arc::clone(&gate), kept_access, chronicle.clone()))];
        followers.push(tokio::spawn(certificates.follow()));
        if let Some((pair, tls)) = certificate.zip(tls.clone()) {
            followers.push(tokio::spawn(pair.follow(tls, chronicle.clone())));
        }
        followers.extend(issuer.map(tokio::spawn));
        let (secure, open) = (tls.is_some(), gate.is_open());
        let (address, server) =
            serve(listener, hosts, Arc::clone(&rooms), &bus, &clock, (gate, tls), stopped)?;
        chronicle.tell(Event::new(
            "host-started",
            Severity::Info,
            format!("{} runs with {} twins on {count} shards", plant.name, plant.twins.len()),
        ));
        Ok(Self {
            name: plant.name.clone(),
            address,
            secure,
            open,
            followers,
            token_file,
            rooms,
            sources,
            replays: replays.tasks,
            publishing,
            opcua_server,
            asks,
            threads,
            broken: Arc::clone(&floor.broken),
            manager: heard_in,
            commands: commands.asks,
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
        format!("{}://{}/", if self.secure { "https" } else { "http" }, self.address)
    }

    /// Where the token for whatever writes is kept; `None` when there are users, who log in.
    pub(crate) fn token_file(&self) -> Option<&Path> {
        self.open.then_some(self.token_file.as_path())
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
}

/// Room for the instances that this plant may need, and no more: the fewer, the more address space each one has, and
/// with four gibibytes compiled code need not check its bounds.
fn limits(plant: &Plant) -> Limits {
    let dedicated = plant.bindings.iter().filter(|binding| binding.isolation == Isolation::Dedicated);
    let twins: usize = dedicated.map(|binding| binding.twins.len()).sum();
    // Each twin twice during a rollout.
    let wanted = u32::try_from(twins.saturating_mul(2)).unwrap_or(u32::MAX).saturating_add(INSTANCES_SPARE);
    let usual = Limits::default();
    Limits {
        instances_max: wanted.min(usual.instances_max),
        fuel_per_row_max: plant.limits.fuel_per_row_max,
        ..usual
    }
}

fn id_of(plant: &Plant, twin: TwinIndex) -> &str {
    plant.twin(twin).map_or("", |twin| &*twin.id)
}
