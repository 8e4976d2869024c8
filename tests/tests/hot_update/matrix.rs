//! Every phase × everything that can go wrong in it, one rollout after another, all kinds at the same time.
//!
//! | in / what | verifying, compiling, raising | shadow, canary, promoting, probation | settling, withdrawing |
//! |---|---|---|---|
//! | ok | `versions` | `versions` | `versions` |
//! | trap, hang, bad state | `before_the_first_row` | here | decided already: from there on the ladder, `hostile` |
//! | wrong output | no row is answered there | here | decided already |
//! | cancelled | `before_the_first_row` | here | tests of the machine in `host/rollout` |
//! | killed with -9 | `kills` | `kills` | `rollouts` |
//! | second swap | `before_the_first_row` | here, `supersede` | tests of the machine |
//!
//! After each case `runs` sees the incumbent alone, and at the end every row of every twin is held against a run without
//! any rollout: sums and counts go on from row to row, so a state that changed in any case would show in every later row.

use geminus_tests::{Guest, component, probe, slow_bomb};
use serde_json::{Value, json};

use crate::rig::{KINDS, Rig, TWINS, guest, twins};

/// What happens in a phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Case {
    Trap,
    Hang,
    BadState,
    WrongOutput,
    Cancelled,
    SecondSwap,
}

const CASES: [Case; 6] =
    [Case::Trap, Case::Hang, Case::BadState, Case::WrongOutput, Case::Cancelled, Case::SecondSwap];

/// Long enough that a phase ends by what happens in it alone.
const ROWS: u64 = 1_000_000_000;
/// A wrong output is wrong by this.
const OFF: f64 = 5.0;
/// The first poison; each later one is a quarter more, and none is a value that the field has otherwise.
const POISON: f64 = 1_000.0;
/// A value that lifts a sum beyond what a bad state still saves.
const LIFT: f64 = 4_096.0;

/// Stages that come to rest in a phase.
fn resting_in(phase: &str) -> Value {
    let acceptance =
        json!({ "rows_min": 1, "difference": { "*": { "absolute": 0.0 } }, "alert_rate_ratio_max": 100.0 });
    let mut stages = json!({ "acceptance": acceptance, "probation": { "rows": ROWS, "seconds_max": 3600 } });
    match phase {
        "shadow" => stages["shadow"] = json!({ "rows": ROWS, "seconds_max": 3600 }),
        "canary" => stages["canary"] = json!({ "count": 2, "rows": ROWS, "seconds_max": 3600 }),
        _ => {}
    }
    stages
}

/// Rows that no twin of the scenario gets to.
const NEVER_WARM_ROWS: u64 = 1_000_000;
/// A twin that is this far behind the others is not warm where they are.
const BEHIND_ROWS: u64 = 20;

/// The twin of a kind that is left behind.
fn last_twin(kind: &str) -> String {
    twins(kind).pop().unwrap_or_default()
}

/// Silences a twin of each kind until the others are far ahead. Gives a number of rows that they have and it has not: a
/// version that is warm from then on answers for them, and goes on waiting for that one.
fn leave_one_behind(rig: &Rig) -> anyhow::Result<u64> {
    KINDS.iter().for_each(|kind| rig.pulse.silence(&last_twin(kind)));
    rig.pulse.wait(2 * BEHIND_ROWS)?;
    let rows = KINDS.iter().map(|kind| rig.pulse.sent(&last_twin(kind)).iter().flatten().count() as u64);
    Ok(rows.max().unwrap_or_default() + BEHIND_ROWS)
}

/// What the new version does besides adding up.
fn script(case: Case, poison: f64, sum: f64) -> String {
    match case {
        Case::Trap => format!("step trap value={poison}"),
        Case::Hang => format!("step loop value={poison}"),
        Case::WrongOutput => format!("step offset={OFF} value={poison}"),
        Case::BadState => format!("snapshot trap sum-above={}", sum + LIFT / 2.0),
        Case::Cancelled | Case::SecondSwap => String::new(),
    }
}

/// The highest sum that any twin has.
fn highest_sum(rig: &Rig) -> f64 {
    let ids = KINDS.iter().flat_map(|kind| twins(kind));
    let sums = ids.map(|twin| rig.pulse.sent(&twin).iter().flatten().map(|(a, b)| a + b).sum::<f64>());
    sums.fold(0.0, f64::max)
}

fn play(rig: &Rig, phase: &str, case: Case, number: u32) -> anyhow::Result<()> {
    let (version, poison) = (format!("1.0.{number}"), POISON + f64::from(number) * 0.25);
    let misdeed = script(case, poison, highest_sum(rig));
    // A version is judged by twins that it is warm for. In promotion it answers for these at once, so it is wrong there
    // while another twin, which it is not warm for, keeps the phase open.
    let one_behind = phase == "promoting" && case == Case::WrongOutput;
    let warm_up_rows = if one_behind { leave_one_behind(rig)? } else { NEVER_WARM_ROWS };
    rig.offer(&version, |kind| {
        let mut next = guest(kind, &version, &misdeed)?;
        if phase == "promoting" {
            next.declaration["warm_up_rows"] = warm_up_rows.into();
        }
        Ok(next)
    })?;
    let rollouts = rig.start_all(&version, &resting_in(phase))?;
    rig.reach(&rollouts, &[phase])?;
    rig.pulse.wait(3)?;
    // Whoever has answered for a twin is rolled back; whoever has not has failed, or was cancelled.
    let failed = if phase == "shadow" { "failed" } else { "rolled-back" };
    let ended = if phase == "probation" { "rolled-back" } else { "cancelled" };
    match case {
        Case::WrongOutput => {
            if one_behind {
                for kind in KINDS {
                    rig.answers_for(kind, &twins(kind)[..TWINS - 1])?;
                    let behind = rig.host.behavior(&last_twin(kind), kind)?;
                    anyhow::ensure!(behind["trial"]["authoritative"] == false, "{behind}");
                }
                rig.reach(&rollouts, &[phase])?;
            }
            rig.poison(poison)?;
            rig.reach(&rollouts, &[failed])?;
            for reason in rig.reasons(&rollouts)? {
                anyhow::ensure!(reason.contains("difference sum: "), "it failed in something else: {reason}");
            }
            KINDS.iter().for_each(|kind| rig.pulse.speak(&last_twin(kind)));
        }
        Case::Trap | Case::Hang => {
            rig.poison(poison)?;
            rig.reach(&rollouts, &[failed])?;
        }
        Case::BadState => {
            rig.poison(LIFT)?;
            rig.reach(&rollouts, &[failed])?;
        }
        Case::Cancelled => {
            rig.order(&rollouts, "cancel")?;
            rig.reach(&rollouts, &[ended])?;
        }
        Case::SecondSwap => {
            for kind in KINDS {
                let (status, answer) = rig.try_start(kind, &version, &resting_in(phase))?;
                anyhow::ensure!(status == 409, "{kind}: a second one is let in: {status} {answer}");
            }
            rig.reach(&rollouts, &[phase])?;
            rig.order(&rollouts, "cancel")?;
            rig.reach(&rollouts, &[ended])?;
        }
    }
    rig.runs("1.0.0")
}

/// Before it is warm, an answer that differs says nothing against a version; nobody is shown it either.
fn unjudged_while_cold(rig: &Rig, number: u32) -> anyhow::Result<()> {
    let (version, poison) = (format!("1.0.{number}"), POISON + f64::from(number) * 0.25);
    rig.offer(&version, |kind| {
        let next = guest(kind, &version, &script(Case::WrongOutput, poison, 0.0))?;
        Ok(next.declares(|it| it["warm_up_rows"] = NEVER_WARM_ROWS.into()))
    })?;
    let rollouts = rig.start_all(&version, &resting_in("promoting"))?;
    rig.reach(&rollouts, &["promoting"])?;
    rig.poison(poison)?;
    rig.pulse.wait(20)?;
    rig.reach(&rollouts, &["promoting"])?;
    rig.order(&rollouts, "cancel")?;
    rig.reach(&rollouts, &["cancelled"])?;
    rig.runs("1.0.0")
}

fn all_cases_in(phase: &str, first: u32) -> anyhow::Result<()> {
    let rig = Rig::start("arrivals = \"ignore\"")?;
    if phase == "promoting" {
        unjudged_while_cold(&rig, first + 100)?;
    }
    let mut wrong = None;
    for (case, number) in CASES.into_iter().zip(first..) {
        play(&rig, phase, case, number).map_err(|error| error.context(format!("{case:?} in {phase}")))?;
        if case == Case::WrongOutput {
            wrong = Some(POISON + f64::from(number) * 0.25);
        }
    }
    // In the shadow nobody believes it.
    let believed = phase != "shadow";
    rig.held_against_no_rollout(|a| if believed && Some(a) == wrong { OFF } else { 0.0 })
}

#[test]
fn shadow() -> anyhow::Result<()> {
    all_cases_in("shadow", 1)
}

#[test]
fn canary() -> anyhow::Result<()> {
    all_cases_in("canary", 1)
}

#[test]
fn promoting() -> anyhow::Result<()> {
    all_cases_in("promoting", 1)
}

#[test]
fn probation() -> anyhow::Result<()> {
    all_cases_in("probation", 1)
}

#[test]
fn before_the_first_row() -> anyhow::Result<()> {
    let rig = Rig::start("arrivals = \"ignore\"")?;
    let scripts =
        ["open trap", "open loop", "restore trap", "restore loop", "restore fault", "snapshot schema=3"];
    for (script, number) in scripts.into_iter().zip(1..) {
        let version = format!("1.0.{number}");
        rig.offer(&version, |kind| guest(kind, &version, script))?;
        let rollouts = rig.start_all(&version, &json!({}))?;
        rig.reach(&rollouts, &["failed"]).map_err(|error| error.context(script))?;
        rig.runs("1.0.0")?;
    }
    // Cancelled in whatever early phase it is, and once while it is compiled.
    rig.offer("1.1.0", |kind| guest(kind, "1.1.0", ""))?;
    let rollouts = rig.start_all("1.1.0", &resting_in("probation"))?;
    rig.order(&rollouts, "cancel")?;
    rig.reach(&rollouts, &["cancelled", "rolled-back"])?;
    rig.runs("1.0.0")?;
    rig.offer("1.2.0", |kind| costly(kind, "1.2.0"))?;
    let rollouts = rig.start_all("1.2.0", &json!({ "compile_seconds_max": 600 }))?;
    rig.reach(&rollouts, &["compiling"])?;
    for kind in KINDS {
        let (status, answer) = rig.try_start(kind, "1.1.0", &json!({}))?;
        anyhow::ensure!(status == 409, "{kind}: a second one is let in: {status} {answer}");
    }
    rig.order(&rollouts, "cancel")?;
    rig.reach(&rollouts, &["cancelled"])?;
    rig.no_compiler()?;
    rig.runs("1.0.0")?;
    // A time limit ends what nobody cancels.
    let rollouts = rig.start_all("1.2.0", &json!({ "compile_seconds_max": 1 }))?;
    rig.reach(&rollouts, &["failed"])?;
    rig.no_compiler()?;
    rig.runs("1.0.0")?;
    rig.held_against_no_rollout(|_| 0.0)
}

/// A version of the plugin that the compiler works on for a minute.
pub(crate) fn costly(kind: &str, version: &str) -> anyhow::Result<Guest> {
    let mut made = Guest::of(component(&probe(&slow_bomb())?, "0.1.0", &[])?, kind, version);
    made.declaration = guest(kind, version, "")?.declaration;
    made.declaration["parameters"] =
        json!({ "type": "object", "properties": { "m": { "type": "string", "default": "n" } } });
    Ok(made)
}
