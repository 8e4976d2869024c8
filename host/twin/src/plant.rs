//! The plant: a site with its patterns expanded, its names turned into indices, and its units checked.
//!
//! Made once when a site is loaded, shared by all shards, never changed while it runs. Twins of one kind (same type,
//! overrides and behaviors) share a [`Kind`], so that a twin of a fleet costs its id and its series numbers only.

use std::sync::Arc;

use geminus_core::declaration::{AlertDeclaration, Arrival, Command, Role};
use geminus_core::unit::Conversion;
use geminus_core::{Authority, SeriesId, TwinIndex};

use crate::site::{Arrivals, Containment, Isolation, Limits, Source};

mod adopt;
mod alarms;
mod choice;
mod parameters;
mod resolve;
mod route;
mod row_series;
mod target;
mod wiring;

#[cfg(test)]
mod tests;

pub use alarms::{PlantAlarm, Reference, Watched};
pub use parameters::{ParameterError, parameters};
pub use route::{Payload, Route, RouteField, RoutePoint};
pub use target::{Heartbeat, Target, TargetCommand};

/// Place of a binding (one `[[behavior]]` of the site) in [`Plant::bindings`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BindingIndex(pub u32);

/// A resolved site.
#[derive(Debug)]
pub struct Plant {
    /// Name of the site.
    pub name: String,
    /// All twins; the place is the [`TwinIndex`].
    pub twins: Vec<Twin>,
    /// What twins have in common.
    pub kinds: Vec<Kind>,
    /// What plugins do for which twins; the place is the [`BindingIndex`].
    pub bindings: Vec<Binding>,
    /// Sources as the site file has them.
    pub sources: Vec<Source>,
    /// What each source carries: `routes[i]` belongs to `sources[i]`.
    pub routes: Vec<Vec<Route>>,
    /// What may be written, with its rules.
    pub targets: Vec<Target>,
    /// What is refused, and when a value is too old.
    pub limits: Limits,
    /// What happens to a twin whose behavior fails again and again.
    pub containment: Containment,
    /// Alarms of its twins; the place is that of [`geminus_alarm::Key`].
    pub alarms: Vec<PlantAlarm>,
    /// What holds for all alarms.
    pub alarm_settings: geminus_alarm::Settings,
    pub(crate) series: Vec<SeriesId>,
    /// Hidden series of recorded rows, by twin, then by behavior in the order of its kind.
    pub(crate) row_series: Vec<SeriesId>,
}

/// One twin.
#[derive(Debug)]
pub struct Twin {
    /// Unique in the site.
    pub id: Box<str>,
    /// Name for people; `None`: the type's name and the id.
    pub display_name: Option<Box<str>>,
    /// How far its behaviors may reach.
    pub authority: Authority,
    /// Where in the plant it stands; shared by the twins of a line of the site file.
    pub place: Arc<Place>,
    /// Place in [`Plant::kinds`].
    pub kind: u32,
    pub(crate) first_series: u32,
    pub(crate) first_row_series: u32,
}

/// Where in the plant a twin stands, after ISA-95. Nothing here is nothing in topics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Area.
    pub area: Option<String>,
    /// Line, cell or unit.
    pub line: Option<String>,
}

/// What twins of one type, with the same overrides and behaviors, have in common.
#[derive(Debug)]
pub struct Kind {
    /// DTMI of the type.
    pub type_id: String,
    /// The type's name for people.
    pub type_name: String,
    /// Measured points first, then the outputs of each behavior, in the order of `behaviors`.
    pub points: Vec<Point>,
    /// How many of `points` are measured.
    pub measured: usize,
    /// What its twins have, upstream first.
    pub behaviors: Vec<KindBehavior>,
}

/// One point.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// `temperature`; `thermal.winding_temperature` when a behavior computes it.
    pub name: String,
    /// What it means.
    pub description: String,
    /// UCUM code, in which it is kept and shown.
    pub unit: String,
    /// Where it comes from.
    pub origin: Origin,
}

/// Where a point comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Origin {
    /// The field sends it.
    Measured {
        /// Expected time between two samples.
        interval_ms: u64,
        /// Words that stand for values.
        labels: Vec<(String, f64)>,
    },
    /// A behavior computes it.
    Estimated {
        /// Place in [`Kind::behaviors`].
        behavior: usize,
        /// Index of the declared output.
        output: usize,
        /// What the number is.
        role: Role,
        /// Name of the point that it is about: the bound point of an input, or another output.
        of: Option<String>,
    },
}

/// A behavior of a kind of twin.
#[derive(Debug)]
pub struct KindBehavior {
    /// Which binding.
    pub binding: BindingIndex,
    /// One for each declared input.
    pub columns: Vec<Column>,
    /// Where its outputs begin in [`Kind::points`].
    pub first_output: usize,
    /// Where its row series begin and end, among those of the twin.
    pub(crate) row_series: std::ops::Range<usize>,
}

/// Where the values of a declared input come from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Column {
    /// Place in [`Kind::points`]; `None` when an optional input is not bound and therefore always missing.
    pub point: Option<usize>,
    /// From the point's unit to the declared one.
    pub conversion: Conversion,
    /// How samples become row values.
    pub arrival: Arrival,
}

/// One `[[behavior]]` of the site with the plugin it was resolved against.
#[derive(Debug)]
pub struct Binding {
    /// Name of the behavior, first part of its outputs' names.
    pub name: String,
    /// The plugin's declaration. Inputs and outputs stay what they are for as long as the plant lives.
    pub declaration: Arc<geminus_core::Declaration>,
    /// Versions that may take over.
    pub versions: semver::VersionReq,
    /// Who shares an instance.
    pub isolation: Isolation,
    /// Whether it may start without its earlier state.
    pub allow_cold_start: bool,
    /// How long a row waits for its inputs.
    pub row_wait_ms: u32,
    /// How far apart samples of one row may be.
    pub align_ms: u32,
    /// Parameters as UTF-8 JSON, defaults filled in; the same for all its twins.
    pub parameters: Arc<[u8]>,
    /// Its twins, in order.
    pub twins: Vec<TwinIndex>,
    /// Twins that run another version than the rest, each in one pin at most.
    pub pins: Vec<Pinned>,
    /// What stands in for the outputs of a quarantined twin.
    pub substitute: Substitute,
    /// What happens when a file with another fitting version arrives.
    pub arrivals: Arrivals,
    /// How a version that arrives is rolled out, and what it is accepted by.
    pub stages: geminus_rollout::Stages,
    /// Whether the inputs of its rows are recorded.
    pub record: bool,
    pub(crate) given: serde_json::Map<String, serde_json::Value>,
    pub(crate) section: usize,
}

/// Twins of a binding that run a version of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pinned {
    /// Which, in order.
    pub twins: Vec<TwinIndex>,
    /// Versions that fit them.
    pub versions: semver::VersionReq,
}

/// What stands in for the outputs of a quarantined twin.
#[derive(Clone, Debug, PartialEq)]
pub enum Substitute {
    /// Nothing: every output is bad.
    None,
    /// The last good values, marked stale, for so long; bad after that.
    Hold {
        /// For how long.
        seconds: u32,
    },
    /// The last good values, marked uncertain.
    Uncertain,
    /// These values, one for each declared output, marked uncertain.
    FailSafe(Arc<[f64]>),
}

impl Plant {
    /// The twin at `index`.
    #[must_use]
    pub fn twin(&self, index: TwinIndex) -> Option<&Twin> {
        self.twins.get(index.0 as usize)
    }

    /// Whether the site is small enough for metrics of each twin (`limits.metrics_twins_max`).
    #[must_use]
    pub fn has_metrics_by_twin(&self) -> bool {
        self.twins.len() <= self.limits.metrics_twins_max as usize
    }

    /// The kind of a twin.
    #[must_use]
    pub fn kind(&self, twin: &Twin) -> Option<&Kind> {
        self.kinds.get(twin.kind as usize)
    }

    /// The binding at `index`.
    #[must_use]
    pub fn binding(&self, index: BindingIndex) -> Option<&Binding> {
        self.bindings.get(index.0 as usize)
    }

    /// Index of the twin with this id; searches all twins, so not for hot paths.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<TwinIndex> {
        let place = self.twins.iter().position(|twin| *twin.id == *id)?;
        u32::try_from(place).ok().map(TwinIndex)
    }

    /// All indices of twins.
    pub fn indices(&self) -> impl Iterator<Item = TwinIndex> + use<> {
        (0..u32::try_from(self.twins.len()).unwrap_or(u32::MAX)).map(TwinIndex)
    }

    /// Series of a twin's points, in the order of [`Kind::points`].
    #[must_use]
    pub fn series(&self, twin: &Twin) -> &[SeriesId] {
        let from = twin.first_series as usize;
        let points = self.kind(twin).map_or(0, |kind| kind.points.len());
        self.series.get(from..from + points).unwrap_or_default()
    }

    /// Series of the point with this name, or of the recorded rows' column with this name.
    #[must_use]
    pub fn series_of(&self, twin: TwinIndex, point: &str) -> Option<SeriesId> {
        let of = self.twin(twin)?;
        match self.kind(of)?.points.iter().position(|known| known.name == point) {
            Some(place) => self.series(of).get(place).copied(),
            None => self.row_series_of(twin, point),
        }
    }

    /// Twin and point of a series; searches all twins, for messages.
    #[must_use]
    pub fn name_of(&self, series: SeriesId) -> Option<(&str, &str)> {
        self.twins.iter().find_map(|twin| {
            let place = self.series(twin).iter().position(|known| *known == series)?;
            Some((&*twin.id, self.kind(twin)?.points.get(place)?.name.as_str()))
        })
    }

    /// Whom each series belongs to: the highest series number plus one entries, `None` for numbers of points that the
    /// site does not have any more. For whoever splits batches by shard.
    #[must_use]
    pub fn twin_of_series(&self) -> Vec<Option<TwinIndex>> {
        let size = self.series.iter().map(|series| series.0 as usize + 1).max().unwrap_or(0);
        let mut owners = vec![None; size];
        for index in self.indices() {
            let Some(twin) = self.twin(index) else { continue };
            for series in self.series(twin) {
                if let Some(owner) = owners.get_mut(series.0 as usize) {
                    *owner = Some(index);
                }
            }
        }
        owners
    }

    /// Name for people.
    #[must_use]
    pub fn display_name(&self, twin: &Twin) -> String {
        match (&twin.display_name, self.kind(twin)) {
            (Some(name), _) => name.to_string(),
            (None, Some(kind)) => format!("{} {}", kind.type_name, twin.id),
            (None, None) => twin.id.to_string(),
        }
    }
}

impl Binding {
    /// Alerts that it may raise.
    #[must_use]
    pub fn alerts(&self) -> &[AlertDeclaration] {
        &self.declaration.alerts
    }

    /// Commands that it may propose.
    #[must_use]
    pub fn commands(&self) -> &[Command] {
        &self.declaration.commands
    }
}

impl Point {
    /// The expected interval of a measured point.
    #[must_use]
    pub fn interval_ms(&self) -> Option<u64> {
        match self.origin {
            Origin::Measured { interval_ms, .. } => Some(interval_ms),
            Origin::Estimated { .. } => None,
        }
    }
}
