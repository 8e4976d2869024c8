//! After a crash: the instance is gone for good, so it is built anew from the last save and the rows since, without
//! the twins that did it (`search`).
//!
//! A twin that breaks in a step is quarantined with its last good state; one that breaks earlier (its state
//! cannot be restored, replayed or saved) loses its slot too. All others get exactly the answers they would have
//! had: those that had theirs before the crash keep them. When even the innocent cannot be brought back together, the
//! whole cohort is given up and says so.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::answer::Answers;
use crate::cohort::Cohort;
use crate::cohort::search::{Culprits, Purse};
use crate::cohort::walk::Walk;
use crate::host::Purpose;
use crate::instance::{Instance, SlotOpening, Stride};
use crate::slots::Standing;
use crate::trouble::{FaultKind, Trouble, TwinFault};

/// What the instance was doing when it broke.
#[derive(Clone, Debug)]
pub(crate) enum Task {
    /// Stepping these rows of the log.
    Step(Range<usize>),
    /// Copying the state of these slots.
    Save(Vec<u32>),
    /// Something that needs no repeating.
    Other,
}

/// What a twin is taken out for.
struct Sentence<'a> {
    trouble: &'a Trouble,
    /// Rows of the work that it may keep.
    innocent: usize,
    /// Row of the frame from which on it has no result.
    first_row: Option<u32>,
}

impl Sentence<'_> {
    /// Whether the twin's next row of the work stays.
    fn spares(&mut self, frame_row: Option<u32>) -> bool {
        if let Some(left) = self.innocent.checked_sub(1) {
            self.innocent = left;
            return true;
        }
        self.first_row = self.first_row.or(frame_row);
        false
    }
}

/// Times that the innocent are brought together before the cohort is given up: a wall-clock trap on an
/// overloaded machine deserves another try.
const REUNIONS_MAX: u32 = 3;
/// Rows of the work whose twins are tried together when more than one part of a frame breaks.
const SWEEP_ROWS: usize = 256;

impl Cohort {
    /// Steps the work, which are the rows of the log from `start` on; what poisons the instance is found and left out.
    pub(super) fn run(&mut self, start: usize, faults: &mut Vec<TwinFault>) -> Answers {
        let mut answers = Answers::default();
        // Rows of the work up to here are stepped one by one, since the call with them broke.
        let mut careful = 0;
        let mut crashes = 0_u32;
        loop {
            let done = answers.rows();
            let work = self.log.columns().part(start, self.log.rows());
            if done >= work.rows() {
                return answers;
            }
            let (to, stride) = match careful.min(work.rows()) {
                careful if done < careful => (careful, Stride::One),
                _ => (work.rows(), Stride::Many),
            };
            let Some(instance) = &mut self.instance else {
                let outputs = self.compiled.declaration().outputs.len();
                answers.refuse(outputs, Trouble::new(FaultKind::Unresolved, "the cohort was given up"));
                continue;
            };
            let (slots, purpose) = (&self.slots, Purpose::Step);
            let mut walk = Walk { slots, purpose, stride, answers: &mut answers };
            let Err(trouble) = walk.work(instance, work.part(done, to)) else { continue };
            crashes += 1;
            let from = answers.rows();
            let broken = start + from..(start + from + trouble.items.max(1)).min(self.log.rows());
            let last = self.frame_row(broken.end.saturating_sub(start + 1));
            self.refused_rows = answers.refused.iter().map(|(row, _)| start + row).collect();
            let patience = if trouble.kind == FaultKind::WallClock { REUNIONS_MAX } else { 1 };
            if stride == Stride::One && crashes > patience {
                // Nobody did it alone, and yet it breaks again at this very row.
                self.expel(&trouble, start, &broken, faults);
                self.recover(Task::Step(broken.start..broken.start), start, &trouble, faults);
            } else if crashes > 1 {
                let rest = broken.start..self.log.rows();
                self.recover(Task::Step(rest), start, &trouble, faults);
            } else {
                self.recover(Task::Step(broken.clone()), start, &trouble, faults);
            }
            // Rows may have been struck; those of the call that broke are known by their rows of the frame.
            careful = self.origin.partition_point(|&row| row <= last);
            self.refused_rows.clear();
        }
    }

    /// Takes a save for the next recovery, and starts the log anew.
    pub(super) fn save(&mut self, faults: &mut Vec<TwinFault>) {
        let mut stride = Stride::Many;
        for _ in 0..REUNIONS_MAX {
            let open = self.slots.open();
            let Some(instance) = &mut self.instance else { return };
            match instance.snapshot(&open, None, stride) {
                Ok(states) => {
                    self.base.renew(states);
                    self.log.truncate(0);
                    return;
                }
                Err(trouble) => self.mend_save(&open, &trouble, stride, faults),
            }
            stride = Stride::One;
        }
    }

    /// After trouble in a snapshot of `slots`: finds whose state it was, among those of the call that broke.
    pub(super) fn mend_save(
        &mut self,
        slots: &[u32],
        trouble: &Trouble,
        stride: Stride,
        faults: &mut Vec<TwinFault>,
    ) {
        let rows = self.log.rows();
        match trouble.slot.filter(|_| stride == Stride::One) {
            Some(slot) => {
                // It was cleared alone, or found in a call of its own.
                let trouble = Trouble { state_kept: false, ..trouble.clone() };
                self.convict(&vec![(vec![slot], trouble.clone())], rows, rows, faults);
                self.recover(Task::Other, rows, &trouble, faults);
            }
            None => self.recover(Task::Save(slots.to_vec()), rows, trouble, faults),
        }
    }

    /// Builds the instance anew without those who broke it. The rows before those of the task have their answers.
    pub(super) fn recover(&mut self, task: Task, start: usize, first: &Trouble, faults: &mut Vec<TwinFault>) {
        drop(self.instance.take());
        let until = if let Task::Step(rows) = &task { rows.start } else { self.log.rows() };
        if self.origin.is_empty() {
            self.origin = (0..).take(self.log.rows().saturating_sub(start)).collect();
        }
        let mut purse = self.purse;
        let culprits = match &task {
            Task::Step(rows) => match self.is_proof(rows, first) {
                true => self.only(first),
                false => self.sweep(&mut purse, rows, first),
            },
            Task::Save(slots) => self.search(&mut purse, slots, first, |group| {
                self.assemble(group, until)?.snapshot(group, None, Stride::One).map(drop)
            }),
            Task::Other => Culprits::new(),
        };
        self.spend(purse);
        self.convict(&culprits, start, until, faults);
        self.reunite(start, until, faults);
    }

    /// Whether there is nothing to be found out: a row that used up its fuel in an instance that has nobody else would do
    /// so again, and a trial would make the neighbours on the shard wait as long once more.
    fn is_proof(&self, rows: &Range<usize>, first: &Trouble) -> bool {
        first.kind == FaultKind::Fuel && rows.len() == 1 && self.slots.open().len() == 1
    }

    /// The only twin there is, guilty of its only row.
    fn only(&self, first: &Trouble) -> Culprits {
        vec![(self.slots.open(), Trouble { row: Some(0), state_kept: true, ..first.clone() })]
    }

    /// Finds who breaks in these rows, some of them at a time.
    fn sweep(&self, purse: &mut Purse, rows: &Range<usize>, first: &Trouble) -> Culprits {
        let reason = Trouble { state_kept: true, ..first.clone() };
        let mut culprits = Culprits::new();
        let mut known = BTreeSet::new();
        for from in rows.clone().step_by(SWEEP_ROWS) {
            let to = rows.end.min(from + SWEEP_ROWS);
            let of_these: BTreeSet<u32> = self.log.columns().part(from, to).slots.iter().copied().collect();
            let suspects: Vec<u32> = of_these.difference(&known).copied().collect();
            let trial = |group: &[u32]| self.trial(group, &(rows.start..to));
            let found = self.search(purse, &suspects, &reason, trial);
            known.extend(found.iter().flat_map(|(group, _)| group));
            culprits.extend(found);
        }
        culprits
    }

    /// Tries these rows with these slots alone, row by row.
    fn trial(&self, group: &[u32], rows: &Range<usize>) -> Result<(), Trouble> {
        let mut instance = self.assemble(group, rows.start)?;
        let work = self.log.columns().part(rows.start, rows.end);
        let work = work.filtered(|_, slot| group.binary_search(&slot).is_ok());
        let mut answers = Answers::default();
        let (slots, purpose, stride) = (&self.slots, Purpose::Again, Stride::One);
        let walked =
            Walk { slots, purpose, stride, answers: &mut answers }.work(&mut instance, work.columns());
        walked.map_err(|trouble| {
            // The row is this one's that broke; before it, the group had this many.
            Trouble { row: Some(answers.rows()), state_kept: true, ..trouble }
        })
    }

    /// All who may stay, in one instance again.
    fn reunite(&mut self, start: usize, until: usize, faults: &mut Vec<TwinFault>) {
        let mut last = String::new();
        for _ in 0..REUNIONS_MAX {
            let members = self.slots.open();
            self.rebuilds += 1;
            let trouble = match self.assemble(&members, until) {
                Ok(instance) => {
                    self.instance = Some(instance);
                    return;
                }
                Err(trouble) => trouble,
            };
            // Somebody's state or rows do not come back, which no row of this step has to do with.
            let mut purse = self.purse;
            let culprits =
                self.search(&mut purse, &members, &trouble, |group| self.assemble(group, until).map(drop));
            self.spend(purse);
            self.convict(&culprits, start, until, faults);
            last = trouble.message;
        }
        let message = format!("the cohort was given up, its twins cannot be brought together again: {last}");
        let trouble = Trouble::new(FaultKind::Unresolved, message);
        let everybody = vec![(self.slots.open(), trouble)];
        self.convict(&everybody, start, until, faults);
    }

    pub(super) fn spend(&mut self, purse: Purse) {
        self.rebuilds += u64::from(purse.trials - self.purse.trials);
        self.purse = purse;
    }

    /// Takes out the twin of a row that breaks only beside the others.
    fn expel(&mut self, trouble: &Trouble, start: usize, rows: &Range<usize>, faults: &mut Vec<TwinFault>) {
        let slot = self.log.columns().slots.get(rows.start).copied();
        let message = format!("{}, but not alone", trouble.message);
        let trouble = Trouble { message, row: Some(0), state_kept: true, ..trouble.clone() };
        self.convict(&vec![(slot.into_iter().collect(), trouble)], start, rows.start, faults);
    }

    /// Takes twins out: of their rows from row `from` of the log on, the one that did it and all after it are struck.
    /// `start` is the first row of the work.
    fn convict(&mut self, culprits: &Culprits, start: usize, from: usize, faults: &mut Vec<TwinFault>) {
        let mut sentences: BTreeMap<u32, Sentence<'_>> = BTreeMap::new();
        for (group, trouble) in culprits {
            for &slot in group {
                let innocent = trouble.row.unwrap_or(0);
                sentences.insert(slot, Sentence { trouble, innocent, first_row: None });
                let lost = !trouble.state_kept;
                if let Some(pace) = self.slots.pace_mut(slot) {
                    pace.standing = if lost { Standing::Lost } else { Standing::Quarantined };
                }
                if lost {
                    self.base.bury(slot);
                }
            }
        }
        if sentences.is_empty() {
            return;
        }
        let origin = std::mem::take(&mut self.origin);
        let mut kept = Vec::with_capacity(origin.len());
        self.log.retain(|row, owner| {
            let frame_row = row.checked_sub(start).and_then(|row| origin.get(row).copied());
            let sentence = sentences.get_mut(&owner).filter(|_| row >= from);
            let keep = sentence.is_none_or(|sentence| sentence.spares(frame_row));
            kept.extend(frame_row.filter(|_| keep));
            keep
        });
        self.origin = kept;
        let told = sentences.into_iter().filter_map(|(slot, sentence)| {
            let (kind, message) = (sentence.trouble.kind, sentence.trouble.message.clone());
            let (twin, row) = (self.slots.twin(slot)?, sentence.first_row);
            Some(TwinFault { twin, row, kind, message, quarantined: true })
        });
        faults.extend(told);
    }

    /// An instance as it was before row `until` of the log, with these slots only (in ascending order). Tried once
    /// with much in each call; if that breaks, one by one, so that the slot is known.
    fn assemble(&self, members: &[u32], until: usize) -> Result<Instance, Trouble> {
        match self.assemble_by(members, until, Stride::Many) {
            Err(_) if members.len() > 1 => self.assemble_by(members, until, Stride::One),
            done => done,
        }
    }

    fn assemble_by(&self, members: &[u32], until: usize, stride: Stride) -> Result<Instance, Trouble> {
        let member = |slot: u32| members.binary_search(&slot).is_ok();
        let mut instance = Instance::new(&self.compiled, &self.host, &self.meter)?;
        let openings = members.iter().filter_map(|&slot| Some((slot, self.slots.opening(slot)?)));
        let openings: Vec<_> = openings.map(|(slot, opening)| SlotOpening::of(slot, opening)).collect();
        instance.open(&openings, stride)?;
        instance.restore(&self.base.of(member), stride)?;
        let replay = self.log.columns().part(0, until).filtered(|row, slot| {
            member(slot) && self.base.lacks(row, slot) && self.refused_rows.binary_search(&row).is_err()
        });
        let mut answers = Answers::default();
        let (slots, purpose) = (&self.slots, Purpose::Again);
        Walk { slots, purpose, stride, answers: &mut answers }.work(&mut instance, replay.columns())?;
        match answers.refused.pop() {
            None => Ok(instance),
            Some((row, trouble)) => {
                let slot = replay.columns().slots.get(row).copied();
                let what = format!("refuses a row it once took: {}", trouble.message);
                Err(Trouble { slot, ..Trouble::answer("step", what) })
            }
        }
    }
}
