//! Checks of how the new version conducts itself: alerts, proposals, time and fuel.

use super::super::{Tally, finite, number};
use super::words::{percent, short};
use super::{enough, judged, share};
use crate::{Acceptance, Check};

/// What a call may burn besides its rows where fuel per row is compared: lists are handed over once a call, so whoever
/// has a row a call burns more for each than a version that has its rows by the hundred. About five microseconds.
const FUEL_OF_A_CALL: u64 = 5_000;

impl Tally {
    pub(super) fn alerts_check(&self, acceptance: &Acceptance) -> Check {
        let (old, new, hours) = (self.marks.old_raised, self.marks.new_raised, self.twin_hours());
        let extra = (acceptance.alert_rate_extra_per_hour_max * hours).max(1.0);
        let limit = acceptance.alert_rate_ratio_max * number(old) + extra;
        Check {
            name: "alerts".to_owned(),
            state: judged(number(new) > limit, false, self.enough_compared(acceptance, self.rows)),
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

    pub(super) fn proposal_checks(&self, acceptance: &Acceptance) -> Vec<Check> {
        let all = &self.proposals;
        let enough = self.enough_compared(acceptance, self.rows);
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

    pub(super) fn deadline_check(&self, acceptance: &Acceptance) -> Check {
        let (misses, calls) = (self.new_cost.misses, self.calls);
        let (limit, part) = (acceptance.deadline_misses_share_max, share(misses, calls));
        Check {
            name: "deadline".to_owned(),
            state: judged(part > limit && misses > 1, false, enough(acceptance, self.cost_rows)),
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

    pub(super) fn fuel_checks(&self, acceptance: &Acceptance) -> Vec<Check> {
        let (old, new) =
            (share(self.old_cost.fuel, self.old_cost_rows), share(self.new_cost.fuel, self.cost_rows));
        let calls = share(FUEL_OF_A_CALL * self.calls, self.cost_rows);
        let enough = enough(acceptance, self.cost_rows);
        let detail = format!(
            "the new version burns {} per row over {} rows, the running version {}",
            short(new),
            self.cost_rows,
            short(old)
        );
        let ratio = Check {
            name: "fuel ratio".to_owned(),
            state: judged(
                new > acceptance.fuel_per_row_ratio_max * old + calls && old > 0.0,
                false,
                // What answered no row burnt nothing that could be compared with.
                if self.old_cost_rows > 0 { enough && old > 0.0 } else { enough },
            ),
            limit: format!(
                "at most {} times that of the running version, and {FUEL_OF_A_CALL} a call",
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
}
