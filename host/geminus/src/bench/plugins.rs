//! The plugins that are measured, built from source once a run.

use std::cell::OnceCell;
use std::path::Path;

use anyhow::ensure;
use geminus_registry::{Package, author};
use tempfile::TempDir;

use crate::command::demo::{folder, source};

/// What a pump rig runs.
const NAMES: [&str; 2] = ["motor-thermal", "pump-health"];

/// The guest that steps any model, in the repository.
const MODELS: &str = "tests/guests/models";

/// Built packages in a folder of their own; nothing is built before it is asked for.
#[derive(Debug, Default)]
pub(crate) struct Plugins {
    built: OnceCell<Built>,
    models: OnceCell<Package>,
}

#[derive(Debug)]
struct Built {
    folder: TempDir,
    packages: Vec<Package>,
}

impl Plugins {
    /// Folder with the packages; copy from it, do not run from it.
    pub(crate) fn folder(&self) -> anyhow::Result<&Path> {
        Ok(self.built()?.folder.path())
    }

    /// The component whose source is linked into this binary too.
    pub(crate) fn motor_thermal(&self) -> anyhow::Result<&Package> {
        let thermal = self.built()?.packages.first();
        thermal.ok_or_else(|| anyhow::anyhow!("motor-thermal was not built"))
    }

    /// The guest that steps the model which its parameter names. It ships nowhere, so it lies in no folder of packages.
    pub(crate) fn models(&self) -> anyhow::Result<&Package> {
        if let Some(models) = self.models.get() {
            return Ok(models);
        }
        let out = tempfile::tempdir()?;
        eprintln!("  building {MODELS}");
        let built = author::build(&folder(MODELS)?, Some(out.path()), |_| ())?;
        Ok(self.models.get_or_init(|| built.package))
    }

    /// The same component under the next version, and so under another digest.
    pub(crate) fn successor(&self) -> anyhow::Result<Package> {
        let first = self.motor_thermal()?;
        let version = &first.declaration.version.0;
        let next = semver::Version::new(version.major, version.minor, version.patch + 1);
        let [from, to] = [version, &next].map(|version| format!("\"version\":\"{version}\""));
        let places: Vec<usize> = first
            .bytes
            .windows(from.len())
            .enumerate()
            .filter(|(_, part)| *part == from.as_bytes())
            .map(|(place, _)| place)
            .collect();
        let fits = !places.is_empty() && from.len() == to.len();
        ensure!(fits, "{from} cannot become {to} in {}", first.path.display());
        let mut bytes = first.bytes.to_vec();
        for place in places {
            bytes.splice(place..place + to.len(), to.bytes());
        }
        Ok(Package::check(Path::new("successor.wasm"), bytes)?)
    }

    fn built(&self) -> anyhow::Result<&Built> {
        if let Some(built) = self.built.get() {
            return Ok(built);
        }
        let folder = tempfile::tempdir()?;
        let mut packages = Vec::new();
        for name in NAMES {
            eprintln!("  building {name}");
            packages.push(author::build(&source(name)?, Some(folder.path()), |_| ())?.package);
        }
        Ok(self.built.get_or_init(|| Built { folder, packages }))
    }
}
