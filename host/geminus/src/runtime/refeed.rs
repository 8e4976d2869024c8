//! Rows that were recorded after a state was saved, fed once more at a start: so a host that was killed goes on where
//! its history ends, not where its last snapshot was. What the rows gave is known already and thrown away.

use geminus_core::{Event, Frame, Quality, Sample, Severity, Timestamp, TwinIndex};
use geminus_store::Store;
use geminus_twin::plant::Binding;
use geminus_twin::{BindingIndex, Plant};

use super::id_of;
use super::shard::ShardParts;

/// Rows of one twin that are fed at most; whoever has more since its state was saved goes on from that state.
const ROWS_MAX: usize = 100_000;
/// Rows in one call.
const ROWS_PER_CALL: usize = 1_024;

/// Feeds what a twin has had since `time`, its last row so far; gives its last row and how many were fed.
pub(super) fn rows(
    parts: &mut ShardParts,
    store: &Store,
    (index, binding): (BindingIndex, &Binding),
    twin: TwinIndex,
    time: Timestamp,
) -> Option<(Timestamp, u64)> {
    let plant = std::sync::Arc::clone(&parts.plant);
    let series = plant.row_series(twin, index);
    let inputs = binding.declaration.inputs.len();
    let by = *series.last()?;
    let reader = store.reader();
    let newest = reader.newest(by).ok().flatten().map(|sample| sample.time)?;
    if newest <= time {
        return None;
    }
    let told = |kind: &'static str, message: String| {
        Event::new(kind, Severity::Warning, message)
            .twin(id_of(&plant, twin))
            .plugin(binding.declaration.label())
    };
    let frames = match frames(&reader, series, inputs, (twin, time, newest)) {
        Ok(Some(frames)) => frames,
        Ok(None) => {
            let message = format!(
                "{} of {} has more than {ROWS_MAX} rows since its state was saved: it goes on from that state",
                binding.name,
                id_of(&plant, twin)
            );
            parts.chronicle.tell(told("rows-not-fed", message));
            return None;
        }
        Err(error) => {
            let message = format!("recorded rows of {} cannot be read: {error}", binding.name);
            parts.chronicle.tell(told("rows-not-fed", message));
            return None;
        }
    };
    let (mut last, mut fed) = (time, 0);
    for frame in frames {
        let count = frame.rows() as u64;
        let end = frame.times.last().copied();
        if !parts.cohorts.feed(index, twin, &frame) {
            let message = format!(
                "{} of {} does not take a row again that it took before: it goes on without what came after",
                binding.name,
                id_of(&plant, twin)
            );
            parts.chronicle.tell(told("rows-not-fed", message));
            break;
        }
        (last, fed) = (end.unwrap_or(last), fed + count);
    }
    (fed > 0).then_some((last, fed))
}

/// Time of the last recorded row of a twin; 0 when there is none, or it cannot be read.
pub(super) fn newest(store: &Store, plant: &Plant, index: BindingIndex, twin: TwinIndex) -> Timestamp {
    let by = plant.row_series(twin, index).last();
    let newest = by.and_then(|by| store.reader().newest(*by).ok().flatten());
    newest.map(|sample| sample.time).unwrap_or_default()
}

/// Recorded rows after `time` that somebody answered; `None` when there are too many.
fn frames(
    reader: &geminus_store::Reader,
    series: &[geminus_core::SeriesId],
    inputs: usize,
    (twin, time, newest): (TwinIndex, Timestamp, Timestamp),
) -> Result<Option<Vec<Frame>>, geminus_store::StoreError> {
    let (from, to) = (Timestamp(time.0.saturating_add(1)), Timestamp(newest.0.saturating_add(1)));
    let mut frames: Vec<Frame> = Vec::new();
    let mut rows = 0;
    for row in reader.rows(series, from, to)? {
        let row = row?;
        // Inputs, their ages, what the row said, who answered it.
        let [cells @ .., _said, Some(by)] = row.values.as_slice() else { continue };
        if by.quality != Quality::Good {
            continue;
        }
        rows += 1;
        if rows > ROWS_MAX {
            return Ok(None);
        }
        let full = frames.last().is_none_or(|frame| frame.rows() >= ROWS_PER_CALL);
        if full {
            frames.push(Frame::new(inputs));
        }
        let Some(frame) = frames.last_mut() else { continue };
        frame.twins.push(twin);
        frame.times.push(row.time);
        let cell = |sample: &Option<Sample>| {
            sample.map_or((f64::NAN, Quality::Missing), |sample| (sample.value, sample.quality))
        };
        for (value, quality) in cells.iter().take(inputs).map(cell) {
            frame.values.push(value);
            frame.quality.push(quality);
        }
        for age in cells.iter().skip(inputs) {
            // An age is a whole number of milliseconds that fits, and was recorded as such.
            frame.ages_ms.push(age.map_or(u32::MAX, |sample| age_from_value(sample.value)));
        }
    }
    Ok(Some(frames))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast of a float saturates")]
fn age_from_value(value: f64) -> u32 {
    value as u32
}
