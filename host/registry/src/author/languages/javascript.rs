//! A behavior in JavaScript: an ES module, the `main` of its `package.json`, whose engine (QuickJS) componentize-qjs puts
//! beside it into a component. That tool is what `jco componentize --backend quickjs` calls; it stands in the author's
//! `package.json` and lock file, and npm fetches it into `node_modules` of his folder.

use std::process::Command;

use serde::Deserialize;

use super::{Sources, is_newer, run};
use crate::author::build::BuildError;

const HINT: &str = "install Node.js 20 or newer with npm";
const TOOL: &str = "componentize-qjs";

#[derive(Deserialize)]
struct Manifest {
    #[serde(default = "index")]
    main: String,
}

fn index() -> String {
    "index.js".to_owned()
}

/// The tool's own `package.json`.
#[derive(Deserialize)]
struct Installed {
    version: String,
}

pub(super) fn build(sources: &Sources, progress: &mut impl FnMut(&str)) -> Result<Vec<u8>, BuildError> {
    let folder = &sources.folder;
    if !is_newer(&folder.join("node_modules/.package-lock.json"), &folder.join("package-lock.json")) {
        progress("fetching what package-lock.json names");
        let mut npm = Command::new("npm");
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]);
        run(npm.current_dir(folder), HINT)?;
    }
    let manifest: Manifest = read(sources, "package.json")?;
    let installed: Installed = read(sources, "node_modules/componentize-qjs/package.json")?;
    let wit = sources.wit_folder()?;
    let component = sources.target.join("component.wasm");
    progress("putting it beside its engine");
    let mut node = Command::new("node");
    node.arg(format!("node_modules/{TOOL}/bin/{TOOL}"));
    node.args(["--sync", "--world", "plugin", "--wit"]).arg(&wit);
    node.arg("--js").arg(&manifest.main).arg("--output").arg(&component);
    run(node.current_dir(folder), HINT)?;
    sources.finished(&component, &format!("{TOOL} {}", installed.version))
}

fn read<T: for<'a> Deserialize<'a>>(sources: &Sources, name: &str) -> Result<T, BuildError> {
    let path = sources.folder.join(name);
    let bytes = std::fs::read(&path).map_err(|cause| BuildError::Io { path: path.clone(), cause })?;
    serde_json::from_slice(&bytes).map_err(|cause| BuildError::Manifest { path, cause })
}
