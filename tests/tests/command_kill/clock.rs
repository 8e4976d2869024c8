//! The wall clock of a running host is set by an hour, forward and back: nothing that was ready goes, nothing that was sent is
//! told to be verified, and once the clock is right again commands go their way.

use anyhow::{Context as _, ensure};
use geminus_tests::{Clockwork, Host, PATIENCE, wait_for};
use serde_json::{Value, json};

use crate::world::{Case, Field, TWIN, When, World, arm, connected, known, propose};

const HOUR_S: i64 = 3_600;

fn case(target: &'static str, value: f64) -> Case {
    Case {
        target,
        value,
        by: Some("Anna"),
        step: "none",
        when: When::After,
        field: Field::Deaf,
        end: "none",
        orders: 0,
    }
}

fn state(host: &Host, id: &str) -> anyhow::Result<Value> {
    Ok(known(host, id)?.context("known")?["command"]["state"].clone())
}

fn comes_to(world: &mut World, host: &Host, id: &str, expect: &str) -> anyhow::Result<()> {
    wait_for(&format!("a command to be {expect}"), PATIENCE, || {
        world.lives()?;
        let state = state(host, id)?;
        ensure!(state == expect, "{state}");
        Ok(Some(()))
    })
}

/// A command of this moment by the host's clock; gives its id and state.
fn wished(host: &Host, target: &str, value: f64) -> anyhow::Result<(String, Value)> {
    let body = json!({"twin": TWIN, "target": target, "value": value, "by": "Anna"});
    let (status, command) = host.post("/commands", &body)?;
    ensure!(status == 201, "{status}: {command}");
    Ok((command["id"].as_str().context("an id")?.to_owned(), command["state"].clone()))
}

fn is_set(seconds: i64) -> anyhow::Result<()> {
    let mut world = World::new()?;
    let (clockwork, site) = (Clockwork::build()?, world.site()?);
    let host = clockwork.start(&site.site())?;
    connected(&host)?;
    arm(&host)?;
    let (sent, ready, held) = (world.id()?, world.id()?, world.id()?);
    let mut digest = Value::Null;
    for (id, case, expect) in [
        (&sent, case("free", 40.0), "sent"),
        (&ready, case("free", 50.0), "checked"),
        (&held, case("asked", 40.0), "held"),
    ] {
        let (status, command) = propose(&host, &case, id)?;
        ensure!(status == 201 && command["state"] == expect, "{command}");
        digest = command["digest"].clone();
    }

    clockwork.set(seconds)?;
    host.entry("clock-set", |_| true)?;
    comes_to(&mut world, &host, &sent, "indeterminate")?;
    comes_to(&mut world, &host, &ready, "refused")?;
    comes_to(&mut world, &host, &held, if seconds > 0 { "expired" } else { "refused" })?;
    let (status, no) =
        host.post(&format!("/commands/{held}/approve"), &json!({"digest": digest, "by": "Ben"}))?;
    ensure!(status == 409, "{no}");
    let authority = host.get(&format!("/twins/{TWIN}/authority"))?;
    // A machine that slept looks like a clock that was set ahead.
    ensure!(authority["effective"] == if seconds > 0 { "advise" } else { "control" }, "{authority}");

    // The field shows what was ordered, by its own clock, and now nobody can tell what it shows.
    world.limit = 40.0;
    world.settle()?;
    wait_for("the value to arrive", PATIENCE, || {
        let targets = host.get("/targets")?;
        Ok((targets["targets"][0]["feedback"]["value"] == 40.0).then_some(()))
    })?;
    ensure!(state(&host, &sent)? == "indeterminate", "never verified falsely");
    // Neither is anything that is ordered while the two clocks differ.
    world.limit = 60.0;
    let (other, _) = wished(&host, "brief", 60.0)?;
    comes_to(&mut world, &host, &other, "indeterminate")?;
    ensure!(world.orders(&other) == 1, "{:?}", world.got);

    // Right again. What was in doubt stays so, and what is ordered from now on is read back.
    clockwork.set(0)?;
    wait_for("both times to be noticed", PATIENCE, || {
        let journal = host.journal()?;
        Ok((journal.iter().filter(|entry| entry["kind"] == "clock-set").count() == 2).then_some(()))
    })?;
    world.limit = 70.0;
    let (last, _) = wished(&host, "free", 70.0)?;
    comes_to(&mut world, &host, &last, "verified")?;
    world.settle()?;
    for (id, orders) in [(&sent, 1), (&ready, 0), (&held, 0), (&other, 1), (&last, 1)] {
        ensure!(world.orders(id) == orders, "{orders} of {id}: {:?}", world.got);
    }
    ensure!(state(&host, &sent)? == "indeterminate", "it was in doubt");
    host.stop()
}

#[test]
fn a_clock_that_is_set_ahead_while_the_host_runs_lets_nothing_go_or_be_claimed() -> anyhow::Result<()> {
    is_set(HOUR_S)
}

#[test]
fn a_clock_that_is_set_back_while_the_host_runs_lets_nothing_go_or_be_claimed() -> anyhow::Result<()> {
    is_set(-HOUR_S)
}
