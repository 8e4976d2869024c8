//! Behaviors that are not written in Rust: a folder with `declaration.json` and sources in C, JavaScript or Python. Each
//! language's own toolchain makes the component; the bindings to the contract are generated for it each time into
//! `target` of that folder, so that nothing generated is kept. Called by `build`, which checks what comes out.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use geminus_core::Declaration;

use super::build::BuildError;
use super::componentize::{WIT, stamped};
use crate::PackageError;

mod c;
mod javascript;
mod python;

/// Where the author declares what the SDK's macros would have written.
const DECLARATION: &str = "declaration.json";

/// A language that has no SDK here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    C,
    JavaScript,
    Python,
}

impl Language {
    /// Of the sources in `folder`; `None` where there is no declaration beside them, or none of the three.
    pub(super) fn of(folder: &Path) -> Option<Self> {
        let has = |name: &str| folder.join(name).is_file();
        match has(DECLARATION) {
            true if has("package.json") => Some(Self::JavaScript),
            true if has("requirements.txt") => Some(Self::Python),
            true if folder.join("src").is_dir() => Some(Self::C),
            _ => None,
        }
    }

    /// Makes the component, with declaration and stamp on top.
    pub(super) fn build(self, folder: &Path, progress: &mut impl FnMut(&str)) -> Result<Vec<u8>, BuildError> {
        let path = folder.join(DECLARATION);
        let json = std::fs::read(&path).map_err(|cause| BuildError::Io { path, cause })?;
        let declaration = Declaration::parse(&json).map_err(PackageError::from)?;
        let folder =
            folder.canonicalize().map_err(|cause| BuildError::Io { path: folder.to_owned(), cause })?;
        let target = folder.join("target");
        let wit = wit(&declaration);
        let sources = Sources { folder, target, wit, declaration: json };
        match self {
            Self::C => c::build(&sources, progress),
            Self::JavaScript => javascript::build(&sources, progress),
            Self::Python => python::build(&sources, progress),
        }
    }
}

/// What a language's toolchain works on.
struct Sources {
    folder: PathBuf,
    /// For what is generated.
    target: PathBuf,
    /// The contract, with the imports that the declaration asks for.
    wit: String,
    declaration: Vec<u8>,
}

impl Sources {
    /// An empty folder inside `target`.
    fn fresh(&self, name: &str) -> Result<PathBuf, BuildError> {
        let path = self.target.join(name);
        let made = match std::fs::remove_dir_all(&path) {
            Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => Err(cause),
            _ => std::fs::create_dir_all(&path),
        };
        made.map_err(|cause| BuildError::Io { path: path.clone(), cause })?;
        Ok(path)
    }

    /// The contract as a file, in a folder of its own.
    fn wit_folder(&self) -> Result<PathBuf, BuildError> {
        let folder = self.fresh("wit")?;
        write(&folder.join("behavior.wit"), self.wit.as_bytes())?;
        Ok(folder)
    }

    /// Puts declaration and stamp on a component that a toolchain has made.
    fn finished(&self, component: &Path, toolchain: &str) -> Result<Vec<u8>, BuildError> {
        let path = component.to_owned();
        let bytes = std::fs::read(component).map_err(|cause| BuildError::Io { path, cause })?;
        Ok(stamped(bytes, &self.declaration, toolchain)?)
    }
}

/// Toolchains of interpreted languages import the whole world, used or not, and look-ups that are imported must be declared.
fn wit(declaration: &Declaration) -> String {
    match declaration.lookups.is_empty() {
        true => WIT.replace("    import lookups;\n", ""),
        false => WIT.to_owned(),
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), BuildError> {
    std::fs::write(path, bytes).map_err(|cause| BuildError::Io { path: path.to_owned(), cause })
}

/// Runs a tool to its end and gives what it said. `hint` says how to get one that is not there.
fn run(command: &mut Command, hint: &'static str) -> Result<String, BuildError> {
    let tool = command.get_program().to_string_lossy().into_owned();
    let output =
        command.stdin(Stdio::null()).output().map_err(|cause| BuildError::Tool { tool, hint, cause })?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    let (said, complained) = (text(&output.stdout), text(&output.stderr));
    match output.status.success() {
        true => Ok(said),
        false if complained.is_empty() => Err(BuildError::Failed(said)),
        false => Err(BuildError::Failed(complained)),
    }
}

/// Whether `made` is there and not older than what it is made from.
fn is_newer(made: &Path, from: &Path) -> bool {
    let time = |path: &Path| std::fs::metadata(path).and_then(|found| found.modified()).ok();
    matches!((time(made), time(from)), (Some(made), Some(from)) if made >= from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_told_by_what_lies_beside_the_declaration() {
        let check = |files: &[&str], expect: Option<Language>| {
            let folder = tempfile::tempdir().expect("a folder");
            for file in files {
                let path = folder.path().join(file);
                std::fs::create_dir_all(path.parent().expect("inside")).expect("a folder");
                std::fs::write(path, "").expect("a file");
            }
            assert_eq!(Language::of(folder.path()), expect, "{files:?}");
        };
        check(&[DECLARATION, "src/level.c"], Some(Language::C));
        check(&[DECLARATION, "package.json", "src/level.js"], Some(Language::JavaScript));
        check(&[DECLARATION, "requirements.txt", "src/level.py"], Some(Language::Python));
        check(&[DECLARATION], None);
        check(&["src/level.c"], None);
        check(&["Cargo.toml", "src/lib.rs"], None);
    }

    #[test]
    fn look_ups_are_imported_only_where_they_are_declared() {
        let mut json = serde_json::json!({
            "declaration": 1, "name": "level", "version": "1.0.0", "kind": "estimator",
            "outputs": [{"name": "o", "unit": "1"}], "state": {"schema": 0, "reads": [], "writes": []}
        });
        let world = |json: &serde_json::Value| {
            let text = wit(&Declaration::parse(json.to_string().as_bytes()).expect("valid"));
            let mut resolve = wit_parser::Resolve::default();
            let package = resolve.push_str("behavior.wit", &text).expect("a contract");
            let world = resolve.select_world(&[package], Some("plugin")).expect("its world");
            resolve.worlds[world].imports.len()
        };
        let without = world(&json);
        json["lookups"] = serde_json::json!([{"name": "past", "kind": "history", "unit": "Cel"}]);
        assert_eq!(world(&json), without + 1);
    }

    #[test]
    fn a_tool_that_is_not_there_is_told_with_how_to_get_it() {
        let error = run(&mut Command::new("no-such-compiler"), "install it").expect_err("not there");
        let said = error.to_string();
        assert!(said.contains("no-such-compiler") && said.ends_with("install it"), "{said}");
    }
}
