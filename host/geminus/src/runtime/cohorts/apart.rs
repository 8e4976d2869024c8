//! Twins that are held apart because of what their behavior did, and how they come back. Who is held apart is noted
//! by binding, whichever side did it; when and how one comes back is the ladder's to decide.

use std::collections::HashSet;

use geminus_behavior::{Opening, Snapshot};
use geminus_core::TwinIndex;
use geminus_twin::BindingIndex;

use super::Cohorts;
use super::side::{Berth, Side};
use super::trial::Apart;

/// How a twin that is held apart comes back.
#[derive(Debug)]
pub(crate) enum Return {
    /// With the last state that was good.
    Release,
    /// Opened anew, with this state or none.
    Reopen(Box<Opening>, Option<Snapshot>),
    /// In an instance of another version, with its state in there already.
    Move(Box<Berth>),
}

impl Cohorts {
    /// Whether this twin gets no rows of this binding because of what it did.
    pub(crate) fn is_quarantined(&self, index: BindingIndex, twin: TwinIndex) -> bool {
        self.quarantined.contains(&(index, twin))
    }

    /// Number of twins that are held apart.
    pub(crate) fn quarantined(&self, index: BindingIndex) -> usize {
        self.quarantined.iter().filter(|(binding, _)| *binding == index).count()
    }

    /// Holds a twin apart that an earlier run held apart. False when no instance has it.
    pub(crate) fn hold(&mut self, index: BindingIndex, twin: TwinIndex) -> bool {
        let berth = self.groups.get_mut(&index).and_then(|group| group.incumbent.berth_mut(twin));
        let held = berth.is_some_and(|berth| berth.cohort.hold(twin));
        if held {
            self.quarantined.insert((index, twin));
        }
        held
    }

    /// Whether a twin has no rows because the version with this number, which is the incumbent, holds it apart.
    pub(crate) fn is_apart(&self, index: BindingIndex, twin: TwinIndex, of: u32) -> bool {
        self.incumbent(index, twin).is_none_or(|berth| {
            let live = berth.cohort.standing(twin) == Some(geminus_behavior::Standing::Live);
            berth.incarnation == of && !live
        })
    }

    /// Lets a twin come back that the version `of` holds apart.
    ///
    /// # Errors
    /// Why it cannot.
    pub(crate) fn reinstate(
        &mut self,
        index: BindingIndex,
        twin: TwinIndex,
        of: u32,
        how: Return,
    ) -> Result<Vec<Berth>, String> {
        if !self.is_apart(index, twin, of) {
            return Err("it is not held apart by this version any more".to_owned());
        }
        let group = self.groups.get_mut(&index).ok_or("nothing runs for it")?;
        let left = match how {
            Return::Move(berth) => group.incumbent.adopt(vec![*berth]),
            Return::Release => {
                let berth = group.incumbent.berth_mut(twin).ok_or("no instance has it")?;
                if !berth.enter().release(twin) {
                    return Err("it has no state that is known to be good".to_owned());
                }
                Vec::new()
            }
            Return::Reopen(opening, state) => {
                let berth = group.incumbent.berth_mut(twin).ok_or("no instance has it")?;
                berth.enter().reopen(*opening, state.as_ref()).map_err(|refused| refused.message)?;
                Vec::new()
            }
        };
        self.quarantined.remove(&(index, twin));
        Ok(left)
    }
}

/// Notes of twins that a side has come to answer for whether it holds them apart; gives those of whom that is news.
pub(super) fn held_apart(
    quarantined: &mut HashSet<(BindingIndex, TwinIndex)>,
    index: BindingIndex,
    side: &Side,
    twins: &[TwinIndex],
    why: impl Fn(TwinIndex) -> Apart,
) -> Vec<Apart> {
    let mut apart = Vec::new();
    for twin in twins {
        match side.standing(*twin) {
            Some(geminus_behavior::Standing::Live) => {
                quarantined.remove(&(index, *twin));
            }
            _ if quarantined.insert((index, *twin)) => apart.push(why(*twin)),
            _ => {}
        }
    }
    apart
}
