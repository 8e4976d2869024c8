//! An author's own cases through the component: the same files that the SDK's fake host runs natively. The host worsens
//! quality where inputs were worse or the behavior warms up, so a case that names a quality is about what a site sees.

use std::path::Path;

use geminus_core::{Declaration, Frame, Outcome, Quality, Timestamp, TwinIndex};
use geminus_sdk::testing::case::{Case, CaseError, Given};

use crate::bed::{Bed, played};

/// What came of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseOutcome {
    /// What the case shows.
    pub name: String,
    /// Its rows.
    pub rows: usize,
    /// The first difference; `None` when it holds.
    pub difference: Option<String>,
}

/// Runs one case file.
///
/// # Errors
/// When the file cannot be read or names what the behavior does not have.
pub fn run_case(bed: &Bed, path: &Path) -> Result<CaseOutcome, CaseError> {
    let case = Case::read(path)?;
    let declaration = bed.declaration();
    let inputs: Vec<&str> = declaration.inputs.iter().map(|input| input.name.as_str()).collect();
    let outputs: Vec<&str> = declaration.outputs.iter().map(|output| output.name.as_str()).collect();
    case.fits(&inputs, &outputs)?;
    let difference = rows(bed, &case, &inputs).err().map(|error| error.0);
    Ok(CaseOutcome { name: case.name.clone(), rows: case.rows.len(), difference })
}

fn rows(bed: &Bed, case: &Case, inputs: &[&str]) -> Result<(), CaseError> {
    let mut cohort = bed.cohort_of(&case.parameters).map_err(|error| CaseError(error.to_string()))?;
    for row in 0..case.rows.len() {
        let (values, quality) = case.columns(row, inputs);
        let mut frame = Frame::new(inputs.len());
        frame.twins.push(TwinIndex(0));
        frame.times.push(Timestamp(case.time(row)));
        frame.values = values;
        frame.quality = quality.into_iter().map(Quality::from_u8).collect();
        if bed.declaration().ages {
            frame.ages_ms.resize(inputs.len(), 0);
        }
        let stepped =
            played(&mut cohort, &[frame]).map_err(|why| CaseError(format!("row {}: {why}", row + 1)))?;
        if let Some(stepped) = stepped.first() {
            case.check(row, &given(bed.declaration(), &stepped.outcome))?;
        }
    }
    Ok(())
}

fn given(declaration: &Declaration, outcome: &Outcome) -> Given {
    let cells = declaration.outputs.iter().zip(&outcome.values).zip(&outcome.quality);
    let cells = cells.map(|((output, value), quality)| (output.name.clone(), *value, *quality as u8));
    let alerts = outcome.alerts.iter().map(|alert| {
        let declared = declaration.alerts.get(alert.alert as usize);
        (declared.map_or("?", |declared| declared.code.as_str()).to_owned(), alert.value)
    });
    let proposals = outcome.proposals.iter().map(|wish| {
        let declared = declaration.commands.get(wish.command as usize);
        (declared.map_or("?", |declared| declared.name.as_str()).to_owned(), wish.value)
    });
    Given { cells: cells.collect(), alerts: alerts.collect(), proposals: proposals.collect() }
}
