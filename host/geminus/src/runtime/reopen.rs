//! After a kill: a shard gets once more what history has of its twins since their last rows, so that a row that waited for
//! a sample waits for it still, and inputs that are held have their values. What was stored is read in pieces of some
//! twins, one pass over the newest blocks for each.

use std::collections::BTreeMap;
use std::sync::Arc;

use geminus_core::{Event, Quality, Sample, SeriesId, Severity, Timestamp, TwinIndex};
use geminus_store::{Reader, Store, StoreError, Tail};
use geminus_twin::plant::{Kind, KindBehavior, Origin};
use geminus_twin::shard::{Moment, Recalled};
use geminus_twin::{BindingIndex, Plant};

use super::id_of;
use super::shard::ShardParts;

/// Twins of one reading.
const TWINS_PER_READING: usize = 1_024;
/// Samples of a point since the twin's last row; one that has more has no row that stands open for them.
const SAMPLES_MAX: usize = 1_024;

/// Gives the shard of `parts` what its twins had. To be called when states are back and before the first sample.
pub(super) fn shard(parts: &mut ShardParts, store: &Store) {
    let plant = Arc::clone(&parts.plant);
    let twins: Vec<TwinIndex> = parts.shard.twins().collect();
    let (mut left_out, mut first): (usize, Option<TwinIndex>) = (0, None);
    for some in twins.chunks(TWINS_PER_READING) {
        match Earlier::read(&store.reader(), &plant, some) {
            Ok(earlier) => {
                for twin in some {
                    if !earlier.give(parts, &plant, *twin) {
                        left_out += 1;
                        first = first.or(Some(*twin));
                    }
                }
            }
            Err(error) => {
                let message = format!(
                    "what {} twins had when the host ended cannot be read: {error}; a row that waited for a sample then has only what comes from here on",
                    some.len()
                );
                parts.chronicle.tell(Event::new("rows-not-reopened", Severity::Warning, message));
            }
        }
    }
    if let Some(first) = first {
        let message = format!(
            "{left_out} twins have more than {SAMPLES_MAX} samples of a point since their last row, {} among them: their rows begin with what comes from here on",
            id_of(&plant, first)
        );
        parts.chronicle.tell(Event::new("rows-not-reopened", Severity::Info, message));
    }
}

/// What history has of some twins.
#[derive(Debug, Default)]
struct Earlier {
    /// The last row of each behavior of a twin.
    last: BTreeMap<(TwinIndex, BindingIndex), Timestamp>,
    /// Ends of measured points, and of outputs that other behaviors need.
    tails: BTreeMap<SeriesId, Tail>,
}

impl Earlier {
    fn read(reader: &Reader, plant: &Plant, twins: &[TwinIndex]) -> Result<Self, StoreError> {
        let mut earlier = Self::default();
        let who: Vec<(TwinIndex, BindingIndex, SeriesId)> = twins
            .iter()
            .flat_map(|twin| behaviors(plant, *twin).iter().map(|behavior| (*twin, behavior.binding)))
            .filter_map(|(twin, index)| Some((twin, index, *plant.row_series(twin, index).last()?)))
            .collect();
        // Nothing is as late as that: only the last one before it is read.
        let newest = Timestamp(u64::MAX);
        let wanted: Vec<_> = who.iter().map(|(.., series)| (*series, newest)).collect();
        for ((twin, index, _), tail) in who.iter().zip(reader.tails(&wanted, 1)?) {
            earlier.last.extend(tail.before.map(|row| ((*twin, *index), row.time)));
        }
        let mut wanted = Vec::new();
        for twin in twins {
            let Some((kind, series)) = laid_out(plant, *twin) else { continue };
            let from = earlier.of(*twin).map(|(_, time)| time).min().unwrap_or_default();
            for (place, series) in series.iter().enumerate().take(kind.points.len()) {
                if !is_input(kind, place) {
                    continue;
                }
                wanted.push((*series, if place < kind.measured { from } else { newest }));
            }
        }
        let tails = reader.tails(&wanted, SAMPLES_MAX)?;
        earlier.tails = wanted.into_iter().map(|(series, _)| series).zip(tails).collect();
        Ok(earlier)
    }

    fn of(&self, twin: TwinIndex) -> impl Iterator<Item = (BindingIndex, Timestamp)> + '_ {
        let all = (twin, BindingIndex(0))..=(twin, BindingIndex(u32::MAX));
        self.last.range(all).map(|((_, index), time)| (*index, *time))
    }

    /// False when there is too much of it.
    fn give(&self, parts: &mut ShardParts, plant: &Plant, twin: TwinIndex) -> bool {
        let Some((kind, series)) = laid_out(plant, twin) else { return true };
        let now = Moment::of(parts.clock.as_ref());
        let last: Vec<(BindingIndex, Timestamp)> = self.of(twin).collect();
        for behavior in &kind.behaviors {
            let row = last.iter().find(|(index, _)| *index == behavior.binding);
            if let Some((index, time)) = row {
                self.recall(parts, plant, (twin, *index), (kind, behavior, series), *time, now);
            }
        }
        let measured = series.iter().take(kind.measured).filter_map(|series| self.tails.get(series));
        let measured: Vec<&Tail> = measured.collect();
        let is_cut = measured.iter().any(|tail| tail.cut);
        let mut samples: Vec<Sample> = match is_cut {
            true => Vec::new(),
            false => {
                measured.iter().flat_map(|tail| tail.before.iter().chain(&tail.since)).copied().collect()
            }
        };
        samples.sort_by_key(|sample| (sample.received, sample.time));
        parts.shard.remember(twin, &last, &samples, now);
        // A twin without rows has nothing to go on with.
        !is_cut || last.is_empty()
    }

    /// Puts back what a behavior gave last, where another one needs it.
    fn recall(
        &self,
        parts: &mut ShardParts,
        plant: &Plant,
        (twin, index): (TwinIndex, BindingIndex),
        (kind, behavior, series): (&Kind, &KindBehavior, &[SeriesId]),
        time: Timestamp,
        now: Moment,
    ) {
        let Some(binding) = plant.binding(index) else { return };
        let outputs = behavior.first_output..behavior.first_output + binding.declaration.outputs.len();
        if !outputs.clone().any(|place| is_input(kind, place)) {
            return;
        }
        let mut received = Timestamp(0);
        let mut cell = |series: &SeriesId| {
            let newest = self.tails.get(series).and_then(Tail::newest);
            match newest.filter(|sample| sample.time == time) {
                Some(sample) => {
                    received = received.max(sample.received);
                    (sample.value, sample.quality)
                }
                // What is no number is stored once, when it follows one.
                None => (f64::NAN, Quality::Bad),
            }
        };
        let cells = series.get(outputs).unwrap_or_default().iter().map(&mut cell);
        let (values, quality): (Vec<f64>, Vec<Quality>) = cells.unzip();
        let at = Recalled { time, received };
        parts.shard.recall(twin, index, (&values, &quality), Some(at), now);
    }
}

fn laid_out(plant: &Plant, twin: TwinIndex) -> Option<(&Kind, &[SeriesId])> {
    let of = plant.twin(twin)?;
    Some((plant.kind(of)?, plant.series(of)))
}

fn behaviors(plant: &Plant, twin: TwinIndex) -> &[KindBehavior] {
    laid_out(plant, twin).map_or(&[], |(kind, _)| &kind.behaviors)
}

/// Whether the point at this place is an input of a behavior; an output is one with all of its behavior, whose outputs
/// are put back together.
fn is_input(kind: &Kind, place: usize) -> bool {
    let of = |place: usize| match kind.points.get(place).map(|point| &point.origin) {
        Some(Origin::Estimated { behavior, .. }) => Some(*behavior),
        _ => None,
    };
    let mut inputs =
        kind.behaviors.iter().flat_map(|behavior| &behavior.columns).filter_map(|column| column.point);
    match of(place) {
        Some(behavior) => inputs.any(|input| of(input) == Some(behavior)),
        None => inputs.any(|input| input == place),
    }
}
