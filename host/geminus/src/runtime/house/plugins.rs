//! The plugins of the page: what lies in the folder, what runs, what was refused.

use geminus_api::view as api;
use geminus_core::Declaration;
use geminus_registry::Package;
use geminus_twin::Plant;
use geminus_twin::plant::Binding;

use crate::runtime::plugins::{Active, Board, Refused, file_name};

/// All of them.
pub(super) fn plugins(board: &Board, plant: &Plant) -> api::PluginsView {
    let state = board.read();
    let view = |package: &Package| {
        let users: Vec<_> = plant
            .bindings
            .iter()
            .zip(&state.active)
            .filter_map(|(binding, active)| Some((binding, active.as_ref()?)))
            .filter(|(_, active)| active.digest() == package.digest)
            .collect();
        let refused = state.refused.iter().any(|refused| refused.path == package.path);
        let standing = match (users.is_empty(), refused) {
            (false, _) => api::PluginState::Active,
            (true, true) => api::PluginState::Refused,
            (true, false) => api::PluginState::Available,
        };
        api::PluginView {
            name: package.declaration.name.clone(),
            version: package.declaration.version.to_string(),
            digest: package.digest.to_string(),
            kind: package.declaration.kind,
            description: package.declaration.description.clone(),
            twins: users.iter().map(|(binding, _)| binding.twins.len() as u64).sum(),
            running_for: users.iter().map(|(binding, _)| running_for(binding)).collect(),
            pinned: pinned(plant, &package.declaration),
            failed_for: Vec::new(),
            state: standing,
            since: users.iter().map(|(_, active)| active.since).min().map(api::Time),
            declaration: serde_json::to_value(&*package.declaration).unwrap_or_default(),
        }
    };
    let refused = |refused: &Refused| api::RefusedView {
        file: file_name(&refused.path),
        reason: refused.reason.clone(),
        time: refused.time.into(),
    };
    // What runs is shown also when its file was overwritten or removed since.
    let gone = plant.bindings.iter().zip(&state.active).filter_map(|(binding, active)| {
        let active = active.as_ref()?;
        let known = state.shelf.by_digest(active.digest()).is_some();
        (!known).then(|| running(plant, binding, active))
    });
    api::PluginsView {
        plugins: state.shelf.packages().iter().map(view).chain(gone).collect(),
        refused: state.refused.iter().map(refused).collect(),
    }
}

fn running_for(binding: &Binding) -> api::RunningFor {
    api::RunningFor { binding: binding.name.to_string(), twins: binding.twins.len() as u64 }
}

/// Twins that the site pins to this version.
fn pinned(plant: &Plant, declaration: &Declaration) -> u64 {
    let users = plant.bindings.iter().filter(|binding| binding.declaration.name == declaration.name);
    let pins = users.flat_map(|binding| &binding.pins);
    pins.filter(|pin| pin.versions.matches(&declaration.version)).map(|pin| pin.twins.len() as u64).sum()
}

/// A version that runs without a file in the plugin folder.
fn running(plant: &Plant, binding: &Binding, active: &Active) -> api::PluginView {
    let declaration = active.compiled.declaration();
    api::PluginView {
        name: declaration.name.clone(),
        version: declaration.version.to_string(),
        digest: active.digest().to_string(),
        kind: declaration.kind,
        description: declaration.description.clone(),
        twins: binding.twins.len() as u64,
        running_for: vec![running_for(binding)],
        pinned: pinned(plant, declaration),
        failed_for: Vec::new(),
        state: api::PluginState::Active,
        since: Some(api::Time(active.since)),
        declaration: serde_json::to_value(&**declaration).unwrap_or_default(),
    }
}
