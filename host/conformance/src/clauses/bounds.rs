//! Inside what it declares: outputs that are given, parameters at the ends of their ranges, fuel and memory.

use serde_json::Value;

use super::Tried;
use crate::bed::{Bed, BedError, SEED, played};
use crate::report::Verdict;
use crate::sequence::Sequence;

/// Usual rows in which every output must have had a number.
const ROWS: usize = 1_000;
/// Twins for which a declaration promises its memory.
const FLEET: u32 = 10_000;
/// Rounds of the fleet.
const ROUNDS: usize = 3;
const PAGE: usize = 64 << 10;

pub(super) fn honest(bed: &Bed) -> Tried {
    let declaration = bed.declaration();
    let frames =
        Sequence::new(declaration, SEED, false).frames(ROWS.max(declaration.warm_up_rows as usize + 100), 1);
    let mut cohort = bed.cohort(1).map_err(|error| error.to_string())?;
    // What is against the declaration (an undeclared alert, a command out of its range) is a fault there.
    let given = played(&mut cohort, &frames)?;
    let silent = declaration.outputs.iter().enumerate().filter(|(place, _)| {
        let value = |step: &geminus_behavior::Stepped| step.outcome.values.get(*place).copied();
        !given.iter().filter_map(value).any(f64::is_finite)
    });
    let silent: Vec<&str> = silent.map(|(_, output)| output.name.as_str()).collect();
    let (alerts, wishes) = given.iter().fold((0, 0), |(alerts, wishes), step| {
        (alerts + step.outcome.alerts.len(), wishes + step.outcome.proposals.len())
    });
    if !silent.is_empty() {
        return Ok(Verdict::Broken(format!(
            "no number in {} usual rows: {}",
            given.len(),
            silent.join(", ")
        )));
    }
    let outputs = declaration.outputs.len();
    Ok(Verdict::Kept(format!(
        "{outputs} outputs, {alerts} alerts and {wishes} proposals in {} rows",
        given.len()
    )))
}

pub(super) fn parameters(bed: &Bed) -> Tried {
    let declaration = bed.declaration();
    let members = declaration.parameters.get("properties").and_then(Value::as_object);
    let (mut tried, mut refused) = (0, Vec::new());
    for (name, schema) in members.into_iter().flatten() {
        for bound in ["minimum", "maximum"] {
            let Some(value) = schema.get(bound).and_then(Value::as_f64) else { continue };
            tried += 1;
            let frames = Sequence::new(declaration, SEED, true).frames(50, 1);
            match bed.cohort_where(name, value) {
                Ok(mut cohort) => {
                    let outcome = played(&mut cohort, &frames);
                    outcome.map_err(|why| format!("with {name} at its {bound} {value}: {why}"))?;
                }
                Err(BedError::Start(error)) => {
                    let says = error.to_string();
                    if !says.contains("parameter") {
                        return Ok(Verdict::Broken(format!("{name} at its {bound} {value}: {says}")));
                    }
                    refused.push(format!("{name} = {value}"));
                }
                // The schema itself says no: an exclusive bound, a whole number.
                Err(BedError::Parameters(_)) => tried -= 1,
                Err(other) => return Err(other.to_string()),
            }
        }
    }
    if tried == 0 {
        return Ok(Verdict::NotConcerned("no number has a declared range".to_owned()));
    }
    let refused =
        if refused.is_empty() { String::new() } else { format!("; refused by name: {}", refused.join(", ")) };
    Ok(Verdict::Kept(format!("{tried} ends of ranges{refused}")))
}

pub(super) fn budget(bed: &Bed) -> Tried {
    let declaration = bed.declaration();
    let promised = &declaration.budget;
    let mut one = bed.cohort(1).map_err(|error| error.to_string())?;
    let given = played(&mut one, &Sequence::new(declaration, SEED, true).frames(ROWS, 1))?;
    let dearest = given.iter().map(|step| step.fuel).max().unwrap_or(0);
    if dearest > promised.fuel_per_row {
        let why = format!("a row used {dearest} fuel, {} are declared", promised.fuel_per_row);
        return Ok(Verdict::Broken(why));
    }
    let mut fleet = bed.cohort(FLEET).map_err(|error| format!("{FLEET} twins: {error}"))?;
    let mut rows = Sequence::new(declaration, SEED, false);
    let mut sizes = Vec::new();
    for _ in 0..ROUNDS {
        played(&mut fleet, &[rows.frame(FLEET)]).map_err(|why| format!("{FLEET} twins: {why}"))?;
        sizes.push(fleet.memory_bytes());
    }
    let memory = sizes.last().copied().unwrap_or(0);
    if memory as u64 > promised.memory_bytes {
        let why = format!("{FLEET} twins have {memory} bytes, {} are declared", promised.memory_bytes);
        return Ok(Verdict::Broken(why));
    }
    let (early, late) = growth(bed)?;
    if late > early + PAGE {
        let why = format!(
            "memory grows with rows: {early} bytes after {ROWS} rows of a twin, {late} after ten times as many"
        );
        return Ok(Verdict::Broken(why));
    }
    let (fuel, memory_declared) = (promised.fuel_per_row, promised.memory_bytes);
    Ok(Verdict::Kept(format!(
        "at most {dearest} of {fuel} fuel a row, {memory} of {memory_declared} bytes for {FLEET} twins"
    )))
}

/// Memory of one twin's instance after some rows, and after ten times as many.
fn growth(bed: &Bed) -> Result<(usize, usize), String> {
    let mut cohort = bed.cohort(1).map_err(|error| error.to_string())?;
    let mut rows = Sequence::new(bed.declaration(), SEED, true);
    played(&mut cohort, &rows.frames(ROWS, 1))?;
    let early = cohort.memory_bytes();
    played(&mut cohort, &rows.frames(9 * ROWS, 1))?;
    Ok((early, cohort.memory_bytes()))
}
