//! `geminus feed` with many files: played in order of their times whatever the shell gives, and told where they overlap.

use std::ops::Range;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::ensure;
use geminus_tests::{Broker, Host, PATIENCE, SiteFolder, geminus, wait_for};

/// 2026-03-01T10:00:00Z.
const START_S: u64 = 1_772_359_200;

/// A temperature a second.
fn table(seconds: Range<u64>) -> String {
    let rows = seconds.map(|second| format!("{},{}\n", START_S + second, 80 + second));
    std::iter::once("time,Temperature\n".to_owned()).chain(rows).collect()
}

/// What it said on standard error.
fn feed(broker: &Broker, files: &[PathBuf]) -> anyhow::Result<String> {
    let output = Command::new(geminus()?)
        .arg("feed")
        .args(files)
        .args(["--to", &broker.url(), "--speed", "0"])
        .stdin(Stdio::null())
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "{said}");
    Ok(said)
}

#[test]
fn files_in_the_order_of_a_shell_lose_no_row() -> anyhow::Result<()> {
    let broker = Broker::start(10_000)?;
    let site =
        SiteFolder::from_example("pump-rig", |text| text.replace("mqtt://127.0.0.1:1883", &broker.url()))?;
    let write = |name: &str, seconds: Range<u64>| -> anyhow::Result<PathBuf> {
        let path = site.path(name);
        std::fs::write(&path, table(seconds))?;
        Ok(path)
    };
    let files = [
        write("0.csv", 0..50)?,
        write("1.csv", 50..100)?,
        write("10.csv", 200..250)?,
        write("2.csv", 100..150)?,
    ];
    let host = Host::start(&site.site())?;
    host.entry("source-connected", |_| true)?;
    let counts = |fate: &str| host.metric(&format!("geminus_samples_total{{fate=\"{fate}\"}}"));
    let said = feed(&broker, &files)?;
    let [zero, one, ten, two] = files.each_ref().map(|file| file.display().to_string());
    assert!(said.contains(&format!("not as given: {zero}, {one}, {two}, {ten}")), "{said}");
    assert!(!said.contains("overlaps"), "{said}");
    wait_for("all rows", PATIENCE, || Ok((counts("accepted")? == Some(200.0)).then_some(())))?;
    assert_eq!(counts("late")?, Some(0.0));

    // In order, and beside each other in time: said before it is played, and late as it said.
    let overlapping = [write("20.csv", 300..350)?, write("21.csv", 340..360)?];
    let said = feed(&broker, &overlapping)?;
    assert!(!said.contains("not as given"), "{said}");
    assert!(said.contains("in time on 1 topics: 10 of its 20 rows are not later"), "{said}");
    wait_for("all rows", PATIENCE, || Ok((counts("accepted")? == Some(260.0)).then_some(())))?;
    // The last of them is of the very time of one that was there.
    let passed_over = counts("late")?.unwrap_or(0.0) + counts("duplicate")?.unwrap_or(0.0);
    assert_eq!(passed_over, 10.0);
    host.stop()
}
