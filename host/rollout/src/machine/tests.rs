//! The machine by tables: a plan, what it hears second by second, and where it then stands.

use std::time::Duration;

use geminus_core::Timestamp;

use super::*;
use crate::{Canary, Check, Promote, Shadow, Stages};

mod properties;

pub(super) const START: Timestamp = Timestamp(1_700_000_000_000_000_000);

pub(super) fn verdict(state: VerdictState) -> Verdict {
    let name = "difference winding".to_owned();
    let check =
        Check { name, state, limit: "0.5 K".to_owned(), value: Some(1.0), detail: "3 of 9 rows".to_owned() };
    Verdict::of(vec![check])
}

/// Shadow of 10 rows and 20 s, canary of 2 twins for 5 rows and 10 s, probation of 60 s.
pub(super) fn staged(promote: Promote) -> Plan {
    let shadow = Shadow { rows: 10, seconds: 20, seconds_max: 100 };
    let canary = Canary { count: Some(2), rows: 5, seconds: 10, seconds_max: 100, ..Canary::default() };
    let plan = Plan::through("probe", "2.0.0", Stages { shadow, canary, promote, ..Stages::default() });
    plan.check().expect("a sensible plan");
    plan
}

pub(super) fn facts(plan: &Plan) -> Facts {
    Facts { digest: "sha256:00".to_owned(), canary: plan.stages.canary.size(8), incumbent: true }
}

/// One thing heard, so many seconds after the one before.
#[derive(Clone, Debug)]
enum Heard {
    Verified,
    Compiled,
    Raised,
    /// Twins with authority, compared rows of the poorest.
    Progress(u32, u64),
    Judged(VerdictState),
    Withdrawn,
    Settled,
    Failed,
    Tick,
    Promote,
    Cancel,
    Rollback,
    Superseded,
    HostStarted,
}

use Heard::*;
use VerdictState::{Fail, Open, Pass};

fn hear(rollout: &mut Rollout, heard: &Heard, now: Timestamp) -> Vec<Order> {
    let by = || "ann".to_owned();
    match heard {
        Verified => rollout.hear(Input::Verified, now),
        Compiled => rollout.hear(Input::Compiled, now),
        Raised => rollout.hear(Input::Raised, now),
        Progress(authoritative, rows_min) => {
            let (authoritative, rows_min) = (*authoritative, *rows_min);
            let progress =
                super::Progress { twins: 8, enrolled: 8, warm: 8, authoritative, idle: 0, rows_min };
            rollout.hear(Input::Progress(&progress), now)
        }
        Judged(state) => rollout.hear(Input::Judged(&verdict(*state)), now),
        Withdrawn => rollout.hear(Input::Withdrawn, now),
        Settled => rollout.hear(Input::Settled, now),
        Failed => rollout.hear(Input::Failed("the disk is full".to_owned()), now),
        Tick => rollout.hear(Input::Tick, now),
        Promote => rollout.hear(Input::Promote { by: by() }, now),
        Cancel => rollout.hear(Input::Cancel { by: by() }, now),
        Rollback => rollout.hear(Input::Rollback { by: by() }, now),
        Superseded => rollout.hear(Input::Superseded, now),
        HostStarted => rollout.hear(Input::HostStarted, now),
    }
}

/// Lets a rollout of `plan` hear this, and looks where it stands and what it says; every machine that comes by is
/// written and read again.
fn check(plan: Plan, script: &[(u64, Heard)], phase: Phase, words: &str) -> Rollout {
    let facts = facts(&plan);
    let mut rollout = Rollout::new(plan, facts, START);
    let mut now = START;
    for (seconds, heard) in script {
        now = now.plus(Duration::from_secs(*seconds));
        let was = rollout.phase();
        let orders = hear(&mut rollout, heard, now);
        let changed = rollout.phase() != was;
        assert_eq!(orders, if changed { rollout.orders() } else { Vec::new() }, "{heard:?} in {was}");
        let json = serde_json::to_string(&rollout).expect("json");
        assert_eq!(serde_json::from_str::<Rollout>(&json).expect("its own words"), rollout);
    }
    assert_eq!(rollout.phase(), phase, "{script:?}: {:?}", rollout.history());
    let last = &rollout.history().last().expect("a history").reason;
    assert!(last.contains(words), "{script:?}: {last:?} does not say {words:?}");
    assert_eq!(rollout.phase().is_end(), rollout.deadline().is_none());
    rollout
}

fn after(prefix: &[(u64, Heard)], rest: &[(u64, Heard)]) -> Vec<(u64, Heard)> {
    [prefix, rest].concat()
}

fn shadow() -> Vec<(u64, Heard)> {
    vec![(1, Verified), (1, Compiled), (1, Raised)]
}

fn canary() -> Vec<(u64, Heard)> {
    after(&shadow(), &[(20, Progress(0, 10)), (0, Judged(Pass))])
}

fn promoting() -> Vec<(u64, Heard)> {
    after(&canary(), &[(10, Progress(2, 5)), (0, Judged(Pass))])
}

fn probation() -> Vec<(u64, Heard)> {
    after(&promoting(), &[(1, Progress(8, 1))])
}

fn settling() -> Vec<(u64, Heard)> {
    after(&probation(), &[(60, Judged(Pass))])
}

#[test]
fn a_good_version_goes_through_every_phase_and_stays() {
    let script = after(&settling(), &[(1, Settled)]);
    let rollout = check(staged(Promote::Automatic), &script, Phase::Permanent, "dropped");
    let phases: Vec<Phase> = rollout.history().iter().map(|step| step.phase).collect();
    let mut all: Vec<Phase> = Phase::ALL.into_iter().filter(|phase| !phase.is_end()).collect();
    all.retain(|phase| *phase != Phase::Withdrawing);
    all.push(Phase::Permanent);
    assert_eq!(phases, all);
    assert_eq!(rollout.history()[3].reason, "the candidate stands");
    assert_eq!(rollout.history()[4].reason, "every check passed over 10 rows of each twin");
    assert_eq!(rollout.history()[5].reason, "every check passed over 5 rows of each twin");
    assert_eq!(rollout.since(), rollout.history().last().expect("one").time);
}

#[test]
fn phases_that_the_plan_does_not_have_are_passed_by() {
    let direct = || Plan::direct("probe", "2.0.0");
    check(direct(), &shadow(), Phase::Promoting, "stands");
    let mut no_shadow = staged(Promote::Automatic);
    no_shadow.stages.shadow = Shadow::default();
    check(no_shadow, &shadow(), Phase::Canary, "stands");
    let mut no_canary = staged(Promote::Automatic);
    no_canary.stages.canary = Canary::default();
    check(no_canary, &canary(), Phase::Promoting, "every check passed");
}

#[test]
fn without_an_incumbent_there_is_nothing_to_compare_with_and_nothing_to_go_back_to() {
    let plan = staged(Promote::Automatic);
    let facts = Facts { incumbent: false, ..facts(&plan) };
    let mut rollout = Rollout::new(plan, facts, START);
    let phases = [Verified, Compiled, Raised, Progress(8, 0), Settled].map(|heard| {
        hear(&mut rollout, &heard, START);
        rollout.phase()
    });
    let expect = [Phase::Compiling, Phase::Raising, Phase::Promoting, Phase::Settling, Phase::Permanent];
    assert_eq!(phases, expect);
}

#[test]
fn a_gate_needs_rows_seconds_and_a_verdict_of_its_own() {
    for (rest, phase, words) in [
        (vec![(20, Judged(Pass))], Phase::Shadow, "stands"),
        (vec![(19, Progress(0, 10)), (0, Judged(Pass))], Phase::Shadow, "stands"),
        (vec![(20, Progress(0, 9)), (0, Judged(Pass))], Phase::Shadow, "stands"),
        (vec![(20, Progress(0, 10))], Phase::Shadow, "stands"),
        (vec![(20, Progress(0, 10)), (0, Judged(Open))], Phase::Shadow, "stands"),
        (vec![(20, Judged(Pass)), (0, Progress(0, 10))], Phase::Canary, "passed"),
        (vec![(5, Judged(Pass)), (5, Progress(0, 10)), (10, Tick)], Phase::Canary, "passed"),
    ] {
        check(staged(Promote::Automatic), &after(&shadow(), &rest), phase, words);
    }
    for (rest, phase) in [
        (vec![(10, Progress(2, 5))], Phase::Canary),
        (vec![(10, Progress(2, 4)), (0, Judged(Pass))], Phase::Canary),
        (vec![(10, Progress(1, 5)), (0, Judged(Pass))], Phase::Canary),
        (vec![(10, Progress(2, 5)), (0, Judged(Pass))], Phase::Promoting),
        // The rows of the shadow count for nothing here.
        (vec![(10, Judged(Pass))], Phase::Canary),
        // Rows that overtake those of the phase before between two looks count wholly.
        (vec![(10, Progress(2, 12)), (0, Judged(Pass))], Phase::Promoting),
    ] {
        check(staged(Promote::Automatic), &after(&canary(), &rest), phase, "");
    }
}

#[test]
fn every_phase_has_a_time_limit() {
    let early = "took longer than";
    for (script, ending, words) in [
        (vec![(30, Tick)], Phase::Failed, early),
        (vec![(1, Verified), (120, Tick)], Phase::Failed, early),
        (vec![(1, Verified), (1, Compiled), (300, Tick)], Phase::Failed, early),
        (after(&shadow(), &[(100, Tick)]), Phase::Failed, "no verdict"),
        (after(&shadow(), &[(50, Judged(Open)), (50, Tick)]), Phase::Failed, "3 of 9 rows"),
        (after(&shadow(), &[(50, Judged(Pass)), (50, Progress(0, 7))]), Phase::Failed, "only 7 of 10 rows"),
        (after(&canary(), &[(100, Tick)]), Phase::RolledBack, "0 of 2 canary twins"),
        (after(&promoting(), &[(1, Progress(3, 20)), (3_599, Tick)]), Phase::RolledBack, "3 of 8 twins"),
    ] {
        let plan = || staged(Promote::Automatic);
        check(plan(), &script, Phase::Withdrawing, words);
        check(plan(), &after(&script, &[(1, Withdrawn)]), ending, words);
        check(plan(), &after(&script, &[(59, Tick)]), Phase::Withdrawing, words);
        check(plan(), &after(&script, &[(60, Tick)]), ending, "no answer within 60 s");
    }
    let plan = || staged(Promote::Automatic);
    check(plan(), &after(&probation(), &[(599, Judged(Open))]), Phase::Probation, "");
    check(plan(), &after(&probation(), &[(600, Judged(Open))]), Phase::Settling, "no check failed");
    // What was never confirmed is not permanent.
    let late = after(&settling(), &[(60, Tick)]);
    check(plan(), &late, Phase::Withdrawing, "the new version was not assigned within 60 s");
    check(plan(), &after(&late, &[(1, Withdrawn)]), Phase::RolledBack, "not assigned");
}

#[test]
fn time_alone_makes_no_version_permanent_that_nobody_has_seen_at_work() {
    let direct = || Plan::direct("probe", "2.0.0");
    let silent = after(&shadow(), &[(1, Progress(8, 0)), (599, Judged(Open)), (0, Tick)]);
    check(direct(), &silent, Phase::Probation, "all 8 twins");
    let over = after(&silent, &[(1, Tick)]);
    check(direct(), &over, Phase::Withdrawing, "no row of any twin was compared");
    check(direct(), &after(&over, &[(1, Withdrawn)]), Phase::RolledBack, "no row of any twin was compared");
    // One row of every twin that sends, in this phase or in one before.
    let seen = after(&shadow(), &[(1, Progress(8, 0)), (1, Progress(8, 1)), (600, Tick)]);
    check(direct(), &seen, Phase::Settling, "no check failed");
    let before = after(&shadow(), &[(1, Progress(7, 1)), (1, Progress(8, 0)), (600, Tick)]);
    check(direct(), &before, Phase::Settling, "no check failed");
    // A person may know better.
    check(direct(), &after(&silent, &[(0, Promote)]), Phase::Settling, "promoted by ann");
}

#[test]
fn a_canary_of_named_twins_waits_for_each_of_them_and_says_for_whom() {
    let named = |rows| {
        let mut plan = staged(Promote::Automatic);
        plan.stages.canary.count = None;
        plan.stages.canary.twins = Some(vec!["a".to_owned(), "b".to_owned()]);
        plan.stages.canary.rows = rows;
        plan
    };
    // Without least rows each has to have one all the same.
    check(named(0), &after(&canary(), &[(10, Progress(2, 0)), (0, Judged(Pass))]), Phase::Canary, "passed");
    check(
        named(0),
        &after(&canary(), &[(10, Progress(2, 1)), (0, Judged(Pass))]),
        Phase::Promoting,
        "passed",
    );
    let mut rollout = check(named(5), &canary(), Phase::Canary, "passed");
    let words = "it waits for b (0 of 5 rows)";
    assert!(rollout.hear(Input::Waits(Some(words.to_owned())), rollout.since()).is_empty());
    assert_eq!((rollout.phase(), rollout.waits()), (Phase::Canary, Some(words)));
    let over = rollout.deadline().expect("a deadline");
    rollout.hear(Input::Judged(&verdict(Pass)), over);
    assert_eq!(rollout.phase(), Phase::Withdrawing);
    assert_eq!(rollout.reason(), Some("canary did not pass within 100 s: it waits for b (0 of 5 rows)"));
    assert_eq!(rollout.waits(), None, "it waits for nobody any more");
}

#[test]
fn a_failing_verdict_goes_back_from_every_phase_that_is_judged() {
    for (script, ending) in [
        (shadow(), Phase::Failed),
        (canary(), Phase::RolledBack),
        (promoting(), Phase::RolledBack),
        (probation(), Phase::RolledBack),
    ] {
        let script = after(&script, &[(1, Judged(Fail)), (0, Promote), (0, Judged(Pass)), (1, Withdrawn)]);
        let rollout = check(staged(Promote::Automatic), &script, ending, "difference winding: 3 of 9 rows");
        assert_eq!(rollout.reason(), Some("difference winding: 3 of 9 rows"));
    }
}

#[test]
fn a_failed_order_goes_back_and_says_why() {
    let plan = || staged(Promote::Automatic);
    check(plan(), &[(1, Failed)], Phase::Failed, "the disk is full");
    check(plan(), &[(1, Verified), (1, Failed)], Phase::Failed, "the disk is full");
    for (script, ending) in [
        (vec![(1, Verified), (1, Compiled)], Phase::Failed),
        (shadow(), Phase::Failed),
        (canary(), Phase::RolledBack),
        (promoting(), Phase::RolledBack),
        (probation(), Phase::RolledBack),
        (settling(), Phase::RolledBack),
    ] {
        let failed = after(&script, &[(1, Failed)]);
        check(plan(), &failed, Phase::Withdrawing, "the disk is full");
        check(plan(), &after(&failed, &[(1, Withdrawn)]), ending, "the disk is full");
        check(plan(), &after(&failed, &[(1, Failed)]), ending, "did not go well");
    }
}

#[test]
fn cancel_and_rollback_are_heard_in_every_phase() {
    for (script, cancel, rollback) in [
        (vec![], Phase::Cancelled, Phase::Cancelled),
        (vec![(1, Verified)], Phase::Cancelled, Phase::Cancelled),
        (vec![(1, Verified), (1, Compiled)], Phase::Cancelled, Phase::Cancelled),
        (shadow(), Phase::Cancelled, Phase::Cancelled),
        (canary(), Phase::Cancelled, Phase::RolledBack),
        (promoting(), Phase::Cancelled, Phase::RolledBack),
        (probation(), Phase::RolledBack, Phase::RolledBack),
        (settling(), Phase::RolledBack, Phase::RolledBack),
    ] {
        let plan = || staged(Promote::Automatic);
        let cancelled = after(&script, &[(1, Cancel), (1, Cancel), (1, Withdrawn)]);
        check(plan(), &cancelled, cancel, "cancelled by ann");
        let back = after(&script, &[(1, Rollback), (1, Cancel), (1, Withdrawn)]);
        check(plan(), &back, rollback, "rolled back by ann");
    }
}

#[test]
fn manual_waits_for_a_person_and_a_person_never_overrules_a_failing_verdict() {
    let manual = || staged(Promote::Manual);
    check(manual(), &canary(), Phase::Shadow, "stands");
    check(manual(), &after(&canary(), &[(0, Promote)]), Phase::Canary, "promoted by ann");
    check(manual(), &after(&canary(), &[(80, Tick)]), Phase::Withdrawing, "nobody promoted it");
    let failing = after(&shadow(), &[(1, Judged(Fail)), (0, Promote)]);
    check(manual(), &failing, Phase::Withdrawing, "difference winding");
    // A person in a hurry skips what is still to be waited for.
    let automatic = || staged(Promote::Automatic);
    check(automatic(), &after(&shadow(), &[(1, Promote)]), Phase::Canary, "promoted by ann");
    check(automatic(), &after(&canary(), &[(1, Promote)]), Phase::Promoting, "promoted by ann");
    check(automatic(), &after(&promoting(), &[(1, Promote)]), Phase::Promoting, "every check passed");
    check(automatic(), &after(&probation(), &[(1, Promote)]), Phase::Settling, "promoted by ann");
}

#[test]
fn a_newer_version_settles_a_good_probation_and_cancels_everything_earlier() {
    let plan = || staged(Promote::Automatic);
    check(plan(), &after(&probation(), &[(1, Superseded)]), Phase::Settling, "another version arrived");
    check(plan(), &after(&settling(), &[(1, Superseded), (1, Settled)]), Phase::Permanent, "");
    for script in [vec![], vec![(1, Verified)], shadow(), canary(), promoting()] {
        let script = after(&script, &[(1, Superseded), (1, Withdrawn)]);
        assert!(check(plan(), &script, Phase::Cancelled, "another version arrived").gave_way());
    }
    let by_hand = after(&shadow(), &[(1, Cancel), (1, Withdrawn)]);
    assert!(!check(plan(), &by_hand, Phase::Cancelled, "cancelled by ann").gave_way());
}

#[test]
fn a_host_that_starts_ends_what_it_finds_unless_it_was_settled() {
    let words = "the host stopped in the middle of it; the incumbent runs";
    for (script, ending) in [
        (vec![], Phase::Failed),
        (shadow(), Phase::Failed),
        (canary(), Phase::RolledBack),
        (promoting(), Phase::RolledBack),
        (probation(), Phase::RolledBack),
        (settling(), Phase::RolledBack),
        (after(&shadow(), &[(1, Cancel)]), Phase::Cancelled),
    ] {
        check(staged(Promote::Automatic), &after(&script, &[(9, HostStarted)]), ending, words);
    }
    let found = after(&settling(), &[(9, Settled), (0, HostStarted)]);
    check(staged(Promote::Automatic), &found, Phase::Permanent, "dropped");
}

#[test]
fn a_phase_is_ripe_when_its_minimum_is_reached_or_its_time_is_over() {
    let progress =
        |rows_min| super::Progress { twins: 8, enrolled: 8, warm: 8, authoritative: 2, idle: 0, rows_min };
    for (script, phase, cases) in [
        // Shadow: 10 rows and 20 s; canary: 5 rows of its own and 10 s; probation: 60 s.
        (shadow(), Phase::Shadow, vec![(10, 19, false), (9, 20, false), (10, 20, true), (0, 100, true)]),
        (canary(), Phase::Canary, vec![(4, 10, false), (5, 9, false), (5, 10, true), (15, 10, true)]),
        (promoting(), Phase::Promoting, vec![(900, 3_000, false)]),
        (probation(), Phase::Probation, vec![(16, 59, false), (16, 60, true)]),
        (settling(), Phase::Settling, vec![(900, 900, false)]),
    ] {
        let rollout = check(staged(Promote::Automatic), &script, phase, "");
        for (rows_min, seconds, expect) in cases {
            let now = rollout.since().plus(Duration::from_secs(seconds));
            assert_eq!(rollout.is_ripe(&progress(rows_min), now), expect, "{phase}: {rows_min} {seconds}");
        }
    }
}

#[test]
fn a_person_is_told_when_a_wish_would_do_nothing() {
    let by = || "ann".to_owned();
    let ended = after(&settling(), &[(1, Settled)]);
    let withdrawing = after(&shadow(), &[(1, Cancel)]);
    for (script, input, expect) in [
        (vec![], Input::Promote { by: by() }, Some("nothing to promote while it is verifying")),
        (shadow(), Input::Promote { by: by() }, None),
        (shadow(), Input::Cancel { by: by() }, None),
        (withdrawing, Input::Rollback { by: by() }, Some("already being withdrawn")),
        (settling(), Input::Rollback { by: by() }, Some("already being dropped")),
        (ended, Input::Cancel { by: by() }, Some("it has ended: permanent")),
    ] {
        let plan = staged(Promote::Automatic);
        let facts = facts(&plan);
        let mut rollout = Rollout::new(plan, facts, START);
        let mut now = START;
        for (seconds, heard) in &script {
            now = now.plus(Duration::from_secs(*seconds));
            hear(&mut rollout, heard, now);
        }
        let objection = rollout.objection(&input);
        match expect {
            None => assert_eq!(objection, None),
            Some(words) => {
                assert!(objection.as_deref().is_some_and(|text| text.contains(words)), "{objection:?}")
            }
        }
    }
}

#[test]
fn twins_that_have_gone_stale_are_not_waited_for_when_the_time_of_promotion_is_over() {
    for (authoritative, idle, phase) in [
        (8, 0, Phase::Probation),
        (7, 1, Phase::Probation),
        (1, 7, Phase::Probation),
        (6, 1, Phase::RolledBack),
        (7, 0, Phase::RolledBack),
        // Nobody has seen it at work.
        (0, 8, Phase::RolledBack),
    ] {
        let mut rollout = check(staged(Promote::Automatic), &promoting(), Phase::Promoting, "");
        let progress =
            super::Progress { twins: 8, enrolled: 8, warm: authoritative, authoritative, idle, rows_min: 0 };
        let over = rollout.deadline().expect("a deadline");
        rollout.hear(Input::Progress(&progress), rollout.since());
        let waits = if authoritative == 8 { Phase::Probation } else { Phase::Promoting };
        assert_eq!(rollout.phase(), waits, "{authoritative} and {idle}: its time is not over");
        if waits == Phase::Promoting {
            rollout.hear(Input::Progress(&progress), over);
        }
        let ending = rollout.ending().unwrap_or(rollout.phase());
        assert_eq!(ending, phase, "{authoritative} and {idle}: {:?}", rollout.history());
    }
}
