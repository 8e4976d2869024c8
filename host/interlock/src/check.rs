//! The check of a command against the rules of its target, in this fixed order; the first refusal wins:
//!
//! value, deadline, lockout, local, authority, owner, trips, alarms, inputs, confidence, range, step, slope, dwell,
//! rate, permissives, exclusion groups. Rules of one kind are taken in the order of the file. Doubt refuses: what is
//! unknown, not a number or contradicts itself never passes, and a trip that cannot be evaluated has tripped.

use std::time::Duration;

use geminus_core::{Authority, Quality};
use serde::Serialize;

use crate::condition::Condition;
use crate::config::{Enough, FailAction};
use crate::memory::{Latch, RATE_WINDOW};
use crate::{Book, By, Memory, Moment, Permit, Picture, Present, Reading, Wish};

/// Kind of a rule, in the order in which they are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The value is a number.
    Value,
    /// The wish still stands.
    Deadline,
    /// Nobody has locked the twin out.
    Lockout,
    /// The field has not taken over.
    Local,
    /// Who wishes may.
    Authority,
    /// The target belongs to who wishes, or to nobody.
    Owner,
    /// No trip is active or latched.
    Trip,
    /// No alarm blocks.
    Alarm,
    /// Inputs are known well enough.
    Input,
    /// The behavior is sure enough.
    Confidence,
    /// The value lies in the range.
    Range,
    /// The difference to the present value is small enough.
    Step,
    /// The change is slow enough.
    Slope,
    /// The last command is long enough ago.
    Dwell,
    /// There were few enough commands.
    Rate,
    /// A condition holds.
    Permissive,
    /// No other target of a group is active.
    Exclusion,
}

/// The first rule that refused, with its inputs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{target}: \"{rule}\" refuses: {seen}; allowed is {allowed}")]
pub struct Refused {
    /// Name of the target.
    pub target: String,
    /// Name of the rule: its own, or that of its kind.
    pub rule: String,
    /// Kind of the rule.
    pub kind: Kind,
    /// What was seen.
    pub seen: String,
    /// What would be allowed.
    pub allowed: String,
}

/// What becomes of a wish.
#[derive(Debug)]
pub enum Decision {
    /// It may be written once, until the permit expires.
    Permitted {
        /// Leave to write.
        permit: Permit,
        /// Names of rules that would have refused, had nobody bypassed them.
        bypassed: Vec<String>,
    },
    /// It may not be written.
    Refused(Refused),
}

/// What a look at the trips brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watched {
    /// Trips that were not active at the look before, with what is seen.
    pub tripped: Vec<(String, String)>,
    /// Trips that are over now and not latched.
    pub cleared: Vec<String>,
    /// Whether the target went from no active trip to one: its fail action is due, once.
    pub fail_due: bool,
}

type Pass = Result<(), Box<Refused>>;

impl Book {
    /// Checks one wish. A permit is noted in the memory, trips too; the same arguments give the same decision.
    #[must_use]
    pub fn check(
        &self,
        wish: &Wish<'_>,
        picture: &Picture<'_>,
        memory: &mut Memory,
        now: Moment,
    ) -> Decision {
        self.watch(picture, memory, now);
        let mut bypassed = Vec::new();
        if let Err(refused) = self.gates(wish, picture, memory, now, &mut bypassed) {
            return Decision::Refused(*refused);
        }
        memory.permitted(wish.value, self.config.rate_per_min, now);
        let permit = Permit::of(picture.twin, picture.generation, &self.target, wish.value, wish.not_after);
        Decision::Permitted { permit, bypassed }
    }

    /// Looks at the trips without any wish, and latches those that latch. A latched trip is active until it is reset.
    pub fn watch(&self, picture: &Picture<'_>, memory: &mut Memory, now: Moment) -> Watched {
        memory.settle(now);
        let readings = self.readings(picture);
        let before = !memory.tripped.is_empty() || !memory.latched.is_empty();
        let mut watched = Watched::default();
        for (trip, condition) in &self.trips {
            let active = condition.holds(readings) != Some(false);
            let known = memory.tripped.iter().position(|name| *name == trip.name);
            let latched = memory.latched.iter().any(|latch| latch.rule == trip.name);
            match (active, known) {
                (true, None) => {
                    memory.tripped.push(trip.name.clone());
                    if !latched {
                        watched.tripped.push((trip.name.clone(), self.seen(condition, picture)));
                    }
                }
                (false, Some(place)) => {
                    memory.tripped.remove(place);
                    if !latched {
                        watched.cleared.push(trip.name.clone());
                    }
                }
                _ => {}
            }
            if active && trip.latch && !latched {
                let (rule, seen) = (trip.name.clone(), self.seen(condition, picture));
                memory.latched.push(Latch { rule, at: now.wall, seen });
            }
        }
        // A trip that is no longer in the file is over, unless it is latched.
        memory.tripped.retain(|name| self.trips.iter().any(|(trip, _)| trip.name == *name));
        watched.fail_due = !before && (!memory.tripped.is_empty() || !memory.latched.is_empty());
        watched
    }

    /// Leave to write the safe value while a trip is active, for `life`. `None` when no trip is active, the fail
    /// action is another one, or the twin is locked out, under local control or not under this host's control.
    #[must_use]
    pub fn fail_permit(
        &self,
        picture: &Picture<'_>,
        memory: &Memory,
        life: Duration,
        now: Moment,
    ) -> Option<Permit> {
        let active = !memory.tripped.is_empty() || !memory.latched.is_empty();
        let ours = picture.authority == Authority::Control && !picture.lockout && !picture.local;
        let value = self.fail.value.filter(|_| self.fail.action == FailAction::SafeValue)?;
        (active && ours)
            .then(|| Permit::of(picture.twin, picture.generation, &self.target, value, now.wall.plus(life)))
    }

    /// Whether a trip has the host write a safe value.
    #[must_use]
    pub fn has_safe_value(&self) -> bool {
        self.fail.action == FailAction::SafeValue && self.fail.value.is_some()
    }

    /// Notes that the safe value was sent: it is what comes next that is measured from it.
    pub fn note_fail(&self, memory: &mut Memory, permit: &Permit, now: Moment) {
        memory.settle(now);
        memory.permitted(permit.value(), self.config.rate_per_min, now);
    }

    /// Whether the target is given back to the field now: a trip is active, and that is its fail action.
    #[must_use]
    pub fn releases(&self, memory: &Memory) -> bool {
        let active = !memory.tripped.is_empty() || !memory.latched.is_empty();
        active && self.fail.action == FailAction::Release
    }

    /// Readings as the rules see them: a picture of another book is none.
    pub(crate) fn readings<'p>(&self, picture: &Picture<'p>) -> &'p [Reading] {
        if picture.readings.len() == self.points.len() { picture.readings } else { &[] }
    }

    /// What a condition reads now.
    pub(crate) fn seen(&self, condition: &Condition, picture: &Picture<'_>) -> String {
        let readings = self.readings(picture);
        let one = |place: &usize| {
            let name = self.points.get(*place).map_or("", String::as_str);
            match readings.get(*place) {
                None => format!("{name} is unknown"),
                Some(reading) if reading.usable().is_none() => {
                    format!("{name} = {} is {}", reading.value, reading.quality.name())
                }
                Some(reading) => format!("{name} = {}", reading.value),
            }
        };
        condition.reads.iter().map(one).collect::<Vec<_>>().join(", ")
    }

    fn refuse(&self, kind: Kind, rule: &str, seen: impl Into<String>, allowed: impl Into<String>) -> Pass {
        let (target, rule) = (self.target.clone(), rule.to_owned());
        Err(Box::new(Refused { target, rule, kind, seen: seen.into(), allowed: allowed.into() }))
    }

    fn gates(
        &self,
        wish: &Wish<'_>,
        picture: &Picture<'_>,
        memory: &Memory,
        now: Moment,
        bypassed: &mut Vec<String>,
    ) -> Pass {
        self.wish(wish, now)?;
        self.reach(wish, picture)?;
        self.trips(picture, memory)?;
        self.alarms(picture)?;
        self.inputs(picture)?;
        self.confidence(wish)?;
        if !self.config.range.holds(wish.value) {
            return self.refuse(Kind::Range, "range", wish.value.to_string(), self.config.range.to_string());
        }
        self.step(wish, picture, memory)?;
        self.slope(wish, picture, memory, now)?;
        self.pace(memory, now)?;
        self.permissives(picture, memory, now, bypassed)?;
        self.exclusions(picture)
    }

    fn wish(&self, wish: &Wish<'_>, now: Moment) -> Pass {
        if !wish.value.is_finite() {
            return self.refuse(Kind::Value, "value", wish.value.to_string(), "a number");
        }
        if now.wall < wish.not_after {
            return Ok(());
        }
        let late = now.wall.since(wish.not_after).as_millis();
        self.refuse(Kind::Deadline, "deadline", format!("it expired {late} ms ago"), "a command in time")
    }

    fn reach(&self, wish: &Wish<'_>, picture: &Picture<'_>) -> Pass {
        if picture.lockout {
            return self.refuse(Kind::Lockout, "lockout", "the twin is locked out", "nothing");
        }
        if picture.local {
            return self.refuse(Kind::Local, "local", "the twin is under local control", "nothing from here");
        }
        match (picture.authority, wish.by) {
            (Authority::Control, _) | (Authority::Advise, By::Person) => {}
            (Authority::Advise, By::Behavior) => {
                let seen = "a behavior wishes and the twin is at advise";
                return self.refuse(Kind::Authority, "authority", seen, "a person's command");
            }
            (Authority::Observe, _) => {
                return self.refuse(Kind::Authority, "authority", "the twin is only observed", "nothing");
            }
        }
        match picture.owner {
            Some(owner) if owner != wish.proposer => {
                let seen = format!("{} wishes", wish.proposer);
                self.refuse(Kind::Owner, "owner", seen, format!("the owner, {owner}"))
            }
            _ => Ok(()),
        }
    }

    fn trips(&self, picture: &Picture<'_>, memory: &Memory) -> Pass {
        for (trip, condition) in &self.trips {
            if memory.tripped.contains(&trip.name) {
                let allowed = format!("only while not {}", condition.text);
                return self.refuse(Kind::Trip, &trip.name, self.seen(condition, picture), allowed);
            }
            if let Some(latch) = memory.latched.iter().find(|latch| latch.rule == trip.name) {
                let seen = format!("latched since {}", latch.seen);
                return self.refuse(Kind::Trip, &trip.name, seen, "after a reset");
            }
        }
        match memory.latched.first() {
            None => Ok(()),
            Some(latch) => {
                let seen = format!("latched since {}, and no longer in the rules", latch.seen);
                self.refuse(Kind::Trip, &latch.rule, seen, "after a reset")
            }
        }
    }

    fn alarms(&self, picture: &Picture<'_>) -> Pass {
        if self.config.alarms_block.is_empty() {
            return Ok(());
        }
        let Some(alarms) = picture.alarms else {
            return self.refuse(Kind::Alarm, "alarms_block", "alarms are not known", "no blocking alarm");
        };
        let blocks = |priority| self.config.alarms_block.contains(&priority);
        match alarms.iter().find(|alarm| !alarm.suppressed && blocks(alarm.priority)) {
            None => Ok(()),
            Some(alarm) => {
                let seen = format!("alarm {} is active", alarm.name);
                self.refuse(Kind::Alarm, "alarms_block", seen, "no blocking alarm")
            }
        }
    }

    fn inputs(&self, picture: &Picture<'_>) -> Pass {
        let Some(rule) = &self.config.inputs else { return Ok(()) };
        let worst = match rule.quality {
            Enough::Good => Quality::Good,
            Enough::Uncertain => Quality::Uncertain,
        };
        let readings = self.readings(picture);
        for (name, place) in rule.points.iter().zip(&self.inputs) {
            let reading = readings.get(*place).copied().unwrap_or(Reading::MISSING);
            let age = reading.age.map(|age| age.as_secs_f64());
            let known = reading.quality <= worst && reading.value.is_finite();
            if known && age.is_some_and(|age| age <= rule.age_max_s) {
                continue;
            }
            let age = age.map_or_else(|| "of unknown age".to_owned(), |age| format!("{age} s old"));
            let seen = format!("{name} = {} is {} and {age}", reading.value, reading.quality.name());
            let allowed = format!("{} or better, at most {} s old", worst.name(), rule.age_max_s);
            return self.refuse(Kind::Input, "inputs", seen, allowed);
        }
        Ok(())
    }

    /// What the rule on inputs would refuse with now.
    pub(crate) fn inputs_now(&self, picture: &Picture<'_>) -> Option<String> {
        self.inputs(picture).err().map(|refused| refused.seen)
    }

    fn confidence(&self, wish: &Wish<'_>) -> Pass {
        let Some(least) = self.config.confidence_min.filter(|_| wish.by == By::Behavior) else {
            return Ok(());
        };
        if (least..=1.0).contains(&wish.confidence) {
            return Ok(());
        }
        let seen = wish.confidence.to_string();
        self.refuse(Kind::Confidence, "confidence", seen, format!("{least} … 1"))
    }

    fn step(&self, wish: &Wish<'_>, picture: &Picture<'_>, memory: &Memory) -> Pass {
        let Some(step_max) = self.config.step_max else { return Ok(()) };
        let from = match picture.present {
            Present::Value(value) => Some(value),
            Present::NoFeedback => memory.last,
            Present::Unknown => None,
        };
        let Some(from) = from.filter(|value| value.is_finite()) else {
            let seen = "the present value is not known";
            return self.refuse(Kind::Step, "step", seen, format!("a step of at most {step_max}"));
        };
        let step = (wish.value - from).abs();
        if step <= step_max {
            return Ok(());
        }
        let seen = format!("a step of {step} from {from} to {}", wish.value);
        self.refuse(Kind::Step, "step", seen, format!("at most {step_max}"))
    }

    fn slope(&self, wish: &Wish<'_>, picture: &Picture<'_>, memory: &Memory, now: Moment) -> Pass {
        let Some(slope_max) = self.config.slope_max_per_s else { return Ok(()) };
        let present = match picture.present {
            Present::Value(value) => Some(value),
            Present::NoFeedback | Present::Unknown => None,
        };
        // The field may have moved, or never have got there: held against whatever is known of it.
        let known = [memory.last, present].into_iter().flatten().filter(|value| value.is_finite());
        let far = |from: &f64| (wish.value - from).abs();
        let Some(from) = known.max_by(|a, b| far(a).total_cmp(&far(b))) else {
            let seen = "neither a last nor the present value is known";
            return self.refuse(Kind::Slope, "slope", seen, format!("at most {slope_max} a second"));
        };
        let seconds = now.monotonic.saturating_sub(memory.since).as_secs_f64();
        let (change, most) = (far(&from), slope_max * seconds);
        if change <= most {
            return Ok(());
        }
        let seen = format!("a change of {change} from {from} in {seconds} s");
        self.refuse(Kind::Slope, "slope", seen, format!("at most {slope_max} a second"))
    }

    fn pace(&self, memory: &Memory, now: Moment) -> Pass {
        let dwelt = now.monotonic.saturating_sub(memory.since).as_secs_f64();
        if memory.last.is_some() && dwelt < self.config.dwell_s {
            let seen = format!("the last command was {dwelt} s ago");
            return self.refuse(Kind::Dwell, "dwell", seen, format!("after {} s", self.config.dwell_s));
        }
        let Some(rate) = self.config.rate_per_min else { return Ok(()) };
        let recent = |time: &&Duration| now.monotonic.saturating_sub(**time) < RATE_WINDOW;
        let count = memory.times.iter().filter(recent).count();
        if count < rate as usize {
            return Ok(());
        }
        let seen = format!("{count} commands in the last minute");
        self.refuse(Kind::Rate, "rate", seen, format!("at most {rate} in a minute"))
    }

    fn permissives(
        &self,
        picture: &Picture<'_>,
        memory: &Memory,
        now: Moment,
        bypassed: &mut Vec<String>,
    ) -> Pass {
        for (rule, condition) in &self.permissives {
            if condition.holds(self.readings(picture)) == Some(true) {
                continue;
            }
            if rule.bypass.is_none() || !memory.bypasses(now).any(|bypass| bypass.rule == rule.name) {
                let seen = self.seen(condition, picture);
                return self.refuse(Kind::Permissive, &rule.name, seen, condition.text.clone());
            }
            bypassed.push(rule.name.clone());
        }
        Ok(())
    }

    fn exclusions(&self, picture: &Picture<'_>) -> Pass {
        for group in &self.config.excludes {
            let Some(active) = picture.active else {
                return self.refuse(Kind::Exclusion, group, "other targets are not known", "no other one");
            };
            let other = active.iter().find(|(of, name)| of == group && *name != self.target);
            if let Some((_, name)) = other {
                return self.refuse(Kind::Exclusion, group, format!("{name} is active"), "one at a time");
            }
        }
        Ok(())
    }
}
