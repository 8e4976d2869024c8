//! Our edge node, followed by a host application of the library that the makers of Sparkplug B wrote: births, aliases, numbers of
//! messages, values to the last bit, qualities, births on request, and death when the host is killed.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, ensure};
use geminus_tests::{Broker, Host, HostApplication, PATIENCE, Publisher, SiteFolder, wait_for};
use serde_json::Value;

const TWIN: &str = "pump-rig-1";
const POINT: &str = "thermal.winding_temperature";
const GROUP: &str = "acme";
const NODE: &str = "geminus";
/// Rows of one feed.
const ROUNDS: u64 = 40;

fn site(broker: &Broker) -> anyhow::Result<SiteFolder> {
    let url = broker.url();
    SiteFolder::from_example("pump-rig", |text| {
        text.replace("mqtt://127.0.0.1:1883", &url)
            + &format!(
                "\n[publish.plant]\nurl = \"{url}\"\ninterval_ms = 100\nlayer = \"sparkplug-b-1\"\n\
                 group = \"{GROUP}\"\nnode = \"{NODE}\"\n"
            )
    })
}

/// Publishes rows of now, and waits until `times` such feeds have been estimated since the host started.
fn feed(broker: &Broker, host: &Host, times: u64) -> anyhow::Result<()> {
    let mut field = Publisher::connect(broker.port, "field")?;
    let first = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
    for round in 0..u128::from(ROUNDS) {
        for (sensor, value) in [("temperature", 80.0), ("thermocouple", 26.0), ("current", 2.0)] {
            let (value, time) = (value + (round as f64 / 7.0).cos(), first + round);
            let payload = format!(r#"{{"value":{value},"time":{time},"quality":"good"}}"#);
            field.publish(&format!("rig/{TWIN}/{sensor}"), payload.as_bytes(), 1)?;
        }
    }
    field.flush()?;
    wait_for("rows of now", PATIENCE, || {
        let rows = host.behavior(TWIN, "thermal")?["rows"].as_u64();
        Ok((rows == Some(times * ROUNDS)).then_some(()))
    })
}

/// What it knows, once `wish` is so; there is never anything wrong.
fn known(
    application: &mut HostApplication,
    what: &str,
    wish: impl Fn(&Value) -> bool,
) -> anyhow::Result<Value> {
    wait_for(what, PATIENCE, || {
        let known = application.known()?;
        ensure!(wish(&known), "{known}");
        Ok(Some(known))
    })
}

fn flawless(known: &Value) -> anyhow::Result<()> {
    let faults = known["faults"].as_array().context("faults")?;
    ensure!(faults.is_empty(), "{faults:?}");
    ensure!(known["byName"] == 0, "data carry aliases: {known}");
    Ok(())
}

fn born(known: &Value, births: u64) -> bool {
    known["online"] == true && known["births"] == births && known["devices"][TWIN]["online"] == true
}

/// Sparkplug has no word for uncertain.
fn code(quality: &Value) -> u64 {
    match quality.as_str() {
        Some("good") => 192,
        Some("stale") => 500,
        _ => 0,
    }
}

/// Waits until it knows of every estimated point what the API says, to the last bit. Gives how many have a number.
fn agrees(host: &Host, application: &mut HostApplication) -> anyhow::Result<usize> {
    wait_for("the same values", PATIENCE, || {
        let twin = host.get(&format!("/twins/{TWIN}"))?;
        let points = twin["estimated"].as_array().context("estimated points")?.clone();
        let known = application.known()?;
        let metrics = &known["devices"][TWIN]["metrics"];
        let mut numbers = 0;
        for point in &points {
            let name = point["name"].as_str().context("a name")?;
            let metric = &metrics[name];
            ensure!(metric["type"] == "Double", "{name}: {metric}");
            let here = point["value"].as_f64().map(|value| format!("{:#x}", value.to_bits()));
            ensure!(metric["bits"].as_str() == here.as_deref(), "{name}: {metric} is not {point}");
            ensure!(metric["quality"] == code(&point["quality"]), "{name}: {metric} is not {point}");
            numbers += usize::from(here.is_some());
        }
        // What was never told is null there.
        let verdict = metrics["health/verdict"]["text"].as_str().unwrap_or("unknown");
        ensure!(twin["health"]["verdict"] == verdict, "{metrics} is not {}", twin["health"]);
        flawless(&known)?;
        Ok(Some(numbers))
    })
}

#[test]
fn a_host_application_of_another_library_follows_our_edge_node() -> anyhow::Result<()> {
    let broker = Broker::start(10_000)?;
    let site = site(&broker)?;
    let mut application = HostApplication::start(broker.port, GROUP, NODE)?;
    let host = Host::start(&site.site())?;
    host.entry("source-connected", |_| true)?;
    host.entry("publish-connected", |_| true)?;

    // The birth names everything, also what nobody knows yet.
    let first = known(&mut application, "the birth", |known| born(known, 1))?;
    flawless(&first)?;
    ensure!(first["layer"] == "sparkplug-b-1", "{first}");
    let metrics = first["devices"][TWIN]["metrics"].as_object().context("metrics")?.clone();
    ensure!(metrics.contains_key(POINT) && metrics.contains_key("health/index"), "{metrics:?}");
    ensure!(metrics[POINT]["bits"].is_null() && metrics[POINT]["quality"] == 0, "{}", metrics[POINT]);
    ensure!(metrics[POINT]["unit"] == "Cel", "{}", metrics[POINT]);

    feed(&broker, &host, 1)?;
    ensure!(agrees(&host, &mut application)? >= 4, "too few numbers to say anything");
    let fed = application.known()?;
    ensure!(fed["byAlias"].as_u64().is_some_and(|data| data > 0) && fed["births"] == 1, "{fed}");

    // Whoever asks gets the birth again, with what is so now; so does somebody who came late.
    application.ask_for_births()?;
    known(&mut application, "the birth that it asked for", |known| born(known, 2))?;
    agrees(&host, &mut application)?;
    let mut late = HostApplication::start(broker.port, GROUP, NODE)?;
    ensure!(late.known()?["births"] == 0, "a birth is not kept by the broker");
    late.ask_for_births()?;
    known(&mut late, "the birth for the late one", |known| born(known, 1))?;
    ensure!(agrees(&host, &mut late)? >= 4, "a birth has values");
    feed(&broker, &host, 2)?;
    agrees(&host, &mut late)?;
    agrees(&host, &mut application)?;

    // The broker tells of the death, which is that of the session that was born.
    let session = application.known()?["bornAs"].clone();
    ensure!(session.is_u64(), "{session}");
    host.kill()?;
    for application in [&mut application, &mut late] {
        let dead = known(application, "the death", |known| known["online"] == false)?;
        flawless(&dead)?;
        ensure!(dead["deaths"] == 1 && dead["diedAs"] == session, "{dead}");
        ensure!(dead["devices"][TWIN]["online"] == false, "{dead}");
    }

    // The next life is another session.
    let host = Host::start(&site.site())?;
    let again = known(&mut application, "the next birth", |known| born(known, 4))?;
    flawless(&again)?;
    ensure!(again["bornAs"] != session, "{again}");
    agrees(&host, &mut application)?;
    host.stop()?;
    let gone = known(&mut application, "the farewell", |known| known["online"] == false)?;
    ensure!(gone["deaths"] == 2 && gone["diedAs"] == again["bornAs"], "{gone}");
    flawless(&gone)
}
