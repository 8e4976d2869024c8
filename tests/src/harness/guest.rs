//! The hostile guest (`tests/guests/hostile`), built once and then dressed as any plugin: a test gives the same code
//! another declaration, true or not, and a script by the default of the parameter `script`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use super::place::{geminus, repository};

/// Custom sections that say what a component is.
const SECTIONS: [&str; 2] = ["geminus:stamp", "geminus:declaration"];

/// A plugin made of a component that the harness has.
#[derive(Clone, Debug)]
pub struct Guest {
    component: Vec<u8>,
    /// What it declares; change it as a test needs.
    pub declaration: Value,
    /// What its stamp says.
    pub stamp: Value,
}

impl Guest {
    /// The hostile guest as an estimator that behaves: inputs `a`, `b`, outputs `sum`, `count`.
    ///
    /// # Errors
    /// When it cannot be built.
    pub fn hostile(name: &str, version: &str) -> anyhow::Result<Self> {
        static COMPONENT: OnceLock<Vec<u8>> = OnceLock::new();
        let component = match COMPONENT.get() {
            Some(component) => component,
            None => {
                let component = fs::read(built()?)?;
                COMPONENT.get_or_init(|| component)
            }
        };
        Ok(Self::of(component.clone(), name, version))
    }

    /// A component of the test's own.
    #[must_use]
    pub fn of(component: Vec<u8>, name: &str, version: &str) -> Self {
        let one = |name: &str| json!({ "name": name, "unit": "1" });
        let input = |name: &str| json!({ "name": name, "unit": "1", "arrival": "event" });
        let declaration = json!({
            "declaration": 1, "name": name, "version": version, "kind": "estimator",
            "inputs": [input("a"), input("b")], "outputs": [one("sum"), one("count")],
            "parameters": { "type": "object", "properties": {
                "script": { "type": "string", "default": "" },
            } },
            "alerts": [{ "code": "odd", "priority": "low", "text": "odd" }],
            "lookups": [{ "name": "past", "kind": "history", "unit": "1" }],
            "state": { "schema": 1, "reads": [1], "writes": [1] },
        });
        let stamp = json!({ "contract": "0.1.0", "sdk": "none", "toolchain": "unknown" });
        Self { component, declaration, stamp }
    }

    /// What its twins do: see `tests/guests/hostile/src/script.rs`.
    #[must_use]
    pub fn script(mut self, script: &str) -> Self {
        self.declaration["parameters"]["properties"]["script"]["default"] = script.into();
        self
    }

    /// Changes what it declares.
    #[must_use]
    pub fn declares(mut self, change: impl FnOnce(&mut Value)) -> Self {
        change(&mut self.declaration);
        self
    }

    /// The same as another version.
    #[must_use]
    pub fn version(mut self, version: &str) -> Self {
        self.declaration["version"] = version.into();
        self
    }

    /// `name@version`, as the journal says it.
    #[must_use]
    pub fn label(&self) -> String {
        let text = |member: &str| self.declaration[member].as_str().unwrap_or_default().to_owned();
        format!("{}@{}", text("name"), text("version"))
    }

    /// The file.
    ///
    /// # Errors
    /// When the component has no sections that can be read.
    pub fn bytes(&self) -> anyhow::Result<Vec<u8>> {
        let mut bytes = without(&self.component, &SECTIONS)?;
        put(&mut bytes, SECTIONS[0], self.stamp.to_string().as_bytes())?;
        put(&mut bytes, SECTIONS[1], self.declaration.to_string().as_bytes())?;
        Ok(bytes)
    }

    /// Renames it into a plugin folder as `<name>.wasm`.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn drop_into(&self, folder: &Path) -> anyhow::Result<()> {
        let name = self.declaration["name"].as_str().context("a name")?;
        drop_bytes(folder, name, &self.bytes()?)
    }
}

/// Renames bytes into a plugin folder as `<name>.wasm`.
///
/// # Errors
/// When the folder cannot be written.
pub fn drop_bytes(folder: &Path, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
    let part = folder.join(format!(".{name}.part"));
    fs::write(&part, bytes)?;
    Ok(fs::rename(part, folder.join(format!("{name}.wasm")))?)
}

/// Builds the guest where that is needed, in its own folder, so that cargo knows when it is not.
fn built() -> anyhow::Result<PathBuf> {
    let root = repository();
    let out = root.join("target/guests");
    fs::create_dir_all(&out)?;
    // Tests run at the same time, each in a process of its own.
    let lock = fs::File::create(out.join(".lock"))?;
    lock.lock()?;
    let output = Command::new(geminus()?)
        .args(["plugin", "build"])
        .arg(root.join("tests/guests/hostile"))
        .arg("--out")
        .arg(&out)
        .env("CARGO_TARGET_DIR", root.join("target"))
        .stdin(Stdio::null())
        .output()
        .context("geminus plugin build")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(out.join("hostile.wasm"))
}

/// The file without its top-level custom sections of these names.
fn without(file: &[u8], names: &[&str]) -> anyhow::Result<Vec<u8>> {
    let mut rest = file.get(..8).context("no WebAssembly file")?.to_vec();
    let mut at = 8;
    while at < file.len() {
        let (length, body) = leb(file, at + 1)?;
        let end = body + length;
        let named = || -> anyhow::Result<bool> {
            let (length, name) = leb(file, body)?;
            Ok(names.iter().any(|wanted| file.get(name..name + length) == Some(wanted.as_bytes())))
        };
        if file[at] != 0 || !named()? {
            rest.extend_from_slice(file.get(at..end).context("a truncated section")?);
        }
        at = end;
    }
    Ok(rest)
}

fn put(file: &mut Vec<u8>, name: &str, data: &[u8]) -> anyhow::Result<()> {
    let mut body = Vec::new();
    put_leb(&mut body, name.len())?;
    body.extend_from_slice(name.as_bytes());
    body.extend_from_slice(data);
    file.push(0);
    put_leb(file, body.len())?;
    file.extend_from_slice(&body);
    Ok(())
}

/// An unsigned LEB128 number at `at`, and where it ends.
fn leb(bytes: &[u8], mut at: usize) -> anyhow::Result<(usize, usize)> {
    let (mut number, mut shift) = (0, 0);
    loop {
        let byte = *bytes.get(at).context("a truncated number")?;
        at += 1;
        number |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok((number, at));
        }
        shift += 7;
        ensure!(shift < 35, "a number that is too long");
    }
}

fn put_leb(bytes: &mut Vec<u8>, mut number: usize) -> anyhow::Result<()> {
    loop {
        let digit = u8::try_from(number & 0x7f)?;
        number >>= 7;
        bytes.push(if number > 0 { digit | 0x80 } else { digit });
        if number == 0 {
            return Ok(());
        }
    }
}
