//! The broker dies and comes back: the host connects again by itself, the journal says so once each, and what is
//! published afterwards is stored.

use geminus_tests::{Broker, Host, PATIENCE, Publisher, SiteFolder, asking, publish_round, wait_for, whole};

const TWIN: &str = "pump-rig-1";
/// Times that the broker dies.
const DEATHS: u64 = 2;
/// Rounds before each death and after the last one.
const ROUNDS: u64 = 20;

fn publish(broker: &Broker, from: u64) -> anyhow::Result<()> {
    let mut field = Publisher::connect(broker.port, "field")?;
    for round in from..from + ROUNDS {
        publish_round(&mut field, &format!("rig/{TWIN}/"), round)?;
    }
    field.flush().map(drop)
}

fn connected(host: &Host, expect: f64) -> anyhow::Result<()> {
    wait_for(&format!("geminus_source_connected {expect}"), PATIENCE, || {
        Ok((host.metric("geminus_source_connected{source=\"broker\"}")? == Some(expect)).then_some(()))
    })
}

fn told(host: &Host, kind: &str) -> anyhow::Result<u64> {
    Ok(host.journal()?.iter().filter(|entry| entry["kind"] == kind).count() as u64)
}

fn scenario(version: &str) -> anyhow::Result<()> {
    let mut broker = Broker::start(10_000)?;
    let site = SiteFolder::from_example("pump-rig", |text| {
        text.replace("mqtt://127.0.0.1:1883", &broker.url())
            .replace("version = \"5\"", &format!("version = \"{version}\""))
    })?;
    let host = Host::start(&site.site())?;
    connected(&host, 1.0)?;
    publish(&broker, 0)?;
    whole(&host, TWIN, ROUNDS)?;
    for death in 1..=DEATHS {
        broker.kill()?;
        connected(&host, 0.0)?;
        let lost = host.entry("source-lost", |_| true)?;
        assert!(
            lost["message"].as_str().is_some_and(|text| text.contains(&broker.port.to_string())),
            "it says which broker: {lost}"
        );
        assert!(is_ready(&host), "a host without its broker can still write and answer");
        broker.up()?;
        connected(&host, 1.0)?;
        wait_for("both entries", PATIENCE, || {
            let (lost, back) = (told(&host, "source-lost")?, told(&host, "source-back")?);
            anyhow::ensure!(lost <= death && back <= death, "told {lost} and {back} times");
            Ok((lost == death && back == death).then_some(()))
        })?;
        publish(&broker, death * ROUNDS)?;
        whole(&host, TWIN, (death + 1) * ROUNDS)?;
    }
    assert_eq!((told(&host, "source-lost")?, told(&host, "source-back")?), (DEATHS, DEATHS), "once each");
    let reconnects = host.metric("geminus_source_reconnects_total{source=\"broker\"}")?;
    assert_eq!(reconnects, Some(DEATHS as f64));
    host.stop()
}

fn is_ready(host: &Host) -> bool {
    asking().get(host.url("/readyz")).call().is_ok()
}

#[test]
fn the_host_finds_its_broker_again_with_mqtt_5() -> anyhow::Result<()> {
    scenario("5")
}

#[test]
fn the_host_finds_its_broker_again_with_mqtt_3_1_1() -> anyhow::Result<()> {
    scenario("3.1.1")
}
