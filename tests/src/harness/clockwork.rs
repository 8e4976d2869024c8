//! A host whose wall clock is set while it runs; the clock that is never set goes on. The host is the binary that ships.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use anyhow::Context as _;

use super::host::Host;
use super::preload::Library;

/// What hosts read their clocks through.
#[derive(Debug)]
pub struct Clockwork(Library);

impl Clockwork {
    /// Builds it; the clock is right.
    ///
    /// # Errors
    /// When there is no `rustc`, or the system is not Linux.
    pub fn build() -> anyhow::Result<Self> {
        let clockwork = Self(Library::build("clock")?);
        fs::write(clockwork.0.beside("offset"), 0_i64.to_ne_bytes())?;
        Ok(clockwork)
    }

    /// Starts `site` with it.
    ///
    /// # Errors
    /// As [`Host::start`].
    pub fn start(&self, site: &Path) -> anyhow::Result<Host> {
        let offset = self.0.beside("offset");
        self.0.start(site, &[("CLOCK_OFFSET", offset.to_str().context("a path")?)])
    }

    /// Sets the clock of all hosts of it so many seconds before (or, negative, behind) the right time.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn set(&self, seconds: i64) -> anyhow::Result<()> {
        // In place: the hosts have it mapped.
        let file = fs::File::options().write(true).open(self.0.beside("offset"))?;
        Ok(file.write_all_at(&seconds.to_ne_bytes(), 0)?)
    }
}
