//! The newest values of the points that rules and read-backs look at, and the alarms that block.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use geminus_alarm::Shown;
use geminus_core::declaration::Priority;
use geminus_core::{Quality, Sample, SeriesId, TwinIndex};
use geminus_interlock::config::Priority as Blocking;
use geminus_interlock::{ActiveAlarm, Moment, Reading};
use geminus_twin::Plant;

/// How far ahead of the host's clock a source may be before nothing is known of the age of its values.
const AHEAD_MAX: Duration = Duration::from_secs(2);

/// How long the alarms may say nothing, which they do every second, before nothing is known of them: their thread hangs or has ended.
const ALARMS_SILENT_MAX: Duration = Duration::from_secs(5);

/// The newest value of a series.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Newest {
    pub(crate) sample: Sample,
    /// When the desk heard it, on the monotonic clock.
    heard: Duration,
}

/// The newest values by series.
#[derive(Debug, Default)]
pub(crate) struct Points {
    newest: HashMap<SeriesId, Newest>,
    /// After which silence a series is stale.
    spans: HashMap<SeriesId, Duration>,
}

impl Points {
    /// From now on a point is looked at, which is stale after so long a silence.
    pub(crate) fn watch(&mut self, series: SeriesId, span: Duration) {
        self.spans.insert(series, span);
    }

    /// Takes a sample, unless it is not looked at or older than what is known. Gives whether it was taken.
    pub(crate) fn hear(&mut self, sample: Sample, now: Moment) -> bool {
        let known = self.newest.get(&sample.series);
        let late = known.is_some_and(|known| sample.time < known.sample.time);
        if late || !self.spans.contains_key(&sample.series) {
            return false;
        }
        self.newest.insert(sample.series, Newest { sample, heard: now.monotonic });
        true
    }

    /// The newest value, whatever its age.
    pub(crate) fn newest(&self, series: SeriesId) -> Option<&Newest> {
        self.newest.get(&series)
    }

    /// What a series reads now. One that has fallen silent is stale; one from the future has no age.
    pub(crate) fn reading(&self, series: Option<SeriesId>, now: Moment) -> Reading {
        let Some((series, known)) = series.and_then(|series| Some((series, self.newest.get(&series)?)))
        else {
            return Reading::MISSING;
        };
        let Sample { value, quality, time, .. } = known.sample;
        let silence = now.monotonic.saturating_sub(known.heard);
        let stale = self.spans.get(&series).is_none_or(|span| silence > *span);
        let age = (time <= now.wall.plus(AHEAD_MAX)).then(|| now.wall.since(time).max(silence));
        let quality = if stale && quality.usable() { Quality::Stale } else { quality };
        Reading { value, quality, age }
    }
}

/// After how long a silence a point of a twin is stale. One that is computed follows the slowest of the measured ones.
pub(crate) fn span(plant: &Plant, twin: TwinIndex, point: &str) -> Duration {
    let kind = plant.twin(twin).and_then(|twin| plant.kind(twin));
    let points = kind.map(|kind| kind.points.as_slice()).unwrap_or_default();
    let own = points.iter().find(|known| known.name == point).and_then(|point| point.interval_ms());
    let slowest = points.iter().filter_map(|point| point.interval_ms()).max();
    let interval = own.or(slowest).unwrap_or(1_000);
    Duration::from_millis(interval.saturating_mul(u64::from(plant.limits.stale_after_intervals)))
}

/// How one alarm of a twin stands, as far as commands care.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AlarmNow {
    pub(crate) twin: TwinIndex,
    pub(crate) name: String,
    pub(crate) priority: Priority,
    /// Whether its condition holds.
    pub(crate) active: bool,
    pub(crate) shown: Shown,
}

/// The active alarms by twin; nothing is known before the alarms have said how all of them stand, nor while they are silent.
#[derive(Debug, Default)]
pub(crate) struct Alarms {
    known: Option<HashMap<TwinIndex, BTreeMap<String, AlarmNow>>>,
    /// When they said something last, on the monotonic clock.
    heard: Duration,
}

impl Alarms {
    /// `whole`: these are all that are not normal, after a start.
    pub(crate) fn hear(&mut self, told: Vec<AlarmNow>, whole: bool, now: Moment) {
        self.heard = now.monotonic;
        if whole {
            self.known = Some(HashMap::new());
        }
        let Some(all) = &mut self.known else { return };
        for alarm in told {
            let of_twin = all.entry(alarm.twin).or_default();
            match alarm.active {
                true => drop(of_twin.insert(alarm.name.clone(), alarm)),
                false => drop(of_twin.remove(&alarm.name)),
            }
        }
    }

    /// Those of a twin that can block; `None` when nothing is known.
    pub(crate) fn of(&self, twin: TwinIndex, now: Moment) -> Option<Vec<ActiveAlarm<'_>>> {
        let is_silent = now.monotonic.saturating_sub(self.heard) > ALARMS_SILENT_MAX;
        let all = self.known.as_ref().filter(|_| !is_silent)?;
        let alarms = all.get(&twin).into_iter().flat_map(BTreeMap::values);
        Some(alarms.filter_map(active).collect())
    }
}

/// What the site suppresses by design does not block; what a person has shelved or taken out of service does, as nobody said anything of
/// commands when it was put aside. An alarm for the journal is none.
fn active(alarm: &AlarmNow) -> Option<ActiveAlarm<'_>> {
    let priority = match alarm.priority {
        Priority::Journal => return None,
        Priority::Low => Blocking::Low,
        Priority::Medium => Blocking::Medium,
        Priority::High => Blocking::High,
        Priority::Critical => Blocking::Critical,
    };
    let suppressed = alarm.shown == Shown::SuppressedByDesign;
    Some(ActiveAlarm { name: &alarm.name, priority, suppressed })
}

#[cfg(test)]
mod tests {
    use geminus_core::Timestamp;

    use super::*;

    fn at(second: u64) -> Moment {
        Moment { wall: Timestamp(second * 1_000_000_000), monotonic: Duration::from_secs(second) }
    }

    fn sample(second: u64, value: f64) -> Sample {
        let time = at(second).wall;
        Sample { series: SeriesId(1), quality: Quality::Good, value, time, received: time }
    }

    #[test]
    fn a_point_is_as_old_as_its_source_says_or_its_silence_lasts() {
        let mut points = Points::default();
        assert!(!points.hear(sample(10, 1.0), at(10)), "nobody looks at it");
        points.watch(SeriesId(1), Duration::from_secs(5));
        assert_eq!(points.reading(Some(SeriesId(1)), at(10)).quality, Quality::Missing);
        assert!(points.hear(sample(10, 1.0), at(12)));
        assert!(!points.hear(sample(9, 9.0), at(12)), "it is late");
        let now = points.reading(Some(SeriesId(1)), at(15));
        assert_eq!((now.value, now.quality, now.age), (1.0, Quality::Good, Some(Duration::from_secs(5))));
        assert_eq!(points.reading(Some(SeriesId(1)), at(18)).quality, Quality::Stale);
        assert!(points.hear(sample(30, 2.0), at(20)));
        assert_eq!(points.reading(Some(SeriesId(1)), at(20)).age, None, "it is from the future");
        assert_eq!(points.reading(None, at(20)).quality, Quality::Missing);
    }

    #[test]
    fn alarms_block_once_they_are_known_and_as_long_as_they_hold() {
        let alarm = |active, shown| AlarmNow {
            twin: TwinIndex(1),
            name: "hot".to_owned(),
            priority: Priority::High,
            active,
            shown,
        };
        let mut alarms = Alarms::default();
        alarms.hear(vec![alarm(true, Shown::Unacknowledged)], false, at(1));
        assert!(alarms.of(TwinIndex(1), at(1)).is_none(), "nothing is known yet");
        alarms.hear(vec![alarm(true, Shown::Unacknowledged)], true, at(1));
        let suppressed = |alarms: &Alarms| {
            alarms.of(TwinIndex(1), at(6)).map(|all| all.iter().map(|a| a.suppressed).collect::<Vec<bool>>())
        };
        assert_eq!(suppressed(&alarms), Some(vec![false]));
        assert_eq!(alarms.of(TwinIndex(2), at(6)).map(|all| all.len()), Some(0));
        assert!(alarms.of(TwinIndex(2), at(7)).is_none(), "nobody says any more how they stand");
        for (shown, is_suppressed) in
            [(Shown::Shelved, false), (Shown::OutOfService, false), (Shown::SuppressedByDesign, true)]
        {
            alarms.hear(vec![alarm(true, shown)], false, at(6));
            assert_eq!(suppressed(&alarms), Some(vec![is_suppressed]), "{shown:?}");
        }
        alarms.hear(vec![alarm(false, Shown::Returned)], false, at(6));
        assert_eq!(suppressed(&alarms), Some(Vec::new()));
    }
}
