//! A behavior in C: all of `src/*.c`, compiled by clang for WASI's libc, with a header `plugin.h` that is generated from
//! the contract. Such a component imports nothing of WASI unless its code prints, opens files or asks for the time,
//! and then it is refused, by name.

use std::path::{Path, PathBuf};
use std::process::Command;

use wit_bindgen_core::Files;
use wit_parser::Resolve;

use super::{Sources, run, write};
use crate::PackageError;
use crate::author::build::BuildError;
use crate::author::componentize::{componentize, stamped};

const HINT: &str = "install clang with a WASI libc (Debian: clang lld wasi-libc libclang-rt-14-dev-wasm32)";

/// As for Rust: vector instructions, a small stack. Products and sums are rounded one by one, as everywhere in wasm.
const FLAGS: [&str; 9] = [
    "--target=wasm32-wasi",
    "-mexec-model=reactor",
    "-std=c17",
    "-O2",
    "-msimd128",
    "-ffp-contract=off",
    "-Wall",
    "-Wl,--strip-debug",
    "-Wl,-z,stack-size=65536",
];

pub(super) fn build(sources: &Sources, progress: &mut impl FnMut(&str)) -> Result<Vec<u8>, BuildError> {
    let bindings = sources.fresh("bindings")?;
    let mut units = c_files(&sources.folder.join("src"))?;
    for (name, bytes) in generated(&sources.wit)?.iter() {
        let path = bindings.join(name);
        write(&path, bytes)?;
        units.extend((!name.ends_with(".h")).then_some(path));
    }
    let toolchain = run(Command::new("clang").arg("--version"), HINT)?;
    progress("compiling with clang");
    let module = sources.target.join("module.wasm");
    let mut clang = Command::new("clang");
    clang.args(FLAGS).arg("-I").arg(&bindings);
    clang.arg(format!("-ffile-prefix-map={}=/src", sources.folder.display()));
    run(clang.args(&units).arg("-o").arg(&module), HINT)?;
    progress("making the component");
    let bytes = std::fs::read(&module).map_err(|cause| BuildError::Io { path: module, cause })?;
    let toolchain = toolchain.lines().next().unwrap_or("clang");
    Ok(componentize(&stamped(bytes, &sources.declaration, toolchain)?)?)
}

/// The author's sources, in an order that does not hang on the disk.
fn c_files(folder: &Path) -> Result<Vec<PathBuf>, BuildError> {
    let io = |cause| BuildError::Io { path: folder.to_owned(), cause };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        files.extend(path.extension().is_some_and(|ending| ending == "c").then_some(path));
    }
    files.sort();
    match files.is_empty() {
        true => Err(BuildError::NoSources { folder: folder.to_owned(), what: "C files" }),
        false => Ok(files),
    }
}

/// `plugin.h`, `plugin.c`, and an object that puts the contract's types into the module.
fn generated(wit: &str) -> Result<Files, BuildError> {
    let malformed = |error: &str| PackageError::Malformed(error.to_owned());
    let mut resolve = Resolve::default();
    let package = resolve.push_str("behavior.wit", wit).map_err(|error| malformed(&format!("{error:#}")))?;
    let world =
        resolve.select_world(&[package], Some("plugin")).map_err(|error| malformed(&format!("{error:#}")))?;
    let mut files = Files::default();
    let made = wit_bindgen_c::Opts::default().build().generate(&mut resolve, world, &mut files);
    made.map_err(|error| malformed(&format!("{error:#}")))?;
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::author::componentize::WIT;

    #[test]
    fn the_contract_becomes_a_header_and_its_glue() {
        let files = generated(WIT).expect("generates");
        let names: Vec<&str> = files.iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["plugin.c", "plugin.h", "plugin_component_type.o"]);
        let header = files.iter().find(|(name, _)| *name == "plugin.h").map(|(_, bytes)| bytes);
        let header = String::from_utf8_lossy(header.expect("a header"));
        assert!(header.contains("bool exports_geminus_behavior_behavior_step("), "{header}");
    }

    #[test]
    fn a_folder_without_sources_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let error = c_files(folder.path()).expect_err("empty");
        assert!(error.to_string().contains("no C files"), "{error}");
    }
}
