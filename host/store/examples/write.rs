//! Measures the store by hand: `cargo run --release -p geminus-store --example write -- DIR POINTS SERIES BATCH RATE`.

use std::sync::Arc;

use geminus_core::{Clock, SystemClock};
use geminus_store::{Options, bench};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, otherwise: u64| given.get(at).map_or(Ok(otherwise), |text| text.parse::<u64>());
    let load = bench::Load {
        points: usize::try_from(number(1, 5_000_000)?)?,
        series: u32::try_from(number(2, 10_000)?)?,
        batch: usize::try_from(number(3, 1_000)?)?,
        rate: number(4, 0)?,
    };
    let dir = given.first().ok_or("name a folder that does not exist yet")?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let figures = bench::write(dir.as_ref(), Options::default(), &clock, load)?;
    println!("{figures:#?}");
    Ok(())
}
