//! Whom an earlier run quarantined: twins that start held apart in the version that failed for them, with the site's
//! substitute, until another version runs for them. Nothing else frees them, a restart of the host least of all.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use geminus_core::{Digest, Event, Quality, Sample, SeriesId, Severity, Timestamp, TwinIndex};
use geminus_store::{Control, Quarantine, Reader, Store};
use geminus_twin::plant::Substitute;
use geminus_twin::shard::Recalled;
use geminus_twin::{BindingIndex, Plant};

use super::chronicle::Chronicle;
use super::plugins::State;
use super::start::Cast;
use super::substitutes::Held;

/// Twins that are named in the journal, of many.
const NAMED_MAX: usize = 10;
/// Samples that are read from history at once.
const SAMPLES_READ: usize = 4_096;

/// A twin and a version that are kept from each other.
type Pair = (BindingIndex, TwinIndex, Digest);

/// All such pairs of this plant.
#[derive(Debug, Default)]
pub(crate) struct Quarantines(HashMap<Pair, Quarantine>);

impl Quarantines {
    /// As the books have them. Pairs of twins and behaviors that the site has no more are passed over.
    pub(crate) fn read(control: &Control, plant: &Plant, chronicle: &Chronicle) -> Self {
        match control.quarantines() {
            Ok(all) => Self::of(all, plant),
            Err(error) => {
                let message = format!(
                    "who was quarantined cannot be read: {error}; whoever was starts with the others"
                );
                chronicle.tell(Event::new("control-unreadable", Severity::Error, message));
                Self::default()
            }
        }
    }

    fn of(all: Vec<Quarantine>, plant: &Plant) -> Self {
        let twins: HashMap<&str, TwinIndex> =
            plant.indices().map(|twin| (super::id_of(plant, twin), twin)).collect();
        let bindings = (0..).map(BindingIndex).zip(&plant.bindings);
        let bindings: HashMap<&str, BindingIndex> =
            bindings.map(|(index, binding)| (binding.name.as_str(), index)).collect();
        let pair = |one: &Quarantine| -> Option<Pair> {
            let (index, twin) = (bindings.get(one.binding.as_str())?, twins.get(one.twin.as_str())?);
            Some((*index, *twin, one.digest.parse().ok()?))
        };
        Self(all.into_iter().filter_map(|one| Some((pair(&one)?, one))).collect())
    }

    /// Why a version is kept from a twin.
    pub(crate) fn reason(&self, index: BindingIndex, twin: TwinIndex, digest: Digest) -> Option<&str> {
        self.0.get(&(index, twin, digest)).map(|one| one.reason.as_str())
    }

    /// Puts on the board what was given up, and the strikes of twins that start with what failed for them.
    pub(crate) fn show(&self, cast: &Cast, board: &mut State) {
        board.given_up.extend(self.0.keys().copied());
        for (index, twin, digest) in started(cast) {
            if let Some(one) = self.0.get(&(index, twin, digest)) {
                board.strikes.insert((index, twin), one.strikes);
            }
        }
    }

    /// Says who starts held apart, in one entry for each behavior and version.
    pub(crate) fn tell(&self, cast: &Cast, plant: &Plant, chronicle: &Chronicle) {
        let mut apart: BTreeMap<(BindingIndex, Digest), Vec<&str>> = BTreeMap::new();
        for (index, twin, digest) in started(cast).filter(|pair| self.0.contains_key(pair)) {
            apart.entry((index, digest)).or_default().push(super::id_of(plant, twin));
        }
        for ((index, digest), twins) in apart {
            let Some(binding) = plant.binding(index) else { continue };
            let parts = cast.parts.get(index.0 as usize).into_iter().flatten();
            let mut labels = parts.map(|part| &part.version).filter(|it| it.compiled.digest() == digest);
            let label = labels.next().map(super::cohorts::Version::label).unwrap_or_default();
            let named = twins.iter().take(NAMED_MAX).copied().collect::<Vec<_>>().join(", ");
            let more = match twins.len().checked_sub(NAMED_MAX) {
                Some(more) if more > 0 => format!(" and {more} more"),
                _ => String::new(),
            };
            let message = format!(
                "{}: {} twins start quarantined, since {label} failed for them before: {named}{more}; substitute: {}; \
                 another version brings them back",
                binding.name,
                twins.len(),
                super::substitutes::name(&binding.substitute),
            );
            let facts = serde_json::json!({
                "binding": binding.name, "digest": digest.to_string(), "twins": twins.len(),
            });
            let event = Event::new("quarantine-kept", Severity::Warning, message).plugin(label).facts(facts);
            chronicle.tell(event);
        }
    }
}

/// How the outputs of a twin read when an earlier run ended.
#[derive(Debug)]
pub(crate) struct Earlier {
    pub(crate) last: Held,
    /// `None` when history has none of them.
    pub(crate) at: Option<Recalled>,
    /// Time of the row since which they have been stood in for, where that is known.
    pub(crate) since: Option<Timestamp>,
}

/// What stands last in history for the outputs of a twin that is quarantined. Reads the store.
pub(crate) fn last_outputs(
    store: &Store,
    plant: &Plant,
    index: BindingIndex,
    twin: TwinIndex,
) -> Option<Earlier> {
    let (binding, of) = (plant.binding(index)?, plant.twin(twin)?);
    let first = plant.kind(of)?.behaviors.iter().find(|behavior| behavior.binding == index)?.first_output;
    let series = plant.series(of).get(first..first + binding.declaration.outputs.len())?;
    let reader = store.reader();
    let newest: Vec<Option<Sample>> =
        series.iter().map(|series| known(reader.newest(*series)).flatten()).collect();
    let latest = newest.iter().flatten().max_by_key(|sample| sample.time);
    let since = latest.and_then(|latest| match binding.substitute {
        Substitute::Hold { seconds } => {
            let span = latest.time.minus(Duration::from_secs(seconds.into()));
            let held = newest.iter().flatten().find(|sample| sample.quality == Quality::Stale);
            match held {
                Some(held) => held_since(&reader, held.series, span, held.time),
                // Held no longer, or never.
                None => newest.iter().flatten().all(|sample| sample.value.is_nan()).then_some(span),
            }
        }
        _ => Some(latest.time),
    });
    let at = latest.map(|latest| Recalled { time: latest.time, received: latest.received });
    let cell = |sample: &Option<Sample>| sample.map_or((f64::NAN, Quality::Bad), |it| (it.value, it.quality));
    let (values, quality) = newest.iter().map(cell).unzip();
    Some(Earlier { last: Held { values, quality }, at, since })
}

/// The first of the held samples of a series that end with the one at `to`. What is held is stale, and is so for the time
/// of `from` … `to` at the most.
fn held_since(reader: &Reader, series: SeriesId, from: Timestamp, to: Timestamp) -> Option<Timestamp> {
    let (mut since, mut from) = (None, from);
    loop {
        let samples = known(reader.range(series, from, Timestamp(to.0.saturating_add(1)), SAMPLES_READ))?;
        for sample in &samples {
            since = (sample.quality == Quality::Stale).then(|| since.unwrap_or(sample.time));
        }
        match samples.last() {
            Some(last) if samples.len() == SAMPLES_READ => from = Timestamp(last.time.0.saturating_add(1)),
            _ => return since,
        }
    }
}

fn known<T>(read: Result<T, geminus_store::StoreError>) -> Option<T> {
    read.inspect_err(|error| tracing::warn!(%error, "what a quarantined twin read is not known")).ok()
}

/// Every twin that starts, with the version that it starts with.
fn started(cast: &Cast) -> impl Iterator<Item = Pair> {
    (0..).map(BindingIndex).zip(&cast.parts).flat_map(|(index, parts)| {
        parts.iter().flat_map(move |part| {
            let digest = part.version.compiled.digest();
            part.twins.iter().map(move |twin| (index, *twin, digest))
        })
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use geminus_core::SystemClock;
    use geminus_store::Options;

    use super::*;
    use Quality::{Good, Stale};

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn what_is_held_began_with_the_first_stale_sample_after_an_answer() {
        let folder = tempfile::tempdir().expect("folder");
        let store =
            Store::open(folder.path(), Options::default(), Arc::new(SystemClock::new())).expect("opens");
        let at = |second: u32| Timestamp::from_millis(1_700_000_000_000).plus(SECOND * second);
        let check = |point: &str, qualities: &[Quality], hold: u32, expect: Option<u32>| {
            let series = store.series(&[("cell-1", point)]).expect("numbered")[0];
            let sample = |(quality, second): (&Quality, u32)| Sample {
                series,
                quality: *quality,
                value: 1.0,
                time: at(second),
                received: at(second),
            };
            store.recorder().record(qualities.iter().zip(0..).map(sample).collect(), Vec::new());
            store.flush().expect("durable");
            let last = u32::try_from(qualities.len()).expect("few") - 1;
            let from = at(last).minus(SECOND * hold);
            let found = held_since(&store.reader(), series, from, at(last));
            assert_eq!(found, expect.map(at), "{qualities:?}");
        };
        check("a", &[Good, Good, Stale, Stale], 10, Some(2));
        check("b", &[Stale, Stale, Good, Stale], 10, Some(3));
        check("c", &[Good, Stale, Stale, Stale, Stale], 4, Some(1));
        check("d", &[Good, Stale, Good], 10, None);
        // More of them than are read at once.
        let many: Vec<Quality> =
            (0..SAMPLES_READ + 100).map(|row| if row == 7 { Good } else { Stale }).collect();
        check("e", &many, 1_000_000, Some(8));
    }
}
