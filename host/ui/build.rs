//! Builds the page through npm and writes the table of its files for `src/lib.rs` to embed.
//!
//! npm is asked to install only when `node_modules` does not match `package-lock.json`; Vite then writes into
//! `OUT_DIR`, so two profiles never share an output. The install is held under a file lock, because cargo may run
//! this program for several profiles at once. Cargo reruns it when a file that goes into the page has changed, and
//! for no other reason. Without npm it stops with a sentence that names the feature to switch off.

use std::collections::hash_map::DefaultHasher;
use std::env;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::hash::Hasher;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// Files beside `page/` that decide what the page becomes.
const INPUTS: [&str; 6] =
    ["build.rs", "package.json", "package-lock.json", ".npmrc", "vite.config.js", "index.html"];
/// Copy of the lock file that `node_modules` was installed from.
const INSTALLED: &str = "node_modules/.installed-from";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            for line in reason.lines() {
                println!("cargo::error={line}");
            }
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let room = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(variable("OUT_DIR")?);
    if env::var_os("CARGO_FEATURE_DASHBOARD").is_none() {
        println!("cargo::rerun-if-changed=build.rs");
        return Ok(());
    }
    watch(&room)?;
    install(&room)?;
    let dist = out.join("page");
    let target = dist.to_str().ok_or("the build folder's path is not UTF-8, which Vite needs")?;
    npm(
        &room,
        &["run", "--silent", "build", "--", "--logLevel", "warn", "--emptyOutDir", "--outDir", target],
    )?;
    let mut files = Vec::new();
    list(&dist, &mut files).map_err(|e| format!("cannot list {}: {e}", dist.display()))?;
    let table = table(&dist, &files)?;
    fs::write(out.join("assets.rs"), table).map_err(|e| format!("cannot write the table of files: {e}"))
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|e| format!("cargo did not set {name}: {e}"))
}

/// Names each file that goes into the page. A new file matters only once one of these imports it.
fn watch(room: &Path) -> Result<(), String> {
    for input in INPUTS {
        println!("cargo::rerun-if-changed={input}");
    }
    let mut files = Vec::new();
    let page = room.join("page");
    list(&page, &mut files).map_err(|e| format!("cannot list {}: {e}", page.display()))?;
    for file in files.iter().filter(|f| !f.ends_with(".test.ts")) {
        println!("cargo::rerun-if-changed=page/{file}");
    }
    Ok(())
}

/// Makes `node_modules` match the lock file, one installer at a time.
fn install(room: &Path) -> Result<(), String> {
    let guard = room.join(".install.lock");
    let lock = File::create(&guard).map_err(|e| format!("cannot create {}: {e}", guard.display()))?;
    lock.lock().map_err(|e| format!("cannot lock {}: {e}", guard.display()))?;
    let wanted = fs::read(room.join("package-lock.json"))
        .map_err(|e| format!("cannot read host/ui/package-lock.json: {e}"))?;
    let installed = room.join(INSTALLED);
    if fs::read(&installed).is_ok_and(|have| have == wanted) {
        return Ok(());
    }
    npm(room, &["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error"])?;
    fs::write(&installed, wanted).map_err(|e| format!("cannot write {}: {e}", installed.display()))
}

/// Runs npm in the room; what it printed becomes part of the reason when it fails.
fn npm(room: &Path, arguments: &[&str]) -> Result<(), String> {
    let program = if cfg!(windows) { "npm.cmd" } else { "npm" };
    let output = Command::new(program)
        .args(arguments)
        .current_dir(room)
        .env("NO_UPDATE_NOTIFIER", "1")
        .env("NO_COLOR", "1")
        .output();
    let output = match output {
        Ok(output) => output,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(
                "the dashboard is built with npm, which was not found: install Node.js 20.19 or newer, \
                        or build without the page: --no-default-features (feature `dashboard` off)"
                    .to_owned(),
            );
        }
        Err(error) => return Err(format!("npm could not be started: {error}")),
    };
    if output.status.success() {
        return Ok(());
    }
    Err(format!(
        "npm {} failed ({}); to build without the page: --no-default-features (feature `dashboard` off)\n{}\n{}",
        arguments.first().copied().unwrap_or_default(),
        output.status,
        String::from_utf8_lossy(&output.stdout).trim_end(),
        String::from_utf8_lossy(&output.stderr).trim_end(),
    ))
}

/// All files under a folder as paths relative to it, `/` between the parts, sorted.
fn list(folder: &Path, files: &mut Vec<String>) -> io::Result<()> {
    let mut waiting = vec![String::new()];
    while let Some(part) = waiting.pop() {
        for entry in fs::read_dir(folder.join(&part))? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_str().ok_or_else(|| io::Error::other(format!("{name:?} is not UTF-8")))?;
            let path = if part.is_empty() { name.to_owned() } else { format!("{part}/{name}") };
            if entry.file_type()?.is_dir() {
                waiting.push(path);
            } else {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(())
}

/// Rust text of the sorted table: path, content type, entity tag, bytes.
fn table(dist: &Path, files: &[String]) -> Result<String, String> {
    let mut text = String::from("static FILES: &[Embedded] = &[\n");
    for file in files {
        let path = dist.join(file);
        let bytes = fs::read(&path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
        let mut hasher = DefaultHasher::new();
        hasher.write(&bytes);
        writeln!(
            text,
            "    Embedded {{ path: {file:?}, content_type: {:?}, etag: \"{:016x}\", bytes: include_bytes!({:?}) }},",
            content_type(file)?,
            hasher.finish(),
            path.display().to_string(),
        )
        .map_err(|e| e.to_string())?;
    }
    text.push_str("];\n");
    Ok(text)
}

/// The page has files of these kinds only; another kind is a mistake worth stopping for.
fn content_type(file: &str) -> Result<&'static str, String> {
    match file.rsplit('.').next() {
        Some("html") => Ok("text/html; charset=utf-8"),
        Some("js") => Ok("text/javascript; charset=utf-8"),
        Some("css") => Ok("text/css; charset=utf-8"),
        Some("svg") => Ok("image/svg+xml"),
        Some("txt") => Ok("text/plain; charset=utf-8"),
        _ => Err(format!("{file} has a content type that host/ui/build.rs does not know")),
    }
}
