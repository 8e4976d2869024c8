//! What a birth said: the metrics of an edge node or device, by alias and by name.

use std::collections::{HashMap, HashSet};

use rustc_hash::FxHashMap;

use crate::payload::Metric;
use crate::{Refusal, Wanted};

/// Metric name → place of what was wanted, for one node or device.
pub(crate) type Wishes = HashMap<Box<str>, u32>;

/// One metric of a birth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) datatype: Option<u32>,
    /// Which of the [`Wanted`] it is, if somebody wants it.
    pub(crate) place: Option<u32>,
}

/// All metrics of one birth.
#[derive(Debug, Default)]
pub(crate) struct Table {
    by_name: HashMap<Box<str>, Slot>,
    by_alias: FxHashMap<u64, Slot>,
    /// Places of those that somebody wants.
    places: HashSet<u32>,
}

impl Table {
    /// From the metrics of a birth, of which no two may have one name or one alias.
    pub(crate) fn of_birth(metrics: &[Metric<'_>], wishes: Option<&Wishes>) -> Result<Self, Refusal> {
        let mut table = Self::default();
        for metric in metrics {
            // A birth that gives an alias to nothing names nothing.
            let name = metric.name.ok_or(Refusal::UnknownMetric)?;
            let place = wishes.and_then(|wishes| wishes.get(name)).copied();
            let slot = Slot { datatype: metric.datatype, place };
            table.places.extend(place);
            let renamed = table.by_name.insert(name.into(), slot).is_some();
            let realiased = metric.alias.is_some_and(|alias| table.by_alias.insert(alias, slot).is_some());
            if renamed || realiased {
                return Err(Refusal::Ambiguous);
            }
        }
        Ok(table)
    }

    /// Which metric is meant: by its alias, else by its name.
    pub(crate) fn slot(&self, metric: &Metric<'_>) -> Result<Slot, Refusal> {
        match (metric.alias, metric.name) {
            // Some give both; the name says more.
            (Some(alias), None) => self.by_alias.get(&alias).copied().ok_or(Refusal::UnknownAlias),
            (_, Some(name)) => self.by_name.get(name).copied().ok_or(Refusal::UnknownMetric),
            (None, None) => Err(Refusal::UnknownMetric),
        }
    }

    /// The places of the metrics that somebody wants.
    pub(crate) fn places(&self) -> impl Iterator<Item = u32> {
        self.places.iter().copied()
    }

    /// Whether it has this place.
    pub(crate) fn has(&self, place: u32) -> bool {
        self.places.contains(&place)
    }

    pub(crate) fn len(&self) -> usize {
        self.by_name.len()
    }
}

/// What is wanted of one edge node, by device (`None` is the node itself).
pub(crate) type NodeWishes = HashMap<Option<Box<str>>, Wishes>;

/// Adds one wish; its place is its number in the list that the host was made with.
pub(crate) fn wish(wishes: &mut NodeWishes, wanted: &Wanted, place: u32) {
    let device = wanted.place.device.as_deref().map(Box::from);
    wishes.entry(device).or_default().insert(wanted.metric.as_str().into(), place);
}
