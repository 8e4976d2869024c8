//! What is shown and written of a rollout: the board, its row in `control.db`, the journal, and at its end the history of
//! activations.

use std::sync::atomic::Ordering::Relaxed;

use geminus_api::view as api;
use geminus_core::{Event, Severity};
use geminus_rollout::{Evidence, Phase};
use geminus_store::Snapshots;
use geminus_twin::BindingIndex;

use super::{Conductor, Document, ENDED_MAX, run};
use crate::change::{Named, change};
use crate::runtime::keeper;
use crate::runtime::manager::Heard;
use crate::runtime::worked;

/// Most bytes of evidence that are kept whole; `control.db` takes no more than a mebibyte.
const EVIDENCE_BYTES_MAX: usize = 1_000_000;

impl Conductor {
    /// Puts on the board and into the books how it stands, and ends it when it has ended.
    ///
    /// # Errors
    /// When the phase could not be written down, which is told already.
    pub(super) fn publish(&mut self, index: BindingIndex, before: Phase) -> Result<(), String> {
        let now = self.now();
        let Some(run) = self.runs.get_mut(&index) else { return Ok(()) };
        let (id, phase) = (run.id, run.phase());
        if phase != before {
            run.keep_findings(before);
        }
        if phase.is_end() && run.record.ended.is_none() {
            run.record.ended = Some(now);
        }
        let document = run.document();
        let event = document.event(id);
        let known = self.floor.board.lock().rollouts.insert(id, document.clone());
        let waits = document.machine.waits();
        // What it waits for is not in the event, but pages that hear one ask for the rollout anew.
        if known.is_none_or(|known| known.event(id) != event || known.machine.waits() != waits) {
            self.floor.bus.publish_rollout(&event);
        }
        if phase == before {
            return Ok(());
        }
        let saved = self.save(id, &document);
        self.told(id, &document);
        if phase.is_end() {
            self.end(index);
        }
        saved
    }

    fn end(&mut self, index: BindingIndex) {
        if self.runs.get(&index).is_some_and(|run| run.phase() == Phase::Permanent) {
            self.told_cold(index, "started");
        }
        let Some(run) = self.runs.remove(&index) else { return };
        run.wanted.store(false, Relaxed);
        let (phase, document) = (run.phase(), run.document());
        let reason = document.machine.reason().unwrap_or_default().to_owned();
        let declaration = &run.package.declaration;
        let version = declaration.version.to_string();
        let package = (declaration.name.as_str(), version.as_str(), run.package.digest);
        self.floor.remember(package, &run.record.binding, run.twins.len(), Some(run.id), outcome(&document));
        let mut board = self.floor.board.lock();
        *board.ended.entry(phase).or_default() += 1;
        match phase {
            Phase::Permanent => board.swaps_done += 1,
            Phase::Cancelled => {}
            _ => board.swaps_refused += 1,
        }
        board.judge(&document, run.package.digest);
        board.forget_old_rollouts(ENDED_MAX);
        drop(board);
        if matches!(phase, Phase::RolledBack | Phase::Failed) {
            self.floor.board.refuse(&run.package.path, reason, self.floor.clock.now());
        }
        if let Err(error) = Snapshots::forget(&self.floor.snapshots, &keeper::standby(&run.record.binding)) {
            tracing::debug!(%error, "state of the side that is gone was not forgotten");
        }
        // A worker may still be under way; what it brings finds nobody.
        drop(self.back.send(Heard::Review(index)));
    }

    /// Says in the journal that twins start without the state that their incumbent has, or had: when the candidate stands,
    /// so that a person can still go back, and once more when there is no way back.
    pub(super) fn told_cold(&self, index: BindingIndex, verb: &str) {
        let Some(run) = self.runs.get(&index).filter(|run| run.cold > 0) else { return };
        let label = run.package.declaration.label();
        let (id, cold, binding) = (run.id, run.cold, &run.record.binding);
        let message = format!(
            "rollout {id}: {cold} twins of {binding} {verb} cold with {label}: no state of theirs can be carried"
        );
        self.floor.chronicle.tell(Event::new("cold-start", Severity::Warning, message).plugin(label));
    }

    /// Says in the journal where it stands.
    pub(super) fn told(&self, id: u64, document: &Document) {
        let (machine, record) = (&document.machine, &document.record);
        let phase = machine.phase();
        let reason = machine.history().last().map(|step| step.reason.clone()).unwrap_or_default();
        let from = record.from.as_ref().map_or("nothing", |from| from.version.as_str());
        let (plugin, to) = (&record.plugin, &record.to.version);
        let change = change(record.from.as_ref().map(named), named(&record.to));
        let what = format!("rollout {id} of {} ({plugin} {change})", record.binding);
        let (kind, severity, message) = match phase {
            Phase::Permanent => (
                "swap-done",
                Severity::Info,
                format!("{what} is permanent: {} twins, {reason}", record.twins.all),
            ),
            Phase::RolledBack => {
                ("rollout-rolled-back", Severity::Error, format!("{what} was rolled back: {reason}"))
            }
            Phase::Failed => (
                "swap-refused",
                Severity::Error,
                format!("{what} failed: {reason}; {} goes on", incumbent_of(record)),
            ),
            Phase::Cancelled => {
                ("rollout-cancelled", Severity::Warning, format!("{what} was cancelled: {reason}"))
            }
            _ => ("rollout-phase", Severity::Info, format!("{what} is {phase}: {reason}")),
        };
        let facts = serde_json::json!({
            "rollout": id, "binding": record.binding, "phase": phase.name(), "from": from, "to": to,
            "digest": record.to.digest, "twins": record.twins.all, "reason": reason, "by": record.by,
        });
        let label = format!("{plugin}@{to}");
        self.floor.chronicle.tell(Event::new(kind, severity, message).plugin(label).facts(facts));
    }

    /// Writes it down. The evidence, which is large, is not written on the way to an end: an order waits for that, and
    /// its end brings it.
    ///
    /// # Errors
    /// When it could not be written, which is told already.
    pub(super) fn save(&self, id: u64, document: &Document) -> Result<(), String> {
        let mut lean = document.clone();
        let phase = lean.machine.phase();
        let on_the_way = matches!(phase, Phase::Settling | Phase::Withdrawing);
        let evidence = lean.record.evidence.take().filter(|_| !on_the_way);
        let text = serde_json::to_string(&lean).unwrap_or_default();
        let control = &self.floor.control;
        let saved =
            control.rollout_save(id, phase.name(), &text, lean.record.ended).and_then(|()| match evidence {
                Some(evidence) => control.rollout_evidence(id, &evidence_text(&evidence)),
                None => Ok(()),
            });
        saved.map_err(|error| {
            self.trouble("a rollout could not be written down", &error.to_string());
            format!("the rollout could not be written down: {error}")
        })
    }

    pub(super) fn save_words(&self, id: u64, phase: &str, document: &str) {
        let now = self.floor.clock.now();
        if let Err(error) = self.floor.control.rollout_save(id, phase, document, Some(now)) {
            self.trouble("a rollout could not be ended", &error.to_string());
        }
    }
}

/// The evidence as the books take it: whole, or of a plugin with very many outputs a sample.
fn evidence_text(evidence: &Evidence) -> String {
    let text = serde_json::to_string(evidence).unwrap_or_default();
    match text.len() > EVIDENCE_BYTES_MAX {
        true => serde_json::to_string(&evidence.sample()).unwrap_or_default(),
        false => text,
    }
}

/// What came of it, as the history of activations has it.
pub(super) fn outcome(document: &Document) -> String {
    let reason = document.machine.reason().unwrap_or_default();
    match document.phase() {
        Phase::Permanent => worked::ACTIVATED.to_owned(),
        Phase::RolledBack if reason.starts_with("rolled back") => reason.to_owned(),
        Phase::RolledBack => format!("rolled back: {reason}"),
        Phase::Cancelled if reason.starts_with("cancelled") => reason.to_owned(),
        Phase::Cancelled => format!("cancelled: {reason}"),
        _ => format!("refused: {reason}"),
    }
}

/// What goes on when a rollout does not.
fn incumbent_of(record: &run::Record) -> String {
    let Some(from) = &record.from else { return "nothing".to_owned() };
    format!("{}@{}", record.plugin, named(from).beside(named(&record.to)))
}

fn named(version: &api::VersionRef) -> Named<'_> {
    Named::new(&version.version, &version.digest)
}

#[cfg(test)]
mod tests {
    use geminus_core::{Declaration, TwinIndex};
    use geminus_rollout::{Acceptance, Curve, Tally};

    use super::*;

    /// Curves of four twins with sixteen outputs, each as long as it can be; the smaller the numbers, the longer the text.
    fn evidence(outputs: usize, scale: f64) -> Evidence {
        let output = |number: usize| serde_json::json!({ "name": format!("o{number:03}"), "unit": "1" });
        let declaration = serde_json::json!({
            "declaration": 1, "name": "tally", "version": "1.0.0", "kind": "estimator",
            "outputs": (0..outputs).map(output).collect::<Vec<_>>(),
            "state": {"schema": 0, "reads": [], "writes": []},
        });
        let declaration = Declaration::parse(declaration.to_string().as_bytes()).expect("declaration");
        let tally = Tally::new(&declaration, &Acceptance::default());
        let mut evidence = tally.evidence(&|_: TwinIndex| String::new());
        let values = || (0..240).map(|row| Some(-scale * (f64::from(row) + 0.1).sqrt())).collect();
        let curve = |number: usize| Curve {
            twin: format!("twin-{}", number % 4),
            output: format!("o{:03}", number / 4),
            unit: "1".to_owned(),
            times_ms: (0..240).map(|row| 1_700_000_000_000 + row).collect(),
            old: values(),
            new: values(),
        };
        evidence.curves = (0..64).map(curve).collect();
        evidence
    }

    #[test]
    fn evidence_that_the_books_would_not_take_is_kept_as_a_sample() {
        for (evidence, whole) in [(evidence(16, 1.0), true), (evidence(450, 1e-200), false)] {
            let bytes = serde_json::to_string(&evidence).expect("JSON").len();
            assert_eq!(bytes <= EVIDENCE_BYTES_MAX, whole, "{bytes} bytes");
            let text = evidence_text(&evidence);
            assert!(text.len() <= EVIDENCE_BYTES_MAX, "{} bytes", text.len());
            let kept: Evidence = serde_json::from_str(&text).expect("evidence");
            let expect = if whole { evidence } else { evidence.sample() };
            assert_eq!((kept.curves.len(), kept.outputs.len()), (expect.curves.len(), expect.outputs.len()));
        }
    }
}
