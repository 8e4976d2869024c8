//! Where things are: the repository, the binary, recorded data, free ports.

use std::net::TcpListener;
use std::path::PathBuf;

use anyhow::{Context as _, bail};

/// The repository's root.
#[must_use]
pub fn repository() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().map(PathBuf::from).unwrap_or(here)
}

/// The release binary of the host, which `tests/run` builds first.
///
/// # Errors
/// When it has not been built.
pub fn geminus() -> anyhow::Result<PathBuf> {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository().join("target"), PathBuf::from);
    let binary = target.join("release/geminus");
    match binary.is_file() {
        true => Ok(binary),
        false => bail!("{} is missing: run `cargo build --release` first", binary.display()),
    }
}

/// A loopback port that was free a moment ago.
///
/// # Errors
/// When the system has none.
pub fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").context("no free port")?;
    Ok(listener.local_addr()?.port())
}

/// Recorded data of real machines, which is not part of the repository: `GEMINUS_DATA`, or `../shared/data`
/// beside it. `None` means that a test cannot run here, which it must say.
///
/// # Errors
/// On CI the data must be there.
pub fn recorded_data() -> anyhow::Result<Option<PathBuf>> {
    let place =
        std::env::var_os("GEMINUS_DATA").map_or_else(|| repository().join("../shared/data"), PathBuf::from);
    if place.is_dir() {
        return Ok(Some(place));
    }
    if std::env::var("CI").is_ok_and(|ci| ci == "true") {
        bail!("recorded data is missing at {}: set GEMINUS_DATA", place.display());
    }
    Ok(None)
}
