//! A site in a folder of its own: configuration, types, plugins, data.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::place::repository;

/// A copy of an example site that a scenario may change; removed when dropped.
#[derive(Debug)]
pub struct SiteFolder {
    folder: tempfile::TempDir,
}

impl SiteFolder {
    /// A site of the scenario's own, with an empty plugin folder.
    ///
    /// # Errors
    /// When no folder can be made.
    pub fn new(site: &str, types: &[(&str, &str)]) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        fs::write(folder.path().join("site.toml"), site)?;
        fs::create_dir_all(folder.path().join("types"))?;
        fs::create_dir_all(folder.path().join("plugins"))?;
        for (name, text) in types {
            fs::write(folder.path().join("types").join(name), text)?;
        }
        Ok(Self { folder })
    }

    /// Copies `examples/<name>` (types and all), with `edit` applied to the text of its `site.toml`, and puts the
    /// built plugins into its plugin folder.
    ///
    /// # Errors
    /// When the example or a built plugin is missing.
    pub fn from_example(name: &str, edit: impl Fn(String) -> String) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        copy(&repository().join("examples").join(name), folder.path())?;
        let site = folder.path().join("site.toml");
        fs::write(&site, edit(fs::read_to_string(&site)?))?;
        let plugins = folder.path().join("plugins");
        fs::create_dir_all(&plugins)?;
        for plugin in ["motor-thermal", "pump-health"] {
            let built = repository().join("target/plugins").join(format!("{plugin}.wasm"));
            fs::copy(&built, plugins.join(format!("{plugin}.wasm")))
                .with_context(|| format!("{} is missing: run tests/run", built.display()))?;
        }
        Ok(Self { folder })
    }

    /// Its `site.toml`.
    #[must_use]
    pub fn site(&self) -> PathBuf {
        self.folder.path().join("site.toml")
    }

    /// A path inside it.
    #[must_use]
    pub fn path(&self, inside: &str) -> PathBuf {
        self.folder.path().join(inside)
    }
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| from.display().to_string())? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true => copy(&entry.path(), &target)?,
            false => drop(fs::copy(entry.path(), target)?),
        }
    }
    Ok(())
}
