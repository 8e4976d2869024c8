//! A trial's way through a shard: it is put beside the incumbent, told whom it should answer for, moved between two rows,
//! and in the end settles or is taken away.

use geminus_core::TwinIndex;
use geminus_rollout::Phase;
use geminus_twin::BindingIndex;

use super::Cohorts;
use super::apart::held_apart;
use super::side::Berth;
use super::trial::{self, Counts, Moved, Standing, Trial, Wanted};

impl Cohorts {
    /// Puts a candidate beside the incumbent.
    ///
    /// # Errors
    /// When there is one already.
    pub(crate) fn begin(&mut self, index: BindingIndex, trial: Trial) -> Result<(), String> {
        let group = self.groups.entry(index).or_default();
        match &group.trial {
            Some(other) => Err(format!("rollout {} is under way", other.rollout)),
            None => {
                group.trial = Some(trial);
                Ok(())
            }
        }
    }

    /// Says whom the candidate should answer for in a phase. False when there is none.
    pub(crate) fn want(&mut self, index: BindingIndex, wanted: Wanted, phase: Phase) -> bool {
        let trial = self.groups.get_mut(&index).and_then(|group| group.trial.as_mut());
        trial.map(|trial| trial.want(wanted, phase)).is_some()
    }

    /// How far the trial is; `is_quiet` says of whom no row can be expected now.
    pub(crate) fn standing(
        &self,
        index: BindingIndex,
        is_quiet: &dyn Fn(TwinIndex) -> bool,
    ) -> Option<Standing> {
        Some(self.trial(index)?.standing(is_quiet))
    }

    /// Whether a trial has something to do between rows.
    pub(crate) fn is_moving(&self) -> bool {
        self.groups.values().any(|group| group.trial.as_ref().is_some_and(Trial::is_moving))
    }

    /// One piece of it.
    pub(crate) fn advance(&mut self) -> Vec<(BindingIndex, Moved)> {
        let mut all = Vec::new();
        for (index, group) in &mut self.groups {
            let Some(trial) = group.trial.as_mut().filter(|trial| trial.is_moving()) else { continue };
            let mut moved = trial.advance(&mut group.incumbent);
            for twin in &moved.to_candidate {
                self.quarantined.remove(&(*index, *twin));
            }
            moved.apart =
                held_apart(&mut self.quarantined, *index, &group.incumbent, &moved.to_incumbent, |twin| {
                    trial.apart_in_incumbent(twin)
                });
            all.push((*index, moved));
        }
        all
    }

    /// Counts proposals that interlocks would refuse, for the version that made them: `heard` are rows of the answers
    /// that count, `unheard` those of the other side, one entry a proposal.
    pub(crate) fn refused_proposals(
        &mut self,
        index: BindingIndex,
        compared: &[Option<Counts>],
        heard: &[u32],
        unheard: &[u32],
    ) {
        let Some(trial) = self.groups.get_mut(&index).and_then(|group| group.trial.as_mut()) else { return };
        let of = |rows: &[u32], whose: Counts| {
            let compared = rows.iter().filter_map(|row| compared.get(*row as usize).copied().flatten());
            compared.filter(|counts| *counts == whose).count() as u64
        };
        let old = of(heard, Counts::Incumbent) + of(unheard, Counts::Candidate);
        let new = of(heard, Counts::Candidate) + of(unheard, Counts::Incumbent);
        trial.refused_proposals(old, new);
    }

    /// The candidate becomes the incumbent of its twins. Gives what becomes of them (those that the incumbent has
    /// answered for up to here change sides now), and what nobody needs any more, to be dropped where no row waits for it.
    pub(crate) fn settle(&mut self, index: BindingIndex) -> (Moved, Vec<Berth>) {
        let Some(group) = self.groups.get_mut(&index) else { return Default::default() };
        let Some(mut trial) = group.trial.take() else { return Default::default() };
        let twins: Vec<TwinIndex> = trial.side().twins().collect();
        // One that the candidate holds apart is answered by nobody, and is told as such.
        let is_late = |twin: &TwinIndex| {
            let live = trial.side().standing(*twin) == Some(geminus_behavior::Standing::Live);
            live && !trial.is_authoritative(*twin)
        };
        let late: Vec<TwinIndex> = twins.iter().copied().filter(is_late).collect();
        let mut moved = Moved::default();
        trial::states(trial.side_mut(), &late, &mut moved.states);
        let left = group.incumbent.adopt(std::mem::take(trial.side_mut()).into_berths());
        moved.apart = held_apart(&mut self.quarantined, index, &group.incumbent, &twins, |twin| {
            trial.apart_in_candidate(twin)
        });
        moved.to_candidate = late;
        (moved, left)
    }

    /// Takes the candidate away; the incumbent answers for all. Gives who has it back, and what is left over.
    pub(crate) fn withdraw(&mut self, index: BindingIndex) -> (Moved, Vec<Berth>) {
        let Some(group) = self.groups.get_mut(&index) else { return Default::default() };
        let Some(trial) = group.trial.take() else { return Default::default() };
        let back: Vec<TwinIndex> =
            trial.side().twins().filter(|twin| trial.is_authoritative(*twin)).collect();
        let mut moved = Moved::default();
        trial::states(&mut group.incumbent, &back, &mut moved.states);
        moved.apart = held_apart(&mut self.quarantined, index, &group.incumbent, &back, |twin| {
            trial.apart_in_incumbent(twin)
        });
        moved.to_incumbent = back;
        (moved, trial.into_side().into_berths())
    }
}
