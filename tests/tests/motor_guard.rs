//! The example `motor-guard`, run against a drive that heats its motor: the winding is estimated, the policy proposes less load,
//! the interlocks let it pass, the drive obeys and tells its limit, the command is verified, and the winding stays below its
//! limit, which the same motor without a guard exceeds meanwhile. Armed it goes by itself; at `advise` a person approves each
//! step with the command line, and nothing leaves before.
//!
//! The motor is ten times as quick as one of that size, so that the scenario is; estimator and policy are told so.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, ensure};
use geminus_tests::{Broker, Host, Listener, PATIENCE, Publisher, SiteFolder, geminus, wait_for};
use serde_json::{Value, json};

const TWIN: &str = "motor-1";
const WINDING: &str = "thermal.winding_temperature";
/// Time constants of housing, winding and bearing, in seconds.
const QUICK: [f64; 3] = [12.0, 6.0, 18.0];
/// What the process asks of the motor, in times its rated current; rated are 2.5 A.
const OVERLOAD: f64 = 1.9;
const HALL: f64 = 40.0;
/// Where the scenario begins, below what the policy acts on.
const WARM: f64 = 136.0;
/// Limit of the winding in the example.
const LIMIT: f64 = 155.0;
/// How much hotter than its limit a motor gets that nobody guards (it would settle at 169 °C), and a guarded one may: what its
/// estimate is off by.
const UNGUARDED: f64 = 8.0;
const GUARDED: f64 = 3.0;
/// Between two readings of the drive.
const PACE: Duration = Duration::from_millis(100);

/// Temperatures of housing, winding and bearing: the conductances and losses that `motor-thermal` has by default.
#[derive(Clone, Copy, Debug)]
struct Motor {
    surface: f64,
    winding: f64,
    bearing: f64,
}

impl Motor {
    fn go_on(&mut self, seconds: f64, load: f64) {
        const STEP: f64 = 0.01;
        for _ in 0..(seconds / STEP).round() as usize {
            let (to_surface, to_bearing) =
                (0.8 * (self.winding - self.surface), 0.1 * (self.winding - self.bearing));
            let from_bearing = 0.3 * (self.bearing - self.surface);
            let to_hall = self.surface - HALL;
            self.winding += STEP * (10.0 * load * load - to_surface - to_bearing) / (0.9 * QUICK[1]);
            self.bearing += STEP * (5.0 + to_bearing - from_bearing) / (0.4 * QUICK[2]);
            self.surface += STEP * (45.0 + to_surface + from_bearing - to_hall) / (2.1 * QUICK[0]);
        }
    }
}

/// What the drive knows.
#[derive(Debug)]
struct Drive {
    motor: Motor,
    /// The same motor, of which the process gets all that it asks for.
    unguarded: Motor,
    /// Hottest that the winding truly was.
    hottest: f64,
    /// %
    limit: f64,
    /// Ids of the orders, as they came.
    orders: Vec<String>,
}

/// A drive on a thread of its own, until it is dropped.
struct Line {
    drive: Arc<Mutex<Drive>>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<anyhow::Result<()>>>,
}

impl Line {
    fn start(port: u16) -> anyhow::Result<Self> {
        let mut motor = Motor { surface: HALL, winding: HALL, bearing: HALL };
        while motor.winding < WARM {
            motor.go_on(0.1, OVERLOAD);
        }
        let drive =
            Drive { motor, unguarded: motor, hottest: motor.winding, limit: 100.0, orders: Vec::new() };
        let (drive, over) = (Arc::new(Mutex::new(drive)), Arc::new(AtomicBool::new(false)));
        let mut field = Publisher::connect(port, "drive")?;
        let ear = Listener::open(port, "drive-ear", "drive/+/set/#")?;
        let (shared, stop) = (Arc::clone(&drive), Arc::clone(&over));
        let thread = std::thread::spawn(move || {
            let mut before = Instant::now();
            while !stop.load(Ordering::SeqCst) {
                std::thread::sleep(PACE);
                let passed = before.elapsed();
                before += passed;
                let mut drive = shared.lock().unwrap_or_else(PoisonError::into_inner);
                drive.hear(&ear)?;
                drive.tell(&mut field, passed)?;
            }
            Ok(())
        });
        Ok(Self { drive, over, thread: Some(thread) })
    }

    fn look(&self) -> anyhow::Result<MutexGuard<'_, Drive>> {
        let ended = self.thread.as_ref().is_none_or(JoinHandle::is_finished);
        ensure!(!ended, "the drive has ended");
        Ok(self.drive.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(Ok(()))) | None => {}
            Some(ended) => eprintln!("the drive: {ended:?}"),
        }
    }
}

impl Drive {
    /// Obeys; an order that comes twice is noted twice.
    fn hear(&mut self, ear: &Listener) -> anyhow::Result<()> {
        for message in ear.waiting() {
            let order: Value = serde_json::from_slice(&message.payload)?;
            self.limit = order["value"].as_f64().context("a value")?;
            self.orders.push(order["id"].as_str().context("an id")?.to_owned());
        }
        Ok(())
    }

    fn tell(&mut self, field: &mut Publisher, passed: Duration) -> anyhow::Result<()> {
        let load = OVERLOAD * self.limit / 100.0;
        self.motor.go_on(passed.as_secs_f64(), load);
        self.unguarded.go_on(passed.as_secs_f64(), OVERLOAD);
        self.hottest = self.hottest.max(self.motor.winding);
        // The pace is far more than a millisecond, so that no time comes twice.
        let time = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
        for (point, value) in [
            ("ambient_temperature", HALL),
            ("current", 2.5 * load),
            ("load_limit", self.limit),
            ("surface_temperature", self.motor.surface),
        ] {
            let payload = format!(r#"{{"value":{value},"time":{time},"quality":"good"}}"#);
            field.publish(&format!("drive/{TWIN}/{point}"), payload.as_bytes(), 1)?;
        }
        field.flush().map(drop)
    }
}

fn site(broker: &Broker) -> anyhow::Result<SiteFolder> {
    let [surface, winding, bearing] = QUICK;
    let motor = format!(
        "surface_time_constant = {surface:?}, winding_time_constant = {winding:?}, bearing_time_constant = {bearing:?}, winding_limit"
    );
    let quick = "horizon = 12.0, time_constant = 6.0, smoothing = 2.0, gap_max = 6.0, interval_min = 2.0, ramp = 12.0, limit_temperature";
    let site = SiteFolder::from_example("motor-guard", |text| {
        text.replace("mqtt://127.0.0.1:1883", &broker.url())
            .replace("{ winding_limit", &format!("{{ {motor}"))
            .replace("{ limit_temperature", &format!("{{ {quick}"))
            .replace("valid_for = 300.0", "valid_for = 30.0")
    })?;
    let text = std::fs::read_to_string(site.site())?;
    ensure!(text.contains(quick) && text.contains(&motor), "the example has another shape: {text}");
    Ok(site)
}

/// What the policy has wished for, newest first.
fn wished(host: &Host) -> anyhow::Result<Vec<Value>> {
    let all = host.get("/commands?limit=1000")?;
    let all = all["commands"].as_array().context("commands")?.clone();
    for command in &all {
        ensure!(command["proposer"]["kind"] == "behavior", "{command}");
        ensure!(!["failed", "indeterminate"].iter().any(|state| command["state"] == *state), "{command}");
    }
    Ok(all)
}

/// A command of the policy as it should be at its end.
fn is_good(host: &Host, command: &Value) -> anyhow::Result<()> {
    let id = command["id"].as_str().context("an id")?;
    let found = host.get(&format!("/commands/{id}"))?;
    let command = &found["command"];
    ensure!(command["proposer"]["name"] == "throttle-policy", "{command}");
    ensure!(command["target"] == "load-limit" && command["unit"] == "%", "{command}");
    ensure!(command["reason"].as_str().is_some_and(|reason| reason.contains("winding")), "{command}");
    let value = command["value"].as_f64().context("a value")?;
    ensure!((40.0..100.0).contains(&value), "{command}");
    let shown = command["read_back"]["value"].as_f64().context("a read-back")?;
    ensure!((shown - value).abs() <= 0.5, "{command}");
    let evidence = command["evidence"].as_array().context("evidence")?;
    let looked_at = |name: &str| {
        evidence.iter().any(|one| one["point"].as_str().is_some_and(|point| point.contains(name)))
    };
    ensure!(looked_at("winding_temperature") && looked_at("confidence"), "{command}");
    Ok(())
}

fn estimate(host: &Host) -> anyhow::Result<f64> {
    host.point(TWIN, WINDING)?["value"].as_f64().context("no estimate")
}

/// Waits until the winding would be far above its limit without a guard, and sees that it is not. `meanwhile` is done again and
/// again.
fn is_guarded(
    host: &Host,
    line: &Line,
    mut meanwhile: impl FnMut() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    wait_for("the winding to be too hot without a guard", PATIENCE, || {
        meanwhile()?;
        wished(host)?;
        let unguarded = line.look()?.unguarded.winding;
        Ok((unguarded > LIMIT + UNGUARDED).then_some(()))
    })?;
    let estimate = estimate(host)?;
    let drive = line.look()?;
    let (winding, hottest, limit) = (drive.motor.winding, drive.hottest, drive.limit);
    ensure!(limit < 95.0, "the load is as good as free: {limit} %");
    ensure!(hottest < LIMIT + GUARDED, "{hottest:.1} °C: it was throttled too late or too little");
    ensure!((estimate - winding).abs() < GUARDED, "{winding:.1} °C is estimated as {estimate:.1}");
    drop(drive);
    // Before the first estimate nobody knows, which trips as well.
    let is_known =
        |entry: &Value| entry["facts"]["seen"].as_str().is_some_and(|seen| !seen.contains("missing"));
    let mut journal = host.journal()?.into_iter();
    let tripped = journal.find(|entry| entry["kind"] == "interlock-tripped" && is_known(entry));
    ensure!(tripped.is_none(), "{tripped:?}");
    Ok(())
}

/// Each order came once, and of each the host knows that it was carried out; gives their ids.
fn orders(host: &Host, line: &Line) -> anyhow::Result<BTreeSet<String>> {
    let orders = line.look()?.orders.clone();
    let ids: BTreeSet<String> = orders.iter().cloned().collect();
    ensure!(!ids.is_empty() && ids.len() == orders.len(), "an order came twice: {orders:?}");
    for id in &ids {
        let command = wait_for("an order to be verified", PATIENCE, || {
            let found = host.get(&format!("/commands/{id}"))?["command"].clone();
            ensure!(found["state"] == "verified", "{found}");
            Ok(Some(found))
        })?;
        is_good(host, &command)?;
    }
    Ok(ids)
}

#[test]
fn an_armed_motor_is_kept_below_its_limit_by_its_policy() -> anyhow::Result<()> {
    let broker = Broker::start(1_000)?;
    let site = site(&broker)?;
    let host = Host::start(&site.site())?;
    host.entry("source-connected", |_| true)?;
    let arm = json!({"level": "control", "by": "Anna", "reason": "scenario"});
    let (status, armed) = host.post(&format!("/twins/{TWIN}/authority"), &arm)?;
    ensure!(status == 200 && armed["effective"] == "control", "{armed}");
    let line = Line::start(broker.port)?;
    is_guarded(&host, &line, || Ok(()))?;
    let ids = orders(&host, &line)?;
    // Nobody was asked.
    for command in wished(&host)? {
        ensure!(command["approvers"] == 0, "{command}");
    }
    ensure!(ids.len() <= 20, "it hunts: {} orders", ids.len());
    drop(line);
    host.stop()
}

/// `geminus command approve`; whether it did. One that made way for a newer one meanwhile is not approved.
fn approve(host: &Host, site: &SiteFolder, id: &str) -> anyhow::Result<bool> {
    let output = Command::new(geminus()?)
        .args(["command", "approve", id, "--by", "ben", "--url", host.url("").trim_end_matches('/')])
        .arg("--token-file")
        .arg(site.path("data/token"))
        .stdin(Stdio::null())
        .output()?;
    if output.status.success() {
        return Ok(true);
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let command = host.get(&format!("/commands/{id}"))?["command"].clone();
    ensure!(command["state"] == "superseded", "{said}: {command}");
    Ok(false)
}

#[test]
fn at_advise_a_person_approves_each_step_and_nothing_leaves_before() -> anyhow::Result<()> {
    let broker = Broker::start(1_000)?;
    let site = site(&broker)?;
    let host = Host::start(&site.site())?;
    host.entry("source-connected", |_| true)?;
    let authority = host.get(&format!("/twins/{TWIN}/authority"))?;
    ensure!(authority["effective"] == "advise", "{authority}");
    let line = Line::start(broker.port)?;
    let first = wait_for("a command that waits for approval", PATIENCE, || {
        Ok(wished(&host)?.into_iter().find(|command| command["state"] == "held"))
    })?;
    ensure!(first["approvers"] == 1 && first["missing_approvals"] == 1, "{first}");
    ensure!(line.look()?.orders.is_empty(), "nothing has left");
    let mut approved = BTreeSet::new();
    is_guarded(&host, &line, || {
        let left = line.look()?.orders.clone();
        ensure!(left.iter().all(|id| approved.contains(id)), "{left:?} left, and {approved:?} are approved");
        for command in wished(&host)?.iter().filter(|command| command["state"] == "held") {
            let id = command["id"].as_str().context("an id")?;
            if approve(&host, &site, id)? {
                approved.insert(id.to_owned());
            }
        }
        Ok(())
    })?;
    let ids = orders(&host, &line)?;
    ensure!(ids.is_subset(&approved), "{ids:?} left, and {approved:?} are approved");
    for kind in ["command-approved", "command-verified"] {
        host.entry(kind, |entry| entry["facts"]["command"].as_str().is_some_and(|id| ids.contains(id)))?;
    }
    drop(line);
    host.stop()
}
