//! How a new version of a behavior takes over, decided: what a plan may ask for, what is counted while two
//! versions run side by side, what that says, and which phase comes next.
//!
//! Everything here is pure: no IO, no clock, no threads; time is an argument. A shard counts with a [`Tally`], the
//! host merges tallies, lets [`Tally::judge`] speak and tells the [`Rollout`]; that answers with [`Order`]s, which the
//! host carries out. Nothing here knows how.

mod acceptance;
mod chi_square;
mod evidence;
mod machine;
mod plan;
mod schema;
mod tally;
mod verdict;

pub use acceptance::{Acceptance, Difference};
pub use evidence::{
    AlertEvidence, CostEvidence, CostSide, Curve, Evidence, FaultEvidence, InnovationEvidence, Mean,
    NisEvidence, NisSide, OutputEvidence, ProposalEvidence, WorstRow,
};
pub use machine::{Authoritative, Facts, Input, Order, Phase, Progress, Rollout, Step};
pub use plan::{Bumpless, Canary, Plan, Probation, Promote, Shadow, Stages};
pub use schema::{evidence_schema, plan_schema};
pub use tally::{Cost, Row, Tally};
pub use verdict::{Check, Verdict, VerdictState};
