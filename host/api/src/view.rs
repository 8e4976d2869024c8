//! The shapes of `/api/v1`: what the house fills in and what people and programs read.
//!
//! Plain structs with public fields, made anew for each answer. Rules that hold everywhere: times are RFC 3339 in
//! UTC unless the name ends in `_ms`; a number that is not known is `null`, never NaN; units are UCUM codes,
//! `1` for a number without one.

pub mod access;
pub mod alarm;
pub mod certificate;
pub mod command;
pub mod history;
pub mod journal;
pub mod plugin;
pub mod rollout;
pub mod site;
pub mod target;
pub mod thread;
pub mod time;
pub mod twin;
pub mod words;

pub use access::{
    KindView, SessionView, TokenMadeView, TokenView, TokensView, UserView, UsersView, WaysView,
};
pub use alarm::{AlarmCounts, AlarmFigures, AlarmMark, AlarmView, AlarmsView};
pub use certificate::{
    CertificateOrder, CertificateView, CertificatesView, ClientCertificateView, OwnCertificate,
    RejectionView, SeenView, ServerCertificateView, StandingView, TermView, TlsFileView,
};
pub use command::{
    ApprovalView, CommandDetail, CommandView, CommandsView, DispatchView, EvidenceView, InterlockView,
    ProposerKind, ProposerView, ReadBackView, ReceiptView, RefusalView, ResolvedView, TransitionView,
};
pub use history::{HistoryView, MarkKind, MarkView, SeriesView};
pub use journal::{EntryView, JournalView};
pub use plugin::{PluginState, PluginView, PluginsView, RefusedView, RunningFor, UploadView};
pub use rollout::{
    ActivationView, ActivationsView, ChangeView, JudgedPhase, PlannedPhase, ROLLOUTS_MAX, RolloutEvent,
    RolloutOrder, RolloutPreview, RolloutStep, RolloutTwins, RolloutView, RolloutsView, VersionRef,
};
pub use site::{InputsView, SiteView, StoreView, TwinCounts};
pub use target::{
    ArmedView, AuthorityView, BypassView, EgressView, FeedbackView, HeartbeatView, HoldingView, LatchView,
    Level, RuleView, TargetView, TargetsView, WrittenView,
};
pub use thread::{
    AssetBehaviorView, AssetView, ExplainView, ExtentView, RecordView, RecordsFiledView, RowsView,
    ThreadEntryView, ThreadKind, ThreadView,
};
pub use time::Time;
pub use twin::{
    AlertCount, AlertView, BehaviorState, BehaviorView, CostView, HealthView, PointView, TrialView,
    TwinState, TwinSummary, TwinView, TwinsView, Verdict,
};
