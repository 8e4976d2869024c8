//! What a person sees: the curve moves, a stopped feed is shown as stale, a swap shows its version.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use geminus_tests::{Broker, Browser, Host, Publisher, SiteFolder, rebuild, repository, wait_for};

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

fn pictures() -> PathBuf {
    let folder = repository().join("target/screenshots");
    std::fs::create_dir_all(&folder).expect("folder for screenshots");
    folder
}

/// Waits until the element's text satisfies `wish`, and gives it.
fn see(browser: &Browser, test_id: &str, what: &str, wish: impl Fn(&str) -> bool) -> anyhow::Result<String> {
    wait_for(&format!("{test_id} to show {what}"), Duration::from_secs(40), || {
        Ok(browser.text(test_id)?.filter(|text| wish(text)))
    })
}

/// The pixels of the first plot, as one long text.
fn pixels(browser: &Browser) -> anyhow::Result<String> {
    let script = "return document.querySelector('canvas')?.toDataURL() ?? ''";
    Ok(browser.run(script)?.as_str().unwrap_or_default().to_owned())
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
            let before = pixels(&browser)?;
            anyhow::ensure!(before.len() > 1_000, "there is no plot");
            wait_for("the curve to move", Duration::from_secs(20), || {
                Ok((pixels(&browser)? != before).then_some(()))
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
