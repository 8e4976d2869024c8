//! Twins come and go. A newcomer is first tried in an instance of its own, where it is opened, saved and
//! restored; only then is it let in. So a twin whose parameters are refused, or that crashes the code, does not
//! stop the others, and what a recovery will need has been seen to work.

use std::sync::Arc;

use geminus_core::TwinIndex;

use crate::base::Base;
use crate::cohort::Cohort;
use crate::cohort::recovery::Task;
use crate::cohort::search::Purse;
use crate::cohort::sift::sift;
use crate::columns::Sheet;
use crate::compiled::Compiled;
use crate::host::HostCalls;
use crate::instance::{Instance, SlotOpening, Stride};
use crate::meter::Meter;
use crate::slots::{Opening, Slots};
use crate::states::States;
use crate::trouble::{FaultKind, Refused, Trouble};

/// Why there is no cohort.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// The component cannot be instantiated, whoever its twins are.
    #[error("{label} cannot be started: {message}")]
    Instantiate {
        /// Which plugin.
        label: String,
        /// What happened.
        message: String,
    },
    /// More twins than the site allows in one cohort.
    #[error("{count} twins for one cohort of {label}, {count_max} are allowed")]
    TooMany {
        /// Which plugin.
        label: String,
        /// Twins asked for.
        count: usize,
        /// The limit.
        count_max: u32,
    },
    /// Not one twin was taken up.
    #[error("{label} takes up none of its {} twins: {}", refused.len(), refused.first().map_or("", |r| &r.message))]
    AllRefused {
        /// Which plugin.
        label: String,
        /// All of them, each with its reason.
        refused: Vec<Refused>,
    },
}

impl Cohort {
    /// Instantiates the component and opens a slot for each twin. Twins that are refused are given back beside
    /// the cohort, with the reason; the others run. Takes about a microsecond a twin.
    ///
    /// # Errors
    /// When the component itself cannot be started, or takes up none of its twins.
    pub fn start(
        compiled: Arc<Compiled>,
        host: Arc<dyn HostCalls>,
        openings: Vec<Opening>,
    ) -> Result<(Self, Vec<Refused>), StartError> {
        let declaration = compiled.declaration().clone();
        let label = declaration.label();
        let (count, count_max) = (openings.len(), compiled.engine.limits.slots_max);
        if count > count_max as usize {
            return Err(StartError::TooMany { label, count, count_max });
        }
        let meter = Arc::default();
        if let Err(trouble) = Instance::new(&compiled, &host, &meter) {
            return Err(StartError::Instantiate { label, message: trouble.message });
        }
        let base = Base::new(States::empty(declaration.state.schema));
        let mut cohort = Self::new(compiled, host, Slots::default(), base, None);
        let refused = cohort.open(openings);
        if count > 0 && refused.len() == count {
            return Err(StartError::AllRefused { label, refused });
        }
        Ok((cohort, refused))
    }

    /// A cohort with these slots, as they are in `instance`.
    pub(super) fn new(
        compiled: Arc<Compiled>,
        host: Arc<dyn HostCalls>,
        slots: Slots,
        base: Base,
        instance: Option<Instance>,
    ) -> Self {
        let meter = instance.as_ref().map_or_else(Arc::default, |instance| Arc::clone(instance.meter()));
        Self {
            log: Sheet::new(compiled.declaration().inputs.len()),
            compiled,
            host,
            slots,
            instance,
            base,
            origin: Vec::new(),
            refused_rows: Vec::new(),
            faults: Vec::new(),
            meter,
            purse: Purse::default(),
            rows: 0,
            rebuilds: 0,
        }
    }

    /// Gives more twins a slot; those that are not taken up are given back with the reason.
    pub fn open(&mut self, openings: Vec<Opening>) -> Vec<Refused> {
        self.begin();
        let mut refused = Vec::new();
        let mut newcomers = Vec::new();
        for opening in openings {
            let room = self.slots.len() < self.compiled.engine.limits.slots_max as usize;
            match self.slots.find(opening.twin) {
                None if room => newcomers.push(self.slots.insert(Arc::new(opening))),
                None => refused.push(turned_away(opening, "the cohort is full")),
                Some(_) => refused.push(turned_away(opening, "it is open already")),
            }
        }
        newcomers.sort_unstable();
        let tried = self.try_newcomers(&mut newcomers, &mut refused);
        let Some((instance, states)) = tried.filter(|_| !newcomers.is_empty()) else { return refused };
        if self.instance.is_none() && newcomers.len() == self.slots.len() {
            (self.instance, self.base) = (Some(instance), Base::new(states));
        } else {
            drop(instance);
            self.let_in(&newcomers, &states);
        }
        refused
    }

    /// Forgets twins; those that have no slot are passed over.
    pub fn close(&mut self, twins: &[TwinIndex]) {
        self.begin();
        let mut leaving: Vec<u32> = twins.iter().filter_map(|&twin| self.slots.find(twin)).collect();
        leaving.sort_unstable();
        leaving.dedup();
        let open: Vec<u32> = leaving.iter().copied().filter(|&slot| self.is_open(slot)).collect();
        leaving.iter().for_each(|&slot| self.slots.remove(slot));
        let stays = |slot: u32| leaving.binary_search(&slot).is_err();
        let base = &self.base;
        self.log.retain(|row, slot| stays(slot) && base.lacks(row, slot));
        self.base.keep(stays);
        let closed = self.instance.as_mut().map(|instance| instance.close(&open));
        if let Some(Err(trouble)) = closed {
            self.mend(&trouble);
        }
    }

    /// Tries the newcomers in an instance of their own and leaves out those who fail.
    fn try_newcomers(
        &mut self,
        newcomers: &mut Vec<u32>,
        refused: &mut Vec<Refused>,
    ) -> Option<(Instance, States)> {
        let prepare =
            |group: &[u32]| prepare(&self.compiled, &self.host, &self.meter, &self.slots, group, None);
        let reason = match prepare(newcomers) {
            Ok(ready) => return Some(ready),
            Err(trouble) => trouble,
        };
        let trials_max = self.compiled.engine.limits.trials_max;
        let mut out = sift(newcomers.clone(), &reason, trials_max, |group| prepare(group).map(drop));
        newcomers.retain(|slot| !out.iter().any(|(group, _)| group.contains(slot)));
        let ready = prepare(newcomers);
        if let Err(trouble) = &ready {
            out.push((std::mem::take(newcomers), trouble.clone()));
        }
        for (group, trouble) in out {
            for slot in group {
                refused.extend(refusal(&self.slots, slot, &trouble));
                self.slots.remove(slot);
            }
        }
        ready.ok()
    }

    /// `states` are the newcomers' right after opening, which they are in any instance.
    pub(super) fn let_in(&mut self, newcomers: &[u32], states: &States) {
        let members = newcomers.iter().filter_map(|&slot| Some((slot, self.slots.opening(slot)?)));
        let openings: Vec<_> = members.map(|(slot, opening)| SlotOpening::of(slot, opening)).collect();
        let opened = match &mut self.instance {
            Some(instance) => instance.open(&openings, Stride::Many),
            None => Err(Trouble::new(FaultKind::Unresolved, "there is no instance")),
        };
        let mut faults = std::mem::take(&mut self.faults);
        match opened {
            Ok(()) => self.base.put(states, self.log.rows()),
            Err(trouble) => {
                self.recover(Task::Other, self.log.rows(), &trouble, &mut faults);
                self.save(&mut faults);
            }
        }
        self.faults = faults;
    }
}

/// A new instance with these slots (in ascending order) open, their state restored, saved and restored once more; with
/// the state as it was saved. Tried with much in each call; if that breaks, one by one, so that each has its budget.
pub(super) fn prepare(
    compiled: &Compiled,
    host: &Arc<dyn HostCalls>,
    meter: &Arc<Meter>,
    slots: &Slots,
    group: &[u32],
    carried: Option<&States>,
) -> Result<(Instance, States), Trouble> {
    let by = |stride| {
        let instance = Instance::new(compiled, host, meter)?;
        prepare_in(instance, slots, group, carried, stride)
    };
    match by(Stride::Many) {
        Err(trouble) if trouble.kind == FaultKind::Fuel && group.len() > 1 => by(Stride::One),
        done => done,
    }
}

/// The same in an instance that is new.
pub(super) fn prepare_in(
    mut instance: Instance,
    slots: &Slots,
    group: &[u32],
    carried: Option<&States>,
    stride: Stride,
) -> Result<(Instance, States), Trouble> {
    let members = group.iter().filter_map(|&slot| Some((slot, slots.opening(slot)?)));
    let openings: Vec<_> = members.map(|(slot, opening)| SlotOpening::of(slot, opening)).collect();
    instance.open(&openings, stride)?;
    let carried = carried.map(|states| states.filtered(|slot| group.binary_search(&slot).is_ok()));
    if let Some(states) = carried.filter(|states| states.schema() != 0) {
        instance.restore(&states, stride)?;
    }
    let schema = instance.schema();
    if schema == 0 || group.is_empty() {
        return Ok((instance, States::empty(schema)));
    }
    let states = instance.snapshot(group, None, stride)?;
    instance.restore(&states, stride)?;
    Ok((instance, states))
}

pub(super) fn refusal(slots: &Slots, slot: u32, trouble: &Trouble) -> Option<Refused> {
    let opening = slots.opening(slot)?;
    let (kind, message) = (trouble.kind, trouble.message.clone());
    Some(Refused { twin: opening.twin, id: opening.id.clone(), kind, message })
}

fn turned_away(opening: Opening, why: &str) -> Refused {
    Refused { twin: opening.twin, id: opening.id, kind: FaultKind::Row, message: why.to_owned() }
}
