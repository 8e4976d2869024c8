//! `geminus plugin build`: from an author's crate to a package, with nothing but Rust installed. Folders in other languages
//! go through `languages`, with those languages' own tools.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use super::componentize;
use super::languages::Language;
use crate::{Package, PackageError, store_bytes};

const TARGET: &str = "wasm32-unknown-unknown";

/// The profile that guests need, given on the command line so that an author's workspace need not repeat it.
/// Thin LTO: fat LTO on this target breaks the allocator under rustc 1.95.
const PROFILE: [&str; 7] = [
    r#"profile.guest.inherits="release""#,
    r#"profile.guest.lto="thin""#,
    r#"profile.guest.panic="abort""#,
    r#"profile.guest.strip="debuginfo""#,
    "profile.guest.opt-level=3",
    "profile.guest.codegen-units=1",
    "profile.guest.debug=0",
];

/// Crates that draw their randomness while they are compiled (`const-random`, for the hashes of `ahash`) draw it from
/// this: a package follows from its sources.
const COMPILE_TIME_SEED: (&str, &str) = ("CONST_RANDOM_SEED", "geminus");

/// A finished package.
#[derive(Debug)]
pub struct Built {
    /// Where it was renamed to.
    pub path: PathBuf,
    /// What it is.
    pub package: Package,
}

/// Builds the crate (or what is there in another language) in `crate_dir` and renames the package to `out/<name>.wasm`, where
/// `out` defaults to `plugins` in the crate's target folder. `progress` hears one line per step. Adds the compile target where it
/// is missing. Blocks for as long as cargo runs.
///
/// # Errors
/// One variant per step; each message says what to do.
pub fn build(
    crate_dir: &Path,
    out: Option<&Path>,
    mut progress: impl FnMut(&str),
) -> Result<Built, BuildError> {
    let (component, target) = match Language::of(crate_dir) {
        Some(language) => (language.build(crate_dir, &mut progress)?, crate_dir.join("target")),
        None => rust(crate_dir, &mut progress)?,
    };
    let package = Package::check(crate_dir, component)?;
    let folder = out.map_or_else(|| target.join("plugins"), Path::to_owned);
    let name = format!("{}.wasm", package.declaration.name);
    let path = store_bytes(&folder, &name, &package.bytes)
        .map_err(|cause| BuildError::Io { path: folder.join(&name), cause })?;
    Ok(Built { path: path.clone(), package: Package { path, ..package } })
}

/// The component of a crate, and the folder in which cargo built it.
fn rust(crate_dir: &Path, progress: &mut impl FnMut(&str)) -> Result<(Vec<u8>, PathBuf), BuildError> {
    let place = place(crate_dir)?;
    ensure_target(progress)?;
    progress(&format!("compiling {}", place.package));
    let module = compile(crate_dir, &place, progress)?;
    progress("making the component");
    let bytes = std::fs::read(&module).map_err(|cause| BuildError::Io { path: module, cause })?;
    Ok((componentize(&bytes)?, place.target_dir))
}

/// The part of `cargo metadata` that matters here.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Crate>,
    target_directory: PathBuf,
    workspace_root: PathBuf,
}

#[derive(Deserialize)]
struct Crate {
    name: String,
    manifest_path: PathBuf,
}

struct Place {
    package: String,
    target_dir: PathBuf,
    workspace: PathBuf,
}

fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

fn place(crate_dir: &Path) -> Result<Place, BuildError> {
    let manifest = crate_dir.join("Cargo.toml");
    if !manifest.is_file() {
        return Err(BuildError::NoCrate(crate_dir.to_owned()));
    }
    let output = Command::new(cargo())
        .args(["metadata", "--no-deps", "--format-version", "1", "--manifest-path"])
        .arg(&manifest)
        .stdin(Stdio::null())
        .output()
        .map_err(BuildError::Cargo)?;
    if !output.status.success() {
        return Err(BuildError::Failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    let metadata: Metadata = serde_json::from_slice(&output.stdout).map_err(BuildError::Metadata)?;
    let manifest = manifest.canonicalize().map_err(|cause| BuildError::Io { path: manifest, cause })?;
    let own = metadata.packages.into_iter().find(|package| package.manifest_path == manifest);
    let own = own.ok_or_else(|| BuildError::NoCrate(crate_dir.to_owned()))?;
    Ok(Place { package: own.name, target_dir: metadata.target_directory, workspace: metadata.workspace_root })
}

/// The target is installed when its standard library lies in the sysroot; else rustup may add it.
fn ensure_target(progress: &mut impl FnMut(&str)) -> Result<(), BuildError> {
    let sysroot = Command::new("rustc")
        .args(["--print", "sysroot"])
        .stdin(Stdio::null())
        .output()
        .map_err(BuildError::Cargo)?;
    let sysroot = PathBuf::from(String::from_utf8_lossy(&sysroot.stdout).trim());
    if sysroot.join("lib/rustlib").join(TARGET).join("lib").is_dir() {
        return Ok(());
    }
    progress(&format!("adding the compile target {TARGET}"));
    let added = Command::new("rustup")
        .args(["target", "add", TARGET])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .output();
    match added {
        Ok(output) if output.status.success() => Ok(()),
        _ => Err(BuildError::Target),
    }
}

fn compile(crate_dir: &Path, place: &Place, progress: &mut impl FnMut(&str)) -> Result<PathBuf, BuildError> {
    let mut command = Command::new(cargo());
    command
        .args(["build", "--lib", "--profile", "guest", "--target", TARGET])
        .args(["--message-format", "json-render-diagnostics", "--manifest-path"])
        .arg(crate_dir.join("Cargo.toml"))
        .env_remove("RUSTFLAGS")
        .env("CARGO_ENCODED_RUSTFLAGS", rust_flags(&place.workspace))
        .env(COMPILE_TIME_SEED.0, COMPILE_TIME_SEED.1)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    for setting in PROFILE {
        command.args(["--config", setting]);
    }
    let mut child = command.spawn().map_err(BuildError::Cargo)?;
    let messages = child.stdout.take();
    let errors = child.stderr.take();
    // Cargo fills both pipes; one reader each, or it would wait for us while we wait for it.
    let reader = std::thread::spawn(move || {
        messages.map(|pipe| artifact_from_messages(BufReader::new(pipe))).unwrap_or_default()
    });
    let mut said = Vec::new();
    for line in errors.into_iter().flat_map(|pipe| BufReader::new(pipe).lines()).map_while(Result::ok) {
        progress(line.trim());
        said.push(line);
    }
    let status = child.wait().map_err(BuildError::Cargo)?;
    let artifact = reader.join().unwrap_or_default();
    if !status.success() {
        return Err(BuildError::Failed(said.join("\n")));
    }
    artifact.ok_or_else(|| BuildError::NoCdylib(place.package.clone()))
}

/// Vector instructions on, a small stack, and no path of this machine in the package.
fn rust_flags(workspace: &Path) -> String {
    let mut flags = vec![
        "-Ctarget-feature=+simd128".to_owned(),
        "-Clink-arg=-zstack-size=65536".to_owned(),
        format!("--remap-path-prefix={}=/src", workspace.display()),
    ];
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")));
    if let Some(home) = home {
        flags.push(format!("--remap-path-prefix={}=/cargo", home.display()));
    }
    flags.join("\u{1f}")
}

/// One line of cargo's messages, of which only finished artifacts have file names.
#[derive(Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

/// The last `.wasm` that cargo says it made is the crate's own: dependencies come before it.
fn artifact_from_messages(messages: impl std::io::BufRead) -> Option<PathBuf> {
    messages
        .lines()
        .map_while(Result::ok)
        .filter_map(|line| serde_json::from_str::<Message>(&line).ok())
        .filter(|message| message.reason == "compiler-artifact")
        .flat_map(|message| message.filenames)
        .filter(|name| name.extension().is_some_and(|extension| extension == "wasm"))
        .last()
}

/// Why no package was made.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// No crate there.
    #[error(
        "{} holds no crate of its own: give the folder with the plugin's Cargo.toml, or with declaration.json beside sources \
         in C, JavaScript or Python",
        .0.display()
    )]
    NoCrate(PathBuf),
    /// A declaration without code.
    #[error("there are no {what} in {}", folder.display())]
    NoSources {
        /// Where they should be.
        folder: PathBuf,
        /// What should be there.
        what: &'static str,
    },
    /// Another language's tool cannot be started.
    #[error("cannot start {tool}: {cause}; {hint}")]
    Tool {
        /// Which.
        tool: String,
        /// How to get it.
        hint: &'static str,
        /// What the system said.
        cause: std::io::Error,
    },
    /// Another language's manifest cannot be read.
    #[error("{} cannot be read: {cause}", path.display())]
    Manifest {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        cause: serde_json::Error,
    },
    /// Cargo or rustc cannot be started.
    #[error("cannot start cargo: {0}; install Rust from https://rustup.rs")]
    Cargo(std::io::Error),
    /// Cargo's description of the workspace cannot be read.
    #[error("cannot read what `cargo metadata` says: {0}")]
    Metadata(serde_json::Error),
    /// The compile target is missing and cannot be added.
    #[error("the compile target is missing: run `rustup target add {TARGET}`, then build again")]
    Target,
    /// Cargo failed.
    #[error("{0}")]
    Failed(String),
    /// The crate makes no dynamic library.
    #[error("{0} makes no .wasm: put crate-type = [\"cdylib\", \"rlib\"] under [lib] in its Cargo.toml")]
    NoCdylib(String),
    /// What was made is no package.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// The file system said no.
    #[error("cannot write {path}: {cause}", path = .path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What it said. Not called `source`: the text holds it, and a chain of causes would say it twice.
        cause: std::io::Error,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_wasm_that_cargo_names_is_the_crates_own() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","filenames":["/t/libdep.rlib"]}"#,
            "\n",
            r#"{"reason":"compiler-artifact","filenames":["/t/dep.wasm"]}"#,
            "\n",
            r#"{"reason":"compiler-artifact","filenames":["/t/own.wasm","/t/libown.rlib"]}"#,
            "\n",
            r#"{"reason":"build-finished","success":true}"#,
            "\n",
        );
        assert_eq!(artifact_from_messages(messages.as_bytes()), Some(PathBuf::from("/t/own.wasm")));
        assert_eq!(artifact_from_messages(&b"not json\n"[..]), None);
    }

    #[test]
    fn a_folder_without_a_crate_is_an_error_that_says_so() {
        let dir = tempfile::tempdir().expect("folder");
        let error = build(dir.path(), None, |_| ()).expect_err("nothing to build");
        assert!(error.to_string().contains("holds no crate"), "{error}");
    }
}
