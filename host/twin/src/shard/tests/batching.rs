//! How samples are batched changes nothing.

use super::*;

/// What a run gives: every row of both behaviors, by binding and twin, in order.
fn run(samples: &[Sample], cuts: &[usize], step_every: usize) -> (Vec<Row>, Counters) {
    let mut shard = shard(SITE);
    let now = at_ms(0);
    let mut rows = Vec::new();
    let mut from = 0;
    for (round, cut) in cuts.iter().chain([&samples.len()]).enumerate() {
        let to = (*cut).clamp(from, samples.len());
        shard.take(&mut samples[from..to].to_vec(), now);
        from = to;
        if round % step_every == 0 {
            rows.extend(step_all(&mut shard, now).0);
        }
    }
    shard.close_all(now);
    rows.extend(step_all(&mut shard, now).0);
    rows.sort_by_key(|row| (row.0, row.1));
    (rows, shard.counters())
}

proptest! {
    /// How samples are batched, and when frames are stepped, changes no value of any row; each twin's rows come in
    /// strictly increasing time, each is stepped once.
    #[test]
    fn batching_changes_nothing(
        steps in proptest::collection::vec((0_u32..2, 0_u32..3, 0_u64..4, -50_i32..50), 1..200),
        mut cuts in proptest::collection::vec(0_usize..200, 0..20),
        step_every in 1_usize..6,
    ) {
        let mut clock = [0_u64; 2];
        let samples: Vec<Sample> = steps
            .iter()
            .map(|(twin, point, ahead, value)| {
                let clock = &mut clock[*twin as usize];
                // Mostly on, sometimes the same time again, sometimes back: late ones and duplicates are among them.
                *clock = if *ahead == 3 { clock.saturating_sub(500) } else { *clock + ahead * 500 };
                sample(HOT + twin * 7 + point, *clock, 0, f64::from(*value))
            })
            .collect();
        cuts.sort_unstable();
        let single: Vec<usize> = (1..samples.len()).collect();
        let (one_by_one, counters) = run(&samples, &single, 1);
        let (batched, others) = run(&samples, &cuts, step_every);
        prop_assert_eq!(&one_by_one, &batched);
        prop_assert_eq!(counters, others);
        prop_assert_eq!(counters.rows, counters.applied);
        prop_assert_eq!(counters.rows, batched.len() as u64);
        for pair in batched.windows(2) {
            prop_assert!((pair[0].0, pair[0].1) != (pair[1].0, pair[1].1) || pair[0].2 < pair[1].2);
        }
    }
}
