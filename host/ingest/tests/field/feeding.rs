//! Recordings through a real broker and straight into a sink: the same samples, none lost.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use geminus_core::{Sample, SeriesId, SystemClock};
use geminus_ingest::csv::{ColumnMap, CsvSource, Pace, PlayOptions, Recording, Stamp, feed};
use geminus_ingest::decode::DecodeLimits;
use geminus_ingest::{MqttOptions, QoS, Route, Routes};
use tokio::sync::mpsc;

use crate::house::{BOTH, House, next};
use crate::peer::Mosquitto;

const UNPACED: PlayOptions = PlayOptions { pace: Pace::Unpaced, stamp: Stamp::Keep };

fn table(rows: usize) -> String {
    let mut text = "datetime;Temperature;Current\n".to_owned();
    for row in 0..rows {
        // Every tenth row repeats the time of the row before.
        let second = row - usize::from(row % 10 == 9);
        let (minute, second) = (second / 60, second % 60);
        let (hour, minute) = (minute / 60, minute % 60);
        text.push_str(&format!("2020-02-08 {hour:02}:{minute:02}:{second:02};{row};{row}.5\n"));
    }
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recording_fed_through_a_broker_arrives_whole() {
    const ROWS: usize = 3_000;
    for version in BOTH {
        let Some(broker) = Mosquitto::start().await else { return };
        let house = House::with(&["rig/temperature", "rig/current"]);
        let options =
            MqttOptions { version, ..MqttOptions::new(broker.url(), "fed", vec!["rig/#".to_owned()]) };
        let (source, batches) = house.spawn(options.clone());
        house.wait_for("source-connected", 1).await;
        // Gone and back: the session stands at the broker, whatever comes first.
        source.stop().await;
        drop(batches);
        let recording = Recording::parse(&table(ROWS), &ColumnMap::with_prefix("rig")).expect("a recording");
        assert_eq!(recording.repeated(), ROWS / 10);
        let mut publisher = house.publisher(&broker.url(), version, QoS::AtLeastOnce).await;
        let mut rows = 0;
        let fed =
            feed(&recording, UNPACED, &mut publisher, house.clock.as_ref(), |progress| rows = progress.rows)
                .await
                .expect("fed");
        assert_eq!((fed.rows, fed.messages, rows), (ROWS, 2 * ROWS as u64, ROWS));
        publisher.finish().await.expect("finished");

        let (source, mut batches) = house.spawn(options);
        let mut seen: BTreeMap<(u32, u64), f64> = BTreeMap::new();
        while seen.len() < 2 * ROWS {
            let batch = next(&mut batches).await;
            for sample in &batch.samples {
                let taken = seen.insert((sample.series.0, sample.time.0), sample.value);
                assert!(taken.is_none_or(|value| value == sample.value), "one value for each time");
            }
            batch.ticket.expect("a ticket").commit();
        }
        let values: Vec<f64> = seen.iter().filter(|((series, _), _)| *series == 1).map(|(_, v)| *v).collect();
        assert_eq!(values, (0..ROWS).map(|row| row as f64 + 0.5).collect::<Vec<_>>(), "in order of time");
        source.stop().await;
    }
}

/// The recorded data beside the project; absent on a machine that has none, required on CI.
fn skab() -> Option<Vec<PathBuf>> {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = std::env::var_os("GEMINUS_DATA").map_or(here, PathBuf::from).join("skab");
    let mut files = Vec::new();
    for part in ["anomaly-free", "valve1"] {
        let Ok(entries) = std::fs::read_dir(folder.join(part)) else { continue };
        files.extend(entries.filter_map(|entry| Some(entry.ok()?.path())));
    }
    files.sort();
    if files.is_empty() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "no recorded data in {}", folder.display());
        eprintln!("NOT RUN: no recorded data in {} (set GEMINUS_DATA)", folder.display());
        return None;
    }
    Some(files)
}

#[tokio::test]
async fn every_file_of_skab_replays_straight_into_the_host() {
    let Some(files) = skab() else { return };
    let sensors = geminus_ingest::rig::SENSORS;
    let routes = (0..).zip(sensors).map(|(n, sensor)| Route::value(format!("skab/{sensor}"), SeriesId(n)));
    let routes = Arc::new(Routes::build(routes.collect()).expect("routes"));
    for file in &files {
        let map = ColumnMap::parse("prefix = \"skab\"").expect("a map");
        let recording = Recording::open(file, &map).expect("a recording");
        let (sink, mut batches) = mpsc::channel(1_024);
        let source =
            CsvSource::new(Arc::clone(&routes), Arc::new(SystemClock::new()), DecodeLimits::default());
        let events: geminus_ingest::EventSink = Arc::new(|_| {});
        let done = source.replay(&recording, UNPACED, &sink, &events, |_| {}).await.expect("replayed");
        drop(sink);
        let mut samples: Vec<Sample> = Vec::new();
        while let Some(batch) = batches.recv().await {
            assert!(batch.ticket.is_none());
            samples.extend(batch.samples);
        }
        // The labels `anomaly` and `changepoint` of the valve runs are bound to nothing.
        let labels = if file.parent().is_some_and(|f| f.ends_with("valve1")) { 2 } else { 0 };
        assert_eq!(done.samples as usize, 8 * recording.len(), "{}", file.display());
        assert_eq!(done.refused as usize, labels * recording.len(), "{}", file.display());
        assert_eq!(samples.len(), 8 * recording.len());
        for series in 0..8 {
            let mine: Vec<&Sample> = samples.iter().filter(|sample| sample.series.0 == series).collect();
            assert!(mine.windows(2).all(|two| two[0].time < two[1].time), "{}: times rise", file.display());
        }
    }
}
