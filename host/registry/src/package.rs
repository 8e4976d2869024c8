//! One plugin package, read and checked, not yet compiled.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use geminus_core::declaration::{DECLARATION_SECTION, DeclarationError, STAMP_SECTION, Stamp};
use geminus_core::{Declaration, Digest};

use crate::seal::Seal;
use crate::sections::Outline;
use crate::{ContractError, SealError, contract};

/// Largest component file that is read: a Python component has 18 MB.
pub const PACKAGE_BYTES_MAX: u64 = 64 << 20;

/// A component whose file is whole, whose stamp fits this host and whose declaration is true of its border.
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
    /// Reads the file at `path` whole and checks it, also against a digest in its name or in a file beside it. Blocks
    /// on the disk.
    ///
    /// # Errors
    /// Says what to change, in words for the one who put the file there.
    pub fn read(path: &Path) -> Result<Self, PackageError> {
        let io = |cause| PackageError::Read { path: path.to_owned(), cause };
        let file = File::open(path).map_err(io)?;
        let length = file.metadata().map_err(io)?.len();
        if length > PACKAGE_BYTES_MAX {
            return Err(PackageError::TooLarge { length });
        }
        let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
        file.take(PACKAGE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(io)?;
        let seal = Seal::of(path)?;
        if let Err(error) = seal.hold_digest(Digest::of(&bytes)) {
            let label = label_of(&bytes).or_else(|| seal.label().map(str::to_owned));
            return Err(PackageError::from(error).of(label));
        }
        let package = Self::check(path, bytes)?;
        let label = package.declaration.label();
        seal.hold_label(&package.declaration).map_err(|error| PackageError::from(error).of(Some(label)))?;
        Ok(package)
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
        let (stamp, declaration) = checked(&outline).map_err(|error| error.of(label_in(&outline)))?;
        Ok(Self {
            path: path.to_owned(),
            digest: Digest::of(&bytes),
            declaration: Arc::new(declaration),
            stamp,
            bytes: bytes.into(),
        })
    }
}

fn checked(outline: &Outline<'_>) -> Result<(Stamp, Declaration), PackageError> {
    let stamp: Stamp = serde_json::from_slice(outline.custom(STAMP_SECTION)?).map_err(PackageError::Stamp)?;
    contract::fits(&stamp)?;
    let declaration = Declaration::parse(outline.custom(DECLARATION_SECTION)?)?;
    contract::hold(outline, &stamp, &declaration)?;
    Ok((stamp, declaration))
}

/// `name@version` of bytes that may be no package: as much as can be told for a message.
fn label_of(bytes: &[u8]) -> Option<String> {
    Outline::read(bytes).ok().and_then(|outline| label_in(&outline))
}

fn label_in(outline: &Outline<'_>) -> Option<String> {
    let json: serde_json::Value = serde_json::from_slice(outline.custom(DECLARATION_SECTION).ok()?).ok()?;
    let member = |key: &str| json.get(key).and_then(serde_json::Value::as_str).map(shown);
    Some(format!("{}@{}", member("name")?, member("version")?))
}

/// A text that nobody has checked, fit for a message.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(contract::NAME_BYTES_MAX).collect()
}

/// Why a file is not a package.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// The file system said no.
    #[error("cannot read {path}: {cause}", path = .path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// What it said. Not called `source`: the text holds it, and a chain of causes would say it twice.
        cause: std::io::Error,
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
    Stamp(serde_json::Error),
    /// The component is not what its stamp and its declaration say.
    #[error(transparent)]
    Contract(#[from] ContractError),
    /// The file is not the one that its name or the file beside it announces.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The bytes are not those that they are kept under.
    #[error("its digest is {found}, not the {wanted} that it is kept under: the file is damaged")]
    Digest {
        /// Under which it is kept.
        wanted: Digest,
        /// Of the bytes.
        found: Digest,
    },
    /// One of the others, of a plugin whose name can be told.
    #[error("{plugin}: {reason}")]
    Of {
        /// `name@version` as the file says it.
        plugin: String,
        /// What is wrong with it.
        reason: Box<PackageError>,
    },
    /// The declaration cannot be used.
    #[error(transparent)]
    Declaration(#[from] DeclarationError),
}

impl PackageError {
    /// With the plugin's name in front, when it is known.
    pub(crate) fn of(self, plugin: Option<String>) -> Self {
        match plugin {
            Some(plugin) => Self::Of { plugin, reason: Box::new(self) },
            None => self,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::sections::put_on_top;
    use geminus_core::declaration::CONTRACT;

    const DECLARATION: &str = r#"{"declaration":1,"name":"probe","version":"1.0.0","kind":"estimator",
        "outputs":[{"name":"o","unit":"1"}],"state":{"schema":0,"reads":[],"writes":[]}}"#;

    /// A component that does nothing and says so.
    pub(crate) fn component() -> Vec<u8> {
        component_of("1.0.0")
    }

    /// The same in another version.
    pub(crate) fn component_of(version: &str) -> Vec<u8> {
        stamped(CONTRACT, &DECLARATION.replace("1.0.0", version))
    }

    fn stamped(contract: &str, declaration: &str) -> Vec<u8> {
        bordered("", contract, declaration)
    }

    fn bordered(border: &str, contract: &str, declaration: &str) -> Vec<u8> {
        let behavior = r#"(instance $i) (export "geminus:behavior/behavior@0.1.0" (instance $i))"#;
        let mut bytes = wat::parse_str(format!("(component {border} {behavior})")).expect("a component");
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
        check(stamped("0.2.0", DECLARATION), "probe@1.0.0: built for contract 0.2.0");
        check(stamped("nonsense", DECLARATION), "built for contract nonsense");
        check(stamped("0.1.7", DECLARATION), "probe@1.0.0: the stamp says contract 0.1.7, but");
        check(stamped(CONTRACT, "{}"), "declaration does not follow its schema");
        check(wasm_encoder::Component::new().finish(), "geminus:stamp is missing");
        let wasi = r#"(import "wasi:http/outgoing-handler@0.2.0" (instance))"#;
        check(
            bordered(wasi, CONTRACT, DECLARATION),
            "probe@1.0.0: the component imports wasi:http/outgoing-handler@0.2.0",
        );
        let lookups = r#"(import "geminus:behavior/lookups@0.1.0" (instance))"#;
        check(bordered(lookups, CONTRACT, DECLARATION), "names no look-up");
        let mut twice = component();
        put_on_top(&mut twice, STAMP_SECTION, b"{}");
        check(twice, "probe@1.0.0: custom section geminus:stamp is there more than once");
        let renamed = DECLARATION.replace("probe", "pro\\u001bbe");
        check(stamped(CONTRACT, &renamed), "probe@1.0.0: declaration contradicts itself");
    }

    #[test]
    fn a_file_that_is_not_the_announced_one_is_refused_by_name() {
        let dir = tempfile::tempdir().expect("folder");
        let (whole, digest) = (component(), Digest::of(&component()));
        let check = |file: &str, beside: Option<&str>, bytes: &[u8], says: &str| {
            let path = dir.path().join(file);
            std::fs::write(&path, bytes).expect("written");
            let side = crate::seal::sidecar(&path);
            if let Some(text) = beside {
                std::fs::write(&side, text).expect("written");
            }
            match Package::read(&path) {
                Ok(_) => assert_eq!(says, "", "{file}"),
                Err(error) => {
                    assert!(!says.is_empty() && error.to_string().contains(says), "{error}, not {says:?}");
                }
            }
        };
        let named = |label: &str| format!("{label}.{}.wasm", digest.short());
        check("a.wasm", Some(&digest.to_string()), &whole, "");
        check(&named("probe-1.0.0"), None, &whole, "");
        let half = &whole[..whole.len() / 2];
        check(&named("probe-1.0.0"), None, half, "probe-1.0.0: its digest is");
        check(
            &named("probe-2.0.0"),
            None,
            &whole,
            "probe@1.0.0: its declaration says probe-1.0.0, but its name says probe-2.0.0",
        );
        check("probe-1.0.0.000000000000.wasm", None, &whole, "its name asks for sha256:000000000000…");
        check("b.wasm", Some(&Digest::of(b"").to_string()), &whole, "probe@1.0.0: its digest is");
        check("c.wasm", Some("nothing"), &whole, "c.wasm.sha256 cannot be used");
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
