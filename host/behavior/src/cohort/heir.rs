//! A new version that gets ready beside the incumbent. Opening thousands of twins may take a hundred milliseconds,
//! which no row should wait for: the shard gives away a `Household`, another thread makes an `Heir` of it and
//! rehearses there what lies ahead, and the shard makes a cohort of it, which takes the state in bit by bit.

use std::collections::BTreeSet;
use std::sync::Arc;

use geminus_core::TwinIndex;

use crate::base::Base;
use crate::cohort::Cohort;
use crate::cohort::handover::readable;
use crate::cohort::membership::{prepare, refusal};
use crate::cohort::sift::sift;
use crate::cohort::succession::SwapError;
use crate::compiled::Compiled;
use crate::host::HostCalls;
use crate::instance::Instance;
use crate::slots::{Opening, Slots};
use crate::states::{Snapshot, States};
use crate::trouble::{Refused, Trouble};

/// Who must be opened in a new version, as of the moment when it was asked.
pub struct Household {
    host: Arc<dyn HostCalls>,
    slots: Slots,
}

/// A new version with its twins open, waiting for their state.
pub struct Heir {
    compiled: Arc<Compiled>,
    host: Arc<dyn HostCalls>,
    /// `None` once it was given away.
    pub(super) instance: Option<Instance>,
    /// State right after opening.
    pub(super) fresh: States,
    /// Who is open.
    pub(super) slots: Slots,
}

impl Cohort {
    /// What a new version needs to get ready beside this one: cheap to copy, and free to go to another thread.
    #[must_use]
    pub fn household(&self) -> Household {
        Household { host: self.host.clone(), slots: self.slots.clone() }
    }
}

impl Household {
    /// These twins, without an incumbent to take over from.
    #[must_use]
    pub fn of(host: Arc<dyn HostCalls>, openings: Vec<Opening>) -> Self {
        let slots = Slots::of(openings.into_iter().map(Arc::new));
        Self { host, slots }
    }

    /// Only those of `twins` that live here.
    #[must_use]
    pub fn only(self, twins: &[TwinIndex]) -> Self {
        let wanted: BTreeSet<TwinIndex> = twins.iter().copied().collect();
        let chosen = self.slots.openings().filter(|opening| wanted.contains(&opening.twin)).cloned();
        let slots = Slots::of(chosen.collect::<Vec<_>>());
        Self { host: self.host, slots }
    }

    /// Number of twins.
    #[must_use]
    pub fn twins(&self) -> usize {
        self.slots.len()
    }

    /// Which they are, in order of their slots.
    pub fn members(&self) -> impl Iterator<Item = TwinIndex> {
        self.slots.iter().map(|(_, opening, _)| opening.twin)
    }

    /// The same twins, opened with these parameters: those that the new version's schema asks for.
    #[must_use]
    pub fn with_parameters(self, parameters: &Arc<[u8]>) -> Self {
        Self { slots: self.slots.with_parameters(parameters), ..self }
    }

    /// Makes an instance, opens all twins, saves and restores them once. Takes as long as the plugin needs to open
    /// its twins: do it on a thread that no row waits for.
    ///
    /// # Errors
    /// Names the twins that the new version refuses, or why it cannot be started at all.
    pub fn raise(self, compiled: Arc<Compiled>) -> Result<Heir, SwapError> {
        let members: Vec<u32> = self.slots.iter().map(|(slot, ..)| slot).collect();
        match prepare(&compiled, &self.host, &Arc::default(), &self.slots, &members, None) {
            Ok((instance, fresh)) => {
                Ok(Heir { compiled, host: self.host, instance: Some(instance), fresh, slots: self.slots })
            }
            Err(trouble) => Err(self.who_refuses(&compiled, members, None, &trouble)),
        }
    }

    /// Finds the twins with which `compiled` cannot do, after all together have failed.
    fn who_refuses(
        &self,
        compiled: &Compiled,
        members: Vec<u32>,
        carried: Option<&States>,
        trouble: &Trouble,
    ) -> SwapError {
        let to = compiled.declaration().label();
        if let Err(trouble) = Instance::new(compiled, &self.host, &Arc::default()) {
            return SwapError::Start { to, message: trouble.message };
        }
        let meter = Arc::default();
        let out = sift(members, trouble, compiled.engine.limits.trials_max, |group| {
            prepare(compiled, &self.host, &meter, &self.slots, group, carried).map(drop)
        });
        let pairs = out.iter().flat_map(|(group, trouble)| group.iter().map(move |&slot| (slot, trouble)));
        let refused: Vec<Refused> =
            pairs.filter_map(|(slot, trouble)| refusal(&self.slots, slot, trouble)).collect();
        if refused.is_empty() {
            return SwapError::Start { to, message: trouble.message.clone() };
        }
        SwapError::Refused { to, refused }
    }
}

impl Heir {
    /// The version that is ready.
    #[must_use]
    pub fn compiled(&self) -> &Arc<Compiled> {
        &self.compiled
    }

    /// The twins that are open, in order of their slots.
    pub fn twins(&self) -> impl Iterator<Item = TwinIndex> {
        self.slots.openings().map(|opening| opening.twin)
    }

    /// Tries what lies ahead in an instance of its own: restores this state, migrating it, saves what came of it and
    /// restores that. So state that is refused, and traps and hangs in `restore` and `snapshot`, are found where no
    /// row waits. Twins of the snapshot that are not open here are passed over; the heir itself stays fresh.
    ///
    /// # Errors
    /// Names the twins whose state is not taken, or says why the snapshot is none of this plugin's.
    pub fn rehearse(&mut self, snapshot: &Snapshot) -> Result<(), SwapError> {
        let declaration = self.compiled.declaration();
        readable(declaration, snapshot).map_err(SwapError::Restore)?;
        let states = snapshot.states(|twin| self.slots.find(twin));
        let members = states.slots().to_vec();
        match prepare(&self.compiled, &self.host, &Arc::default(), &self.slots, &members, Some(&states)) {
            Ok(_) => Ok(()),
            Err(trouble) => {
                let (host, slots) = (self.host.clone(), self.slots.clone());
                let household = Household { host, slots };
                Err(household.who_refuses(&self.compiled, members, Some(&states), &trouble))
            }
        }
    }

    /// A cohort of its own, whose twins have had no row yet. Their state is carried in with `Cohort::take_in`.
    #[must_use]
    pub fn into_cohort(self) -> Cohort {
        let slots = self.slots.renewed();
        Cohort::new(self.compiled, self.host, slots, Base::new(self.fresh), self.instance)
    }
}

impl std::fmt::Debug for Household {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Household").field("twins", &self.slots.len()).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Heir {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { compiled, slots, .. } = self;
        f.debug_struct("Heir")
            .field("compiled", compiled)
            .field("twins", &slots.len())
            .finish_non_exhaustive()
    }
}
