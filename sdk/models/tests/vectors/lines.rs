//! Reads the golden vectors of `golden/`, and draws numbers for tests from a seed.
#![expect(clippy::panic, clippy::expect_used, reason = "a test may")]

use std::path::Path;

/// Lines of a golden file: a name and its numbers.
pub(crate) fn lines(file: &str) -> Vec<(String, Vec<f64>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let lines = text.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let mut words = line.split(' ');
        let name = words.next().expect("a name").to_owned();
        (name, words.map(|word| word.parse().expect("a number")).collect())
    });
    lines.collect()
}

/// Numbers 0 ≤ u < 1 from a seed (SplitMix64).
#[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
pub(crate) fn uniform(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed;
    move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / 9_007_199_254_740_992.0
    }
}
