//! What open pages, publications and OPC UA clients see of a shard: changed values of watched twins ten times a second, and twins whose
//! state, alerts or health changed.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use geminus_api::{EventBus, Reading, TwinEvent, Values};
use geminus_behavior::Compiled;
use geminus_core::TwinIndex;
use geminus_twin::shard::{Moment, Shard, Update};
use geminus_twin::{BindingIndex, Plant};

use super::opcua_server::Exhibit;
use super::press::Press;
use super::view;

/// Changed twins told in one tick; the rest waits for the next.
const CHANGED_PER_TICK_MAX: usize = 500;

/// A twin as the bus knows it.
#[derive(Debug)]
struct Face {
    id: Arc<str>,
    kind: usize,
    /// Number of the watch that was last seen; `None` while nobody watches.
    watch: Option<u64>,
    /// Whether something of it is published or shown to OPC UA clients, so that it is always watched.
    published: bool,
}

/// Publishes for one shard.
#[derive(Debug)]
pub(crate) struct Live {
    plant: Arc<Plant>,
    press: Arc<Press>,
    exhibit: Arc<Exhibit>,
    bus: Arc<EventBus>,
    faces: HashMap<TwinIndex, Face>,
    /// Names of points by kind.
    names: Vec<Vec<Arc<str>>>,
    generation: u64,
    updates: Vec<Update>,
    changed: Vec<TwinIndex>,
    untold: VecDeque<TwinIndex>,
    points: Vec<(Arc<str>, Reading)>,
}

impl Live {
    /// Watches what is published from now on.
    pub(crate) fn new(
        plant: &Arc<Plant>,
        (press, exhibit): (Arc<Press>, Arc<Exhibit>),
        shard: &mut Shard,
        bus: Arc<EventBus>,
    ) -> Self {
        let twins: Vec<TwinIndex> = shard.twins().collect();
        let face = |twin: TwinIndex| {
            let of = plant.twin(twin)?;
            let published = press.wants(twin) || exhibit.wants(twin);
            shard.watch(twin, published);
            Some((twin, Face { id: (*of.id).into(), kind: of.kind as usize, watch: None, published }))
        };
        let faces = twins.into_iter().filter_map(face).collect();
        let names = plant
            .kinds
            .iter()
            .map(|kind| kind.points.iter().map(|point| point.name.as_str().into()).collect())
            .collect();
        Self {
            plant: Arc::clone(plant),
            press,
            exhibit,
            bus,
            faces,
            names,
            generation: 0,
            updates: Vec::new(),
            changed: Vec::new(),
            untold: VecDeque::new(),
            points: Vec::new(),
        }
    }

    /// Publishes what is new since the last call. `by` gives the version that answers for a behavior of a twin.
    pub(crate) fn publish(
        &mut self,
        shard: &mut Shard,
        now: Moment,
        by: &dyn Fn(BindingIndex, TwinIndex) -> Option<Arc<Compiled>>,
    ) {
        self.follow_watches(shard);
        shard.take_dirty(now, &mut self.updates);
        for update in self.updates.drain(..) {
            let Some(face) = self.faces.get(&update.twin) else { continue };
            if face.published {
                self.press.update(&self.plant, &update, now.wall, &|index| by(index, update.twin));
                self.exhibit.update(&update, now.wall);
            }
            if face.watch.is_none() {
                continue;
            }
            let names = self.names.get(face.kind);
            self.points.clear();
            self.points.extend(update.points.iter().filter_map(|point| {
                let name = names?.get(point.point)?;
                let reading = Reading { time: point.time, value: point.value, quality: point.quality };
                Some((Arc::clone(name), reading))
            }));
            self.bus.publish_values(&Values {
                twin: &face.id,
                state: view::state(update.state),
                age_ms: update.age_ms,
                health: view::health(update.health),
                points: &self.points,
            });
        }
        self.tell_changed(shard, now);
    }

    fn follow_watches(&mut self, shard: &mut Shard) {
        let watched = self.bus.watched();
        if watched.generation() == self.generation {
            return;
        }
        self.generation = watched.generation();
        for (twin, face) in &mut self.faces {
            let watch = watched.watch_of(&face.id);
            if watch == face.watch {
                continue;
            }
            // Off and on again, so that a new watcher gets every point once.
            shard.watch(*twin, false);
            shard.watch(*twin, watch.is_some() || face.published);
            face.watch = watch;
        }
    }

    fn tell_changed(&mut self, shard: &mut Shard, now: Moment) {
        shard.take_changed(&mut self.changed);
        self.untold.extend(self.changed.drain(..));
        for _ in 0..CHANGED_PER_TICK_MAX {
            let Some(twin) = self.untold.pop_front() else { return };
            let (Some(face), Some(summary)) = (self.faces.get(&twin), shard.summary(twin, now)) else {
                continue;
            };
            self.bus.publish_twin(&TwinEvent {
                id: face.id.to_string(),
                state: view::state(summary.state),
                alerts: view::alerts(&summary),
                health: view::health(summary.health),
            });
        }
    }
}
