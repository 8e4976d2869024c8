//! The report as a person reads it in a terminal.

use std::fmt;

use geminus_rollout::VerdictState;

use super::{Comparison, Report, times};
use crate::replay::proof::Difference;
use crate::replay::spoken::Spoken;
use crate::replay::words::WordsDiffer;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} of {}, {} to {}", self.behavior, self.twin, self.from, self.to)?;
        for border in &self.borders {
            let state = match border.continues {
                Some(true) => ", with the state computed here",
                Some(false) => ", with another state than computed here",
                None => "",
            };
            writeln!(f, "  {} {}: {}{state}", border.kind, border.time, border.version)?;
            if let Some(trouble) = &border.trouble {
                writeln!(f, "    {trouble}")?;
            }
        }
        let word = if self.equal { "equal" } else { "NOT EQUAL" };
        writeln!(
            f,
            "  {word}: {} rows and {} outputs computed again, {} rows and {} outputs differ; {} kept states compared, {} differ",
            self.rows,
            self.outputs,
            self.rows_differ,
            self.outputs_differ,
            self.states_compared,
            self.states_differ.len()
        )?;
        if !self.complete {
            writeln!(f, "  NOT COMPLETE: rows are missing from this proof, as told below")?;
        }
        for difference in &self.differences {
            writeln!(f, "    {difference}")?;
        }
        if let Some(worst) = self.worst.as_ref().filter(|worst| !self.differences.contains(worst)) {
            writeln!(f, "    farthest apart: {worst}")?;
        }
        for time in &self.states_differ {
            writeln!(f, "    the state kept at {time} is not the one computed here")?;
        }
        for gap in &self.gaps {
            writeln!(f, "  not computed again: {} rows, {} to {}: {}", gap.rows, gap.from, gap.to, gap.why)?;
        }
        if self.rows_unanswered > 0 {
            writeln!(f, "  {} rows had no answer when they were recorded", self.rows_unanswered)?;
        }
        self.notes.iter().try_for_each(|note| writeln!(f, "  {note}"))?;
        writeln!(
            f,
            "  fuel {}, {} rows stepped before; outputs {}",
            self.fuel, self.rows_before, self.digest
        )?;
        writeln!(
            f,
            "  {} alerts and {} proposals; all of them {}; {} rows held against what they were recorded to say, {} differ",
            self.alerts, self.proposals, self.signals_digest, self.signals_rows, self.signals_rows_differ
        )?;
        for difference in &self.signals_differences {
            writeln!(f, "    {difference}")?;
        }
        self.not_proved.iter().try_for_each(|what| writeln!(f, "  not held against a record: {what}"))?;
        self.with.as_ref().map_or(Ok(()), |with| write!(f, "{with}"))
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (recorded, computed) = (shown(self.recorded), shown(self.computed));
        write!(
            f,
            "{} {}: recorded {recorded} ({}), computed {computed} ({})",
            self.time,
            self.output,
            self.recorded_quality.name(),
            self.computed_quality.name()
        )?;
        self.fault.as_ref().map_or(Ok(()), |fault| write!(f, ", {fault}"))
    }
}

impl fmt::Display for WordsDiffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} alerts and proposals: recorded {}, computed {}",
            self.time, self.recorded, self.computed
        )
    }
}

impl fmt::Display for Spoken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(first) = &self.first else {
            return write!(f, "no alert or proposal differs in any compared row");
        };
        write!(
            f,
            "proposals differ in {} of {} compared rows, alerts in {}, first at {}: {} → {}",
            self.proposals_differ, self.rows, self.alerts_differ, first.time, first.old, first.new
        )
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cold = if self.cold_start { ", from a cold start" } else { "" };
        let state = match self.verdict.state {
            VerdictState::Pass => "pass",
            VerdictState::Open => "open",
            VerdictState::Fail => "FAIL",
        };
        writeln!(f, "  with {} ({}){cold}: {state}", self.version, self.digest)?;
        for check in &self.verdict.checks {
            let state = match check.state {
                VerdictState::Pass => "pass",
                VerdictState::Open => "open",
                VerdictState::Fail => "FAIL",
            };
            writeln!(f, "    {state} {}: {} (limit {})", check.name, check.detail, check.limit)?;
        }
        match &self.first_difference {
            None => writeln!(f, "    no output differs in any compared row")?,
            Some(first) => writeln!(
                f,
                "    differs first at {} in {}: {} ({}) → {} ({})",
                first.time,
                first.output,
                shown(first.old),
                first.old_quality.name(),
                shown(first.new),
                first.new_quality.name()
            )?,
        }
        writeln!(f, "    {}", self.signals)?;
        for output in self.evidence.outputs.iter().filter(|output| output.equal < output.rows) {
            writeln!(
                f,
                "    {}: {} of {} rows differ, mean {} max {} bias {} {}",
                output.output,
                output.rows - output.equal,
                output.rows,
                shown(output.difference_mean),
                shown(output.difference_max),
                shown(output.bias),
                output.unit
            )?;
        }
        for worst in &self.evidence.worst {
            let time = times::rfc3339(geminus_core::Timestamp::from_millis(worst.time_ms));
            writeln!(f, "    worst {}: {time} {} → {}", worst.output, shown(worst.old), shown(worst.new))?;
        }
        if let Some(ended) = &self.ended {
            writeln!(f, "    {ended}")?;
        }
        self.not_judged.iter().try_for_each(|what| writeln!(f, "    not judged: {what}"))?;
        writeln!(
            f,
            "    fuel {} over {} rows; outputs {}; alerts and proposals {}",
            self.fuel, self.rows, self.outputs_digest, self.signals_digest
        )
    }
}

/// A number, or that there is none.
fn shown(value: Option<f64>) -> String {
    value.map_or_else(|| "no number".to_owned(), |value| format!("{value:?}"))
}
