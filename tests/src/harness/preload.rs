//! Libraries that are preloaded into the host that ships, so that a scenario can do to it from outside what a machine does: kill
//! it at a write, set its clock. They stand in `tests/peers/preload` and are built with the compiler that built the tests.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};

use super::host::Host;
use super::place::{free_port, geminus, repository};

/// One of them, built.
#[derive(Debug)]
pub(super) struct Library {
    folder: tempfile::TempDir,
}

impl Library {
    /// Builds `tests/peers/preload/NAME.rs`.
    ///
    /// # Errors
    /// When there is no `rustc`, or the system is not Linux.
    pub(super) fn build(name: &str) -> anyhow::Result<Self> {
        ensure!(cfg!(target_os = "linux"), "preloading is known of Linux only");
        let library = Self { folder: tempfile::tempdir()? };
        let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let status = Command::new(compiler)
            .args(["--edition", "2024", "--crate-type", "cdylib", "-C", "opt-level=1", "-o"])
            .arg(library.path())
            .arg(format!("tests/peers/preload/{name}.rs"))
            // Where the version of the compiler stands.
            .current_dir(repository())
            .status()
            .context("rustc cannot be started")?;
        ensure!(status.success(), "rustc ended with {status}");
        Ok(library)
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("library.so")
    }

    /// A file that the library is told of.
    pub(super) fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts `site` with it.
    ///
    /// # Errors
    /// As [`Host::start`].
    pub(super) fn start(&self, site: &Path, told: &[(&str, &str)]) -> anyhow::Result<Host> {
        let mut command = Command::new(geminus()?);
        command.env("LD_PRELOAD", self.path()).envs(told.iter().copied());
        Host::spawn(command, site, free_port()?)
    }
}
