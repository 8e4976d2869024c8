//! The clauses of conformance, and their order: whether it can be run at all, whether the same gives the same, whether
//! state comes back, whether hard rows do harm, whether it stays inside what it declares.

use std::path::PathBuf;

use crate::bed::{Bed, SEED};
use crate::report::{Clause, Report, Verdict};

mod bounds;
mod golden;
mod hardship;
mod sameness;
mod state;

/// What a check is to use besides the component.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Folder with golden states of released schemas.
    pub golden: Option<PathBuf>,
}

/// What went wrong while a clause was tried counts as broken: a component that cannot be started a second time, say.
type Tried = Result<Verdict, String>;

/// Tries every clause. Takes some seconds: each starts the component several times and steps thousands of rows.
#[must_use]
pub fn check(bed: &Bed, plan: &Plan) -> Report {
    let clauses: [(&'static str, &'static str, &dyn Fn() -> Tried); 13] = [
        ("honest", "every declared output has a number in usual rows, nothing undeclared comes", &|| {
            bounds::honest(bed)
        }),
        ("deterministic", "a second instance gives the same for the same rows, bit for bit", &|| {
            sameness::deterministic(bed)
        }),
        ("batches", "one call of many rows gives what many calls of one row give", &|| {
            sameness::batches(bed)
        }),
        ("neighbours", "a twin among others gives what it gives alone", &|| sameness::neighbours(bed)),
        ("snapshot", "saved, restored and gone on equals not interrupted", &|| state::interrupted(bed)),
        ("schemas", "every schema that it writes and reads is restored", &|| state::schemas(bed)),
        ("golden", "golden states of released schemas are restored and go on as recorded", &|| {
            golden::held(bed, plan.golden.as_deref())
        }),
        (
            "hard-rows",
            "missing, bad, stale, enormous and tiny values and long gaps do no lasting harm",
            &|| hardship::rows(bed),
        ),
        ("order", "rows out of order are passed over as if they had not come", &|| hardship::order(bed)),
        ("giant", "a call of as many rows as the host ever gives is answered", &|| hardship::giant(bed)),
        ("parameters", "every number at the ends of its declared range works or is refused by name", &|| {
            bounds::parameters(bed)
        }),
        ("budget", "fuel of a row and memory of 10,000 twins are within what is declared", &|| {
            bounds::budget(bed)
        }),
        ("forecast", "a forecast is finite and changes nothing", &|| state::forecast(bed)),
    ];
    let tried = clauses.into_iter().map(|(name, demand, clause)| Clause {
        name,
        demand,
        verdict: clause().unwrap_or_else(Verdict::Broken),
    });
    let package = bed.package();
    Report {
        plugin: package.declaration.label(),
        digest: package.digest.to_string(),
        contract: package.stamp.contract.clone(),
        built_with: format!("{}, {}", package.stamp.sdk, package.stamp.toolchain),
        host: format!("geminus {}", env!("CARGO_PKG_VERSION")),
        seed: SEED,
        clauses: tried.collect(),
    }
}
