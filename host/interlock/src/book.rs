//! The compiled rules of one target. Made once, at load; what is wrong with a rule is found here, by its name and
//! place, and not when a command comes.

use std::collections::BTreeSet;

use crate::condition::{Condition, Misfit};
use crate::config::{Config, Fail, FailAction, Permissive, Trip};

/// Most permissives, most trips and most inputs of a target.
pub(crate) const RULES_MAX: usize = 64;
/// Most exclusion groups of a target.
pub(crate) const GROUPS_MAX: usize = 16;
/// Longest interval of a rule in seconds.
const SECONDS_MAX: f64 = 86_400.0;

/// What is wrong with a rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("interlock rule \"{rule}\" of target \"{target}\", {at}{}: {message}", character(*column))]
pub struct BookError {
    /// Name of the target.
    pub target: String,
    /// Name of the rule.
    pub rule: String,
    /// Key below `interlock`, as in `trip[0].when`.
    pub at: String,
    /// Character of a condition, from 1; `None` when the whole is meant.
    pub column: Option<usize>,
    /// What is wrong and what to write instead.
    pub message: String,
}

fn character(column: Option<usize>) -> String {
    column.map_or_else(String::new, |column| format!(" character {column}"))
}

/// The rules of one target, ready to check commands.
#[derive(Clone, Debug)]
pub struct Book {
    pub(crate) target: String,
    pub(crate) points: Vec<String>,
    pub(crate) config: Config,
    pub(crate) fail: Fail,
    /// Places of the points of `config.inputs`.
    pub(crate) inputs: Vec<usize>,
    pub(crate) permissives: Vec<(Permissive, Condition)>,
    pub(crate) trips: Vec<(Trip, Condition)>,
}

impl Book {
    /// Compiles the rules of a target. `known` says whether the twins of the target have a point; `feedback` whether
    /// the target has a feedback point.
    ///
    /// # Errors
    /// Every mistake, in the order of the rules.
    pub fn compile(
        target: &str,
        config: &Config,
        fail: &Fail,
        feedback: bool,
        known: &dyn Fn(&str) -> bool,
    ) -> Result<Self, Vec<BookError>> {
        let mut binder = Binder { target, known, points: Vec::new(), errors: Vec::new() };
        binder.numbers(config, feedback);
        binder.fail(config, fail);
        binder.names(config);
        let inputs = binder.inputs(config);
        let mut permissives = Vec::new();
        for (index, rule) in config.permissive.iter().enumerate() {
            let at = format!("permissive[{index}]");
            if rule.bypass.is_some_and(|bypass| !(1..=86_400).contains(&bypass.max_s)) {
                binder.error(&rule.name, &format!("{at}.bypass.max_s"), "must be 1 … 86400 seconds");
            }
            let condition = binder.condition(&rule.name, &at, &rule.when);
            permissives.extend(condition.map(|condition| (rule.clone(), condition)));
        }
        let mut trips = Vec::new();
        for (index, rule) in config.trip.iter().enumerate() {
            let condition = binder.condition(&rule.name, &format!("trip[{index}]"), &rule.when);
            trips.extend(condition.map(|condition| (rule.clone(), condition)));
        }
        let Binder { points, errors, .. } = binder;
        if !errors.is_empty() {
            return Err(errors);
        }
        let (target, config, fail) = (target.to_owned(), config.clone(), *fail);
        Ok(Self { target, points, config, fail, inputs, permissives, trips })
    }

    /// Name of the target.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Points that a picture must have readings of, in this order.
    #[must_use]
    pub fn points(&self) -> &[String] {
        &self.points
    }

    /// Groups of targets of which at most one may be active.
    #[must_use]
    pub fn groups(&self) -> &[String] {
        &self.config.excludes
    }
}

struct Binder<'a> {
    target: &'a str,
    known: &'a dyn Fn(&str) -> bool,
    points: Vec<String>,
    errors: Vec<BookError>,
}

impl Binder<'_> {
    fn error(&mut self, rule: &str, at: &str, message: impl Into<String>) {
        self.misfit(rule, at, Misfit { column: None, message: message.into() });
    }

    fn misfit(&mut self, rule: &str, at: &str, Misfit { column, message }: Misfit) {
        let (target, rule, at) = (self.target.to_owned(), rule.to_owned(), at.to_owned());
        self.errors.push(BookError { target, rule, at, column, message });
    }

    fn numbers(&mut self, config: &Config, feedback: bool) {
        let (min, max) = (config.range.min, config.range.max);
        if !(min.is_finite() && max.is_finite() && min < max) {
            self.error("range", "range", format!("min {min} must be less than max {max}"));
        }
        for (name, limit) in [("step_max", config.step_max), ("slope_max_per_s", config.slope_max_per_s)] {
            let Some(limit) = limit else { continue };
            if !(limit.is_finite() && limit > 0.0) {
                self.error(name, name, format!("{limit} must be more than 0"));
            }
            if !feedback {
                let message =
                    "needs the target's feedback point: without it nothing is known before the first command";
                self.error(name, name, message);
            }
        }
        if !(0.0..=SECONDS_MAX).contains(&config.dwell_s) {
            self.error("dwell", "dwell_s", format!("{} must be 0 … {SECONDS_MAX} seconds", config.dwell_s));
        }
        if config.rate_per_min.is_some_and(|rate| !(1..=600).contains(&rate)) {
            self.error("rate", "rate_per_min", "must be 1 … 600");
        }
        if config.confidence_min.is_some_and(|least| !(0.0..=1.0).contains(&least)) {
            self.error("confidence", "confidence_min", "must be 0 … 1");
        }
    }

    fn fail(&mut self, config: &Config, fail: &Fail) {
        match (fail.action, fail.value) {
            (FailAction::SafeValue, None) => self.error("fail", "fail", "safe-value needs a value"),
            (FailAction::SafeValue, Some(value)) if !config.range.holds(value) => {
                let message = format!("value {value} is outside {}", config.range);
                self.error("fail", "fail", message);
            }
            (FailAction::Hold | FailAction::Release, Some(_)) => {
                self.error("fail", "fail", "value is used with safe-value only");
            }
            _ => {}
        }
    }

    /// Rules are named in the journal, and bypasses and resets name them.
    fn names(&mut self, config: &Config) {
        for (key, count, most) in [
            ("permissive", config.permissive.len(), RULES_MAX),
            ("trip", config.trip.len(), RULES_MAX),
            ("excludes", config.excludes.len(), GROUPS_MAX),
        ] {
            if count > most {
                self.error(key, key, format!("{count} are more than {most}"));
            }
        }
        let permissives = config.permissive.iter().map(|rule| ("permissive", &rule.name));
        let trips = config.trip.iter().map(|rule| ("trip", &rule.name));
        let groups = config.excludes.iter().map(|group| ("excludes", group));
        let mut seen = BTreeSet::new();
        for (key, name) in permissives.chain(trips).chain(groups) {
            if !(1..=64).contains(&name.chars().count()) {
                self.error(name, key, "a name has 1 … 64 characters");
            }
            if !seen.insert(name) {
                self.error(name, key, "the name is used twice");
            }
        }
    }

    fn inputs(&mut self, config: &Config) -> Vec<usize> {
        let Some(inputs) = &config.inputs else { return Vec::new() };
        if !(1..=RULES_MAX).contains(&inputs.points.len()) {
            self.error("inputs", "inputs.points", format!("name 1 … {RULES_MAX} points"));
        }
        if !(inputs.age_max_s > 0.0 && inputs.age_max_s <= SECONDS_MAX) {
            let message = format!("{} must be more than 0, at most {SECONDS_MAX}", inputs.age_max_s);
            self.error("inputs", "inputs.age_max_s", message);
        }
        let mut places = Vec::new();
        for name in &inputs.points {
            match place(&mut self.points, self.known, name) {
                Some(place) => places.push(place),
                None => self.error("inputs", "inputs.points", format!("the twin has no point \"{name}\"")),
            }
        }
        places
    }

    fn condition(&mut self, rule: &str, at: &str, when: &str) -> Option<Condition> {
        let (points, known) = (&mut self.points, self.known);
        Condition::compile(when, &mut |name| place(points, known, name))
            .map_err(|misfit| self.misfit(rule, &format!("{at}.when"), misfit))
            .ok()
    }
}

fn place(points: &mut Vec<String>, known: &dyn Fn(&str) -> bool, name: &str) -> Option<usize> {
    if let Some(place) = points.iter().position(|point| point == name) {
        return Some(place);
    }
    known(name).then(|| {
        points.push(name.to_owned());
        points.len() - 1
    })
}
