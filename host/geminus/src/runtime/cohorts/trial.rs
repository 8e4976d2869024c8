//! A trial: the candidate side of a rollout beside the incumbent's, in one shard.
//!
//! Twins are *enrolled* some at a time between two rows: their state is carried over, and from then on both sides
//! get every row. Exactly one side is authoritative for a twin, at first the incumbent's; who is wanted is told from
//! outside, and the twin follows when the candidate is warm for it. So a promotion moves nobody's state and a
//! rollback is no more than a changed mind, since the other side was fed all along.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use geminus_behavior::Standing::Live;
use geminus_behavior::{ColdStart, Snapshot, TwinFault, handover_schema};
use geminus_core::{Frame, Outcome, Proposal, Timestamp, TwinIndex};
use geminus_rollout::{Cost, Phase, Row, Tally};

use super::side::{Berth, Side, Stepped, Watch, pick};

/// Twins that are enrolled, or change sides, between two rows: what they take no row should wait for.
pub(crate) const TWINS_PER_ROUND: usize = 256;
/// Rows after which a twin is tried again that the candidate failed while it answered for it.
pub(crate) const READMITTED_AFTER_ROWS: u32 = 30;

/// Whom the candidate should answer for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Nobody: it runs in the shadow, or steps back.
    #[default]
    Nobody,
    /// These.
    Some(Arc<HashSet<TwinIndex>>),
    /// Everybody whom it has.
    All,
}

impl Wanted {
    fn has(&self, twin: TwinIndex) -> bool {
        match self {
            Self::Nobody => false,
            Self::Some(twins) => twins.contains(&twin),
            Self::All => true,
        }
    }
}

/// How far a trial is in this shard.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    pub(crate) enrolled: usize,
    pub(crate) warm: usize,
    pub(crate) authoritative: usize,
    /// Rows in this phase of the twin that has fewest, among those that the phase is about, that had a row in it, and that
    /// are not stale; 0 when there is none.
    pub(crate) rows_min: u64,
    pub(crate) cold: usize,
    /// What was counted in this phase.
    pub(crate) tally: Tally,
    /// Why it cannot go on.
    pub(crate) failure: Option<String>,
}

/// What became of some twins between two rows.
#[derive(Debug, Default)]
pub(crate) struct Moved {
    /// Twins for which the candidate answers from here on, with its state at this border.
    pub(crate) to_candidate: Vec<TwinIndex>,
    /// Twins for which the incumbent answers again.
    pub(crate) to_incumbent: Vec<TwinIndex>,
    /// State of those who changed sides, as the side has it that answers now.
    pub(crate) states: Vec<(u32, Snapshot)>,
    /// Of them, those that the side which answers now holds apart: what it did while the other one answered.
    pub(crate) apart: Vec<Apart>,
}

/// A twin that is held apart by the side that has come to answer for it, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Apart {
    pub(crate) twin: TwinIndex,
    pub(crate) kind: &'static str,
    pub(crate) message: String,
}

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

/// Why each side holds a twin apart, as far as it did so while the other one answered for it.
#[derive(Debug, Default)]
struct Silent {
    incumbent: HashMap<TwinIndex, (&'static str, String)>,
    candidate: HashMap<TwinIndex, (&'static str, String)>,
}

/// Of one twin.
#[derive(Clone, Copy, Debug, Default)]
struct Flags {
    enrolled: bool,
    /// The candidate has had a row of it.
    fed: bool,
    warm: bool,
    authoritative: bool,
    /// It failed this twin while it answered for it, and is not asked again.
    barred: bool,
    /// Nobody else answers for it, so it need not be warm first.
    alone: bool,
    /// In this phase.
    rows: u32,
    /// Rows since it was barred.
    rows_barred: u32,
}

/// The candidate of one binding.
#[derive(Debug)]
pub(crate) struct Trial {
    pub(crate) rollout: u64,
    side: Side,
    /// Whether a twin may start without the state that its incumbent has.
    cold_start: ColdStart,
    waiting: VecDeque<TwinIndex>,
    wanted: Wanted,
    /// What rows are counted for; `None` before the first.
    phase: Option<Phase>,
    /// By index of the twin.
    flags: Vec<Flags>,
    twins: Vec<TwinIndex>,
    tally: Tally,
    cold: usize,
    failure: Option<String>,
    /// Whether somebody may have to change sides.
    restless: bool,
    /// Twins whose row the candidate did not answer, so that the incumbent answers for them again.
    fallen: Vec<TwinIndex>,
    silent: Silent,
}

impl Trial {
    pub(crate) fn new(rollout: u64, berths: Vec<Berth>, cold_start: ColdStart, tally: Tally) -> Self {
        let side = Side::new(berths);
        let twins: Vec<TwinIndex> = side.twins().collect();
        let size = twins.iter().map(|twin| twin.0 as usize + 1).max().unwrap_or(0);
        Self {
            rollout,
            cold_start,
            waiting: twins.iter().copied().collect(),
            wanted: Wanted::Nobody,
            phase: None,
            flags: vec![Flags::default(); size],
            twins,
            tally,
            cold: 0,
            failure: None,
            restless: false,
            fallen: Vec::new(),
            silent: Silent::default(),
            side,
        }
    }

    pub(crate) fn side(&self) -> &Side {
        &self.side
    }

    pub(crate) fn side_mut(&mut self) -> &mut Side {
        &mut self.side
    }

    pub(crate) fn into_side(self) -> Side {
        self.side
    }

    /// Whom it should answer for in a phase. Each phase is judged by its own rows, so with another one all is counted
    /// anew.
    pub(crate) fn want(&mut self, wanted: Wanted, phase: Phase) {
        if self.phase.replace(phase) != Some(phase) {
            self.tally.renew();
            self.flags.iter_mut().for_each(|flags| flags.rows = 0);
        }
        self.wanted = wanted;
        self.restless = true;
    }

    /// Whether this phase is about a twin: a canary says something about those that go first, and about no other.
    fn is_about(&self, twin: TwinIndex) -> bool {
        self.phase != Some(Phase::Canary) || self.wanted.has(twin)
    }

    /// Why the incumbent holds a twin apart that it answers for again.
    pub(crate) fn apart_in_incumbent(&self, twin: TwinIndex) -> Apart {
        apart(&self.silent.incumbent, twin)
    }

    /// Why the candidate holds a twin apart that it has taken over for good.
    pub(crate) fn apart_in_candidate(&self, twin: TwinIndex) -> Apart {
        apart(&self.silent.candidate, twin)
    }

    /// What the incumbent did to twins that the candidate answers for: it costs them no row now.
    pub(crate) fn silent(&mut self, faults: &[TwinFault]) {
        for fault in faults.iter().filter(|fault| fault.quarantined) {
            self.silent.incumbent.insert(fault.twin, (fault.kind.name(), fault.message.clone()));
        }
    }

    pub(crate) fn is_authoritative(&self, twin: TwinIndex) -> bool {
        self.flags(twin).authoritative
    }

    pub(crate) fn is_warm(&self, twin: TwinIndex) -> bool {
        self.flags(twin).warm
    }

    pub(crate) fn has(&self, twin: TwinIndex) -> bool {
        self.side.berth(twin).is_some()
    }

    /// Proposals of either side that the interlocks would refuse.
    pub(crate) fn refused_proposals(&mut self, old: u64, new: u64) {
        self.tally.refused_proposals(old, new);
    }

    /// How far it is; `is_stale` says of whom no row can be expected now.
    pub(crate) fn standing(&self, is_stale: &dyn Fn(TwinIndex) -> bool) -> Standing {
        let all = || self.twins.iter().map(|twin| self.flags(*twin));
        let counted = self.twins.iter().filter(|twin| self.is_about(**twin) && !is_stale(**twin));
        let rows = counted.map(|twin| u64::from(self.flags(*twin).rows)).filter(|rows| *rows > 0);
        let enrolled = all().filter(|flags| flags.enrolled).count();
        Standing {
            enrolled,
            warm: all().filter(|flags| flags.warm).count(),
            authoritative: all().filter(|flags| flags.authoritative).count(),
            rows_min: rows.min().unwrap_or(0),
            cold: self.cold,
            tally: self.tally.clone(),
            failure: self.failure.clone(),
        }
    }

    /// Whether something is left to do between rows.
    pub(crate) fn is_moving(&self) -> bool {
        self.restless || (self.failure.is_none() && !self.waiting.is_empty())
    }

    fn flags(&self, twin: TwinIndex) -> Flags {
        self.flags.get(twin.0 as usize).copied().unwrap_or_default()
    }

    fn flags_mut(&mut self, twin: TwinIndex) -> Option<&mut Flags> {
        self.flags.get_mut(twin.0 as usize)
    }

    fn should_move(&self, twin: TwinIndex) -> bool {
        let flags = self.flags(twin);
        match self.wanted.has(twin) {
            true => flags.enrolled && (flags.warm || flags.alone) && !flags.authoritative && !flags.barred,
            false => flags.authoritative,
        }
    }

    /// Enrols some twins, and lets some change sides. Called between two rows.
    pub(crate) fn advance(&mut self, incumbent: &mut Side) -> Moved {
        if self.failure.is_none()
            && let Err(reason) = self.enrol(incumbent)
        {
            self.failure = Some(reason);
        }
        self.change_sides(incumbent)
    }

    fn enrol(&mut self, incumbent: &mut Side) -> Result<(), String> {
        let count = self.waiting.len().min(TWINS_PER_ROUND);
        let some: Vec<TwinIndex> = self.waiting.drain(..count).collect();
        if some.is_empty() {
            return Ok(());
        }
        let mut cold: HashSet<TwinIndex> = some.iter().copied().collect();
        let new = self.side.berths().first().map(|berth| Arc::clone(berth.cohort.compiled().declaration()));
        for (berth, here) in incumbent.housed(&some) {
            // Twins may run different versions, and each hands over in a schema of its own.
            let old = berth.cohort.compiled().declaration();
            let Some(new) = &new else { continue };
            let schema = handover_schema(old, new, self.cold_start).map_err(|error| error.to_string())?;
            let Some(schema) = schema else {
                if old.state.schema == 0 {
                    cold.retain(|twin| !here.contains(twin));
                }
                continue;
            };
            let asked = (schema != old.state.schema).then_some(schema);
            let copied = berth.enter().copy(&here, asked).map_err(|error| error.to_string())?;
            copied.twins.iter().for_each(|saved| {
                cold.remove(&saved.twin);
            });
            self.take_in(&copied)?;
        }
        self.cold += if incumbent.is_empty() { 0 } else { cold.len() };
        for twin in some {
            // One that failed before is let in again, with the state that the incumbent has now.
            if let Some(berth) = self.side.berth_mut(twin)
                && berth.enter().release(twin)
            {
                self.silent.candidate.remove(&twin);
            }
            let (warm, alone) = (self.side.is_warm(twin), incumbent.standing(twin) != Some(Live));
            if let Some(flags) = self.flags_mut(twin) {
                (flags.enrolled, flags.warm, flags.alone) = (true, warm, alone);
            }
        }
        self.restless = true;
        Ok(())
    }

    fn take_in(&mut self, copied: &Snapshot) -> Result<(), String> {
        let twins: Vec<TwinIndex> = copied.twins.iter().map(|saved| saved.twin).collect();
        for (berth, here) in self.side.housed(&twins) {
            let here: HashSet<TwinIndex> = here.into_iter().collect();
            let part = copied.twins.iter().filter(|saved| here.contains(&saved.twin)).cloned().collect();
            let part = Snapshot {
                label: copied.label.clone(),
                digest: copied.digest,
                schema: copied.schema,
                twins: part,
            };
            let refused = berth.enter().take_in(&part).map_err(|error| error.to_string())?;
            if let Some(first) = refused.first() {
                return Err(format!("state of {} twins is refused, first {first}", refused.len()));
            }
        }
        Ok(())
    }

    fn change_sides(&mut self, incumbent: &mut Side) -> Moved {
        let mut moved = Moved::default();
        if !self.restless {
            return moved;
        }
        let moving: Vec<TwinIndex> =
            self.twins.iter().copied().filter(|twin| self.should_move(*twin)).take(TWINS_PER_ROUND).collect();
        self.restless = moving.len() == TWINS_PER_ROUND;
        moved.to_incumbent.append(&mut self.fallen);
        for twin in moving {
            let to_candidate = self.wanted.has(twin);
            if let Some(flags) = self.flags_mut(twin) {
                flags.authoritative = to_candidate;
            }
            match to_candidate {
                true => moved.to_candidate.push(twin),
                false => moved.to_incumbent.push(twin),
            }
        }
        states(&mut self.side, &moved.to_candidate, &mut moved.states);
        states(incumbent, &moved.to_incumbent, &mut moved.states);
        moved
    }

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
        let usual = self.learn(frame, &new);
        let words = self.words(frame, &old.by, &rows);
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
    /// for nor against a candidate that does.
    fn words(&self, frame: &Frame, old_by: &[u32], rows: &[usize]) -> Vec<Row> {
        let word = |(twin, row): (&TwinIndex, &usize)| {
            let answered = old_by.get(*row).is_some_and(|by| *by != 0);
            match (self.is_about(*twin), self.flags(*twin).warm, answered) {
                (false, ..) => Row::LeftOut,
                (true, false, _) => Row::Warming,
                (true, true, false) => Row::Unanswered,
                (true, true, true) => Row::Compared,
            }
        };
        frame.twins.iter().zip(rows).map(word).collect()
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
        // What a new instance makes once for each twin says nothing about what its rows cost, only how long they take.
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
            let live = self.side.standing(*twin) == Some(Live);
            let Some(flags) = self.flags.get_mut(twin.0 as usize) else { continue };
            match (flags.authoritative, by) {
                // The incumbent has answered this row too: its answer stands, and so does it from here on.
                (true, 0) => {
                    (flags.authoritative, flags.barred, flags.rows_barred) = (false, true, 0);
                    self.fallen.push(*twin);
                    self.restless = true;
                }
                (true, _) => taken.push(place),
                // Where a plan forgives it some faults, a twin is not given up for one of them.
                (false, by) if flags.barred && (*by != 0 || !live) => {
                    flags.rows_barred += 1;
                    if flags.rows_barred >= READMITTED_AFTER_ROWS {
                        (flags.barred, self.restless) = (false, true);
                        self.waiting.extend((!live).then_some(*twin));
                    }
                }
                (false, _) => {}
            }
        }
        taken
    }
}

fn apart(silent: &HashMap<TwinIndex, (&'static str, String)>, twin: TwinIndex) -> Apart {
    let (kind, message) = silent
        .get(&twin)
        .cloned()
        .unwrap_or_else(|| ("held-apart", "it was held apart when the rollout began".to_owned()));
    Apart { twin, kind, message }
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

/// State of these twins, by the incarnation that has them.
pub(super) fn states(side: &mut Side, twins: &[TwinIndex], into: &mut Vec<(u32, Snapshot)>) {
    for (berth, here) in side.housed(twins) {
        if berth.cohort.compiled().declaration().state.schema == 0 {
            continue;
        }
        let copied = berth.enter().copy(&here, None);
        match copied {
            Ok(snapshot) => into.push((berth.incarnation, snapshot)),
            // What cannot be copied cannot be replayed from here; the next step tells why.
            Err(error) => tracing::warn!(%error, "state at a change of sides was not copied"),
        }
    }
}
