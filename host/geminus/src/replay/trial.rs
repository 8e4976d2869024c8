//! Another version over the same rows: begun with the state that the recorded one had, migrated, and judged by the
//! same acceptance as a rollout.
//!
//! What a rollout measures with a clock (deadlines, time per row) is left out, since this is not the plant's machine
//! and not its hour; so are refusals by interlocks, whose facts are not recorded. Both are said in the report.

use std::sync::Arc;

use anyhow::Context as _;
use geminus_behavior::{FaultKind, Stepped, handover_schema};
use geminus_core::{Declaration, Frame, Outcome, Quality};
use geminus_rollout::{Cost, Row, Tally};
use sha2::Sha256;

use super::course::{Handover, Played};
use super::deck::{Deck, TWIN};
use super::proof::{digest_of, hash_rows};
use super::report::{FirstDifference, times};
use super::signals::Signals;
use super::spoken::Spoken;
use super::tape::Reel;
use super::{Archive, Other, Subject, part};

/// Another version at work.
#[derive(Debug)]
pub(super) struct Trial {
    deck: Deck,
    /// Whether it was warm once: from then on it is compared, as in a rollout.
    warm: bool,
    pub(super) tally: Tally,
    pub(super) label: String,
    pub(super) digest: String,
    /// Whether it began without the recorded version's state.
    pub(super) cold: bool,
    pub(super) rows: u64,
    pub(super) fuel: u64,
    pub(super) first: Option<FirstDifference>,
    pub(super) spoken: Spoken,
    /// Why it gets no more rows.
    pub(super) ended: Option<String>,
    hash: Sha256,
    signals: Signals,
}

impl Trial {
    pub(super) fn start(
        archive: &mut Archive,
        subject: &Subject,
        other: &Other,
        from: Handover,
    ) -> anyhow::Result<Self> {
        let (old, new) = (&from.declaration, &other.package.declaration);
        let schema = handover_schema(old, new, other.cold)?;
        let compiled = archive.compile(&other.package)?;
        let mut deck = Deck::start(&compiled, subject, Arc::clone(&other.parameters), 0)?;
        let state = from.states.iter().find(|state| schema.is_none_or(|schema| state.schema == schema));
        let carried = schema.is_some() || (old.state.schema == 0 && new.state.schema == 0);
        if let (true, Some(state)) = (carried, state) {
            let (old, new) = (old.label(), new.label());
            deck.take(state).with_context(|| format!("state of {old} cannot be carried to {new}"))?;
        }
        Ok(Self {
            warm: deck.is_warm(),
            deck,
            tally: Tally::between(old, new, &other.acceptance),
            label: new.label(),
            digest: other.package.digest.to_string(),
            cold: !carried,
            rows: 0,
            fuel: 0,
            first: None,
            spoken: Spoken::default(),
            ended: None,
            hash: Sha256::default(),
            signals: Signals::default(),
        })
    }

    /// Takes the rows that the recorded version answered, and compares.
    pub(super) fn follow(&mut self, played: &Played) -> anyhow::Result<()> {
        let frame = &played.reel.frame;
        let mut from = 0;
        // Row by row while it is not warm: a row before that is not compared.
        while from < frame.rows() && self.ended.is_none() && !self.warm {
            self.compare(played, from, from + 1)?;
            from += 1;
        }
        if from < frame.rows() && self.ended.is_none() {
            self.compare(played, from, frame.rows())?;
        }
        Ok(())
    }

    fn compare(&mut self, played: &Played, from: usize, to: usize) -> anyhow::Result<()> {
        let all = played.reel.frame.rows();
        let (whole, rows) = (&played.reel.frame, (to - from) as u64);
        let old_fuel = (u128::from(played.stepped.fuel) * u128::from(rows) / all.max(1) as u128) as u64;
        let (own_frame, own_old);
        let (frame, old) = match to - from == all {
            true => (whole, &played.stepped.outcome),
            false => {
                own_frame = part::frame(whole, from, to);
                own_old = part::outcome(&played.stepped.outcome, from, to);
                (&own_frame, &own_old)
            }
        };
        let new = self.step(frame)?;
        self.charge(frame, &new, true);
        self.warm |= self.deck.is_warm();
        let warm = self.warm;
        // A row that it does not answer is the work of a fault, and counted as that alone.
        let missing = unanswered(&new, self.deck.is_live());
        self.tally.compare_rows(frame, old, &new.outcome, &mut |row, _| match (warm, missing(row)) {
            (_, true) => Row::LeftOut,
            (true, false) => Row::Compared,
            (false, false) => Row::Warming,
        });
        let cost = Cost { rows, old_rows: rows, old_fuel, new_fuel: new.fuel, ..Cost::default() };
        self.tally.cost(cost);
        if warm {
            let (before, here) = (&*played.declaration, &**self.deck.declaration());
            self.spoken.compare(&frame.times, (before, old), (here, &new.outcome));
        }
        if warm && self.first.is_none() {
            self.first =
                first_difference(&played.declaration, self.deck.declaration(), frame, old, &new.outcome);
        }
        Ok(())
    }

    /// Takes rows that there is nothing to compare with. What the recorded version answered with a fault, this one may
    /// answer with a fault too; crashing is charged to it all the same.
    pub(super) fn alone(&mut self, reel: &Reel) -> anyhow::Result<()> {
        if self.ended.is_none() {
            let stepped = self.step(&reel.frame)?;
            self.charge(&reel.frame, &stepped, false);
        }
        Ok(())
    }

    fn charge(&mut self, frame: &Frame, stepped: &Stepped, answers_too: bool) {
        for fault in stepped.faults.iter().filter(|fault| answers_too || fault.kind != FaultKind::Fault) {
            let time = fault.row.and_then(|row| frame.times.get(row as usize)).copied().unwrap_or_default();
            self.tally.fault(TWIN, time, fault.kind.name(), &fault.message);
        }
    }

    fn step(&mut self, frame: &Frame) -> anyhow::Result<Stepped> {
        let stepped = self.deck.step(frame)?;
        hash_rows(&mut self.hash, &frame.times, &stepped.outcome);
        self.signals.take(&frame.times, &stepped.outcome);
        (self.rows, self.fuel) = (self.rows + frame.rows() as u64, self.fuel + stepped.fuel);
        if !self.deck.is_live() {
            let time = frame.times.last().map(|time| times::rfc3339(*time)).unwrap_or_default();
            let why = stepped.faults.last().map_or("", |fault| &fault.message);
            self.ended = Some(format!("it was quarantined in the rows up to {time}: {why}"));
        }
        Ok(stepped)
    }

    /// SHA-256 of all its outputs, as that of the recorded version.
    pub(super) fn digest_of_outputs(&self) -> String {
        digest_of(&self.hash)
    }

    /// SHA-256 of all its alerts and proposals, as that of the recorded version.
    pub(super) fn digest_of_signals(&self) -> String {
        self.signals.digest()
    }
}

/// Which rows have no answer: no value at all, and a fault, or nobody any more who could give one. `live`: after these rows
/// the twin still gets some.
fn unanswered(stepped: &Stepped, live: bool) -> impl Fn(usize) -> bool {
    let outcome = &stepped.outcome;
    move |row| {
        let cells = row * outcome.outputs..(row + 1) * outcome.outputs;
        let values = outcome.values.get(cells.clone()).unwrap_or_default();
        let quality = outcome.quality.get(cells).unwrap_or_default();
        let failed = stepped.faults.iter().any(|fault| fault.row.is_some_and(|at| at as usize == row));
        (failed || !live)
            && values.iter().all(|value| value.is_nan())
            && quality.iter().all(|quality| *quality == Quality::Bad)
    }
}

/// The first output of both that is not the same, bit for bit.
fn first_difference(
    old_declaration: &Declaration,
    new_declaration: &Declaration,
    frame: &Frame,
    old: &Outcome,
    new: &Outcome,
) -> Option<FirstDifference> {
    let number = |value: f64| value.is_finite().then_some(value);
    let shared: Vec<(usize, usize, &str)> = old_declaration
        .outputs
        .iter()
        .enumerate()
        .filter_map(|(at, output)| {
            let other = new_declaration.outputs.iter().position(|other| other.name == output.name)?;
            Some((at, other, output.name.as_str()))
        })
        .collect();
    frame.times.iter().enumerate().find_map(|(row, time)| {
        shared.iter().find_map(|&(of_old, of_new, output)| {
            let (of_old, of_new) = (row * old.outputs + of_old, row * new.outputs + of_new);
            let (a, b) = (*old.values.get(of_old)?, *new.values.get(of_new)?);
            let (q, r) = (*old.quality.get(of_old)?, *new.quality.get(of_new)?);
            let differ = a.to_bits() != b.to_bits() || q != r;
            differ.then(|| FirstDifference {
                time: times::rfc3339(*time),
                output: output.to_owned(),
                old: number(a),
                old_quality: q,
                new: number(b),
                new_quality: r,
            })
        })
    })
}
