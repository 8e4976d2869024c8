//! What a behavior did wrong, as it is told: to the journal, at most once in a while for each twin, and to the manager
//! when a twin is held apart.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use geminus_behavior::TwinFault;
use geminus_core::{Event, Severity, TwinIndex};
use geminus_twin::BindingIndex;
use geminus_twin::plant::Binding;
use geminus_twin::shard::Moment;

use super::ShardRunner;
use crate::runtime::cohorts::side::{Berth, Flooded};
use crate::runtime::cohorts::trial::Apart;
use crate::runtime::manager;
use crate::runtime::message::Note;

/// A behavior's fault that repeats is told once in this time for each twin.
const FAULT_TOLD_EVERY: Duration = Duration::from_secs(60);

impl ShardRunner {
    /// Twins have come to a side that holds them apart: nobody answers for them any more, and that is told as a fault of
    /// that side is.
    pub(super) fn apart(&mut self, index: BindingIndex, apart: &[Apart]) {
        let now = Moment::of(self.parts.clock.as_ref());
        for Apart { twin, kind, message } in apart {
            self.tell_apart(index, *twin, (kind, message), now);
        }
    }

    /// A version does something more often than it may; the host has cut it.
    pub(super) fn flood(&mut self, index: BindingIndex, flooded: &Flooded, now: Moment) {
        let now = Duration::from_nanos(now.monotonic);
        if let Some(told) = self.floods.note(index, flooded, now) {
            self.parts.chronicle.tell(told.event(&self.parts.plant));
        }
    }

    fn tell_apart(
        &mut self,
        index: BindingIndex,
        twin: TwinIndex,
        (kind, message): (&'static str, &str),
        now: Moment,
    ) {
        let (plant, now) = (Arc::clone(&self.parts.plant), Duration::from_nanos(now.monotonic));
        let (Some(binding), Some(of)) = (plant.binding(index), plant.twin(twin)) else { return };
        let berth = self.parts.cohorts.incumbent(index, twin);
        let label = label(berth, binding);
        drop(self.parts.notes.send(manager::Heard::Note(Note::Apart {
            binding: index,
            twin,
            incarnation: berth.map_or(0, |berth| berth.incarnation),
            kind,
            message: message.to_owned(),
        })));
        let words = format!("{kind}: {message}");
        let text =
            format!("{} of {}: {words}; its rows have no result until it comes back", binding.name, of.id);
        let event = Event::new("twin-apart", Severity::Warning, text).twin(&*of.id).plugin(label);
        self.parts.chronicle.tell(event);
        self.faults.insert((index, twin), (words, now));
    }

    /// The incumbent fails in a twin that the candidate answers for: it costs no row, and is the incumbent's own.
    pub(super) fn silent_fault(&mut self, index: BindingIndex, fault: &TwinFault) {
        self.parts.meters.fault(index, fault.kind.name());
        let (Some(binding), Some(twin)) =
            (self.parts.plant.binding(index), self.parts.plant.twin(fault.twin))
        else {
            return;
        };
        let berth = self.parts.cohorts.incumbent(index, fault.twin);
        if let Some(berth) = berth {
            berth.account.strikes.fetch_add(1, Relaxed);
        }
        if fault.quarantined {
            let text = format!(
                "{} of {}: {}: {}; the version under trial answers for it",
                binding.name,
                twin.id,
                fault.kind.name(),
                fault.message
            );
            let event = Event::new("behavior-fault", Severity::Warning, text);
            self.parts.chronicle.tell(event.twin(&*twin.id).plugin(label(berth, binding)));
        }
    }

    pub(super) fn fault(&mut self, index: BindingIndex, fault: &TwinFault, moment: Moment) {
        self.parts.meters.fault(index, fault.kind.name());
        let (plant, now) = (Arc::clone(&self.parts.plant), Duration::from_nanos(moment.monotonic));
        let (Some(binding), Some(twin)) = (plant.binding(index), plant.twin(fault.twin)) else { return };
        let message = format!("{}: {}", fault.kind.name(), fault.message);
        let known = self.faults.get(&(index, fault.twin));
        let told = known.is_some_and(|(_, at)| now.saturating_sub(*at) < FAULT_TOLD_EVERY);
        if told && !fault.quarantined {
            return;
        }
        // What is told here is always the incumbent's: a candidate's faults stand in its tally.
        let berth = self.parts.cohorts.incumbent(index, fault.twin);
        if let Some(berth) = berth {
            berth.account.strikes.fetch_add(1, Relaxed);
        }
        if fault.quarantined {
            return self.tell_apart(index, fault.twin, (fault.kind.name(), &fault.message), moment);
        }
        let text = format!("{} of {}: {message}", binding.name, twin.id);
        let event = Event::new("behavior-fault", Severity::Warning, text);
        self.parts.chronicle.tell(event.twin(&*twin.id).plugin(label(berth, binding)));
        self.faults.insert((index, fault.twin), (message, now));
    }
}

/// What answers in this instance; without one, what the site began with.
fn label(berth: Option<&Berth>, binding: &Binding) -> String {
    berth.map_or_else(|| binding.declaration.label(), |berth| berth.cohort.compiled().declaration().label())
}
