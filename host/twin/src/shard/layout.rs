//! What the hot path needs to know of a kind of twin, in the shape in which it needs it.

use geminus_core::declaration::{Arrival, Role};
use geminus_core::unit::Conversion;

use crate::plant::{Column, Kind, KindBehavior, Origin, Plant};

/// A kind of twin, laid out.
#[derive(Debug)]
pub(super) struct Layout {
    /// Nanoseconds without a sample after which a measured point is stale.
    pub(super) spans: Vec<u64>,
    /// For each measured point, where its feeds begin and end.
    feed_ranges: Vec<(u32, u32)>,
    feeds: Vec<Feed>,
    /// Number of outputs of all behaviors.
    pub(super) outputs: usize,
    /// Behaviors, upstream first.
    pub(super) stages: Vec<Stage>,
    /// Outputs that are a health index: place among the twin's outputs, and stage.
    pub(super) health: Vec<(usize, usize)>,
}

/// A measured point is an input of a stage.
#[derive(Clone, Copy, Debug)]
pub(super) struct Feed {
    pub(super) stage: usize,
    /// Which inputs it is.
    pub(super) bits: u64,
}

/// One behavior of the kind.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) binding: usize,
    pub(super) inputs: Vec<Input>,
    /// A row with all of these is complete.
    pub(super) need: u64,
    /// Inputs whose values count once.
    pub(super) event: u64,
    /// Stages whose outputs are inputs here.
    pub(super) upstreams: Vec<usize>,
    /// Stages that have outputs of this one as inputs, and which.
    pub(super) dependents: Vec<Feed>,
    /// First and one past the last of its outputs, among those of the twin.
    pub(super) outputs: std::ops::Range<usize>,
    pub(super) align_ns: u64,
    pub(super) wait_ns: u64,
    /// Nanoseconds without a row after which its outputs are stale.
    pub(super) span: u64,
    pub(super) ages: bool,
    pub(super) warm_up: u64,
}

/// One input.
#[derive(Clone, Copy, Debug)]
pub(super) struct Input {
    pub(super) from: From,
    pub(super) conversion: Conversion,
    pub(super) event: bool,
    pub(super) bit: u64,
}

/// Where an input's values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    /// Not bound.
    Nothing,
    /// Measured point of the twin.
    Measured(usize),
    /// Output of the twin, of the stage at this place in `upstreams`.
    Output { output: usize, upstream: usize },
}

impl Layout {
    pub(super) fn new(plant: &Plant, kind: &Kind) -> Self {
        let intervals = u64::from(plant.limits.stale_after_intervals);
        let interval = |point: &crate::plant::Point| point.interval_ms().unwrap_or(0);
        let measured = kind.points.iter().take(kind.measured);
        let spans: Vec<u64> = measured
            .map(|point| interval(point).saturating_mul(intervals).saturating_mul(1_000_000))
            .collect();
        let mut stages: Vec<Stage> = Vec::new();
        for behavior in &kind.behaviors {
            let stage = Stage::new(plant, kind, behavior, &spans, &stages);
            stages.push(stage);
        }
        for place in 0..stages.len() {
            let depends = |upstream: usize| Feed {
                stage: place,
                bits: stages.get(place).map_or(0, |s| s.bits_of(upstream)),
            };
            let links: Vec<_> = (0..place)
                .map(|upstream| (upstream, depends(upstream)))
                .filter(|(_, feed)| feed.bits != 0)
                .collect();
            for (upstream, feed) in links {
                stages.get_mut(upstream).into_iter().for_each(|stage| stage.dependents.push(feed));
            }
        }
        let (mut feeds, mut feed_ranges) = (Vec::new(), Vec::new());
        for point in 0..kind.measured {
            let from = feeds.len() as u32;
            let all = stages
                .iter()
                .enumerate()
                .map(|(stage, it)| Feed { stage, bits: it.bits_from(From::Measured(point)) });
            feeds.extend(all.filter(|feed| feed.bits != 0));
            feed_ranges.push((from, feeds.len() as u32));
        }
        let health = kind.points.iter().enumerate().filter_map(|(place, point)| match point.origin {
            Origin::Estimated { behavior, role: Role::HealthIndex, .. } => {
                Some((place - kind.measured, behavior))
            }
            _ => None,
        });
        let (health, outputs) = (health.collect(), kind.points.len() - kind.measured);
        Self { spans, feed_ranges, feeds, outputs, stages, health }
    }

    pub(super) fn measured(&self) -> usize {
        self.spans.len()
    }

    pub(super) fn feeds(&self, point: usize) -> &[Feed] {
        let range = self.feed_ranges.get(point).map(|(from, to)| *from as usize..*to as usize);
        range.and_then(|range| self.feeds.get(range)).unwrap_or_default()
    }

    /// The stage of a binding.
    pub(super) fn stage_of(&self, binding: usize) -> Option<usize> {
        self.stages.iter().position(|stage| stage.binding == binding)
    }
}

impl Stage {
    fn new(plant: &Plant, kind: &Kind, behavior: &KindBehavior, spans: &[u64], earlier: &[Self]) -> Self {
        let binding = behavior.binding.0 as usize;
        let of = plant.bindings.get(binding);
        let mut upstreams: Vec<usize> = Vec::new();
        let mut input = |(place, column): (usize, &Column)| Input {
            from: from(kind, column, &mut upstreams),
            conversion: column.conversion,
            event: column.arrival == Arrival::Event,
            bit: 1 << place,
        };
        let inputs: Vec<Input> = behavior.columns.iter().enumerate().map(&mut input).collect();
        let bits = |wanted: &dyn Fn(&Input) -> bool| {
            inputs.iter().filter(|input| wanted(input)).fold(0, |bits, input| bits | input.bit)
        };
        let bound = bits(&|input| input.from != From::Nothing);
        let event = bits(&|input| input.from != From::Nothing && input.event);
        let first = behavior.first_output - kind.measured;
        let count = of.map_or(0, |of| of.declaration.outputs.len());
        let measured = inputs.iter().filter_map(|input| match input.from {
            From::Measured(point) => spans.get(point).copied(),
            _ => None,
        });
        let inherited =
            upstreams.iter().filter_map(|upstream| earlier.get(*upstream)).map(|stage| stage.span);
        let span = measured.chain(inherited).max().unwrap_or(0);
        Self {
            binding,
            need: if event == 0 { bound } else { event },
            event,
            upstreams,
            dependents: Vec::new(),
            outputs: first..first + count,
            align_ns: of.map_or(0, |of| u64::from(of.align_ms) * 1_000_000),
            wait_ns: of.map_or(0, |of| u64::from(of.row_wait_ms) * 1_000_000),
            span,
            ages: of.is_some_and(|of| of.declaration.ages),
            warm_up: of.map_or(0, |of| u64::from(of.declaration.warm_up_rows)),
            inputs,
        }
    }

    /// Inputs that are outputs of the stage `upstream`.
    fn bits_of(&self, upstream: usize) -> u64 {
        let Some(place) = self.upstreams.iter().position(|known| *known == upstream) else { return 0 };
        let matching = self
            .inputs
            .iter()
            .filter(|input| matches!(input.from, From::Output { upstream, .. } if upstream == place));
        matching.fold(0, |bits, input| bits | input.bit)
    }

    fn bits_from(&self, from: From) -> u64 {
        self.inputs.iter().filter(|input| input.from == from).fold(0, |bits, input| bits | input.bit)
    }
}

fn from(kind: &Kind, column: &Column, upstreams: &mut Vec<usize>) -> From {
    let Some(place) = column.point else { return From::Nothing };
    match kind.points.get(place).map(|point| &point.origin) {
        Some(Origin::Estimated { behavior, .. }) => {
            let upstream = upstreams.iter().position(|known| known == behavior).unwrap_or_else(|| {
                upstreams.push(*behavior);
                upstreams.len() - 1
            });
            From::Output { output: place - kind.measured, upstream }
        }
        Some(Origin::Measured { .. }) => From::Measured(place),
        None => From::Nothing,
    }
}
