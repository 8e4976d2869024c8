//! Compiled artefacts on disk: a component's machine code, kept so that the next start takes no compiling.
//!
//! An artefact is trusted code, so the folder must belong to the host alone. A file is named by the component's
//! digest and by everything of the engine that compiled code depends on, is written by rename, and carries a
//! checksum over its content. Whatever is not exactly right is passed over and made anew: this is a cache, and
//! no failure here stops a component from being compiled by the process that runs it.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use geminus_core::Digest;
use wasmtime::component::Component;

/// First bytes of the file; the number is that of this layout.
const MAGIC: &[u8; 8] = b"GEMINUS1";
/// Length of the checksum that follows.
const CHECKSUM_BYTES: usize = 32;

/// The artefact of `digest`, when the folder holds one that fits this engine and is unharmed.
pub(crate) fn load(wasm: &wasmtime::Engine, folder: &Path, digest: Digest) -> Option<Component> {
    let path = path(wasm, folder, digest);
    let file = fs::read(&path).ok()?;
    match code(&file).map(|code| deserialize(wasm, code)) {
        Some(Ok(component)) => Some(component),
        Some(Err(cause)) => {
            tracing::warn!(path = %path.display(), cause = format!("{cause:#}"), "compiled artefact refused, compiling anew");
            None
        }
        None => {
            tracing::warn!(path = %path.display(), "compiled artefact is damaged, compiling anew");
            None
        }
    }
}

/// Keeps the artefact of `component`.
pub(crate) fn keep(
    wasm: &wasmtime::Engine,
    folder: &Path,
    digest: Digest,
    component: &Component,
) -> std::io::Result<()> {
    let code = component.serialize().map_err(std::io::Error::other)?;
    write(&path(wasm, folder, digest), &code)
}

fn path(wasm: &wasmtime::Engine, folder: &Path, digest: Digest) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    wasm.precompile_compatibility_hash().hash(&mut hasher);
    let digest = digest.to_string();
    let digest = digest.trim_start_matches("sha256:");
    folder.join(format!("{digest}-{:016x}.cwasm", hasher.finish()))
}

fn write(path: &Path, code: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let temporary = path.with_extension(format!("{}.new", std::process::id()));
    let mut file = fs::File::create(&temporary)?;
    file.write_all(MAGIC)?;
    file.write_all(Digest::of(code).bytes())?;
    file.write_all(code)?;
    file.sync_all()?;
    fs::rename(&temporary, path)
}

/// The machine code in `file`, when head and checksum are right.
fn code(file: &[u8]) -> Option<&[u8]> {
    let (checksum, code) = file.strip_prefix(MAGIC)?.split_at_checked(CHECKSUM_BYTES)?;
    (Digest::of(code).bytes() == checksum).then_some(code)
}

#[expect(unsafe_code, reason = "wasmtime runs what it is given here; checksum, name and folder vouch for it")]
fn deserialize(wasm: &wasmtime::Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: `code` is byte for byte what `keep` wrote: its checksum was compared, only the host can write the
    // folder, the name carries digest and engine, and wasmtime compares its own version and settings again.
    unsafe { Component::deserialize(wasm, code) }
}
