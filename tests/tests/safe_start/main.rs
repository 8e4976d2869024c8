//! A host that died in a component again and again starts without it: another version or the site's substitute answers,
//! the journal says what was left out and by which rule, nobody else loses a row, and a fresh version ends it.
//!
//! The deaths are real: a row makes the component work for some milliseconds, and the host is killed in the middle of it.

mod house;

use anyhow::ensure;
use geminus_tests::wait_for;

use crate::house::{CRASHES_MAX, House, PATIENCE, named, plugin};

/// A high `a` makes it work hard: far from any limit, and long enough to die in.
const HARD: &str = "step burn=4000000 twin=boom-1 above=50";

#[test]
fn the_version_before_answers_where_there_is_one() -> anyhow::Result<()> {
    let mut house =
        House::start("rollout = { probation = { rows = 3, seconds = 0 } }", &plugin("1.0.0", "")?)?;
    house.arrives(&plugin("1.1.0", HARD)?)?;
    house.alone("1.1.0")?;
    house.pulse.wait(10)?;
    house.works_hard();
    for time in 1..=CRASHES_MAX {
        house = house.dies_inside("boom@1.1.0")?;
        let crash = house.crash(time)?;
        ensure!(crash["plugin"] == "boom@1.1.0" && crash["facts"]["bindings"][0] == "boom", "{crash}");
        if time < CRASHES_MAX {
            house.alone("1.1.0")?;
            ensure!(house.told("safe-start")?.is_empty(), "left out after {time} of {CRASHES_MAX}");
        }
    }
    house.is_left_out("boom@1.1.0", "starts with boom@1.0.0 instead of boom@1.1.0")?;
    house.alone("1.0.0")?;
    house.pulse.wait(20)?;
    // It stays out, and an end in order neither counts again nor forgives.
    house = house.restarted()?;
    house.alone("1.0.0")?;
    ensure!(house.told("crashed-inside")?.len() == CRASHES_MAX, "counted more than once");
    ensure!(house.told("safe-start")?.len() == 2, "each start says it");
    ensure!(house.rollouts()? == 1, "what was left out is tried again by itself");
    // Another version goes by itself.
    house.arrives(&plugin("1.1.1", "")?)?;
    house.alone("1.1.1")?;
    house.innocent_lost_nothing()
}

#[test]
fn the_substitute_answers_where_there_is_no_other_version() -> anyhow::Result<()> {
    let lines = "substitute = \"fail-safe\"\nfail_safe = { sum = -1.0, count = -2.0 }";
    let mut house = House::start(lines, &plugin("1.0.0", HARD)?)?;
    house.works_hard();
    for time in 1..=CRASHES_MAX {
        house = house.dies_inside("boom@1.0.0")?;
        house.crash(time)?;
    }
    house.is_left_out("boom@1.0.0", "(substitute: fail-safe)")?;
    for twin in ["boom-1", "boom-2"] {
        for (point, safe) in [("boom.sum", -1.0), ("boom.count", -2.0)] {
            wait_for(&format!("{point} of {twin} to be stood in for"), PATIENCE, || {
                let now = house.host.point(twin, point)?;
                ensure!(now["value"] == safe && now["quality"] == "uncertain", "{now}");
                Ok(Some(()))
            })?;
        }
    }
    house.pulse.wait(20)?;
    house.arrives(&plugin("1.0.1", "")?)?;
    house.alone("1.0.1")?;
    house.innocent_lost_nothing()
}

#[test]
fn a_version_that_waits_for_a_person_is_not_put_to_work_by_a_safe_start() -> anyhow::Result<()> {
    let lines = "substitute = \"fail-safe\"\nfail_safe = { sum = -1.0, count = -2.0 }";
    let mut house = House::start(lines, &plugin("1.0.0", HARD)?)?;
    // It may use more memory, so no file begins it.
    let greedy = plugin("2.0.0", "")?.declares(|it| it["budget"]["memory_bytes"] = 67_174_400.into());
    house.arrives(&greedy)?;
    house.host.entry("plugin-arrived", |entry| entry["plugin"] == "boom@2.0.0")?;
    house.works_hard();
    for time in 1..=CRASHES_MAX {
        house = house.dies_inside("boom@1.0.0")?;
        house.crash(time)?;
    }
    house.is_left_out("boom@1.0.0", "(substitute: fail-safe)")?;
    house.pulse.wait(20)?;
    ensure!(house.rollouts()? == 0, "nobody started one");
    house.innocent_lost_nothing()
}

#[test]
fn two_components_that_the_host_dies_in_by_turns_are_both_left_out() -> anyhow::Result<()> {
    let both = ["boom", "bang"];
    let hard = |name: &str| named(name, "1.0.0", &format!("step burn=4000000 twin={name}-1 above=50"));
    let (boom, bang) = (hard("boom")?, hard("bang")?);
    let mut house = House::start_with("", &[("boom", &boom), ("bang", &bang)])?;
    both.iter().for_each(|name| house.is_hard(&format!("{name}-1")));
    for time in 1..=CRASHES_MAX {
        for name in both {
            let label = format!("{name}@1.0.0");
            house = house.dies_inside(&label)?;
            house.host.entry("crashed-inside", |entry| {
                entry["plugin"] == label.as_str() && entry["facts"]["crashes"] == time
            })?;
        }
    }
    for name in both {
        house.is_left_out(&format!("{name}@1.0.0"), "(substitute: none)")?;
    }
    ensure!(house.told("crashed-inside")?.len() == 2 * CRASHES_MAX, "each death counts once");
    house.pulse.wait(20)?;
    house.innocent_lost_nothing()
}
