//! The instances of one shard: for each binding one cohort, or one per twin where the site asks for isolation.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use geminus_behavior::{
    Cohort, ColdStart, Compiled, Heir, HostCalls, Household, Opening, Refused, Snapshot, StartError,
    SwapError, SwapReport, TwinFault,
};
use geminus_core::{Digest, Frame, Outcome, Quality, TwinIndex};
use geminus_twin::plant::Binding;
use geminus_twin::site::Isolation;
use geminus_twin::{BindingIndex, Plant};

/// What a binding runs on in this shard.
#[derive(Debug)]
enum Group {
    /// Its twins share an instance.
    Shared(Box<Cohort>),
    /// Each has its own.
    Dedicated(BTreeMap<TwinIndex, Cohort>),
}

/// What a step of one frame gave.
#[derive(Debug, Default)]
pub(crate) struct Stepped {
    pub(crate) outcome: Outcome,
    pub(crate) faults: Vec<TwinFault>,
    pub(crate) fuel: u64,
}

/// All instances of a shard.
#[derive(Debug, Default)]
pub(crate) struct Cohorts {
    groups: HashMap<BindingIndex, Group>,
    quarantined: std::collections::HashSet<(BindingIndex, TwinIndex)>,
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
        let digest = Digest::of(format!("{}\0{}\0{id}", plant.name, binding.name).as_bytes());
        let seed = digest.bytes().iter().take(8).fold(0, |seed, &byte| (seed << 8) | u64::from(byte));
        Some(Opening { twin, id, parameters: Arc::clone(parameters), seed })
    };
    twins.iter().filter_map(opening).collect()
}

impl Cohorts {
    /// Starts a binding's instances. Twins that are refused are given back with the reason.
    pub(crate) fn start(
        &mut self,
        index: BindingIndex,
        binding: &Binding,
        compiled: &Arc<Compiled>,
        host: &Arc<dyn HostCalls>,
        openings: Vec<Opening>,
    ) -> Result<Vec<Refused>, StartError> {
        if openings.is_empty() {
            return Ok(Vec::new());
        }
        let (group, refused) = match binding.isolation {
            Isolation::Cohort => {
                let (cohort, refused) = Cohort::start(Arc::clone(compiled), Arc::clone(host), openings)?;
                (Group::Shared(Box::new(cohort)), refused)
            }
            Isolation::Dedicated => {
                let (mut cohorts, mut refused) = (BTreeMap::new(), Vec::new());
                for opening in openings {
                    let twin = opening.twin;
                    match Cohort::start(Arc::clone(compiled), Arc::clone(host), vec![opening]) {
                        Ok((cohort, none)) => {
                            refused.extend(none);
                            cohorts.insert(twin, cohort);
                        }
                        Err(StartError::AllRefused { refused: alone, .. }) => refused.extend(alone),
                        Err(error) => return Err(error),
                    }
                }
                (Group::Dedicated(cohorts), refused)
            }
        };
        self.quarantined.extend(refused.iter().map(|twin| (index, twin.twin)));
        self.groups.insert(index, group);
        Ok(refused)
    }

    /// Whether the binding runs here.
    pub(crate) fn runs(&self, index: BindingIndex) -> bool {
        self.groups.contains_key(&index)
    }

    /// Whether this twin gets no rows of this binding because of what it did.
    pub(crate) fn is_quarantined(&self, index: BindingIndex, twin: TwinIndex) -> bool {
        self.quarantined.contains(&(index, twin))
    }

    /// Number of twins that are held apart, over all bindings.
    pub(crate) fn quarantined(&self, index: BindingIndex) -> usize {
        self.quarantined.iter().filter(|(binding, _)| *binding == index).count()
    }

    /// Steps a frame. Without an instance every output is bad.
    pub(crate) fn step(&mut self, index: BindingIndex, outputs: usize, frame: &Frame) -> Stepped {
        let stepped = match self.groups.get_mut(&index) {
            None => Stepped { outcome: unanswered(outputs, frame.rows()), ..Stepped::default() },
            Some(Group::Shared(cohort)) => step(cohort, outputs, frame),
            Some(Group::Dedicated(cohorts)) => step_each(cohorts, outputs, frame),
        };
        let quarantined = stepped.faults.iter().filter(|fault| fault.quarantined);
        self.quarantined.extend(quarantined.map(|fault| (index, fault.twin)));
        stepped
    }

    /// What the heirs of a binding's instances need, to be raised on another thread.
    pub(crate) fn households(&mut self, index: BindingIndex) -> Vec<Household> {
        self.cohorts_mut(index).map(|cohort| cohort.household()).collect()
    }

    /// Swaps every instance of a binding, with its state. When one refuses, those that had switched go back, so
    /// that the shard runs one version. With heirs, blocks the shard for copying state out and in; without them
    /// for opening all twins too.
    pub(crate) fn swap(
        &mut self,
        index: BindingIndex,
        (compiled, parameters): (&Arc<Compiled>, &Arc<[u8]>),
        heirs: Vec<Heir>,
        cold: ColdStart,
    ) -> Result<Vec<SwapReport>, SwapError> {
        // Heirs fit one by one or not at all: an instance that came or went since makes them void.
        let fit = heirs.len() == self.cohorts_mut(index).count();
        let mut heirs = if fit { heirs } else { Vec::new() }.into_iter();
        let mut switched: Vec<(usize, Arc<Compiled>)> = Vec::new();
        let mut reports = Vec::new();
        let mut failure = None;
        for (place, cohort) in self.cohorts_mut(index).enumerate() {
            let before = Arc::clone(cohort.compiled());
            let heir = match heirs.next() {
                Some(heir) => Ok(heir),
                None => cohort.household().with_parameters(parameters).raise(Arc::clone(compiled)),
            };
            match heir.and_then(|heir| cohort.inherit(heir, cold)) {
                Ok(report) => {
                    switched.push((place, before));
                    reports.push(report);
                }
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        let Some(error) = failure else {
            for report in &reports {
                for twin in &report.released {
                    self.quarantined.remove(&(index, *twin));
                }
            }
            return Ok(reports);
        };
        for (place, before) in switched {
            let back =
                self.cohorts_mut(index).nth(place).map(|cohort| cohort.succeed(before, ColdStart::Allow));
            if let Some(Err(error)) = back {
                tracing::error!(%error, "an instance could not go back to the incumbent and keeps the new version");
            }
        }
        Err(error)
    }

    /// State of every twin of a binding, one snapshot per instance.
    pub(crate) fn snapshots(&mut self, index: BindingIndex) -> Vec<Result<Snapshot, String>> {
        self.cohorts_mut(index)
            .map(|cohort| cohort.snapshot(None).map_err(|error| error.to_string()))
            .collect()
    }

    /// Puts twins back to where a snapshot found them; gives those that could not be, with the reason.
    pub(crate) fn restore(&mut self, index: BindingIndex, snapshot: &Snapshot) -> Vec<String> {
        let mut reasons = Vec::new();
        for cohort in self.cohorts_mut(index) {
            match cohort.restore(snapshot) {
                Ok(refused) => {
                    reasons.extend(refused.into_iter().map(|twin| format!("{}: {}", twin.id, twin.message)))
                }
                Err(error) => reasons.push(error.to_string()),
            }
        }
        reasons
    }

    /// Linear memory of a binding's instances here.
    pub(crate) fn memory_bytes(&self, index: BindingIndex) -> usize {
        match self.groups.get(&index) {
            None => 0,
            Some(Group::Shared(cohort)) => cohort.memory_bytes(),
            Some(Group::Dedicated(cohorts)) => cohorts.values().map(Cohort::memory_bytes).sum(),
        }
    }

    fn cohorts_mut(&mut self, index: BindingIndex) -> impl Iterator<Item = &mut Cohort> {
        let (shared, dedicated) = match self.groups.get_mut(&index) {
            None => (None, None),
            Some(Group::Shared(cohort)) => (Some(&mut **cohort), None),
            Some(Group::Dedicated(cohorts)) => (None, Some(cohorts.values_mut())),
        };
        shared.into_iter().chain(dedicated.into_iter().flatten())
    }
}

fn step(cohort: &mut Cohort, outputs: usize, frame: &Frame) -> Stepped {
    match cohort.step(frame) {
        Ok(stepped) => Stepped { outcome: stepped.outcome, faults: stepped.faults, fuel: stepped.fuel },
        Err(error) => {
            // The plant lays frames out by the declaration that the cohort was compiled with.
            tracing::error!(%error, "a frame was not stepped");
            Stepped { outcome: unanswered(outputs, frame.rows()), ..Stepped::default() }
        }
    }
}

/// Steps each row in its twin's own instance.
fn step_each(cohorts: &mut BTreeMap<TwinIndex, Cohort>, outputs: usize, frame: &Frame) -> Stepped {
    let mut all = Stepped { outcome: unanswered(outputs, frame.rows()), ..Stepped::default() };
    let mut one = Frame::new(frame.inputs);
    for (row, twin) in frame.twins.iter().enumerate() {
        let Some(cohort) = cohorts.get_mut(twin) else { continue };
        one.clear();
        one.extend_from(frame, row, row + 1);
        let stepped = step(cohort, outputs, &one);
        let cells = row * outputs..(row + 1) * outputs;
        if let (Some(values), Some(quality)) =
            (all.outcome.values.get_mut(cells.clone()), all.outcome.quality.get_mut(cells))
            && stepped.outcome.values.len() == outputs
        {
            values.copy_from_slice(&stepped.outcome.values);
            quality.copy_from_slice(&stepped.outcome.quality);
        }
        let row = u32::try_from(row).unwrap_or(u32::MAX);
        all.outcome.alerts.extend(stepped.outcome.alerts.into_iter().map(|mut alert| {
            alert.row = row;
            alert
        }));
        all.outcome.proposals.extend(stepped.outcome.proposals.into_iter().map(|mut proposal| {
            proposal.row = row;
            proposal
        }));
        all.faults.extend(stepped.faults.into_iter().map(|mut fault| {
            fault.row = fault.row.map(|_| row);
            fault
        }));
        all.fuel = all.fuel.wrapping_add(stepped.fuel);
    }
    all
}

/// The outcome of rows that nobody stepped.
fn unanswered(outputs: usize, rows: usize) -> Outcome {
    Outcome {
        outputs,
        values: vec![f64::NAN; rows * outputs],
        quality: vec![Quality::Bad; rows * outputs],
        ..Outcome::default()
    }
}
