//! Alarms: what stands, who did what to it, and how the operator station fares.

use geminus_core::declaration::Priority;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Time, words};

/// `GET /api/v1/alarms`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AlarmsView {
    /// The highest priority first, of one priority the newest first; those that are normal are not among them.
    pub alarms: Vec<AlarmView>,
    /// How many fit the question, whatever the limit.
    pub total: u64,
    /// Of the whole site, whatever the question.
    pub counts: AlarmCounts,
    /// Figures of the operator station, which is the site.
    pub figures: AlarmFigures,
}

/// One alarm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AlarmView {
    /// Id of the twin.
    pub twin: String,
    /// Unique per twin: a name of the site, or `<behavior>.<code>` of an alert.
    pub name: String,
    /// After ISA-18.2.
    #[schema(schema_with = words::priority)]
    pub priority: Priority,
    /// How it stands.
    #[schema(schema_with = words::alarm_state)]
    pub state: geminus_alarm::Shown,
    /// What has happened.
    pub message: String,
    /// What happens when nobody does anything; may be empty.
    pub consequence: String,
    /// What to do; may be empty.
    pub response: String,
    /// What raised it; null when there is no number.
    #[schema(required)]
    pub value: Option<f64>,
    /// UCUM code of the value.
    pub unit: String,
    /// What the behavior adds; may be empty.
    pub detail: String,
    /// Since when it is in the state that it has, or would have without suppression.
    pub since: Time,
    /// When it was raised last; null when never.
    #[schema(required)]
    pub raised: Option<Time>,
    /// Whether it stays until it is reset.
    pub latch: bool,
    /// Its first-out group, if one.
    #[schema(required)]
    pub group: Option<String>,
    /// Whether it was the first of its group.
    pub first_out: bool,
    /// Whether it is told too often.
    pub chattering: bool,
    /// Whether it stands for longer than the site finds right (`alarms.stale_after_h`).
    pub standing: bool,
    /// How often it was told since the host started.
    pub told: u64,
    /// Who acknowledged it, if anybody.
    #[schema(required)]
    pub acknowledged: Option<AlarmMark>,
    /// Who shelved it, if anybody.
    #[schema(required)]
    pub shelved: Option<AlarmMark>,
    /// Who took it out of service, if anybody.
    #[schema(required)]
    pub out_of_service: Option<AlarmMark>,
}

/// Who did something to an alarm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AlarmMark {
    /// Who.
    pub by: String,
    /// When.
    pub at: Time,
    /// Why; may be empty.
    pub reason: String,
    /// When it ends by itself; null when it does not.
    #[schema(required)]
    pub until: Option<Time>,
}

/// How many alarms there are.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AlarmCounts {
    /// Of critical priority, neither normal nor suppressed.
    pub critical: u64,
    /// Of high priority.
    pub high: u64,
    /// Of medium priority.
    pub medium: u64,
    /// Of low priority.
    pub low: u64,
    /// Of all of these, those that wait for an acknowledgement.
    pub unacknowledged: u64,
    /// Shelved.
    pub shelved: u64,
    /// Suppressed by design.
    pub suppressed_by_design: u64,
    /// Suppressed because their twin does not send.
    pub suppressed_by_staleness: u64,
    /// Out of service.
    pub out_of_service: u64,
    /// Told too often.
    pub chattering: u64,
    /// Standing for longer than the site finds right.
    pub standing: u64,
}

/// How an operator station fares, after ISA-18.2 and EEMUA 191; since the host started.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AlarmFigures {
    /// Told in the last ten minutes.
    pub last_10_min: u64,
    /// Told in the last day.
    pub last_day: u64,
    /// Told in the worst ten minutes of the last day.
    pub peak_10_min: u64,
    /// Told since the start.
    pub told: u64,
    /// Since when there is a flood; null when there is none.
    #[schema(required)]
    pub flood_since: Option<Time>,
    /// Floods since the start.
    pub floods: u64,
}
