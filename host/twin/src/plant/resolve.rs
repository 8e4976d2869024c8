//! From a site and the declarations of its plugins to a plant: patterns expanded, everything named looked up.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use geminus_core::{Declaration, SeriesId, TwinIndex};

use super::{Binding, Kind, Place, Plant, Substitute, Twin};
use crate::dtdl::TwinType;
use crate::pattern::{Selection, expand};
use crate::problem::{Problems, did_you_mean};
use crate::site::Site;

/// The most twins of one site; their number must fit an index with room to spare.
const TWINS_MAX: usize = 4_000_000;

impl Plant {
    /// Works out what a site means. `declarations` are those of all plugins at hand, of each the versions there are;
    /// each behavior starts with the highest that fits. `series_id` gives the number of (twin, point), the same for the
    /// same names for ever.
    ///
    /// # Errors
    /// Everything that does not fit together, with the line of the site file.
    pub fn resolve(
        site: &Site,
        declarations: &[Declaration],
        series_id: &mut dyn FnMut(&str, &str) -> Result<SeriesId, String>,
    ) -> Result<Self, Problems> {
        Self::resolve_from(site, declarations, &|_| None, series_id)
    }

    /// The same where `starts` may name another version that a behavior starts with, by the behavior's name: what ran
    /// last, say.
    ///
    /// # Errors
    /// As [`Plant::resolve`].
    pub fn resolve_from<'d>(
        site: &Site,
        declarations: &'d [Declaration],
        starts: Starts<'_, 'd>,
        series_id: &mut dyn FnMut(&str, &str) -> Result<SeriesId, String>,
    ) -> Result<Self, Problems> {
        let mut resolving = Resolving { site, problems: Problems::default(), failed: BTreeSet::new() };
        let (mut twins, sections) = resolving.twins();
        let (bindings, chosen) = resolving.bindings(declarations, starts, &twins);
        let kinds = resolving.kinds(&mut twins, &sections, &chosen, &bindings);
        let targets = resolving.targets(&twins, &kinds, &bindings);
        let mut plant = Self {
            name: site.document.site.name.clone(),
            twins,
            kinds,
            bindings,
            sources: site.document.source.clone(),
            routes: Vec::new(),
            targets,
            limits: site.document.limits.clone(),
            containment: site.document.containment.clone(),
            alarms: Vec::new(),
            alarm_settings: site.document.alarms.clone(),
            series: Vec::new(),
            row_series: Vec::new(),
        };
        plant.alarms = resolving.alarms(&plant);
        // Series numbers are kept for ever: none is given to a site that will not run.
        let mut resolving = Resolving { problems: resolving.problems.or(Problems::default())?, ..resolving };
        resolving.number(&mut plant, series_id);
        plant.routes = resolving.routes(&plant, &sections);
        resolving.problems.or(plant)
    }
}

/// Which declaration a behavior starts with; `None`: the highest that fits.
pub(super) type Starts<'s, 'd> = &'s dyn Fn(&str) -> Option<&'d Declaration>;

pub(super) struct Resolving<'a> {
    pub(super) site: &'a Site,
    pub(super) problems: Problems,
    /// Names of behaviors without a usable plugin: what needs their outputs is not reported again.
    pub(super) failed: BTreeSet<String>,
}

impl<'a> Resolving<'a> {
    pub(super) fn report(&mut self, key: &str, message: impl Into<String>) {
        self.problems.add(&self.site.path, self.site.line(key), message);
    }

    /// The twins, and for each the place of its `[[twin]]`.
    fn twins(&mut self) -> (Vec<Twin>, Vec<usize>) {
        let (mut twins, mut sections) = (Vec::new(), Vec::new());
        let mut seen = std::collections::HashSet::new();
        for (index, section) in self.site.document.twin.iter().enumerate() {
            let key = format!("twin[{index}]");
            if let Ok(twin_type) = self.twin_type(index) {
                self.overrides(index, twin_type);
            }
            let place = Arc::new(Place { area: section.area.clone(), line: section.line.clone() });
            for id in expand(&section.id).unwrap_or_default() {
                if !seen.insert(id.clone()) {
                    self.report(&format!("{key}.id"), format!("twin \"{id}\" is defined twice"));
                    continue;
                }
                let display_name =
                    section.display_name.as_ref().map(|name| name.replace("{twin}", &id).into());
                let authority = section.authority;
                let id = id.into();
                let (kind, first_series, first_row_series) = (0, 0, 0);
                let place = Arc::clone(&place);
                twins.push(Twin { id, display_name, authority, place, kind, first_series, first_row_series });
                sections.push(index);
            }
        }
        if twins.len() > TWINS_MAX {
            self.report("twin", format!("{} twins are more than {TWINS_MAX}", twins.len()));
        }
        (twins, sections)
    }

    /// The type of a `[[twin]]`; reports it once, when it is asked for first.
    fn twin_type(&mut self, section: usize) -> Result<&'a TwinType, ()> {
        let site = self.site;
        let id = site.document.twin.get(section).map_or("", |twin| twin.twin_type.as_str());
        site.types.get(id).map_err(|reason| self.report(&format!("twin[{section}].type"), reason))
    }

    fn overrides(&mut self, index: usize, twin_type: &TwinType) {
        let points = self.site.document.twin.get(index).map(|section| &section.point);
        for name in points.into_iter().flat_map(|points| points.keys()) {
            if twin_type.points.iter().any(|point| point.name == *name) {
                continue;
            }
            let key = format!("twin[{index}].point.{name}");
            self.report(&key, no_such_point(twin_type, name));
        }
    }

    /// One binding for each `[[behavior]]`, and for each twin the bindings that it has.
    fn bindings(
        &mut self,
        declarations: &[Declaration],
        starts: Starts<'_, '_>,
        twins: &[Twin],
    ) -> (Vec<Binding>, Vec<Vec<usize>>) {
        let (mut bindings, mut chosen) = (Vec::new(), vec![Vec::new(); twins.len()]);
        for (index, behavior) in self.site.document.behavior.iter().enumerate() {
            let key = format!("behavior[{index}]");
            let selected = self.selected(&key, &behavior.twins, twins);
            let start = starts(&behavior.name);
            let Some(declaration) = self.declaration(&key, behavior, start, declarations) else {
                self.failed.insert(behavior.name.clone());
                continue;
            };
            let parameters = self.parameters(&key, behavior, declaration);
            for twin in &selected {
                if let Some(list) = chosen.get_mut(twin.0 as usize) {
                    list.push(bindings.len());
                }
            }
            let mut binding = Binding {
                name: behavior.name.clone(),
                declaration: Arc::new(declaration.clone()),
                versions: semver::VersionReq::parse(&behavior.version).unwrap_or_default(),
                isolation: behavior.isolation,
                allow_cold_start: behavior.allow_cold_start,
                row_wait_ms: behavior.row_wait_ms,
                align_ms: behavior.align_ms,
                parameters: parameters.into(),
                twins: selected,
                pins: Vec::new(),
                substitute: Substitute::None,
                arrivals: behavior.arrivals,
                stages: behavior.rollout.clone(),
                record: behavior.record,
                given: behavior.parameters.clone(),
                section: index,
            };
            binding.substitute = self.substitute(&key, behavior, &binding);
            for misfit in binding.stages.acceptance.misfits(declaration) {
                let part = misfit.split(": ").next().unwrap_or_default();
                let message = format!("rollout of behavior \"{}\": {misfit}", binding.name);
                self.report(&format!("{key}.rollout.{part}"), message);
            }
            binding.pins = self.pins(&key, behavior, &binding, declarations, twins);
            bindings.push(binding);
        }
        (bindings, chosen)
    }

    pub(super) fn selected(&mut self, key: &str, pattern: &str, twins: &[Twin]) -> Vec<TwinIndex> {
        let Ok(selection) = Selection::new(pattern) else { return Vec::new() };
        let matched = twins.iter().enumerate().filter(|(_, twin)| selection.matches(&twin.id));
        let list: Vec<_> =
            matched.filter_map(|(place, _)| u32::try_from(place).ok().map(TwinIndex)).collect();
        if list.is_empty() {
            let hint = did_you_mean(pattern, twins.iter().take(10_000).map(|twin| &*twin.id));
            self.report(&format!("{key}.twins"), format!("pattern \"{pattern}\" matches no twin{hint}"));
        }
        list
    }

    /// Twins with the same section and the same behaviors are of one kind.
    fn kinds(
        &mut self,
        twins: &mut [Twin],
        sections: &[usize],
        chosen: &[Vec<usize>],
        bindings: &[Binding],
    ) -> Vec<Kind> {
        let (mut kinds, mut known) = (Vec::new(), BTreeMap::new());
        for ((twin, section), behaviors) in twins.iter_mut().zip(sections).zip(chosen) {
            let place = *known.entry((*section, behaviors)).or_insert_with(|| {
                if let Some(twin_type) = self.type_of(*section) {
                    kinds.push(self.kind(*section, twin_type, &twin.id, behaviors, bindings));
                }
                kinds.len().saturating_sub(1)
            });
            twin.kind = u32::try_from(place).unwrap_or(u32::MAX);
        }
        kinds
    }

    pub(super) fn type_of(&self, section: usize) -> Option<&'a TwinType> {
        let site = self.site;
        site.types.get(&site.document.twin.get(section)?.twin_type).ok()
    }

    fn number(
        &mut self,
        plant: &mut Plant,
        series_id: &mut dyn FnMut(&str, &str) -> Result<SeriesId, String>,
    ) {
        // Points of all twins first: what the field sends has the lowest numbers, and tables by number stay short.
        let points = |kind: &Kind| kind.points.iter().map(|point| point.name.clone()).collect();
        let first = |twin: &mut Twin, at| twin.first_series = at;
        let points = numbered(&mut plant.twins, &plant.kinds, series_id, first, &points);
        let rows: Vec<Vec<String>> = plant.bindings.iter().map(Binding::row_series_names).collect();
        let of_rows = |kind: &Kind| {
            let recorded = kind.behaviors.iter().filter_map(|behavior| rows.get(behavior.binding.0 as usize));
            recorded.flatten().cloned().collect()
        };
        let first = |twin: &mut Twin, at| twin.first_row_series = at;
        let rows = numbered(&mut plant.twins, &plant.kinds, series_id, first, &of_rows);
        match points.and_then(|points| Ok((points, rows?))) {
            Ok((points, rows)) => (plant.series, plant.row_series) = (points, rows),
            Err(message) => self.report("twin", message),
        }
    }
}

/// Numbers of what `names` gives for the kind of each twin; `first` hears where those of a twin begin.
fn numbered(
    twins: &mut [Twin],
    kinds: &[Kind],
    series_id: &mut dyn FnMut(&str, &str) -> Result<SeriesId, String>,
    first: impl Fn(&mut Twin, u32),
    names: &dyn Fn(&Kind) -> Vec<String>,
) -> Result<Vec<SeriesId>, String> {
    let by_kind: Vec<Vec<String>> = kinds.iter().map(names).collect();
    let mut series = Vec::new();
    for twin in twins {
        first(twin, u32::try_from(series.len()).unwrap_or(u32::MAX));
        for name in by_kind.get(twin.kind as usize).into_iter().flatten() {
            let number = series_id(&twin.id, name);
            series.push(
                number.map_err(|reason| format!("twin {} point {name} gets no series: {reason}", twin.id))?,
            );
        }
    }
    Ok(series)
}

pub(super) fn no_such_point(twin_type: &TwinType, name: &str) -> String {
    if let Some(reason) = twin_type.unbindable.get(name) {
        return format!("point \"{name}\" of {} cannot be bound: {reason}", twin_type.id);
    }
    let hint = did_you_mean(name, twin_type.points.iter().map(|point| point.name.as_str()));
    format!("type {} has no point \"{name}\"{hint}", twin_type.id)
}
