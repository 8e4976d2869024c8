//! What stays while hosts come and go: the broker, the field with its ear, what is kept in `outbox.db`; and what people do
//! meanwhile.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, ensure};
use geminus_tests::{Broker, Cut, Cutter, Host, Listener, PATIENCE, Publisher, SiteFolder, wait_for};
use serde_json::{Value, json};

pub(super) const TWIN: &str = "rig";
pub(super) const SETS: &str = "rig/+/set/#";
const OUTBOX: &str = "data/outbox.db";

const TYPE: &str = r#"{
    "@context": ["dtmi:dtdl:context;3"], "@id": "dtmi:t:Rig;1", "@type": "Interface", "displayName": "Rig",
    "contents": [{"@type": "Telemetry", "name": "limit", "schema": "double"}]}"#;

/// Targets that differ in whom they ask and how long they wait.
const SITE: &str = r#"
[site]
name = "cut"
# Samples that are an hour ahead are looked at, too, so that commands have to judge them.
[limits]
accept_future_s = 7200
[[source]]
name = "broker"
mqtt = { url = "BROKER", version = "5", qos = 1 }
[[twin]]
id = "rig"
type = "dtmi:t:Rig;1"
authority = "control"
interval_ms = 60000
[[bind]]
source = "broker"
topic = "rig/{twin}/{point}"
[command.class.free]
approvers = 0
[command.class.pair]
approvers = 2
[command.class.hasty]
approvers = 1
approve_within_s = 2

[[target]]
name = "asked"
unit = "1"
write = { source = "broker", topic = "rig/{twin}/set/asked" }
feedback = { point = "limit", tolerance = 0.5, within_s = 120 }
[target.interlock]
range = { min = 0, max = 100 }

[[target]]
name = "paired"
class = "pair"
unit = "1"
write = { source = "broker", topic = "rig/{twin}/set/paired" }
feedback = { point = "limit", tolerance = 0.5, within_s = 120 }
[target.interlock]
range = { min = 0, max = 100 }

[[target]]
name = "free"
class = "free"
unit = "1"
write = { source = "broker", topic = "rig/{twin}/set/free" }
feedback = { point = "limit", tolerance = 0.5, within_s = 120 }
[target.interlock]
range = { min = 0, max = 100 }

[[target]]
name = "brief"
class = "free"
unit = "1"
write = { source = "broker", topic = "rig/{twin}/set/brief" }
feedback = { point = "limit", tolerance = 0.5, within_s = 2 }
[target.interlock]
range = { min = 0, max = 100 }

[[target]]
name = "hasty"
class = "hasty"
unit = "1"
write = { source = "broker", topic = "rig/{twin}/set/hasty" }
[target.interlock]
range = { min = 0, max = 100 }
"#;

/// When a host dies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum When {
    Before,
    After,
}
/// What the field does with an order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Field {
    /// Shows the value, once the host has heard of the transport.
    Obeys,
    /// The same, but only after the host was started again.
    ObeysLate,
    /// Goes on showing what it showed before.
    Deaf,
}

/// One death.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case {
    pub(super) target: &'static str,
    pub(super) value: f64,
    /// `None`: a program, which needs an armed twin.
    pub(super) by: Option<&'static str>,
    pub(super) step: &'static str,
    pub(super) when: When,
    pub(super) field: Field,
    pub(super) end: &'static str,
    /// How many orders reach the field.
    pub(super) orders: usize,
}

/// What stays while hosts come and go: the broker, the field, the ear at the field.
pub(super) struct World {
    pub(super) cutter: Cutter,
    pub(super) broker: Broker,
    pub(super) field: Publisher,
    pub(super) ear: Listener,
    /// Ids of the orders that the field has got.
    pub(super) got: Vec<String>,
    /// What the field shows.
    pub(super) limit: f64,
    /// Source time of the last sample, in milliseconds.
    pub(super) shown: u128,
    pub(super) ids: u32,
}

fn now_ms() -> anyhow::Result<u128> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())
}

impl World {
    pub(super) fn new() -> anyhow::Result<Self> {
        let broker = Broker::start(1_000)?;
        let field = Publisher::connect(broker.port, "field")?;
        let ear = Listener::open(broker.port, "ear", SETS)?;
        let cutter = Cutter::build()?;
        Ok(Self { cutter, broker, field, ear, got: Vec::new(), limit: 1.0, shown: 0, ids: 0 })
    }

    pub(super) fn site(&self) -> anyhow::Result<SiteFolder> {
        SiteFolder::new(&SITE.replace("BROKER", &self.broker.url()), &[("rig.json", TYPE)])
    }

    /// A UUID of version 7, of now.
    pub(super) fn id(&mut self) -> anyhow::Result<String> {
        self.ids += 1;
        let ms = now_ms()?;
        Ok(format!("{:08x}-{:04x}-7000-8000-{:012x}", ms >> 16, ms & 0xffff, self.ids))
    }

    /// The field shows what it has, and looks what it was told.
    pub(super) fn lives(&mut self) -> anyhow::Result<()> {
        let time = now_ms()?.max(self.shown) + 1;
        self.shown = time;
        let payload = format!(r#"{{"value":{},"time":{time},"quality":"good"}}"#, self.limit);
        self.field.publish(&format!("rig/{TWIN}/limit"), payload.as_bytes(), 1)?;
        self.field.flush()?;
        for message in self.ear.waiting() {
            let order: Value = serde_json::from_slice(&message.payload)?;
            self.got.push(order["id"].as_str().context("an id")?.to_owned());
        }
        Ok(())
    }

    pub(super) fn orders(&self, id: &str) -> usize {
        self.got.iter().filter(|got| *got == id).count()
    }

    /// Whatever has left by now has come to the ear.
    pub(super) fn settle(&mut self) -> anyhow::Result<()> {
        let marker = json!({ "id": format!("marker {}", self.ids) });
        self.ids += 1;
        self.field.publish("rig/nobody/set/marker", marker.to_string().as_bytes(), 1)?;
        let id = marker["id"].as_str().context("an id")?;
        wait_for("the marker", PATIENCE, || {
            self.lives()?;
            Ok((self.orders(id) == 1).then_some(()))
        })
    }

    /// People and the field do what there is to do about a command: propose, approve, obey. Gives where it stands.
    pub(super) fn turn(&mut self, host: &Host, case: &Case, id: &str, field: Field) -> anyhow::Result<Value> {
        self.lives()?;
        let Some(found) = known(host, id)? else {
            let (status, answer) = propose(host, case, id)?;
            ensure!(status == 200 || status == 201, "{status}: {answer}");
            return Ok(answer);
        };
        let command = found["command"].clone();
        if command["state"] == "held" && case.target == "asked" {
            let body = json!({ "digest": command["digest"], "by": "Ben" });
            host.post(&format!("/commands/{id}/approve"), &body)?;
        }
        // One that is on its way to the broker is not shown yet, so that each step is taken.
        if field == Field::Obeys && self.orders(id) > 0 && command["state"] != "sent" {
            self.limit = case.value;
        }
        Ok(command)
    }
}

/// Where a command stands; `None` when it never came.
pub(super) fn known(host: &Host, id: &str) -> anyhow::Result<Option<Value>> {
    let all = host.get("/commands?limit=100")?;
    let all = all["commands"].as_array().context("commands")?;
    match all.iter().any(|command| command["id"] == id) {
        true => Ok(Some(host.get(&format!("/commands/{id}"))?)),
        false => Ok(None),
    }
}

pub(super) fn propose(host: &Host, case: &Case, id: &str) -> anyhow::Result<(u16, Value)> {
    let mut body = json!({"id": id, "twin": TWIN, "target": case.target, "value": case.value});
    if let Some(by) = case.by {
        body["by"] = json!(by);
    }
    host.post("/commands", &body)
}

pub(super) fn arm(host: &Host) -> anyhow::Result<()> {
    let body = json!({"level": "control", "by": "Anna", "reason": "scenario"});
    let (status, armed) = host.post(&format!("/twins/{TWIN}/authority"), &body)?;
    ensure!(status == 200 && armed["effective"] == "control", "{armed}");
    Ok(())
}

/// Waits until the connections that read and write stand.
pub(super) fn connected(host: &Host) -> anyhow::Result<()> {
    host.entry("source-connected", |_| true)?;
    wait_for("the connection that writes", PATIENCE, || {
        let targets = host.get("/targets")?;
        Ok((targets["targets"][0]["egress"]["up"] == true).then_some(()))
    })
}

/// What is written down of a command, read from outside while nobody runs.
pub(super) fn kept(site: &SiteFolder, id: &str) -> anyhow::Result<Option<String>> {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let outbox = rusqlite::Connection::open_with_flags(site.path(OUTBOX), flags)?;
    let bytes = id.replace('-', "");
    let mut found = outbox.prepare("SELECT state FROM command WHERE hex(id) = upper(?1)")?;
    let mut rows = found.query([bytes])?;
    Ok(rows.next()?.map(|row| row.get(0)).transpose()?)
}

/// The journal has each change of a command that led it to another state, and what people said of it: once, in their order. Those at which
/// the host was killed are among them.
pub(super) fn journaled(host: &Host, id: &str) -> anyhow::Result<()> {
    wait_for("the journal to have the whole course", PATIENCE, || {
        let found = known(host, id)?.context("known")?;
        let (mut kept, mut before) = (Vec::new(), Value::Null);
        for change in found["transitions"].as_array().context("transitions")? {
            let says = change["event"] == "approve" || change["event"] == "resolve";
            if says || change["state"] != before {
                kept.push((change["step"].clone(), change["state"].clone()));
            }
            before = change["state"].clone();
        }
        let entries = host.journal()?;
        let of = |entry: &&Value| entry["facts"]["command"] == id && entry["facts"]["step"].is_number();
        let said = entries.iter().rev().filter(of);
        let said = said.map(|entry| (entry["facts"]["step"].clone(), entry["facts"]["state"].clone()));
        let said: Vec<_> = said.collect();
        ensure!(said == kept, "the outbox has {kept:?}, and the journal {said:?}");
        Ok(Some(()))
    })
}

/// Whether somebody's approval is written down, read from outside while nobody runs.
pub(super) fn has_approved(site: &SiteFolder, by: &str) -> anyhow::Result<bool> {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let outbox = rusqlite::Connection::open_with_flags(site.path(OUTBOX), flags)?;
    let approval = format!(r#"%{}%"#, approval_by(by));
    let count = outbox.query_row("SELECT count(*) FROM transition WHERE cause LIKE ?1", [approval], |row| {
        row.get::<_, i64>(0)
    });
    Ok(count? > 0)
}

/// How an approval stands in the outbox.
pub(super) fn approval_by(name: &str) -> String {
    format!(r#""event":"approve","by":"{name}""#)
}

pub(super) fn cut(step: &str, when: When) -> Cut {
    let text = format!(r#""state":"{step}""#);
    Cut { file: "outbox.db-wal".to_owned(), text, after: when == When::After }
}

/// That the host died where it should have.
pub(super) fn died_at(site: &SiteFolder, id: &str, step: &str, when: When) -> anyhow::Result<()> {
    let kept = kept(site, id)?;
    let is_kept = kept.as_deref() == Some(step);
    ensure!(is_kept == (when == When::After), "it died {when:?} {step}, and {kept:?} is kept");
    Ok(())
}
