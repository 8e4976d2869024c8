//! A site in a folder of its own: configuration, types, plugins, data.

use std::ffi::OsStr;
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

    /// Copies `examples/<name>` (types and all, but nothing that a host has left there), with `edit` applied to the
    /// text of its `site.toml`, and puts the built plugins that it names into its plugin folder.
    ///
    /// # Errors
    /// When the example or a built plugin is missing.
    pub fn from_example(name: &str, edit: impl Fn(String) -> String) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        copy_site(&repository().join("examples").join(name), folder.path())?;
        let site = folder.path().join("site.toml");
        let example = fs::read_to_string(&site)?;
        let edited = edit(example.clone());
        fs::write(&site, &edited)?;
        let plugins = folder.path().join("plugins");
        fs::create_dir_all(&plugins)?;
        let named = |plugin: &&str| {
            let names = format!("plugin = \"{plugin}\"");
            example.contains(&names) || edited.contains(&names)
        };
        for plugin in ["motor-thermal", "pump-health", "throttle-policy"].into_iter().filter(named) {
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

/// What somebody who followed the README has left in an example: its host's data and plugins, not the example's.
const LEFT_BEHIND: [&str; 2] = ["data", "plugins"];

fn copy_site(from: &Path, to: &Path) -> anyhow::Result<()> {
    copy(from, to, &|name| LEFT_BEHIND.iter().any(|left| name == *left))
}

fn copy(from: &Path, to: &Path, skip: &dyn Fn(&OsStr) -> bool) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| from.display().to_string())? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true if skip(&entry.file_name()) => {}
            true => copy(&entry.path(), &target, &|_| false)?,
            false => drop(fs::copy(entry.path(), target)?),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_host_has_left_in_an_example_is_not_copied() -> anyhow::Result<()> {
        let (example, copied) = (tempfile::tempdir()?, tempfile::tempdir()?);
        for file in ["site.toml", "types/pump.json", "types/data/kept", "data/hot.db", "plugins/old.wasm"] {
            let path = example.path().join(file);
            fs::create_dir_all(path.parent().context("a folder")?)?;
            fs::write(path, file)?;
        }
        copy_site(example.path(), copied.path())?;
        for file in ["site.toml", "types/pump.json", "types/data/kept"] {
            assert_eq!(fs::read_to_string(copied.path().join(file))?, file);
        }
        for left in LEFT_BEHIND {
            assert!(!copied.path().join(left).exists(), "{left} was copied");
        }
        Ok(())
    }
}
