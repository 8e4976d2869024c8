//! What a tally costs per row, for nine outputs (two of them innovation and NIS) of 10,000 twins, in frames of several
//! sizes: run with `cargo run --release -p geminus-rollout --example tally_cost`.

use geminus_core::declaration::DeclarationError;
use geminus_core::{Clock, Declaration, Frame, Outcome, Quality, SystemClock, Timestamp, TwinIndex};
use geminus_rollout::{Acceptance, Difference, Tally};

const TWINS: u32 = 10_000;
const OUTPUTS: usize = 9;
/// Rows of a round; the fastest round counts, because other work on the machine only ever adds.
const ROWS: u32 = 40_960;
const ROUNDS: u32 = 100;

fn declaration() -> Result<Declaration, DeclarationError> {
    let outputs: Vec<_> = (0..OUTPUTS)
        .map(|i| {
            let role = match i {
                7 => "innovation",
                8 => "nis",
                _ => "estimate",
            };
            serde_json::json!({"name": format!("o{i}"), "unit": "Cel", "role": role})
        })
        .collect();
    let json = serde_json::json!({
        "declaration": 1, "name": "probe", "version": "1.0.0", "kind": "estimator", "outputs": outputs,
        "inputs": [{"name": "a", "unit": "Cel", "arrival": "event"}, {"name": "b", "unit": "A"}],
        "state": {"schema": 1, "reads": [1], "writes": [1]}
    });
    Declaration::parse(json.to_string().as_bytes())
}

/// A frame of `rows` rows of changing twins, and outcomes that differ in every value.
fn pair(rows: u32, start: u32) -> (Frame, Outcome, Outcome) {
    let mut frame = Frame::new(2);
    for row in start..start + rows {
        frame.twins.push(TwinIndex(row % TWINS));
        frame.times.push(Timestamp::from_millis(u64::from(row / TWINS) * 1_000));
        frame.values.extend([20.0, 1.0]);
        frame.quality.extend([Quality::Good; 2]);
    }
    let value = |i: u32, off: f64| 60.0 + f64::from(i.wrapping_mul(2_654_435_761) % 1_000) / 500.0 + off;
    let outcome = |off: f64| {
        let values: Vec<f64> = (0..rows * OUTPUTS as u32).map(|i| value(i, off)).collect();
        Outcome { outputs: OUTPUTS, quality: vec![Quality::Good; values.len()], values, ..Outcome::default() }
    };
    (frame, outcome(0.0), outcome(1e-3))
}

fn main() -> Result<(), DeclarationError> {
    let declaration = declaration()?;
    let absolute = Difference { absolute: Some(0.5), relative: None };
    let limited = Acceptance { difference: [("*".to_owned(), absolute)].into(), ..Acceptance::default() };
    let clock = SystemClock::new();
    for (name, acceptance) in [("without limits", Acceptance::default()), ("with limits", limited)] {
        for rows in [1_u32, 16, 128, 1_024, 4_096] {
            let mut tally = Tally::new(&declaration, &acceptance);
            let pairs: Vec<_> = (0..TWINS.div_ceil(rows)).map(|at| pair(rows, at * rows)).collect();
            let frames = ROWS / rows;
            let mut fastest = f64::INFINITY;
            for _ in 0..ROUNDS {
                let start = clock.monotonic();
                for (frame, old, new) in pairs.iter().cycle().take(frames as usize) {
                    tally.compare(frame, old, new, &mut |_| true);
                }
                fastest = fastest.min((clock.monotonic() - start).as_secs_f64());
            }
            assert_eq!(tally.rows(), u64::from(ROUNDS * frames) * u64::from(rows));
            println!("{name}, frames of {rows}: {:.1} ns/row", fastest * 1e9 / f64::from(frames * rows));
        }
    }
    let tally = Tally::new(&declaration, &Acceptance::default());
    println!("a fresh tally takes {} bytes beside what it points to", size_of_val(&tally));
    Ok(())
}
