//! `geminus plugin new`: a crate that builds, is tested and can be changed.

use std::fs;
use std::path::{Path, PathBuf};

use geminus_core::declaration::Kind;

/// Writes a new plugin crate into `parent/<name>`. `sdk` is the path or version requirement of the SDK as it
/// shall stand in the manifest (`path = "…"` or `version = "…"`).
///
/// # Errors
/// When the name cannot be a crate's, the folder exists, or the disk says no.
pub fn scaffold(parent: &Path, name: &str, kind: Kind, sdk: &str) -> Result<PathBuf, ScaffoldError> {
    let valid = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if !valid {
        return Err(ScaffoldError::Name(name.to_owned()));
    }
    let folder = parent.join(name);
    if folder.exists() {
        return Err(ScaffoldError::Exists(folder));
    }
    let type_name = type_name(name);
    let fill = |template: &str| {
        template
            .replace("{name}", name)
            .replace("{crate}", &name.replace('-', "_"))
            .replace("{Type}", &type_name)
            .replace("{sdk}", sdk)
    };
    let (body, case) = match kind {
        Kind::Estimator => {
            (include_str!("templates/estimator.rs.txt"), include_str!("templates/estimator.case.json.txt"))
        }
        Kind::Surrogate => {
            (include_str!("templates/surrogate.rs.txt"), include_str!("templates/surrogate.case.json.txt"))
        }
        Kind::HealthRule => (
            include_str!("templates/health-rule.rs.txt"),
            include_str!("templates/health-rule.case.json.txt"),
        ),
        Kind::CommandPolicy => (
            include_str!("templates/command-policy.rs.txt"),
            include_str!("templates/command-policy.case.json.txt"),
        ),
    };
    let write = |path: PathBuf, text: String| {
        path.parent()
            .map_or(Ok(()), fs::create_dir_all)
            .and_then(|()| fs::write(&path, text))
            .map_err(|cause| ScaffoldError::Io { path, cause })
    };
    write(folder.join("Cargo.toml"), fill(include_str!("templates/Cargo.toml.txt")))?;
    write(folder.join("README.md"), fill(include_str!("templates/README.md.txt")))?;
    write(folder.join("src/lib.rs"), fill(body))?;
    write(folder.join("cases/first.json"), case.to_owned())?;
    write(folder.join("examples/native.rs"), fill(include_str!("templates/native.rs.txt")))?;
    // The only template with state; its test holds what this first version saves.
    if kind == Kind::Estimator {
        let golden = folder.join("tests/golden/schema-1-running.json");
        write(golden, fill(include_str!("templates/estimator.golden.json.txt")))?;
    }
    Ok(folder)
}

/// `pump-health` → `PumpHealth`.
fn type_name(name: &str) -> String {
    name.split('-')
        .flat_map(|word| {
            let mut letters = word.chars();
            letters.next().map(|c| c.to_ascii_uppercase()).into_iter().chain(letters)
        })
        .collect()
}

/// Why no crate was made.
#[derive(Debug, thiserror::Error)]
pub enum ScaffoldError {
    /// Not a name for a plugin.
    #[error("{0:?} is no plugin name: use lower-case letters, digits and dashes, a letter first")]
    Name(String),
    /// Something is there already.
    #[error("{} exists already: choose another name or folder", .0.display())]
    Exists(PathBuf),
    /// The file system said no.
    #[error("cannot write {path}: {cause}", path = .path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What it said. Not called `source`: the text holds it, and a chain of causes would say it twice.
        cause: std::io::Error,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_types() {
        assert_eq!(type_name("pump-health"), "PumpHealth");
        assert_eq!(type_name("x2"), "X2");
    }

    #[test]
    fn a_new_plugin_with_state_has_a_golden_state_of_its_own() {
        let dir = tempfile::tempdir().expect("folder");
        for (kind, has) in [
            (Kind::Estimator, true),
            (Kind::Surrogate, false),
            (Kind::HealthRule, false),
            (Kind::CommandPolicy, false),
        ] {
            let name = format!("my-{kind:?}").to_lowercase();
            let folder = scaffold(dir.path(), &name, kind, "").expect("made");
            let golden = fs::read_to_string(folder.join("tests/golden/schema-1-running.json"));
            assert_eq!(golden.is_ok(), has, "{kind:?}");
            assert!(
                golden.is_ok_and(|text| text.contains("\"plugin\": \"my-estimator\"")) == has,
                "{kind:?}"
            );
            let source = fs::read_to_string(folder.join("src/lib.rs")).expect("there");
            assert_eq!(source.contains("golden::hold::<MyEstimator>"), has, "{kind:?}");
            assert_eq!(!source.contains("_state: &mut ()"), has, "a template with state holds it");
        }
    }

    #[test]
    fn a_bad_name_and_an_existing_folder_are_refused() {
        let dir = tempfile::tempdir().expect("folder");
        for name in ["", "Pump", "9lives", "a b", "../x"] {
            let error = scaffold(dir.path(), name, Kind::Estimator, "").expect_err("refused");
            assert!(matches!(error, ScaffoldError::Name(_)), "{name}: {error}");
        }
        fs::create_dir(dir.path().join("taken")).expect("made");
        let error = scaffold(dir.path(), "taken", Kind::Estimator, "").expect_err("refused");
        assert!(matches!(error, ScaffoldError::Exists(_)));
    }
}
