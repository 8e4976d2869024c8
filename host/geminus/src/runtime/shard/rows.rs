//! Rows as they are recorded beside the points, so that any outcome can be computed again.

use geminus_core::{Frame, Quality, Sample};
use geminus_twin::shard::Moment;
use geminus_twin::{BindingIndex, Plant};

use crate::runtime::cohorts::side::Stepped;
use crate::said::{self, Said};

/// Records what a frame was and who answered it, so that its outcome can be made again: one sample for each input
/// that was there, one for the incarnation that answered, and one for what a row said besides its outputs. A missing
/// input and a row that said nothing leave none.
pub(super) fn record(
    plant: &Plant,
    index: BindingIndex,
    frame: &Frame,
    stepped: &Stepped,
    now: Moment,
    samples: &mut Vec<Sample>,
) {
    let inputs = frame.inputs;
    for (row, (twin, time)) in frame.twins.iter().zip(&frame.times).enumerate() {
        let series = plant.row_series(*twin, index);
        let [cells @ .., _said, who] = series else { continue };
        let from = row * inputs..(row + 1) * inputs;
        let values = frame.values.get(from.clone()).unwrap_or_default();
        let quality = frame.quality.get(from.clone()).unwrap_or_default();
        let sample =
            |series, value, quality| Sample { series, quality, value, time: *time, received: now.wall };
        for ((series, value), quality) in cells.iter().zip(values).zip(quality) {
            if *quality != Quality::Missing {
                samples.push(sample(*series, *value, *quality));
            }
        }
        let ages = frame.ages_ms.get(from).unwrap_or_default();
        for ((series, age), quality) in cells.iter().skip(inputs).zip(ages).zip(quality) {
            if *quality != Quality::Missing {
                samples.push(sample(*series, f64::from(*age), Quality::Good));
            }
        }
        samples.push(match stepped.by.get(row).copied().unwrap_or(0) {
            0 => sample(*who, 0.0, Quality::Bad),
            by => sample(*who, f64::from(by) + said::KEPT, Quality::Good),
        });
    }
    for (row, said) in Said::of(&stepped.outcome) {
        let (Some(twin), Some(time)) = (frame.twins.get(row), frame.times.get(row)) else { continue };
        if let [.., series, _who] = plant.row_series(*twin, index) {
            let (value, quality) = (said.value(), Quality::Good);
            samples.push(Sample { series: *series, quality, value, time: *time, received: now.wall });
        }
    }
}
