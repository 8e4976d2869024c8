//! Deaths at a chosen write: a host that is killed right before a word is in a file, or right after it was forced to the
//! disk. The host is the binary that ships; `tests/peers/cut/cut.rs` is preloaded into it and looks at its writes.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};

use super::host::Host;
use super::place::{free_port, geminus, repository};
use super::wait::wait_for;

/// The write at which a host dies.
#[derive(Clone, Debug)]
pub struct Cut {
    /// The end of the file's path.
    pub file: String,
    /// What the write holds.
    pub text: String,
    /// Whether it is in the file, and durable, when the host dies.
    pub after: bool,
}

/// What is preloaded; built with the compiler that built the tests.
#[derive(Debug)]
pub struct Cutter {
    folder: tempfile::TempDir,
}

impl Cutter {
    /// Builds it.
    ///
    /// # Errors
    /// When there is no `rustc`, or the system is not Linux.
    pub fn build() -> anyhow::Result<Self> {
        ensure!(cfg!(target_os = "linux"), "preloading is known of Linux only");
        let cutter = Self { folder: tempfile::tempdir()? };
        let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let status = Command::new(compiler)
            .args(["--edition", "2024", "--crate-type", "cdylib", "-C", "opt-level=1", "-o"])
            .arg(cutter.library())
            .arg("tests/peers/cut/cut.rs")
            // Where the version of the compiler stands.
            .current_dir(repository())
            .status()
            .context("rustc cannot be started")?;
        ensure!(status.success(), "rustc ended with {status}");
        Ok(cutter)
    }

    fn library(&self) -> PathBuf {
        self.folder.path().join("libcut.so")
    }

    /// Starts `site` with a host that will be killed at this write.
    ///
    /// # Errors
    /// As [`Host::start`].
    pub fn start(&self, site: &Path, cut: &Cut) -> anyhow::Result<Host> {
        let mut command = Command::new(geminus()?);
        command
            .env("LD_PRELOAD", self.library())
            .env("CUT_FILE", &cut.file)
            .env("CUT_TEXT", &cut.text)
            .env("CUT_WHEN", if cut.after { "after" } else { "before" });
        Host::spawn(command, site, free_port()?)
    }
}

impl Host {
    /// Goes on with `meanwhile` until the host has been killed, and takes leave of it. Whatever `meanwhile` gives as an
    /// error is the last word when the host does not die: questions to a host that has just died have no answer.
    ///
    /// # Errors
    /// When it does not die, or otherwise than by SIGKILL.
    pub fn dies_while(
        mut self,
        mut meanwhile: impl FnMut(&Self) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        use std::os::unix::process::ExitStatusExt as _;
        let end = wait_for("the host to be killed at its write", super::question::PATIENCE, || {
            if let Some(end) = self.has_ended()? {
                return Ok(Some(end));
            }
            meanwhile(&self).map(|()| None)
        })?;
        ensure!(end.signal() == Some(9), "the host ended with {end}:\n{}", self.log());
        Ok(())
    }
}
