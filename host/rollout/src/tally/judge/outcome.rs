//! Checks of what the new version gives: faults, missing values, differences.

use super::super::Tally;
use super::super::column::Column;
use super::super::number;
use super::words::{percent, with_unit};
use super::{Names, judged, share};
use crate::{Acceptance, Check};

impl Tally {
    pub(super) fn faults_check(&self, acceptance: &Acceptance, names: Names<'_>) -> Check {
        let (total, limit) = (self.faults.total, acceptance.faults_max);
        let last = self.faults.kept().last().map_or(String::new(), |fault| {
            let whose = names.map_or(String::new(), |name_of| format!(" of {}", name_of(fault.twin)));
            format!(", the last one{whose}: {}: {}", fault.kind, fault.message)
        });
        Check {
            name: "faults".to_owned(),
            state: judged(total > limit, total > limit, self.enough_compared(acceptance, self.rows)),
            limit: format!("at most {limit}"),
            value: Some(number(total)),
            detail: format!(
                "the new version failed {total} times in {} rows{last}",
                self.rows + self.rows_unanswered
            ),
        }
    }

    /// The output with the largest part of rows without a value.
    pub(super) fn nan_check(&self, acceptance: &Acceptance) -> Check {
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
            state: judged(
                part > limit,
                missing > 0 && limit == 0.0,
                self.enough_compared(acceptance, self.rows),
            ),
            limit: format!("at most {} of the rows of an output", percent(limit)),
            value: Some(part),
            detail,
        }
    }

    pub(super) fn difference_checks(&self, acceptance: &Acceptance) -> impl Iterator<Item = Check> {
        self.columns.iter().filter_map(|column| {
            let allowed = acceptance.difference_of(&column.name)?;
            let Column { name, unit, rows, beyond, .. } = column;
            let (limit, part) = (acceptance.exceed_share_max, share(*beyond, *rows));
            let bounds = [
                allowed.absolute.map(|absolute| with_unit(absolute, unit)),
                allowed.relative.map(|relative| format!("{} of the value", percent(relative))),
            ];
            let bounds = bounds.into_iter().flatten().collect::<Vec<_>>().join(" or ");
            let compared = column.old_place.is_some();
            let detail = if compared && self.rows == 0 && self.rows_unanswered > 0 {
                format!(
                    "the running version answered none of {} rows, so there is nothing to compare with",
                    self.rows_unanswered
                )
            } else if compared {
                let largest = column.absolute_max;
                format!(
                    "{beyond} of {rows} rows lie beyond {bounds}, the largest difference is {}",
                    with_unit(largest, unit)
                )
            } else {
                "the running version has no such output, so nothing can be compared".to_owned()
            };
            Some(Check {
                name: format!("difference {name}"),
                state: judged(
                    part > limit,
                    *beyond > 0 && limit == 0.0,
                    compared && self.enough_compared(acceptance, *rows),
                ),
                limit: format!("at most {} of the rows beyond {bounds}", percent(limit)),
                value: Some(part),
                detail,
            })
        })
    }
}
