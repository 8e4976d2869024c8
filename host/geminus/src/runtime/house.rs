//! The house as the API sees it: questions go to shards as messages, to the store on blocking threads.

mod ahead;
mod glance;
mod history;
mod kept_commands;
mod marks;
mod metrics;
mod plugins;
mod thread;

pub(crate) use metrics::pause_histogram;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use crossbeam_channel::Sender;
use geminus_access::Scope;
use geminus_alarm::Order;
use geminus_api::metrics::Exposition;
use geminus_api::orders::{CommandOrder, TargetOrder, Wish};
use geminus_api::query::{
    ActivationsQuery, AlarmsQuery, CommandsQuery, HistoryQuery, JournalQuery, TargetsQuery, ThreadQuery,
    TwinsQuery,
};
use geminus_api::{Actor, House, Trouble, view as api};
use geminus_core::{Authority, Clock, ContextRecord, Event, Severity, Timestamp, TwinIndex};
use geminus_ingest::Reason;
use geminus_ingest::refusal::RefusalCounts;
use geminus_opcua::server::ServerStats;
use geminus_registry::{Package, store_bytes};
use geminus_rollout::Plan;
use geminus_scenario::{ForecastAsk, ForecastReport, Study, StudyReport};
use geminus_store::{ActivationFilter, Stats, Store};
use geminus_twin::Plant;
use geminus_twin::shard::Counters;
use tokio::sync::{Semaphore, oneshot};
use uuid::Uuid;

use super::alarms;
use super::certificates::Certificates;
use super::commands;
use super::field::Source;
use super::manager::Heard;
use super::message::{Ask, Totals};
use super::meters::ShardMeters;
use super::opcua_server::Exhibit;
use super::plugins::Board;
use super::proposals;
use super::rollouts::Document;
use super::vitals::Vital;

/// A loop that has not turned for this long is not alive.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// Everything that answers.
pub(crate) struct Rooms {
    pub(crate) plant: Arc<Plant>,
    /// Twins in order of id, for pages of the fleet.
    pub(crate) by_id: Vec<TwinIndex>,
    /// Which shard has a twin.
    pub(crate) shard_of: Vec<u16>,
    pub(crate) shards: Vec<Sender<Ask>>,
    pub(crate) meters: Vec<Arc<ShardMeters>>,
    pub(crate) store: Arc<Store>,
    pub(crate) board: Board,
    pub(crate) manager: Sender<Heard>,
    pub(crate) alarms: Sender<alarms::Ask>,
    pub(crate) commands: Sender<commands::Ask>,
    /// Threads beside the shards.
    pub(crate) vitals: Vec<Arc<Vital>>,
    pub(crate) command_meters: Arc<commands::Meters>,
    pub(crate) sources: Arc<Vec<Source>>,
    pub(crate) certificates: Certificates,
    /// What each recording that is played refused.
    pub(crate) replayed: Vec<Arc<RefusalCounts>>,
    /// The OPC UA server of the site, if it has one, and what it shows.
    pub(crate) opcua_server: Option<(Arc<ServerStats>, Arc<Exhibit>)>,
    /// The one place for a study.
    pub(crate) studies: Arc<Semaphore>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) started: Timestamp,
    pub(crate) plugins: PathBuf,
    pub(crate) rescan: Box<dyn Fn() + Send + Sync>,
}

impl Rooms {
    fn find(&self, id: &str) -> Option<TwinIndex> {
        let found =
            self.by_id.binary_search_by(|index| self.plant.twin(*index).map_or("", |twin| &*twin.id).cmp(id));
        found.ok().and_then(|place| self.by_id.get(place)).copied()
    }

    /// Whether id, display name or type of a twin contains `text`, which is in lower case.
    fn is_meant(&self, twin: TwinIndex, text: &str) -> bool {
        let Some(twin) = self.plant.twin(twin) else { return false };
        let has = |words: &str| words.to_lowercase().contains(text);
        has(&twin.id)
            || has(&self.plant.display_name(twin))
            || self.plant.kind(twin).is_some_and(|kind| has(&kind.type_id))
    }

    fn known(&self, id: &str) -> Result<TwinIndex, Trouble> {
        self.find(id).ok_or_else(|| Trouble::NotFound(format!("there is no twin {id}")))
    }

    fn shard(&self, twin: TwinIndex) -> Option<&Sender<Ask>> {
        self.shards.get(usize::from(*self.shard_of.get(twin.0 as usize)?))
    }

    async fn ask<T>(
        &self,
        twin: TwinIndex,
        make: impl FnOnce(oneshot::Sender<T>) -> Ask,
    ) -> Result<T, Trouble> {
        let shard = self.shard(twin).ok_or_else(|| Trouble::Internal("no shard has this twin".to_owned()))?;
        ask(shard, make).await
    }

    /// Asks every shard and gives the answers in order of shards.
    async fn ask_all<T>(&self, make: impl Fn(oneshot::Sender<T>) -> Ask) -> Result<Vec<T>, Trouble> {
        let mut answers = Vec::with_capacity(self.shards.len());
        for shard in &self.shards {
            answers.push(ask(shard, &make).await?);
        }
        Ok(answers)
    }

    async fn manage<T>(&self, make: impl FnOnce(oneshot::Sender<T>) -> Heard) -> Result<T, Trouble> {
        let (reply, answer) = oneshot::channel();
        let stopping = || Trouble::Unavailable("the host is stopping".to_owned());
        self.manager.send(make(reply)).map_err(|_| stopping())?;
        answer.await.map_err(|_| stopping())
    }

    async fn desk<T>(&self, make: impl FnOnce(oneshot::Sender<T>) -> alarms::Ask) -> Result<T, Trouble> {
        let (reply, answer) = oneshot::channel();
        let stopping = || Trouble::Unavailable("the host is stopping".to_owned());
        self.alarms.send(make(reply)).map_err(|_| stopping())?;
        answer.await.map_err(|_| stopping())
    }

    async fn desk_of_commands<T>(
        &self,
        make: impl FnOnce(oneshot::Sender<Result<T, Trouble>>) -> commands::Ask,
    ) -> Result<T, Trouble> {
        let (reply, answer) = oneshot::channel();
        let stopping = || Trouble::Unavailable("the host is stopping".to_owned());
        self.commands.send(make(reply)).map_err(|_| stopping())?;
        answer.await.map_err(|_| stopping())?
    }

    fn counters(&self) -> Counters {
        self.meters.iter().map(|meters| meters.counters()).fold(Counters::default(), Counters::plus)
    }

    /// Refused by sources for any of `reasons`.
    fn refused_for(&self, reasons: &[Reason]) -> u64 {
        let all = |counts: &RefusalCounts| reasons.iter().map(|reason| counts.of(*reason)).sum::<u64>();
        let live = self.sources.iter().map(|source| source.handle.refused_for(reasons));
        live.chain(self.replayed.iter().map(|counts| all(counts))).sum()
    }

    fn refused(&self) -> u64 {
        self.refused_for(&Reason::ALL) + self.counters().refused
    }

    /// As of a second ago at most, five for a large fleet.
    fn totals(&self) -> Totals {
        self.meters.iter().map(|meters| meters.totals()).fold(Totals::default(), Totals::plus)
    }

    fn verdicts(&self) -> [u64; proposals::VERDICTS.len()] {
        self.meters.iter().map(|meters| meters.verdicts()).fold(
            [0; proposals::VERDICTS.len()],
            |sum, part| {
                std::array::from_fn(|place| sum.get(place).unwrap_or(&0) + part.get(place).unwrap_or(&0))
            },
        )
    }

    fn store_view(stats: &Stats) -> api::StoreView {
        api::StoreView {
            writable: stats.writable && stats.journal.writable,
            reason: stats.reason.clone().or_else(|| stats.journal.reason.clone()),
        }
    }
}

async fn ask<T>(shard: &Sender<Ask>, make: impl FnOnce(oneshot::Sender<T>) -> Ask) -> Result<T, Trouble> {
    let (reply, answer) = oneshot::channel();
    let stopping = || Trouble::Unavailable("the host is stopping".to_owned());
    shard.send(make(reply)).map_err(|_| stopping())?;
    answer.await.map_err(|_| stopping())
}

/// Work that blocks on files.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, geminus_store::StoreError> + Send + 'static,
) -> Result<T, Trouble> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(|error| Trouble::Internal(error.to_string())),
        Err(error) => Err(Trouble::Internal(error.to_string())),
    }
}

impl House for Rooms {
    async fn site(&self, scope: Scope) -> Result<api::SiteView, Trouble> {
        self.glance(&scope).await
    }

    async fn twins(&self, query: TwinsQuery) -> Result<api::TwinsView, Trouble> {
        let id = |twin: &TwinIndex| self.plant.twin(*twin).map_or("", |twin| &*twin.id);
        let mut matches: Vec<TwinIndex> = self.by_id.clone();
        if !query.scope.is_all() {
            matches.retain(|twin| query.scope.contains(id(twin)));
        }
        if let Some(text) = query.search.as_deref().map(str::to_lowercase) {
            matches.retain(|twin| self.is_meant(*twin, &text));
        }
        if let Some(state) = query.state {
            let here = self.ask_all(|reply| Ask::InState(state, reply)).await?;
            let here: std::collections::HashSet<TwinIndex> = here.into_iter().flatten().collect();
            matches.retain(|twin| here.contains(twin));
        }
        let total = matches.len() as u64;
        if let Some(after) = &query.after {
            matches.retain(|twin| id(twin) > after.as_str());
        }
        let more = matches.len() > query.limit as usize;
        matches.truncate(query.limit as usize);
        let next = matches.last().filter(|_| more).map(|twin| id(twin).to_owned());
        let mut twins = Vec::with_capacity(matches.len());
        for (shard, mine) in self.by_shard(&matches) {
            twins.extend(ask(shard, |reply| Ask::Summaries(mine, reply)).await?);
        }
        twins.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(api::TwinsView { twins, total, next })
    }

    async fn twin(&self, id: String) -> Result<api::TwinView, Trouble> {
        let twin = self.known(&id)?;
        let view = self.ask(twin, |reply| Ask::Twin(twin, reply)).await?;
        view.ok_or_else(|| Trouble::Internal(format!("no shard knows {id}")))
    }

    fn has_twin(&self, id: &str) -> bool {
        self.find(id).is_some()
    }

    async fn history(&self, query: HistoryQuery) -> Result<api::HistoryView, Trouble> {
        self.past(query).await
    }

    async fn forecast(&self, twin: String, ask: ForecastAsk) -> Result<ForecastReport, Trouble> {
        self.foresee(twin, ask).await
    }

    async fn what_if(&self, twin: String, study: Study) -> Result<StudyReport, Trouble> {
        self.explore(twin, study).await
    }

    async fn thread(&self, query: ThreadQuery) -> Result<api::ThreadView, Trouble> {
        self.page_of_thread(query).await
    }

    async fn keep_records(
        &self,
        twin: String,
        records: Vec<ContextRecord>,
        by: String,
    ) -> Result<api::RecordsFiledView, Trouble> {
        self.file_records(twin, records, by).await
    }

    async fn certificates(&self) -> Result<api::CertificatesView, Trouble> {
        self.certificates.ask(Certificates::view).await
    }

    async fn own_certificate(&self) -> Result<api::OwnCertificate, Trouble> {
        self.certificates.ask(Certificates::own).await
    }

    async fn order_certificate(
        &self,
        thumbprint: String,
        order: api::CertificateOrder,
        by: String,
    ) -> Result<api::ServerCertificateView, Trouble> {
        self.certificates.ask(move |own| own.order(&thumbprint, order, &by)).await
    }

    async fn order_client_certificate(
        &self,
        thumbprint: String,
        order: api::CertificateOrder,
        by: String,
    ) -> Result<api::ClientCertificateView, Trouble> {
        self.certificates.ask(move |own| own.order_client(&thumbprint, order, &by)).await
    }

    async fn plugins(&self) -> Result<api::PluginsView, Trouble> {
        Ok(plugins::plugins(&self.board, &self.plant))
    }

    async fn upload_plugin(&self, bytes: Bytes, by: String) -> Result<api::UploadView, Trouble> {
        let package = Package::check(std::path::Path::new("upload.wasm"), bytes.to_vec())
            .map_err(|error| Trouble::Invalid(error.to_string()))?;
        let file = format!("{}.wasm", package.declaration.name);
        let (folder, name, digest) = (self.plugins.clone(), file.clone(), package.digest.to_string());
        let written = tokio::task::spawn_blocking(move || store_bytes(&folder, &name, &package.bytes)).await;
        match written {
            Ok(Ok(_)) => {
                let message = format!("{by} put {file} into the plugin folder");
                let facts = serde_json::json!({"by": by, "file": file, "digest": digest});
                let word = Event::new("plugin-uploaded", Severity::Info, message).facts(facts);
                self.store.journal().write(word);
                (self.rescan)();
                Ok(api::UploadView { file, digest })
            }
            Ok(Err(error)) => {
                Err(Trouble::Unavailable(format!("the plugin folder cannot be written: {error}")))
            }
            Err(error) => Err(Trouble::Internal(error.to_string())),
        }
    }

    async fn rollouts(&self) -> Result<api::RolloutsView, Trouble> {
        let board = self.board.lock();
        let newest = board.rollouts.iter().rev().take(api::ROLLOUTS_MAX);
        Ok(api::RolloutsView { rollouts: newest.map(|(id, document)| document.view(*id, false)).collect() })
    }

    async fn rollout(&self, id: u64) -> Result<api::RolloutView, Trouble> {
        let known = self.board.lock().rollouts.get(&id).cloned();
        if let Some(document) = known.filter(Document::has_evidence) {
            return Ok(document.view(id, true));
        }
        // One that ended in an earlier run, whose evidence lies in the books.
        let control = self.store.control();
        let record = blocking(move || control.rollout(id)).await?;
        let record = record.ok_or_else(|| Trouble::NotFound(format!("there is no rollout {id}")))?;
        let document = Document::read(&record.document, record.evidence.as_deref());
        document.map(|document| document.view(id, true)).map_err(|error| Trouble::Internal(error.to_string()))
    }

    async fn plan_rollout(&self, plan: Plan) -> Result<api::RolloutPreview, Trouble> {
        self.manage(|reply| Heard::Plan(plan, reply)).await
    }

    async fn start_rollout(&self, plan: Plan, by: String) -> Result<api::RolloutView, Trouble> {
        self.manage(|reply| Heard::Start(plan, by, reply)).await?
    }

    async fn order_rollout(
        &self,
        id: u64,
        order: api::RolloutOrder,
        by: String,
    ) -> Result<api::RolloutView, Trouble> {
        self.manage(|reply| Heard::Order(id, order, by, reply)).await?
    }

    async fn activations(&self, query: ActivationsQuery) -> Result<api::ActivationsView, Trouble> {
        let control = self.store.control();
        let filter = ActivationFilter {
            binding: query.binding,
            plugin: query.plugin,
            rollout: None,
            limit: query.limit as usize,
        };
        let past = blocking(move || control.activations(&filter)).await?;
        Ok(api::ActivationsView { activations: past.into_iter().map(plugins::activation).collect() })
    }

    async fn alarms(&self, query: AlarmsQuery) -> Result<api::AlarmsView, Trouble> {
        let twin = query.twin.as_deref().map(|id| self.known(id)).transpose()?;
        self.desk(|reply| alarms::Ask::List(query, twin, reply)).await
    }

    async fn order_alarm(&self, twin: String, name: String, order: Order) -> Result<api::AlarmView, Trouble> {
        let twin = self.known(&twin)?;
        self.desk(|reply| alarms::Ask::Order(twin, name, order, reply)).await?
    }

    async fn commands(&self, query: CommandsQuery) -> Result<api::CommandsView, Trouble> {
        self.page_of_commands(query).await
    }

    async fn command(&self, id: Uuid) -> Result<api::CommandDetail, Trouble> {
        self.one_command(id).await
    }

    async fn propose(&self, wish: Wish, actor: Actor) -> Result<(api::CommandView, bool), Trouble> {
        self.desk_of_commands(|reply| commands::Ask::Propose(wish, actor, reply)).await
    }

    async fn order_command(
        &self,
        id: Uuid,
        order: CommandOrder,
        actor: Actor,
    ) -> Result<api::CommandView, Trouble> {
        self.desk_of_commands(|reply| commands::Ask::Order(id, order, actor, reply)).await
    }

    async fn targets(&self, query: TargetsQuery) -> Result<api::TargetsView, Trouble> {
        query.twin.as_deref().map(|id| self.known(id)).transpose()?;
        let mut view = self.desk_of_commands(|reply| commands::Ask::Targets(query.twin, reply)).await?;
        view.targets.retain(|target| query.scope.contains(&target.twin));
        view.authorities.retain(|authority| query.scope.contains(&authority.twin));
        Ok(view)
    }

    async fn order_target(
        &self,
        twin: String,
        name: String,
        order: TargetOrder,
        actor: Actor,
    ) -> Result<api::TargetView, Trouble> {
        self.desk_of_commands(|reply| commands::Ask::Target(twin, name, order, actor, reply)).await
    }

    async fn authority(&self, twin: String) -> Result<api::AuthorityView, Trouble> {
        self.desk_of_commands(|reply| commands::Ask::Authority(twin, reply)).await
    }

    async fn order_authority(
        &self,
        twin: String,
        level: Authority,
        reason: String,
        actor: Actor,
    ) -> Result<api::AuthorityView, Trouble> {
        self.desk_of_commands(|reply| commands::Ask::Arm(twin, level, reason, actor, reply)).await
    }

    async fn journal(&self, query: JournalQuery) -> Result<api::JournalView, Trouble> {
        let journal = self.store.journal();
        let limit = query.limit as usize;
        // One more than asked tells whether there is a next page.
        let entries =
            blocking(move || journal.latest(limit + 1, query.before, query.twin.as_deref())).await?;
        let more = entries.len() > limit;
        let entries: Vec<api::EntryView> = entries
            .into_iter()
            .take(limit)
            .map(|entry| api::EntryView::new(entry.seq, entry.time, entry.event))
            .collect();
        let next = entries.last().filter(|_| more).map(|entry| entry.seq);
        Ok(api::JournalView { entries, next })
    }

    fn ready(&self) -> Result<(), String> {
        let stats = self.store.stats();
        match Self::store_view(&stats) {
            api::StoreView { writable: true, .. } => Ok(()),
            api::StoreView { reason, .. } => {
                Err(reason.unwrap_or_else(|| "the store is not writable".to_owned()))
            }
        }
    }

    fn alive(&self) -> Result<(), String> {
        let now = self.clock.monotonic();
        let silent = self.meters.iter().position(|meters| meters.silence(now) > SILENCE_MAX);
        let trouble = silent.map(|number| format!("shard {number} has not turned for {SILENCE_MAX:?}"));
        let other = || self.vitals.iter().find_map(|vital| vital.trouble(now, SILENCE_MAX));
        trouble.or_else(other).map_or(Ok(()), Err)
    }

    fn metrics(&self, out: &mut Exposition) {
        self.measure(out);
    }
}
