//! A behavior in Python: the module `behavior` in `src`, which componentize-py puts with CPython and whatever else it
//! imports into a component. `requirements.txt` names that tool and what the behavior needs, with versions; pip
//! fetches it into an environment of its own in `target`.

use std::process::Command;

use super::{Sources, is_newer, run};
use crate::author::build::BuildError;

const HINT: &str = "install Python 3.10 or newer with venv (Debian: python3-venv)";
const TOOL: &str = "componentize-py";
/// The author's module. Not the world's name: that is where the bindings are.
const MODULE: &str = "behavior";

pub(super) fn build(sources: &Sources, progress: &mut impl FnMut(&str)) -> Result<Vec<u8>, BuildError> {
    let (venv, requirements) = (sources.target.join("venv"), sources.folder.join("requirements.txt"));
    let tool = venv.join("bin").join(TOOL);
    let fetched = venv.join("fetched");
    if !is_newer(&fetched, &requirements) {
        progress("fetching what requirements.txt names");
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv), HINT)?;
        let mut pip = Command::new(venv.join("bin/python"));
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"]);
        run(pip.arg(&requirements), HINT)?;
        super::write(&fetched, b"")?;
    }
    let version = run(Command::new(&tool).arg("--version"), HINT)?;
    let wit = sources.wit_folder()?;
    let component = sources.target.join("component.wasm");
    progress("putting it beside its interpreter");
    let mut made = Command::new(&tool);
    made.env("VIRTUAL_ENV", &venv).arg("--wit-path").arg(&wit).args(["--world", "plugin", "componentize"]);
    made.arg("--python-path").arg(sources.folder.join("src")).arg("--output").arg(&component).arg(MODULE);
    run(made.current_dir(&sources.folder), HINT)?;
    sources.finished(&component, &version)
}
