//! What one shard tells the desk: samples of points that rules and read-backs look at, and what behaviors wish. Never waits:
//! while the queue is full, words stay here, and once there are many, of each target the last one and of each point those that a trip
//! has to see.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crossbeam_channel::{Sender, TrySendError};
use geminus_core::{Sample, SeriesId, TwinIndex};
use geminus_twin::Plant;

use super::wish::BehaviorWish;

/// Words kept while the queue is full before only those that matter are.
const KEPT_MAX: usize = 4_096;

/// What a shard says in one go.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) samples: Vec<Sample>,
    pub(crate) wishes: Vec<BehaviorWish>,
}

impl Told {
    fn is_empty(&self) -> bool {
        self.samples.is_empty() && self.wishes.is_empty()
    }

    fn len(&self) -> usize {
        self.samples.len() + self.wishes.len()
    }

    /// Of each target the last word, and of each point what a trip has to see: the smallest, the largest, the least known and the
    /// last value, in the order in which they came.
    fn last_words(self) -> Self {
        let mut of_series: BTreeMap<SeriesId, Vec<usize>> = BTreeMap::new();
        for (place, sample) in self.samples.iter().enumerate() {
            of_series.entry(sample.series).or_default().push(place);
        }
        let told = &self.samples;
        let value = |place: &usize| told.get(*place).map_or(f64::NAN, |sample| sample.value);
        let quality = |place: &usize| told.get(*place).map(|sample| sample.quality);
        let mut kept: BTreeSet<usize> = BTreeSet::new();
        for places in of_series.into_values() {
            kept.extend(places.iter().min_by(|a, b| value(a).total_cmp(&value(b))));
            kept.extend(places.iter().max_by(|a, b| value(a).total_cmp(&value(b))));
            kept.extend(places.iter().max_by_key(|place| quality(place)));
            kept.extend(places.last());
        }
        let samples = kept.into_iter().filter_map(|place| told.get(place).copied()).collect();
        let mut wishes: HashMap<(TwinIndex, String), BehaviorWish> = HashMap::new();
        for wish in self.wishes {
            wishes.insert((wish.twin, wish.target.clone()), wish);
        }
        Self { samples, wishes: wishes.into_values().collect() }
    }
}

/// The eyes of one shard.
pub(crate) struct Watch {
    out: Sender<Told>,
    told: Told,
    /// Whether a series is looked at, by its number; empty in a site without targets.
    watched: Vec<bool>,
}

impl Watch {
    /// For every target of the plant: a shard sees only samples of its own twins.
    pub(crate) fn new(plant: &Plant, out: Sender<Told>) -> Self {
        let mut watched = Vec::new();
        for target in &plant.targets {
            let feedback = target.feedback.iter().map(|feedback| feedback.point.as_str());
            let points: Vec<&str> = target.book.points().iter().map(String::as_str).chain(feedback).collect();
            for (twin, point) in
                target.twins.iter().flat_map(|twin| points.iter().map(move |point| (*twin, *point)))
            {
                let Some(series) = plant.series_of(twin, point) else { continue };
                let place = series.0 as usize;
                if watched.len() <= place {
                    watched.resize(place + 1, false);
                }
                if let Some(entry) = watched.get_mut(place) {
                    *entry = true;
                }
            }
        }
        Self { out, told: Told::default(), watched }
    }

    /// Looks at what goes into history.
    pub(crate) fn samples(&mut self, samples: &[Sample]) {
        if self.watched.is_empty() {
            return;
        }
        let is_watched =
            |sample: &&Sample| self.watched.get(sample.series.0 as usize).copied().unwrap_or(false);
        self.told.samples.extend(samples.iter().filter(is_watched).copied());
    }

    /// A behavior wishes something.
    pub(crate) fn wish(&mut self, wish: BehaviorWish) {
        self.told.wishes.push(wish);
    }

    /// Passes on what there is to say. Never waits.
    pub(crate) fn pass_on(&mut self) {
        if self.told.is_empty() {
            return;
        }
        match self.out.try_send(std::mem::take(&mut self.told)) {
            Ok(()) => {}
            Err(TrySendError::Full(told)) => {
                self.told = if told.len() > KEPT_MAX { told.last_words() } else { told };
            }
            // Nobody hears any more: the host is stopping.
            Err(TrySendError::Disconnected(_)) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use geminus_core::{Quality, Timestamp};

    use super::*;

    #[test]
    fn of_many_words_the_last_and_the_extremes_are_kept() {
        let sample = |series, value, quality| Sample {
            series: SeriesId(series),
            quality,
            value,
            time: Timestamp(1),
            received: Timestamp(1),
        };
        let wish = |twin, value| BehaviorWish {
            twin: TwinIndex(twin),
            target: "speed".to_owned(),
            value,
            proposer: geminus_command::Proposer::Operator { name: "x".to_owned() },
            reason: String::new(),
            evidence: Vec::new(),
            row: Timestamp(1),
            valid: std::time::Duration::from_secs(1),
            first: crate::runtime::commands::FirstCommands { step_max: 1.0, count: 0 },
        };
        let told = Told {
            samples: vec![
                sample(2, 5.0, Quality::Good),
                sample(2, 6.0, Quality::Bad),
                sample(1, 2.0, Quality::Good),
                sample(2, 156.0, Quality::Good),
                sample(2, 7.0, Quality::Good),
                sample(2, -1.0, Quality::Good),
                sample(2, 8.0, Quality::Good),
            ],
            wishes: vec![wish(1, 1.0), wish(2, 2.0), wish(1, 3.0)],
        };
        let kept = told.last_words();
        let values: Vec<f64> = kept.samples.iter().map(|sample| sample.value).collect();
        assert_eq!(values, [6.0, 2.0, 156.0, -1.0, 8.0], "5 and 7 say nothing that the others do not");
        let mut wishes: Vec<f64> = kept.wishes.iter().map(|wish| wish.value).collect();
        wishes.sort_by(f64::total_cmp);
        assert_eq!(wishes, [2.0, 3.0]);
    }

    #[test]
    fn a_full_queue_never_makes_a_shard_wait() {
        let (out, heard) = crossbeam_channel::bounded(1);
        let mut watch = Watch { out, told: Told::default(), watched: vec![true] };
        let sample = Sample {
            series: SeriesId(0),
            quality: Quality::Good,
            value: 1.0,
            time: Timestamp(1),
            received: Timestamp(1),
        };
        for _ in 0..KEPT_MAX + 10 {
            watch.samples(&[sample]);
            watch.pass_on();
        }
        assert!(watch.told.len() <= KEPT_MAX + 1, "{}", watch.told.len());
        assert_eq!(heard.try_recv().map(|told| told.samples.len()), Ok(1));
        watch.pass_on();
        assert!(watch.told.is_empty());
    }
}
