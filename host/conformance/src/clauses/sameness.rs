//! The same gives the same: in a second instance, in other batches, among other twins.

use super::Tried;
use crate::bed::{Bed, SEED, played};
use crate::compare::{difference, of_frame};
use crate::report::Verdict;
use crate::sequence::{Sequence, joined, of_twin};

const ROWS: usize = 300;
const TWINS: u32 = 5;

pub(super) fn deterministic(bed: &Bed) -> Tried {
    let declaration = bed.declaration();
    let frames = Sequence::new(declaration, SEED, true).frames(ROWS, TWINS);
    let run = || -> Result<_, String> {
        let mut cohort = bed.cohort(TWINS).map_err(|error| error.to_string())?;
        let steps = played(&mut cohort, &frames)?;
        let state = cohort.snapshot(None).map_err(|error| error.to_string())?;
        Ok((steps, state.twins))
    };
    let ((one, state), (other, again)) = (run()?, run()?);
    if let Some(where_) = difference(declaration, &one, &other) {
        return Ok(Verdict::Broken(where_));
    }
    let fuel = |steps: &[geminus_behavior::Stepped]| steps.iter().map(|step| step.fuel).sum::<u64>();
    if fuel(&one) != fuel(&other) {
        return Ok(Verdict::Broken(format!(
            "fuel of the same rows was {}, then {}",
            fuel(&one),
            fuel(&other)
        )));
    }
    if state != again {
        return Ok(Verdict::Broken("state after the same rows has other bytes".to_owned()));
    }
    Ok(Verdict::Kept(format!(
        "{ROWS} rows of {TWINS} twins: outputs, quality, alerts, proposals, fuel and state"
    )))
}

pub(super) fn batches(bed: &Bed) -> Tried {
    let declaration = bed.declaration();
    let frames = Sequence::new(declaration, SEED, true).frames(ROWS, 1);
    let mut single = bed.cohort(1).map_err(|error| error.to_string())?;
    let single = played(&mut single, &frames)?;
    let mut many = bed.cohort(1).map_err(|error| error.to_string())?;
    for (place, chunk) in frames.chunks(37).enumerate() {
        let given = played(&mut many, &[joined(chunk)])?;
        let outputs = declaration.outputs.len();
        let Some(given) = given.first() else { continue };
        for (row, one) in single.iter().skip(place * 37).take(chunk.len()).enumerate() {
            let cells = row * outputs..(row + 1) * outputs;
            let mut part = geminus_core::Outcome { outputs, ..geminus_core::Outcome::default() };
            part.values = given.outcome.values.get(cells.clone()).unwrap_or_default().to_vec();
            part.quality = given.outcome.quality.get(cells).unwrap_or_default().to_vec();
            let here = |number: u32| usize::try_from(number) == Ok(row);
            let alerts = given.outcome.alerts.iter().filter(|alert| here(alert.row)).cloned();
            part.alerts = alerts.map(|alert| geminus_core::Alert { row: 0, ..alert }).collect();
            let wishes = given.outcome.proposals.iter().filter(|wish| here(wish.row)).cloned();
            part.proposals = wishes.map(|wish| geminus_core::Proposal { row: 0, ..wish }).collect();
            if let Some(found) = of_frame(declaration, place * 37 + row, &one.outcome, &part) {
                return Ok(Verdict::Broken(format!("alone, then in a batch: {found}")));
            }
        }
    }
    Ok(Verdict::Kept(format!("{ROWS} rows in calls of 1 and of 37")))
}

pub(super) fn neighbours(bed: &Bed) -> Tried {
    let declaration = bed.declaration();
    let frames = Sequence::new(declaration, SEED, true).frames(ROWS, TWINS);
    let mut all = bed.cohort(TWINS).map_err(|error| error.to_string())?;
    let all = played(&mut all, &frames)?;
    // Twin 0, whose seed and id are the same here and there.
    let mut alone = bed.cohort(1).map_err(|error| error.to_string())?;
    let alone = played(&mut alone, &of_twin(&frames, 0))?;
    let outputs = declaration.outputs.len();
    for (row, (among, alone)) in all.iter().zip(&alone).enumerate() {
        let mut part = geminus_core::Outcome { outputs, ..geminus_core::Outcome::default() };
        part.values = among.outcome.values.get(..outputs).unwrap_or_default().to_vec();
        part.quality = among.outcome.quality.get(..outputs).unwrap_or_default().to_vec();
        part.alerts = among.outcome.alerts.iter().filter(|alert| alert.row == 0).cloned().collect();
        part.proposals = among.outcome.proposals.iter().filter(|wish| wish.row == 0).cloned().collect();
        if let Some(found) = of_frame(declaration, row, &alone.outcome, &part) {
            return Ok(Verdict::Broken(format!("alone, then among {TWINS}: {found}")));
        }
    }
    Ok(Verdict::Kept(format!("{ROWS} rows of one twin, alone and among {TWINS}")))
}
