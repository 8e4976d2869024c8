//! What an author does on the first day: a new plugin of each kind, its tests, its package, and what it says of itself.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::ensure;
use geminus_tests::{geminus, repository};

const KINDS: [(&str, &str); 4] = [
    ("estimator", "Estimator"),
    ("surrogate", "Surrogate"),
    ("health-rule", "HealthRule"),
    ("command-policy", "CommandPolicy"),
];

/// Runs and gives what was said; fails with the rest when it did not succeed.
fn run(command: &mut Command) -> anyhow::Result<String> {
    let output = command
        .env("CARGO_TARGET_DIR", repository().join("target"))
        .env("CARGO_NET_OFFLINE", "true")
        .env("CARGO_TERM_COLOR", "never")
        .stdin(Stdio::null())
        .output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "{command:?}\n{said}\n{}", String::from_utf8_lossy(&output.stderr));
    Ok(said)
}

/// A new plugin with the versions of dependencies that the repository has, which need no network.
fn made(folder: &Path, name: &str, kind: &str) -> anyhow::Result<std::path::PathBuf> {
    run(Command::new(geminus()?).args(["plugin", "new", name, "--kind", kind]).arg("--dir").arg(folder))?;
    let made = folder.join(name);
    std::fs::copy(repository().join("Cargo.lock"), made.join("Cargo.lock"))?;
    Ok(made)
}

#[test]
fn a_new_plugin_of_each_kind_builds_and_says_what_it_is() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    for (kind, shown) in KINDS {
        let name = format!("my-{kind}");
        let made = made(folder.path(), &name, kind)?;
        let out = folder.path().join("out");
        run(Command::new(geminus()?).args(["plugin", "build"]).arg(&made).arg("--out").arg(&out))?;
        let said =
            run(Command::new(geminus()?).args(["plugin", "inspect"]).arg(out.join(format!("{name}.wasm"))))?;
        let first = said.lines().next().unwrap_or_default();
        assert!(first.starts_with(&format!("{name}@0.1.0")) && first.ends_with(shown), "{said}");
        for part in ["digest", "contract  0.1.0", "inputs", "outputs"] {
            assert!(said.contains(part), "{kind}: {part} is not in\n{said}");
        }
    }
    Ok(())
}

#[test]
fn a_new_estimator_passes_its_own_tests() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let made = made(folder.path(), "first-estimator", "estimator")?;
    let said = run(Command::new("cargo").args(["test", "--release", "--offline"]).current_dir(&made))?;
    let passed = said.lines().filter_map(|line| line.strip_prefix("test result: ok. "));
    let count: u32 = passed.filter_map(|line| line.split(' ').next()?.parse::<u32>().ok()).sum();
    assert!(count > 0, "the template has tests: {said}");
    Ok(())
}

#[test]
fn what_cannot_be_made_or_built_is_said_in_a_sentence() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let made = made(folder.path(), "broken", "estimator")?;
    let lib = made.join("src/lib.rs");
    std::fs::write(&lib, std::fs::read_to_string(&lib)?.replace("fn step(", "fn stop("))?;
    let cases: [(Vec<&str>, &str); 3] = [
        (vec!["new", "Not A Name"], "is no plugin name"),
        (vec!["new", "broken"], "exists already"),
        (vec!["build", "broken"], "cannot build"),
    ];
    for (arguments, says) in cases {
        let output = Command::new(geminus()?)
            .arg("plugin")
            .args(&arguments)
            .current_dir(folder.path())
            .env("CARGO_TARGET_DIR", repository().join("target"))
            .output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(said.contains(says), "{arguments:?}: {said}");
    }
    Ok(())
}
