//! Guests that do not return from `close`. It is called for a twin that another version takes over, in the instance that it
//! leaves: that breaks, and its other twins and everybody else go on as if nothing had been. An instance that nobody needs
//! any more is dropped without it, by a swap as at the end of the host.

use std::process::{Command, Stdio};
use std::time::Duration;

use geminus_tests::{Guest, answered, drop_bytes, geminus, tally, wait_for};

use crate::house::House;

const PATIENCE: Duration = Duration::from_secs(45);
const TRIAL: &str = "arrivals = \"ignore\"\nrollout = { probation = { rows = 5, seconds = 1 } }";
/// Plugins, and what they do in `close`.
const ACTS: [(&str, &str); 4] =
    [("loop", "loop"), ("copy", "copy=25000000"), ("log", "log-for-ever"), ("trap", "trap")];
/// One that nobody swaps.
const STAYS: (&str, &str) = ("stay", "loop");

fn twin(name: &str, number: usize) -> String {
    format!("{name}-{number}")
}

/// Puts a version into the folder that behaves, and begins its rollout, for one twin or for all.
fn swap(house: &House, name: &str, version: &str, twins: Option<&str>) -> anyhow::Result<()> {
    let label = format!("{name}@{version}");
    let folder = house.site.path("plugins");
    drop_bytes(&folder, &format!("{name}-{version}"), &Guest::hostile(name, version)?.bytes()?)?;
    wait_for(&format!("{label} to be known"), PATIENCE, || {
        let plugins = house.host.get("/plugins")?;
        let mut all = plugins["plugins"].as_array().into_iter().flatten();
        Ok(all.any(|one| one["name"] == name && one["version"] == version).then_some(()))
    })?;
    let output = Command::new(geminus()?)
        .args(["rollout", "start", &label, "--probation-seconds", "1"])
        .args(twins.into_iter().flat_map(|twins| ["--twins", twins]))
        .args(["--url", &format!("http://127.0.0.1:{}", house.host.port)])
        .arg("--token-file")
        .arg(house.site.path("data/token"))
        .stdin(Stdio::null())
        .output()?;
    anyhow::ensure!(output.status.success(), "{label}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

#[test]
fn who_never_returns_from_close_holds_nobody_up() -> anyhow::Result<()> {
    let all = || ACTS.into_iter().chain([STAYS]);
    let ids: Vec<String> =
        all().flat_map(|(name, _)| (1..=3).map(move |number| twin(name, number))).collect();
    let guest = |(name, act)| Ok(Guest::hostile(name, "1.0.0")?.script(&format!("close {act}")));
    let guests = all().map(guest).collect::<anyhow::Result<Vec<_>>>()?;
    let house = House::start(
        &ids,
        // One shard: the three of each plugin share an instance.
        |cells| {
            all().fold(cells.shards(1), |cells, (name, _)| {
                cells.behavior(name, name, &format!("{name}-*"), TRIAL)
            })
        },
        &guests.iter().collect::<Vec<_>>(),
    )?;
    house.pulse.wait(20)?;
    for (name, _) in ACTS {
        swap(&house, name, "1.0.1", Some(&twin(name, 2)))?;
    }
    for (name, _) in ACTS {
        let label = format!("{name}@1.0.1");
        house.host.entry("swap-done", |entry| entry["plugin"] == label.as_str())?;
        for (number, version) in [(1, "1.0.0"), (2, "1.0.1"), (3, "1.0.0")] {
            let now = house.host.behavior(&twin(name, number), name)?;
            assert!(now["version"] == version && now["state"] == "running", "{name}-{number}: {now}");
            // The instance that one has left was broken by it, and built anew for the two that stay.
            let rebuilds = now["cost"]["rebuilds"].as_u64();
            assert!(number == 2 || rebuilds >= Some(1), "{name}-{number} was never closed: {now}");
        }
    }
    house.pulse.wait(20)?;
    for (name, _) in ACTS {
        swap(&house, name, "1.0.2", None)?;
    }
    for (name, _) in ACTS {
        let label = format!("{name}@1.0.2");
        house.host.entry("swap-done", |entry| entry["plugin"] == label.as_str())?;
    }
    house.pulse.wait(20)?;
    let told = house.host.journal()?;
    let apart: Vec<_> = told.iter().filter(|entry| entry["kind"] == "twin-apart").collect();
    assert!(apart.is_empty(), "nobody is held apart for what another did: {apart:?}");
    let (closed, sent) = house.innocent_lost_nothing()?;
    for (name, _) in all() {
        for number in 1..=3 {
            let twin = twin(name, number);
            answered(&closed.host, &twin, name, &tally(&sent[&twin]))?;
        }
    }
    // Those that stay would not return either: the host asks none of them, and ends in order.
    closed.host.stop()
}
