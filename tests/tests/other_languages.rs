//! The same behavior in Rust, C, JavaScript and Python (`examples/other-languages`): each keeps its cases and the contract,
//! and a site that runs all four gets the same bits from each. They are built by `tests/run`, with their languages' tools.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use geminus_tests::{Host, SiteFolder, geminus, repository, wait_for};

const LANGUAGES: [&str; 4] = ["rust", "c", "javascript", "python"];
/// The largest of them takes a while to be compiled.
const PATIENCE: Duration = Duration::from_secs(180);

fn example(inside: &str) -> PathBuf {
    repository().join("examples/other-languages").join(inside)
}

fn package(language: &str) -> anyhow::Result<PathBuf> {
    let built = repository().join("target/plugins").join(format!("level-{language}.wasm"));
    ensure!(built.is_file(), "{} is missing: run tests/run", built.display());
    Ok(built)
}

/// What a command said that succeeded.
fn said(command: &mut Command) -> anyhow::Result<String> {
    let output = command.stdin(Stdio::null()).output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "{command:?}\n{said}\n{}", String::from_utf8_lossy(&output.stderr));
    Ok(said)
}

fn keeps_its_cases_and_the_contract(language: &str) -> anyhow::Result<()> {
    let (package, cases) = (package(language)?, example(language).join("cases"));
    let tested =
        said(Command::new(geminus()?).args(["plugin", "test"]).arg(&package).arg("--cases").arg(cases))?;
    assert!(tested.contains(&format!("1 cases hold for level-{language}@0.1.0")), "{tested}");
    let checked = said(Command::new(geminus()?).args(["plugin", "check"]).arg(&package))?;
    assert!(checked.ends_with("conforms\n"), "{checked}");
    assert!(checked.contains("kept    deterministic") && checked.contains("kept    snapshot"), "{checked}");
    Ok(())
}

#[test]
fn rust_keeps_its_cases_and_the_contract() -> anyhow::Result<()> {
    keeps_its_cases_and_the_contract("rust")
}

#[test]
fn c_keeps_its_cases_and_the_contract() -> anyhow::Result<()> {
    keeps_its_cases_and_the_contract("c")
}

#[test]
fn javascript_keeps_its_cases_and_the_contract() -> anyhow::Result<()> {
    keeps_its_cases_and_the_contract("javascript")
}

#[test]
fn python_keeps_its_cases_and_the_contract() -> anyhow::Result<()> {
    keeps_its_cases_and_the_contract("python")
}

/// Time, value and quality of each sample of a point, as text that tells two numbers apart by their last bit.
fn history(site: &Path, point: &str) -> anyhow::Result<Vec<String>> {
    let command = &mut Command::new(geminus()?);
    let lines = said(command.args(["history", "query"]).arg(site).args(["tank-1", point]))?;
    Ok(lines.lines().map(str::to_owned).collect())
}

#[test]
fn a_site_with_all_four_gets_the_same_bits_and_an_alarm_from_each() -> anyhow::Result<()> {
    let site = SiteFolder::from_example("other-languages/site", |text| text)?;
    for language in LANGUAGES {
        let file = format!("level-{language}.wasm");
        std::fs::copy(package(language)?, site.path("plugins").join(file))?;
    }
    let rows = std::fs::read_to_string(site.path("level.csv"))?.lines().count() - 1;
    let host = Host::start(&site.site())?;
    wait_for("every row in every language", PATIENCE, || {
        let twin = host.get("/twins/tank-1")?;
        let behaviors = twin["behaviors"].as_array().context("behaviors")?;
        let done = behaviors.iter().filter(|behavior| behavior["rows"] == rows);
        Ok((done.count() == LANGUAGES.len()).then_some(()))
    })?;
    for language in LANGUAGES {
        let name = format!("{language}.level-high");
        host.entry("alarm-raised", |entry| entry.to_string().contains(&name))?;
    }
    host.stop()?;
    let points = |language: &str| -> anyhow::Result<[Vec<String>; 2]> {
        let point = |name: &str| history(&site.site(), &format!("{language}.{name}"));
        Ok([point("smooth")?, point("rate")?])
    };
    let expected = points("rust")?;
    // The first row has no rate yet.
    assert_eq!(expected.each_ref().map(Vec::len), [rows, rows - 1], "{expected:?}");
    for language in LANGUAGES {
        assert!(points(language)? == expected, "{language} gives something else than Rust");
    }
    Ok(())
}
