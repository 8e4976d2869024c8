//! What a person sees of a rollout, and that the host obeys the page: both versions' curves and their difference, the
//! verdict as it changes, the end; promote and cancel through the page, with the token and the typed confirmation.

use std::time::Duration;

use geminus_tests::{Broker, Browser, Cells, Guest, Host, Pulse, SiteFolder, drop_bytes, wait_for};
use serde_json::{Value, json};

use crate::{pictures, see};

/// How long a change may take to show.
const SOON: Duration = Duration::from_secs(40);
/// A value that the field does not send by itself.
const POISON: f64 = 666.0;
/// Twins of the plant.
const CELLS: [&str; 4] = ["cell-01", "cell-02", "cell-03", "cell-04"];

/// Pixels of a plot that have the colour of a pen of the style sheet.
fn pixels(browser: &Browser, plot: &str, pen: &str) -> anyhow::Result<u64> {
    let script = format!(
        "const drawn = document.querySelector('[data-testid=\"plot-{plot}\"] canvas');
        if (!drawn || drawn.width === 0) return 0;
        const canvas = Object.assign(document.createElement('canvas'), {{ width: drawn.width, height: drawn.height }});
        const copy = canvas.getContext('2d', {{ willReadFrequently: true }});
        copy.drawImage(drawn, 0, 0);
        const hex = getComputedStyle(document.documentElement).getPropertyValue('--{pen}').trim();
        const want = [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
        const {{ data }} = copy.getImageData(0, 0, canvas.width, canvas.height);
        let found = 0;
        for (let i = 0; i < data.length; i += 4) {{
            if (data[i + 3] > 200 && want.every((w, k) => Math.abs(data[i + k] - w) < 16)) found += 1;
        }}
        return found"
    );
    Ok(browser.run(&script)?.as_u64().unwrap_or_default())
}

/// Waits until the bar of phases says so.
fn phase(browser: &Browser, wanted: &str) -> anyhow::Result<()> {
    wait_for(&format!("the page to show {wanted}"), SOON, || {
        let shown = browser.attribute("phase", "data-phase")?;
        anyhow::ensure!(shown.as_deref() == Some(wanted), "it shows {shown:?}");
        Ok(Some(()))
    })
}

/// Gives an order as a person does: asks, types the words, gives the token where none is held, and sends.
fn order(browser: &Browser, name: &str, id: u64, token: &str) -> anyhow::Result<()> {
    let asked = format!("order-{name}");
    wait_for(&asked, SOON, || Ok(browser.attribute(&asked, "disabled")?.is_none().then_some(())))?;
    browser.press(&asked)?;
    see(browser, "confirm", "what it asks", |text| text.contains(&format!("{name} {id}")))?;
    anyhow::ensure!(browser.press("confirm-send").is_err(), "nothing is sent before it is typed");
    browser.fill("confirm-word", &format!("{name} {id}"))?;
    if browser.text("token-forget")?.is_none() {
        anyhow::ensure!(browser.press("confirm-send").is_err(), "nothing is sent without the token");
        browser.fill("token", token)?;
    }
    wait_for("the order to be ready", SOON, || Ok(browser.press("confirm-send").ok()))
}

struct Plant {
    /// Runs for as long as the plant does.
    _broker: Broker,
    site: SiteFolder,
    host: Host,
    pulse: Pulse,
}

impl Plant {
    fn start() -> anyhow::Result<Self> {
        let broker = Broker::start(100_000)?;
        let cells = Cells::new(&broker.url()).twins("cell-{01..04}", 1_000);
        let site = cells.behavior("tally", "tally", "cell-*", "arrivals = \"ignore\"").folder()?;
        let old = Guest::hostile("tally", "1.0.0")?;
        drop_bytes(&site.path("plugins"), "tally-1.0.0", &old.bytes()?)?;
        let host = Host::start(&site.site())?;
        host.entry("source-connected", |_| true)?;
        let pulse = Pulse::start(broker.port, &CELLS.map(str::to_owned), 20)?;
        pulse.wait(10)?;
        // A quarter more in each row, which is allowed; much more in one that is asked for.
        let script = format!("step offset=0.25; step offset=5 value={POISON}");
        let new = Guest::hostile("tally", "1.1.0")?.script(&script);
        drop_bytes(&site.path("plugins"), "tally-1.1.0", &new.bytes()?)?;
        wait_for("1.1.0 to be known", SOON, || {
            let plugins = host.get("/plugins")?;
            let mut all = plugins["plugins"].as_array().into_iter().flatten();
            Ok(all.any(|one| one["version"] == "1.1.0").then_some(()))
        })?;
        Ok(Self { _broker: broker, site, host, pulse })
    }

    /// What the host itself says of a rollout.
    fn reach(&self, id: u64, phase: &str) -> anyhow::Result<Value> {
        wait_for(&format!("rollout {id} to be in {phase}"), SOON, || {
            let view = self.host.get(&format!("/rollouts/{id}"))?;
            anyhow::ensure!(view["phase"] == phase, "it is {}: {}", view["phase"], view["reason"]);
            Ok(Some(view))
        })
    }

    fn runs(&self, version: &str) -> anyhow::Result<()> {
        for cell in CELLS {
            wait_for(&format!("{cell} to run {version}"), SOON, || {
                let tally = self.host.behavior(cell, "tally")?;
                anyhow::ensure!(tally["version"] == version && tally["state"] == "running", "{tally}");
                Ok(Some(()))
            })?;
        }
        Ok(())
    }
}

#[test]
fn a_rollout_is_seen_and_steered_through_the_page() -> anyhow::Result<()> {
    let plant = Plant::start()?;
    let token = std::fs::read_to_string(plant.site.path("data/token"))?;
    let browser = Browser::open(1_400, 1_200)?;
    let plan = json!({
        "plugin": "tally", "version": "1.1.0", "by": "test",
        "stages": {
            "promote": "manual", "shadow": { "rows": 20, "seconds_max": 3_600 },
            "probation": { "rows": 1_000_000, "seconds_max": 3_600 },
            // Some seconds in which the verdict is open.
            "acceptance": { "rows_min": 800, "difference": { "sum": { "absolute": 0.5 } } },
        },
    });
    browser.go(&plant.host.url("/#/rollouts"))?;
    see(&browser, "rollouts", "that there is none", |text| text.contains("There was no rollout yet"))?;
    let (status, answer) = plant.host.post("/rollouts", &plan)?;
    assert_eq!(status, 201, "{answer}");
    see(&browser, "rollout-1", "it by itself", |text| text.contains("tally") && text.contains("1.1.0"))?;

    browser.go(&plant.host.url("/#/rollouts/1"))?;
    phase(&browser, "shadow")?;
    see(&browser, "verdict", "that it is open", |text| text == "open")?;
    see(&browser, "next", "what it waits for", |text| text.contains("when a person promotes it"))?;
    see(&browser, "plot-compare", "the output that differs", |text| text.contains("sum"))?;
    wait_for("both versions' curves", SOON, || {
        let drawn = (pixels(&browser, "compare", "pen-old")?, pixels(&browser, "compare", "pen-new")?);
        anyhow::ensure!(drawn.0 > 50 && drawn.1 > 50, "pixels: {drawn:?}");
        Ok(Some(()))
    })?;
    see(&browser, "plot-difference", "the difference", |text| text.contains("0.250"))?;
    let last = || -> anyhow::Result<f64> {
        Ok(browser
            .attribute("plot-compare", "data-last-ms")?
            .and_then(|text| text.parse().ok())
            .unwrap_or(0.0))
    };
    let before = last()?;
    wait_for("the curves to go on", SOON, || Ok((last()? > before).then_some(())))?;
    see(&browser, "verdict", "that it passes", |text| text == "pass")?;
    browser.screenshot(&pictures().join("rollout.png"))?;

    order(&browser, "promote", 1, token.trim())?;
    let view = plant.reach(1, "probation")?;
    assert!(view["history"].to_string().contains("promoted by"), "{}", view["history"]);
    phase(&browser, "probation")?;
    see(&browser, "authoritative", "all twins", |text| text == "4")?;
    plant.runs("1.1.0")?;
    see(&browser, "judged-shadow", "the verdict of the shadow", |text| text.contains("pass"))?;

    // What goes wrong now ends it, and the page says why and what runs.
    plant.pulse.poison("cell-02", &[POISON; 3]);
    phase(&browser, "rolled-back")?;
    see(&browser, "verdict", "that it failed", |text| text == "fail")?;
    see(&browser, "standing", "why, and what runs", |text| {
        text.contains("ifference sum") && text.contains("As before, version 1.0.0 runs")
    })?;
    see(&browser, "worst", "the twin", |text| text.contains("cell-02"))?;
    see(&browser, "judged-probation", "the verdict of the probation", |text| text.contains("fail"))?;
    see(&browser, "judged-shadow", "that of the shadow all the same", |text| text.contains("pass"))?;
    plant.runs("1.0.0")?;
    browser.screenshot(&pictures().join("rollout-rolled-back.png"))?;

    // Begun and cancelled through the page.
    browser.go(&plant.host.url("/#/plugins"))?;
    see(&browser, "start-tally-1.1.0", "how to begin one", |_| true)?;
    browser.press("start-tally-1.1.0")?;
    see(&browser, "plan-form", "the outputs", |text| text.contains("sum"))?;
    browser.fill("shadow-seconds", "600")?;
    if browser.text("token-forget")?.is_none() {
        browser.fill("token", token.trim())?;
    }
    wait_for("the plan to be looked at", SOON, || Ok(browser.press("plan-preview").ok()))?;
    see(&browser, "preview", "what it would do", |text| text.contains("shadow"))?;
    wait_for("the plan to be ready", SOON, || Ok(browser.press("plan-start").ok()))?;
    plant.reach(2, "shadow")?;
    phase(&browser, "shadow")?;
    assert_eq!(browser.run("return location.hash")?, "#/rollouts/2");
    order(&browser, "cancel", 2, token.trim())?;
    plant.reach(2, "cancelled")?;
    phase(&browser, "cancelled")?;
    see(&browser, "standing", "what runs", |text| text.contains("As before, version 1.0.0 runs"))?;
    plant.runs("1.0.0")?;
    let errors = browser.errors()?;
    assert!(errors.is_empty(), "{errors:?}");
    drop(plant.pulse.stop()?);
    plant.host.stop()
}
