//! Values of a plan that make no sense, each named with its key and what to change.

use super::{Canary, Plan, Promote, Stages};
use crate::{Acceptance, Difference};

/// Longest limit of a phase: a year. Whoever wants longer has forgotten a rollout.
const SECONDS_MAX: u64 = 366 * 86_400;

/// What was found so far.
#[derive(Default)]
struct Findings(Vec<String>);

impl Findings {
    fn unless(&mut self, fine: bool, key: &str, text: impl std::fmt::Display) {
        if !fine {
            self.0.push(format!("{key}: {text}"));
        }
    }

    fn share(&mut self, value: f64, key: &str) {
        self.unless((0.0..=1.0).contains(&value), key, format_args!("{value} is not between 0 and 1"));
    }

    fn not_negative(&mut self, value: f64, key: &str) {
        let fine = value.is_finite() && value >= 0.0;
        self.unless(fine, key, format_args!("{value} is not a number from 0 upwards"));
    }

    fn limit(&mut self, seconds: u64, key: &str) {
        let fine = (1..=SECONDS_MAX).contains(&seconds);
        self.unless(fine, key, format_args!("{seconds} is not between 1 and {SECONDS_MAX} seconds"));
    }

    fn span(&mut self, seconds: u64, seconds_max: u64, key: &str) {
        self.limit(seconds_max, &format!("{key}.seconds_max"));
        let text = format_args!("{seconds} is longer than {key}.seconds_max, {seconds_max}");
        self.unless(seconds <= seconds_max, &format!("{key}.seconds"), text);
    }

    fn result(self) -> Result<(), Vec<String>> {
        if self.0.is_empty() { Ok(()) } else { Err(self.0) }
    }
}

pub(super) fn plan(plan: &Plan) -> Result<(), Vec<String>> {
    let mut found = Findings::default();
    found.unless(!plan.plugin.is_empty(), "plugin", "is empty, name the plugin");
    let hint = "is empty, give a version, a range or a digest";
    found.unless(!plan.version.is_empty(), "version", hint);
    let given = |text: &Option<String>| text.as_deref().is_none_or(|text| !text.is_empty());
    found.unless(given(&plan.behavior), "behavior", "is empty, leave it out or name one");
    found.unless(given(&plan.twins), "twins", "is empty, leave it out or give a pattern");
    if let Err(others) = stages(&plan.stages) {
        found.0.extend(others.into_iter().map(|text| format!("stages.{text}")));
    }
    found.result()
}

pub(super) fn stages(stages: &Stages) -> Result<(), Vec<String>> {
    let mut found = Findings::default();
    found.span(stages.shadow.seconds, stages.shadow.seconds_max, "shadow");
    canary(&stages.canary, &mut found);
    found.span(stages.probation.seconds, stages.probation.seconds_max, "probation");
    found.limit(stages.warm_up_seconds_max, "warm_up_seconds_max");
    found.limit(stages.verify_seconds_max, "verify_seconds_max");
    found.limit(stages.compile_seconds_max, "compile_seconds_max");
    found.limit(stages.raise_seconds_max, "raise_seconds_max");
    let waits = stages.shadow.wanted() || stages.canary.wanted();
    let manual = stages.promote == Promote::Manual;
    found.unless(!manual || waits, "promote", "manual needs a shadow or a canary to wait in");
    let step = stages.bumpless.step_share;
    let text = format_args!("{step} is not above 0 and at most 1");
    found.unless(step > 0.0 && step <= 1.0, "bumpless.step_share", text);
    acceptance(&stages.acceptance, &mut found);
    found.result()
}

fn canary(canary: &Canary, found: &mut Findings) {
    found.span(canary.seconds, canary.seconds_max, "canary");
    let ways = [canary.twins.is_some(), canary.count.is_some(), canary.share.is_some()]
        .iter()
        .filter(|given| **given)
        .count();
    found.unless(ways <= 1, "canary", "give one of twins, count and share, not several");
    let minima = canary.rows > 0 || canary.seconds > 0;
    found.unless(ways > 0 || !minima, "canary", "has a minimum but no twins: give twins, count or share");
    found.unless(ways == 0 || minima, "canary", "ends at once: give rows or seconds");
    if let Some(twins) = &canary.twins {
        found.unless(!twins.is_empty(), "canary.twins", "is empty, leave it out or name twins");
        let mut names: Vec<&String> = twins.iter().collect();
        names.sort();
        names.dedup();
        found.unless(names.len() == twins.len(), "canary.twins", "names a twin twice");
    }
    found.unless(canary.count != Some(0), "canary.count", "is 0, leave it out or give at least 1");
    if let Some(share) = canary.share {
        let text = format_args!("{share} is not above 0 and at most 1");
        found.unless(share > 0.0 && share <= 1.0, "canary.share", text);
    }
}

fn acceptance(acceptance: &Acceptance, found: &mut Findings) {
    for (output, difference) in &acceptance.difference {
        tolerance(*difference, &format!("acceptance.difference.{output}"), found);
    }
    found.share(acceptance.exceed_share_max, "acceptance.exceed_share_max");
    if let Some(sigma) = acceptance.innovation_mean_sigma_max {
        let text = format_args!("{sigma} is not a number above 0");
        found.unless(sigma.is_finite() && sigma > 0.0, "acceptance.innovation_mean_sigma_max", text);
    }
    if let Some(confidence) = acceptance.nis_confidence {
        let text = format_args!("{confidence} is not between 0 and 1, both excluded");
        found.unless(confidence > 0.0 && confidence < 1.0, "acceptance.nis_confidence", text);
    }
    found.unless(acceptance.nis_degrees != Some(0), "acceptance.nis_degrees", "is 0, give at least 1");
    found.not_negative(acceptance.alert_rate_ratio_max, "acceptance.alert_rate_ratio_max");
    found.not_negative(acceptance.alert_rate_extra_per_hour_max, "acceptance.alert_rate_extra_per_hour_max");
    if let Some(share) = acceptance.proposals_differ_share_max {
        found.share(share, "acceptance.proposals_differ_share_max");
    }
    found.share(acceptance.proposals_tolerance_share, "acceptance.proposals_tolerance_share");
    found.unless(acceptance.deadline_ms > 0, "acceptance.deadline_ms", "is 0, give at least 1");
    found.share(acceptance.deadline_misses_share_max, "acceptance.deadline_misses_share_max");
    let ratio = acceptance.fuel_per_row_ratio_max;
    let text = format_args!("{ratio} is not a number above 0");
    found.unless(ratio.is_finite() && ratio > 0.0, "acceptance.fuel_per_row_ratio_max", text);
    found.unless(acceptance.fuel_per_row_max != Some(0), "acceptance.fuel_per_row_max", "is 0, leave it out");
    found.share(acceptance.nan_share_extra_max, "acceptance.nan_share_extra_max");
    found.unless(acceptance.rows_min > 0, "acceptance.rows_min", "is 0, give at least 1");
}

fn tolerance(difference: Difference, key: &str, found: &mut Findings) {
    let given = difference.absolute.is_some() || difference.relative.is_some();
    found.unless(given, key, "has no limit, give absolute or relative");
    if let Some(absolute) = difference.absolute {
        found.not_negative(absolute, &format!("{key}.absolute"));
    }
    if let Some(relative) = difference.relative {
        found.not_negative(relative, &format!("{key}.relative"));
    }
}
