//! A plan in an operator's words, before anything begins.

use geminus_api::view as api;
use geminus_core::TwinIndex;
use geminus_rollout::{Phase, Plan};

use super::{Meaning, changes, to};
use crate::runtime::floor::Floor;

/// Ids of twins that a preview names.
const TWINS_NAMED_MAX: usize = 1_000;

impl Meaning {
    /// As a preview.
    pub(crate) fn preview(&self, floor: &Floor, busy: Option<u64>) -> api::RolloutPreview {
        let id = |twin: &TwinIndex| crate::runtime::id_of(&floor.plant, *twin).to_owned();
        let busy = busy.map(|id| format!("rollout {id} of this behavior is under way"));
        api::RolloutPreview {
            binding: self.index.and_then(|index| floor.binding(index)).map(|binding| binding.name.clone()),
            plugin: self.plan.plugin.clone(),
            from: self.from(),
            to: self.package.as_ref().map(to),
            twins: self.twins.iter().take(TWINS_NAMED_MAX).map(id).collect(),
            twins_total: self.twins.len() as u64,
            canary: self.canary.iter().map(id).collect(),
            plan: serde_json::to_value(&self.plan).unwrap_or_default(),
            diff: changes(&self.diff),
            phases: phases(&self.plan, self.canary.len(), !self.incumbents.is_empty()),
            refusals: self.missing.iter().chain(&self.refusals).cloned().chain(busy).collect(),
        }
    }
}

/// What each phase of a plan will do, in words.
fn phases(plan: &Plan, canary: usize, incumbent: bool) -> Vec<api::PlannedPhase> {
    let stages = &plan.stages;
    let mut phases = Vec::new();
    let mut phase = |phase: Phase, text: String, seconds_max: u64| {
        phases.push(api::PlannedPhase { phase, text, seconds_max });
    };
    let ends = |rows: u64, seconds: u64| {
        format!(
            "ends when every twin has {rows} compared rows, after {seconds} s at least, and no check fails"
        )
    };
    phase(Phase::Verifying, "package and declaration are checked".to_owned(), stages.verify_seconds_max);
    phase(Phase::Compiling, "compiled in a process of its own".to_owned(), stages.compile_seconds_max);
    let raised = "instances are made, state is migrated on a copy, twins are enrolled";
    phase(Phase::Raising, raised.to_owned(), stages.raise_seconds_max);
    if incumbent && stages.shadow.wanted() {
        let text = format!(
            "all rows go to both versions, the old one answers; {}",
            ends(stages.shadow.rows, stages.shadow.seconds)
        );
        phase(Phase::Shadow, text, stages.shadow.seconds_max);
    }
    if incumbent && canary > 0 {
        let text = format!(
            "the new version answers for {canary} twins; {}",
            ends(stages.canary.rows, stages.canary.seconds)
        );
        phase(Phase::Canary, text, stages.canary.seconds_max);
    }
    let text = "the new version takes each twin as soon as it is warm for it".to_owned();
    phase(Phase::Promoting, text, stages.warm_up_seconds_max);
    if incumbent {
        let text = format!(
            "the new version answers for all, the old one is kept warm and fed; {}",
            ends(stages.probation.rows, stages.probation.seconds)
        );
        phase(Phase::Probation, text, stages.probation.seconds_max);
    }
    phases
}
