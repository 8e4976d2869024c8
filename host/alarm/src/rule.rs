//! `[[alarm]]` and `[alarms]` of `site.toml`: the text above a field is what users read.

use geminus_core::declaration::Priority;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An alarm over a point, or what differs for an alert of a behavior.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AlarmRule {
    /// Name of an alarm over a point, unique per twin: a-z, 0-9, `-` and `_`. Not for an alert, which has its own.
    #[serde(default)]
    pub name: Option<String>,
    /// Which twins, as a glob or range: `pump-*`, `pump-{001..100}`.
    #[serde(default = "any")]
    pub twins: String,
    /// The point that is looked at, or `<behavior>.<output>`. Either this or `alert`.
    #[serde(default)]
    pub point: Option<String>,
    /// An alert of a behavior, `<behavior>.<code>`, for which what follows differs: priority, delays, deadband, latch,
    /// group, suppression and words. Every alert is an alarm without it, too.
    #[serde(default)]
    pub alert: Option<String>,
    /// What is looked for in the point.
    #[serde(default)]
    pub condition: Option<Kind>,
    /// `high`: above it; `low`: below it; `deviation`: further away from the reference. In the unit of the point.
    #[serde(default)]
    pub limit: Option<f64>,
    /// Deviation from this value.
    #[serde(default)]
    pub reference: Option<f64>,
    /// Deviation from the newest value of this point of the same twin, which has the same unit.
    #[serde(default)]
    pub reference_point: Option<String>,
    /// How far on the good side of the limit the value must be before the alarm returns to normal; 0 or more. For an
    /// alert: how far `output` must be from every value at which the alert stood.
    #[serde(default)]
    pub deadband: f64,
    /// Output of the same behavior that the deadband of an alert is about.
    #[serde(default)]
    pub output: Option<String>,
    /// Seconds for which the condition must hold before the alarm is told, by the clock of the host; 0 … 86400.
    #[serde(default)]
    pub on_delay_s: f64,
    /// Seconds for which it must be over before the alarm returns to normal; 0 … 86400.
    #[serde(default)]
    pub off_delay_s: f64,
    /// `low`, `medium`, `high`, `critical`; `journal`: kept in the journal, no alarm. Default: `medium`, and for an
    /// alert what its plugin declares.
    #[serde(default)]
    pub priority: Option<Priority>,
    /// Whether it stays until a person has acknowledged and reset it.
    #[serde(default)]
    pub latch: bool,
    /// Alarms of a twin in one group belong together: the first of them that is told is marked as first-out.
    #[serde(default)]
    pub group: Option<String>,
    /// While this holds the alarm means nothing and is suppressed by design.
    #[serde(default)]
    pub suppress_when: Option<Comparison>,
    /// What has happened, as an operator reads it. Default: the condition in words, or the alert's own text.
    #[serde(default)]
    pub message: String,
    /// What happens when nobody does anything.
    #[serde(default)]
    pub consequence: String,
    /// What to do.
    #[serde(default)]
    pub response: String,
}

fn any() -> String {
    "*".to_owned()
}

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A value above the limit.
    High,
    /// A value below the limit.
    Low,
    /// A value further from the reference than the limit.
    Deviation,
    /// A value that is bad, stale or no number.
    BadQuality,
}

/// Another alarm of the same twin, or a point compared with a number.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Comparison {
    /// While the condition of this alarm holds; an alert is named `<behavior>.<code>`.
    #[serde(default)]
    pub alarm: Option<String>,
    /// While this point …
    #[serde(default)]
    pub point: Option<String>,
    /// … is above this value,
    #[serde(default)]
    pub above: Option<f64>,
    /// … or below this one.
    #[serde(default)]
    pub below: Option<f64>,
}

/// What holds for all alarms of the site.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// An alarm chatters when it is told so often within `chatter_s`; 2 … 100. EEMUA 191 and ISA-18.2: 3 in a minute.
    pub chatter_count: u32,
    /// Seconds for that; 1 … 3600.
    pub chatter_s: u32,
    /// A flood begins when more alarms than this are told in ten minutes to an operator station; 1 … 1000.
    pub flood_above: u32,
    /// It is over when fewer than this are; 1 … 1000, not more than `flood_above`.
    pub flood_over_below: u32,
    /// Hours after which an alarm that still stands is counted as stale; 1 … 8760.
    pub stale_after_h: u32,
    /// Longest time on the shelf in minutes; 1 … 10080.
    pub shelve_max_min: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            chatter_count: 3,
            chatter_s: 60,
            flood_above: 10,
            flood_over_below: 5,
            stale_after_h: 24,
            shelve_max_min: 480,
        }
    }
}

impl AlarmRule {
    /// What is wrong with it by itself: the field, and what to change.
    #[must_use]
    pub fn mistakes(&self) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        let mut wrong = |field, message: String| found.push((field, message));
        match (&self.point, &self.alert) {
            (Some(_), None) => self.point_mistakes(&mut wrong),
            (None, Some(_)) => self.alert_mistakes(&mut wrong),
            _ => wrong("point", "[[alarm]] needs exactly one of point and alert".to_owned()),
        }
        for (field, value, most) in [
            ("deadband", self.deadband, f64::MAX),
            ("on_delay_s", self.on_delay_s, 86_400.0),
            ("off_delay_s", self.off_delay_s, 86_400.0),
        ] {
            if !(0.0..=most).contains(&value) {
                let range = if most < f64::MAX { format!("0 … {most}") } else { "0 or more".to_owned() };
                wrong(field, format!("{field} = {value} is not {range}"));
            }
        }
        if let Some(suppression) = &self.suppress_when {
            let numbers = [suppression.above, suppression.below];
            let compares = numbers.iter().flatten().count();
            let fits = match (&suppression.alarm, &suppression.point) {
                (Some(_), None) => compares == 0,
                (None, Some(_)) => compares == 1,
                _ => false,
            };
            if !fits || numbers.iter().flatten().any(|number| !number.is_finite()) {
                let message = "suppress_when needs either alarm, or point with one of above and below";
                wrong("suppress_when", message.to_owned());
            }
        }
        for (field, text) in
            [("message", &self.message), ("consequence", &self.consequence), ("response", &self.response)]
        {
            if text.chars().count() > crate::REASON_CHARS_MAX {
                wrong(field, format!("{field} has more than {} characters", crate::REASON_CHARS_MAX));
            }
        }
        found
    }

    fn point_mistakes(&self, wrong: &mut impl FnMut(&'static str, String)) {
        let name = self.name.as_deref().unwrap_or_default();
        let letters = |letter: char| {
            letter.is_ascii_lowercase() || letter.is_ascii_digit() || matches!(letter, '-' | '_')
        };
        if name.is_empty() || name.len() > 64 || !name.chars().all(letters) {
            let message = format!("alarm name \"{name}\" must be 1 to 64 of a-z, 0-9, `-` and `_`");
            wrong("name", message);
        }
        if self.output.is_some() {
            wrong("output", "output is used with alert only".to_owned());
        }
        let Some(kind) = self.condition else {
            let message = "an alarm over a point needs a condition: high, low, deviation or bad-quality";
            return wrong("condition", message.to_owned());
        };
        if (kind == Kind::BadQuality) == self.limit.is_some() {
            let message = match kind {
                Kind::BadQuality => "bad-quality has no limit",
                _ => "this condition needs a limit",
            };
            wrong("limit", message.to_owned());
        }
        if self.limit.is_some_and(|limit| !limit.is_finite()) {
            wrong("limit", "limit is no number".to_owned());
        }
        let references = usize::from(self.reference.is_some()) + usize::from(self.reference_point.is_some());
        if references != usize::from(kind == Kind::Deviation)
            || self.reference.is_some_and(|reference| !reference.is_finite())
        {
            let message = "a deviation, and nothing else, needs one of reference and reference_point";
            wrong("reference", message.to_owned());
        }
        if kind == Kind::BadQuality && self.deadband != 0.0 {
            wrong("deadband", "bad-quality has no deadband".to_owned());
        }
    }

    fn alert_mistakes(&self, wrong: &mut impl FnMut(&'static str, String)) {
        let given = [
            ("name", self.name.is_some()),
            ("condition", self.condition.is_some()),
            ("limit", self.limit.is_some()),
            ("reference", self.reference.is_some()),
            ("reference_point", self.reference_point.is_some()),
        ];
        for (field, _) in given.into_iter().filter(|(_, given)| *given) {
            wrong(field, format!("{field} is used with point only: the behavior decides about its alert"));
        }
        if (self.deadband > 0.0) != self.output.is_some() {
            wrong(
                "output",
                "a deadband of an alert needs the output that it is about, and no other way".into(),
            );
        }
    }
}

impl Settings {
    /// What is out of range: the field, and what to change.
    #[must_use]
    pub fn mistakes(&self) -> Vec<(&'static str, String)> {
        let range = |field, value: u32, low: u32, high: u32| {
            let message = format!("{field} = {value} is outside {low} … {high}");
            (!(low..=high).contains(&value)).then_some((field, message))
        };
        let all = [
            range("chatter_count", self.chatter_count, 2, 100),
            range("chatter_s", self.chatter_s, 1, 3600),
            range("flood_above", self.flood_above, 1, 1000),
            range("flood_over_below", self.flood_over_below, 1, self.flood_above.min(1000)),
            range("stale_after_h", self.stale_after_h, 1, 8760),
            range("shelve_max_min", self.shelve_max_min, 1, 10_080),
        ];
        all.into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, fields: &[&str]) {
        let rule: AlarmRule = serde_json::from_str(text).expect("a rule");
        let found: Vec<_> = rule.mistakes().into_iter().map(|(field, _)| field).collect();
        assert_eq!(found, fields, "{text}");
    }

    /// The rules that the book shows.
    #[derive(Deserialize)]
    struct Shown {
        alarm: Vec<AlarmRule>,
    }

    #[test]
    fn the_rules_of_the_book_can_be_used() {
        let book = include_str!("../../../docs/book/alarms.md");
        let blocks: Vec<&str> = book
            .split("```toml\n")
            .skip(1)
            .filter_map(|rest| rest.split_once("```"))
            .map(|(text, _)| text)
            .collect();
        assert_eq!(blocks.len(), 2, "the book has other blocks than it had");
        for text in blocks {
            let shown: Shown = toml::from_str(text).expect("rules");
            for rule in shown.alarm {
                assert_eq!(rule.mistakes(), [], "{text}");
            }
        }
    }

    #[test]
    fn mistakes_are_found_by_field() {
        check(r#"{"name":"hot","point":"t","condition":"high","limit":5,"deadband":1}"#, &[]);
        check(r#"{"alert":"health.low","deadband":0.1,"output":"index","priority":"low"}"#, &[]);
        check(r#"{"name":"x"}"#, &["point"]);
        check(r#"{"name":"X","point":"t","condition":"high"}"#, &["name", "limit"]);
        check(r#"{"name":"x","point":"t"}"#, &["condition"]);
        check(r#"{"name":"x","point":"t","condition":"bad-quality","limit":1}"#, &["limit"]);
        check(r#"{"name":"x","point":"t","condition":"deviation","limit":1}"#, &["reference"]);
        check(r#"{"name":"x","point":"t","condition":"low","limit":1,"reference":2}"#, &["reference"]);
        check(r#"{"alert":"a.b","deadband":1}"#, &["output"]);
        check(r#"{"alert":"a.b","limit":1}"#, &["limit"]);
        check(r#"{"alert":"a.b","on_delay_s":-1,"off_delay_s":90000}"#, &["on_delay_s", "off_delay_s"]);
        check(r#"{"alert":"a.b","suppress_when":{"point":"p"}}"#, &["suppress_when"]);
        check(r#"{"alert":"a.b","suppress_when":{"alarm":"p","above":1}}"#, &["suppress_when"]);
        check(r#"{"alert":"a.b","suppress_when":{"point":"p","above":1}}"#, &[]);
        let bad = Settings { chatter_count: 1, flood_over_below: 11, ..Settings::default() };
        assert_eq!(bad.mistakes().len(), 2, "{:?}", bad.mistakes());
        assert!(Settings::default().mistakes().is_empty());
    }
}
