//! A house of plain values, and the api served over it on a free port.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use geminus_access::Gate;
use geminus_alarm::{Action, Order, Shown};
use geminus_api::metrics::{Exposition, Histogram, catalogue};
use geminus_api::orders::{CommandOrder, TargetOrder, Wish};
use geminus_api::query::{
    ActivationsQuery, AlarmsQuery, CommandsQuery, HistoryQuery, JournalQuery, TargetsQuery, TwinsQuery,
};
use geminus_api::view::*;
use geminus_api::{Actor, Asset, BusLimits, EventBus, House, Options, Trouble, router, serve};
use geminus_core::declaration::{Kind, Priority, Role};
use geminus_core::{Authority, Digest, Event, ManualClock, Quality, Severity, Timestamp};
use geminus_rollout::{Phase, Plan};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::commands::{self, ID};
use crate::trial::{known, rollout};

pub(crate) const TOKEN: &str = "a-token-for-tests";
pub(crate) const NOON: Timestamp = Timestamp(1_772_366_400_000_000_000);

#[derive(Default)]
pub(crate) struct FakeHouse {
    pub(crate) uploaded: Mutex<Vec<Bytes>>,
    pub(crate) asked: Mutex<Vec<String>>,
    pub(crate) unready: Mutex<Option<String>>,
    pub(crate) dead: Mutex<Option<String>>,
    /// Site questions hang.
    pub(crate) hangs: AtomicBool,
}

impl FakeHouse {
    fn note(&self, question: impl std::fmt::Debug) {
        self.asked.lock().expect("asked").push(format!("{question:?}"));
    }
}

pub(crate) fn summary(id: &str) -> TwinSummary {
    TwinSummary {
        id: id.to_owned(),
        twin_type: "Pump".to_owned(),
        state: TwinState::Live,
        age_ms: Some(120),
        health: HealthView { index: Some(0.75), verdict: Verdict::Ok },
        alerts: AlertCount { active: 1, highest: Some(Priority::Medium) },
        authority: Authority::Advise,
    }
}

fn point(name: &str, value: Option<f64>, role: Option<Role>) -> PointView {
    PointView {
        name: name.to_owned(),
        unit: "Cel".to_owned(),
        value,
        quality: if value.is_some() { Quality::Good } else { Quality::Missing },
        time: value.map(|_| NOON.into()),
        received: value.map(|_| NOON.into()),
        age_ms: value.map(|_| 5),
        interval_ms: Some(1_000),
        description: String::new(),
        role,
        of: role.map(|_| "temperature".to_owned()),
        behavior: role.map(|_| "thermal".to_owned()),
    }
}

fn twin(id: &str) -> TwinView {
    TwinView {
        summary: summary(id),
        display_name: "Pump one".to_owned(),
        measured: vec![point("temperature", Some(41.5), None), point("flow", None, None)],
        estimated: vec![point("thermal.winding", Some(f64::NAN), Some(Role::Estimate))],
        behaviors: vec![BehaviorView {
            name: "thermal".to_owned(),
            plugin: "motor-thermal".to_owned(),
            version: "1.0.0".to_owned(),
            digest: Digest::of(b"x").to_string(),
            kind: Kind::Estimator,
            state: BehaviorState::WarmingUp,
            rows: 7,
            since: NOON.into(),
            fault: None,
            cost: Some(CostView {
                version: "1.0.0".to_owned(),
                rows: 7,
                fuel: 5_687,
                fuel_per_row: Some(812.4),
                step_ms: 0.25,
                step_us_per_row: None,
                memory_bytes: 1 << 18,
                instance_bytes: 1 << 20,
                instance_twins: 4,
                rebuilds: 0,
                deadline_misses: 0,
                faults: 1,
                strikes: 1,
                substitute: Some("hold".to_owned()),
            }),
            trial: Some(TrialView { rollout: 12, phase: Phase::Canary, authoritative: true, warm: true }),
        }],
        alerts: vec![AlertView {
            code: "too-hot".to_owned(),
            priority: Priority::Medium,
            text: "Winding is hot".to_owned(),
            value: f64::INFINITY,
            unit: "Cel".to_owned(),
            detail: String::new(),
            since: NOON.into(),
            behavior: "thermal".to_owned(),
        }],
        suppressed_alerts: 0,
    }
}

pub(crate) fn entry(seq: u64, twin: Option<&str>) -> EntryView {
    let event = Event::new("swap-done", Severity::Info, "motor-thermal runs as 1.0.1");
    let event = match twin {
        Some(twin) => event.twin(twin).facts(serde_json::json!({"rows": 3})),
        None => event,
    };
    EntryView::new(seq, NOON, event)
}

fn plugins() -> PluginsView {
    let plugin = PluginView {
        name: "motor-thermal".to_owned(),
        version: "1.0.0".to_owned(),
        digest: Digest::of(b"x").to_string(),
        kind: Kind::Estimator,
        description: "Winding temperature".to_owned(),
        twins: 2,
        running_for: vec![RunningFor { binding: "thermal".to_owned(), twins: 2 }],
        pinned: 1,
        failed_for: vec!["spare".to_owned()],
        state: PluginState::Active,
        since: None,
        declaration: serde_json::json!({"declaration": 1}),
    };
    let refused =
        RefusedView { file: "broken.wasm".to_owned(), reason: "it is cut off".to_owned(), time: NOON.into() };
    PluginsView { plugins: vec![plugin], refused: vec![refused] }
}

impl House for FakeHouse {
    async fn site(&self) -> Result<SiteView, Trouble> {
        if self.hangs.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        Ok(SiteView {
            name: "test".to_owned(),
            version: "0.1.0".to_owned(),
            started: NOON.into(),
            now: NOON.into(),
            twins: TwinCounts { total: 2, live: 1, stale: 0, waiting: 1 },
            alerts: AlertCount::default(),
            inputs: InputsView { samples: 9, refused: 1, late: 2, duplicates: 3 },
            store: StoreView { writable: false, reason: Some("the disk is full".to_owned()) },
        })
    }

    async fn twins(&self, query: TwinsQuery) -> Result<TwinsView, Trouble> {
        self.note(query);
        Ok(TwinsView { twins: vec![summary("pump-1")], total: 2, next: Some("pump-1".to_owned()) })
    }

    async fn twin(&self, id: String) -> Result<TwinView, Trouble> {
        match id.as_str() {
            "broken" => Err(Trouble::Internal("secret cause".to_owned())),
            "busy" => Err(Trouble::Unavailable("the site is being loaded".to_owned())),
            _ if self.has_twin(&id) => Ok(twin(&id)),
            _ => Err(Trouble::NotFound(format!("there is no twin {id}"))),
        }
    }

    fn has_twin(&self, id: &str) -> bool {
        id.starts_with("pump")
    }

    async fn history(&self, query: HistoryQuery) -> Result<HistoryView, Trouble> {
        self.note(&query);
        let (from, to) = query.range(Some(NOON));
        let series = SeriesView {
            point: "temperature".to_owned(),
            unit: "Cel".to_owned(),
            decimated: true,
            times_ms: vec![1, 2],
            values: vec![1.5, f64::NAN],
            min: vec![1.0, f64::NEG_INFINITY],
            max: vec![2.0, f64::INFINITY],
            quality: vec![0, 4],
        };
        let marks = vec![MarkView { time_ms: 2, kind: MarkKind::Swap, text: "1.0.1".to_owned() }];
        Ok(HistoryView { twin: query.twin, from: from.into(), to: to.into(), series: vec![series], marks })
    }

    async fn plugins(&self) -> Result<PluginsView, Trouble> {
        Ok(plugins())
    }

    async fn upload_plugin(&self, bytes: Bytes) -> Result<UploadView, Trouble> {
        if !bytes.starts_with(b"\0asm") {
            return Err(Trouble::Invalid("this is not a WebAssembly component".to_owned()));
        }
        let digest = Digest::of(&bytes);
        self.uploaded.lock().expect("uploaded").push(bytes);
        Ok(UploadView { file: format!("{}.wasm", digest.short()), digest: digest.to_string() })
    }

    async fn alarms(&self, query: AlarmsQuery) -> Result<AlarmsView, Trouble> {
        self.note(&query);
        if query.twin.as_deref().is_some_and(|twin| !self.has_twin(twin)) {
            return Err(Trouble::NotFound("there is no such twin".to_owned()));
        }
        Ok(crate::alarms::view())
    }

    async fn order_alarm(&self, twin: String, name: String, order: Order) -> Result<AlarmView, Trouble> {
        self.note((&twin, &name, &order));
        match (name.as_str(), order.action) {
            ("winding-hot", Action::Acknowledge) => {
                let at = NOON.into();
                let mark = AlarmMark { by: order.by, at, reason: order.reason, until: None };
                let alarm = crate::alarms::alarm();
                Ok(AlarmView { state: Shown::Acknowledged, acknowledged: Some(mark), ..alarm })
            }
            ("winding-hot", Action::Shelve { minutes: 500 }) => {
                Err(Trouble::Invalid("an alarm can be shelved for 1 to 480 minutes, not 500".to_owned()))
            }
            ("winding-hot", Action::Reset) => Err(Trouble::Conflict("the alarm is not latched".to_owned())),
            ("winding-hot", _) => Ok(crate::alarms::alarm()),
            _ => Err(Trouble::NotFound(format!("{twin} has no alarm {name}"))),
        }
    }

    async fn commands(&self, query: CommandsQuery) -> Result<CommandsView, Trouble> {
        self.note(&query);
        match query.twin.as_deref().is_some_and(|twin| !self.has_twin(twin)) {
            true => Err(Trouble::NotFound("there is no such twin".to_owned())),
            false => Ok(commands::view()),
        }
    }

    async fn command(&self, id: uuid::Uuid) -> Result<CommandDetail, Trouble> {
        self.note(format!("command {id}"));
        match id == ID {
            true => Ok(commands::detail()),
            false => Err(Trouble::NotFound(format!("there is no command {id}"))),
        }
    }

    async fn propose(&self, wish: Wish, actor: Actor) -> Result<(CommandView, bool), Trouble> {
        self.note((&wish, &actor));
        match (wish.twin.as_str(), wish.target.as_str()) {
            ("pump-1", "load-limit") => Ok((commands::command(), wish.id.is_none())),
            ("pump-1", "busy") => Err(Trouble::Unavailable("the outbox cannot be written".to_owned())),
            ("pump-1", "taken") => Err(Trouble::Conflict("the id is of another command".to_owned())),
            (twin, target) => Err(Trouble::NotFound(format!("{twin} has no target {target}"))),
        }
    }

    async fn order_command(
        &self,
        id: uuid::Uuid,
        order: CommandOrder,
        actor: Actor,
    ) -> Result<CommandView, Trouble> {
        self.note((&order, &actor));
        match order {
            _ if id != ID => Err(Trouble::NotFound(format!("there is no command {id}"))),
            CommandOrder::Resolve { .. } => {
                Err(Trouble::Conflict("resolve is not possible for a command that is held".to_owned()))
            }
            _ => Ok(commands::command()),
        }
    }

    async fn targets(&self, query: TargetsQuery) -> Result<TargetsView, Trouble> {
        self.note(query);
        Ok(commands::targets())
    }

    async fn order_target(
        &self,
        twin: String,
        name: String,
        order: TargetOrder,
        actor: Actor,
    ) -> Result<TargetView, Trouble> {
        self.note((&twin, &name, &order, &actor));
        match (name.as_str(), order) {
            ("load-limit", TargetOrder::Reset { rule }) => {
                Err(Trouble::Conflict(format!("\"{rule}\" is still tripped: remove the cause first")))
            }
            ("load-limit", _) => Ok(commands::target()),
            _ => Err(Trouble::NotFound(format!("{twin} has no target {name}"))),
        }
    }

    async fn authority(&self, twin: String) -> Result<AuthorityView, Trouble> {
        match self.has_twin(&twin) {
            true => Ok(commands::authority()),
            false => Err(Trouble::NotFound(format!("there is no twin {twin}"))),
        }
    }

    async fn order_authority(
        &self,
        twin: String,
        level: Authority,
        reason: String,
        actor: Actor,
    ) -> Result<AuthorityView, Trouble> {
        self.note((&twin, level, &reason, &actor));
        match level {
            Authority::Control => Ok(commands::authority()),
            _ => Err(Trouble::Conflict("the site gives it no more than it has".to_owned())),
        }
    }

    async fn rollouts(&self) -> Result<RolloutsView, Trouble> {
        let over = RolloutView { id: 11, phase: Phase::RolledBack, ended: Some(NOON.into()), ..rollout(11) };
        let listed = |view: RolloutView| RolloutView { evidence: serde_json::Value::Null, ..view };
        Ok(RolloutsView { rollouts: vec![listed(rollout(12)), listed(over)] })
    }

    async fn rollout(&self, id: u64) -> Result<RolloutView, Trouble> {
        known(id)
    }

    async fn plan_rollout(&self, plan: Plan) -> Result<RolloutPreview, Trouble> {
        self.note(format!("plan {}@{}", plan.plugin, plan.version));
        if plan.plugin != "motor-thermal" {
            return Err(Trouble::NotFound(format!("there is no plugin {}", plan.plugin)));
        }
        let view = rollout(0);
        Ok(RolloutPreview {
            binding: Some(view.binding),
            plugin: view.plugin,
            from: view.from,
            to: Some(view.to),
            twins: vec!["pump-1".to_owned(), "pump-2".to_owned()],
            twins_total: 2,
            canary: vec!["pump-1".to_owned()],
            plan: serde_json::to_value(plan).expect("plan"),
            diff: view.diff,
            phases: vec![PlannedPhase {
                phase: Phase::Probation,
                text: "60 s at least".to_owned(),
                seconds_max: 600,
            }],
            refusals: vec!["rollout 12 of thermal is under way".to_owned()],
        })
    }

    async fn start_rollout(&self, plan: Plan, by: String) -> Result<RolloutView, Trouble> {
        self.note(format!("start {}@{} by {by}", plan.plugin, plan.version));
        match plan.behavior.as_deref() {
            Some("busy") => {
                Err(Trouble::Conflict("rollout 12 of busy is under way: cancel it first".to_owned()))
            }
            Some("thermal") => Ok(RolloutView { by, automatic: false, ..rollout(13) }),
            _ => Err(Trouble::NotFound("no behavior of the site uses it".to_owned())),
        }
    }

    async fn order_rollout(&self, id: u64, order: RolloutOrder, by: String) -> Result<RolloutView, Trouble> {
        let view = known(id)?;
        self.note(format!("{} {id} by {by}", order.name()));
        match order {
            RolloutOrder::Rollback => Err(Trouble::Conflict(format!(
                "rollout {id}: the old version is already being dropped: start a rollout of it instead"
            ))),
            RolloutOrder::Promote => Ok(RolloutView { phase: Phase::Promoting, ..view }),
            RolloutOrder::Cancel => Ok(RolloutView { phase: Phase::Withdrawing, ..view }),
        }
    }

    async fn activations(&self, query: ActivationsQuery) -> Result<ActivationsView, Trouble> {
        self.note(query);
        let activation = |rollout| ActivationView {
            time: NOON.into(),
            binding: "thermal".to_owned(),
            plugin: "motor-thermal".to_owned(),
            version: "1.0.0".to_owned(),
            digest: Digest::of(b"x").to_string(),
            twins: 2,
            rollout,
            outcome: "activated".to_owned(),
        };
        Ok(ActivationsView { activations: vec![activation(Some(12)), activation(None)] })
    }

    async fn journal(&self, query: JournalQuery) -> Result<JournalView, Trouble> {
        self.note(query);
        Ok(JournalView { entries: vec![entry(7, Some("pump-1")), entry(6, None)], next: Some(6) })
    }

    fn ready(&self) -> Result<(), String> {
        self.unready.lock().expect("unready").clone().map_or(Ok(()), Err)
    }

    fn alive(&self) -> Result<(), String> {
        self.dead.lock().expect("dead").clone().map_or(Ok(()), Err)
    }

    fn metrics(&self, out: &mut Exposition) {
        out.count(&catalogue::INFO, &["0.1.0"], 1);
        out.count(&catalogue::SAMPLES, &["accepted"], 9);
        let commits = Histogram { bounds: vec![0.01], counts: vec![3, 1], sum: 0.25 };
        out.histogram(&catalogue::SWAP_PAUSE_SECONDS, &[], &commits);
    }
}

fn asset(path: &str) -> Option<Asset> {
    let (bytes, content_type): (&'static [u8], _) = match path {
        "index.html" => (b"<!doctype html><title>Geminus</title>", "text/html; charset=utf-8"),
        "assets/index-1a2b.js" => (b"void 0", "text/javascript"),
        _ => return None,
    };
    Some(Asset { bytes: bytes.into(), content_type: content_type.into(), etag: "\"e1\"".to_owned() })
}

/// The api, served.
pub(crate) struct Served {
    pub(crate) at: SocketAddr,
    pub(crate) house: Arc<FakeHouse>,
    pub(crate) bus: Arc<EventBus>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) stop: Option<oneshot::Sender<()>>,
    pub(crate) done: tokio::task::JoinHandle<Result<(), geminus_api::ServeError>>,
}

pub(crate) async fn served() -> Served {
    served_with(|_| {}, |_| {}).await
}

pub(crate) async fn served_with(bus: impl FnOnce(&mut BusLimits), with: impl FnOnce(&mut Options)) -> Served {
    let clock = Arc::new(ManualClock::new(NOON));
    let mut bus_limits = BusLimits::default();
    bus(&mut bus_limits);
    let bus = EventBus::new(clock.clone(), bus_limits);
    let gate = Arc::new(Gate::local(Digest::of(TOKEN.as_bytes())));
    let mut options = Options::new("0.1.0", gate, Arc::clone(&bus), clock.clone());
    options.dashboard = Some(asset);
    options.limits.values_interval = std::time::Duration::from_millis(1);
    with(&mut options);
    let traffic = Arc::clone(&options.traffic);
    let house = Arc::new(FakeHouse::default());
    let router = router(Arc::clone(&house), options);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let at = listener.local_addr().expect("address");
    let (stop, stopped) = oneshot::channel::<()>();
    let stopped = async move { stopped.await.unwrap_or_default() };
    let done = tokio::spawn(serve(listener, router, traffic, None, stopped));
    Served { at, house, bus, clock, stop: Some(stop), done }
}
