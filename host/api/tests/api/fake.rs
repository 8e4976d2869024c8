//! A house of plain values, and the api served over it on a free port.

mod served;
mod values;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use geminus_access::Scope;
use geminus_alarm::{Action, Order, Shown};
use geminus_api::metrics::{Exposition, Histogram, catalogue};
use geminus_api::orders::{CommandOrder, TargetOrder, Wish};
use geminus_api::query::{
    ActivationsQuery, AlarmsQuery, CommandsQuery, HistoryQuery, JournalQuery, TargetsQuery, ThreadQuery,
    TwinsQuery,
};
use geminus_api::view::*;
use geminus_api::{Actor, House, Trouble};
use geminus_core::{Authority, ContextRecord, Digest, Timestamp};
use geminus_rollout::{Phase, Plan};
use geminus_scenario::{ForecastAsk, ForecastReport, Study, StudyReport};

use crate::ahead;
use crate::certificates;
use crate::commands::{self, ID};
use crate::trial::{known, rollout};
pub(crate) use served::{Served, served, served_with};
pub(crate) use values::{entry, summary};
use values::{plugins, twin};

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

impl House for FakeHouse {
    async fn site(&self, scope: Scope) -> Result<SiteView, Trouble> {
        if self.hangs.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        let twins = match scope.is_all() {
            true => TwinCounts { total: 2, live: 1, stale: 0, waiting: 1 },
            false => TwinCounts { total: 1, live: 1, stale: 0, waiting: 0 },
        };
        let inputs = InputsView { samples: 9, refused: 1, late: 2, duplicates: 3 };
        Ok(SiteView {
            name: "test".to_owned(),
            version: "0.1.0".to_owned(),
            started: NOON.into(),
            now: NOON.into(),
            twins,
            alerts: AlertCount::default(),
            inputs: scope.is_all().then_some(inputs),
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

    async fn thread(&self, query: ThreadQuery) -> Result<ThreadView, Trouble> {
        self.note(&query);
        match self.has_twin(&query.twin) {
            true => Ok(crate::thread::view(&query.twin)),
            false => Err(Trouble::NotFound(format!("there is no twin {}", query.twin))),
        }
    }

    async fn keep_records(
        &self,
        twin: String,
        records: Vec<ContextRecord>,
        by: String,
    ) -> Result<RecordsFiledView, Trouble> {
        self.note((&twin, &records, &by));
        match self.has_twin(&twin) {
            true => Ok(RecordsFiledView { new: records.len() as u64, ..RecordsFiledView::default() }),
            false => Err(Trouble::NotFound(format!("there is no twin {twin}"))),
        }
    }

    async fn certificates(&self) -> Result<CertificatesView, Trouble> {
        Ok(certificates::view())
    }

    async fn own_certificate(&self) -> Result<OwnCertificate, Trouble> {
        Ok(certificates::own())
    }

    async fn order_certificate(
        &self,
        thumbprint: String,
        order: CertificateOrder,
        by: String,
    ) -> Result<ServerCertificateView, Trouble> {
        self.note(format!("{} {thumbprint} by {by}", order.name()));
        certificates::ordered(&thumbprint, order)
    }

    async fn order_client_certificate(
        &self,
        thumbprint: String,
        order: CertificateOrder,
        by: String,
    ) -> Result<ClientCertificateView, Trouble> {
        self.note(format!("{} client {thumbprint} by {by}", order.name()));
        certificates::ordered_client(&thumbprint, order)
    }

    async fn plugins(&self) -> Result<PluginsView, Trouble> {
        Ok(plugins())
    }

    async fn upload_plugin(&self, bytes: Bytes, by: String) -> Result<UploadView, Trouble> {
        if !bytes.starts_with(b"\0asm") {
            return Err(Trouble::Invalid("this is not a WebAssembly component".to_owned()));
        }
        self.note(format!("uploaded by {by}"));
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

    async fn forecast(&self, twin: String, ask: ForecastAsk) -> Result<ForecastReport, Trouble> {
        match self.has_twin(&twin) {
            true => Ok(ahead::forecast(twin, &ask)),
            false => Err(Trouble::NotFound(format!("there is no twin {twin}"))),
        }
    }

    async fn what_if(&self, twin: String, study: Study) -> Result<StudyReport, Trouble> {
        match self.has_twin(&twin) {
            true => Ok(ahead::study(twin, &study)),
            false => Err(Trouble::NotFound(format!("there is no twin {twin}"))),
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
