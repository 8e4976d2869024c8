//! From a plan to a rollout: which package its words mean, whom it is for, what stands against it. Resolved once; from
//! then on the digest counts.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use geminus_api::Trouble;
use geminus_api::view as api;
use geminus_core::{Digest, TwinIndex};
use geminus_registry::{ChangeSeverity, Diff, Package, diff, resolve};
use geminus_rollout::{Facts, Phase, Plan, Rollout};
use geminus_store::{Release, RolloutRecord};
use geminus_twin::BindingIndex;
use geminus_twin::pattern::Selection;
use geminus_twin::plant::Binding;

use super::run::{Record, changes};
use super::{Conductor, Run};
use crate::runtime::cohorts::Version;
use crate::runtime::floor::Floor;

/// Ids of twins that a preview names.
const TWINS_NAMED_MAX: usize = 1_000;

/// What a plan means here and now, and every reason why it would be refused.
pub(crate) struct Meaning {
    plan: Plan,
    index: Option<BindingIndex>,
    package: Option<Package>,
    incumbent: Option<Version>,
    twins: Vec<TwinIndex>,
    canary: Vec<TwinIndex>,
    whole: bool,
    parameters: Arc<[u8]>,
    diff: Diff,
    /// What does not exist; then the others.
    missing: Vec<String>,
    refusals: Vec<String>,
}

/// Works out what a plan means.
pub(crate) fn meaning(floor: &Floor, plan: Plan) -> Meaning {
    let mut meaning = Meaning {
        plan,
        index: None,
        package: None,
        incumbent: None,
        twins: Vec::new(),
        canary: Vec::new(),
        whole: true,
        parameters: Arc::from([].as_slice()),
        diff: Diff::default(),
        missing: Vec::new(),
        refusals: Vec::new(),
    };
    meaning.find_binding(floor);
    meaning.find_package(floor);
    meaning.find_twins(floor);
    meaning.compare(floor);
    meaning
}

impl Meaning {
    fn find_binding(&mut self, floor: &Floor) {
        let all = (0..).map(BindingIndex).zip(&floor.plant.bindings);
        let named = |binding: &Binding| {
            binding.declaration.name == self.plan.plugin
                && self.plan.behavior.as_ref().is_none_or(|name| *name == binding.name)
        };
        let fitting: Vec<(BindingIndex, &str)> = all
            .filter(|(_, binding)| named(binding))
            .map(|(index, binding)| (index, binding.name.as_str()))
            .collect();
        match (fitting.as_slice(), &self.plan.behavior) {
            ([(only, _)], _) => self.index = Some(*only),
            ([], Some(name)) => {
                self.missing.push(format!("no behavior {name} of the site uses plugin {}", self.plan.plugin));
            }
            ([], None) => {
                self.missing.push(format!("no behavior of the site uses plugin {}", self.plan.plugin))
            }
            (several, _) => {
                let names = several.iter().map(|(_, name)| *name).collect::<Vec<_>>().join(", ");
                self.refusals
                    .push(format!("several behaviors use {}: name one of {names}", self.plan.plugin));
            }
        }
        if let Some(binding) = self.index.and_then(|index| floor.binding(index)) {
            let active =
                floor.board.lock().active.get(self.index.map_or(0, |index| index.0 as usize)).cloned();
            self.incumbent = active.flatten().map(|active| active.version);
            let misfits = self.plan.stages.acceptance.misfits(&binding.declaration);
            self.refusals.extend(misfits);
        }
    }

    fn find_package(&mut self, floor: &Floor) {
        let packages = floor.packages();
        match resolve(&packages, &self.plan.plugin, &self.plan.version) {
            Ok(package) => self.package = Some(package.clone()),
            Err(error) => self.missing.push(error.to_string()),
        }
    }

    fn find_twins(&mut self, floor: &Floor) {
        let (Some(binding), Some(package)) =
            (self.index.and_then(|index| floor.binding(index)), self.package.as_ref())
        else {
            return;
        };
        let pattern = match self.plan.twins.as_deref().map(Selection::new).transpose() {
            Ok(pattern) => pattern,
            Err(error) => return self.refusals.push(error),
        };
        let id = |twin: &TwinIndex| crate::runtime::id_of(&floor.plant, *twin);
        let fits = |twin: &TwinIndex| binding.versions_of(*twin).matches(&package.declaration.version.0);
        let chosen: Vec<TwinIndex> = binding
            .twins
            .iter()
            .copied()
            .filter(|twin| pattern.as_ref().is_none_or(|pattern| pattern.matches(id(twin))))
            .collect();
        if chosen.is_empty() {
            return self.missing.push(format!(
                "{} has no twin {}",
                binding.name,
                self.plan.twins.as_deref().unwrap_or("at all")
            ));
        }
        let (fitting, others): (Vec<_>, Vec<_>) = chosen.into_iter().partition(fits);
        if fitting.is_empty() {
            let versions = others.first().map(|twin| binding.versions_of(*twin).to_string());
            return self.refusals.push(format!(
                "version {} is outside {} of the site file",
                package.declaration.version,
                versions.unwrap_or_default()
            ));
        }
        let unpinned = binding.twins.iter().filter(|twin| fits(twin)).count();
        self.whole = fitting.len() == unpinned && binding.versions.matches(&package.declaration.version.0);
        self.twins = fitting;
        self.find_canary(floor);
    }

    fn find_canary(&mut self, floor: &Floor) {
        let canary = &self.plan.stages.canary;
        let all = u32::try_from(self.twins.len()).unwrap_or(u32::MAX);
        let Some(names) = &canary.twins else {
            self.canary = self.twins.iter().copied().take(canary.size(all) as usize).collect();
            return;
        };
        for name in names {
            let twin = self.twins.iter().find(|twin| crate::runtime::id_of(&floor.plant, **twin) == name);
            match twin {
                Some(twin) => self.canary.push(*twin),
                None => self.missing.push(format!("canary: the rollout has no twin {name}")),
            }
        }
    }

    fn compare(&mut self, floor: &Floor) {
        let (Some(binding), Some(package)) =
            (self.index.and_then(|index| floor.binding(index)), self.package.as_ref())
        else {
            return;
        };
        let running = self
            .incumbent
            .as_ref()
            .map_or(&*binding.declaration, |incumbent| incumbent.compiled.declaration());
        self.diff = diff(running, &package.declaration);
        if self.diff.refuses() {
            self.refusals.push(self.diff.reasons(ChangeSeverity::Breaking));
        }
        let versions = self.twins.first().map_or(&binding.versions, |twin| binding.versions_of(*twin));
        match binding.adopt_for(&package.declaration, versions) {
            Ok(parameters) => self.parameters = parameters,
            Err(reasons) => {
                let known = self.refusals.clone();
                self.refusals.extend(reasons.into_iter().filter(|reason| !known.contains(reason)));
            }
        }
        if self.whole && self.incumbent.as_ref().is_some_and(|run| run.compiled.digest() == package.digest) {
            self.refusals.push(format!("{} runs already", package.declaration.label()));
        }
    }

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
            phases: phases(&self.plan, self.canary.len(), self.incumbent.is_some()),
            refusals: self.missing.iter().chain(&self.refusals).cloned().chain(busy).collect(),
        }
    }

    fn from(&self) -> Option<api::VersionRef> {
        let compiled = &self.incumbent.as_ref()?.compiled;
        Some(api::VersionRef {
            version: compiled.declaration().version.to_string(),
            digest: compiled.digest().to_string(),
        })
    }

    /// The behavior and the package that it is about, where its words mean one of each.
    pub(crate) fn target(&self) -> Option<(BindingIndex, Digest)> {
        Some((self.index?, self.package.as_ref()?.digest))
    }

    /// Whether a person must say yes first.
    pub(crate) fn widens(&self) -> Option<String> {
        self.diff.widens().then(|| self.diff.reasons(ChangeSeverity::Widening))
    }
}

fn to(package: &Package) -> api::VersionRef {
    api::VersionRef { version: package.declaration.version.to_string(), digest: package.digest.to_string() }
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

impl Conductor {
    /// The rollout that is under way for what a plan is about.
    pub(crate) fn busy_with(&self, meaning: &Meaning) -> Option<u64> {
        self.runs.get(&meaning.index?).map(|run| run.id)
    }

    /// Begins what a plan means.
    ///
    /// # Errors
    /// Why it is not begun.
    pub(crate) fn begin(
        &mut self,
        meaning: Meaning,
        by: &str,
        automatic: bool,
    ) -> Result<api::RolloutView, Trouble> {
        if !meaning.missing.is_empty() {
            return Err(Trouble::NotFound(meaning.missing.join("; ")));
        }
        if let Some(id) = self.busy_with(&meaning) {
            return Err(Trouble::Conflict(format!("rollout {id} of this behavior is under way")));
        }
        if !meaning.refusals.is_empty() {
            return Err(Trouble::Invalid(meaning.refusals.join("; ")));
        }
        let from = meaning.from();
        let (Some(index), Some(package)) = (meaning.index, meaning.package) else {
            return Err(Trouble::Internal("a plan without a target".to_owned()));
        };
        let binding = self.floor.binding(index).map(|binding| binding.name.clone()).unwrap_or_default();
        let now = self.floor.clock.now();
        let facts = Facts {
            digest: package.digest.to_string(),
            canary: u32::try_from(meaning.canary.len()).unwrap_or(u32::MAX),
            incumbent: meaning.incumbent.is_some(),
        };
        let machine = Rollout::new(meaning.plan, facts, now);
        let twins: HashSet<TwinIndex> = meaning.twins.into_iter().collect();
        let record = Record {
            binding: binding.clone(),
            plugin: package.declaration.name.clone(),
            from,
            to: to(&package),
            automatic,
            by: by.to_owned(),
            started: now,
            ended: None,
            interrupted: false,
            twins: api::RolloutTwins { all: twins.len() as u64, ..api::RolloutTwins::default() },
            verdict: None,
            evidence: None,
            diff: changes(&meaning.diff),
        };
        let mut run = Run {
            id: 0,
            index,
            machine,
            package,
            parameters: meaning.parameters,
            incumbent: meaning.incumbent,
            version: None,
            twins: Arc::new(twins),
            canary: Arc::new(meaning.canary.into_iter().collect()),
            whole: meaning.whole,
            stands: false,
            cold: 0,
            wanted: Arc::new(AtomicBool::new(true)),
            tally: None,
            record,
        };
        run.id = self
            .enter(&run)
            .map_err(|error| Trouble::Unavailable(format!("no rollout can be begun: {error}")))?;
        let (id, phase) = (run.id, run.phase());
        let orders = run.machine.orders();
        self.runs.insert(index, run);
        self.publish(index, phase);
        self.told_start(index);
        for order in orders {
            if let Some(answer) = self.obey(index, order) {
                self.hear(index, answer);
            }
        }
        let document = self.floor.board.lock().rollouts.get(&id).cloned();
        document
            .map(|document| document.view(id, true))
            .ok_or_else(|| Trouble::Internal(format!("rollout {id} is not on the board")))
    }

    fn told_start(&self, index: BindingIndex) {
        if let Some(run) = self.runs.get(&index) {
            self.told(run.id, &run.document());
        }
    }

    fn enter(&self, run: &Run) -> Result<u64, geminus_store::StoreError> {
        let release = |version: &api::VersionRef| Release {
            version: version.version.clone(),
            digest: version.digest.clone(),
        };
        let record = &run.record;
        self.floor.control.rollout_begin(&RolloutRecord {
            id: 0,
            binding: record.binding.clone(),
            plugin: record.plugin.clone(),
            from: record.from.as_ref().map(release),
            to: release(&record.to),
            automatic: record.automatic,
            by: record.by.clone(),
            started: record.started,
            phase: run.phase().name().to_owned(),
            changed: record.started,
            ended: None,
            plan: serde_json::to_string(run.machine.plan()).unwrap_or_default(),
            document: serde_json::to_string(&run.document()).unwrap_or_default(),
            evidence: None,
        })
    }

    /// Looks at package and declaration once more, and keeps the package by its digest before anything else.
    pub(super) fn verify(&mut self, index: BindingIndex) -> Result<(), String> {
        let run = self.runs.get(&index).ok_or("there is no such rollout")?;
        let kept = self.floor.vault.keep(&run.package);
        kept.map_err(|error| format!("the package cannot be kept: {error}"))?;
        match Digest::of(&run.package.bytes) == run.package.digest {
            true => Ok(()),
            false => Err("the bytes of the package are not those of its digest".to_owned()),
        }
    }
}
