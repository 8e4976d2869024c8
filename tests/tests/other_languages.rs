//! The same behavior in Rust, C, JavaScript and Python (`examples/other-languages`): each keeps its cases and the contract,
//! and a site that runs all four gets the same bits from each. They are built by `tests/run`, with their languages' tools.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use geminus_conformance::{Bed, Plan};
use geminus_registry::Package;
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

/// As `geminus plugin test` and `check` do it, but compiled once for both.
fn keeps_its_cases_and_the_contract(language: &str) -> anyhow::Result<()> {
    let bed = Bed::new(Package::read(&package(language)?)?, serde_json::Map::new())?;
    let cases = geminus_sdk::testing::case::files(&example(language).join("cases"))?;
    ensure!(!cases.is_empty(), "there are no cases");
    for case in cases {
        let outcome = geminus_conformance::run_case(&bed, &case)?;
        ensure!(outcome.difference.is_none(), "{}: {:?}", outcome.name, outcome.difference);
    }
    let report = geminus_conformance::check(&bed, &Plan { golden: None });
    ensure!(report.conforms(), "{report}");
    let told = report.to_string();
    ensure!(told.contains("kept    deterministic") && told.contains("kept    snapshot"), "{told}");
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
    let host = Host::start_within(&site.site(), PATIENCE)?;
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
