//! The instances of one shard. For each binding an incumbent side (one cohort, several for a large fleet since an
//! instance has its memory limit, one per twin where the site asks for isolation) and, while a rollout is under way,
//! a candidate beside it. Whatever moves between them moves between two rows.

mod apart;
mod conduct;
pub(crate) mod costs;
mod fork;
mod saved;
pub(crate) mod side;
pub(crate) mod trial;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use geminus_behavior::{
    Cohort, Compiled, HostCalls, Household, Opening, Refused, Snapshot, StartError, TwinFault,
};
use geminus_core::{Declaration, Digest, Frame, TwinIndex};
use geminus_twin::plant::Binding;
use geminus_twin::site::Isolation;
use geminus_twin::{BindingIndex, Plant};

use crate::runtime::meters::Account;
pub(crate) use apart::{Left, Return};
pub(crate) use saved::Saved;
use side::{Berth, Charge, Side, Stepped, Watch};
use trial::{Aside, Trial};

/// Twins in one instance: with four kibibytes a twin, which is much, half of the memory that plugins usually ask for.
pub(crate) const COHORT_TWINS_MAX: usize = 8_192;

/// A plugin version as it runs for a binding.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    pub(crate) compiled: Arc<Compiled>,
    pub(crate) parameters: Arc<[u8]>,
    /// Number of digest and parameters for this binding in `control.db`; never 0.
    pub(crate) incarnation: u32,
}

impl Version {
    pub(crate) fn label(&self) -> String {
        self.compiled.declaration().label()
    }

    /// Its digest as `sha256:…`.
    pub(crate) fn digest(&self) -> String {
        self.compiled.digest().to_string()
    }
}

/// What a binding runs on in this shard.
#[derive(Debug, Default)]
struct Group {
    incumbent: Side,
    trial: Option<Trial>,
}

/// All instances of a shard.
#[derive(Debug, Default)]
pub(crate) struct Cohorts {
    groups: HashMap<BindingIndex, Group>,
    quarantined: HashSet<(BindingIndex, TwinIndex)>,
}

/// What a twin costs in one version of one behavior.
#[derive(Clone, Debug)]
pub(crate) struct TwinCharge {
    pub(crate) twin: TwinIndex,
    pub(crate) binding: BindingIndex,
    /// Of the version.
    pub(crate) account: Arc<Account>,
    pub(crate) charge: Charge,
}

/// A frame's answers, and what the side made that does not count.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// With the faults of the incumbent in twins that it answers for. Those of a candidate stand in its tally.
    pub(crate) stepped: Stepped,
    pub(crate) aside: Aside,
    /// Faults of the incumbent in twins that the candidate answers for.
    pub(crate) silent: Vec<TwinFault>,
}

/// What each twin's slot is opened with. The seed depends on names only, so it is the same after a restart.
pub(crate) fn openings(
    plant: &Plant,
    binding: &Binding,
    twins: &[TwinIndex],
    parameters: &Arc<[u8]>,
) -> Vec<Opening> {
    let opening = |&twin: &TwinIndex| {
        let id = plant.twin(twin)?.id.to_string();
        let seed = seed(&plant.name, &binding.name, &id);
        Some(Opening { twin, id, parameters: Arc::clone(parameters), seed })
    };
    twins.iter().filter_map(opening).collect()
}

/// The only randomness of a behavior: from the names of site, binding and twin.
pub(crate) fn seed(site: &str, binding: &str, twin: &str) -> u64 {
    let digest = Digest::of(format!("{site}\0{binding}\0{twin}").as_bytes());
    digest.bytes().iter().take(8).fold(0, |seed, &byte| (seed << 8) | u64::from(byte))
}

/// Twins that share an instance under this binding.
pub(crate) fn twins_per_instance(binding: &Binding) -> usize {
    match binding.isolation {
        Isolation::Cohort => COHORT_TWINS_MAX,
        Isolation::Dedicated => 1,
    }
}

impl Cohorts {
    /// Starts instances of a version for some twins of a binding. Twins that are refused are given back.
    pub(crate) fn start(
        &mut self,
        index: BindingIndex,
        binding: &Binding,
        (version, account): (&Version, &Arc<Account>),
        host: &Arc<dyn HostCalls>,
        openings: Vec<Opening>,
    ) -> Result<Vec<Refused>, StartError> {
        if openings.is_empty() {
            return Ok(Vec::new());
        }
        let twins_max = twins_per_instance(binding);
        let (mut berths, mut refused) = (Vec::new(), Vec::new());
        let (mut openings, mut nobody) = (openings.into_iter().peekable(), None);
        while openings.peek().is_some() {
            let some: Vec<Opening> = openings.by_ref().take(twins_max).collect();
            match Cohort::start(Arc::clone(&version.compiled), Arc::clone(host), some) {
                Ok((cohort, some)) => {
                    refused.extend(some);
                    berths.push(Berth::new(cohort, version.incarnation, Arc::clone(account)));
                }
                Err(StartError::AllRefused { label, refused: all }) => {
                    refused.extend(all.iter().cloned());
                    nobody.get_or_insert(StartError::AllRefused { label, refused: all });
                }
                Err(error) => return Err(error),
            }
        }
        if let Some(error) = nobody.filter(|_| berths.is_empty() && twins_max > 1) {
            return Err(error);
        }
        self.quarantined.extend(refused.iter().map(|twin| (index, twin.twin)));
        drop(self.groups.entry(index).or_default().incumbent.adopt(berths));
        Ok(refused)
    }

    /// Whether somebody answers for this twin's binding here.
    pub(crate) fn runs(&self, index: BindingIndex) -> bool {
        self.groups.get(&index).is_some_and(|group| !group.incumbent.is_empty())
    }

    /// The instance that answers for a twin.
    pub(crate) fn berth(&self, index: BindingIndex, twin: TwinIndex) -> Option<&Berth> {
        let group = self.groups.get(&index)?;
        let trial = group.trial.as_ref().filter(|trial| trial.is_authoritative(twin));
        trial.map_or(&group.incumbent, Trial::side).berth(twin)
    }

    /// The incumbent's instance of a twin, whoever answers for it.
    pub(crate) fn incumbent(&self, index: BindingIndex, twin: TwinIndex) -> Option<&Berth> {
        self.groups.get(&index)?.incumbent.berth(twin)
    }

    /// What the version with this number declares that has the twin.
    pub(crate) fn declared(
        &self,
        index: BindingIndex,
        twin: TwinIndex,
        by: u32,
    ) -> Option<&Arc<Declaration>> {
        let berth = self.berths(index, twin).find(|berth| berth.incarnation == by);
        berth.map(|berth| berth.cohort.compiled().declaration())
    }

    /// What the version declares that has the twin besides the one with this number.
    pub(crate) fn declared_aside(
        &self,
        index: BindingIndex,
        twin: TwinIndex,
        by: u32,
    ) -> Option<&Declaration> {
        let other = self.berths(index, twin).find(|berth| berth.incarnation != by);
        // Both may run the same version, where a person gives a twin anew what it is quarantined in.
        other.or_else(|| self.berths(index, twin).nth(1)).map(declaration)
    }

    /// The instances that have a twin, the candidate's first.
    fn berths(&self, index: BindingIndex, twin: TwinIndex) -> impl Iterator<Item = &Berth> {
        let group = self.groups.get(&index);
        let candidate = group.and_then(|group| group.trial.as_ref()).map(Trial::side);
        candidate
            .into_iter()
            .chain(group.map(|group| &group.incumbent))
            .filter_map(move |side| side.berth(twin))
    }

    /// The trial of a binding.
    pub(crate) fn trial(&self, index: BindingIndex) -> Option<&Trial> {
        self.groups.get(&index)?.trial.as_ref()
    }

    /// Steps a frame on both sides. Without an instance every output is bad.
    pub(crate) fn step(
        &mut self,
        index: BindingIndex,
        outputs: usize,
        frame: &Frame,
        watch: &Watch<'_>,
    ) -> Answer {
        let Some(group) = self.groups.get_mut(&index) else {
            let stepped = Stepped::unanswered(outputs, frame.rows());
            return Answer { stepped, ..Answer::default() };
        };
        let mut stepped = match group.incumbent.is_empty() {
            true => Stepped::unanswered(outputs, frame.rows()),
            false => group.incumbent.step(outputs, frame, watch),
        };
        let (mut aside, mut silent) = (Aside::default(), Vec::new());
        if let Some(trial) = &mut group.trial {
            aside = trial.follow(frame, &mut stepped, watch);
            // Whoever the candidate answers for is not held apart, whatever happened on the other side.
            let faults = std::mem::take(&mut stepped.faults);
            (silent, stepped.faults) =
                faults.into_iter().partition(|fault| trial.is_authoritative(fault.twin));
            trial.silent(&silent);
        }
        let quarantined = stepped.faults.iter().filter(|fault| fault.quarantined);
        self.quarantined.extend(quarantined.map(|fault| (index, fault.twin)));
        Answer { stepped, aside, silent }
    }

    /// What the heirs of a binding's twins need, to be raised on another thread.
    pub(crate) fn households(
        &self,
        index: BindingIndex,
        twins: Option<&HashSet<TwinIndex>>,
    ) -> Vec<Household> {
        let berths = self.groups.get(&index).map(|group| group.incumbent.berths()).unwrap_or_default();
        berths
            .iter()
            .filter_map(|berth| {
                let here: Vec<TwinIndex> = berth
                    .cohort
                    .twins()
                    .filter(|twin| twins.is_none_or(|twins| twins.contains(twin)))
                    .collect();
                (!here.is_empty()).then(|| berth.cohort.household().only(&here))
            })
            .collect()
    }

    /// State of some twins, as the incumbent has it.
    pub(crate) fn copy(
        &mut self,
        index: BindingIndex,
        twins: &[TwinIndex],
        schema: Option<u32>,
    ) -> Vec<Result<Snapshot, String>> {
        let mut copies = Vec::new();
        let Some(group) = self.groups.get_mut(&index) else { return copies };
        for (berth, here) in group.incumbent.housed(twins) {
            let newest = berth.cohort.compiled().declaration().state.schema;
            let asked = schema.filter(|schema| *schema != newest);
            copies.push(berth.enter().copy(&here, asked).map_err(|error| error.to_string()));
        }
        copies
    }

    /// Steps rows of one twin that were stepped before, and throws away what comes out. False when one is refused.
    pub(crate) fn feed(&mut self, index: BindingIndex, twin: TwinIndex, frame: &Frame) -> bool {
        let Some(group) = self.groups.get_mut(&index) else { return false };
        let Some(berth) = group.incumbent.berth_mut(twin) else { return false };
        let stepped = berth.enter().step(frame);
        let quarantined =
            |fault: &geminus_behavior::TwinFault| fault.quarantined.then_some((index, fault.twin));
        match stepped {
            Ok(stepped) => {
                self.quarantined.extend(stepped.faults.iter().filter_map(quarantined));
                stepped.faults.is_empty()
            }
            Err(_) => false,
        }
    }

    /// Puts twins back to where a snapshot found them; gives those that could not be, with the reason.
    pub(crate) fn restore(&mut self, index: BindingIndex, snapshot: &Snapshot) -> Vec<String> {
        let mut reasons = Vec::new();
        let Some(group) = self.groups.get_mut(&index) else { return reasons };
        let mut of: HashMap<TwinIndex, &geminus_behavior::Saved> =
            snapshot.twins.iter().map(|saved| (saved.twin, saved)).collect();
        let twins: Vec<TwinIndex> = snapshot.twins.iter().map(|saved| saved.twin).collect();
        for (berth, here) in group.incumbent.housed(&twins) {
            let part = Snapshot {
                label: snapshot.label.clone(),
                digest: snapshot.digest,
                schema: snapshot.schema,
                twins: here.iter().filter_map(|twin| of.remove(twin).cloned()).collect(),
            };
            let restored = berth.enter().restore(&part);
            match restored {
                Ok(refused) => {
                    reasons.extend(refused.into_iter().map(|twin| format!("{}: {}", twin.id, twin.message)))
                }
                Err(error) => reasons.push(error.to_string()),
            }
        }
        reasons
    }

    /// What each twin costs in each version that has it, on trial or not.
    pub(crate) fn charges(&self) -> Vec<TwinCharge> {
        let mut all = Vec::new();
        for (index, group) in &self.groups {
            let sides = std::iter::once(&group.incumbent).chain(group.trial.as_ref().map(Trial::side));
            for berth in sides.flat_map(Side::berths) {
                all.extend(berth.charges().map(|(twin, charge)| TwinCharge {
                    twin,
                    binding: *index,
                    account: Arc::clone(&berth.account),
                    charge,
                }));
            }
        }
        all
    }

    /// Writes into the books what each version holds; one that runs no more holds nothing.
    pub(crate) fn account(&self, books: &[Arc<Account>]) {
        let mut fresh: HashMap<*const Account, (usize, usize)> = HashMap::new();
        let sides = self
            .groups
            .values()
            .flat_map(|group| std::iter::once(&group.incumbent).chain(group.trial.as_ref().map(Trial::side)));
        for berth in sides.flat_map(Side::berths) {
            let (memory, twins) = fresh.entry(Arc::as_ptr(&berth.account)).or_default();
            *memory += berth.cohort.memory_bytes();
            *twins += berth.cohort.twins().count();
        }
        for account in books {
            let (memory, twins) = fresh.get(&Arc::as_ptr(account)).copied().unwrap_or_default();
            account.holds(memory, twins);
        }
    }
}

fn declaration(berth: &Berth) -> &Declaration {
    berth.cohort.compiled().declaration()
}
