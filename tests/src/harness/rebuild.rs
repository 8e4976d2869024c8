//! A plugin that an author has changed: a copy of a crate of the repository with another version, built again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};

use super::place::{geminus, repository};

/// Copies `plugins/<name>`, gives it `version`, applies `edit` to its `lib.rs`, and builds it with
/// `geminus plugin build` into `out`. Dependencies come from the repository and its target folder.
///
/// # Errors
/// When it cannot be built.
pub fn rebuild(
    name: &str,
    version: &str,
    out: &Path,
    edit: impl Fn(String) -> String,
) -> anyhow::Result<PathBuf> {
    rebuild_file(name, version, "src/lib.rs", out, edit)
}

/// The same with `edit` applied to another of its files.
///
/// # Errors
/// When it cannot be built.
pub fn rebuild_file(
    name: &str,
    version: &str,
    file: &str,
    out: &Path,
    edit: impl Fn(String) -> String,
) -> anyhow::Result<PathBuf> {
    let root = repository();
    let from = root.join("plugins").join(name);
    let copy = tempfile::tempdir()?;
    copy_sources(&from.join("src"), &copy.path().join("src"))?;
    let edited = copy.path().join(file);
    fs::write(&edited, edit(fs::read_to_string(&edited)?))?;
    fs::copy(from.join("README.md"), copy.path().join("README.md"))?;
    let manifest = fs::read_to_string(from.join("Cargo.toml"))?;
    fs::write(copy.path().join("Cargo.toml"), stand_alone(&manifest, version, &root))?;
    fs::copy(root.join("Cargo.lock"), copy.path().join("Cargo.lock"))?;
    let output = Command::new(geminus()?)
        .args(["plugin", "build"])
        .arg(copy.path())
        .arg("--out")
        .arg(out)
        .env("CARGO_TARGET_DIR", root.join("target"))
        .stdin(Stdio::null())
        .output()
        .context("geminus plugin build")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(out.join(format!("{name}.wasm")))
}

/// An edit for `motor-thermal`: the next version of its state. Schema 2 counts rows besides, in front of all else; it reads
/// schema 1 and writes it, without loss but for the count. What it estimates stays the same, bit for bit.
///
/// # Panics
/// When `motor-thermal` is not written as it was.
#[must_use]
pub fn with_second_schema(lib: String) -> String {
    let state =
        "#[derive(Clone, Debug, Default, PartialEq, State)]\n#[state(schema = 1)]\npub struct Memory {\n";
    let (before, rest) = lib.split_once(state).expect("motor-thermal declares its state elsewhere");
    let (fields, after) = rest.split_once("\n}\n").expect("its state ends");
    let names = ["belief", "heating", "current_known", "ambient_age", "surprises"];
    assert!(
        names.iter().all(|name| fields.contains(&format!("pub {name}: ")))
            && fields.matches("pub ").count() == 5
    );
    let carried = names.map(|name| format!("{name}: other.{name}")).join(", ");
    let step = "        let seen = Seen::of(&row.inputs, &self.motor);\n";
    assert!(after.contains(step), "motor-thermal steps otherwise");
    let after = after.replacen(step, &format!("        memory.rows += 1;\n{step}"), 1);
    format!(
        "{before}#[derive(Clone, Debug, Default, PartialEq, State)]
#[state(schema = 2, up = MemoryV1, down = MemoryV1)]
pub struct Memory {{
    /// Rows taken under this schema.
    pub rows: u64,
{fields}
}}

/// Schema 1, as released.
#[derive(Clone, Debug, Default, PartialEq, State)]
#[state(schema = 1)]
pub struct MemoryV1 {{
{fields}
}}

impl Migrate<MemoryV1> for Memory {{
    fn migrate(other: MemoryV1) -> Result<Self, Fault> {{
        Ok(Self {{ rows: 0, {carried} }})
    }}
}}

impl Migrate<Memory> for MemoryV1 {{
    fn migrate(other: Memory) -> Result<Self, Fault> {{
        Ok(Self {{ {carried} }})
    }}
}}
{after}"
    )
}

/// The manifest without what it inherits from the workspace.
fn stand_alone(manifest: &str, version: &str, root: &Path) -> String {
    let sdk =
        |folder: &str| format!("{{ path = {:?} }}", root.join("sdk").join(folder).display().to_string());
    let mut text = String::new();
    let mut tests_only = false;
    for line in manifest.lines() {
        if line.starts_with('[') {
            tests_only = line == "[dev-dependencies]";
        }
        if tests_only {
            continue;
        }
        let line = match line.split_once(".workspace = true").map(|(name, _)| name) {
            Some("version") => format!("version = \"{version}\""),
            Some("edition") => "edition = \"2024\"".to_owned(),
            Some("geminus-sdk") => format!("geminus-sdk = {}", sdk("geminus-sdk")),
            Some("geminus-models") => format!("geminus-models = {}", sdk("models")),
            Some("nalgebra") => {
                "nalgebra = { version = \"0.35\", default-features = false, features = [\"libm\", \"macros\"] }".to_owned()
            }
            Some("libm") => "libm = \"0.2\"".to_owned(),
            Some(_) => continue,
            None if line == "[lints]" => continue,
            None if line == "workspace = true" => continue,
            None => line.to_owned(),
        };
        text.push_str(&line);
        text.push('\n');
    }
    text.push_str("\n[workspace]\n");
    text
}

fn copy_sources(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true => copy_sources(&entry.path(), &target)?,
            false => drop(fs::copy(entry.path(), target)?),
        }
    }
    Ok(())
}
