//! From a plan to a rollout: which package its words mean, whom it is for, what stands against it. Resolved once; from
//! then on the digest counts.

mod compare;
mod preview;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use geminus_api::Trouble;
use geminus_api::view as api;
use geminus_core::{Digest, TwinIndex};
use geminus_registry::{Diff, Package, resolve};
use geminus_rollout::{Facts, Phase, Plan, Rollout};
use geminus_store::{Release, RolloutRecord};
use geminus_twin::BindingIndex;
use geminus_twin::pattern::Selection;
use geminus_twin::plant::Binding;

use super::run::{Incumbent, Record, changes};
use super::{Conductor, Run};
use crate::runtime::floor::Floor;
use crate::runtime::message::Ask;

/// What a plan means here and now, and every reason why it would be refused.
pub(crate) struct Meaning {
    plan: Plan,
    index: Option<BindingIndex>,
    package: Option<Package>,
    /// What its twins run, what most of them run first.
    incumbents: Vec<Incumbent>,
    twins: Vec<TwinIndex>,
    canary: Vec<TwinIndex>,
    whole: bool,
    parameters: Arc<[u8]>,
    diff: Diff,
    /// What does not exist; then the others.
    missing: Vec<String>,
    refusals: Vec<String>,
}

/// What runs for some twins as soon as a probation has settled.
pub(super) struct Heir<'r> {
    pub(super) twins: &'r HashSet<TwinIndex>,
    pub(super) digest: Digest,
}

/// Works out what a plan means.
pub(crate) fn meaning(floor: &Floor, plan: Plan) -> Meaning {
    meaning_after(floor, plan, None)
}

/// The same after another version has taken over.
pub(super) fn meaning_after(floor: &Floor, plan: Plan, heir: Option<&Heir<'_>>) -> Meaning {
    let mut meaning = Meaning {
        plan,
        index: None,
        package: None,
        incumbents: Vec::new(),
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
    meaning.find_incumbents(floor, heir);
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
        if let (Some(first), true) = (others.first().copied(), fitting.is_empty()) {
            let label = self.index.and_then(|index| running(floor, index, first));
            let tail = label.map(|label| format!("; {} runs {label}", id(&first))).unwrap_or_default();
            self.refusals.push(format!(
                "version {} is outside {} of the site file{tail}",
                package.declaration.version,
                binding.versions_of(first)
            ));
            // What they run is shown all the same.
            (self.twins, self.whole) = (others, false);
            return;
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
            let size = canary.size(all) as usize;
            self.canary = match size > 0 && size < self.twins.len() {
                true => first_live(&self.twins, &live(floor), size),
                false => self.twins.iter().copied().take(size).collect(),
            };
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

    fn from(&self) -> Option<api::VersionRef> {
        let Incumbent { digest, declaration } = self.incumbents.first()?;
        Some(api::VersionRef { version: declaration.version.to_string(), digest: digest.to_string() })
    }

    /// The behavior and the package that it is about, where its words mean one of each.
    pub(crate) fn target(&self) -> Option<(BindingIndex, Digest)> {
        Some((self.index?, self.package.as_ref()?.digest))
    }
}

/// The version that a twin runs.
fn running(floor: &Floor, index: BindingIndex, twin: TwinIndex) -> Option<String> {
    let digest = floor.board.lock().runs(index, twin)?;
    Some(floor.declaration(index, digest)?.label())
}

/// Twins that send; none where no shard can be asked.
fn live(floor: &Floor) -> HashSet<TwinIndex> {
    let here = floor.ask_each(Ask::Live);
    here.into_iter().flat_map(Result::unwrap_or_default).collect()
}

/// So many twins, those first that send: a canary that sends nothing says nothing.
fn first_live(twins: &[TwinIndex], live: &HashSet<TwinIndex>, size: usize) -> Vec<TwinIndex> {
    let (first, rest): (Vec<TwinIndex>, Vec<TwinIndex>) =
        twins.iter().copied().partition(|twin| live.contains(twin));
    first.into_iter().chain(rest).take(size).collect()
}

fn to(package: &Package) -> api::VersionRef {
    api::VersionRef { version: package.declaration.version.to_string(), digest: package.digest.to_string() }
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
        let now = self.now();
        let facts = Facts {
            digest: package.digest.to_string(),
            canary: u32::try_from(meaning.canary.len()).unwrap_or(u32::MAX),
            incumbent: !meaning.incumbents.is_empty(),
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
            whole: Some(meaning.whole),
            twins: api::RolloutTwins { all: twins.len() as u64, ..api::RolloutTwins::default() },
            verdict: None,
            evidence: None,
            phases: Vec::new(),
            diff: changes(&meaning.diff),
        };
        let mut run = Run {
            id: 0,
            index,
            machine,
            package,
            parameters: meaning.parameters,
            incumbent: meaning.incumbents.into_iter().next(),
            version: None,
            twins: Arc::new(twins),
            canary: Arc::new(meaning.canary.into_iter().collect()),
            whole: meaning.whole,
            stands: false,
            cold: 0,
            idle: 0,
            wanted: Arc::new(AtomicBool::new(true)),
            tally: None,
            looked_at: None,
            record,
        };
        run.id = self
            .enter(&run)
            .map_err(|error| Trouble::Unavailable(format!("no rollout can be begun: {error}")))?;
        let (id, phase) = (run.id, run.phase());
        let orders = run.machine.orders();
        self.runs.insert(index, run);
        self.publish(index, phase).map_err(Trouble::Unavailable)?;
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

    /// Keeps the package by its digest before anything else, and goes on with what was kept: the bytes are read from the
    /// disk again and checked as those of a file that arrives.
    pub(super) fn verify(&mut self, index: BindingIndex) -> Result<(), String> {
        let run = self.runs.get_mut(&index).ok_or("there is no such rollout")?;
        let kept = self.floor.vault.take(&run.package);
        let kept = kept.map_err(|error| format!("the package cannot be kept: {error}"))?;
        run.package = Package { path: run.package.path.clone(), ..kept };
        Ok(())
    }

    /// The version that is being tried for a binding.
    pub(crate) fn tries(&self, index: BindingIndex) -> Option<Digest> {
        self.runs.get(&index).map(|run| run.package.digest)
    }

    /// Whether a plan that a file would begin may take the place of what is under way: only what would not be refused
    /// itself, measured against what runs then, and nothing that is being tried already.
    pub(crate) fn gives_way_to(&self, index: BindingIndex, plan: Plan) -> Result<(), String> {
        let Some(run) = self.runs.get(&index) else { return Ok(()) };
        // A probation settles when it gives way.
        let heir = Heir { twins: &run.twins, digest: run.package.digest };
        let heir = Some(&heir).filter(|_| run.phase() == Phase::Probation);
        let meaning = meaning_after(&self.floor, plan, heir);
        if meaning.package.as_ref().is_some_and(|package| package.digest == run.package.digest) {
            return Err(format!("rollout {} tries it already", run.id));
        }
        meaning.against().map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twins_that_send_go_first_in_their_own_order() {
        let twins: Vec<TwinIndex> = (0..5).map(TwinIndex).collect();
        for (live, size, expect) in [
            (vec![], 2, vec![0, 1]),
            (vec![3, 1], 2, vec![1, 3]),
            (vec![4], 3, vec![4, 0, 1]),
            // One that is not of this rollout.
            (vec![9], 1, vec![0]),
        ] {
            let live: HashSet<TwinIndex> = live.into_iter().map(TwinIndex).collect();
            let expect: Vec<TwinIndex> = expect.into_iter().map(TwinIndex).collect();
            assert_eq!(first_live(&twins, &live, size), expect, "{live:?}");
        }
    }
}
