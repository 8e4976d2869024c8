//! Every metric of the host: name, unit, labels, meaning.
//!
//! Names end in their unit or in `_total`. Labels have few values, none of them chosen by the field. A twin's id is a
//! label of `geminus_twin_…` alone, and of as many twins only as the site allows (`limits.metrics_twins_max`).

use std::fmt::Write as _;

/// How a metric behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, from zero at the start of the process.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts observations by size.
    Histogram,
}

impl Kind {
    /// As Prometheus spells it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// One metric.
#[derive(Debug, PartialEq, Eq)]
pub struct Metric {
    /// Unique.
    pub name: &'static str,
    /// How it behaves.
    pub kind: Kind,
    /// Names of its labels, in the order in which values are given.
    pub labels: &'static [&'static str],
    /// One line.
    pub help: &'static str,
}

macro_rules! metrics {
    ($($constant:ident $kind:ident $name:literal [$($label:literal),*] $help:literal;)*) => {
        $(#[doc = $help]
        pub const $constant: Metric =
            Metric { name: $name, kind: Kind::$kind, labels: &[$($label),*], help: $help };)*

        /// All of them, in the order of the list.
        pub const ALL: &[&Metric] = &[$(&$constant),*];
    };
}

metrics! {
    INFO Gauge "geminus_info" ["version"] "Always 1; the version is the label.";
    START_TIME Gauge "geminus_start_time_seconds" [] "When the process started, in seconds since 1970.";
    TWINS Gauge "geminus_twins" ["state"] "Twins by state: live, stale, waiting.";
    ALERTS_ACTIVE Gauge "geminus_alerts_active" ["priority"] "Active alerts of all twins by priority.";
    SAMPLES Counter "geminus_samples_total" ["fate"] "Samples from the field by what became of them: accepted, late, duplicate, refused.";
    SAMPLES_REFUSED Counter "geminus_samples_refused_total" ["reason"] "Refused samples and messages by reason.";
    SOURCE_CONNECTED Gauge "geminus_source_connected" ["source"] "1 while the source is connected, else 0.";
    SOURCE_RECONNECTS Counter "geminus_source_reconnects_total" ["source"] "Times that a source had to connect anew.";
    CERTIFICATE_EXPIRY Gauge "geminus_certificate_expiry_seconds" ["use"] "When the first certificate ends, in seconds since 1970, by what it is for: own (towards OPC UA servers), server and client (of OPC UA, trusted), tls (named in the site file).";
    OPCUA_SESSIONS Gauge "geminus_opcua_server_sessions" [] "Sessions of OPC UA clients open, where the site has an OPC UA server.";
    OPCUA_SUBSCRIPTIONS Gauge "geminus_opcua_server_subscriptions" [] "Subscriptions of OPC UA clients.";
    OPCUA_VALUES Counter "geminus_opcua_server_values_total" ["fate"] "Values for OPC UA clients by what became of them: pushed to a subscription, or replaced by a newer one before the server could push them.";
    ROWS Counter "geminus_rows_total" ["plugin"] "Rows that a behavior stepped, under the behavior's name.";
    STEP_CALLS Counter "geminus_step_calls_total" ["plugin"] "Calls of step, under the behavior's name; rows per call is the batch size.";
    STEP_SECONDS Counter "geminus_step_seconds_total" ["plugin"] "Time spent in calls of step, under the behavior's name.";
    FUEL Counter "geminus_fuel_total" ["plugin"] "Fuel (roughly wasm instructions) that a behavior used, under its name.";
    FAULTS Counter "geminus_faults_total" ["plugin", "kind"] "Faults of a behavior, under its name, by kind: answer, fault, fuel, host-calls, instances, memory, row, transfer, trap, unresolved, wall-clock.";
    QUARANTINED Gauge "geminus_quarantined" ["plugin"] "Twins held apart because a row of theirs made the behavior fail, under its name.";
    SWAPS Counter "geminus_swaps_total" ["result"] "Switches to another plugin version by result: done, refused.";
    SWAP_PAUSE_SECONDS Histogram "geminus_swap_pause_seconds" [] "Time for which rows of a cohort waited for a switch.";
    BEHAVIOR_ROWS Counter "geminus_behavior_rows_total" ["behavior", "version"] "Rows that a version of a behavior stepped, on trial or not.";
    BEHAVIOR_FUEL Counter "geminus_behavior_fuel_total" ["behavior", "version"] "Fuel (roughly wasm instructions) that a version of a behavior used.";
    BEHAVIOR_STEP_SECONDS Counter "geminus_behavior_step_seconds_total" ["behavior", "version"] "Time that a version of a behavior spent in calls of step.";
    BEHAVIOR_MEMORY Gauge "geminus_behavior_memory_bytes" ["behavior", "version"] "Memory of the instances of a version of a behavior.";
    BEHAVIOR_DEADLINE_MISSES Counter "geminus_behavior_deadline_misses_total" ["behavior", "version"] "Calls of step that took longer than the deadline of the behavior.";
    BEHAVIOR_STRIKES Counter "geminus_behavior_strikes_total" ["behavior", "version"] "Rows that made a version of a behavior fail for a twin.";
    BEHAVIOR_REBUILDS Counter "geminus_behavior_rebuilds_total" ["behavior", "version"] "Instances of a version of a behavior that were built because one broke: anew, or to find out whose row it was.";
    BEHAVIOR_CUT Counter "geminus_behavior_cut_total" ["behavior", "version", "rule"] "What a version of a behavior did more often than it may, and the host did not take, by rule: log_lines_per_call (lines dropped), lookups_per_call (look-ups refused), finite-outputs (numbers made bad).";
    TWIN_ROWS Counter "geminus_twin_rows_total" ["twin", "behavior", "version"] "Rows of a twin that a version of a behavior stepped since the twin is in its instance.";
    TWIN_FUEL Counter "geminus_twin_fuel_total" ["twin", "behavior", "version"] "Fuel (roughly wasm instructions) of these rows: of each call the twin's share by rows, exact where it is alone in its instance.";
    TWIN_STEP_SECONDS Counter "geminus_twin_step_seconds_total" ["twin", "behavior", "version"] "Time of these rows in calls of step, shared in the same way.";
    TWIN_MEMORY Gauge "geminus_twin_memory_bytes" ["twin", "behavior", "version"] "Memory of the instance that the twin lives in, divided by the twins in it.";
    TWIN_DEADLINE_MISSES Counter "geminus_twin_deadline_misses_total" ["twin", "behavior", "version"] "Calls of step with a row of the twin that took longer than the deadline of the behavior.";
    TWIN_FAULTS Counter "geminus_twin_faults_total" ["twin", "behavior", "version"] "Times that the twin had no result because of what a version of a behavior did.";
    TWINS_LEFT_OUT Gauge "geminus_metrics_twins_left_out" [] "Twins without series of their own (geminus_twin_…), because the site has more than limits.metrics_twins_max.";
    ROLLOUTS Gauge "geminus_rollouts" ["phase"] "Rollouts under way by phase.";
    ROLLOUTS_ENDED Counter "geminus_rollouts_ended_total" ["phase"] "Rollouts that ended by how: permanent, rolled-back, failed, cancelled.";
    SHADOW_ROWS Counter "geminus_shadow_rows_total" ["behavior", "version"] "Rows for which the outcome of a version on trial was compared.";
    BUMPLESS_LIMITS Counter "geminus_bumpless_limits_total" ["behavior", "version"] "Commands that were limited in their step because they were among the first after a switch.";
    PROPOSALS Counter "geminus_proposals_total" ["verdict"] "Proposals of behaviors by verdict: refused, held, dropped, or commanded where the command has a target.";
    COMMANDS_ENDED Counter "geminus_commands_total" ["state"] "Commands by the state that they came to: transport-acked where nothing is read back, verified, refused, expired, superseded, failed, indeterminate. One that is settled late is counted at each.";
    COMMAND_VERIFIED_SECONDS Histogram "geminus_command_verified_seconds" [] "Time from sending a command to the read-back that showed it.";
    STORE_COMMIT_SECONDS Gauge "geminus_store_commit_seconds" ["spread"] "Time of one group commit of history, fsync included: p50, p99, max.";
    STORE_POINTS Counter "geminus_store_points_total" [] "Points made durable.";
    STORE_POINTS_DROPPED Counter "geminus_store_points_dropped_total" [] "Points without a ticket that were given up because too many waited for a store that could not write them.";
    STORE_BLOCKS_DAMAGED Counter "geminus_store_blocks_damaged_total" [] "Blocks of history found damaged while folding, and set aside.";
    STORE_BYTES Gauge "geminus_store_bytes" ["file"] "Size of the store's files.";
    STORE_WRITABLE Gauge "geminus_store_writable" [] "1 while history and journal can be written, else 0.";
    JOURNAL_ENTRIES Counter "geminus_journal_entries_total" ["fate"] "Journal entries: written, dropped.";
    QUEUE_DEPTH Gauge "geminus_queue_depth" ["queue"] "Samples that wait in a queue: those of the shards, and `store` for what waits for a commit.";
    QUEUE_CAPACITY Gauge "geminus_queue_capacity" ["queue"] "Samples that the queue of a shard can hold.";
    SSE_STREAMS Gauge "geminus_sse_streams" [] "Event streams open.";
    SSE_STREAMS_OPENED Counter "geminus_sse_streams_opened_total" [] "Event streams opened.";
    SSE_STREAMS_REFUSED Counter "geminus_sse_streams_refused_total" [] "Event streams refused because as many as allowed were open.";
    SSE_EVENTS Counter "geminus_sse_events_total" [] "Events given to streams.";
    SSE_CONFLATED Counter "geminus_sse_conflated_total" [] "Values events that stand for more than one publication because the reader was slow.";
    SSE_RESYNCS Counter "geminus_sse_resyncs_total" [] "Times that a reader was told to read everything anew.";
    SSE_VALUES Counter "geminus_sse_values_published_total" ["watched"] "Publications of values by shards: true when somebody watches the twin, false when thrown away.";
    HTTP_REQUESTS Counter "geminus_http_requests_total" ["class"] "Answers by class of status: 2xx, 3xx, 4xx, 5xx.";
    HTTP_CONNECTIONS Gauge "geminus_http_connections" [] "Connections open.";
    HTTP_STALLED Counter "geminus_http_stalled_total" [] "Connections closed because the client took nothing for a minute.";
    PROCESS_MEMORY Gauge "process_resident_memory_bytes" [] "Resident memory.";
    PROCESS_FDS Gauge "process_open_fds" [] "Open file descriptors.";
    PROCESS_THREADS Gauge "process_threads" [] "Threads.";
}

/// The list for `docs/generated/metrics.md`.
#[must_use]
pub fn markdown() -> String {
    let mut text = String::from(
        "# Metrics\n\nGenerated from `host/api/src/metrics/catalogue.rs`; a test fails when they differ \
         (`UPDATE_GENERATED=1` writes this file anew).\nServed at `/metrics`. A metric without a value yet is left out.\n\n\
         | name | kind | labels | meaning |\n|---|---|---|---|\n",
    );
    for metric in ALL {
        let Metric { name, kind, labels, help } = metric;
        let labels = labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ");
        let labels = if labels.is_empty() { "–".to_owned() } else { labels };
        // Writing to a String does not fail.
        if writeln!(text, "| `{name}` | {} | {labels} | {help} |", kind.name()).is_err() {
            break;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rules_and_are_unique() {
        let mut names: Vec<_> = ALL.iter().map(|metric| metric.name).collect();
        for metric in ALL {
            let plain = |text: &str| text.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            assert!(plain(metric.name) && metric.labels.iter().all(|label| plain(label)), "{}", metric.name);
            assert_eq!(metric.name.ends_with("_total"), metric.kind == Kind::Counter, "{}", metric.name);
            assert!(metric.help.ends_with('.') && !metric.help.contains(['\n', '|']), "{}", metric.name);
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
    }
}
