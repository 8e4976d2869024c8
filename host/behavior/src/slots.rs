//! Which twin has which slot, and how each stands. Slots are dense from 0 and given out anew after a close.

use std::sync::Arc;

use geminus_core::{Timestamp, TwinIndex};

use crate::instance::SlotOpening;

/// A twin that wants a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// Which.
    pub twin: TwinIndex,
    /// Its id, for messages.
    pub id: String,
    /// UTF-8 JSON object, valid under the declared parameter schema, defaults filled in.
    pub parameters: Arc<[u8]>,
    /// The only source of randomness that the behavior has for this twin.
    pub seed: u64,
}

/// How a twin stands in its cohort.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Gets its rows.
    Live,
    /// Gets no rows; its slot is open and holds its last good state.
    Quarantined,
    /// Gets no rows and has no slot in the instance: it broke the instance outside a step.
    Lost,
}

/// What `step` needs of a slot for every row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) standing: Standing,
    /// Time of the last row; 0 before the first.
    pub(crate) last_time: u64,
    /// Rows that had a result.
    pub(crate) rows: u64,
    /// Whether its last row said that it has converged; always false where no output says so.
    pub(crate) converged: bool,
}

impl Pace {
    /// Before the first row.
    const NEW: Self = Self { standing: Standing::Live, last_time: 0, rows: 0, converged: false };
}

/// The slots of a cohort.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slots {
    /// By slot.
    openings: Vec<Option<Arc<Opening>>>,
    paces: Vec<Pace>,
    /// By twin, from the lowest one on; `NONE` where the twin is not of this cohort.
    index: Vec<u32>,
    first_twin: u32,
    free: Vec<u32>,
}

const NONE: u32 = u32::MAX;

impl Slots {
    /// Slots for these twins, dense and as if never stepped; of a twin that comes twice the first counts.
    pub(crate) fn of(openings: impl IntoIterator<Item = Arc<Opening>>) -> Self {
        let mut slots = Self::default();
        for opening in openings {
            if slots.find(opening.twin).is_none() {
                slots.insert(opening);
            }
        }
        slots
    }

    /// The openings, in order of their slots.
    pub(crate) fn openings(&self) -> impl Iterator<Item = &Arc<Opening>> {
        self.openings.iter().flatten()
    }

    /// Everybody live, and as if never stepped.
    pub(crate) fn renewed(mut self) -> Self {
        self.paces.fill(Pace::NEW);
        self
    }

    pub(crate) fn len(&self) -> usize {
        self.openings.len() - self.free.len()
    }

    pub(crate) fn find(&self, twin: TwinIndex) -> Option<u32> {
        let place = twin.0.checked_sub(self.first_twin)?;
        self.index.get(place as usize).copied().filter(|&slot| slot != NONE)
    }

    pub(crate) fn pace(&self, slot: u32) -> Option<&Pace> {
        self.paces.get(slot as usize)
    }

    pub(crate) fn pace_mut(&mut self, slot: u32) -> Option<&mut Pace> {
        self.paces.get_mut(slot as usize)
    }

    pub(crate) fn opening(&self, slot: u32) -> Option<&Arc<Opening>> {
        self.openings.get(slot as usize)?.as_ref()
    }

    pub(crate) fn twin(&self, slot: u32) -> Option<TwinIndex> {
        self.opening(slot).map(|opening| opening.twin)
    }

    /// Lets a row of `twin` for `time` in. `Err(None)`: the twin is quarantined, which was said before.
    pub(crate) fn admit(&mut self, twin: TwinIndex, time: Timestamp) -> Result<u32, Option<String>> {
        let unknown = || Some(format!("twin number {} is not of this cohort", twin.0));
        let slot = self.find(twin).ok_or_else(unknown)?;
        let pace = self.pace_mut(slot).ok_or_else(unknown)?;
        if pace.standing != Standing::Live {
            return Err(None);
        }
        if time.0 <= pace.last_time && pace.last_time != 0 {
            return Err(Some(format!(
                "row for {} is not later than the last one, {}",
                time.0, pace.last_time
            )));
        }
        pace.last_time = time.0;
        Ok(slot)
    }

    /// All slots with a twin.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Arc<Opening>, Pace)> {
        let members = self.openings.iter().zip(&self.paces).zip(0..);
        members.filter_map(|((opening, pace), slot)| Some((slot, opening.as_ref()?, *pace)))
    }

    /// Slots that are open in the instance.
    pub(crate) fn open(&self) -> Vec<u32> {
        self.iter().filter(|(.., pace)| pace.standing != Standing::Lost).map(|(slot, ..)| slot).collect()
    }

    /// Gives `opening` a slot; the twin must not have one.
    pub(crate) fn insert(&mut self, opening: Arc<Opening>) -> u32 {
        let twin = opening.twin;
        let slot = self.free.pop().unwrap_or_else(|| {
            self.openings.push(None);
            self.paces.push(Pace::NEW);
            u32::try_from(self.openings.len() - 1).unwrap_or(NONE)
        });
        if let (Some(place), Some(old)) =
            (self.openings.get_mut(slot as usize), self.paces.get_mut(slot as usize))
        {
            (*place, *old) = (Some(opening), Pace::NEW);
        }
        self.point(twin, slot);
        slot
    }

    /// The same slots, with every twin's parameters replaced.
    pub(crate) fn with_parameters(&self, parameters: &Arc<[u8]>) -> Self {
        let mut slots = self.clone();
        for opening in slots.openings.iter_mut().flatten() {
            *opening = Arc::new(Opening { parameters: Arc::clone(parameters), ..(**opening).clone() });
        }
        slots
    }

    pub(crate) fn remove(&mut self, slot: u32) {
        if let Some(opening) = self.openings.get_mut(slot as usize).and_then(Option::take) {
            self.point(opening.twin, NONE);
            self.free.push(slot);
        }
    }

    fn point(&mut self, twin: TwinIndex, slot: u32) {
        if self.index.is_empty() {
            self.first_twin = twin.0;
        }
        if let Some(missing) = self.first_twin.checked_sub(twin.0).filter(|&missing| missing > 0) {
            self.index.splice(0..0, std::iter::repeat_n(NONE, missing as usize));
            self.first_twin = twin.0;
        }
        let place = (twin.0 - self.first_twin) as usize;
        if self.index.len() <= place {
            self.index.resize(place + 1, NONE);
        }
        if let Some(entry) = self.index.get_mut(place) {
            *entry = slot;
        }
    }
}

impl<'a> SlotOpening<'a> {
    pub(crate) fn of(slot: u32, opening: &'a Opening) -> Self {
        Self {
            slot,
            twin: opening.twin,
            id: &opening.id,
            parameters: &opening.parameters,
            seed: opening.seed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opening(twin: u32) -> Arc<Opening> {
        Arc::new(Opening {
            twin: TwinIndex(twin),
            id: format!("t{twin}"),
            parameters: Arc::from([]),
            seed: 0,
        })
    }

    #[test]
    fn slots_are_dense_found_by_twin_and_given_out_anew() {
        let mut slots = Slots::default();
        assert_eq!([70, 5, 900].map(|twin| slots.insert(opening(twin))), [0, 1, 2]);
        assert_eq!(
            [5, 70, 900, 6, 4, 901].map(|t| slots.find(TwinIndex(t))),
            [Some(1), Some(0), Some(2), None, None, None]
        );
        slots.remove(0);
        assert_eq!((slots.find(TwinIndex(70)), slots.len()), (None, 2));
        assert_eq!(slots.insert(opening(71)), 0);
        assert_eq!(slots.iter().map(|(_, o, _)| o.twin.0).collect::<Vec<_>>(), [71, 5, 900]);
    }
}
