//! Every recording of the water rig (SKAB) is played at a hundred times its speed through a real broker into the example
//! site, all at once, each into a twin of its own: all samples are in history, the winding is estimated plausibly, and health falls when the valve is closed.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use geminus_tests::{Broker, Host, PATIENCE, SiteFolder, geminus, recorded_data, wait_for};

const POINTS: [&str; 8] = [
    "accelerometer_1",
    "accelerometer_2",
    "current",
    "pressure",
    "temperature",
    "thermocouple",
    "voltage",
    "flow",
];
/// Recordings with a valve that is closed for a while.
const VALVE_RUNS: usize = 16;
/// Times the speed of the machine. The longest spans 9,960 s; all are played side by side, so that they take its time.
const SPEED: &str = "100";

/// What a file holds.
struct Recording {
    file: PathBuf,
    twin: String,
    /// Surface temperature of each row.
    surface: Vec<f64>,
    /// Whether the valve was being closed; empty where the file does not tell.
    closed: Vec<bool>,
    /// Seconds since 1970 of the first and the last row.
    range: (u64, u64),
}

impl Recording {
    fn read(file: PathBuf, number: usize) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(&file)?;
        let (mut surface, mut closed, mut times) = (Vec::new(), Vec::new(), Vec::new());
        for line in text.lines().skip(1) {
            let cells: Vec<&str> = line.split(';').collect();
            times.push(seconds(cells[0]).with_context(|| line.to_owned())?);
            surface.push(cells[5].parse()?);
            closed.extend(cells.get(9).map(|cell| *cell == "1.0"));
        }
        let range = (*times.first().context("empty")?, *times.last().context("empty")?);
        Ok(Self { file, twin: format!("pump-rig-{number:02}"), surface, closed, range })
    }

    /// A little more than the file spans, in milliseconds.
    fn range_ms(&self) -> (u64, u64) {
        ((self.range.0 - 10) * 1_000, (self.range.1 + 10) * 1_000)
    }

    fn feed(&self, broker: &Broker) -> anyhow::Result<()> {
        let output = Command::new(geminus()?)
            .arg("feed")
            .arg(&self.file)
            .args(["--to", &broker.url(), "--speed", SPEED])
            .args(["--prefix", &format!("rig/{}/", self.twin)])
            .stdin(Stdio::null())
            .output()?;
        let said = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        ensure!(said.contains(&format!("fed {} rows", self.surface.len())), "{said}");
        Ok(())
    }
}

/// `2020-02-08 13:30:47` as seconds since 1970; the recordings are of one year.
fn seconds(text: &str) -> Option<u64> {
    let numbers: Vec<u64> =
        text.split(['-', ' ', ':']).map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let [2020, month, day, hour, minute, second] = numbers[..] else { return None };
    let days_before = [0, 31, 60, 91, 121, 152, 182, 213, 244, 274, 305, 335];
    let day = 18_262 + days_before.get(usize::try_from(month).ok()?.checked_sub(1)?)? + day - 1;
    Some(((day * 24 + hour) * 60 + minute) * 60 + second)
}

fn recordings(data: &Path) -> anyhow::Result<Vec<Recording>> {
    let skab = data.join("skab");
    let mut files = vec![skab.join("anomaly-free/anomaly-free.csv")];
    files.extend((0..VALVE_RUNS).map(|number| skab.join(format!("valve1/{number}.csv"))));
    files.into_iter().enumerate().map(|(number, file)| Recording::read(file, number)).collect()
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// Every sample of every point is there once, in order of time; gives the times of the rows.
fn check_samples(host: &Host, recording: &Recording) -> anyhow::Result<Vec<f64>> {
    let rows = recording.surface.len();
    let mut row_times = Vec::new();
    for point in POINTS {
        let found = wait_for(&format!("{rows} samples of {} {point}", recording.twin), PATIENCE, || {
            let found = host.stored(&recording.twin, point, recording.range_ms(), 500)?;
            // What to look at first when one is missing: whether it came at all, and where the gap is.
            if found.len() < rows {
                let widest = found.windows(2).map(|two| (two[1].0 - two[0].0, two[0].0));
                let widest = widest.max_by(|one, other| one.0.total_cmp(&other.0));
                let inputs = host.get("/site")?["inputs"].take();
                anyhow::bail!(
                    "{} are there, the widest gap (ms, after): {widest:?}, inputs: {inputs}",
                    found.len()
                );
            }
            Ok(Some(found))
        })?;
        assert_eq!(found.len(), rows, "{} {point}", recording.twin);
        assert!(found.windows(2).all(|two| two[0].0 < two[1].0), "{point}: times rise");
        if point == "temperature" {
            let values: Vec<f64> = found.iter().filter_map(|(_, value)| *value).collect();
            assert_eq!(values, recording.surface, "{}: the values of the file", recording.twin);
            row_times = found.into_iter().map(|(time, _)| time).collect();
        }
    }
    Ok(row_times)
}

/// The winding of a motor that runs is hotter than its surface, but not by much on this small rig.
fn check_winding(host: &Host, recording: &Recording) -> anyhow::Result<()> {
    let (twin, rows) = (&recording.twin, recording.surface.len());
    let winding = wait_for(&format!("estimates of {twin}"), PATIENCE, || {
        let found = host.stored(twin, "thermal.winding_temperature", recording.range_ms(), 500)?;
        ensure!(found.len() >= rows, "{} of {rows} are there", found.len());
        Ok(Some(found))
    })?;
    assert_eq!(winding.len(), rows, "{twin}: an estimate for each row");
    for ((time, value), surface) in winding.iter().zip(&recording.surface).skip(600) {
        let value = value.with_context(|| format!("{twin}: no estimate at {time}"))?;
        let above = value - surface;
        assert!((-5.0..40.0).contains(&above), "{twin} at {time}: winding {value}, surface {surface}");
    }
    Ok(())
}

/// Health is unknown while the baseline is learnt, a number after it, and lower with the valve closed.
fn check_health(host: &Host, recording: &Recording, row_times: &[f64]) -> anyhow::Result<()> {
    let (twin, rows) = (&recording.twin, row_times.len());
    let stepped = host.behavior(twin, "health")?["rows"].as_u64();
    assert_eq!(stepped, Some(rows as u64), "{twin}: each row was judged");
    // The verdict of the last row is the last to be written; unknown verdicts are not samples.
    let found = wait_for(&format!("health of {twin}"), PATIENCE, || {
        let found = host.stored(twin, "health.health_index", recording.range_ms(), 500)?;
        ensure!(found.last().map(|last| last.0) == row_times.last().copied(), "{} so far", found.len());
        Ok(Some(found))
    })?;
    let mut verdicts: Vec<(usize, f64)> = Vec::new();
    for (time, value) in found {
        let row = row_times.iter().position(|row| *row == time).context("a verdict without a row")?;
        verdicts.push((row, value.context("a verdict is a number")?));
    }
    let first = verdicts.first().context("no verdict")?.0;
    assert!((300..400).contains(&first), "{twin}: unknown while it learns, then known; first in row {first}");
    assert!(verdicts.iter().all(|(_, index)| (0.0..=1.0).contains(index)), "{twin}");
    assert!(verdicts.len() * 2 > rows, "{twin}: {} verdicts in {rows} rows", verdicts.len());
    if recording.closed.is_empty() {
        let usual = median(verdicts.iter().map(|(_, index)| *index)).context("no verdict")?;
        assert!(usual > 0.5, "{twin}: the pump is well, yet its index is {usual}");
        return Ok(());
    }
    let of = |closed: bool| {
        median(verdicts.iter().filter(|(row, _)| recording.closed[*row] == closed).map(|(_, index)| *index))
    };
    let (open, closed) = (of(false).context("never open")?, of(true).context("never closed")?);
    println!("{twin} {}: median index {open:.3} open, {closed:.3} closed", recording.file.display());
    assert!(closed < open, "{twin}: {open} with the valve open, {closed} with it closed");
    Ok(())
}

#[test]
fn every_recording_arrives_whole_and_is_judged() -> anyhow::Result<()> {
    let Some(data) = recorded_data()? else {
        eprintln!("NOT RUN: there is no recorded data (set GEMINUS_DATA)");
        return Ok(());
    };
    let recordings = recordings(&data)?;
    let broker = Broker::start(500_000)?;
    let site = SiteFolder::from_example("pump-rig", |text| {
        // Whole is what comes at least once: with QoS 0 a connection that is lost for a moment would lose samples.
        text.replace("mqtt://127.0.0.1:1883", &broker.url())
            .replace("qos = 0", "qos = 1")
            .replace("\"pump-rig-1\"", &format!("\"pump-rig-{{00..{VALVE_RUNS}}}\""))
    })?;
    let host = Host::start(&site.site())?;
    host.entry("source-connected", |_| true)?;
    let began = Instant::now();
    std::thread::scope(|scope| -> anyhow::Result<()> {
        let feeds: Vec<_> =
            recordings.iter().map(|recording| (recording, scope.spawn(|| recording.feed(&broker)))).collect();
        for (recording, feed) in feeds {
            let ended = feed.join().map_err(|_| anyhow::anyhow!("a feed panicked"))?;
            ended.with_context(|| recording.file.display().to_string())?;
        }
        Ok(())
    })?;
    // A lower bound holds on any machine: faster than this the recordings were not paced.
    let longest = recordings.iter().map(|recording| recording.range.1 - recording.range.0).max();
    let paced = Duration::from_secs(longest.context("no recordings")?) / 100;
    assert!(began.elapsed() >= paced, "{:?} for what takes {paced:?}", began.elapsed());
    for recording in &recordings {
        let row_times = check_samples(&host, recording)?;
        check_winding(&host, recording)?;
        check_health(&host, recording, &row_times)?;
    }
    let inputs = host.get("/site")?["inputs"].take();
    let rows: usize = recordings.iter().map(|recording| recording.surface.len()).sum();
    assert_eq!(inputs["samples"].as_u64(), Some(8 * rows as u64), "{inputs}");
    assert_eq!((inputs["late"].as_u64(), inputs["refused"].as_u64()), (Some(0), Some(0)), "{inputs}");
    host.stop()
}
