//! Deaths at a chosen write: a host that is killed right before a word is in a file, or right after it was forced to the
//! disk. The host is the binary that ships; `tests/peers/preload/cut.rs` is preloaded into it and looks at its writes.

use std::path::Path;

use anyhow::ensure;

use super::host::Host;
use super::preload::Library;
use super::question::PATIENCE;
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

/// What kills them.
#[derive(Debug)]
pub struct Cutter(Library);

impl Cutter {
    /// Builds it.
    ///
    /// # Errors
    /// When there is no `rustc`, or the system is not Linux.
    pub fn build() -> anyhow::Result<Self> {
        Library::build("cut").map(Self)
    }

    /// Starts `site` with a host that will be killed at this write.
    ///
    /// # Errors
    /// As [`Host::start`].
    pub fn start(&self, site: &Path, cut: &Cut) -> anyhow::Result<Host> {
        let when = if cut.after { "after" } else { "before" };
        self.0.start(site, &[("CUT_FILE", &cut.file), ("CUT_TEXT", &cut.text), ("CUT_WHEN", when)])
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
        let end = wait_for("the host to be killed at its write", PATIENCE, || {
            if let Some(end) = self.has_ended()? {
                return Ok(Some(end));
            }
            meanwhile(&self).map(|()| None)
        })?;
        ensure!(end.signal() == Some(9), "the host ended with {end}:\n{}", self.log());
        Ok(())
    }
}
