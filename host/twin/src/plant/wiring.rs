//! Wires the behaviors of one kind of twin: which point goes into which input, in which order, in which unit.

use geminus_core::declaration::{Input, Output, Role};
use geminus_core::unit::{self, Conversion, UnitError};
use geminus_core::{Declaration, unit::parse};

use super::resolve::{Resolving, no_such_point};
use super::{Binding, BindingIndex, Column, Kind, KindBehavior, Origin, Point};
use crate::dtdl::TwinType;
use crate::problem::did_you_mean;

/// Why a declaration asks for more than this version binds; `None` when it does not.
pub(super) fn beyond_this_version(declaration: &Declaration, bits: usize) -> Option<String> {
    let texts = declaration.texts.iter().map(|text| ("text", &text.name));
    let windows = declaration.windows.iter().map(|window| ("window", &window.name));
    if let Some((what, name)) = texts.chain(windows).next() {
        return Some(format!("declares the {what} input \"{name}\", which this version cannot feed"));
    }
    let mut counts = [("inputs", declaration.inputs.len()), ("alerts", declaration.alerts.len())].into_iter();
    if let Some((what, count)) = counts.find(|(_, count)| *count > bits) {
        return Some(format!("declares {count} {what}; this version binds up to {bits}"));
    }
    let units = declaration.outputs.iter().map(|output| (&output.name, &output.unit));
    let wrong = units.filter_map(|(name, unit)| parse(unit).err().map(|error| (name, error))).next();
    wrong.map(|(name, error)| format!("output \"{name}\": {error}"))
}

impl Resolving<'_> {
    /// A kind with its points and wired behaviors; `twin` is one of its twins, for messages.
    pub(super) fn kind(
        &mut self,
        section: usize,
        twin_type: &TwinType,
        twin: &str,
        behaviors: &[usize],
        bindings: &[Binding],
    ) -> Kind {
        let mut kind = Kind {
            type_id: twin_type.id.clone(),
            type_name: twin_type.display_name.clone(),
            points: self.measured(section, twin_type),
            measured: twin_type.points.len(),
            behaviors: Vec::new(),
        };
        let named = self.named(twin, behaviors, bindings);
        for place in self.ordered(twin, &named, bindings) {
            let Some(binding) = bindings.get(place) else { continue };
            let columns = self.columns(twin, twin_type, &kind, binding);
            let first_output = kind.points.len();
            let outputs = outputs(binding, &kind, &columns);
            kind.points.extend(outputs);
            let recorded = binding.row_series_names().len();
            let binding = BindingIndex(u32::try_from(place).unwrap_or(u32::MAX));
            let from = kind.behaviors.last().map_or(0, |last| last.row_series.end);
            kind.behaviors.push(KindBehavior {
                binding,
                columns,
                first_output,
                row_series: from..from + recorded,
            });
        }
        kind
    }

    fn measured(&mut self, section: usize, twin_type: &TwinType) -> Vec<Point> {
        let Some(twin) = self.site.document.twin.get(section) else { return Vec::new() };
        let made = twin_type.points.iter().map(|point| {
            let interval_ms = twin.point.get(&point.name).and_then(|over| over.interval_ms);
            let interval_ms = interval_ms.unwrap_or(twin.interval_ms);
            Point {
                name: point.name.clone(),
                description: point.description.clone(),
                unit: point.unit.clone(),
                origin: Origin::Measured { interval_ms, labels: point.labels.clone() },
            }
        });
        made.collect()
    }

    /// `behaviors` without those whose name another one has taken.
    fn named(&mut self, twin: &str, behaviors: &[usize], bindings: &[Binding]) -> Vec<usize> {
        let mut seen = std::collections::BTreeSet::new();
        let mut kept = Vec::new();
        for place in behaviors {
            let Some(binding) = bindings.get(*place) else { continue };
            if seen.insert(&binding.name) {
                kept.push(*place);
                continue;
            }
            let message = format!("twin {twin} has two behaviors named \"{}\"", binding.name);
            self.report(&key(binding, "name"), message);
        }
        kept
    }

    /// Upstream first, otherwise as in the file.
    fn ordered(&mut self, twin: &str, behaviors: &[usize], bindings: &[Binding]) -> Vec<usize> {
        let name = |place: usize| bindings.get(place).map_or("", |binding| binding.name.as_str());
        let mut waiting = behaviors.to_vec();
        let mut order = Vec::new();
        while !waiting.is_empty() {
            let needs = |place: usize, other: usize| {
                let prefix = format!("{}.", name(other));
                bindings.get(place).is_some_and(|binding| {
                    self.inputs(binding).iter().any(|point| point.starts_with(&prefix))
                })
            };
            let ready = waiting.iter().position(|place| !waiting.iter().any(|other| needs(*place, *other)));
            let Some(ready) = ready else {
                let circle: Vec<_> = waiting.iter().map(|place| name(*place)).collect();
                let message = format!(
                    "behaviors of twin {twin} wait for each other in a circle: {}",
                    circle.join(", ")
                );
                if let Some(first) = waiting.first().and_then(|place| bindings.get(*place)) {
                    self.report(&key(first, "inputs"), message);
                }
                break;
            };
            order.push(waiting.remove(ready));
        }
        order
    }

    /// The names of the points that a binding's inputs take.
    fn inputs(&self, binding: &Binding) -> Vec<String> {
        let map = self.section(binding).map(|section| &section.inputs);
        let point = |name: &String| map.and_then(|map| map.get(name)).unwrap_or(name).clone();
        binding.declaration.inputs.iter().map(|input| point(&input.name)).collect()
    }

    fn columns(&mut self, twin: &str, twin_type: &TwinType, kind: &Kind, binding: &Binding) -> Vec<Column> {
        let map = self.section(binding).map(|section| section.inputs.clone()).unwrap_or_default();
        let declared = &binding.declaration.inputs;
        for name in map.keys().filter(|name| !declared.iter().any(|input| input.name == **name)) {
            let hint = did_you_mean(name, declared.iter().map(|input| input.name.as_str()));
            let message = format!("plugin {} has no input \"{name}\"{hint}", binding.declaration.label());
            self.report(&key(binding, &format!("inputs.{name}")), message);
        }
        declared
            .iter()
            .map(|input| {
                let given = map.get(&input.name);
                let name = given.unwrap_or(&input.name);
                let key = key(binding, &format!("inputs.{}", input.name));
                let empty = Column { point: None, conversion: Conversion::IDENTITY, arrival: input.arrival };
                let Some(point) = kind.points.iter().position(|point| point.name == *name) else {
                    let failed = name.split_once('.').is_some_and(|(behavior, _)| self.failed.contains(behavior));
                    if !failed && (input.required || given.is_some()) {
                        let message = unbound(twin, twin_type, kind, binding, input, name);
                        self.report(&key, message);
                    }
                    return empty;
                };
                match kind.points.get(point).map(|source| conversion(source, input)) {
                    Some(Ok(conversion)) => Column { point: Some(point), conversion, ..empty },
                    Some(Err(error)) => {
                        let message = format!(
                            "twin {twin}, behavior \"{}\": point \"{name}\" does not fit input \"{}\": {error}",
                            binding.name, input.name
                        );
                        self.report(&key, message);
                        empty
                    }
                    None => empty,
                }
            })
            .collect()
    }

    fn section(&self, binding: &Binding) -> Option<&crate::site::Behavior> {
        self.site.document.behavior.get(binding.section)
    }
}

fn key(binding: &Binding, rest: &str) -> String {
    format!("behavior[{}].{rest}", binding.section)
}

fn unbound(
    twin: &str,
    twin_type: &TwinType,
    kind: &Kind,
    binding: &Binding,
    input: &Input,
    name: &str,
) -> String {
    let hint = match twin_type.unbindable.contains_key(name) || !name.contains('.') {
        true => no_such_point(twin_type, name),
        false => {
            let hint = did_you_mean(name, kind.points.iter().map(|point| point.name.as_str()));
            format!("there is no point \"{name}\"{hint}")
        }
    };
    let need = if input.required { "required input" } else { "input" };
    format!("twin {twin}, behavior \"{}\": {need} \"{}\" is not bound: {hint}", binding.name, input.name)
}

fn conversion(point: &Point, input: &Input) -> Result<Conversion, UnitError> {
    match point.origin {
        Origin::Estimated { role: Role::Deviation | Role::Innovation, .. } => {
            unit::convert_difference(&point.unit, &input.unit)
        }
        _ => unit::convert(&point.unit, &input.unit),
    }
}

fn outputs(binding: &Binding, kind: &Kind, columns: &[Column]) -> Vec<Point> {
    let declaration = &binding.declaration;
    let about = |output: &Output| {
        let of = output.of.as_ref()?;
        if let Some(other) = declaration.outputs.iter().find(|other| other.name == *of) {
            return Some(format!("{}.{}", binding.name, other.name));
        }
        let input = declaration.inputs.iter().position(|input| input.name == *of)?;
        kind.points.get(columns.get(input)?.point?).map(|point| point.name.clone())
    };
    let made = declaration.outputs.iter().enumerate().map(|(index, output)| Point {
        name: format!("{}.{}", binding.name, output.name),
        description: output.description.clone(),
        unit: output.unit.clone(),
        origin: Origin::Estimated {
            behavior: kind.behaviors.len(),
            output: index,
            role: output.role,
            of: about(output),
        },
    });
    made.collect()
}
