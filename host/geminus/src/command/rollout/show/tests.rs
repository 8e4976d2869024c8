//! What a person reads, letter by letter where it matters.

use geminus_api::view::PlannedPhase;
use geminus_rollout::{Phase, VerdictState};
use serde_json::json;

use super::super::fake::{rollout, verdict};
use super::*;

fn judged(phase: Phase, state: VerdictState) -> RolloutView {
    RolloutView { verdict: verdict(state), ..rollout(phase) }
}

#[test]
fn each_phase_that_is_over_has_its_own_verdict() {
    let (began, later) = (rollout(Phase::Shadow).started, Timestamp(1_772_370_000_000_000_000).into());
    let over = |phase, state| JudgedPhase {
        phase,
        since: began,
        until: later,
        verdict: verdict(state),
        evidence: Value::Null,
    };
    let phases = vec![over(Phase::Shadow, VerdictState::Pass), over(Phase::Canary, VerdictState::Fail)];
    let title = |phase: &str, state: &str| {
        format!("{phase} from 2026-03-01T12:00:00Z to 2026-03-01T13:00:00Z: {state}")
    };
    let lines = |view: &RolloutView| one(view).lines().map(str::to_owned).collect::<Vec<_>>();
    let under_way =
        lines(&RolloutView { phases: phases.clone(), ..judged(Phase::Promoting, VerdictState::Open) });
    for line in [title("shadow", "pass"), title("canary", "fail"), "verdict: open".to_owned()] {
        assert!(under_way.contains(&line), "{line:?} is not in {under_way:#?}");
    }
    let ended = lines(&RolloutView { phases, ..judged(Phase::RolledBack, VerdictState::Fail) });
    assert!(ended.contains(&title("shadow", "pass")) && ended.contains(&"verdict: fail".to_owned()));
    assert!(!ended.contains(&title("canary", "fail")), "what was found last is not told twice: {ended:#?}");
}

#[test]
fn the_list_has_a_line_for_each() {
    assert_eq!(list(&RolloutsView::default()), "there has been no rollout\n");
    let first = RolloutView { id: 3, from: None, by: "a\u{7}b".to_owned(), ..rollout(Phase::RolledBack) };
    let text = list(&RolloutsView { rollouts: vec![judged(Phase::Shadow, VerdictState::Open), first] });
    let expect = "\
ID  BEHAVIOR  PLUGIN         VERSIONS         PHASE        SINCE                 TWINS    VERDICT  BY
12  thermal   motor-thermal  1.3.2 → 1.4.0    shadow       2026-03-01T12:00:00Z  0 of 40  open     Ann
3   thermal   motor-thermal  nothing → 1.4.0  rolled-back  2026-03-01T12:00:00Z  0 of 40  –        a b
";
    assert_eq!(text, expect);
}

#[test]
fn one_rollout_is_shown_with_its_checks_and_worst_rows() {
    let side =
        json!({"fuel_per_row": null, "step_us_per_row": null, "call_ms_max": 0.0, "deadline_misses": 0});
    let worst: Vec<_> = (0..30)
        .map(|place| json!({
            "twin": format!("pump-{place}"), "time_ms": 1_772_366_400_000_u64, "output": "winding_temperature",
            "old": 61.25, "new": 64.0, "times_limit": 1.375,
        }))
        .collect();
    let evidence = json!({
        "rows": 700, "rows_warming": 0, "twins": 2, "twin_hours": 0.4, "outputs": [], "innovations": [], "nis": [],
        "alerts": {"old": 0, "new": 2, "old_per_hour": null, "new_per_hour": null},
        "proposals": {"rows": 9, "differ": 3, "old": 9, "new": 8, "old_refused": 0, "new_refused": 0},
        "costs": {"rows": 0, "calls": 0, "deadline_ms": 500, "old": side, "new": side},
        "faults_total": 7,
        "faults": [{"twin": "pump-2", "time_ms": 0, "kind": "trap", "message": "unreachable\nhere"}],
        "worst": worst, "curves": [],
    });
    serde_json::from_value::<Evidence>(evidence.clone()).expect("the room's own type");
    let text = one(&RolloutView { evidence, ..judged(Phase::Failed, VerdictState::Fail) });
    for line in [
        "rollout 12: motor-thermal 1.3.2 → 1.4.0 for thermal, failed since 2026-03-01T12:00:00Z: reason of failed",
        "  began  2026-03-01T12:00:00Z begun, Ann",
        "  twins  40 twins: 40 taken in, 38 warm, 0 answered by the new version; 412 rows compared at least",
        "  ended  2026-03-01T12:00:00Z",
        "changes of the declaration",
        "  widening  command setpoint  it may reach 95 % instead of 90 %",
        "verdict: fail",
        "  fail  difference winding_temperature  2.75  at most 2 Cel  2.75 Cel at most [31m",
        "alerts and proposals of 700 compared rows",
        "  proposals  9 of the running version, 8 of the new one  3 of 9 rows with one differ",
        "worst rows of 700 compared",
        "  twin    time                  output               running  new  times its limit",
        "  pump-9  2026-03-01T12:00:00Z  winding_temperature  61.25    64   1.375",
        "faults, 7 in all",
        "  pump-2  1970-01-01T00:00:00Z  trap  unreachable here",
        "history",
        "  2026-03-01T12:00:01Z  raising      reason of raising",
    ] {
        assert!(text.lines().any(|found| found == line), "{line:?} is not in\n{text}");
    }
    assert!(!text.contains("pump-10"), "ten worst rows are enough");
    assert!(!text.contains('\u{1b}'), "a plugin's words move no cursor");
}

#[test]
fn a_verdict_is_one_line() {
    let words = |state| verdict_words(&serde_json::from_value(verdict(state)).expect("verdict"));
    assert_eq!(words(VerdictState::Pass), "pass");
    assert_eq!(words(VerdictState::Open), "open: 1 of 1 checks want more rows");
    let fail = words(VerdictState::Fail);
    assert_eq!(fail, "fail: difference winding_temperature: 2.75 Cel at most [31m");
}

#[test]
fn a_rollout_that_nothing_is_known_of_is_shown_too() {
    let text =
        one(&RolloutView { from: None, diff: Vec::new(), automatic: true, ..rollout(Phase::Verifying) });
    assert!(text.contains("  from      nothing ran\n"), "{text}");
    assert!(text.contains("begun by a file that arrived, Ann"), "{text}");
    assert!(text.contains("this phase ends at 2026-03-01T13:00:00Z at the latest"), "{text}");
    assert!(!text.contains("verdict") && !text.contains("worst") && !text.contains("changes"), "{text}");
}

#[test]
fn a_preview_says_what_would_happen_and_why_not() {
    let view = rollout(Phase::Shadow);
    let mut preview_ = RolloutPreview {
        binding: Some(view.binding),
        plugin: view.plugin,
        from: view.from,
        to: Some(view.to),
        twins: (0..25).map(|place| format!("pump-{place}")).collect(),
        twins_total: 1_025,
        canary: vec!["pump-0".to_owned()],
        plan: view.plan,
        diff: view.diff,
        phases: vec![PlannedPhase {
            phase: Phase::Probation,
            text: "1.3.2 is kept warm".to_owned(),
            seconds_max: 600,
        }],
        refusals: Vec::new(),
    };
    let text = preview(&preview_);
    for words in [
        "motor-thermal for thermal: nothing is begun\n",
        "pump-18, pump-19 and 1005 more\n",
        "  canary  1: pump-0\n",
        "\nphases\n  probation  at most 600 s  1.3.2 is kept warm\n",
        "\nit would be begun\n",
    ] {
        assert!(text.contains(words), "{words:?} is not in\n{text}");
    }
    preview_.refusals = vec!["the state cannot be read".to_owned(), "another".to_owned()];
    (preview_.binding, preview_.to) = (None, None);
    let text = preview(&preview_);
    assert!(text.ends_with("\nit would be refused:\n  the state cannot be read\n  another\n"), "{text}");
    assert!(text.contains("no behavior of the site") && text.contains("  to      no version\n"), "{text}");
}
