//! The report of a check: one line a clause with its evidence, for people and as JSON. A vendor can publish it: it names
//! the component by digest, the contract and the host that tried it, and the same bytes give the same report.

use std::fmt;

use serde::Serialize;

/// What came of one clause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "verdict", content = "evidence")]
pub enum Verdict {
    /// It holds, shown by this.
    Kept(String),
    /// It does not, shown by this.
    Broken(String),
    /// The declaration promises nothing that could be held here.
    NotConcerned(String),
}

/// One clause of conformance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Clause {
    /// Short name: `deterministic`.
    pub name: &'static str,
    /// What it demands.
    pub demand: &'static str,
    /// What came of it.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// What came of all of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// `name@version`.
    pub plugin: String,
    /// SHA-256 of the component.
    pub digest: String,
    /// Contract version that it was built for.
    pub contract: String,
    /// SDK and toolchain that built it, by its own stamp.
    pub built_with: String,
    /// The host that tried it.
    pub host: String,
    /// Seed of the rows.
    pub seed: u64,
    /// In the order in which they were tried.
    pub clauses: Vec<Clause>,
}

impl Report {
    /// Whether no clause is broken.
    #[must_use]
    pub fn conforms(&self) -> bool {
        !self.clauses.iter().any(|clause| matches!(clause.verdict, Verdict::Broken(_)))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}  {}", self.plugin, self.digest)?;
        writeln!(
            f,
            "  contract {}, {}; tried by {} with seed {}",
            self.contract, self.built_with, self.host, self.seed
        )?;
        for clause in &self.clauses {
            let (word, evidence) = match &clause.verdict {
                Verdict::Kept(evidence) => ("kept", evidence),
                Verdict::Broken(evidence) => ("BROKEN", evidence),
                Verdict::NotConcerned(evidence) => ("-", evidence),
            };
            writeln!(f, "  {word:<7} {:<16} {}", clause.name, clause.demand)?;
            writeln!(f, "  {:<7} {:<16} {evidence}", "", "")?;
        }
        let broken =
            self.clauses.iter().filter(|clause| matches!(clause.verdict, Verdict::Broken(_))).count();
        match broken {
            0 => writeln!(f, "conforms"),
            1 => writeln!(f, "does not conform: 1 clause is broken"),
            many => writeln!(f, "does not conform: {many} clauses are broken"),
        }
    }
}
