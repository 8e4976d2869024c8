//! What stands in for the outputs of a behavior that gives none, because its twin is held apart. The site chooses;
//! the plugin is not asked.

use std::collections::HashMap;

use geminus_core::{Frame, Quality, Timestamp, TwinIndex};
use geminus_twin::BindingIndex;
use geminus_twin::plant::{Binding, Substitute};
use geminus_twin::shard::Shard;

use super::cohorts::side::Stepped;

/// Which twins are stood in for, and since which row.
#[derive(Debug, Default)]
pub(crate) struct Substitutes {
    since: HashMap<(BindingIndex, TwinIndex), (Timestamp, &'static str)>,
}

impl Substitutes {
    /// Fills the rows that nobody answered.
    pub(crate) fn stand_in(
        &mut self,
        binding: &Binding,
        index: BindingIndex,
        frame: &Frame,
        stepped: &mut Stepped,
        shard: &Shard,
    ) {
        let outputs = stepped.outcome.outputs;
        if outputs == 0 || (self.since.is_empty() && stepped.by.iter().all(|by| *by != 0)) {
            return;
        }
        let rows = frame.twins.iter().zip(&frame.times).zip(&stepped.by);
        let cells =
            stepped.outcome.values.chunks_mut(outputs).zip(stepped.outcome.quality.chunks_mut(outputs));
        for (((twin, time), by), (values, quality)) in rows.zip(cells) {
            if *by != 0 {
                self.since.remove(&(index, *twin));
                continue;
            }
            let name = name(&binding.substitute);
            let (since, _) = *self.since.entry((index, *twin)).or_insert((*time, name));
            let held = || shard.outputs(*twin, index);
            match &binding.substitute {
                Substitute::None => {}
                Substitute::Hold { seconds } => {
                    let Some((last, was)) = held() else { continue };
                    if time.since(since).as_secs() < u64::from(*seconds) {
                        values.copy_from_slice(last);
                        quality
                            .iter_mut()
                            .zip(was)
                            .for_each(|(quality, was)| *quality = was.worse(Quality::Stale));
                    }
                }
                Substitute::Uncertain => {
                    let Some((last, was)) = held() else { continue };
                    values.copy_from_slice(last);
                    quality
                        .iter_mut()
                        .zip(was)
                        .for_each(|(quality, was)| *quality = was.worse(Quality::Uncertain));
                }
                Substitute::FailSafe(safe) => {
                    values.copy_from_slice(safe);
                    quality.fill(Quality::Uncertain);
                }
            }
        }
    }

    /// What stands in for a twin's outputs now.
    pub(crate) fn in_force(&self, index: BindingIndex, twin: TwinIndex) -> Option<&'static str> {
        self.since.get(&(index, twin)).map(|(_, name)| *name)
    }
}

pub(crate) fn name(substitute: &Substitute) -> &'static str {
    match substitute {
        Substitute::None => "none",
        Substitute::Hold { .. } => "hold",
        Substitute::Uncertain => "uncertain",
        Substitute::FailSafe(_) => "fail-safe",
    }
}
