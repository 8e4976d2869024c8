//! What becomes of a row while a trial runs: the candidate gets it too, its answer is compared with the incumbent's and
//! takes the place of it where the candidate is authoritative.

use std::sync::atomic::Ordering::Relaxed;

use geminus_behavior::Standing::Live;
use geminus_behavior::TwinFault;
use geminus_core::{Frame, Outcome, Proposal, Timestamp, TwinIndex};
use geminus_rollout::{Cost, Row};

use super::super::side::{Stepped, Watch, pick};
use super::Trial;

/// Rows after which a twin is tried again that the candidate failed while it answered for it.
const READMITTED_AFTER_ROWS: u32 = 30;

/// What the side whose answer does not count made of a frame.
#[derive(Debug, Default)]
pub(crate) struct Aside {
    /// Its proposals, by row of the frame.
    pub(crate) proposals: Vec<Proposal>,
    /// Whose answer counts in each row of the frame that is compared.
    pub(crate) compared: Vec<Option<Counts>>,
}

/// Whose answer of a row counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counts {
    Incumbent,
    Candidate,
}

impl Trial {
    /// Gives the candidate the rows that the incumbent has just answered, compares, and puts in its answers where
    /// it is authoritative. A row that it does not answer is left as the incumbent answered it, and the twin goes
    /// back to the incumbent. Gives what the side made whose answer does not count.
    pub(crate) fn follow(&mut self, frame: &Frame, old: &mut Stepped, watch: &Watch<'_>) -> Aside {
        let rows: Vec<usize> = (0..frame.rows())
            .filter(|row| frame.twins.get(*row).is_some_and(|twin| self.flags(*twin).enrolled))
            .collect();
        if rows.is_empty() {
            return Aside::default();
        }
        let outputs = old.outcome.outputs;
        let whole = rows.len() == frame.rows();
        let part;
        let (frame, share) = match whole {
            true => (frame, None),
            false => {
                part = pick(frame, &rows);
                (&part, Some(part_of(&old.outcome, &rows)))
            }
        };
        let mut new = self.side.step(outputs, frame, watch);
        old.floods.append(&mut new.floods);
        // What a fault costs, with all that is stepped again because of it, is not what rows cost.
        let usual = self.learn(frame, &new) && new.faults.is_empty();
        let words = self.words(frame, &old.by, &rows, &new.by);
        let compared = share.as_ref().unwrap_or(&old.outcome);
        let mut word = |row: usize, _| words.get(row).copied().unwrap_or(Row::LeftOut);
        self.tally.compare_rows(frame, compared, &new.outcome, &mut word);
        if let Some(berth) = self.side.berths().first() {
            berth.account.compared.fetch_add(frame.rows() as u64, Relaxed);
        }
        self.charge(&words, usual, old, &new);
        self.blame(frame, &new.faults);
        let taken = self.taken(frame, &new);
        let mut whose: Vec<Option<Counts>> = vec![None; old.by.len()];
        for (place, (row, word)) in rows.iter().zip(&words).enumerate() {
            if let Some(whose) = whose.get_mut(*row).filter(|_| *word == Row::Compared) {
                *whose = Some(match taken.binary_search(&place) {
                    Ok(_) => Counts::Candidate,
                    Err(_) => Counts::Incumbent,
                });
            }
        }
        Aside { proposals: put_in(new, old, &rows, &taken), compared: whose }
    }

    /// What each row is good for. A row that the incumbent did not answer, because it holds the twin apart, speaks neither
    /// for nor against a candidate that does. One that the candidate did not answer is the work of a fault, which is counted
    /// and has a limit of its own: it is no difference and no missing value besides.
    fn words(&self, frame: &Frame, old_by: &[u32], rows: &[usize], new_by: &[u32]) -> Vec<Row> {
        let word = |((twin, row), new): ((&TwinIndex, &usize), &u32)| {
            let answered = old_by.get(*row).is_some_and(|by| *by != 0);
            match (self.is_about(*twin) && *new != 0, self.flags(*twin).warm, answered) {
                (false, ..) => Row::LeftOut,
                (true, false, _) => Row::Warming,
                (true, true, false) => Row::Unanswered,
                (true, true, true) => Row::Compared,
            }
        };
        frame.twins.iter().zip(rows).zip(new_by).map(word).collect()
    }

    /// Books what the rows cost that this phase is about: of what a call burns, their share.
    fn charge(&mut self, words: &[Row], usual: bool, old: &Stepped, new: &Stepped) {
        let count = |is: &dyn Fn(&Row) -> bool| words.iter().filter(|word| is(word)).count() as u64;
        let about = count(&|word| *word != Row::LeftOut);
        if about == 0 {
            return;
        }
        // Before it is warm a row counts for what it costs, whoever has answered it.
        let both = about - count(&|word| *word == Row::Unanswered);
        let answered = old.by.iter().filter(|by| **by != 0).count() as u64;
        // What a new instance makes once for each twin, or what is made again after a fault, says nothing about what rows
        // cost, only how long they take.
        let (rows, old_rows) = if usual { (about, both.min(answered)) } else { (0, 0) };
        self.tally.cost(Cost {
            rows,
            old_rows,
            old_fuel: share(old.fuel, old_rows, answered),
            new_fuel: share(new.fuel, rows, words.len() as u64),
            old_spent: old.spent,
            new_spent: new.spent,
        });
    }

    /// What the candidate failed in counts against it in any phase and for any twin.
    fn blame(&mut self, frame: &Frame, faults: &[TwinFault]) {
        for fault in faults {
            let time =
                fault.row.and_then(|row| frame.times.get(row as usize)).copied().unwrap_or(Timestamp(0));
            self.tally.fault(fault.twin, time, fault.kind.name(), &fault.message);
            if let Some(berth) = self.side.berth(fault.twin) {
                berth.account.strikes.fetch_add(1, Relaxed);
            }
            if fault.quarantined {
                self.silent.candidate.insert(fault.twin, (fault.kind.name(), fault.message.clone()));
            }
        }
    }

    /// Who has become warm, and how many rows each twin has been compared in. Says whether none of them was its twin's
    /// first.
    fn learn(&mut self, frame: &Frame, new: &Stepped) -> bool {
        let mut usual = true;
        for (twin, by) in frame.twins.iter().zip(&new.by) {
            let (was_warm, about) = (self.flags(*twin).warm, self.is_about(*twin));
            let warm = was_warm || self.side.is_warm(*twin);
            if let Some(flags) = self.flags.get_mut(twin.0 as usize) {
                usual &= std::mem::replace(&mut flags.fed, true);
                self.restless |= warm && !was_warm;
                flags.warm = warm;
                flags.rows = flags.rows.saturating_add(u32::from(about && was_warm && *by != 0));
            }
        }
        usual
    }

    /// Rows of the candidate's frame in which its answer counts.
    fn taken(&mut self, frame: &Frame, new: &Stepped) -> Vec<usize> {
        let mut taken: Vec<usize> = Vec::new();
        for (place, (twin, by)) in frame.twins.iter().zip(&new.by).enumerate() {
            let live = || self.side.standing(*twin) == Some(Live);
            let Some(flags) = self.flags.get_mut(twin.0 as usize) else { continue };
            match (flags.authoritative, by) {
                // The incumbent has answered this row too: its answer stands, and so does it from here on.
                (true, 0) => {
                    (flags.authoritative, flags.barred, flags.rows_barred) = (false, true, 0);
                    self.fallen.push(*twin);
                    self.restless = true;
                }
                (true, _) => taken.push(place),
                // In the shadow: it costs nobody a row, and it is let in again as one is that fell.
                (false, 0) if !flags.barred && !live() => (flags.barred, flags.rows_barred) = (true, 0),
                // Where a plan forgives it some faults, a twin is not given up for one of them.
                (false, by) if flags.barred && (*by != 0 || !live()) => {
                    flags.rows_barred += 1;
                    if flags.rows_barred >= READMITTED_AFTER_ROWS {
                        (flags.barred, self.restless) = (false, true);
                        self.waiting.extend((!live()).then_some(*twin));
                    }
                }
                (false, _) => {}
            }
        }
        taken
    }
}

/// `part` of `all` of a sum.
fn share(sum: u64, part: u64, all: u64) -> u64 {
    let whole = u128::from(sum) * u128::from(part) / u128::from(all.max(1));
    u64::try_from(whole).unwrap_or(u64::MAX)
}

/// Puts the candidate's answers in where they count. `rows[n]` is the row of the whole frame that row n of the
/// candidate's belongs to, `taken` are those of its rows that count. Gives the proposals that do not.
fn put_in(new: Stepped, old: &mut Stepped, rows: &[usize], taken: &[usize]) -> Vec<Proposal> {
    let is_taken = |place: u32| taken.binary_search(&(place as usize)).is_ok();
    let mine: Vec<usize> = taken.iter().filter_map(|place| rows.get(*place).copied()).collect();
    let is_mine = |row: u32| mine.binary_search(&(row as usize)).is_ok();
    let theirs = std::mem::take(&mut old.outcome.proposals);
    let (mut aside, stay): (Vec<_>, Vec<_>) = theirs.into_iter().partition(|proposal| is_mine(proposal.row));
    old.outcome.proposals = stay;
    let unheard = new.outcome.proposals.iter().filter(|proposal| !is_taken(proposal.row));
    aside.extend(unheard.filter_map(|proposal| {
        let row = u32::try_from(*rows.get(proposal.row as usize)?).ok()?;
        Some(Proposal { row, ..proposal.clone() })
    }));
    if !taken.is_empty() {
        old.outcome.alerts.retain(|alert| !is_mine(alert.row));
        let part = Stepped {
            outcome: part_of(&new.outcome, taken),
            by: taken.iter().filter_map(|place| new.by.get(*place).copied()).collect(),
            inhibited: new.inhibited,
            ..Stepped::default()
        };
        old.put_in(part, &mine);
        old.sort();
    }
    aside
}

/// Some rows of an outcome, numbered anew.
fn part_of(outcome: &Outcome, rows: &[usize]) -> Outcome {
    let outputs = outcome.outputs;
    let mut part = Outcome { outputs, ..Outcome::default() };
    for row in rows {
        let cells = row * outputs..(row + 1) * outputs;
        part.values.extend_from_slice(outcome.values.get(cells.clone()).unwrap_or_default());
        part.quality.extend_from_slice(outcome.quality.get(cells).unwrap_or_default());
    }
    let place =
        |row: u32| rows.binary_search(&(row as usize)).ok().and_then(|place| u32::try_from(place).ok());
    part.alerts = outcome
        .alerts
        .iter()
        .filter_map(|alert| Some(geminus_core::Alert { row: place(alert.row)?, ..alert.clone() }))
        .collect();
    part.proposals = outcome
        .proposals
        .iter()
        .filter_map(|proposal| Some(Proposal { row: place(proposal.row)?, ..proposal.clone() }))
        .collect();
    part
}
