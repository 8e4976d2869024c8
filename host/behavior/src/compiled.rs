//! A component that may run: checked, compiled, its imports resolved, its exports found.
//!
//! The registry has verified the file and read the declaration before; here the code itself is held against the
//! contract. A component that asks for anything but the contract's imports is refused with the import's name.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use geminus_core::{Declaration, Digest, wasi as names};
use wasmtime::component::Component;

use crate::artefact;
use crate::bindings::PluginPre;
use crate::engine::{Engine, Inner};
use crate::host::Room;
use crate::shape;
use crate::wasi;

/// Interfaces of the contract that a component may import, each followed by `@` and a version.
const IMPORTS: [&str; 3] = ["geminus:behavior/types", "geminus:behavior/log", "geminus:behavior/lookups"];
/// The interface that a component must export.
const EXPORT: &str = "geminus:behavior/behavior";
/// Versions of the contract that this host speaks.
const VERSIONS: &str = "0.1.";

/// A component ready to be instantiated. Dropping the last `Arc` frees its code.
pub struct Compiled {
    digest: Digest,
    declaration: Arc<Declaration>,
    from_cache: bool,
    /// Linear memories of an instance, at least 1.
    pub(crate) memories: u32,
    /// Imports WASI, whose clocks stand at the row's time: rows and slots go into calls one by one.
    pub(crate) alone: bool,
    pub(crate) pre: PluginPre<Room>,
    pub(crate) engine: Arc<Inner>,
}

/// Why a component cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// Larger than the site allows.
    #[error("component has {bytes} bytes, {bytes_max} are allowed")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// Not WebAssembly, or only its beginning.
    #[error("file is not a WebAssembly component: it does not start with the component header")]
    NotWasm,
    /// A module without the component layer.
    #[error("file is a core module, not a component: build it with `geminus plugin build`")]
    CoreModule,
    /// The bytes are not those that the digest names.
    #[error("bytes do not have the digest {expected}, but {found}")]
    Digest {
        /// The digest that was asked for.
        expected: Digest,
        /// The digest of the bytes.
        found: Digest,
    },
    /// Cut short, damaged, or using a feature that is switched off.
    #[error("component cannot be compiled: {0}")]
    Invalid(String),
    /// Built for a contract that this host does not speak.
    #[error("component is built for {name}, this host speaks {VERSIONS}x: rebuild it with a matching SDK")]
    WrongContract {
        /// The interface with its version.
        name: String,
    },
    /// Imports something that is not part of the contract.
    #[error(
        "component imports {name}, which a behavior may not: only log and lookups of geminus:behavior, and of WASI what a \
         language's runtime needs"
    )]
    ForbiddenImport {
        /// The import, as the component names it.
        name: String,
    },
    /// Does not export what the contract asks for.
    #[error("component does not export {EXPORT}")]
    NoBehavior,
    /// Exports or imports with other types than the contract's.
    #[error("component does not fit the contract: {0}")]
    Mismatch(String),
    /// Built so that compiling it might take for ever, or all memory.
    #[error("component has {found} {what}, {limit} are allowed ({rule})")]
    Shape {
        /// What there is too much of.
        what: &'static str,
        /// How much.
        found: u64,
        /// The limit.
        limit: u64,
        /// Name of the limit in `Limits`.
        rule: &'static str,
    },
    /// The artefact could not be written.
    #[error("compiled artefact cannot be kept in {}: {cause}", folder.display())]
    NotKept {
        /// Where.
        folder: PathBuf,
        /// What happened.
        cause: std::io::Error,
    },
    /// Declares what this version of the host cannot feed.
    #[error("{0} are declared, which this version of the host cannot feed")]
    NotYet(&'static str),
}

impl Compiled {
    /// What the component says of itself.
    #[must_use]
    pub fn declaration(&self) -> &Arc<Declaration> {
        &self.declaration
    }

    /// Its true name.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Whether the artefact was found compiled.
    #[must_use]
    pub fn from_cache(&self) -> bool {
        self.from_cache
    }

    pub(crate) fn new(
        engine: &Engine,
        digest: Digest,
        bytes: &[u8],
        declaration: Arc<Declaration>,
        cache: Option<&Path>,
    ) -> Result<Self, CompileError> {
        check_file(digest, bytes, engine.limits().component_bytes_max)?;
        let cached =
            cache.map(|folder| Self::load(engine, digest, declaration.clone(), folder)).transpose()?;
        if let Some(compiled) = cached.flatten() {
            return Ok(compiled);
        }
        check_declaration(&declaration)?;
        let (component, pre, alone) = build(engine, bytes)?;
        if let Some(Err(cause)) =
            cache.map(|folder| artefact::keep(&engine.inner.wasm, folder, digest, &component))
        {
            // The cache is no condition: without it the next start takes longer.
            tracing::warn!(%digest, %cause, "compiled artefact not kept");
        }
        let memories = memories(&component);
        Ok(Self {
            digest,
            declaration,
            from_cache: false,
            memories,
            alone,
            pre,
            engine: engine.inner.clone(),
        })
    }

    pub(crate) fn load(
        engine: &Engine,
        digest: Digest,
        declaration: Arc<Declaration>,
        cache: &Path,
    ) -> Result<Option<Self>, CompileError> {
        check_declaration(&declaration)?;
        let Some(component) = artefact::load(&engine.inner.wasm, cache, digest) else { return Ok(None) };
        let (pre, alone) = fit(engine, &component)?;
        let (memories, engine) = (memories(&component), engine.inner.clone());
        Ok(Some(Self { digest, declaration, from_cache: true, memories, alone, pre, engine }))
    }

    pub(crate) fn precompile(
        engine: &Engine,
        digest: Digest,
        bytes: &[u8],
        cache: &Path,
    ) -> Result<(), CompileError> {
        check_file(digest, bytes, engine.limits().component_bytes_max)?;
        let (component, ..) = build(engine, bytes)?;
        let kept = artefact::keep(&engine.inner.wasm, cache, digest, &component);
        kept.map_err(|cause| CompileError::NotKept { folder: cache.to_owned(), cause })
    }
}

impl std::fmt::Debug for Compiled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Compiled")
            .field("plugin", &self.declaration.label())
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

/// Compiles, after everything was looked at that can be seen before.
fn build(engine: &Engine, bytes: &[u8]) -> Result<(Component, PluginPre<Room>, bool), CompileError> {
    shape::check(bytes, engine.limits())?;
    let component =
        Component::new(&engine.inner.wasm, bytes).map_err(|e| CompileError::Invalid(format!("{e:#}")))?;
    let (pre, alone) = fit(engine, &component)?;
    Ok((component, pre, alone))
}

fn memories(component: &Component) -> u32 {
    component.resources_required().map_or(1, |required| required.num_memories.max(1))
}

/// Holds a component against the contract. Gives also whether it imports WASI.
fn fit(engine: &Engine, component: &Component) -> Result<(PluginPre<Room>, bool), CompileError> {
    check_borders(&engine.inner.wasm, component)?;
    let mismatch = |e: wasmtime::Error| CompileError::Mismatch(format!("{e:#}"));
    let mut linker = engine.inner.linker.clone();
    let alone = wasi::offer(&mut linker, component).map_err(mismatch)?;
    let instance = linker.instantiate_pre(component).map_err(mismatch)?;
    Ok((PluginPre::new(instance).map_err(mismatch)?, alone))
}

/// What the first bytes and the digest tell, before the compiler sees the file.
fn check_file(digest: Digest, bytes: &[u8], bytes_max: usize) -> Result<(), CompileError> {
    if bytes.len() > bytes_max {
        return Err(CompileError::TooLarge { bytes: bytes.len(), bytes_max });
    }
    match bytes.get(..8) {
        Some([0, b'a', b's', b'm', _, _, 1, 0]) => {}
        Some([0, b'a', b's', b'm', 1, 0, 0, 0]) => return Err(CompileError::CoreModule),
        _ => return Err(CompileError::NotWasm),
    }
    let found = Digest::of(bytes);
    if found != digest {
        return Err(CompileError::Digest { expected: digest, found });
    }
    Ok(())
}

fn check_declaration(declaration: &Declaration) -> Result<(), CompileError> {
    if !declaration.windows.is_empty() {
        return Err(CompileError::NotYet("window inputs"));
    }
    if !declaration.texts.is_empty() {
        return Err(CompileError::NotYet("text inputs"));
    }
    Ok(())
}

/// Holds names of imports and exports against the contract.
fn check_borders(wasm: &wasmtime::Engine, component: &Component) -> Result<(), CompileError> {
    let component_type = component.component_type();
    for (name, _) in component_type.imports(wasm).filter(|(name, _)| names::interface(name).is_none()) {
        check_name(name, &IMPORTS)?.ok_or_else(|| CompileError::ForbiddenImport { name: name.to_owned() })?;
    }
    for (name, _) in component_type.exports(wasm) {
        if check_name(name, &[EXPORT])?.is_some() {
            return Ok(());
        }
    }
    Err(CompileError::NoBehavior)
}

/// `Some` when `name` is one of `interfaces` in a version that this host speaks.
fn check_name(name: &str, interfaces: &[&str]) -> Result<Option<()>, CompileError> {
    let Some((interface, version)) = name.split_once('@') else { return Ok(None) };
    if !interfaces.contains(&interface) {
        return Ok(None);
    }
    if !version.starts_with(VERSIONS) {
        return Err(CompileError::WrongContract { name: name.to_owned() });
    }
    Ok(Some(()))
}
