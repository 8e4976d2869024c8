//! Which rules guard a target, and what each reads now: for people, in the order in which they are checked.

use serde::Serialize;

use crate::check::Kind;
use crate::config::FailAction;
use crate::{Book, Memory, Moment, Picture, Present};

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Kind of the rule.
    pub kind: Kind,
    /// Its name.
    pub rule: String,
    /// What it allows.
    pub allowed: String,
    /// What it reads now; empty where that depends on the command alone.
    pub reads: String,
    /// Whether it would refuse every command now; `None` when that depends on the command.
    pub refuses: Option<bool>,
    /// Who has bypassed it, if somebody has.
    pub bypassed_by: Option<String>,
}

impl Book {
    /// The rules of the target and what each reads now.
    #[must_use]
    pub fn explain(&self, memory: &Memory, picture: &Picture<'_>, now: Moment) -> Vec<Line> {
        // On a copy: asking changes nothing.
        let mut memory = memory.clone();
        self.watch(picture, &mut memory, now);
        let mut lines = self.trip_lines(&memory, picture);
        lines.extend(self.number_lines(&memory, picture, now));
        for (rule, condition) in &self.permissives {
            let by = memory.bypasses(now).find(|bypass| bypass.rule == rule.name);
            let held = condition.holds(self.readings(picture)) == Some(true);
            let (allowed, reads) = (condition.text.clone(), self.seen(condition, picture));
            let mut line = line(Kind::Permissive, &rule.name, allowed, reads, Some(!held && by.is_none()));
            line.bypassed_by = by.map(|bypass| format!("{} ({})", bypass.by, bypass.reason));
            lines.push(line);
        }
        for group in &self.config.excludes {
            let others = picture.active.map(|active| {
                let others = active.iter().filter(|(of, name)| of == group && *name != self.target);
                others.map(|(_, name)| *name).collect::<Vec<_>>().join(", ")
            });
            let refuses = others.as_ref().is_none_or(|others| !others.is_empty());
            let reads = match others {
                None => "not known".to_owned(),
                Some(others) if others.is_empty() => "no other is active".to_owned(),
                Some(others) => format!("active: {others}"),
            };
            lines.push(line(Kind::Exclusion, group, "one at a time".to_owned(), reads, Some(refuses)));
        }
        lines
    }

    fn trip_lines(&self, memory: &Memory, picture: &Picture<'_>) -> Vec<Line> {
        let of_book = self.trips.iter().map(|(trip, condition)| {
            let latch = memory.latched.iter().find(|latch| latch.rule == trip.name);
            let mut reads = self.seen(condition, picture);
            if let Some(latch) = latch {
                reads = format!("{reads}; latched since {}", latch.seen);
            }
            let refuses = latch.is_some() || memory.tripped.contains(&trip.name);
            line(Kind::Trip, &trip.name, format!("not {}", condition.text), reads, Some(refuses))
        });
        let orphans =
            memory.latched.iter().filter(|latch| self.trips.iter().all(|(t, _)| t.name != latch.rule));
        let orphans = orphans.map(|latch| {
            let reads = format!("latched since {}, and no longer in the rules", latch.seen);
            line(Kind::Trip, &latch.rule, "after a reset".to_owned(), reads, Some(true))
        });
        of_book.chain(orphans).collect()
    }

    fn number_lines(&self, memory: &Memory, picture: &Picture<'_>, now: Moment) -> Vec<Line> {
        let config = &self.config;
        let mut lines = Vec::new();
        if !config.alarms_block.is_empty() {
            let priorities = config.alarms_block.iter().map(|one| format!("{one:?}").to_lowercase());
            let allowed = format!("no alarm of {}", priorities.collect::<Vec<_>>().join(", "));
            let active = picture.alarms.map(|alarms| {
                alarms
                    .iter()
                    .filter(|alarm| !alarm.suppressed && config.alarms_block.contains(&alarm.priority))
                    .map(|alarm| alarm.name)
                    .collect::<Vec<_>>()
                    .join(", ")
            });
            let refuses = active.as_ref().is_none_or(|active| !active.is_empty());
            let reads = active.unwrap_or_else(|| "not known".to_owned());
            lines.push(line(Kind::Alarm, "alarms_block", allowed, reads, Some(refuses)));
        }
        if let Some(inputs) = &config.inputs {
            let refused = self.inputs_now(picture);
            let allowed = format!("{} at most {} s old", inputs.points.join(", "), inputs.age_max_s);
            let refuses = Some(refused.is_some());
            lines.push(line(Kind::Input, "inputs", allowed, refused.unwrap_or_default(), refuses));
        }
        let present = match picture.present {
            Present::Value(value) => format!("now {value}"),
            Present::Unknown => "the present value is not known".to_owned(),
            Present::NoFeedback => memory.last.map_or_else(String::new, |last| format!("last {last}")),
        };
        let mut number = |kind, rule, allowed, reads: &str, refuses| {
            lines.push(line(kind, rule, allowed, reads.to_owned(), refuses));
        };
        if let Some(least) = config.confidence_min {
            number(Kind::Confidence, "confidence", format!("{least} … 1"), "", None);
        }
        number(Kind::Range, "range", config.range.to_string(), &present, None);
        if let Some(step) = config.step_max {
            number(Kind::Step, "step", format!("at most {step}"), &present, None);
        }
        let seconds = now.monotonic.saturating_sub(memory.since).as_secs_f64();
        let since = format!("{seconds} s since the last command or the start");
        if let Some(slope) = config.slope_max_per_s {
            number(Kind::Slope, "slope", format!("at most {slope} a second"), &since, None);
        }
        if config.dwell_s > 0.0 {
            let refuses = memory.last.is_some() && seconds < config.dwell_s;
            number(Kind::Dwell, "dwell", format!("after {} s", config.dwell_s), &since, Some(refuses));
        }
        if let Some(rate) = config.rate_per_min {
            let count = memory.times.len();
            let reads = format!("{count} in the last minute");
            let refuses = Some(count >= rate as usize);
            number(Kind::Rate, "rate", format!("at most {rate} in a minute"), &reads, refuses);
        }
        lines
    }

    /// What is done when a trip becomes active, in words.
    #[must_use]
    pub fn fail_action(&self) -> String {
        match (self.fail.action, self.fail.value) {
            (FailAction::SafeValue, Some(value)) => format!("writes the safe value {value}"),
            (FailAction::Release, _) => "gives the target back to the field".to_owned(),
            (FailAction::Hold | FailAction::SafeValue, _) => "holds the last value".to_owned(),
        }
    }
}

fn line(kind: Kind, rule: &str, allowed: String, reads: String, refuses: Option<bool>) -> Line {
    Line { kind, rule: rule.to_owned(), allowed, reads, refuses, bypassed_by: None }
}
