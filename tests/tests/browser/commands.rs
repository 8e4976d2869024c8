//! What a person sees of commands, and that the host obeys the page: a command is approved as it was shown by somebody who did not
//! propose it, goes its way and is verified by the field; a twin is armed, and the page says why it was not.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, ensure};
use geminus_tests::{Broker, Browser, Host, PATIENCE, Publisher, SiteFolder, wait_for};
use serde_json::json;

use crate::{pictures, see};

const TWIN: &str = "pump-rig-1";
/// How long a button may take to be ready.
const SOON: Duration = Duration::from_secs(20);

/// A target that one person approves, read back from the current.
const TARGET: &str = r#"
[[target]]
name = "current"
unit = "A"
write = { source = "broker", topic = "rig/{twin}/set/current" }
feedback = { point = "current", tolerance = 0.05, within_s = 60 }
[target.interlock]
range = { min = 0, max = 10 }
"#;

fn site(broker: &Broker) -> anyhow::Result<SiteFolder> {
    SiteFolder::from_example("pump-rig", |text| {
        let text = text.replace("mqtt://127.0.0.1:1883", &broker.url());
        let rig = "type = \"dtmi:geminus:example:PumpRig;1\"";
        let text = text.replace(rig, &format!("{rig}\nauthority = \"control\""));
        format!("{text}{TARGET}")
    })
}

/// The host's own word for where a command stands.
fn stands(host: &Host, id: &str, state: &str) -> anyhow::Result<()> {
    wait_for(&format!("the command to be {state}"), PATIENCE, || {
        let found = host.get(&format!("/commands/{id}"))?;
        ensure!(found["command"]["state"] == state, "{}", found["command"]);
        Ok(Some(()))
    })
}

/// The button once it can be pressed.
fn press(browser: &Browser, test_id: &str) -> anyhow::Result<()> {
    wait_for(&format!("{test_id} to be ready"), SOON, || Ok(browser.press(test_id).ok()))
}

#[test]
fn a_command_is_approved_and_a_twin_is_armed_through_the_page() -> anyhow::Result<()> {
    let broker = Broker::start(1_000)?;
    let site = site(&broker)?;
    let mut field = Publisher::connect(broker.port, "field")?;
    let host = Host::start(&site.site())?;
    let token = std::fs::read_to_string(site.path("data/token"))?;
    wait_for("the connection that writes", PATIENCE, || {
        Ok((host.get("/targets")?["targets"][0]["egress"]["up"] == true).then_some(()))
    })?;
    let browser = Browser::open(1_400, 1_200)?;
    browser.go(&host.url("/#/commands"))?;
    see(&browser, "queue-summary", "an empty queue", |text| text.contains("nothing waits for approval"))?;

    let wish = json!({"twin": TWIN, "target": "current", "value": 4.0, "by": "Anna", "reason": "less wear"});
    let (status, command) = host.post("/commands", &wish)?;
    ensure!(status == 201 && command["state"] == "held", "{status}: {command}");
    let id = command["id"].as_str().context("an id")?;
    let digest = command["digest"].as_str().context("a digest")?;
    see(&browser, &format!("held-{id}"), "who wishes it and why", |text| {
        text.contains("Anna") && text.contains("less wear")
    })?;
    see(&browser, &format!("interlocks-{id}"), "what the interlocks say", |text| {
        text.contains("They would let it through now")
    })?;
    see(&browser, "command-counts", "that one waits", |text| text.contains("1 to approve"))?;
    browser.screenshot(&pictures().join("commands.png"))?;

    press(&browser, &format!("approve-{id}"))?;
    see(&browser, "shown-digest", "the digest of its bytes", |text| text == digest)?;
    browser.fill("token", token.trim())?;
    browser.fill("command-by", "anna")?;
    see(&browser, "order-objection", "that she proposed it", |text| text.contains("somebody else must"))?;
    ensure!(browser.press("command-send").is_err(), "nobody approves his own wish");
    browser.fill("command-by", "Ben")?;
    press(&browser, "command-send")?;
    stands(&host, id, "transport-acked")?;
    let time = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
    let payload = format!(r#"{{"value":4.0,"time":{time},"quality":"good"}}"#);
    field.publish(&format!("rig/{TWIN}/current"), payload.as_bytes(), 1)?;
    field.flush()?;
    stands(&host, id, "verified")?;
    browser.go(&host.url(&format!("/#/commands/{id}")))?;
    see(&browser, "command-state", "verified", |text| text == "verified")?;
    see(&browser, "transitions", "its course", |text| {
        ["approved by Ben", "about to leave the host", "the transport has it", "shown by the feedback point"]
            .iter()
            .all(|part| text.contains(part))
    })?;
    browser.screenshot(&pictures().join("command.png"))?;

    browser.go(&host.url(&format!("/#/targets/{TWIN}")))?;
    see(&browser, "authority-words", "less than the site gives", |text| {
        text.contains("It has advise; the site gives it control")
    })?;
    see(&browser, "authority-reasons", "why", |text| text.contains("not armed since the host started"))?;
    see(&browser, "rules-current", "the rule and what it allows", |text| text.contains("range"))?;
    press(&browser, "authority-control")?;
    see(&browser, "authority-confirm", "why it was held down", |text| text.contains("It was held down"))?;
    browser.fill("authority-by", "Ben")?;
    ensure!(browser.press("authority-send").is_err(), "nothing is armed before it is typed");
    browser.fill("confirm-word", &format!("control {TWIN}"))?;
    press(&browser, "authority-send")?;
    see(&browser, "authority-words", "who armed it", |text| text.contains("Armed by Ben"))?;
    let authority = host.get(&format!("/twins/{TWIN}/authority"))?;
    ensure!(authority["effective"] == "control" && authority["armed"]["by"] == "Ben", "{authority}");
    browser.screenshot(&pictures().join("targets.png"))?;
    let errors = browser.errors()?;
    ensure!(errors.is_empty(), "{errors:?}");
    host.stop()
}
