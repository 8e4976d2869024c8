//! The disk fills up while samples come: live values go on, the host says that it cannot write and why, and once
//! there is room again every sample that the broker took is in history, with its estimates. So it is when the host is
//! stopped meanwhile, and started when there is room.
//!
//! The disk is a small tmpfs, which only root may mount; elsewhere the scenario says that it did not run, and fails
//! on CI.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{bail, ensure};
use geminus_tests::{
    Broker, Host, PATIENCE, Publisher, START_MS, SiteFolder, asking, asking_whatever_the_status,
    publish_round, wait_for, whole,
};

/// Fed with QoS 1: nothing of it may be lost.
const KEPT: &str = "pump-rig-1";
/// Fed with QoS 0: its values must go on showing.
const LIVE: &str = "pump-rig-2";
/// Rounds that are published between two looks at the host.
const PIECE: u64 = 100;
/// Rounds after which a full disk must have been noticed: far more than the store's files have room for.
const ROUNDS_MAX: u64 = 50_000;

/// A small disk; unmounted when dropped.
struct Disk(PathBuf);

impl Disk {
    /// `None` when this user may not mount.
    fn mount(folder: &Path, size: &str) -> anyhow::Result<Option<Self>> {
        fs::create_dir_all(folder)?;
        let size = format!("size={size}");
        let output =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "geminus"]).arg(folder).output()?;
        if output.status.success() {
            return Ok(Some(Self(folder.to_owned())));
        }
        let reason = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        ensure!(std::env::var("CI").as_deref() != Ok("true"), "on CI a tmpfs must be mountable: {reason}");
        eprintln!("NOT RUN: a tmpfs cannot be mounted here: {reason}");
        Ok(None)
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }

    /// Takes every byte that is left.
    fn fill(&self) -> anyhow::Result<()> {
        let mut file = File::create(self.ballast())?;
        for size in [1 << 20, 1 << 12, 1] {
            let piece = vec![0; size];
            loop {
                match file.write_all(&piece) {
                    Ok(()) => {}
                    Err(error) if error.kind() == ErrorKind::StorageFull => break,
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }

    fn empty(&self) -> anyhow::Result<()> {
        Ok(fs::remove_file(self.ballast())?)
    }

    fn enlarge(&self, size: &str) -> anyhow::Result<()> {
        let size = format!("remount,size={size}");
        let status = Command::new("mount").args(["-o", &size]).arg(&self.0).status()?;
        ensure!(status.success(), "the disk was not enlarged: {status}");
        Ok(())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // The host may need a moment to let go of it: lazily, so that it is gone when nobody uses it.
        if let Err(error) = Command::new("umount").arg("-l").arg(&self.0).status() {
            eprintln!("{} stays mounted: {error}", self.0.display());
        }
    }
}

/// Status and text of `/readyz`.
fn readiness(host: &Host) -> anyhow::Result<(u16, String)> {
    let mut answer = asking_whatever_the_status().get(host.url("/readyz")).call()?;
    Ok((answer.status().as_u16(), answer.body_mut().read_to_string()?))
}

/// Publishes until the host says that it cannot write; gives what it says.
fn until_full(host: &Host, mut publish: impl FnMut() -> anyhow::Result<u64>) -> anyhow::Result<String> {
    loop {
        let rounds = publish()?;
        match readiness(host)? {
            (503, reason) => return Ok(reason),
            (200, _) if rounds < ROUNDS_MAX => {}
            other => bail!("after {rounds} rounds on a full disk: {other:?}"),
        }
    }
}

#[test]
fn a_full_disk_stops_nothing_but_writing_and_loses_nothing() -> anyhow::Result<()> {
    let broker = Broker::start(1_000_000)?;
    let site = SiteFolder::from_example("pump-rig", |text| {
        text.replace("mqtt://127.0.0.1:1883", &broker.url()).replace("\"pump-rig-1\"", "\"pump-rig-{1..2}\"")
    })?;
    let Some(disk) = Disk::mount(&site.path("data"), "48m")? else { return Ok(()) };
    let host = Host::start(&site.site())?;
    host.entry("source-connected", |_| true)?;
    let mut field = Publisher::connect(broker.port, "field")?;
    let prefix = format!("rig/{KEPT}/");
    let mut rounds = 0;
    let mut publish = |rounds: &mut u64| -> anyhow::Result<()> {
        for _ in 0..PIECE {
            publish_round(&mut field, &prefix, *rounds)?;
            *rounds += 1;
        }
        field.flush().map(drop)
    };
    publish(&mut rounds)?;
    whole(&host, KEPT, rounds)?;
    assert_eq!(readiness(&host)?.0, 200);

    disk.fill()?;
    let reason = until_full(&host, || publish(&mut rounds).map(|()| rounds))?;
    assert!(reason.contains("full"), "/readyz says why: {reason}");
    let store = host.get("/site")?["store"].take();
    assert_eq!(store["writable"], false, "{store}");
    assert!(store["reason"].as_str().is_some_and(|text| text.contains("full")), "{store}");
    assert_eq!(host.metric("geminus_store_writable")?, Some(0.0));
    assert!(asking().get(host.url("/livez")).call().is_ok(), "a host that cannot write lives");

    let mut live = Publisher::connect(broker.port, "live")?;
    for number in 0..5_u32 {
        let value = 70.0 + f64::from(number);
        let time = START_MS + 1_000 * u64::from(number);
        let payload = format!(r#"{{"value":{value},"time":{time},"quality":"good"}}"#);
        live.publish(&format!("rig/{LIVE}/temperature"), payload.as_bytes(), 0)?;
        live.flush()?;
        wait_for("a live value on a full disk", PATIENCE, || {
            let point = host.point(LIVE, "temperature")?;
            Ok((point["value"].as_f64() == Some(value)).then_some(()))
        })?;
    }
    publish(&mut rounds)?;
    assert_eq!(readiness(&host)?.0, 503, "it is still full");

    disk.empty()?;
    wait_for("the store to write again", PATIENCE, || {
        let (status, text) = readiness(&host)?;
        ensure!(status == 200, "{text}");
        Ok(Some(()))
    })?;
    publish(&mut rounds)?;
    whole(&host, KEPT, rounds)?;
    let store = host.get("/site")?["store"].take();
    assert_eq!((&store["writable"], &store["reason"]), (&true.into(), &serde_json::Value::Null));
    let found = host.stored(LIVE, "temperature", (START_MS, START_MS + 5_000), 1_000)?;
    assert_eq!(found.len(), 5, "what waited in memory is written as well");
    // The journal was full as well: it tells of both when there is room again.
    let failed = host.entry("store-failed", |_| true)?;
    assert!(failed["facts"]["reason"].as_str().is_some_and(|text| text.contains("full")), "{failed}");
    let back = host.entry("store-back", |_| true)?;
    assert_eq!((&back["severity"], &back["facts"]["points_dropped"]), (&"info".into(), &0.into()), "{back}");
    assert_eq!(host.metric("geminus_store_points_dropped_total")?, Some(0.0));
    host.stop()
}

/// Samples fill the disk up by themselves, so that the small file of states may find room where history does not.
#[test]
fn a_stop_on_a_full_disk_saves_no_state_ahead_of_history() -> anyhow::Result<()> {
    let broker = Broker::start(1_000_000)?;
    let site = SiteFolder::from_example("pump-rig", |text| {
        text.replace("mqtt://127.0.0.1:1883", &broker.url()) + "\n[store]\nsnapshot_s = 1\n"
    })?;
    let Some(disk) = Disk::mount(&site.path("data"), "6m")? else { return Ok(()) };
    let host = Host::start(&site.site())?;
    host.entry("source-connected", |_| true)?;
    let mut field = Publisher::connect(broker.port, "field")?;
    let prefix = format!("rig/{KEPT}/");
    let mut rounds = 0;
    let mut publish = || -> anyhow::Result<u64> {
        for _ in 0..PIECE {
            publish_round(&mut field, &prefix, rounds)?;
            rounds += 1;
        }
        field.flush()?;
        Ok(rounds)
    };
    let reason = until_full(&host, &mut publish)?;
    assert!(reason.contains("full"), "/readyz says why: {reason}");
    // Not acknowledged, but stepped all the same: the states go on, and none of them may be saved.
    for _ in 0..3 {
        publish()?;
    }
    let told = |what: &str| -> anyhow::Result<usize> {
        Ok(fs::read_to_string(site.path("host.log"))?.matches(what).count())
    };
    // The twin is stale after five seconds, and so many times state was to be saved.
    for what in ["state is not saved", "pump-rig-1 is stale"] {
        wait_for(&format!("the host to say: {what}"), PATIENCE, || Ok((told(what)? > 0).then_some(())))?;
    }
    // Once for each time that it could be written in between, which ends when the last pages are taken.
    assert!(told("state is not saved")? <= 3, "not at each try: {}", host.log());
    // Where only the log could not be folded in, it writes on for a moment.
    wait_for("the host not to write", PATIENCE, || Ok((readiness(&host)?.0 == 503).then_some(())))?;
    // It cannot end well, but it ends.
    host.end()?;

    disk.enlarge("48m")?;
    let host = Host::start(&site.site())?;
    let rounds = publish()?;
    whole(&host, KEPT, rounds)?;
    host.stop()
}
