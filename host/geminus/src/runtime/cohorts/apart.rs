//! Twins that are held apart because of what their behavior did, and how they come back. Who is held apart is noted
//! by binding, whichever side did it; when and how one comes back is the ladder's to decide.

use std::collections::HashSet;
use std::sync::Arc;

use geminus_behavior::{Compiled, Heir, Snapshot};
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
    /// Opened anew, with this state or none: the heir has tried both elsewhere.
    Readmit(Box<Heir>, Option<Snapshot>),
    /// In an instance of another version, with its state in there already.
    Move(Box<Berth>),
}

/// What nobody needs any more, to be dropped where no row waits for it.
#[derive(Debug, Default)]
pub(crate) struct Left {
    pub(crate) berths: Vec<Berth>,
    _heir: Option<Box<Heir>>,
}

impl Cohorts {
    /// What a twin runs that the version with this number has, which is the incumbent's.
    pub(crate) fn compiled(&self, index: BindingIndex, twin: TwinIndex, of: u32) -> Option<Arc<Compiled>> {
        let berth = self.incumbent(index, twin).filter(|berth| berth.incarnation == of)?;
        Some(Arc::clone(berth.cohort.compiled()))
    }

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
    ) -> Result<Left, String> {
        if !self.is_apart(index, twin, of) {
            return Err("it is not held apart by this version any more".to_owned());
        }
        let group = self.groups.get_mut(&index).ok_or("nothing runs for it")?;
        let left = match how {
            Return::Move(berth) => Left { berths: group.incumbent.adopt(vec![*berth]), ..Left::default() },
            Return::Release => {
                let berth = group.incumbent.berth_mut(twin).ok_or("no instance has it")?;
                if !berth.enter().release(twin) {
                    return Err("it has no state that is known to be good".to_owned());
                }
                Left::default()
            }
            Return::Readmit(mut heir, state) => {
                let berth = group.incumbent.berth_mut(twin).ok_or("no instance has it")?;
                berth.enter().readmit(&mut heir, state.as_ref()).map_err(|refused| refused.message)?;
                Left { _heir: Some(heir), ..Left::default() }
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
