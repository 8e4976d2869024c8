//! Hard rows: what a field gives on a bad day. None may break the instance, and none may do lasting harm: a while after
//! it, every output that has a number without it has one again. A fault is a proper answer to a row that cannot be
//! worked with; a trap never is.

use geminus_behavior::{Cohort, FaultKind};
use geminus_core::{Frame, Quality};

use super::Tried;
use crate::bed::{Bed, SEED, blame, played};
use crate::compare::{difference, numbers};
use crate::report::Verdict;
use crate::sequence::{SECOND, Sequence, joined};

/// Usual rows before and after.
const BEFORE: usize = 50;
const AFTER: usize = 400;
/// Rows in one call: more than the host ever gives a component at once, so it is full.
const GIANT: usize = 4_096;

const DAY: u64 = 86_400 * SECOND;

/// What happens between usual rows.
type Hardship = (&'static str, fn(&mut Sequence) -> Vec<Frame>);

const HARDSHIPS: [Hardship; 10] = [
    ("every input missing", |rows| (0..20).map(|_| rows.odd(0.0, Quality::Missing)).collect()),
    ("every input bad", |rows| (0..20).map(|_| rows.odd(1.0, Quality::Bad)).collect()),
    ("every input stale", |rows| (0..20).map(|_| rows.odd(1.0, Quality::Stale)).collect()),
    ("zeros", |rows| (0..20).map(|_| rows.odd(0.0, Quality::Good)).collect()),
    ("1e300", |rows| vec![rows.odd(1e300, Quality::Good)]),
    ("-1e300", |rows| vec![rows.odd(-1e300, Quality::Good)]),
    ("the largest number", |rows| vec![rows.odd(f64::MAX, Quality::Uncertain)]),
    ("the smallest number", |rows| vec![rows.odd(5e-324, Quality::Good)]),
    ("a gap of a nanosecond", |rows| {
        rows.pass(1);
        Vec::new()
    }),
    ("a gap of four years", |rows| {
        rows.pass(4 * 365 * DAY);
        Vec::new()
    }),
];

pub(super) fn rows(bed: &Bed) -> Tried {
    let declaration = bed.declaration();
    let mut usual = Sequence::new(declaration, SEED, false);
    let mut cohort = bed.cohort(1).map_err(|error| error.to_string())?;
    let calm = played(&mut cohort, &usual.frames(BEFORE + AFTER, 1))?;
    let expected = calm.last().map(|last| numbers(declaration, &last.outcome)).unwrap_or_default();
    for (name, hardship) in HARDSHIPS {
        let mut rows = Sequence::new(declaration, SEED, false);
        let mut cohort = bed.cohort(1).map_err(|error| error.to_string())?;
        played(&mut cohort, &rows.frames(BEFORE, 1))?;
        if let Some(why) = broken_by(&mut cohort, &hardship(&mut rows))? {
            return Ok(Verdict::Broken(format!("{name}: {why}")));
        }
        let after = rows.frames(AFTER, 1);
        let given = played(&mut cohort, &after).map_err(|why| format!("after {name}: {why}"))?;
        let now = given.last().map(|last| numbers(declaration, &last.outcome)).unwrap_or_default();
        if let Some(lost) = expected.iter().find(|output| !now.contains(output)) {
            let why = format!("after {name}, output {lost} has no number {AFTER} usual rows later");
            return Ok(Verdict::Broken(why));
        }
    }
    let names: Vec<&str> = HARDSHIPS.iter().map(|(name, _)| *name).collect();
    Ok(Verdict::Kept(format!("{}; {} outputs have numbers again", names.join(", "), expected.len())))
}

/// What these rows broke; a fault that the behavior itself answers breaks nothing.
fn broken_by(cohort: &mut Cohort, frames: &[Frame]) -> Result<Option<String>, String> {
    for frame in frames {
        let stepped = cohort.step(frame).map_err(|error| error.to_string())?;
        let broken =
            |fault: &&geminus_behavior::TwinFault| fault.kind != FaultKind::Fault || fault.quarantined;
        if let Some(fault) = stepped.faults.iter().find(broken) {
            return Ok(Some(blame(fault)));
        }
    }
    Ok(None)
}

pub(super) fn order(bed: &Bed) -> Tried {
    let declaration = bed.declaration();
    let frames = Sequence::new(declaration, SEED, false).frames(60, 1);
    let mut disturbed = bed.cohort(1).map_err(|error| error.to_string())?;
    let (mut given, mut passed_over) = (Vec::new(), 0);
    for (row, frame) in frames.iter().enumerate() {
        given.extend(played(&mut disturbed, std::slice::from_ref(frame))?);
        let late = row.checked_sub(usize::from(row % 2 == 0) * 3).and_then(|row| frames.get(row));
        let Some(late) = late.filter(|_| row % 10 < 2) else { continue };
        let stepped = disturbed.step(late).map_err(|error| error.to_string())?;
        match stepped.faults.as_slice() {
            [fault] if fault.kind == FaultKind::Row && !fault.quarantined => passed_over += 1,
            other => return Ok(Verdict::Broken(format!("a row that came too late gave {other:?}"))),
        }
    }
    let mut calm = bed.cohort(1).map_err(|error| error.to_string())?;
    let expected = played(&mut calm, &frames)?;
    Ok(match difference(declaration, &expected, &given) {
        Some(found) => Verdict::Broken(format!("with late rows between: {found}")),
        None => Verdict::Kept(format!("{passed_over} late or doubled rows among {}", frames.len())),
    })
}

pub(super) fn giant(bed: &Bed) -> Tried {
    let declaration = bed.declaration();
    let frames = Sequence::new(declaration, SEED, true).frames(GIANT, 1);
    let mut cohort = bed.cohort(1).map_err(|error| error.to_string())?;
    let given = played(&mut cohort, &[joined(&frames)])?;
    let cells = given.first().map_or(0, |step| step.outcome.values.len());
    let expected = GIANT * declaration.outputs.len();
    if cells != expected {
        return Ok(Verdict::Broken(format!("{cells} values for {GIANT} rows, {expected} were to come")));
    }
    let fuel = given.first().map_or(0, |step| step.fuel);
    Ok(Verdict::Kept(format!("{GIANT} rows at once with {fuel} fuel")))
}
