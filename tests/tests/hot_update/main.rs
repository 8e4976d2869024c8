//! The hot-update matrix: a rollout that goes wrong in any phase, in any way, for any kind of behavior, leaves the
//! incumbent with its state as if there had been no rollout, and one that goes well loses and doubles no row.
//!
//! Every behavior adds up what it gets and counts its rows, so history can be held bit for bit against what a run
//! without any rollout must have answered.

mod kills;
mod matrix;
mod raising;
mod rig;
mod supersede;
mod thousand;
mod versions;
