//! State: what was saved comes back and goes on as if nothing had been; older schemas too; looking ahead leaves it alone.

use geminus_behavior::{Cohort, Snapshot};
use geminus_core::{Frame, Timestamp, TwinIndex};

use super::Tried;
use crate::bed::{Bed, SEED, played};
use crate::compare::difference;
use crate::report::Verdict;
use crate::sequence::{SECOND, Sequence};

const ROWS: usize = 200;
const CUTS: [usize; 5] = [0, 1, 7, 60, 150];
const TWINS: u32 = 3;

fn restored(bed: &Bed, snapshot: &Snapshot) -> Result<Cohort, String> {
    let twins = u32::try_from(snapshot.twins.len()).unwrap_or(u32::MAX);
    let mut cohort = bed.cohort(twins).map_err(|error| error.to_string())?;
    let refused = cohort.restore(snapshot).map_err(|error| error.to_string())?;
    match refused.first() {
        None => Ok(cohort),
        Some(refused) => Err(format!("its own state of schema {} is refused: {refused}", snapshot.schema)),
    }
}

pub(super) fn interrupted(bed: &Bed) -> Tried {
    let declaration = bed.declaration();
    if declaration.state.schema == 0 {
        return Ok(Verdict::NotConcerned("it declares no state".to_owned()));
    }
    let frames = Sequence::new(declaration, SEED, true).frames(ROWS, TWINS);
    let mut whole = bed.cohort(TWINS).map_err(|error| error.to_string())?;
    let expected = played(&mut whole, &frames)?;
    let end = whole.snapshot(None).map_err(|error| error.to_string())?;
    for cut in CUTS {
        let (before, after) = frames.split_at(cut);
        let mut first = bed.cohort(TWINS).map_err(|error| error.to_string())?;
        played(&mut first, before)?;
        let saved = first.snapshot(None).map_err(|error| error.to_string())?;
        let mut second = restored(bed, &saved)?;
        let again = second.snapshot(None).map_err(|error| error.to_string())?;
        if again.twins.iter().map(|twin| &twin.bytes).ne(saved.twins.iter().map(|twin| &twin.bytes)) {
            return Ok(Verdict::Broken(format!(
                "saved after {cut} rows, restored and saved again: other bytes"
            )));
        }
        for (cohort, who) in [(&mut second, "restored"), (&mut first, "saved while it runs")] {
            let given = played(cohort, after)?;
            if let Some(found) = difference(declaration, expected.get(cut..).unwrap_or_default(), &given) {
                return Ok(Verdict::Broken(format!("{who} after {cut} rows: {found}")));
            }
            let state = cohort.snapshot(None).map_err(|error| error.to_string())?;
            if state.twins != end.twins {
                return Ok(Verdict::Broken(format!(
                    "{who} after {cut} rows: the state at the end is another"
                )));
            }
        }
    }
    let bytes = end.twins.iter().map(|twin| twin.bytes.len()).max().unwrap_or(0);
    Ok(Verdict::Kept(format!("cut after {CUTS:?} of {ROWS} rows of {TWINS} twins; {bytes} bytes a twin")))
}

pub(super) fn schemas(bed: &Bed) -> Tried {
    let state = &bed.declaration().state;
    let older: Vec<u32> = state.writes.iter().copied().filter(|schema| *schema != state.schema).collect();
    if state.schema == 0 {
        return Ok(Verdict::NotConcerned("it declares no state".to_owned()));
    }
    let mut sequence = Sequence::new(bed.declaration(), SEED, true);
    let mut cohort = bed.cohort(1).map_err(|error| error.to_string())?;
    played(&mut cohort, &sequence.frames(50, 1))?;
    let after = sequence.frames(20, 1);
    for &schema in &state.writes {
        let saved = cohort.snapshot(Some(schema)).map_err(|error| format!("schema {schema}: {error}"))?;
        if state.reads.contains(&schema) {
            let mut other = restored(bed, &saved)?;
            played(&mut other, &after).map_err(|why| format!("gone on from schema {schema}: {why}"))?;
        }
    }
    let unwritten: Vec<_> = state.reads.iter().filter(|schema| !state.writes.contains(schema)).collect();
    let rest = if unwritten.is_empty() {
        String::new()
    } else {
        format!("; {unwritten:?} only golden states can show")
    };
    Ok(Verdict::Kept(format!("schema {}, older ones {older:?}{rest}", state.schema)))
}

pub(super) fn forecast(bed: &Bed) -> Tried {
    let declaration = bed.declaration();
    if !declaration.forecast {
        return Ok(Verdict::NotConcerned("it declares no forecast".to_owned()));
    }
    let mut sequence = Sequence::new(declaration, SEED, false);
    let (before, after) = (sequence.frames(50, 1), sequence.frames(20, 1));
    let (mut asked, mut left) = (
        bed.cohort(1).map_err(|error| error.to_string())?,
        bed.cohort(1).map_err(|error| error.to_string())?,
    );
    played(&mut asked, &before)?;
    played(&mut left, &before)?;
    let last = before.last().and_then(|frame: &Frame| frame.times.first()).map_or(0, |time| time.0);
    let times: Vec<Timestamp> = (1..=30).map(|second| Timestamp(last + second * SECOND)).collect();
    let held = vec![f64::NAN; times.len() * declaration.inputs.len()];
    let seen = asked.forecast(TwinIndex(0), &times, &held).map_err(|error| error.to_string())?;
    let cells = times.len() * declaration.outputs.len();
    if seen.mean.len() != cells || seen.deviation.len() != cells {
        let (mean, deviation) = (seen.mean.len(), seen.deviation.len());
        return Ok(Verdict::Broken(format!(
            "{mean} means and {deviation} deviations, {cells} were asked for"
        )));
    }
    if !seen.mean.iter().any(|mean| mean.is_finite()) {
        return Ok(Verdict::Broken("not one value of the forecast is a number".to_owned()));
    }
    if let Some(negative) = seen.deviation.iter().find(|deviation| **deviation < 0.0) {
        return Ok(Verdict::Broken(format!("a standard deviation is negative: {negative:?}")));
    }
    let (asked, left) = (played(&mut asked, &after)?, played(&mut left, &after)?);
    if let Some(found) = difference(declaration, &left, &asked) {
        return Ok(Verdict::Broken(format!("after a forecast: {found}")));
    }
    Ok(Verdict::Kept(format!("{} times ahead, and the next {} rows as without it", times.len(), after.len())))
}
