//! How much may be asked at once. All of it is held in memory while it is computed, and one study at a time has a host.

/// Most rows of one run.
pub const ROWS_MAX: u64 = 100_000;
/// Most rows of all runs of a study together.
pub const ROWS_ALL_MAX: u64 = 2_000_000;
/// Most scenarios that are written out.
pub const SCENARIOS_MAX: usize = 32;
/// Most draws of a sample.
pub const DRAWS_MAX: u32 = 256;
/// Most parameters that a sample varies.
pub const KNOBS_MAX: usize = 16;
/// Most faults of one scenario.
pub const FAULTS_MAX: usize = 32;
/// Most points of the trajectory of one input.
pub const TRAJECTORY_MAX: usize = 10_000;
/// Most thresholds.
pub const THRESHOLDS_MAX: usize = 32;
/// Most entries of each trajectory in an answer.
pub const POINTS_MAX: u32 = 1_000;
/// Most numbers of all trajectories in an answer together.
pub const CELLS_MAX: u64 = 500_000;
/// Most times of a forecast.
pub const TIMES_MAX: u32 = 1_000;
/// Longest span ahead, in seconds: 366 days.
pub const SPAN_S_MAX: f64 = 366.0 * 86_400.0;
/// Longest delay of a sensor, and largest error of a clock, in seconds.
pub const DELAY_S_MAX: f64 = 86_400.0;
