//! What samples and the transport bring: read-backs, trips, answers.

use std::collections::BTreeSet;

use geminus_command::{Event as Step, ReadBack};
use geminus_core::Sample;
use geminus_dispatch::Answer;
use geminus_interlock::Moment;
use uuid::Uuid;

use super::books::Books;
use super::desk::Desk;

impl<B: Books> Desk<B> {
    /// Takes samples of points that somebody looks at: read-backs settle commands, trips are looked at. Of a series that brings
    /// several in one go each is judged: before the next one takes its place, the trips that read it are looked at.
    pub(crate) fn hear_samples(&mut self, samples: Vec<Sample>, now: Moment) {
        let mut touched = BTreeSet::new();
        // Series that have a value of which nobody has judged yet, and the targets whose rules read them.
        let mut fresh = BTreeSet::new();
        let mut unjudged = BTreeSet::new();
        for sample in samples {
            if fresh.remove(&sample.series) {
                for place in self.readers(&sample) {
                    if unjudged.remove(&place) {
                        self.watch(place, now);
                    }
                }
            }
            if !self.points.hear(sample, now) {
                continue;
            }
            self.read_back(&sample, now, &mut touched);
            fresh.insert(sample.series);
            unjudged.extend(self.readers(&sample));
        }
        unjudged.into_iter().for_each(|place| self.watch(place, now));
        touched.into_iter().for_each(|place| self.advance_station(place, now));
    }

    /// Places of the targets whose rules read the series of a sample.
    fn readers(&self, sample: &Sample) -> Vec<usize> {
        self.readers.get(&sample.series).cloned().unwrap_or_default()
    }

    fn read_back(&mut self, sample: &Sample, now: Moment, touched: &mut BTreeSet<usize>) {
        let open = self.open.values().filter(|open| open.record.feedback_counts());
        let of = open.filter_map(|open| {
            let place = self.place_of(&open.record)?;
            let (series, conversion) = self.stations.get(place)?.feedback?;
            (series == sample.series).then(|| (open.record.id(), place, conversion.apply(sample.value)))
        });
        for (id, place, value) in of.collect::<Vec<_>>() {
            let Sample { quality, time, received, .. } = *sample;
            let step = Step::ReadBack(ReadBack { value, quality, time, received });
            if self.step(id, step, now).unwrap_or_default() {
                touched.insert(place);
            }
        }
    }

    /// What the transport says of a command.
    pub(crate) fn hear_answer(&mut self, id: Uuid, answer: Answer, now: Moment) {
        let place = self.open.get(&id).and_then(|open| self.place_of(&open.record));
        let step = match answer {
            Answer::NotSent { reason } => Step::NotSent { reason },
            Answer::Acknowledged { receipt } => Step::Acknowledge { receipt },
            Answer::Declined { reason } => Step::Decline { reason },
            Answer::Lost { reason } => Step::Lose { reason },
        };
        if let Err(error) = self.step(id, step, now) {
            tracing::debug!(%error, command = %id, "an answer of the transport changes nothing");
        }
        place.into_iter().for_each(|place| self.advance_station(place, now));
    }
}
