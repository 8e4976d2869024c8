//! How fast a shard takes samples, and how much memory a twin costs: the pump rig with 8 points and 2 behaviors.
//! `cargo run --release -p geminus-twin --example take -- [twins] [rounds]`. Even rounds give a twin's samples
//! together, odd ones point by point through the whole fleet, which no cache likes. Frames are drained and answered
//! with constants, so the figure is the shard alone.

use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use geminus_core::{Declaration, Outcome, Quality, Sample, SeriesId, Timestamp};
use geminus_twin::{Moment, Plant, Shard, Site};

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<u64>());
    let twins = arguments.next().transpose()?.unwrap_or(10_000);
    let rounds = arguments.next().transpose()?.unwrap_or(50);
    let plant = Arc::new(plant(twins)?);
    let mut shard = Shard::new(Arc::clone(&plant), &plant.indices().collect::<Vec<_>>());
    let (mut taken, mut seconds, mut others, mut rows) = (0_u64, [0.0; 2], 0.0, 0);
    let mut recorded = Vec::new();
    for round in 0..rounds {
        let now = Moment {
            wall: Timestamp::from_millis(1_000_000 + round * 1000),
            monotonic: round * 1_000_000_000,
        };
        let scattered = round % 2 == 1;
        for batch in batches(&plant, now.wall, scattered) {
            let (mut samples, start) = (batch, started());
            taken += samples.len() as u64;
            shard.take(&mut samples, now);
            let [together, apart] = &mut seconds;
            *(if scattered { apart } else { together }) += start.elapsed().as_secs_f64();
            let start = started();
            while let Some((binding, frame)) = shard.next_frame(4096) {
                let outputs = plant.binding(binding).context("binding")?.declaration.outputs.len();
                let count = frame.rows() * outputs;
                rows += frame.rows();
                let outcome = Outcome {
                    outputs,
                    values: vec![0.7; count],
                    quality: vec![Quality::Good; count],
                    ..Outcome::default()
                };
                shard.apply(binding, &frame, &outcome, now, &mut recorded);
                recorded.clear();
                shard.recycle(frame);
            }
            others += start.elapsed().as_secs_f64();
        }
        shard.close_due(now);
        shard.tick(now);
    }
    println!("{taken} samples, {rows} rows, {:?}", shard.counters());
    for (order, seconds) in ["twin by twin", "scattered"].iter().zip(seconds) {
        println!("take, {order}: {:.2} M samples/s", taken as f64 / 2.0 / seconds / 1e6);
    }
    println!("frames and outcomes: {:.2} M rows/s", rows as f64 / others / 1e6);
    let points = plant.kinds.first().map_or(0, |kind| kind.points.len());
    println!(
        "memory: {} bytes a twin with {points} points in the shard",
        shard.memory_bytes() as u64 / twins
    );
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures wall time")]
fn started() -> Instant {
    Instant::now()
}

/// One sample of every measured point of every twin, in batches of 4,096.
fn batches(plant: &Plant, time: Timestamp, scattered: bool) -> Vec<Vec<Sample>> {
    let measured = plant.kinds.first().map_or(0, |kind| kind.measured);
    let of = |twin: usize, point: usize| {
        plant.twins.get(twin).and_then(|twin| plant.series(twin).get(point).copied())
    };
    let twins = plant.twins.len();
    let all = (0..twins * measured).filter_map(|place| match scattered {
        true => of(place % twins, place / twins),
        false => of(place / measured, place % measured),
    });
    let sample = |series| Sample { series, quality: Quality::Good, value: 21.5, time, received: time };
    all.map(sample).collect::<Vec<_>>().chunks(4096).map(<[Sample]>::to_vec).collect()
}

fn plant(twins: u64) -> anyhow::Result<Plant> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/pump-rig/site.toml");
    let text =
        std::fs::read_to_string(path)?.replace("\"pump-rig-1\"", &format!("\"pump-rig-{{1..{twins}}}\""));
    let site = Site::parse(path.as_ref(), &text)?;
    let declarations = [motor_thermal::MotorThermal::DECLARATION, pump_health::PumpHealth::DECLARATION]
        .into_iter()
        .map(|json| Declaration::parse(json.as_bytes()))
        .collect::<Result<Vec<_>, _>>()?;
    let mut next = 0;
    let mut plant = Plant::resolve(&site, &declarations, &mut |_, _| {
        next += 1;
        Ok(SeriesId(next))
    })?;
    // The routes belong to the sources, which take them over.
    plant.routes = Vec::new();
    Ok(plant)
}
