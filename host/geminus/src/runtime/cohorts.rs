//! The instances of one shard: for each binding one cohort (several for a large fleet, since an instance has its
//! memory limit), or one per twin where the site asks for isolation.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

use geminus_behavior::{
    Cohort, ColdStart, Compiled, Heir, HostCalls, Household, Opening, Refused, Snapshot, StartError,
    SwapError, SwapReport, TwinFault,
};
use geminus_core::{Digest, Frame, Outcome, Quality, TwinIndex};
use geminus_twin::plant::Binding;
use geminus_twin::site::Isolation;
use geminus_twin::{BindingIndex, Plant};

/// Twins in one instance: with four kibibytes a twin, which is much, half of the memory that plugins usually ask for.
const COHORT_TWINS_MAX: usize = 8_192;

/// What a binding runs on in this shard.
#[derive(Debug, Default)]
struct Group {
    cohorts: Vec<Cohort>,
    /// Which of them has a twin.
    place_of: HashMap<TwinIndex, u32>,
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
        let twins_max = match binding.isolation {
            Isolation::Cohort => COHORT_TWINS_MAX,
            Isolation::Dedicated => 1,
        };
        let (mut group, mut refused) = (Group::default(), Vec::new());
        let (mut openings, mut nobody) = (openings.into_iter().peekable(), None);
        while openings.peek().is_some() {
            let some: Vec<Opening> = openings.by_ref().take(twins_max).collect();
            match Cohort::start(Arc::clone(compiled), Arc::clone(host), some) {
                Ok((cohort, some)) => {
                    refused.extend(some);
                    group.add(cohort);
                }
                Err(StartError::AllRefused { label, refused: all }) => {
                    refused.extend(all.iter().cloned());
                    nobody.get_or_insert(StartError::AllRefused { label, refused: all });
                }
                Err(error) => return Err(error),
            }
        }
        if let Some(error) = nobody.filter(|_| group.cohorts.is_empty() && twins_max > 1) {
            return Err(error);
        }
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
            Some(group) => group.step(outputs, frame),
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
        self.groups.get(&index).map_or(0, |group| group.cohorts.iter().map(Cohort::memory_bytes).sum())
    }

    fn cohorts_mut(&mut self, index: BindingIndex) -> impl Iterator<Item = &mut Cohort> {
        self.groups.get_mut(&index).into_iter().flat_map(|group| &mut group.cohorts)
    }
}

impl Group {
    fn add(&mut self, cohort: Cohort) {
        let place = u32::try_from(self.cohorts.len()).unwrap_or(u32::MAX);
        self.place_of.extend(cohort.twins().map(|twin| (twin, place)));
        self.cohorts.push(cohort);
    }

    fn step(&mut self, outputs: usize, frame: &Frame) -> Stepped {
        match self.cohorts.as_mut_slice() {
            [only] => step(only, outputs, frame),
            _ => self.step_apart(outputs, frame),
        }
    }

    /// Steps each row in the instance that has its twin, and puts the answers together in the order of the frame.
    fn step_apart(&mut self, outputs: usize, frame: &Frame) -> Stepped {
        let mut rows_of: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for (row, twin) in frame.twins.iter().enumerate() {
            if let Some(place) = self.place_of.get(twin) {
                rows_of.entry(*place).or_default().push(row);
            }
        }
        let mut all = Stepped { outcome: unanswered(outputs, frame.rows()), ..Stepped::default() };
        let mut part = Frame::new(frame.inputs);
        for (place, rows) in rows_of {
            let Some(cohort) = self.cohorts.get_mut(place as usize) else { continue };
            part.clear();
            rows.iter().for_each(|row| part.extend_from(frame, *row, row + 1));
            all.put_in(step(cohort, outputs, &part), &rows);
        }
        all.outcome.alerts.sort_by_key(|alert| alert.row);
        all.outcome.proposals.sort_by_key(|proposal| proposal.row);
        all
    }
}

impl Stepped {
    /// Puts in what a part of the frame came to, whose row n is row `rows[n]` of the frame.
    fn put_in(&mut self, part: Stepped, rows: &[usize]) {
        let outputs = self.outcome.outputs;
        if part.outcome.values.len() == rows.len() * outputs {
            for (place, row) in rows.iter().enumerate() {
                let (from, to) = (place * outputs..(place + 1) * outputs, row * outputs..(row + 1) * outputs);
                copy(&part.outcome.values, from.clone(), &mut self.outcome.values, to.clone());
                copy(&part.outcome.quality, from, &mut self.outcome.quality, to);
            }
        }
        let row_of =
            |row: u32| rows.get(row as usize).and_then(|row| u32::try_from(*row).ok()).unwrap_or(row);
        self.outcome.alerts.extend(part.outcome.alerts.into_iter().map(|mut alert| {
            alert.row = row_of(alert.row);
            alert
        }));
        self.outcome.proposals.extend(part.outcome.proposals.into_iter().map(|mut proposal| {
            proposal.row = row_of(proposal.row);
            proposal
        }));
        self.faults.extend(part.faults.into_iter().map(|mut fault| {
            fault.row = fault.row.map(row_of);
            fault
        }));
        self.fuel = self.fuel.wrapping_add(part.fuel);
    }
}

fn copy<T: Copy>(from: &[T], range: Range<usize>, to: &mut [T], place: Range<usize>) {
    if let (Some(from), Some(to)) = (from.get(range), to.get_mut(place)) {
        to.copy_from_slice(from);
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

/// The outcome of rows that nobody stepped.
fn unanswered(outputs: usize, rows: usize) -> Outcome {
    Outcome {
        outputs,
        values: vec![f64::NAN; rows * outputs],
        quality: vec![Quality::Bad; rows * outputs],
        ..Outcome::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use geminus_core::outcome::Alert;

    #[test]
    fn parts_of_a_frame_come_together_in_its_order() {
        let alert = |row| Alert { row, alert: 0, value: 1.0, detail: String::new() };
        let part = |values: &[f64], rows: &[u32]| Stepped {
            outcome: Outcome {
                outputs: 2,
                values: values.to_vec(),
                quality: vec![Quality::Good; values.len()],
                alerts: rows.iter().map(|row| alert(*row)).collect(),
                ..Outcome::default()
            },
            fuel: 10,
            ..Stepped::default()
        };
        let mut all = Stepped { outcome: unanswered(2, 4), ..Stepped::default() };
        all.put_in(part(&[1.0, 2.0, 5.0, 6.0], &[0, 1]), &[0, 2]);
        all.put_in(part(&[3.0, 4.0], &[0]), &[1]);
        let (given, missing) = all.outcome.values.split_at(6);
        assert_eq!(given, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert!(missing.iter().all(|value| value.is_nan()));
        assert_eq!(all.outcome.quality[6..], [Quality::Bad; 2]);
        assert_eq!(all.outcome.alerts.iter().map(|alert| alert.row).collect::<Vec<_>>(), [0, 2, 1]);
        assert_eq!(all.fuel, 20);
    }
}
