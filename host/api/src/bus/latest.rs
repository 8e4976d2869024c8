//! The newest reading of every point of the watched twins, with the number of the event that brought it.
//!
//! This is what makes conflation free: whatever a reader has missed, it takes the points whose number is above
//! its own place, each once and newest.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::values::{Publication, Reading, Status, Values};

#[derive(Debug)]
struct KeptPoint {
    name: Arc<str>,
    reading: Reading,
    changed: u64,
}

#[derive(Debug)]
pub(super) struct Kept {
    /// Number of the newest publication.
    id: u64,
    /// Number of the one before it; 0 when there was none.
    previous: u64,
    newest: Arc<Publication>,
    points: Vec<KeptPoint>,
}

impl Kept {
    /// What a reader at `cursor` has not seen, and whether it stands for more than one publication.
    pub(super) fn since(&self, cursor: u64) -> (Arc<Publication>, bool) {
        if cursor >= self.previous {
            return (Arc::clone(&self.newest), false);
        }
        let missed = self.points.iter().filter(|point| point.changed > cursor);
        let points = missed.map(|point| (Arc::clone(&point.name), point.reading)).collect();
        let newest = &self.newest;
        (Arc::new(Publication::new(Arc::clone(&newest.twin), newest.status, points)), true)
    }

    fn update(&mut self, id: u64, points: &[(Arc<str>, Reading)]) {
        let mut hint = 0;
        for (name, reading) in points {
            let same = |point: &KeptPoint| Arc::ptr_eq(&point.name, name) || point.name == *name;
            let (before, after) = self.points.split_at(hint);
            let found =
                after.iter().position(same).map(|at| at + hint).or_else(|| before.iter().position(same));
            match found.and_then(|at| self.points.get_mut(at)) {
                Some(point) => (point.reading, point.changed) = (*reading, id),
                None => {
                    self.points.push(KeptPoint { name: Arc::clone(name), reading: *reading, changed: id })
                }
            }
            hint = found.map_or(self.points.len(), |at| at + 1);
        }
    }
}

#[derive(Debug)]
pub(super) struct Latest {
    twins: HashMap<Arc<str>, Kept>,
    /// Twins by the number of their newest publication.
    order: BTreeMap<u64, Arc<str>>,
    twins_max: usize,
    /// Highest number among the twins that had to go for want of room; 0 when none had to.
    forgotten: u64,
}

impl Latest {
    pub(super) fn new(twins_max: usize) -> Self {
        Self { twins: HashMap::new(), order: BTreeMap::new(), twins_max, forgotten: 0 }
    }

    /// Takes a publication in; `id` is higher than any before.
    pub(super) fn put(&mut self, id: u64, values: &Values<'_>) {
        let status = Status { state: values.state, age_ms: values.age_ms, health: values.health };
        let newest = Arc::new(Publication::new(Arc::clone(values.twin), status, values.points.to_vec()));
        match self.twins.get_mut(values.twin) {
            Some(kept) => {
                self.order.remove(&kept.id);
                (kept.previous, kept.id, kept.newest) = (kept.id, id, newest);
                kept.update(id, values.points);
            }
            None => {
                let mut kept =
                    Kept { id, previous: 0, newest, points: Vec::with_capacity(values.points.len()) };
                kept.update(id, values.points);
                self.twins.insert(Arc::clone(values.twin), kept);
            }
        }
        self.order.insert(id, Arc::clone(values.twin));
        while self.order.len() > self.twins_max {
            let Some((id, twin)) = self.order.pop_first() else { break };
            self.twins.remove(&twin);
            self.forgotten = id;
        }
    }

    /// Keeps only the twins that `wanted` says.
    pub(super) fn retain(&mut self, wanted: impl Fn(&str) -> bool) {
        self.twins.retain(|twin, _| wanted(twin));
        self.order.retain(|_, twin| wanted(twin));
    }

    /// Whether no twin with news above `cursor` had to go for want of room.
    pub(super) fn reaches(&self, cursor: u64) -> bool {
        self.forgotten <= cursor
    }

    /// The newest of one twin, if it is above `cursor`.
    pub(super) fn of(&self, twin: &str, cursor: u64) -> Option<(u64, &Kept)> {
        self.twins.get(twin).filter(|kept| kept.id > cursor).map(|kept| (kept.id, kept))
    }

    /// Twins with news above `cursor`, oldest news first.
    pub(super) fn after(&self, cursor: u64) -> impl Iterator<Item = (u64, &Kept)> {
        let newer = self.order.range(cursor.saturating_add(1)..);
        newer.filter_map(|(id, twin)| self.twins.get(twin).map(|kept| (*id, kept)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::{HealthView, TwinState};
    use geminus_core::{Quality, Timestamp};

    fn put(latest: &mut Latest, id: u64, twin: &str, points: &[(&str, f64)]) {
        let points: Vec<_> = points
            .iter()
            .map(|(name, value)| {
                (
                    Arc::from(*name),
                    Reading { time: Timestamp::from_millis(id), value: *value, quality: Quality::Good },
                )
            })
            .collect();
        let values = Values {
            twin: &twin.into(),
            state: TwinState::Live,
            age_ms: None,
            health: HealthView::default(),
            points: &points,
        };
        latest.put(id, &values);
    }

    fn since(latest: &Latest, twin: &str, cursor: u64) -> Option<(Vec<(String, f64)>, bool)> {
        let (publication, merged) = latest.of(twin, cursor)?.1.since(cursor);
        let points = publication.points.iter().map(|(name, reading)| (name.to_string(), reading.value));
        Some((points.collect(), merged))
    }

    fn pairs(points: &[(&str, f64)]) -> Vec<(String, f64)> {
        points.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
    }

    #[test]
    fn a_reader_gets_each_point_that_it_missed_once_and_newest() {
        let mut latest = Latest::new(10);
        put(&mut latest, 1, "p", &[("a", 1.0), ("b", 1.0), ("c", 1.0)]);
        put(&mut latest, 2, "p", &[("b", 2.0)]);
        put(&mut latest, 3, "p", &[("c", 3.0), ("a", 3.0)]);
        put(&mut latest, 4, "q", &[("x", 4.0)]);
        let check = |cursor, expect: Option<(&[(&str, f64)], bool)>| {
            let expect = expect.map(|(points, merged)| (pairs(points), merged));
            assert_eq!(since(&latest, "p", cursor), expect, "from {cursor}");
        };
        check(0, Some((&[("a", 3.0), ("b", 2.0), ("c", 3.0)], true)));
        check(1, Some((&[("a", 3.0), ("b", 2.0), ("c", 3.0)], true)));
        check(2, Some((&[("c", 3.0), ("a", 3.0)], false)));
        check(3, None);
        assert_eq!(latest.after(0).map(|(id, _)| id).collect::<Vec<_>>(), [3, 4]);
    }

    #[test]
    fn the_twin_silent_longest_goes_when_there_is_no_room() {
        let mut latest = Latest::new(2);
        put(&mut latest, 1, "p", &[("a", 1.0)]);
        put(&mut latest, 2, "q", &[("a", 1.0)]);
        put(&mut latest, 3, "p", &[("a", 1.0)]);
        assert!(latest.reaches(0));
        put(&mut latest, 4, "r", &[("a", 1.0)]);
        assert_eq!(latest.after(0).map(|(id, _)| id).collect::<Vec<_>>(), [3, 4]);
        assert!(!latest.reaches(1) && latest.reaches(2));
        assert_eq!(latest.twins.len(), 2);
    }

    #[test]
    fn what_is_not_watched_any_more_is_forgotten() {
        let mut latest = Latest::new(10);
        put(&mut latest, 1, "p", &[("a", 1.0)]);
        put(&mut latest, 2, "q", &[("a", 1.0)]);
        latest.retain(|twin| twin == "q");
        assert!(since(&latest, "p", 0).is_none() && since(&latest, "q", 0).is_some());
        assert_eq!(latest.order.len(), 1);
    }
}
