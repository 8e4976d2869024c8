//! What `step` answered, held against the declaration and made fit for the house: NaNs canonical, quality
//! filled in, words cut. What the declaration does not allow is refused as a whole, so that nothing of it is
//! used and the search for the twin that did it can begin.

use geminus_core::{Alert, Declaration, Proposal, Quality};

use crate::bindings::geminus::behavior::types;
use crate::limits::{Limits, cut};
use crate::trouble::Trouble;

/// What an answer is held against.
pub(crate) struct Bounds<'a> {
    pub(crate) declaration: &'a Declaration,
    pub(crate) limits: &'a Limits,
}

/// Answers of one or more calls for consecutive rows of the same work.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    pub(crate) values: Vec<f64>,
    pub(crate) quality: Vec<Quality>,
    pub(crate) alerts: Vec<Alert>,
    pub(crate) proposals: Vec<Proposal>,
    /// Rows with outputs that are no finite numbers and do not say that they are not to be used, and how many.
    pub(crate) not_finite: Vec<(usize, u64)>,
    /// Rows without an answer, with the reason.
    pub(crate) refused: Vec<(usize, Trouble)>,
    rows: usize,
}

impl Answers {
    /// Rows that have an answer or were refused.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Checks and appends the answer for the next `rows` rows.
    pub(crate) fn take(
        &mut self,
        bounds: &Bounds<'_>,
        rows: usize,
        outcome: types::Outcome,
    ) -> Result<(), String> {
        let types::Outcome { mut values, quality, alerts, proposals } = outcome;
        let expected = rows * bounds.declaration.outputs.len();
        if values.len() != expected {
            return Err(format!("{} values for {rows} rows, {expected} are declared", values.len()));
        }
        if !quality.is_empty() && quality.len() != expected {
            return Err(format!("{} qualities for {rows} rows, {expected} are declared", quality.len()));
        }
        if let Some(number) = quality.iter().find(|&&number| number > Quality::Missing as u8) {
            return Err(format!("quality {number} is not known, 0 to 4 are"));
        }
        let alerts = bounds.alerts(rows, self.rows, alerts)?;
        let proposals = bounds.proposals(rows, self.rows, proposals)?;
        self.quality.reserve(expected);
        let mut not_finite = 0_usize;
        let mut judged = |value: &mut f64, quality: Quality| {
            not_finite += usize::from(quality.usable() && !value.is_finite());
            judge(value, quality)
        };
        if quality.is_empty() {
            self.quality.extend(values.iter_mut().map(|value| judged(value, Quality::Good)));
        } else {
            let pairs = values.iter_mut().zip(&quality);
            self.quality.extend(pairs.map(|(value, &number)| judged(value, Quality::from_u8(number))));
        }
        if not_finite > 0 {
            self.note_not_finite(bounds.declaration.outputs.len(), &values, &quality);
        }
        if self.values.is_empty() {
            self.values = values;
        } else {
            self.values.append(&mut values);
        }
        self.alerts.extend(alerts);
        self.proposals.extend(proposals);
        self.rows += rows;
        Ok(())
    }

    /// Says in which of the next rows there are values that are no numbers, by what the behavior itself says of them.
    fn note_not_finite(&mut self, outputs: usize, values: &[f64], quality: &[u8]) {
        let usable = |cell: usize| quality.get(cell).is_none_or(|&number| Quality::from_u8(number).usable());
        for (row, cells) in values.chunks(outputs.max(1)).enumerate() {
            let odd =
                cells.iter().zip(row * outputs..).filter(|(value, cell)| value.is_nan() && usable(*cell));
            match odd.count() as u64 {
                0 => {}
                count => self.not_finite.push((self.rows + row, count)),
            }
        }
    }

    /// Notes that the next row has no answer.
    pub(crate) fn refuse(&mut self, outputs: usize, trouble: Trouble) {
        self.values.extend(std::iter::repeat_n(f64::NAN, outputs));
        self.quality.extend(std::iter::repeat_n(Quality::Bad, outputs));
        self.refused.push((self.rows, trouble));
        self.rows += 1;
    }
}

/// Every NaN leaves as the same NaN. What is not finite is bad, unless the guest says that there is no value.
fn judge(value: &mut f64, quality: Quality) -> Quality {
    if quality == Quality::Missing {
        *value = f64::NAN;
        Quality::Missing
    } else if value.is_finite() {
        quality
    } else {
        *value = f64::NAN;
        quality.worse(Quality::Bad)
    }
}

impl Bounds<'_> {
    fn alerts(&self, rows: usize, base: usize, alerts: Vec<types::Alert>) -> Result<Vec<Alert>, String> {
        in_order("alert", rows, self.limits.alerts_per_row_max, alerts.iter().map(|alert| alert.row))?;
        let declared = self.declaration.alerts.len();
        let taken = alerts.into_iter().map(|alert| {
            if alert.alert as usize >= declared {
                return Err(format!("alert {} of {declared} declared ones", alert.alert));
            }
            Ok(Alert {
                row: shifted(alert.row, base),
                alert: alert.alert,
                value: canonical(alert.value),
                detail: cut(alert.detail, self.limits.string_bytes_max),
            })
        });
        taken.collect()
    }

    fn proposals(
        &self,
        rows: usize,
        base: usize,
        proposals: Vec<types::Proposal>,
    ) -> Result<Vec<Proposal>, String> {
        let rows_named = proposals.iter().map(|proposal| proposal.row);
        in_order("proposal", rows, self.limits.proposals_per_row_max, rows_named)?;
        let taken = proposals.into_iter().map(|proposal| {
            let types::Proposal { row, command, value, confidence, valid_for_ms, reason } = proposal;
            let declared = self.declaration.commands.get(command as usize).ok_or_else(|| {
                format!("command {command} of {} declared ones", self.declaration.commands.len())
            })?;
            if !(declared.minimum..=declared.maximum).contains(&value) {
                return Err(format!("{} = {value} is outside its declared range", declared.name));
            }
            if !(0.0..=1.0).contains(&confidence) {
                return Err(format!("confidence {confidence} is not in 0 to 1"));
            }
            let reason = cut(reason, self.limits.string_bytes_max);
            Ok(Proposal { row: shifted(row, base), command, value, confidence, valid_for_ms, reason })
        });
        taken.collect()
    }
}

/// Sparse lists name rows of the call, in order, and not too often.
fn in_order(what: &str, rows: usize, per_row: usize, named: impl Iterator<Item = u32>) -> Result<(), String> {
    let (mut last, mut of_this_row) = (0, 0);
    for row in named {
        if row as usize >= rows {
            return Err(format!("{what} for row {row} of {rows}"));
        }
        if row < last {
            return Err(format!("{what}s are not in row order"));
        }
        of_this_row = if row == last { of_this_row + 1 } else { 1 };
        if of_this_row > per_row {
            return Err(format!("more than {per_row} {what}s for row {row}"));
        }
        last = row;
    }
    Ok(())
}

fn shifted(row: u32, base: usize) -> u32 {
    row.saturating_add(u32::try_from(base).unwrap_or(u32::MAX))
}

fn canonical(value: f64) -> f64 {
    if value.is_nan() { f64::NAN } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declaration() -> Declaration {
        let json = serde_json::json!({
            "declaration": 1, "name": "probe", "version": "1.0.0", "kind": "command-policy",
            "outputs": [{"name": "b", "unit": "1"}], "state": {"schema": 0, "reads": [], "writes": []},
            "alerts": [{"code": "hot", "priority": "high", "text": "hot"}],
            "commands": [{"name": "speed", "unit": "1", "minimum": 0.0, "maximum": 1.0}],
        });
        Declaration::parse(json.to_string().as_bytes()).unwrap()
    }

    fn outcome(change: impl FnOnce(&mut types::Outcome)) -> types::Outcome {
        let mut outcome =
            types::Outcome { values: vec![1.0, 2.0], quality: vec![], alerts: vec![], proposals: vec![] };
        change(&mut outcome);
        outcome
    }

    fn alert(row: u32, alert: u32) -> types::Alert {
        types::Alert { row, alert, value: 1.0, detail: "x".repeat(600) }
    }

    fn proposal(value: f64, confidence: f64, command: u32) -> types::Proposal {
        types::Proposal { row: 0, command, value, confidence, valid_for_ms: 1, reason: String::new() }
    }

    fn take(outcome: types::Outcome) -> Result<Answers, String> {
        let (declaration, limits) = (declaration(), Limits::default());
        let mut answers = Answers::default();
        answers.take(&Bounds { declaration: &declaration, limits: &limits }, 2, outcome)?;
        Ok(answers)
    }

    #[test]
    fn what_the_declaration_does_not_allow_is_refused_with_the_reason() {
        let check = |change: &dyn Fn(&mut types::Outcome), expect: &str| {
            let error = take(outcome(change)).expect_err(expect);
            assert!(error.contains(expect), "{error} does not say {expect:?}");
        };
        check(&|o| o.values.push(1.0), "3 values for 2 rows");
        check(&|o| o.quality = vec![0], "1 qualities");
        check(&|o| o.quality = vec![0, 5], "quality 5");
        check(&|o| o.alerts = vec![alert(2, 0)], "row 2 of 2");
        check(&|o| o.alerts = vec![alert(1, 0), alert(0, 0)], "row order");
        check(&|o| o.alerts = vec![alert(0, 1)], "alert 1 of 1");
        check(&|o| o.alerts = (0..17).map(|_| alert(1, 0)).collect(), "more than 16");
        check(&|o| o.proposals = vec![proposal(0.5, 1.0, 1)], "command 1 of 1");
        check(&|o| o.proposals = vec![proposal(1.5, 1.0, 0)], "outside its declared range");
        check(&|o| o.proposals = vec![proposal(f64::NAN, 1.0, 0)], "outside its declared range");
        check(&|o| o.proposals = vec![proposal(0.5, f64::NAN, 0)], "confidence");
    }

    #[test]
    fn values_and_words_leave_fit_for_the_house() {
        let odd_nan = f64::from_bits(0x7ff8_0000_dead_beef);
        let answers = take(outcome(|o| {
            o.values = vec![odd_nan, f64::INFINITY];
            o.alerts = vec![alert(1, 0)];
            o.proposals = vec![proposal(0.5, 1.0, 0)];
        }))
        .unwrap();
        assert!(answers.values.iter().all(|value| value.to_bits() == f64::NAN.to_bits()));
        assert_eq!(answers.not_finite, [(0, 1), (1, 1)]);
        assert_eq!(answers.quality, [Quality::Bad, Quality::Bad]);
        assert_eq!(answers.alerts[0].detail.len(), 512);
        assert_eq!(answers.proposals.len(), 1);
        let missing = take(outcome(|o| o.quality = vec![4, 1])).unwrap();
        assert_eq!(missing.quality, [Quality::Missing, Quality::Uncertain]);
        assert!(missing.values[0].is_nan() && missing.values[1] == 2.0);
        assert_eq!(missing.not_finite, []);
        let honest = take(outcome(|o| (o.values, o.quality) = (vec![f64::NAN; 2], vec![2, 1]))).unwrap();
        assert_eq!(honest.not_finite, [(1, 1)], "bad is what a behavior may say of it");
    }
}
