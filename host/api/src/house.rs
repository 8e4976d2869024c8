//! What the api asks of the running host. The binary implements it over the rooms; tests implement it over
//! plain values. The api itself keeps nothing but the event bus.

use std::future::Future;

use bytes::Bytes;
use geminus_access::Scope;
use geminus_alarm::Order;
use geminus_core::{Authority, ContextRecord};
use geminus_rollout::Plan;
use geminus_scenario::{ForecastAsk, ForecastReport, Study, StudyReport};
use uuid::Uuid;

use crate::actor::Actor;
use crate::metrics::Exposition;
use crate::orders::{CommandOrder, TargetOrder, Wish};
use crate::query::{
    ActivationsQuery, AlarmsQuery, CommandsQuery, HistoryQuery, JournalQuery, TargetsQuery, ThreadQuery,
    TwinsQuery,
};
use crate::view::{
    ActivationsView, AlarmView, AlarmsView, AuthorityView, CertificateOrder, CertificatesView,
    ClientCertificateView, CommandDetail, CommandView, CommandsView, HistoryView, JournalView,
    OwnCertificate, PluginsView, RecordsFiledView, RolloutOrder, RolloutPreview, RolloutView, RolloutsView,
    ServerCertificateView, SiteView, TargetView, TargetsView, ThreadView, TwinView, TwinsView, UploadView,
};

/// Why the house could not answer. The words go to the client as they are, except those of `Internal`, which
/// go to the log.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// There is no such thing: 404. Names it.
    #[error("{0}")]
    NotFound(String),
    /// The request cannot be carried out as it stands: 400. Says what to change.
    #[error("{0}")]
    Invalid(String),
    /// It cannot be carried out as things stand now: 409. Says what stands in the way.
    #[error("{0}")]
    Conflict(String),
    /// It could be answered at another time: 503. Says what is missing.
    #[error("{0}")]
    Unavailable(String),
    /// A fault of ours: 500. The client reads only that there was one.
    #[error("{0}")]
    Internal(String),
}

/// The running host as the api sees it. All methods are called from tokio threads, many at once; what blocks
/// (history, journal, files) belongs on another thread. A method that takes longer than
/// [`Limits::answer`](crate::Limits) is given up and answered with 503.
pub trait House: Send + Sync + 'static {
    /// The site at a glance, with the counts of the twins inside `scope`.
    ///
    /// # Errors
    /// `Unavailable` while it is being loaded.
    fn site(&self, scope: Scope) -> impl Future<Output = Result<SiteView, Trouble>> + Send;

    /// One page of the fleet, in order of id.
    ///
    /// # Errors
    /// `Unavailable` while the site is being loaded.
    fn twins(&self, query: TwinsQuery) -> impl Future<Output = Result<TwinsView, Trouble>> + Send;

    /// Everything that is known of one twin now.
    ///
    /// # Errors
    /// `NotFound` when there is no such twin.
    fn twin(&self, id: String) -> impl Future<Output = Result<TwinView, Trouble>> + Send;

    /// Whether the site has this twin. Cheap, does not block: asked for every twin of an event stream.
    fn has_twin(&self, id: &str) -> bool;

    /// The past of some points.
    ///
    /// # Errors
    /// `NotFound` when there is no such twin or point.
    fn history(&self, query: HistoryQuery) -> impl Future<Output = Result<HistoryView, Trouble>> + Send;

    /// What a behavior of a twin foresees, asked of a copy of it.
    ///
    /// # Errors
    /// `NotFound` when there is no such twin or behavior, `Invalid` when the question does not fit it, `Conflict` when it
    /// does not forecast or has had no row yet.
    fn forecast(
        &self,
        twin: String,
        ask: ForecastAsk,
    ) -> impl Future<Output = Result<ForecastReport, Trouble>> + Send;

    /// What would be if: computed by copies of a twin, from which nothing leads to the field.
    ///
    /// # Errors
    /// `NotFound` when there is no such twin or behavior, `Invalid` when the study does not fit it or asks for too much,
    /// `Conflict` when it has had no row yet, `Unavailable` while another study is under way.
    fn what_if(
        &self,
        twin: String,
        study: Study,
    ) -> impl Future<Output = Result<StudyReport, Trouble>> + Send;

    /// A page of everything that happened to an asset.
    ///
    /// # Errors
    /// `NotFound` when there is no such twin.
    fn thread(&self, query: ThreadQuery) -> impl Future<Output = Result<ThreadView, Trouble>> + Send;

    /// Keeps records of another system about an asset, at most [`RECORDS_MAX`](crate::RECORDS_MAX), each of which was checked:
    /// all of them or none. `by` is who brings them.
    ///
    /// # Errors
    /// `NotFound` when there is no such twin, `Conflict` when there are too many already, `Unavailable` when they cannot be
    /// written.
    fn keep_records(
        &self,
        twin: String,
        records: Vec<ContextRecord>,
        by: String,
    ) -> impl Future<Output = Result<RecordsFiledView, Trouble>> + Send;

    /// Certificates that the host shows, trusts and rejects.
    ///
    /// # Errors
    /// `Internal` when their folder cannot be read.
    fn certificates(&self) -> impl Future<Output = Result<CertificatesView, Trouble>> + Send;

    /// The host's own towards OPC UA servers, without its key.
    ///
    /// # Errors
    /// `NotFound` before the first attempt to connect to one.
    fn own_certificate(&self) -> impl Future<Output = Result<OwnCertificate, Trouble>> + Send;

    /// Orders something of a server's certificate, and gives it as it stands after, or stood before it was removed.
    /// `thumbprint` is a whole SHA-1 or SHA-256 in small hexadecimal letters.
    ///
    /// # Errors
    /// `NotFound` when no server has shown it, `Conflict` when two share the thumbprint, `Unavailable` when the folder cannot
    /// be written.
    fn order_certificate(
        &self,
        thumbprint: String,
        order: CertificateOrder,
        by: String,
    ) -> impl Future<Output = Result<ServerCertificateView, Trouble>> + Send;

    /// The same of a client's certificate; that of a server which is the same one is left as it stands.
    ///
    /// # Errors
    /// `NotFound` when no client has shown it, otherwise as for a server's.
    fn order_client_certificate(
        &self,
        thumbprint: String,
        order: CertificateOrder,
        by: String,
    ) -> impl Future<Output = Result<ClientCertificateView, Trouble>> + Send;

    /// Plugins that exist.
    ///
    /// # Errors
    /// `Internal` when the registry cannot be asked.
    fn plugins(&self) -> impl Future<Output = Result<PluginsView, Trouble>> + Send;

    /// Writes a component into the plugin folder, by rename. The bytes are not empty and within the limit; what
    /// they are is for the registry to judge.
    ///
    /// # Errors
    /// `Invalid` when they cannot be a component, `Unavailable` when the folder cannot be written.
    fn upload_plugin(
        &self,
        bytes: Bytes,
        by: String,
    ) -> impl Future<Output = Result<UploadView, Trouble>> + Send;

    /// Rollouts, newest first, at most [`ROLLOUTS_MAX`](crate::view::ROLLOUTS_MAX), without their evidence.
    ///
    /// # Errors
    /// `Internal` when they cannot be read.
    fn rollouts(&self) -> impl Future<Output = Result<RolloutsView, Trouble>> + Send;

    /// One rollout with everything that is known of it.
    ///
    /// # Errors
    /// `NotFound` when there is none of this number.
    fn rollout(&self, id: u64) -> impl Future<Output = Result<RolloutView, Trouble>> + Send;

    /// What a plan would do now. Its own mistakes were found before; begins nothing.
    ///
    /// # Errors
    /// `Internal` when the registry cannot be asked. A plan that would be refused is no error.
    fn plan_rollout(&self, plan: Plan) -> impl Future<Output = Result<RolloutPreview, Trouble>> + Send;

    /// Begins a rollout. The plan's own mistakes were found before. `by` is who asked, at most 100 characters.
    ///
    /// # Errors
    /// `Conflict` when another rollout of the behavior is under way, `NotFound` when the plugin, the version, the
    /// behavior or a twin does not exist, `Invalid` when the plan does not fit the site.
    fn start_rollout(
        &self,
        plan: Plan,
        by: String,
    ) -> impl Future<Output = Result<RolloutView, Trouble>> + Send;

    /// Orders something of a rollout that is under way; gives it as it stands after.
    ///
    /// # Errors
    /// `NotFound` when there is none of this number, `Conflict` when the order does not fit its phase.
    fn order_rollout(
        &self,
        id: u64,
        order: RolloutOrder,
        by: String,
    ) -> impl Future<Output = Result<RolloutView, Trouble>> + Send;

    /// Which versions were put to work, newest first.
    ///
    /// # Errors
    /// `Internal` when it cannot be read.
    fn activations(
        &self,
        query: ActivationsQuery,
    ) -> impl Future<Output = Result<ActivationsView, Trouble>> + Send;

    /// Alarms that are not normal, with counts and figures.
    ///
    /// # Errors
    /// `NotFound` when there is no such twin.
    fn alarms(&self, query: AlarmsQuery) -> impl Future<Output = Result<AlarmsView, Trouble>> + Send;

    /// Does something to an alarm, and gives it as it stands after. Who it is and why were checked before: at most
    /// [`BY_CHARS_MAX`](crate::BY_CHARS_MAX) and [`REASON_CHARS_MAX`](geminus_alarm::REASON_CHARS_MAX) characters.
    ///
    /// # Errors
    /// `NotFound` when there is no such twin or alarm, `Conflict` when it does not fit its state, `Invalid` when the time on
    /// the shelf is out of range, `Unavailable` when it could not be written down; then nothing has changed.
    fn order_alarm(
        &self,
        twin: String,
        name: String,
        order: Order,
    ) -> impl Future<Output = Result<AlarmView, Trouble>> + Send;

    /// A page of commands, newest first.
    ///
    /// # Errors
    /// `NotFound` when there is no such twin.
    fn commands(&self, query: CommandsQuery) -> impl Future<Output = Result<CommandsView, Trouble>> + Send;

    /// One command with its course, and what the interlocks say of it now.
    ///
    /// # Errors
    /// `NotFound` when there is none of this id.
    fn command(&self, id: Uuid) -> impl Future<Output = Result<CommandDetail, Trouble>> + Send;

    /// Takes a wish, and gives what it became at once, and whether it is new: the same id with the same words is answered
    /// with the command that there is. One that the rules do not let through is no error, but refused.
    ///
    /// # Errors
    /// `NotFound` when there is no such twin or target, `Invalid` when it is no command, `Conflict` when its id is another
    /// command's, `Unavailable` when it cannot be written down or too many come; then nothing has happened.
    fn propose(
        &self,
        wish: Wish,
        actor: Actor,
    ) -> impl Future<Output = Result<(CommandView, bool), Trouble>> + Send;

    /// Does something about a command, and gives it as it stands after.
    ///
    /// # Errors
    /// `NotFound` when there is none of this id, `Conflict` when it does not fit its state or who orders it may not,
    /// `Unavailable` when it cannot be written down.
    fn order_command(
        &self,
        id: Uuid,
        order: CommandOrder,
        actor: Actor,
    ) -> impl Future<Output = Result<CommandView, Trouble>> + Send;

    /// Targets with their owners, their rules and what these read now.
    ///
    /// # Errors
    /// `NotFound` when there is no such twin.
    fn targets(&self, query: TargetsQuery) -> impl Future<Output = Result<TargetsView, Trouble>> + Send;

    /// Does something about a target, and gives it as it stands after.
    ///
    /// # Errors
    /// `NotFound` when there is no such twin, target or rule, `Conflict` when it is somebody else's, the cause lasts or the
    /// role may not, `Unavailable` when it cannot be written down.
    fn order_target(
        &self,
        twin: String,
        name: String,
        order: TargetOrder,
        actor: Actor,
    ) -> impl Future<Output = Result<TargetView, Trouble>> + Send;

    /// How far the behaviors of a twin may reach.
    ///
    /// # Errors
    /// `NotFound` when there is no such twin.
    fn authority(&self, twin: String) -> impl Future<Output = Result<AuthorityView, Trouble>> + Send;

    /// Arms a twin, or holds it down.
    ///
    /// # Errors
    /// `NotFound` when there is no such twin, `Conflict` when the site gives it no more, `Unavailable` when the journal cannot
    /// be written.
    fn order_authority(
        &self,
        twin: String,
        level: Authority,
        reason: String,
        actor: Actor,
    ) -> impl Future<Output = Result<AuthorityView, Trouble>> + Send;

    /// A page of the journal, newest first.
    ///
    /// # Errors
    /// `Internal` when it cannot be read.
    fn journal(&self, query: JournalQuery) -> impl Future<Output = Result<JournalView, Trouble>> + Send;

    /// Whether the host does its work: journal writable, store ready.
    ///
    /// # Errors
    /// The reason why not, for `/readyz`.
    fn ready(&self) -> Result<(), String>;

    /// Whether its loops turn: every shard, the store writer and the ticker have shown a heartbeat lately.
    ///
    /// # Errors
    /// Which one has not, for `/livez`.
    fn alive(&self) -> Result<(), String>;

    /// Writes its numbers, each as a metric of [`catalogue`](crate::metrics::catalogue). Does not block.
    fn metrics(&self, out: &mut Exposition);
}
