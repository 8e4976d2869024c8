//! What a person sees: the curve moves, a stopped feed is shown as stale, a swap shows its version.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use geminus_tests::{Broker, Browser, Host, Publisher, SiteFolder, rebuild, wait_for};
use serde_json::Value;

use crate::{pictures, see};

fn now_ms() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis()
}

/// Ten rounds a second, values that move, until told to stop.
fn feed(port: u16, stop: &AtomicBool) -> anyhow::Result<()> {
    let mut field = Publisher::connect(port, "field")?;
    let mut round = 0_u32;
    while !stop.load(Ordering::Relaxed) {
        let wave = (f64::from(round) / 10.0).sin();
        let values = [
            ("accelerometer1-rms", 0.2 + 0.01 * wave),
            ("accelerometer2-rms", 0.27 - 0.01 * wave),
            ("current", 2.0 + 0.5 * wave),
            ("pressure", 0.2),
            ("temperature", 80.0 + 3.0 * wave),
            ("thermocouple", 26.0),
            ("voltage", 230.0),
            ("volume-flow-rate-rms", 120.0),
        ];
        for (point, value) in values {
            let payload = format!(r#"{{"value":{value},"time":{},"quality":"good"}}"#, now_ms());
            field.publish(&format!("rig/pump-rig-1/{point}"), payload.as_bytes(), 0)?;
        }
        field.flush()?;
        round += 1;
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

/// What the plot of estimated temperatures draws.
#[derive(Debug, PartialEq)]
struct Drawn {
    /// Numbers of its curves.
    points: u64,
    /// Time of the newest.
    last_ms: f64,
    /// The picture itself.
    pixels: String,
}

/// `None` while the page has no such plot, or one without data.
fn drawn(browser: &Browser) -> anyhow::Result<Option<Drawn>> {
    let script = "const plot = document.querySelector('[data-testid=\"plot-estimated-cel\"]');
        if (!plot?.querySelector('canvas')) return null;
        return [plot.dataset.points, plot.dataset.lastMs, plot.querySelector('canvas').toDataURL()]";
    let found = browser.run(script)?;
    let texts: Vec<&str> = found.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let [points, last_ms, pixels] = texts[..] else { return Ok(None) };
    let (Ok(points), Ok(last_ms)) = (points.parse(), last_ms.parse()) else { return Ok(None) };
    Ok(Some(Drawn { points, last_ms, pixels: pixels.to_owned() }).filter(|drawn| drawn.points > 0))
}

#[test]
fn the_curve_moves_staleness_shows_and_a_swap_shows_its_version() -> anyhow::Result<()> {
    let broker = Broker::start(10_000)?;
    let site =
        SiteFolder::from_example("pump-rig", |text| text.replace("mqtt://127.0.0.1:1883", &broker.url()))?;
    let host = Host::start(&site.site())?;
    let browser = Browser::open(1_400, 1_000)?;
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| -> anyhow::Result<()> {
        let feeder = scope.spawn(|| feed(broker.port, &stop));
        let seen = (|| -> anyhow::Result<()> {
            browser.go(&host.url("/"))?;
            see(&browser, "fleet-row-pump-rig-1", "live", |text| text.to_lowercase().contains("live"))?;
            browser.screenshot(&pictures().join("fleet.png"))?;
            browser.go(&host.url("/#/twin/pump-rig-1"))?;
            see(&browser, "state-badge", "live", |text| text.to_lowercase().contains("live"))?;
            let first =
                see(&browser, "point-value-temperature", "a number", |text| text.contains(char::is_numeric))?;
            see(&browser, "point-value-temperature", "another number", |text| text != first)?;
            see(&browser, "point-value-thermal.winding_temperature", "an estimate", |text| {
                text.contains(char::is_numeric)
            })?;
            let before = wait_for("estimates in the plot", Duration::from_secs(20), || drawn(&browser))?;
            anyhow::ensure!(before.pixels.len() > 1_000, "there is no picture");
            wait_for("the curve to move", Duration::from_secs(20), || {
                let now = drawn(&browser)?.context("the plot is gone")?;
                let grown = now.points > before.points && now.last_ms > before.last_ms;
                Ok((grown && now.pixels != before.pixels).then_some(()))
            })?;
            see(&browser, "behavior-version-thermal", "the first version", |text| text.contains("0.1.0"))?;
            rebuild("motor-thermal", "0.1.1", &site.path("plugins"), |text| text)?;
            see(&browser, "behavior-version-thermal", "the second version", |text| text.contains("0.1.1"))?;
            see(&browser, "swap-mark", "the swap", |_| true)?;
            browser.screenshot(&pictures().join("twin.png"))
        })();
        stop.store(true, Ordering::Relaxed);
        feeder.join().map_err(|_| anyhow::anyhow!("the feeder panicked"))??;
        seen
    })?;
    see(&browser, "state-badge", "stale", |text| text.to_lowercase().contains("stale"))?;
    browser.screenshot(&pictures().join("stale.png"))?;
    let foreign = browser.run(
        "return performance.getEntriesByType('resource').map(e => e.name).filter(n => !n.startsWith(location.origin))",
    )?;
    assert_eq!(foreign.as_array().map(Vec::len), Some(0), "a request left the host: {foreign}");
    let errors = browser.errors()?;
    assert!(errors.is_empty(), "{errors:?}");
    host.stop()
}
