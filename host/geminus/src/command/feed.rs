//! `geminus feed`: plays recorded data of a real machine into a broker.

mod order;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use clap::{Args, ValueEnum};
use geminus_core::{Clock, SystemClock};
use geminus_ingest::csv::{ColumnMap, Pace, PlayOptions, Recording, Stamp, feed};
use geminus_ingest::publisher::Publisher;
use geminus_ingest::{ProtocolVersion, QoS};
use indicatif::{ProgressBar, ProgressStyle};

use order::Tape;

/// Plays recorded data into a broker.
#[derive(Debug, Args)]
pub(crate) struct Feed {
    /// Files with a header line and a time column, played one after the other in order of their first times.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Broker, for example mqtt://127.0.0.1:1883.
    #[arg(long)]
    to: String,
    /// How many times faster than recorded; 0 is as fast as the broker takes it.
    #[arg(long, default_value_t = 1.0)]
    speed: f64,
    /// TOML file that says which column goes to which topic.
    #[arg(long)]
    map: Option<PathBuf>,
    /// Topic prefix for columns that the map does not name.
    #[arg(long, default_value = "rig/pump-rig-1/")]
    prefix: String,
    /// Which times the samples carry.
    #[arg(long, value_enum, default_value = "keep")]
    times: Times,
    /// Quality of service, 0 or 1.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(0..=1))]
    qos: u8,
    /// Version of the protocol.
    #[arg(long, value_enum, default_value = "5")]
    mqtt: MqttName,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Times {
    /// Those of the recording.
    Keep,
    /// The time of sending.
    Now,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum MqttName {
    #[value(name = "5")]
    V5,
    #[value(name = "3.1.1")]
    V311,
}

pub(crate) fn run(options: Feed) -> anyhow::Result<()> {
    ensure!(options.speed >= 0.0 && options.speed.is_finite(), "--speed must be 0 or more");
    let mut map = match &options.map {
        None => ColumnMap::default(),
        Some(path) => {
            let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
            ColumnMap::parse(&text).with_context(|| path.display().to_string())?
        }
    };
    if map.prefix.is_empty() {
        map.prefix.clone_from(&options.prefix);
    }
    let tapes = options
        .files
        .iter()
        .map(|path| {
            let recording = Recording::open(path, &map).map_err(|error| super::named(path, error))?;
            Ok(Tape { path: path.clone(), recording })
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    for tape in &tapes {
        for kind in tape.recording.refused().kinds() {
            eprintln!("warning: {}: left out: {kind}", tape.path.display());
        }
    }
    let (tapes, moved) = order::by_time(tapes);
    if moved {
        eprintln!("played in order of their first times, not as given: {}", order::names(&tapes));
    }
    // New times are those of sending, and rise whatever the files have.
    if matches!(options.times, Times::Keep) {
        order::overlaps(&tapes).iter().for_each(|overlap| eprintln!("warning: {overlap}"));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let mut signals = super::run::StopSignals::listen()?;
        tokio::select! {
            fed = play(&options, &tapes) => fed,
            () = signals.next() => {
                eprintln!("stopped: what the broker acknowledged stays there");
                Ok(())
            }
        }
    })
}

async fn play(options: &Feed, tapes: &[Tape]) -> anyhow::Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let version = match options.mqtt {
        MqttName::V5 => ProtocolVersion::V5,
        MqttName::V311 => ProtocolVersion::V311,
    };
    let qos = if options.qos == 0 { QoS::AtMostOnce } else { QoS::AtLeastOnce };
    let client_id = format!("geminus-feed-{}", std::process::id());
    let mut publisher = Publisher::connect(&options.to, &client_id, version, qos, Arc::clone(&clock)).await?;
    let play = PlayOptions {
        pace: if options.speed == 0.0 { Pace::Unpaced } else { Pace::Speed(options.speed) },
        stamp: match options.times {
            Times::Keep => Stamp::Keep,
            Times::Now => Stamp::Now,
        },
    };
    let rows = tapes.iter().map(|tape| tape.recording.len() as u64).sum();
    let left_out: u64 = tapes.iter().map(|tape| tape.recording.refused().count()).sum();
    let bar = ProgressBar::new(rows);
    bar.set_style(ProgressStyle::with_template(
        "{elapsed:>4} {wide_bar} {pos}/{len} rows  {per_sec}  eta {eta}  {msg}",
    )?);
    let (mut messages, mut done) = (0, 0);
    for Tape { path, recording } in tapes {
        bar.set_message(path.file_name().unwrap_or_default().to_string_lossy().into_owned());
        let fed = feed(recording, play, &mut publisher, clock.as_ref(), |progress| {
            bar.set_position(done + progress.rows as u64);
        })
        .await?;
        done += fed.rows as u64;
        messages += fed.messages;
    }
    publisher.finish().await?;
    bar.finish_and_clear();
    let left_out = if left_out > 0 { format!(", {left_out} rows left out") } else { String::new() };
    println!("fed {rows} rows as {messages} messages to {}{left_out}", options.to);
    Ok(())
}
