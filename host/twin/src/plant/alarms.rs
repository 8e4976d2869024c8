//! Alarms of the plant: one for each alert that a behavior declares, and one for each `[[alarm]]` over a point.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use geminus_alarm::{AlarmRule, Condition, Definition, Kind as Rule, Words};
use geminus_core::TwinIndex;
use geminus_core::declaration::Priority;

use super::resolve::Resolving;
use super::{Binding, BindingIndex, Plant, Point};
use crate::problem::did_you_mean;

#[cfg(test)]
mod tests;

/// An alarm of some twins, and what it is looked for in.
#[derive(Clone, Debug, PartialEq)]
pub struct PlantAlarm {
    /// What it is.
    pub definition: Definition,
    /// What raises it.
    pub watched: Watched,
    /// The point that suppresses it by design.
    pub guard: Option<(String, Condition)>,
}

/// What raises an alarm.
#[derive(Clone, Debug, PartialEq)]
pub enum Watched {
    /// An alert of a behavior.
    Alert {
        /// Which behavior.
        binding: BindingIndex,
        /// Index of the declared alert.
        alert: u8,
        /// Index of the output that its deadband is about, and the deadband.
        hold: Option<(usize, f64)>,
    },
    /// A point, by name, that each of the twins has.
    Point {
        /// Its name.
        point: String,
        /// What is looked for.
        condition: Condition,
        /// How far on the good side the value must be.
        deadband: f64,
        /// What a deviation is measured from.
        reference: Reference,
    },
}

/// What a deviation is measured from.
#[derive(Clone, Debug, PartialEq)]
pub enum Reference {
    /// A number; NaN where no reference is needed.
    Value(f64),
    /// The newest value of another point of the twin.
    Point(String),
}

impl Resolving<'_> {
    pub(super) fn alarms(&mut self, plant: &Plant) -> Vec<PlantAlarm> {
        let site = self.site;
        let rules: Vec<(String, &AlarmRule, Vec<TwinIndex>)> = site
            .document
            .alarm
            .iter()
            .enumerate()
            .map(|(place, rule)| {
                let key = format!("alarm[{place}]");
                let twins = self.selected(&key, &rule.twins, &plant.twins);
                (key, rule, twins)
            })
            .collect();
        let mut alarms = self.alerts(plant, &rules);
        let mut names: HashSet<(TwinIndex, String)> = HashSet::new();
        for (key, rule, twins) in rules.iter().filter(|(_, rule, _)| rule.alert.is_none()) {
            let name = rule.name.clone().unwrap_or_default();
            let twice = |twin: &&TwinIndex| !names.insert((**twin, name.clone()));
            if let Some(twin) = twins.iter().find(twice) {
                let twin = plant.twin(*twin).map_or("", |twin| &*twin.id);
                let message = format!("twin \"{twin}\" has an alarm \"{name}\" already");
                self.report(&format!("{key}.name"), message);
            }
            alarms.extend(self.over_point(key, rule, twins, plant));
        }
        for (key, rule, twins) in &rules {
            self.suppressors(key, rule, twins, plant, &alarms);
        }
        alarms
    }

    /// The alerts of all behaviors; twins for which different rules count have alarms of their own.
    fn alerts(&mut self, plant: &Plant, rules: &[(String, &AlarmRule, Vec<TwinIndex>)]) -> Vec<PlantAlarm> {
        let chosen = self.counting(plant, rules);
        let mut alarms = Vec::new();
        for (index, binding) in (0..).map(BindingIndex).zip(&plant.bindings) {
            for (alert, declared) in (0..).zip(binding.alerts()) {
                let chosen = chosen.get(&(index, alert));
                let mut groups: BTreeMap<Option<usize>, Vec<TwinIndex>> = BTreeMap::new();
                for twin in &binding.twins {
                    let rule = chosen.and_then(|chosen| chosen.get(twin)).copied();
                    groups.entry(rule).or_default().push(*twin);
                }
                for (place, twins) in groups {
                    let rule = place.and_then(|place| rules.get(place)).map(|(_, rule, _)| *rule);
                    let name = format!("{}.{}", binding.name, declared.code);
                    let words = Words {
                        priority: declared.priority,
                        message: declared.text.clone(),
                        unit: declared.unit.clone(),
                    };
                    alarms.push(PlantAlarm {
                        definition: definition(name, words, rule, twins),
                        watched: Watched::Alert {
                            binding: index,
                            alert,
                            hold: rule.and_then(|rule| hold(rule, binding)),
                        },
                        guard: rule.and_then(guard),
                    });
                }
            }
        }
        alarms
    }

    /// For each alert, which rule counts for which twin: the last one in the file. Behaviors of different twins may share
    /// a name.
    fn counting(
        &mut self,
        plant: &Plant,
        rules: &[(String, &AlarmRule, Vec<TwinIndex>)],
    ) -> BTreeMap<(BindingIndex, u8), HashMap<TwinIndex, usize>> {
        let mut known: BTreeMap<String, Vec<(BindingIndex, u8)>> = BTreeMap::new();
        for (index, binding) in (0..).map(BindingIndex).zip(&plant.bindings) {
            for (place, alert) in (0..).zip(binding.alerts()) {
                known.entry(format!("{}.{}", binding.name, alert.code)).or_default().push((index, place));
            }
        }
        let mut chosen: BTreeMap<(BindingIndex, u8), HashMap<TwinIndex, usize>> = BTreeMap::new();
        for (place, (key, rule, twins)) in rules.iter().enumerate() {
            let Some(alert) = &rule.alert else { continue };
            let behavior = alert.split_once('.').map_or("", |(behavior, _)| behavior);
            if self.failed.contains(behavior) {
                continue;
            }
            let Some(found) = known.get(alert) else {
                let hint = did_you_mean(alert, known.keys().map(String::as_str));
                let message = format!("no behavior has the alert \"{alert}\" (<behavior>.<code>){hint}");
                self.report(&format!("{key}.alert"), message);
                continue;
            };
            let mut counts = twins.is_empty();
            for (index, alert) in found {
                let Some(binding) = plant.binding(*index) else { continue };
                let here = twins.iter().filter(|twin| binding.twins.binary_search(twin).is_ok());
                let here: Vec<TwinIndex> = here.copied().collect();
                if here.is_empty() {
                    continue;
                }
                counts = true;
                self.output(key, rule, binding);
                let all = chosen.entry((*index, *alert)).or_default();
                all.extend(here.into_iter().map(|twin| (twin, place)));
            }
            if !counts {
                let message = format!("none of these twins has the alert \"{alert}\"");
                self.report(&format!("{key}.twins"), message);
            }
        }
        chosen
    }

    fn output(&mut self, key: &str, rule: &AlarmRule, binding: &Binding) {
        let Some(output) = &rule.output else { return };
        let outputs = &binding.declaration.outputs;
        if !outputs.iter().any(|known| known.name == *output) {
            let hint = did_you_mean(output, outputs.iter().map(|known| known.name.as_str()));
            let message = format!("behavior \"{}\" has no output \"{output}\"{hint}", binding.name);
            self.report(&format!("{key}.output"), message);
        }
    }

    fn over_point(
        &mut self,
        key: &str,
        rule: &AlarmRule,
        twins: &[TwinIndex],
        plant: &Plant,
    ) -> Option<PlantAlarm> {
        let name = rule.point.clone()?;
        let unit = self.point(&format!("{key}.point"), &name, twins, plant)?.unit.clone();
        let limit = rule.limit.unwrap_or(f64::NAN);
        let (condition, words) = match rule.condition? {
            Rule::High => (Condition::High { limit }, format!("{name} is above {limit} {unit}")),
            Rule::Low => (Condition::Low { limit }, format!("{name} is below {limit} {unit}")),
            Rule::Deviation => {
                (Condition::Deviation { limit }, format!("{name} is more than {limit} {unit} off"))
            }
            Rule::BadQuality => (Condition::BadQuality, format!("{name} cannot be used")),
        };
        let reference = match &rule.reference_point {
            None => Reference::Value(rule.reference.unwrap_or(f64::NAN)),
            Some(other) => {
                let found = self.point(&format!("{key}.reference_point"), other, twins, plant)?;
                if found.unit != unit {
                    let message = format!(
                        "{other} is in \"{}\" and {name} in \"{unit}\": a deviation needs the same unit",
                        found.unit
                    );
                    self.report(&format!("{key}.reference_point"), message);
                }
                Reference::Point(other.clone())
            }
        };
        let words = Words { priority: Priority::Medium, message: words, unit };
        let own = rule.name.clone().unwrap_or_default();
        let mut definition = definition(own, words, Some(rule), twins.to_vec());
        definition.tells_staleness = condition == Condition::BadQuality;
        let watched = Watched::Point { point: name, condition, deadband: rule.deadband, reference };
        Some(PlantAlarm { definition, watched, guard: guard(rule) })
    }

    /// The point of this name of the first twin, when every twin has it.
    fn point<'p>(
        &mut self,
        key: &str,
        name: &str,
        twins: &[TwinIndex],
        plant: &'p Plant,
    ) -> Option<&'p Point> {
        let behavior = name.split_once('.').map_or("", |(behavior, _)| behavior);
        if self.failed.contains(behavior) {
            return None;
        }
        let mut first = None;
        for twin in twins.iter().filter_map(|twin| plant.twin(*twin)) {
            let points = plant.kind(twin).map(|kind| kind.points.as_slice()).unwrap_or_default();
            let Some(point) = points.iter().find(|point| point.name == name) else {
                let hint = did_you_mean(name, points.iter().map(|point| point.name.as_str()));
                self.report(key, format!("twin \"{}\" has no point \"{name}\"{hint}", twin.id));
                return None;
            };
            let unit = &first.get_or_insert(point).unit;
            if point.unit != *unit {
                let message = format!(
                    "point \"{name}\" is in \"{unit}\" for some of these twins and in \"{}\" for others: use a rule for each",
                    point.unit
                );
                self.report(key, message);
                return None;
            }
        }
        first
    }

    fn suppressors(
        &mut self,
        key: &str,
        rule: &AlarmRule,
        twins: &[TwinIndex],
        plant: &Plant,
        alarms: &[PlantAlarm],
    ) {
        let Some(suppression) = &rule.suppress_when else { return };
        let at = format!("{key}.suppress_when");
        if let Some(point) = &suppression.point {
            self.point(&at, point, twins, plant);
        }
        let Some(other) = &suppression.alarm else { return };
        if rule.name.as_ref().or(rule.alert.as_ref()) == Some(other) {
            return self.report(&at, format!("alarm \"{other}\" cannot suppress itself"));
        }
        if !alarms.iter().any(|alarm| alarm.definition.name == *other) {
            let hint = did_you_mean(other, alarms.iter().map(|alarm| alarm.definition.name.as_str()));
            self.report(&at, format!("there is no alarm \"{other}\"{hint}"));
        }
    }
}

fn definition(name: String, words: Words, rule: Option<&AlarmRule>, twins: Vec<TwinIndex>) -> Definition {
    let text = |of: fn(&AlarmRule) -> &String| rule.map(of).cloned().unwrap_or_default();
    let span = |seconds: f64| Duration::try_from_secs_f64(seconds).unwrap_or_default();
    Definition {
        name,
        words,
        priority: rule.and_then(|rule| rule.priority),
        message: text(|rule| &rule.message),
        consequence: text(|rule| &rule.consequence),
        response: text(|rule| &rule.response),
        on_delay: rule.map_or(Duration::ZERO, |rule| span(rule.on_delay_s)),
        off_delay: rule.map_or(Duration::ZERO, |rule| span(rule.off_delay_s)),
        latch: rule.is_some_and(|rule| rule.latch),
        group: rule.and_then(|rule| rule.group.clone()),
        suppressed_by: rule.and_then(|rule| rule.suppress_when.as_ref()?.alarm.clone()),
        tells_staleness: false,
        twins,
    }
}

/// The output that the deadband of an alert is about, and the deadband.
fn hold(rule: &AlarmRule, binding: &Binding) -> Option<(usize, f64)> {
    let name = rule.output.as_ref()?;
    let place = binding.declaration.outputs.iter().position(|output| output.name == *name)?;
    Some((place, rule.deadband))
}

fn guard(rule: &AlarmRule) -> Option<(String, Condition)> {
    let suppression = rule.suppress_when.as_ref()?;
    let condition = match (suppression.above, suppression.below) {
        (Some(limit), _) => Condition::High { limit },
        (None, Some(limit)) => Condition::Low { limit },
        (None, None) => return None,
    };
    Some((suppression.point.clone()?, condition))
}
