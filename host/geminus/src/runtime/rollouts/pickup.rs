//! What a rollout becomes that the last process left under way. The ledger decides whether its version runs; what it was
//! being withdrawn for stays its reason; a version that the process ended inside of has failed, and is not begun again by
//! itself; everything else was interrupted, which speaks against nobody.

use geminus_core::{Digest, Event, Severity};
use geminus_rollout::{Input, Phase};

use super::books::outcome;
use super::{Conductor, Document, ENDED_MAX};

impl Conductor {
    /// Ends what the last process left unfinished: the incumbent runs, or the candidate if it had been assigned. Gives
    /// behavior and digest of those that a file had begun and nobody had decided about.
    pub(crate) fn pick_up(&self) -> Vec<(String, String)> {
        let mut interrupted = Vec::new();
        let open = self.floor.control.rollouts_open().unwrap_or_else(|error| {
            self.trouble("rollouts of the last run cannot be read", &error.to_string());
            Vec::new()
        });
        for record in open {
            let Ok(mut document) = serde_json::from_str::<Document>(&record.document) else {
                self.trouble("a rollout of the last run cannot be read", &format!("number {}", record.id));
                self.save_words(record.id, "failed", &record.document);
                continue;
            };
            let blamed = document.target().is_some_and(|target| self.floor.ended_inside.contains(&target));
            document.end_for_start(&record.phase, blamed, self.now());
            if let Err(reason) = self.save(record.id, &document) {
                tracing::warn!(%reason, "the next start ends it once more");
            }
            self.told(record.id, &document);
            match document.was_interrupted() {
                true if record.automatic => interrupted.push((record.binding, record.to.digest)),
                true => {}
                false => self.conclude(record.id, &document),
            }
        }
        let ended = self.floor.control.rollouts(ENDED_MAX).unwrap_or_default();
        let mut board = self.floor.board.lock();
        for record in ended {
            if let Ok(document) = serde_json::from_str(&record.document) {
                board.rollouts.insert(record.id, document);
            }
        }
        interrupted
    }

    /// What the last process would have done about the end, had it come to it.
    fn conclude(&self, id: u64, document: &Document) {
        let record = &document.record;
        let Ok(digest) = record.to.digest.parse::<Digest>() else { return };
        let package = (record.plugin.as_str(), record.to.version.as_str(), digest);
        let twins = usize::try_from(record.twins.all).unwrap_or(usize::MAX);
        self.floor.remember(package, &record.binding, twins, Some(id), outcome(document));
        if document.phase() == Phase::Permanent
            && let Err(error) = self.floor.control.forgive_crash(&record.to.digest)
        {
            self.trouble("crashes in a version that took over are still counted", &error.to_string());
        }
        self.floor.board.lock().judge(document, digest);
    }

    pub(super) fn trouble(&self, what: &str, why: &str) {
        self.floor.chronicle.tell(Event::new("rollout-trouble", Severity::Error, format!("{what}: {why}")));
    }
}

impl Document {
    /// Ends it as a start of the host finds it. `phase` is that of its row, which is written in one commit with the
    /// ledger: the machine itself was written the last time before that. `blamed`: the last process ended inside of its
    /// version.
    pub(super) fn end_for_start(&mut self, phase: &str, blamed: bool, now: geminus_core::Timestamp) {
        let (decided, was) = (self.is_decided(phase), self.machine.phase());
        let blamed = blamed && !decided;
        // It is written when it enters a phase, so what it says of a verdict was found in one before. Where that brought
        // the end about it stays; the verdict of another phase stands with that one.
        if !decided && !matches!(was, Phase::Withdrawing | Phase::Settling) {
            (self.record.verdict, self.record.evidence) = (None, None);
        }
        if blamed {
            let record = &self.record;
            let reason =
                format!("the host ended inside {}@{} while it was {was}", record.plugin, record.to.version);
            self.machine.hear(Input::Failed(reason), now);
        }
        let assigned = phase == Phase::Permanent.name();
        self.machine.hear(if assigned { Input::Settled } else { Input::HostStarted }, now);
        self.record.ended = Some(now);
        self.record.interrupted = !decided && !blamed;
    }

    /// Whether what it ends in was settled before the last process ended, as [`Document::end_for_start`] finds it.
    pub(crate) fn is_decided(&self, phase: &str) -> bool {
        phase == Phase::Permanent.name() || self.machine.phase() == Phase::Withdrawing
    }
}

#[cfg(test)]
mod tests {
    use geminus_api::view as api;
    use geminus_core::{Declaration, Timestamp};
    use geminus_rollout::{Acceptance, Facts, Plan, Progress, Rollout, Stages, Tally, Verdict};

    use super::*;
    use crate::runtime::plugins::State;
    use crate::runtime::rollouts::run::Record;

    const NOW: Timestamp = Timestamp(1_700_000_000_000_000_000);
    const TO: &str = "sha256:0102030405060708091011121314151617181920212223242526272829303132";
    const ALL: Progress = Progress { twins: 1, enrolled: 1, warm: 1, authoritative: 1, idle: 0, rows_min: 1 };

    /// A rollout that has heard this.
    fn document(heard: Vec<Input<'_>>) -> Document {
        let plan = Plan::through("tally", TO, Stages::default());
        let facts = Facts { digest: TO.to_owned(), canary: 0, incumbent: true };
        let mut machine = Rollout::new(plan, facts, NOW);
        for input in heard {
            machine.hear(input, NOW);
        }
        let record = Record {
            binding: "tally".to_owned(),
            plugin: "tally".to_owned(),
            from: None,
            to: api::VersionRef { version: "1.1.0".to_owned(), digest: TO.to_owned() },
            automatic: true,
            by: "plugin folder".to_owned(),
            started: NOW,
            ended: None,
            interrupted: false,
            whole: None,
            twins: api::RolloutTwins::default(),
            // Found in the phase before.
            verdict: Some(Verdict::of(Vec::new())),
            evidence: None,
            diff: Vec::new(),
            phases: Vec::new(),
        };
        Document { machine, record }
    }

    /// In which phase the last process left it, and what it ends in when that did not end inside of its version, and when
    /// it did. `row`: the phase of its row in the books, where that is another one.
    fn check(heard: &[Input<'static>], left: Phase, row: Option<Phase>, ends: [(Phase, bool, bool); 2]) {
        for (blamed, (phase, failed, interrupted)) in [false, true].into_iter().zip(ends) {
            let mut document = document(heard.to_vec());
            assert_eq!(document.phase(), left);
            let decided = document.is_decided(row.unwrap_or(left).name());
            document.end_for_start(row.unwrap_or(left).name(), blamed, NOW);
            let found = (document.phase(), document.has_failed(), document.was_interrupted());
            assert_eq!(found, (phase, failed, interrupted), "{left}, blamed: {blamed}");
            let led_to_the_end = matches!(left, Phase::Settling | Phase::Withdrawing);
            assert_eq!(document.record.verdict.is_some(), led_to_the_end, "{left}, blamed: {blamed}");
            let reason = document.machine.reason().unwrap_or_default();
            let says = format!("the host ended inside tally@1.1.0 while it was {left}");
            assert_eq!(reason.starts_with(&says), blamed && !decided, "{reason}");
        }
    }

    #[test]
    fn a_version_that_the_host_ended_inside_of_has_failed_unless_its_end_was_decided_before() {
        let by = || "ann".to_owned();
        let to_raising = [Input::Verified, Input::Compiled];
        let to_promoting = [to_raising.as_slice(), &[Input::Raised]].concat();
        let to_probation = [to_promoting.as_slice(), &[Input::Progress(&ALL)]].concat();
        let to_settling = [to_probation.as_slice(), &[Input::Superseded]].concat();
        let cancelled = [to_raising.as_slice(), &[Input::Cancel { by: by() }]].concat();
        let (failed, interrupted) = (|phase| (phase, true, false), |phase| (phase, false, true));
        use Phase::{Cancelled, Failed, Permanent, Probation, Promoting, Raising, RolledBack, Settling};
        check(&to_raising, Raising, None, [interrupted(Failed), failed(Failed)]);
        check(&to_promoting, Promoting, None, [interrupted(RolledBack), failed(RolledBack)]);
        check(&to_probation, Probation, None, [interrupted(RolledBack), failed(RolledBack)]);
        check(&to_settling, Settling, None, [interrupted(RolledBack), failed(RolledBack)]);
        check(&to_settling, Settling, Some(Permanent), [(Permanent, false, false); 2]);
        check(&cancelled, Phase::Withdrawing, None, [(Cancelled, false, false); 2]);
    }

    #[test]
    fn a_failure_is_forgotten_when_the_version_has_held_for_all_twins() {
        let digest: Digest = TO.parse().expect("a digest");
        let target = ("tally".to_owned(), digest);
        let failed = document(vec![Input::Verified, Input::Compiled, Input::Failed("it broke".to_owned())]);
        let mut held = document(vec![
            Input::Verified,
            Input::Compiled,
            Input::Raised,
            Input::Progress(&ALL),
            Input::Superseded,
        ]);
        held.end_for_start(Phase::Permanent.name(), false, NOW);
        assert_eq!(held.phase(), Phase::Permanent);
        let mut state = State::default();
        state.judge(&failed, digest);
        assert!(state.failed.contains(&target));
        held.record.whole = Some(false);
        state.judge(&held, digest);
        assert!(state.failed.contains(&target), "it held for some twins only");
        held.record.whole = Some(true);
        state.judge(&held, digest);
        assert!(!state.failed.contains(&target));
    }

    #[test]
    fn evidence_in_the_books_is_read_with_its_verdict_only() {
        let declaration = serde_json::json!({
            "declaration": 1, "name": "tally", "version": "1.0.0", "kind": "estimator",
            "outputs": [{"name": "b", "unit": "1"}], "state": {"schema": 0, "reads": [], "writes": []},
        });
        let declaration = Declaration::parse(declaration.to_string().as_bytes()).expect("declaration");
        let tally = Tally::new(&declaration, &Acceptance::default());
        let evidence = serde_json::to_string(&tally.evidence(&|_| String::new())).expect("JSON");
        let mut kept = document(vec![Input::Verified, Input::Compiled, Input::Raised]);
        for has_verdict in [true, false] {
            let text = serde_json::to_string(&kept).expect("JSON");
            let read = Document::read(&text, Some(&evidence)).expect("its own words");
            assert_eq!(read.record.verdict.is_some(), has_verdict);
            assert_eq!(read.record.evidence.is_some(), has_verdict);
            kept.end_for_start(Phase::Promoting.name(), false, NOW);
        }
    }
}
