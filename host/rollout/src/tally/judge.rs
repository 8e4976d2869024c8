//! The tally held against the acceptance: one check for each limit, in an operator's words.
//!
//! A check over too few rows is `open`, never `pass`; where a limit allows nothing at all, the first thing beyond it
//! fails at once. Nothing here is counted; [`Tally`] did that.

use geminus_core::declaration::Role;

use super::column::Column;
use super::evidence::nis_side;
use super::innovation::{Innovation, Side};
use super::{Tally, finite, number};
use crate::{Acceptance, Check, NisSide, Verdict, VerdictState};

impl Tally {
    /// Holds what was counted against the acceptance. Differences were counted by the limits that this tally was made
    /// with, so it is to be the same acceptance.
    #[must_use]
    pub fn judge(&self, acceptance: &Acceptance) -> Verdict {
        let mut checks = vec![self.faults_check(acceptance), self.nan_check(acceptance)];
        checks.extend(self.difference_checks(acceptance));
        checks.extend(self.innovation_checks(acceptance));
        checks.extend(self.nis_checks(acceptance));
        checks.push(self.alerts_check(acceptance));
        checks.extend(self.proposal_checks(acceptance));
        checks.push(self.deadline_check(acceptance));
        checks.extend(self.fuel_checks(acceptance));
        Verdict::of(checks)
    }

    fn faults_check(&self, acceptance: &Acceptance) -> Check {
        let (total, limit) = (self.faults.total, acceptance.faults_max);
        let last = self.faults.kept().last();
        let last =
            last.map_or(String::new(), |fault| format!(", the last one: {}: {}", fault.kind, fault.message));
        Check {
            name: "faults".to_owned(),
            state: judged(total > limit, total > limit, self.enough(acceptance, self.rows)),
            limit: format!("at most {limit}"),
            value: Some(number(total)),
            detail: format!("the new version failed {total} times in {} rows{last}", self.rows),
        }
    }

    /// The output with the largest part of rows without a value.
    fn nan_check(&self, acceptance: &Acceptance) -> Check {
        let extra = |column: &&Column| share(column.nan_extra, column.rows);
        let compared = self.columns.iter().filter(|column| column.old_place.is_some());
        let worst = compared.max_by(|a, b| extra(a).total_cmp(&extra(b)));
        let limit = acceptance.nan_share_extra_max;
        let (missing, part) = worst.map_or((0, 0.0), |column| (column.nan_extra, extra(&column)));
        let detail = match worst.filter(|_| missing > 0) {
            Some(Column { name, rows, .. }) => {
                format!(
                    "{name} has no value in {missing} of {rows} rows in which the running version has one"
                )
            }
            None => format!("no value is missing in {} rows that the running version has", self.rows),
        };
        Check {
            name: "nan".to_owned(),
            state: judged(part > limit, missing > 0 && limit == 0.0, self.enough(acceptance, self.rows)),
            limit: format!("at most {} of the rows of an output", percent(limit)),
            value: Some(part),
            detail,
        }
    }

    fn difference_checks(&self, acceptance: &Acceptance) -> impl Iterator<Item = Check> {
        self.columns.iter().filter_map(|column| {
            let allowed = acceptance.difference_of(&column.name)?;
            let Column { name, unit, rows, beyond, .. } = column;
            let (limit, part) = (acceptance.exceed_share_max, share(*beyond, *rows));
            let bounds = [
                allowed.absolute.map(|absolute| format!("{} {unit}", short(absolute))),
                allowed.relative.map(|relative| format!("{} of the value", percent(relative))),
            ];
            let bounds = bounds.into_iter().flatten().collect::<Vec<_>>().join(" or ");
            let compared = column.old_place.is_some();
            let detail = if compared {
                let largest = column.absolute_max;
                format!(
                    "{beyond} of {rows} rows lie beyond {bounds}, the largest difference is {} {unit}",
                    short(largest)
                )
            } else {
                "the running version has no such output, so nothing can be compared".to_owned()
            };
            Some(Check {
                name: format!("difference {name}"),
                state: judged(
                    part > limit,
                    *beyond > 0 && limit == 0.0,
                    compared && self.enough(acceptance, *rows),
                ),
                limit: format!("at most {} of the rows beyond {bounds}", percent(limit)),
                value: Some(part),
                detail,
            })
        })
    }

    fn innovation_checks(&self, acceptance: &Acceptance) -> Vec<Check> {
        let Some(limit) = acceptance.innovation_mean_sigma_max else { return Vec::new() };
        let check = |of: &Innovation| {
            let (name, unit) = self.output_name(of.column);
            let (old, new) = (sigmas(&of.old), sigmas(&of.new));
            let excused = acceptance.innovation_no_worse && of.old.moments.rows > 0 && new <= old;
            let (mean, spread, rows) = (of.new.moments.mean, of.new.moments.sigma(), of.new.moments.rows);
            Check {
                name: format!("innovation {name}"),
                state: judged(new > limit && !excused, false, self.enough(acceptance, rows)),
                limit: format!("at most {} standard deviations from zero", short(limit)),
                value: (rows > 0).then_some(new).and_then(finite),
                detail: format!(
                    "mean {} {unit} at a standard deviation of {} {unit} over {rows} rows, which is {} standard \
                     deviations; the running version has {}",
                    short(mean),
                    short(spread),
                    short(new),
                    short(old)
                ),
            }
        };
        asked(&self.innovations, "innovation", Role::Innovation, check)
    }

    fn nis_checks(&self, acceptance: &Acceptance) -> Vec<Check> {
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
                    self.enough(acceptance, new.rows) && new.band_low.is_some(),
                ),
                limit: format!("inside the chi-square band of {}", percent(confidence)),
                value: new.mean,
                detail: format!(
                    "{} per degree of freedom over {} rows with {} degrees, the band is {} to {}; the running \
                     version has {}",
                    short(new.mean.unwrap_or(f64::NAN)),
                    new.rows,
                    new.degrees,
                    short(low),
                    short(high),
                    short(old.mean.unwrap_or(f64::NAN))
                ),
            }
        };
        asked(&self.nis, "nis", Role::Nis, check)
    }

    fn alerts_check(&self, acceptance: &Acceptance) -> Check {
        let (old, new, hours) = (self.marks.old_raised, self.marks.new_raised, self.twin_hours());
        let extra = (acceptance.alert_rate_extra_per_hour_max * hours).max(1.0);
        let limit = acceptance.alert_rate_ratio_max * number(old) + extra;
        Check {
            name: "alerts".to_owned(),
            state: judged(number(new) > limit, false, self.enough(acceptance, self.rows)),
            limit: format!(
                "at most {} times those of the running version and {} per twin and hour more",
                short(acceptance.alert_rate_ratio_max),
                short(acceptance.alert_rate_extra_per_hour_max)
            ),
            value: Some(number(new)),
            detail: format!(
                "the new version raised {new} alerts in {} hours of twins, the running version {old}; {} are allowed",
                short(hours),
                short(limit)
            ),
        }
    }

    fn proposal_checks(&self, acceptance: &Acceptance) -> Vec<Check> {
        let all = &self.proposals;
        let enough = self.enough(acceptance, self.rows);
        let differ = acceptance.proposals_differ_share_max.map(|limit| {
            let part = share(all.differ, all.rows);
            Check {
                name: "proposals differ".to_owned(),
                state: judged(part > limit, all.differ > 0 && limit == 0.0, enough),
                limit: format!("at most {} of the rows with a proposal", percent(limit)),
                value: Some(part),
                detail: format!(
                    "{} of {} rows with a proposal differ; the new version made {} proposals, the running version {}",
                    all.differ, all.rows, all.new, all.old
                ),
            }
        });
        let refused = acceptance.proposals_refused_max.map(|limit| {
            let extra = all.new_refused.saturating_sub(all.old_refused);
            Check {
                name: "proposals refused".to_owned(),
                state: judged(extra > limit, extra > limit, enough),
                limit: format!("at most {limit} more than those of the running version"),
                value: Some(number(extra)),
                detail: format!(
                    "an interlock refuses {} proposals of the new version and {} of the running version",
                    all.new_refused, all.old_refused
                ),
            }
        });
        differ.into_iter().chain(refused).collect()
    }

    fn deadline_check(&self, acceptance: &Acceptance) -> Check {
        let (misses, calls) = (self.new_cost.misses, self.calls);
        let (limit, part) = (acceptance.deadline_misses_share_max, share(misses, calls));
        Check {
            name: "deadline".to_owned(),
            state: judged(part > limit && misses > 1, false, self.enough(acceptance, self.cost_rows)),
            limit: format!(
                "at most {} of the calls longer than {} ms",
                percent(limit),
                acceptance.deadline_ms
            ),
            value: Some(part),
            detail: format!(
                "{misses} of {calls} calls of the new version were late, the longest took {} ms; the running version \
                 was late in {}",
                short(self.new_cost.longest.as_secs_f64() * 1e3),
                self.old_cost.misses
            ),
        }
    }

    fn fuel_checks(&self, acceptance: &Acceptance) -> Vec<Check> {
        let (old, new) = (self.per_row(self.old_cost.fuel), self.per_row(self.new_cost.fuel));
        let enough = self.enough(acceptance, self.cost_rows);
        let detail = format!(
            "the new version burns {} per row over {} rows, the running version {}",
            short(new),
            self.cost_rows,
            short(old)
        );
        let ratio = Check {
            name: "fuel ratio".to_owned(),
            state: judged(
                new > acceptance.fuel_per_row_ratio_max * old && old > 0.0,
                false,
                enough && old > 0.0,
            ),
            limit: format!(
                "at most {} times that of the running version",
                short(acceptance.fuel_per_row_ratio_max)
            ),
            value: finite(new / old),
            detail: detail.clone(),
        };
        let most = acceptance.fuel_per_row_max.map(|limit| Check {
            name: "fuel".to_owned(),
            state: judged(new > number(limit), false, enough),
            limit: format!("at most {limit} per row"),
            value: (self.cost_rows > 0).then_some(new),
            detail,
        });
        std::iter::once(ratio).chain(most).collect()
    }

    fn per_row(&self, sum: u64) -> f64 {
        share(sum, self.cost_rows)
    }

    #[expect(clippy::unused_self, reason = "reads as a question to the tally")]
    fn enough(&self, acceptance: &Acceptance, rows: u64) -> bool {
        rows >= acceptance.rows_min
    }
}

/// `beyond` the limit; `at_once` when more rows cannot mend it.
fn judged(beyond: bool, at_once: bool, enough: bool) -> VerdictState {
    match (beyond, enough) {
        (true, true) => VerdictState::Fail,
        _ if at_once => VerdictState::Fail,
        (false, true) => VerdictState::Pass,
        (_, false) => VerdictState::Open,
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

/// Mean in standard deviations, without its sign; infinite for a constant that is not zero.
fn sigmas(side: &Side) -> f64 {
    let mean = side.moments.mean.abs();
    if mean > 0.0 { mean / side.moments.sigma() } else { 0.0 }
}

/// How far a mean lies outside its band, as a ratio: 0 inside, and below as bad as above.
fn off(side: &NisSide) -> f64 {
    let (Some(mean), Some(low), Some(high)) = (side.mean, side.band_low, side.band_high) else {
        return f64::INFINITY;
    };
    if mean > high {
        mean.ln()
    } else if mean < low {
        -mean.ln()
    } else {
        0.0
    }
}

/// `count` of `all`; 0 of nothing is 0.
fn share(count: u64, all: u64) -> f64 {
    if all == 0 { 0.0 } else { number(count) / number(all) }
}

/// A number with the digits that a person reads.
fn short(value: f64) -> String {
    let size = value.abs();
    match value {
        _ if value.is_nan() => "none".to_owned(),
        _ if value == 0.0 || (value.fract() == 0.0 && size < 1e9) => format!("{value}"),
        _ if (1e-3..1e6).contains(&size) => {
            let text = format!("{value:.4}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        _ => format!("{value:.3e}"),
    }
}

fn percent(share: f64) -> String {
    format!("{} %", short(share * 100.0))
}
