//! Rigs in real time through MQTT, for the demonstration.

use std::sync::Arc;
use std::time::Duration;

use geminus_core::{Clock, Timestamp};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use super::{Rig, SENSORS};
use crate::publisher::{PublishError, Publisher};

/// What is played.
#[derive(Clone, Debug, PartialEq)]
pub struct RigOptions {
    /// Topics are `{prefix}{n}/{sensor}`, n from 1: `rig/pump-1/current` for the prefix `rig/pump-`.
    pub prefix: String,
    /// Number of rigs.
    pub rigs: u32,
    /// Time between readings.
    pub period: Duration,
    /// Rig n has the seed `seed + n`.
    pub seed: u64,
}

impl Default for RigOptions {
    fn default() -> Self {
        Self { prefix: "rig/pump-".to_owned(), rigs: 1, period: Duration::from_millis(100), seed: 1 }
    }
}

struct Played {
    rig: Rig,
    topics: Vec<String>,
}

/// Publishes until `stopped` turns true or the broker cannot be reached for long. A tick that comes late is
/// skipped, as a sensor would skip it.
///
/// # Errors
/// [`PublishError`] when the broker is away for too long.
pub async fn publish(
    options: &RigOptions,
    mut publisher: Publisher,
    clock: Arc<dyn Clock>,
    mut stopped: watch::Receiver<bool>,
) -> Result<(), PublishError> {
    let mut rigs: Vec<Played> = (1..=options.rigs).map(|n| played(options, n, clock.now())).collect();
    let mut ticks = tokio::time::interval(options.period.max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            () = turned_true(&mut stopped) => return publisher.finish().await,
            _ = ticks.tick() => {}
        }
        let now = clock.now();
        for played in &mut rigs {
            played.rig.advance(now);
            let readings = played.rig.read();
            for (topic, value) in played.topics.iter().zip(readings.values) {
                publisher.publish(topic, payload(value, now)).await?;
            }
        }
    }
}

/// Also when nobody is left who could turn it true.
async fn turned_true(stopped: &mut watch::Receiver<bool>) {
    drop(stopped.wait_for(|stopped| *stopped).await);
}

fn played(options: &RigOptions, n: u32, start: Timestamp) -> Played {
    let topics = SENSORS.iter().map(|sensor| format!("{}{n}/{sensor}", options.prefix)).collect();
    Played { rig: Rig::new(options.seed.wrapping_add(u64::from(n)), start), topics }
}

fn payload(value: f64, time: Timestamp) -> Vec<u8> {
    format!(r#"{{"value":{value:.6},"time":{},"quality":"good"}}"#, time.millis()).into_bytes()
}
