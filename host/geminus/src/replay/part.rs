//! Parts of frames and outcomes: some consecutive rows, with sparse entries renumbered.

use geminus_core::{Alert, Frame, Outcome, Proposal};

/// Rows `from..to` of a frame.
pub(super) fn frame(whole: &Frame, from: usize, to: usize) -> Frame {
    let mut part = Frame::new(whole.inputs);
    part.extend_from(whole, from, to.min(whole.rows()));
    part
}

/// Rows `from..to` of an outcome.
pub(super) fn outcome(whole: &Outcome, from: usize, to: usize) -> Outcome {
    let cells = from * whole.outputs..to * whole.outputs;
    let place = |row: u32| {
        let row = usize::try_from(row).ok().filter(|row| (from..to).contains(row))?;
        u32::try_from(row - from).ok()
    };
    let alert = |alert: &Alert| Some(Alert { row: place(alert.row)?, ..alert.clone() });
    let proposal = |proposal: &Proposal| Some(Proposal { row: place(proposal.row)?, ..proposal.clone() });
    Outcome {
        outputs: whole.outputs,
        values: whole.values.get(cells.clone()).unwrap_or_default().to_vec(),
        quality: whole.quality.get(cells).unwrap_or_default().to_vec(),
        alerts: whole.alerts.iter().filter_map(alert).collect(),
        proposals: whole.proposals.iter().filter_map(proposal).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use geminus_core::Quality;

    #[test]
    fn a_part_of_an_outcome_numbers_its_rows_anew() {
        let alert = |row| Alert { row, alert: 0, value: 1.0, detail: String::new() };
        let whole = Outcome {
            outputs: 2,
            values: (0..8).map(f64::from).collect(),
            quality: vec![Quality::Good; 8],
            alerts: vec![alert(0), alert(1), alert(2), alert(3)],
            proposals: vec![],
        };
        let part = outcome(&whole, 1, 3);
        assert_eq!((part.values.as_slice(), part.quality.len()), (&[2.0, 3.0, 4.0, 5.0][..], 4));
        assert_eq!(part.alerts.iter().map(|alert| alert.row).collect::<Vec<_>>(), [0, 1]);
    }
}
