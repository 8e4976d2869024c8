//! Rollouts as a person reads them in a terminal.

use std::fmt::Write as _;

use geminus_api::view::{
    ChangeView, JudgedPhase, RolloutPreview, RolloutStep, RolloutTwins, RolloutView, RolloutsView, Time,
    VersionRef,
};
use geminus_core::Timestamp;
use geminus_rollout::{Evidence, Verdict, VerdictState};
use serde_json::Value;

use super::table::{columns, number, plain};
use crate::change::{Named, change};

/// Most worst rows and faults that are printed; the JSON has them all.
const ROWS_MAX: usize = 10;
/// The same of a phase that is over.
const PHASE_ROWS_MAX: usize = 3;
/// Most twins that are named.
const TWINS_MAX: usize = 20;

/// The newest rollouts, one a line.
pub(super) fn list(view: &RolloutsView) -> String {
    if view.rollouts.is_empty() {
        return "there has been no rollout\n".to_owned();
    }
    let head = ["ID", "BEHAVIOR", "PLUGIN", "VERSIONS", "PHASE", "SINCE", "TWINS", "VERDICT", "BY"];
    let rows = view.rollouts.iter().map(|view| {
        let RolloutTwins { all, authoritative, .. } = view.twins;
        [
            view.id.to_string(),
            plain(&view.binding),
            plain(&view.plugin),
            versions(view),
            view.phase.name().to_owned(),
            brief(view.phase_since),
            format!("{authoritative} of {all}"),
            verdict(view).map_or("–", |verdict| word(verdict.state)).to_owned(),
            plain(&view.by),
        ]
    });
    let rows: Vec<_> = [head.map(str::to_owned)].into_iter().chain(rows).collect();
    columns("", &rows)
}

/// One line: where it stands.
pub(super) fn line(view: &RolloutView) -> String {
    let plugin = plain(&view.plugin);
    let mut text = format!("rollout {}: {plugin} {} for {}", view.id, versions(view), plain(&view.binding));
    // Writing to a String does not fail.
    write!(text, ", {} since {}", view.phase, brief(view.phase_since)).unwrap_or_default();
    if let Some(reason) = &view.reason {
        write!(text, ": {}", plain(reason)).unwrap_or_default();
    }
    text
}

/// What is said when it has begun.
pub(super) fn begun(view: &RolloutView) -> String {
    format!("{}\nfollow it: geminus rollout watch {}\n", line(view), view.id)
}

/// What is said after an order.
pub(super) fn ordered(view: &RolloutView) -> String {
    format!("{}\n", line(view))
}

/// How many twins it has reached.
pub(super) fn twins(twins: &RolloutTwins) -> String {
    let RolloutTwins { all, enrolled, warm, authoritative, rows_min } = twins;
    format!(
        "{all} twins: {enrolled} taken in, {warm} warm, {authoritative} answered by the new version; {rows_min} rows \
         compared at least"
    )
}

/// One step of its history.
pub(super) fn step(step: &RolloutStep) -> String {
    format!("{}  {:<11}  {}", brief(step.time), step.phase.name(), plain(&step.reason))
}

/// What the checks say together, with the words of those that failed.
pub(super) fn verdict_words(verdict: &Verdict) -> String {
    let state = word(verdict.state);
    match verdict.state {
        VerdictState::Pass => state.to_owned(),
        VerdictState::Open => {
            let open = verdict.checks.iter().filter(|check| check.state == VerdictState::Open).count();
            format!("{state}: {open} of {} checks want more rows", verdict.checks.len())
        }
        VerdictState::Fail => format!("{state}: {}", plain(&verdict.words(VerdictState::Fail))),
    }
}

/// One rollout with everything that speaks for or against it.
pub(super) fn one(view: &RolloutView) -> String {
    let mut text = line(view) + "\n";
    let began = if view.automatic { "begun by a file that arrived" } else { "begun" };
    let by = plain(&view.by);
    let mut facts = vec![
        ["began".to_owned(), format!("{} {began}, {by}", brief(view.started))],
        ["twins".to_owned(), twins(&view.twins)],
        ["from".to_owned(), view.from.as_ref().map_or("nothing ran".to_owned(), reference)],
        ["to".to_owned(), reference(&view.to)],
    ];
    if let Some(deadline) = view.phase_deadline {
        facts.push(["deadline".to_owned(), format!("this phase ends at {} at the latest", brief(deadline))]);
    }
    if let Some(ended) = view.ended {
        facts.push(["ended".to_owned(), brief(ended)]);
    }
    text.push_str(&columns("  ", &facts));
    changes(&mut text, &view.diff);
    for phase in before_the_last(view) {
        judged(&mut text, phase);
    }
    if let Some(verdict) = verdict(view) {
        checks(&mut text, &format!("verdict: {}", word(verdict.state)), &verdict);
    }
    if let Some(evidence) = parsed::<Evidence>(&view.evidence) {
        spoken(&mut text, &evidence);
        worst(&mut text, &format!("worst rows of {} compared", evidence.rows), &evidence, ROWS_MAX);
        faults(&mut text, &evidence);
    }
    let steps: Vec<_> = view.history.iter().map(|one| [step(one)]).collect();
    section(&mut text, "history", &steps);
    text
}

/// What a plan would do.
pub(super) fn preview(view: &RolloutPreview) -> String {
    let name = |version: &Option<VersionRef>, none: &str| version.as_ref().map_or(none.to_owned(), reference);
    let binding = view.binding.as_deref().map_or("no behavior of the site".to_owned(), plain);
    let mut text = format!("{} for {binding}: nothing is begun\n", plain(&view.plugin));
    let mut facts = vec![
        ["from".to_owned(), name(&view.from, "nothing runs")],
        ["to".to_owned(), name(&view.to, "no version")],
        ["twins".to_owned(), format!("{}: {}", view.twins_total, named(&view.twins, view.twins_total))],
    ];
    if !view.canary.is_empty() {
        let count = view.canary.len() as u64;
        facts.push(["canary".to_owned(), format!("{count}: {}", named(&view.canary, count))]);
    }
    text.push_str(&columns("  ", &facts));
    changes(&mut text, &view.diff);
    let phases: Vec<_> = view
        .phases
        .iter()
        .map(|one| [one.phase.name().to_owned(), format!("at most {} s", one.seconds_max), plain(&one.text)])
        .collect();
    section(&mut text, "phases", &phases);
    match view.refusals.as_slice() {
        [] => text.push_str("\nit would be begun\n"),
        refusals => {
            text.push_str("\nit would be refused:\n");
            refusals.iter().for_each(|refusal| text.extend(["  ", &plain(refusal), "\n"]));
        }
    }
    text
}

fn named(ids: &[String], total: u64) -> String {
    let shown: Vec<_> = ids.iter().take(TWINS_MAX).map(|id| plain(id)).collect();
    let more = total.saturating_sub(shown.len() as u64);
    let tail = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{tail}", shown.join(", "))
}

fn section<const N: usize>(text: &mut String, title: &str, rows: &[[String; N]]) {
    if !rows.is_empty() {
        text.extend(["\n", title, "\n", &columns("  ", rows)]);
    }
}

fn changes(text: &mut String, diff: &[ChangeView]) {
    let rows: Vec<_> =
        diff.iter().map(|one| [plain(&one.severity), plain(&one.what), plain(&one.text)]).collect();
    section(text, "changes of the declaration", &rows);
}

/// Phases that are over. What was found last stands in the rollout itself, in full.
fn before_the_last(view: &RolloutView) -> &[JudgedPhase] {
    let (last, before) = match view.phases.split_last() {
        Some(parts) if view.ended.is_some() => parts,
        _ => return &view.phases,
    };
    if last.verdict == view.verdict { before } else { &view.phases }
}

/// What was found in a phase that is over.
fn judged(text: &mut String, phase: &JudgedPhase) {
    let Some(verdict) = parsed::<Verdict>(&phase.verdict) else { return };
    let (name, state) = (phase.phase, word(verdict.state));
    let title = format!("{name} from {} to {}: {state}", brief(phase.since), brief(phase.until));
    checks(text, &title, &verdict);
    if let Some(evidence) = parsed::<Evidence>(&phase.evidence) {
        let title = format!("worst rows of {} compared in {name}", evidence.rows);
        worst(text, &title, &evidence, PHASE_ROWS_MAX);
    }
}

fn checks(text: &mut String, title: &str, verdict: &Verdict) {
    let rows: Vec<_> = verdict
        .checks
        .iter()
        .map(|check| {
            let (name, limit, detail) = (plain(&check.name), plain(&check.limit), plain(&check.detail));
            [word(check.state).to_owned(), name, number(check.value), limit, detail]
        })
        .collect();
    section(text, title, &rows);
}

/// Alerts and proposals of both, whether a check judges them or not.
fn spoken(text: &mut String, evidence: &Evidence) {
    let Evidence { alerts, proposals, .. } = evidence;
    let of = |old: u64, new: u64| format!("{old} of the running version, {new} of the new one");
    let differ = format!("{} of {} rows with one differ", proposals.differ, proposals.rows);
    let rows = [
        ["alerts".to_owned(), of(alerts.old, alerts.new), String::new()],
        ["proposals".to_owned(), of(proposals.old, proposals.new), differ],
    ];
    let spoke = [alerts.old, alerts.new, proposals.old, proposals.new].into_iter().any(|count| count > 0);
    if spoke {
        section(text, &format!("alerts and proposals of {} compared rows", evidence.rows), &rows);
    }
}

fn worst(text: &mut String, title: &str, evidence: &Evidence, rows_max: usize) {
    let head = ["twin", "time", "output", "running", "new", "times its limit"].map(str::to_owned);
    let rows = evidence.worst.iter().take(rows_max).map(|row| {
        let time = brief(Time(Timestamp::from_millis(row.time_ms)));
        let (twin, output) = (plain(&row.twin), plain(&row.output));
        [twin, time, output, number(row.old), number(row.new), number(row.times_limit)]
    });
    if !evidence.worst.is_empty() {
        let rows: Vec<_> = [head].into_iter().chain(rows).collect();
        section(text, title, &rows);
    }
}

fn faults(text: &mut String, evidence: &Evidence) {
    let rows = evidence.faults.iter().take(ROWS_MAX).map(|fault| {
        let time = brief(Time(Timestamp::from_millis(fault.time_ms)));
        [plain(&fault.twin), time, plain(&fault.kind), plain(&fault.message)]
    });
    section(text, &format!("faults, {} in all", evidence.faults_total), &rows.collect::<Vec<_>>());
}

/// The verdict, if there is one that this version of the command can read.
fn verdict(view: &RolloutView) -> Option<Verdict> {
    parsed(&view.verdict)
}

fn parsed<T: serde::de::DeserializeOwned>(value: &Value) -> Option<T> {
    T::deserialize(value).ok()
}

fn word(state: VerdictState) -> &'static str {
    match state {
        VerdictState::Pass => "pass",
        VerdictState::Open => "open",
        VerdictState::Fail => "fail",
    }
}

fn versions(view: &RolloutView) -> String {
    let named = |version: &VersionRef| (plain(&version.version), plain(&version.digest));
    let (from, to) = (view.from.as_ref().map(named), named(&view.to));
    let from = from.as_ref().map(|(label, digest)| Named::new(label, digest));
    change(from, Named::new(&to.0, &to.1))
}

fn reference(version: &VersionRef) -> String {
    format!("{} {}", plain(&version.version), plain(&version.digest))
}

/// A time without parts of a second.
fn brief(time: Time) -> String {
    let whole = time.0.0 - time.0.0 % 1_000_000_000;
    Time(Timestamp(whole)).to_string()
}

#[cfg(test)]
mod tests;
