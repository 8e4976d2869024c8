//! What an asset is: its type, its place, its points with the extent of their samples, what computes for it.

use std::time::Duration;

use geminus_api::query::ThreadQuery;
use geminus_api::query::history::POINTS_MAX;
use geminus_api::view as api;
use geminus_api::view::{AssetBehaviorView, AssetView, ExtentView};
use geminus_core::{SeriesId, Timestamp, TwinIndex};
use geminus_store::{Reader, Store, StoreError};
use geminus_twin::{Plant, plant::Point};

/// How near the last sample is looked for before what is left is read.
const FINEST: Duration = Duration::from_secs(2);

/// Blocks on history: some short looks for each point.
pub(super) fn view(
    store: &Store,
    plant: &Plant,
    twin: TwinIndex,
    query: &ThreadQuery,
) -> Result<AssetView, StoreError> {
    let gone = || StoreError::Closed;
    let of = plant.twin(twin).ok_or_else(gone)?;
    let kind = plant.kind(of).ok_or_else(gone)?;
    let reader = store.reader();
    let span = (query.from.unwrap_or_default(), query.to.unwrap_or(Timestamp(u64::MAX)));
    let points = kind.points.iter().zip(plant.series(of)).take(POINTS_MAX);
    let points: Result<Vec<_>, _> =
        points.map(|(point, series)| extent(&reader, point, *series, span)).collect();
    let behaviors = kind.behaviors.iter().filter_map(|behavior| plant.binding(behavior.binding));
    let targets = plant.targets.iter().filter(|target| target.twins.contains(&twin));
    Ok(AssetView {
        display_name: plant.display_name(of),
        type_id: kind.type_id.clone(),
        type_name: kind.type_name.clone(),
        area: of.place.area.clone(),
        line: of.place.line.clone(),
        authority: of.authority,
        behaviors: behaviors
            .map(|binding| AssetBehaviorView {
                name: binding.name.clone(),
                plugin: binding.declaration.name.clone(),
                versions: binding.versions.to_string(),
                parameters: serde_json::from_slice(&binding.parameters).unwrap_or_default(),
            })
            .collect(),
        points: points?,
        points_total: kind.points.len() as u64,
        targets: targets.map(|target| target.name.clone()).collect(),
    })
}

/// From when to when a point has samples.
fn extent(
    reader: &Reader,
    point: &Point,
    series: SeriesId,
    (from, to): (Timestamp, Timestamp),
) -> Result<ExtentView, StoreError> {
    let first = reader.range(series, from, to, 1)?.first().map(|sample| sample.time);
    let last = match first {
        None => None,
        Some(_) if to == Timestamp(u64::MAX) => reader.newest(series)?.map(|sample| sample.time),
        Some(first) => Some(last_before(reader, series, first, to)?),
    };
    Ok(ExtentView {
        point: point.name.clone(),
        unit: point.unit.clone(),
        description: point.description.clone(),
        first: first.map(api::Time),
        last: last.map(api::Time),
    })
}

/// Time of the last sample before `to`; there is one at `first`. Asks whether there are samples in shorter and shorter ends of
/// the time, so that no stretch of history is read through.
fn last_before(
    reader: &Reader,
    series: SeriesId,
    first: Timestamp,
    to: Timestamp,
) -> Result<Timestamp, StoreError> {
    let since = |from: Timestamp| {
        Ok::<_, StoreError>(reader.range(series, from, to, 1)?.first().map(|sample| sample.time))
    };
    let (mut found, mut empty, mut reach) = (first, to, FINEST);
    while to.minus(reach) > first {
        match since(to.minus(reach))? {
            Some(time) => {
                found = time;
                break;
            }
            None => empty = to.minus(reach),
        }
        reach = reach.saturating_mul(8);
    }
    while empty.since(found) > FINEST {
        let middle = found.plus(empty.since(found) / 2);
        match since(middle)? {
            Some(time) => found = time,
            None => empty = middle,
        }
    }
    reader.scan(series, found, empty, |sample| {
        found = sample.time;
        true
    })?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use geminus_core::{ManualClock, Quality, Sample};
    use geminus_store::Options;

    use super::*;

    #[test]
    fn the_last_sample_before_a_time_is_found_wherever_it_lies() {
        let folder = tempfile::tempdir().expect("folder");
        let clock = Arc::new(ManualClock::new(Timestamp(1)));
        let store = Store::open(folder.path(), Options::default(), clock).expect("store");
        let series = store.series(&[("pump-1", "level")]).expect("series")[0];
        // Ten minutes of a sample a second, then nothing for a day, then one.
        let at = |seconds: u64| Timestamp::from_millis(1_700_000_000_000 + seconds * 1_000);
        let times: Vec<Timestamp> = (0..600).chain([87_000]).map(at).collect();
        let sample = |time: &Timestamp| Sample {
            series,
            time: *time,
            received: *time,
            value: 1.0,
            quality: Quality::Good,
        };
        store.recorder().record(times.iter().map(sample).collect(), Vec::new());
        store.flush().expect("flush");
        let check = |to: Timestamp, expect: u64| {
            let found = last_before(&store.reader(), series, at(0), to).expect("read");
            assert_eq!(found, at(expect), "before {to:?}");
        };
        check(at(600), 599);
        check(at(599), 598);
        check(at(1), 0);
        check(at(80_000), 599);
        check(at(87_000), 599);
        check(at(87_001), 87_000);
        check(at(9_000_000), 87_000);
    }
}
