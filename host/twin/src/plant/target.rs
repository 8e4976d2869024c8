//! Targets: their rules compiled against the points that their twins really have.

use std::collections::HashMap;
use std::time::Duration;

use geminus_command::{Class, Feedback};
use geminus_core::TwinIndex;
use geminus_core::unit::{self, Conversion};
use geminus_interlock::Book;

use super::resolve::Resolving;
use super::{Binding, Kind, Twin};
use crate::problem::did_you_mean;
use crate::site;

/// What of some twins may be written (one `[[target]]` of the site).
#[derive(Debug)]
pub struct Target {
    /// Name, unique per twin.
    pub name: String,
    /// UCUM code of value, rules and topic.
    pub unit: String,
    /// Whose.
    pub twins: Vec<TwinIndex>,
    /// Commands that may propose a value.
    pub commands: Vec<TargetCommand>,
    /// Name of its class.
    pub class_name: String,
    /// Who approves its commands.
    pub class: Class,
    /// Name of the MQTT source whose broker it is written to.
    pub source: String,
    /// Topic template.
    pub topic: String,
    /// Where it is read back, in the unit of the target.
    pub feedback: Option<Feedback>,
    /// Its sign of life to the field, at the same source.
    pub heartbeat: Option<Heartbeat>,
    /// The compiled rules.
    pub book: Book,
    /// Place of the `[[target]]` in the site file.
    pub section: usize,
}

/// A sign of life to the field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// Topic template.
    pub topic: String,
    /// Between two of them.
    pub every: Duration,
}

impl Heartbeat {
    /// Topic of a twin with this id.
    #[must_use]
    pub fn address(&self, twin: &str) -> String {
        self.topic.replace("{twin}", twin)
    }
}

/// A command of a behavior that may propose a value for a target.
#[derive(Clone, Debug, PartialEq)]
pub struct TargetCommand {
    /// Name of the behavior.
    pub behavior: String,
    /// Name of the command.
    pub command: String,
    /// From the command's unit to the target's.
    pub conversion: Conversion,
}

impl Target {
    /// Topic of a twin with this id.
    #[must_use]
    pub fn address(&self, twin: &str) -> String {
        self.topic.replace("{twin}", twin)
    }
}

impl Resolving<'_> {
    pub(super) fn targets(&mut self, twins: &[Twin], kinds: &[Kind], bindings: &[Binding]) -> Vec<Target> {
        let (mut targets, mut seen) = (Vec::new(), HashMap::new());
        let site = self.site;
        for (section, target) in site.document.target.iter().enumerate() {
            let key = format!("target[{section}]");
            let selected = self.selected(&key, &target.twins, twins);
            let twice = selected.iter().find(|twin| seen.insert((&target.name, **twin), section).is_some());
            if let Some(twin) = twice.and_then(|twin| twins.get(twin.0 as usize)) {
                let message = format!("twin \"{}\" has two targets \"{}\"", twin.id, target.name);
                self.report(&format!("{key}.name"), message);
            }
            if selected.len() > 1 && !target.write.topic.contains("{twin}") {
                let message = format!("topic \"{}\" has no {{twin}}, but several twins", target.write.topic);
                self.report(&format!("{key}.write.topic"), message);
            }
            let beats = target.heartbeat.as_ref().map(|heartbeat| &heartbeat.topic);
            if let Some(topic) = beats.filter(|topic| selected.len() > 1 && !topic.contains("{twin}")) {
                let message = format!("topic \"{topic}\" has no {{twin}}, but several twins");
                self.report(&format!("{key}.heartbeat.topic"), message);
            }
            let mut of_twins: Vec<u32> =
                selected.iter().filter_map(|twin| Some(twins.get(twin.0 as usize)?.kind)).collect();
            of_twins.sort_unstable();
            of_twins.dedup();
            let kinds: Vec<&Kind> = of_twins.iter().filter_map(|kind| kinds.get(*kind as usize)).collect();
            self.feedback(&key, target, &kinds);
            let commands = self.commands(&key, target, bindings);
            let known = |name: &str| kinds.iter().all(|kind| kind.points.iter().any(|one| one.name == name));
            let (name, fail) = (target.name.clone(), &target.fail);
            match Book::compile(&name, &target.interlock, fail, target.feedback.is_some(), &known) {
                Ok(book) => {
                    let unit = target.unit.clone();
                    let class = site.document.command.class(&target.class);
                    targets.push(Target {
                        name,
                        unit,
                        twins: selected,
                        commands,
                        class_name: target.class.clone(),
                        // One that is not defined was reported when the file was read.
                        class: class.unwrap_or(Class { approvers: 2, approve_within_s: 300 }),
                        source: target.write.source.clone(),
                        topic: target.write.topic.clone(),
                        feedback: target.feedback.as_ref().map(|feedback| Feedback {
                            point: feedback.point.clone(),
                            tolerance: feedback.tolerance,
                            within_ms: (feedback.within_s * 1_000.0) as u64,
                        }),
                        heartbeat: target.heartbeat.as_ref().map(|heartbeat| Heartbeat {
                            topic: heartbeat.topic.clone(),
                            every: Duration::from_millis(heartbeat.every_ms.into()),
                        }),
                        book,
                        section,
                    });
                }
                // Without its plugin a behavior has no outputs: rules that need them are not reported again.
                Err(_) if !self.failed.is_empty() => {}
                Err(errors) => {
                    for error in errors {
                        self.report(&format!("{key}.interlock.{}", error.at), error.to_string());
                    }
                }
            }
        }
        self.owners(&targets, twins);
        targets
    }

    /// One target has one address and one behavior, and one command of a behavior has one target.
    fn owners(&mut self, targets: &[Target], twins: &[Twin]) {
        let sources = &self.site.document.source;
        let server = |name: &str| {
            let source = sources.iter().find(|source| source.name == name);
            let mqtt = source.and_then(|source| source.mqtt.as_ref()).map(|mqtt| mqtt.url.as_str());
            let opcua =
                source.and_then(|source| source.opcua.as_ref()).map(|server| server.endpoint.as_str());
            mqtt.or(opcua).unwrap_or_default()
        };
        let (mut addresses, mut wishes) = (HashMap::new(), HashMap::new());
        for target in targets {
            let key = format!("target[{}]", target.section);
            let mut behaviors: Vec<&str> = target.commands.iter().map(|one| one.behavior.as_str()).collect();
            behaviors.dedup();
            if let [one, other, ..] = behaviors.as_slice() {
                let message = format!(
                    "target \"{}\" would be commanded by \"{one}\" and \"{other}\": a target has one owner, so name one behavior",
                    target.name
                );
                self.report(&format!("{key}.commands"), message);
            }
            for (index, twin) in
                target.twins.iter().filter_map(|index| Some((*index, twins.get(index.0 as usize)?)))
            {
                let address = (server(&target.source), target.address(&twin.id));
                if let Some(other) = addresses.insert(address.clone(), (&target.name, &twin.id)) {
                    let message = format!(
                        "\"{}\" of {} and \"{}\" of {} are written to one address, {}: give each its own",
                        other.0, other.1, target.name, twin.id, address.1
                    );
                    self.report(&format!("{key}.write.topic"), message);
                    break;
                }
                let beats =
                    target.heartbeat.as_ref().map(|beats| (server(&target.source), beats.address(&twin.id)));
                if let Some(address) = beats
                    && let Some(other) = addresses.insert(address.clone(), (&target.name, &twin.id))
                {
                    let message = format!(
                        "the heartbeat of \"{}\" of {} goes to the address of \"{}\" of {}, {}: give it its own",
                        target.name, twin.id, other.0, other.1, address.1
                    );
                    self.report(&format!("{key}.heartbeat.topic"), message);
                    break;
                }
                let twice = target.commands.iter().find_map(|one| {
                    let wish = (index, one.behavior.as_str(), one.command.as_str());
                    wishes.insert(wish, &target.name).filter(|other| **other != target.name)
                });
                if let Some(other) = twice {
                    let message = format!(
                        "targets \"{other}\" and \"{}\" of {} are commanded by one command: give each its own",
                        target.name, twin.id
                    );
                    self.report(&format!("{key}.commands"), message);
                    break;
                }
            }
        }
    }

    fn feedback(&mut self, key: &str, target: &site::Target, kinds: &[&Kind]) {
        let Some(feedback) = &target.feedback else { return };
        let key = format!("{key}.feedback.point");
        for kind in kinds {
            let names = || kind.points.iter().map(|point| point.name.as_str());
            let Some(point) = kind.points.iter().find(|point| point.name == feedback.point) else {
                if self.failed.is_empty() {
                    let hint = did_you_mean(&feedback.point, names());
                    let message =
                        format!("twins of type {} have no point \"{}\"{hint}", kind.type_id, feedback.point);
                    self.report(&key, message);
                }
                continue;
            };
            if let Err(reason) = unit::convert(&point.unit, &target.unit) {
                self.report(&key, format!("point \"{}\" cannot be read back: {reason}", point.name));
            }
        }
    }

    fn commands(&mut self, key: &str, target: &site::Target, bindings: &[Binding]) -> Vec<TargetCommand> {
        let mut commands = Vec::new();
        let key = format!("{key}.commands");
        for name in &target.commands {
            let Some((behavior, command)) = name.split_once('.') else {
                self.report(&key, format!("\"{name}\" is not <behavior>.<command>"));
                continue;
            };
            if self.failed.contains(behavior) {
                continue;
            }
            let Some(binding) = bindings.iter().find(|binding| binding.name == behavior) else {
                let hint = did_you_mean(behavior, bindings.iter().map(|binding| binding.name.as_str()));
                self.report(&key, format!("behavior \"{behavior}\" is not defined{hint}"));
                continue;
            };
            let declared = &binding.declaration.commands;
            let Some(found) = declared.iter().find(|declared| declared.name == command) else {
                let hint = did_you_mean(command, declared.iter().map(|declared| declared.name.as_str()));
                let label = binding.declaration.label();
                self.report(&key, format!("{label} declares no command \"{command}\"{hint}"));
                continue;
            };
            match unit::convert(&found.unit, &target.unit) {
                Ok(conversion) => {
                    let (behavior, command) = (behavior.to_owned(), command.to_owned());
                    commands.push(TargetCommand { behavior, command, conversion });
                }
                Err(reason) => self.report(&key, format!("command \"{name}\": {reason}")),
            }
        }
        commands
    }
}
