//! The rig whose targets are commanded: a real host and mosquitto, a field that shows what it is told to, and an ear for orders.

use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, ensure};
use geminus_tests::{Broker, Host, Listener, PATIENCE, Publisher, SiteFolder, wait_for};
use serde_json::{Value, json};

pub(super) const TWIN: &str = "pump-rig-1";
pub(super) const SETS: &str = "rig/+/set/#";

/// A target that somebody approves and one that asks nobody and has a sign of life; both are read back from the current.
const TARGETS: &str = r#"
[command.class.free]
approvers = 0

[[target]]
name = "current"
unit = "A"
write = { source = "broker", topic = "rig/{twin}/set/current" }
feedback = { point = "current", tolerance = 0.05, within_s = 20 }
[target.interlock]
range = { min = 0, max = 10 }

[[target]]
name = "quick"
class = "free"
unit = "A"
write = { source = "broker", topic = "rig/{twin}/set/quick" }
heartbeat = { topic = "rig/{twin}/beat/quick", every_ms = 500 }
feedback = { point = "current", tolerance = 0.05, within_s = 20 }
[target.interlock]
range = { min = 0, max = 10 }
"#;

/// One rig with its broker, its field and the host that may write it.
pub(super) struct Plant {
    pub(super) broker: Broker,
    pub(super) field: Publisher,
    /// Source time of the last current, in milliseconds.
    shown: u128,
    pub(super) ear: Listener,
    pub(super) site: SiteFolder,
    pub(super) host: Host,
}

impl Plant {
    pub(super) fn start() -> anyhow::Result<Self> {
        Self::over("5")
    }

    /// With this version of MQTT between host and broker.
    pub(super) fn over(version: &str) -> anyhow::Result<Self> {
        let broker = Broker::start(1_000)?;
        let site = SiteFolder::from_example("pump-rig", |text| {
            let text = text
                .replace("mqtt://127.0.0.1:1883", &broker.url())
                .replace("version = \"5\"", &format!("version = \"{version}\""));
            let rig = "type = \"dtmi:geminus:example:PumpRig;1\"";
            let text = text.replace(rig, &format!("{rig}\nauthority = \"control\""));
            format!("{text}{TARGETS}")
        })?;
        let field = Publisher::connect(broker.port, "field")?;
        let ear = Listener::open(broker.port, "ear", SETS)?;
        let host = Host::start(&site.site())?;
        connected(&host)?;
        Ok(Self { broker, field, shown: 0, ear, site, host })
    }

    /// The field shows this current, now: in the next whole millisecond, so that it is not before an order of the same one,
    /// and each time in another one, because two values of one time are one sample.
    pub(super) fn shows(&mut self, value: f64) -> anyhow::Result<()> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
        let time = now.max(self.shown) + 1;
        self.shown = time;
        let payload = format!(r#"{{"value":{value},"time":{time},"quality":"good"}}"#);
        self.field.publish(&format!("rig/{TWIN}/current"), payload.as_bytes(), 1)?;
        self.field.flush().map(drop)
    }

    pub(super) fn propose(&self, target: &str, value: f64, by: &str) -> anyhow::Result<Value> {
        let body = json!({"twin": TWIN, "target": target, "value": value, "by": by, "reason": "scenario"});
        let (status, command) = self.host.post("/commands", &body)?;
        ensure!(status == 201, "{status}: {command}");
        Ok(command)
    }

    pub(super) fn order(&self, command: &Value, what: &str, body: &Value) -> anyhow::Result<(u16, Value)> {
        let id = command["id"].as_str().context("an id")?;
        self.host.post(&format!("/commands/{id}/{what}"), body)
    }

    pub(super) fn comes_to(&self, command: &Value, state: &str) -> anyhow::Result<Value> {
        comes_to(&self.host, command, state)
    }
}

/// A person arms the rig.
pub(super) fn arm(host: &Host) -> anyhow::Result<()> {
    let order = json!({"level": "control", "by": "Anna", "reason": "scenario"});
    let (status, armed) = host.post(&format!("/twins/{TWIN}/authority"), &order)?;
    ensure!(status == 200 && armed["effective"] == "control", "{armed}");
    Ok(())
}

pub(super) fn detail(host: &Host, command: &Value) -> anyhow::Result<Value> {
    host.get(&format!("/commands/{}", command["id"].as_str().context("an id")?))
}

pub(super) fn comes_to(host: &Host, command: &Value, state: &str) -> anyhow::Result<Value> {
    wait_for(&format!("a command to be {state}"), PATIENCE, || {
        let found = detail(host, command)?;
        ensure!(found["command"]["state"] == state, "{}", found["command"]);
        Ok(Some(found))
    })
}

/// Waits until the connection that writes stands.
pub(super) fn connected(host: &Host) -> anyhow::Result<()> {
    wait_for("the connection that writes", PATIENCE, || {
        let targets = host.get("/targets")?;
        Ok((targets["targets"][0]["egress"]["up"] == true).then_some(()))
    })
}

pub(super) fn events(detail: &Value) -> Vec<String> {
    let all = detail["transitions"].as_array().cloned().unwrap_or_default();
    all.iter().filter_map(|step| Some(step["event"].as_str()?.to_owned())).collect()
}

pub(super) fn signal(host: &Host, which: &str) -> anyhow::Result<()> {
    let status = Command::new("kill").args([which, &host.id().to_string()]).status()?;
    ensure!(status.success(), "kill {which} failed");
    Ok(())
}
