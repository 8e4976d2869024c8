//! One target of one twin: where it is written and read back, who owns it, and what its rules remember.

use std::collections::VecDeque;
use std::time::Duration;

use geminus_command::{Destination, HandOver, Ownership};
use geminus_core::unit::Conversion;
use geminus_core::{SeriesId, TwinIndex};
use geminus_interlock::{Memory, Moment, Present};
use geminus_twin::Plant;
use geminus_twin::plant::Target;
use serde::{Deserialize, Serialize};

use super::beat::Heart;
use super::bumpless::Turn;
use super::points::Points;
use super::wish::BehaviorWish;

/// Proposals of people and programs that a target takes in a minute.
const PROPOSALS_PER_MIN_MAX: usize = 60;
const MINUTE: Duration = Duration::from_secs(60);

/// One target of one twin.
#[derive(Debug)]
pub(crate) struct Station {
    pub(crate) twin: TwinIndex,
    /// Id of the twin.
    pub(crate) id: String,
    /// Place of its target in the plant.
    pub(crate) target: usize,
    /// Name of its target.
    pub(crate) name: String,
    /// Where it is written.
    pub(crate) address: String,
    /// Series of the points of its rules, in their order.
    pub(crate) points: Vec<Option<SeriesId>>,
    /// Series of the feedback point, and from its unit to the target's.
    pub(crate) feedback: Option<(SeriesId, Conversion)>,
    /// Its sign of life to the field.
    pub(crate) heart: Option<Heart>,
    pub(crate) ownership: Ownership,
    pub(crate) memory: Memory,
    /// How far its behavior's first commands have come.
    pub(crate) turn: Turn,
    /// What its behavior wished last and was not taken up yet.
    pub(crate) wish: Option<BehaviorWish>,
    /// What became of its behavior's last wish: the value, and when it was taken up.
    pub(crate) taken: Option<(f64, Duration)>,
    /// What became of the safe value since a trip became active.
    pub(crate) safe: Safe,
    /// When people and programs proposed in the last minute.
    recent: VecDeque<Duration>,
    /// Whether the last document could not be kept.
    pub(crate) unsaved: bool,
}

/// What became of the safe value of a target since a trip became active.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Safe {
    /// When it was proposed last.
    pub(crate) tried: Option<Duration>,
    /// Whether one arrived.
    pub(crate) arrived: bool,
}

/// What is kept of a station over restarts.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kept {
    pub(crate) ownership: Ownership,
    pub(crate) memory: Memory,
    /// Documents that were kept before there was any limit have none.
    #[serde(default)]
    pub(crate) turn: Turn,
}

impl Station {
    /// The stations of a plant in order of twin and name; whatever they look at is watched from here on.
    pub(crate) fn all(plant: &Plant, points: &mut Points) -> Vec<Self> {
        let mut all: Vec<Self> = plant
            .targets
            .iter()
            .enumerate()
            .flat_map(|(place, target)| target.twins.iter().map(move |twin| (place, *twin)))
            .map(|(place, twin)| Self::new(plant, place, twin, points))
            .collect();
        all.sort_by(|a, b| (&a.id, &a.name).cmp(&(&b.id, &b.name)));
        all
    }

    fn new(plant: &Plant, place: usize, twin: TwinIndex, points: &mut Points) -> Self {
        let id = plant.twin(twin).map_or_else(String::new, |twin| twin.id.to_string());
        let target = plant.targets.get(place);
        let mut series = |point: &str| {
            let series = plant.series_of(twin, point)?;
            points.watch(series, super::points::span(plant, twin, point));
            Some(series)
        };
        let rules = target.map(|target| target.book.points()).unwrap_or_default();
        let of_rules = rules.iter().map(|point| series(point)).collect();
        let feedback = target.and_then(|target| {
            let point = &target.feedback.as_ref()?.point;
            let kind = plant.twin(twin).and_then(|twin| plant.kind(twin))?;
            let unit = &kind.points.iter().find(|known| known.name == *point)?.unit;
            // The site was refused if there were none.
            let conversion = geminus_core::unit::convert(unit, &target.unit).ok()?;
            Some((series(point)?, conversion))
        });
        Self {
            twin,
            target: place,
            name: target.map_or_else(String::new, |target| target.name.clone()),
            address: target.map_or_else(String::new, |target| target.address(&id)),
            heart: target.and_then(|target| Some(Heart::new(target.heartbeat.as_ref()?, &id))),
            id,
            points: of_rules,
            feedback,
            ownership: Ownership::default(),
            memory: Memory::default(),
            turn: Turn::default(),
            wish: None,
            taken: None,
            safe: Safe::default(),
            recent: VecDeque::new(),
            unsaved: false,
        }
    }

    /// What the target has now.
    pub(crate) fn present(&self, points: &Points, now: Moment) -> Present {
        let Some((series, conversion)) = self.feedback else { return Present::NoFeedback };
        let reading = points.reading(Some(series), now);
        match reading.quality.usable() && reading.value.is_finite() {
            true => Present::Value(conversion.apply(reading.value)),
            false => Present::Unknown,
        }
    }

    /// The same as a number, if there is one.
    pub(crate) fn shown(&self, points: &Points, now: Moment) -> Option<f64> {
        match self.present(points, now) {
            Present::Value(value) => Some(value),
            Present::Unknown | Present::NoFeedback => None,
        }
    }

    /// Whether it takes one more proposal of a person or a program now; notes it.
    pub(crate) fn takes(&mut self, now: Moment) -> bool {
        while self.recent.front().is_some_and(|at| now.monotonic.saturating_sub(*at) >= MINUTE) {
            self.recent.pop_front();
        }
        let takes = self.recent.len() < PROPOSALS_PER_MIN_MAX;
        if takes {
            self.recent.push_back(now.monotonic);
        }
        takes
    }

    /// Where `target`, which is its own, is written.
    pub(crate) fn destination(&self, target: &Target) -> Destination {
        Destination { source: target.source.clone(), address: self.address.clone() }
    }

    /// What is kept of it.
    pub(crate) fn document(&self) -> Result<String, String> {
        let (ownership, memory) = (self.ownership.clone(), self.memory.clone());
        let kept = Kept { ownership, memory, turn: self.turn.clone() };
        serde_json::to_string(&kept).map_err(|error| error.to_string())
    }
}

/// A hand-over in words.
pub(crate) fn told(over: &HandOver) -> String {
    use geminus_command::Start;
    let start = match over.start {
        Start::Present(value) => format!("starts from {value}, which the field shows"),
        Start::Written(value) => format!("starts from {value}, which was written last"),
        Start::Unknown => "starts from nothing that is known".to_owned(),
    };
    format!("from {} to {}, which {start}", over.from.name(), over.to.name())
}
