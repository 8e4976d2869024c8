//! One plugin package, read and checked, not yet compiled.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use geminus_core::declaration::{CONTRACT, DECLARATION_SECTION, DeclarationError, STAMP_SECTION, Stamp};
use geminus_core::{Declaration, Digest};

use crate::sections::Outline;

/// Largest component file that is read: a Python component has 18 MB.
pub const PACKAGE_BYTES_MAX: u64 = 64 << 20;

/// A component whose file is whole, whose stamp fits this host and whose declaration can be read.
#[derive(Clone, Debug)]
pub struct Package {
    /// Where it was found.
    pub path: PathBuf,
    /// SHA-256 of the whole file.
    pub digest: Digest,
    /// What it says of itself.
    pub declaration: Arc<Declaration>,
    /// What it was made with.
    pub stamp: Stamp,
    /// The component.
    pub bytes: Arc<[u8]>,
}

impl Package {
    /// Reads the file at `path` whole and checks it. Blocks on the disk.
    ///
    /// # Errors
    /// Says what to change, in words for the one who put the file there.
    pub fn read(path: &Path) -> Result<Self, PackageError> {
        let io = |source| PackageError::Read { path: path.to_owned(), source };
        let file = File::open(path).map_err(io)?;
        let length = file.metadata().map_err(io)?.len();
        if length > PACKAGE_BYTES_MAX {
            return Err(PackageError::TooLarge { length });
        }
        let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
        file.take(PACKAGE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(io)?;
        Self::check(path, bytes)
    }

    /// Checks bytes that somebody else read (an upload, say).
    ///
    /// # Errors
    /// As [`Package::read`].
    pub fn check(path: &Path, bytes: Vec<u8>) -> Result<Self, PackageError> {
        if !bytes.starts_with(b"\0asm") {
            return Err(PackageError::NotWasm);
        }
        let outline = Outline::read(&bytes)?;
        if !outline.component {
            return Err(PackageError::CoreModule);
        }
        let stamp: Stamp =
            serde_json::from_slice(outline.custom(STAMP_SECTION)?).map_err(PackageError::Stamp)?;
        if !contract_fits(&stamp.contract) {
            return Err(PackageError::Contract { theirs: stamp.contract });
        }
        let declaration = Declaration::parse(outline.custom(DECLARATION_SECTION)?)?;
        Ok(Self {
            path: path.to_owned(),
            digest: Digest::of(&bytes),
            declaration: Arc::new(declaration),
            stamp,
            bytes: bytes.into(),
        })
    }
}

/// Any change of shape is a breaking change, so below 1.0 only the same minor version fits.
fn contract_fits(theirs: &str) -> bool {
    let (Ok(theirs), Ok(ours)) = (semver::Version::parse(theirs), semver::Version::parse(CONTRACT)) else {
        return false;
    };
    theirs.major == ours.major && theirs.minor == ours.minor
}

/// Why a file is not a package.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// The file system said no.
    #[error("cannot read {path}: {source}", path = .path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// What it said.
        source: std::io::Error,
    },
    /// Beyond [`PACKAGE_BYTES_MAX`].
    #[error("{length} bytes are more than the {PACKAGE_BYTES_MAX} that a package may have")]
    TooLarge {
        /// Bytes of the file.
        length: u64,
    },
    /// No WebAssembly magic number.
    #[error("this is not a WebAssembly file")]
    NotWasm,
    /// Truncated or damaged.
    #[error("the file is truncated or damaged: {0}")]
    Malformed(String),
    /// A module where a component is wanted.
    #[error("this is a core module, not a component: build it with `geminus plugin build`")]
    CoreModule,
    /// A custom section is not there.
    #[error("custom section {0} is missing: build the component with `geminus plugin build`")]
    SectionMissing(&'static str),
    /// A custom section is there twice.
    #[error("custom section {0} is there more than once")]
    SectionTwice(&'static str),
    /// The stamp cannot be read.
    #[error("the stamp cannot be read: {0}")]
    Stamp(#[source] serde_json::Error),
    /// Built for another contract.
    #[error("built for contract {theirs}, this host speaks {CONTRACT}: rebuild it with this version's SDK")]
    Contract {
        /// What the stamp says.
        theirs: String,
    },
    /// The declaration cannot be used.
    #[error(transparent)]
    Declaration(#[from] DeclarationError),
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::sections::put_on_top;

    const DECLARATION: &str = r#"{"declaration":1,"name":"probe","version":"1.0.0","kind":"estimator",
        "outputs":[{"name":"o","unit":"1"}],"state":{"schema":0,"reads":[],"writes":[]}}"#;

    /// A component that does nothing and says so.
    pub(crate) fn component() -> Vec<u8> {
        stamped(CONTRACT, DECLARATION)
    }

    fn stamped(contract: &str, declaration: &str) -> Vec<u8> {
        let mut bytes = wasm_encoder::Component::new().finish();
        let stamp = format!(r#"{{"contract":"{contract}","sdk":"none","toolchain":"unknown"}}"#);
        put_on_top(&mut bytes, STAMP_SECTION, stamp.as_bytes());
        put_on_top(&mut bytes, DECLARATION_SECTION, declaration.as_bytes());
        bytes
    }

    fn check(bytes: Vec<u8>, expect: &str) {
        let error = Package::check(Path::new("x.wasm"), bytes).expect_err("must be refused");
        assert!(error.to_string().contains(expect), "{error} does not say {expect:?}");
    }

    #[test]
    fn a_whole_component_is_read() {
        let package = Package::check(Path::new("x.wasm"), component()).expect("a package");
        assert_eq!(package.declaration.label(), "probe@1.0.0");
        assert_eq!(package.digest, Digest::of(&package.bytes));
    }

    #[test]
    fn what_is_no_package_is_refused_with_the_reason() {
        check(b"hello".to_vec(), "not a WebAssembly file");
        check(wasm_encoder::Module::new().finish(), "core module");
        check(stamped("0.2.0", DECLARATION), "built for contract 0.2.0");
        check(stamped("nonsense", DECLARATION), "built for contract nonsense");
        check(stamped(CONTRACT, "{}"), "declaration does not follow its schema");
        check(wasm_encoder::Component::new().finish(), "geminus:stamp is missing");
    }

    #[test]
    fn a_file_cut_at_any_byte_is_refused() {
        let whole = component();
        for length in 0..whole.len() {
            let cut = whole[..length].to_vec();
            assert!(
                Package::check(Path::new("x.wasm"), cut).is_err(),
                "accepted {length} of {}",
                whole.len()
            );
        }
    }
}
