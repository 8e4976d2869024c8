//! The plugins of the page: which versions there are, what runs, what was refused, what was put to work when.

use std::collections::HashMap;

use geminus_api::view as api;
use geminus_core::{Declaration, Digest, Timestamp};
use geminus_registry::Package;
use geminus_store::Activation;
use geminus_twin::{BindingIndex, Plant};

use crate::runtime::manager::file_name;
use crate::runtime::plugins::{Board, Refused, State};

/// Who runs a version: behaviors with the number of twins, and since when.
#[derive(Default)]
struct Users {
    bindings: Vec<(String, u64)>,
    since: Option<Timestamp>,
}

/// All of them.
pub(super) fn plugins(board: &Board, plant: &Plant) -> api::PluginsView {
    let state = board.lock();
    let users = users(&state, plant);
    let refused = |refused: &Refused| api::RefusedView {
        file: file_name(&refused.path),
        reason: refused.reason.clone(),
        time: refused.time.into(),
    };
    // What is kept from before is shown when it runs, or when a person could roll it out again.
    let all = state.shelf.packages().iter().chain(&state.kept);
    let mut plugins: Vec<api::PluginView> =
        all.map(|package| view(package, &state, plant, users.get(&package.digest))).collect();
    // What runs is shown also when its file was overwritten or removed since.
    for active in state.active.iter().flatten() {
        let digest = active.digest().to_string();
        if !plugins.iter().any(|known| known.digest == digest) {
            let declaration = active.version.compiled.declaration();
            plugins.push(entry(declaration, active.digest(), &state, plant, users.get(&active.digest())));
        }
    }
    api::PluginsView { plugins, refused: state.refused.iter().map(refused).collect() }
}

fn users(state: &State, plant: &Plant) -> HashMap<Digest, Users> {
    let mut users: HashMap<Digest, Users> = HashMap::new();
    for ((index, binding), active) in (0..).map(BindingIndex).zip(&plant.bindings).zip(&state.active) {
        let mut counts: HashMap<Digest, u64> = HashMap::new();
        let mut others = 0;
        for ((_, _), digest) in state.pinned.iter().filter(|((of, _), _)| *of == index) {
            *counts.entry(*digest).or_default() += 1;
            others += 1;
        }
        if let Some(active) = active {
            *counts.entry(active.digest()).or_default() +=
                (binding.twins.len() as u64).saturating_sub(others);
            users.entry(active.digest()).or_default().since.get_or_insert(active.since);
        }
        for (digest, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
            users.entry(digest).or_default().bindings.push((binding.name.clone(), count));
        }
    }
    users
}

fn view(package: &Package, state: &State, plant: &Plant, users: Option<&Users>) -> api::PluginView {
    let mut view = entry(&package.declaration, package.digest, state, plant, users);
    let refused = state.refused.iter().any(|refused| refused.path == package.path);
    if view.state == api::PluginState::Available && refused {
        view.state = api::PluginState::Refused;
    }
    view
}

fn entry(
    declaration: &Declaration,
    digest: Digest,
    state: &State,
    plant: &Plant,
    users: Option<&Users>,
) -> api::PluginView {
    let running: Vec<api::RunningFor> = users
        .map(|users| users.bindings.as_slice())
        .unwrap_or_default()
        .iter()
        .map(|(binding, twins)| api::RunningFor { binding: binding.clone(), twins: *twins })
        .collect();
    // What is kept from starting may be of a plugin that nobody knew then.
    let users_of_it = plant.bindings.iter().filter(|binding| binding.declaration.name == declaration.name);
    let failed = users_of_it.filter(|binding| state.failed.contains(&(binding.name.clone(), digest)));
    api::PluginView {
        name: declaration.name.clone(),
        version: declaration.version.to_string(),
        digest: digest.to_string(),
        kind: declaration.kind,
        description: declaration.description.clone(),
        twins: running.iter().map(|one| one.twins).sum(),
        state: if running.is_empty() { api::PluginState::Available } else { api::PluginState::Active },
        running_for: running,
        pinned: pinned(plant, declaration),
        failed_for: failed.map(|binding| binding.name.clone()).collect(),
        since: users.and_then(|users| users.since).map(api::Time),
        declaration: serde_json::to_value(declaration).unwrap_or_default(),
    }
}

/// Twins that the site pins to this version.
fn pinned(plant: &Plant, declaration: &Declaration) -> u64 {
    let users = plant.bindings.iter().filter(|binding| binding.declaration.name == declaration.name);
    let pins = users.flat_map(|binding| &binding.pins);
    pins.filter(|pin| pin.versions.matches(&declaration.version.0)).map(|pin| pin.twins.len() as u64).sum()
}

pub(super) fn activation(activation: Activation) -> api::ActivationView {
    api::ActivationView {
        time: activation.time.into(),
        binding: activation.binding,
        plugin: activation.plugin,
        version: activation.version,
        digest: activation.digest,
        twins: activation.twins,
        rollout: activation.rollout,
        outcome: activation.outcome,
    }
}
