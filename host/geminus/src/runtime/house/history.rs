//! History of a twin: which points, how far back, as it is or decimated with its extremes.

use std::sync::Arc;

use geminus_api::query::HistoryQuery;
use geminus_api::{Trouble, view as api};
use geminus_core::{SeriesId, Timestamp, TwinIndex};
use geminus_store::Reader;

use super::{Ask, Rooms, blocking, marks};

/// A point of which history is asked.
struct Asked {
    name: String,
    unit: String,
    series: SeriesId,
}

impl Rooms {
    pub(super) async fn past(&self, query: HistoryQuery) -> Result<api::HistoryView, Trouble> {
        let twin = self.known(&query.twin)?;
        let points = self.points(twin, &query)?;
        let past = self.ask(twin, |reply| Ask::Past(twin, reply)).await?;
        let reader = self.store.reader();
        let newest = match past.newest {
            Some(time) => Some(time),
            // Nothing has come since the start: the end of what was stored before.
            None => {
                let (reader, series) = (reader.clone(), points.iter().map(|p| p.series).collect::<Vec<_>>());
                blocking(move || newest(&reader, &series)).await?
            }
        };
        let (from, to) = query.range(newest);
        let buckets = query.buckets as usize;
        let series = blocking(move || {
            points.into_iter().map(|point| stretch(&reader, point, from, to, buckets)).collect()
        })
        .await?;
        let (control, plant, id) = (self.store.control(), Arc::clone(&self.plant), query.twin.clone());
        let earlier = blocking(move || marks::earlier(&control, &plant, twin, &id)).await?;
        Ok(api::HistoryView {
            twin: query.twin,
            from: from.into(),
            to: to.into(),
            series,
            marks: marks::inside(past.swaps, earlier, from, to),
        })
    }

    fn points(&self, twin: TwinIndex, query: &HistoryQuery) -> Result<Vec<Asked>, Trouble> {
        let of = self.plant.twin(twin).and_then(|twin| Some((twin, self.plant.kind(twin)?)));
        let (of, kind) = of.ok_or_else(|| Trouble::Internal("the twin has no kind".to_owned()))?;
        let all = kind.points.iter().zip(self.plant.series(of));
        let wanted = all.filter(|(point, _)| query.points.is_empty() || query.points.contains(&point.name));
        let found: Vec<Asked> = wanted
            .map(|(point, series)| Asked {
                name: point.name.clone(),
                unit: point.unit.clone(),
                series: *series,
            })
            .collect();
        match query.points.iter().find(|name| !found.iter().any(|point| point.name == **name)) {
            Some(name) => Err(Trouble::NotFound(format!("{} has no point {name}", query.twin))),
            None => Ok(found),
        }
    }
}

fn newest(reader: &Reader, series: &[SeriesId]) -> Result<Option<Timestamp>, geminus_store::StoreError> {
    let mut latest = None;
    for series in series {
        latest = latest.max(reader.newest(*series)?.map(|sample| sample.time));
    }
    Ok(latest)
}

/// One series: as it is when it fits, else decimated with its extremes.
fn stretch(
    reader: &Reader,
    point: Asked,
    from: Timestamp,
    to: Timestamp,
    buckets: usize,
) -> Result<api::SeriesView, geminus_store::StoreError> {
    let mut view = api::SeriesView { point: point.name, unit: point.unit, ..api::SeriesView::default() };
    let samples = reader.range(point.series, from, to, buckets + 1)?;
    if samples.len() <= buckets {
        for sample in samples {
            view.times_ms.push(sample.time.millis());
            view.values.push(sample.value);
            view.quality.push(sample.quality as u8);
        }
        return Ok(view);
    }
    view.decimated = true;
    for bucket in reader.buckets(point.series, from, to, buckets)? {
        view.times_ms.push(Timestamp(bucket.start_ns).millis());
        view.values.push(bucket.mean);
        view.min.push(bucket.min);
        view.max.push(bucket.max);
        view.quality.push(bucket.quality as u8);
    }
    Ok(view)
}
