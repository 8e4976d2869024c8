//! Holds a component against the contract, whoever wrote it in whatever language: what `geminus plugin check`, `test`
//! and `bench` do.
//!
//! A `Bed` starts cohorts of one package exactly as a host would, with rows that are made from its declaration. `check`
//! tries the clauses of conformance, `cases` run an author's own rows, `costs` measures. Nothing here reads a
//! site, the field or a clock of its own; the room that runs components is `behavior`, as everywhere.

mod bed;
mod cases;
mod clauses;
mod compare;
mod costs;
mod report;
mod sequence;

pub use bed::{Bed, BedError};
pub use cases::{CaseOutcome, run_case};
pub use clauses::{Plan, check};
pub use costs::{Costs, CostsError, Native, Timer, course, measure};
pub use report::{Clause, Report, Verdict};
pub use sequence::Sequence;
