//! Rows as they are recorded beside the points, so that any outcome can be computed again.

use geminus_core::{Frame, Quality, Sample};
use geminus_twin::shard::Moment;
use geminus_twin::{BindingIndex, Plant};

use crate::runtime::cohorts::side::Stepped;

/// Records what a frame was and who answered it, so that its outcome can be made again: one sample for each input
/// that was there, and one for the incarnation that answered. A missing input leaves none.
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
        let Some((who, cells)) = series.split_last() else { continue };
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
        let by = stepped.by.get(row).copied().unwrap_or(0);
        samples.push(sample(*who, f64::from(by), if by == 0 { Quality::Bad } else { Quality::Good }));
    }
}
