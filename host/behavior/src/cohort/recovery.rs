//! After a crash: the instance is gone for good, so it is built anew from the last snapshot and the rows since,
//! and the twin that did it is found by trying halves of the suspects in instances of their own.
//!
//! A twin that breaks in a step is quarantined with its last good state; one that breaks earlier (its state
//! cannot be restored, replayed or saved) loses its slot too. All others get exactly the answers they would have
//! had. When even the innocent cannot be brought back together, the whole cohort is given up and says so.

use std::collections::BTreeSet;

use crate::answer::Answers;
use crate::cohort::Cohort;
use crate::cohort::walk::Walk;
use crate::host::Purpose;
use crate::instance::{Instance, SlotOpening};
use crate::slots::Standing;
use crate::states::States;
use crate::trouble::{FaultKind, Trouble, TwinFault};

/// What the instance was doing when it broke.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Task {
    /// Stepping the rows of the log from `start` on.
    Step {
        /// First row of the work.
        start: usize,
    },
    /// Copying the state of all slots.
    Save,
}

/// What a rebuilt instance brought with it.
struct Rebuilt {
    instance: Instance,
    answers: Answers,
    states: Option<States>,
}

/// Times that the innocent are brought together before the cohort is given up: a wall-clock trap on an
/// overloaded machine deserves another try.
const REUNIONS_MAX: u32 = 2;

impl Cohort {
    /// Takes a snapshot for the next recovery, and starts the log anew.
    pub(super) fn save(&mut self, faults: &mut Vec<TwinFault>) {
        let open = self.slots.open();
        let Some(instance) = &mut self.instance else { return };
        match instance.snapshot(&open, None) {
            Ok(states) => {
                self.base.renew(states);
                self.log.truncate(0);
            }
            Err(trouble) => {
                self.recover(Task::Save, &trouble, faults);
            }
        }
    }

    /// Builds the instance anew without those who broke it, and finishes the task.
    pub(super) fn recover(&mut self, task: Task, first: &Trouble, faults: &mut Vec<TwinFault>) -> Answers {
        drop(self.instance.take());
        let work = if let Task::Step { start } = task { start..self.log.rows() } else { 0..0 };
        if self.origin.is_empty() {
            self.origin = (0..).take(work.len()).collect();
        }
        let suspects: Vec<u32> = match task {
            Task::Step { start } => {
                let slots = self.log.columns().part(start, self.log.rows()).slots;
                slots.iter().copied().collect::<BTreeSet<u32>>().into_iter().collect()
            }
            Task::Save => self.slots.open(),
        };
        let reason = Trouble { state_kept: matches!(task, Task::Step { .. }), ..first.clone() };
        let mut trials = 0;
        let culprits = sift(suspects, &reason, self.compiled.engine.limits.trials_max, |group| {
            trials += 1;
            self.trial(group, task)
        });
        self.rebuilds += trials;
        for (group, trouble) in &culprits {
            group.iter().for_each(|&slot| self.convict(slot, trouble, task, faults));
        }
        self.reunite(task, faults)
    }

    /// All who may stay, in one instance again.
    fn reunite(&mut self, task: Task, faults: &mut Vec<TwinFault>) -> Answers {
        let members = self.slots.open();
        let mut last = None;
        for _ in 0..REUNIONS_MAX {
            self.rebuilds += 1;
            match self.rebuild(&members, task) {
                Ok(Rebuilt { instance, answers, states }) => {
                    self.instance = Some(instance);
                    if let Some(states) = states {
                        self.base.renew(states);
                        self.log.truncate(0);
                    }
                    return answers;
                }
                Err(trouble) => last = Some(trouble),
            }
        }
        let message = last.map_or_else(String::new, |trouble| trouble.message);
        let trouble = Trouble::new(
            FaultKind::Unresolved,
            format!("the cohort was given up, its twins cannot be brought together again: {message}"),
        );
        members.iter().for_each(|&slot| self.convict(slot, &trouble, task, faults));
        Answers::default()
    }

    /// Tries the task with these slots alone. A single one is stepped row by row, so that the row is known.
    fn trial(&self, group: &[u32], task: Task) -> Result<(), Trouble> {
        let Task::Step { start } = task else { return self.rebuild(group, task).map(drop) };
        let [slot] = *group else { return self.rebuild_again(group, start).map(drop) };
        let mut instance = self.assemble(group, start)?;
        let rows = self.log.columns().part(start, self.log.rows()).filtered(|_, other| other == slot);
        for row in 0..rows.rows() {
            let mut answers = Answers::default();
            let mut walk = Walk { slots: &self.slots, purpose: Purpose::Again, answers: &mut answers };
            walk.work(&mut instance, rows.columns().part(row, row + 1)).map_err(|mut trouble| {
                (trouble.row, trouble.state_kept) = (Some(row), true);
                trouble
            })?;
        }
        Ok(())
    }

    /// Takes the twin out: its row that did it and all after it are struck from the work.
    fn convict(&mut self, slot: u32, trouble: &Trouble, task: Task, faults: &mut Vec<TwinFault>) {
        let Some(twin) = self.slots.twin(slot) else { return };
        let standing = if trouble.state_kept { Standing::Quarantined } else { Standing::Lost };
        if let Some(pace) = self.slots.pace_mut(slot) {
            pace.standing = standing;
        }
        if standing == Standing::Lost {
            self.base.bury(slot);
        }
        let start = if let Task::Step { start } = task { start } else { self.log.rows() };
        let innocent = trouble.row.unwrap_or(0);
        let mut of_this_twin = 0;
        let mut first_row = None;
        let origin = std::mem::take(&mut self.origin);
        let mut kept = Vec::with_capacity(origin.len());
        self.log.retain(|row, owner| {
            let frame_row = row.checked_sub(start).and_then(|row| origin.get(row).copied());
            let mut keep = true;
            if owner == slot && row >= start {
                keep = of_this_twin < innocent;
                of_this_twin += 1;
            }
            match frame_row {
                Some(frame_row) if keep => kept.push(frame_row),
                Some(frame_row) => first_row = first_row.or(Some(frame_row)),
                None => {}
            }
            keep
        });
        self.origin = kept;
        let (kind, message) = (trouble.kind, trouble.message.clone());
        faults.push(TwinFault { twin, row: first_row, kind, message, quarantined: true });
    }

    /// An instance of `members` with the task done, for good.
    fn rebuild(&self, members: &[u32], task: Task) -> Result<Rebuilt, Trouble> {
        match task {
            Task::Step { start } => {
                let mut instance = self.assemble(members, start)?;
                let mut answers = Answers::default();
                let mut walk = Walk { slots: &self.slots, purpose: Purpose::Step, answers: &mut answers };
                walk.work(&mut instance, self.log.columns().part(start, self.log.rows()))?;
                Ok(Rebuilt { instance, answers, states: None })
            }
            Task::Save => {
                let mut instance = self.assemble(members, self.log.rows())?;
                let states = instance.snapshot(members, None)?;
                Ok(Rebuilt { instance, answers: Answers::default(), states: Some(states) })
            }
        }
    }

    fn rebuild_again(&self, group: &[u32], start: usize) -> Result<(), Trouble> {
        let mut instance = self.assemble(group, start)?;
        let mut answers = Answers::default();
        let mut walk = Walk { slots: &self.slots, purpose: Purpose::Again, answers: &mut answers };
        let rows = self.log.columns().part(start, self.log.rows());
        walk.work(&mut instance, rows.filtered(|_, slot| group.binary_search(&slot).is_ok()).columns())
    }

    /// An instance as it was before row `until` of the log, with these slots only (in ascending order).
    fn assemble(&self, members: &[u32], until: usize) -> Result<Instance, Trouble> {
        let member = |slot: u32| members.binary_search(&slot).is_ok();
        let mut instance = Instance::new(&self.compiled, &self.host)?;
        let openings = members.iter().filter_map(|&slot| Some((slot, self.slots.opening(slot)?)));
        let openings: Vec<_> = openings.map(|(slot, opening)| SlotOpening::of(slot, opening)).collect();
        instance.open(&openings)?;
        let states = self.base.of(member);
        if !states.slots().is_empty() {
            instance.restore(&states)?;
        }
        let replay = self
            .log
            .columns()
            .part(0, until)
            .filtered(|row, slot| member(slot) && self.base.lacks(row, slot));
        let mut answers = Answers::default();
        let mut walk = Walk { slots: &self.slots, purpose: Purpose::Again, answers: &mut answers };
        walk.work(&mut instance, replay.columns())?;
        match answers.refused.pop() {
            None => Ok(instance),
            Some((_, trouble)) => {
                Err(Trouble::answer("step", format!("refuses a row it once took: {}", trouble.message)))
            }
        }
    }
}

/// Finds those in `suspects`, who are known to fail together for `reason`, that fail `trial` on their own. Groups
/// left when `trials_max` trials are used up are given back whole.
pub(super) fn sift(
    suspects: Vec<u32>,
    reason: &Trouble,
    trials_max: u32,
    mut trial: impl FnMut(&[u32]) -> Result<(), Trouble>,
) -> Vec<(Vec<u32>, Trouble)> {
    let mut culprits = Vec::new();
    let mut trials = 0;
    let mut groups = Vec::new();
    split(&suspects, &mut groups);
    while let Some(group) = groups.pop() {
        if trials >= trials_max {
            let message =
                format!("not told apart from its neighbours in {trials_max} trials: {}", reason.message);
            let state_kept = reason.state_kept;
            culprits.push((group, Trouble { kind: FaultKind::Unresolved, message, row: None, state_kept }));
            continue;
        }
        trials += 1;
        match trial(&group) {
            Ok(()) => {}
            Err(trouble) if group.len() == 1 => culprits.push((group, trouble)),
            Err(_) => split(&group, &mut groups),
        }
    }
    culprits
}

/// Pushes the halves of `group`, the first one on top; a single one stays whole.
fn split(group: &[u32], groups: &mut Vec<Vec<u32>>) {
    let (left, right) = group.split_at(group.len() / 2);
    groups.extend([right, left].into_iter().filter(|half| !half.is_empty()).map(<[u32]>::to_vec));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(count: u32, bad: &[u32], trials_max: u32, expect: &[&[u32]]) {
        let mut trials = 0;
        let reason = Trouble::new(FaultKind::Trap, "together");
        let found = sift((0..count).collect(), &reason, trials_max, |group| {
            trials += 1;
            match group.iter().any(|slot| bad.contains(slot)) {
                true => Err(Trouble::new(FaultKind::Trap, "bad")),
                false => Ok(()),
            }
        });
        assert_eq!(found.iter().map(|(group, _)| group.as_slice()).collect::<Vec<_>>(), expect);
        assert!(trials <= trials_max);
    }

    #[test]
    fn the_guilty_are_found_by_halves() {
        check(1, &[0], 10, &[&[0]]);
        check(1, &[], 10, &[]);
        check(100, &[7], 20, &[&[7]]);
        check(9, &[0, 8], 20, &[&[0], &[8]]);
        check(8, &[], 20, &[]);
        check(4, &[0, 1, 2, 3], 3, &[&[0], &[1], &[2, 3]]);
    }
}
