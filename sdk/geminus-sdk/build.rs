//! Hands the compiler's own name and version to the stamp (`geminus:stamp`).

use std::process::Command;

fn main() {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let version = Command::new(rustc).arg("--version").output().ok().filter(|out| out.status.success());
    let toolchain = version.and_then(|out| String::from_utf8(out.stdout).ok());
    let toolchain = toolchain.as_deref().map_or("unknown", str::trim).replace(['"', '\\'], "");
    println!("cargo:rustc-env=GEMINUS_TOOLCHAIN={toolchain}");
    println!("cargo:rerun-if-changed=build.rs");
}
