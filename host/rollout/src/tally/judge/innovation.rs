//! Checks of how well the new version foretells what is measured: innovations and their normalised squares.

use geminus_core::declaration::Role;

use super::super::evidence::nis_side;
use super::super::innovation::{Innovation, Side};
use super::super::{Tally, finite};
use super::words::{percent, ratio, short, with_unit};
use super::{enough, judged};
use crate::{Acceptance, Check, NisSide, VerdictState};

impl Tally {
    pub(super) fn innovation_checks(&self, acceptance: &Acceptance, ripe: bool) -> Vec<Check> {
        let Some(limit) = acceptance.innovation_mean_sigma_max else { return Vec::new() };
        let check = |of: &Innovation| {
            let (name, unit) = self.output_name(of.column);
            let (old, new) = (sigmas(&of.old), sigmas(&of.new));
            let excused = acceptance.innovation_no_worse && of.old.moments.rows > 0 && new <= old;
            let (mean, spread, rows) = (of.new.moments.mean, of.new.moments.sigma(), of.new.moments.rows);
            Check {
                name: format!("innovation {name}"),
                state: judged(new > limit && !excused, false, enough(acceptance, rows)),
                limit: format!("at most {} standard deviations from zero", short(limit)),
                value: (rows > 0).then_some(new).and_then(finite),
                detail: format!(
                    "mean {} at a standard deviation of {} over {rows} rows, which is {} standard \
                     deviations; the running version has {}",
                    with_unit(mean, unit),
                    with_unit(spread, unit),
                    ratio(new),
                    ratio(old)
                ),
            }
        };
        asked(&self.innovations, "innovation", Role::Innovation, |of| held_back(check(of), ripe))
    }

    pub(super) fn nis_checks(&self, acceptance: &Acceptance, ripe: bool) -> Vec<Check> {
        let Some(confidence) = acceptance.nis_confidence else { return Vec::new() };
        let check = |of: &Innovation| {
            let (old, new) = (nis_side(&of.old, confidence), nis_side(&of.new, confidence));
            let (low, high) = (new.band_low.unwrap_or(f64::NAN), new.band_high.unwrap_or(f64::NAN));
            let excused = acceptance.innovation_no_worse && old.mean.is_some() && off(&new) <= off(&old);
            Check {
                name: format!("nis {}", self.output_name(of.column).0),
                state: judged(
                    off(&new) > 0.0 && !excused,
                    false,
                    enough(acceptance, new.rows) && new.band_low.is_some(),
                ),
                limit: format!("inside the chi-square band of {}", percent(confidence)),
                value: new.mean,
                detail: format!(
                    "{} per degree of freedom over {} rows with {} degrees, the band is {} to {}; the running \
                     version has {}",
                    ratio(new.mean.unwrap_or(f64::NAN)),
                    new.rows,
                    new.degrees,
                    ratio(low),
                    ratio(high),
                    ratio(old.mean.unwrap_or(f64::NAN))
                ),
            }
        };
        asked(&self.nis, "nis", Role::Nis, |of| held_back(check(of), ripe))
    }
}

/// A check for each output of a role; when there is none, one that stays open, because what is asked for cannot be
/// judged.
fn asked(all: &[Innovation], name: &str, role: Role, check: impl Fn(&Innovation) -> Check) -> Vec<Check> {
    if !all.is_empty() {
        return all.iter().map(check).collect();
    }
    vec![Check {
        name: name.to_owned(),
        state: VerdictState::Open,
        limit: "is asked for".to_owned(),
        value: None,
        detail: format!("the new version declares no output of role {role:?}, so it cannot be judged"),
    }]
}

/// Open, with its number, until the phase is ripe.
fn held_back(check: Check, ripe: bool) -> Check {
    if ripe {
        return check;
    }
    let detail = format!("{}; judged when the phase has its least rows and seconds", check.detail);
    Check { state: VerdictState::Open, detail, ..check }
}

/// Mean in standard deviations, without its sign; infinite for a constant that is not zero.
fn sigmas(side: &Side) -> f64 {
    let mean = side.moments.mean.abs();
    if mean > 0.0 { mean / side.moments.sigma() } else { 0.0 }
}

/// How far a mean that lies outside its band is from the 1 of a model that holds, as a ratio: below as bad as above, and
/// never 0 outside. A sum of squares that is not positive is none, and as far off as can be.
fn off(side: &NisSide) -> f64 {
    let (Some(mean), Some(low), Some(high)) = (side.mean, side.band_low, side.band_high) else {
        return f64::INFINITY;
    };
    if (low..=high).contains(&mean) {
        0.0
    } else if mean > 0.0 {
        mean.ln().abs().max(f64::MIN_POSITIVE)
    } else {
        f64::INFINITY
    }
}
