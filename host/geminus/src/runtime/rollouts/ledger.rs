//! The end of a rollout: the ledger says whose version is in force, and one side is dropped. The ledger is written in
//! one commit. Before it, any failure leaves the incumbent; after it, the candidate is what runs, and what goes wrong is
//! told and taken back by nobody.

use geminus_core::{Digest, TwinIndex};
use geminus_rollout::Phase;
use geminus_twin::BindingIndex;

use super::Conductor;
use crate::runtime::cohorts::Version;
use crate::runtime::message::Ask;
use crate::runtime::plugins::Active;

/// What becomes of the twins of a behavior.
struct Heirs {
    /// Those of the rollout that had a version of their own, of a rollout of the whole behavior.
    freed: Vec<TwinIndex>,
    /// Those that stay with what all ran so far.
    stay: Vec<TwinIndex>,
    /// What that is.
    before: Option<Digest>,
}

impl Conductor {
    /// Assigns the new version and drops the old one.
    ///
    /// # Errors
    /// When the ledger could not be written; then nothing has changed.
    pub(super) fn settle(&mut self, index: BindingIndex) -> Result<(), String> {
        let run = self.runs.get(&index).ok_or("there is no such rollout")?;
        let version = run.version.clone().ok_or("nothing was compiled")?;
        let heirs = self.heirs(index);
        self.enter_ledger(index, &heirs)?;
        self.drop_incumbent(index);
        self.show_settled(index, version, &heirs);
        Ok(())
    }

    fn heirs(&self, index: BindingIndex) -> Heirs {
        let board = self.floor.board.lock();
        let before = board.active.get(index.0 as usize).and_then(Option::as_ref).map(Active::digest);
        let (Some(binding), Some(run)) = (self.floor.binding(index), self.runs.get(&index)) else {
            return Heirs { freed: Vec::new(), stay: Vec::new(), before };
        };
        let has_own = |twin: &&TwinIndex| board.pinned.contains_key(&(index, **twin));
        let others = binding.twins.iter().filter(|twin| !run.twins.contains(twin));
        Heirs {
            freed: run.twins.iter().filter(has_own).copied().filter(|_| run.whole).collect(),
            stay: others.filter(|twin| !has_own(twin)).copied().filter(|_| run.whole).collect(),
            before,
        }
    }

    /// All of it in one commit, together with the phase of the rollout.
    fn enter_ledger(&self, index: BindingIndex, heirs: &Heirs) -> Result<(), String> {
        let run = self.runs.get(&index).ok_or("there is no such rollout")?;
        let id = |twin: &TwinIndex| Some(crate::runtime::id_of(&self.floor.plant, *twin));
        let (new, before) = (run.package.digest.to_string(), heirs.before.map(|digest| digest.to_string()));
        let mut changes = Vec::new();
        match run.whole {
            true => {
                changes.extend(heirs.freed.iter().map(|twin| (id(twin), None)));
                if let Some(before) = &before {
                    changes.extend(heirs.stay.iter().map(|twin| (id(twin), Some(before.as_str()))));
                }
                changes.push((None, Some(new.as_str())));
            }
            false => changes.extend(run.twins.iter().map(|twin| (id(twin), Some(new.as_str())))),
        }
        let control = &self.floor.control;
        control
            .hand_over(run.id, Phase::Permanent.name(), &run.record.binding, &changes)
            .map_err(|error| format!("the new version cannot be assigned: {error}"))
    }

    /// What a shard does not answer to, it does later: nothing stands before it in its queue that could change that.
    fn drop_incumbent(&mut self, index: BindingIndex) {
        for answer in self.floor.ask_each(|reply| Ask::Settle(index, reply)) {
            match answer {
                Ok(left) => self.floor.drop_apart(left),
                Err(reason) => self.trouble("an old version is not dropped yet", &reason),
            }
        }
        let Some(run) = self.runs.get_mut(&index) else { return };
        run.stands = false;
        let digest = run.package.digest.to_string();
        // Whoever was left out because the host crashed in it has now run through a whole rollout.
        if let Err(error) = self.floor.control.forgive_crash(&digest) {
            self.trouble("crashes in a version that took over are still counted", &error.to_string());
        }
    }

    fn show_settled(&self, index: BindingIndex, version: Version, heirs: &Heirs) {
        let Some(run) = self.runs.get(&index) else { return };
        let mut board = self.floor.board.lock();
        if let Some(before) = heirs.before {
            board.pinned.extend(heirs.stay.iter().map(|twin| ((index, *twin), before)));
        }
        for twin in run.twins.iter() {
            match run.whole {
                true => board.pinned.remove(&(index, *twin)),
                false => board.pinned.insert((index, *twin), version.compiled.digest()),
            };
            board.strikes.remove(&(index, *twin));
            board.given_up.remove(&(index, *twin, version.compiled.digest()));
        }
        if let Some(place) = board.active.get_mut(index.0 as usize).filter(|_| run.whole) {
            *place = Some(Active { version, since: self.floor.clock.now() });
        }
    }

    pub(super) fn withdraw(&mut self, index: BindingIndex) -> Result<(), String> {
        let Some(run) = self.runs.get_mut(&index) else { return Ok(()) };
        let (id, twins) = (run.id, &mut run.record.twins);
        (twins.enrolled, twins.warm, twins.authoritative) = (0, 0, 0);
        if !std::mem::take(&mut run.stands) {
            return Ok(());
        }
        let mut trouble = Ok(());
        for answer in self.floor.ask_each(|reply| Ask::Withdraw(index, id, reply)) {
            match answer {
                Ok(left) => self.floor.drop_apart(left),
                Err(reason) => trouble = Err(reason),
            }
        }
        trouble
    }
}
