//! One wish for a value of a target: what it says, who says it, and what no command may be. It never changes once it
//! is made; what becomes of it stands in a [`crate::Record`].

use std::time::Duration;

use geminus_core::{Digest, Quality, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::exact;

/// Most bytes of a name: of a twin, a target, a class, a person, a point.
pub const NAME_BYTES_MAX: usize = 256;
/// Most bytes of a reason.
pub const REASON_BYTES_MAX: usize = 2_000;
/// Most values that a command brings along as evidence.
pub const EVIDENCE_MAX: usize = 64;
/// Longest time from the proposal to the deadline.
pub const LIFE_MAX: Duration = Duration::from_secs(24 * 3600);

/// A wish for a value of a target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// UUID of version 7, made by whoever proposes. The same id is the same command, however often it arrives.
    pub id: Uuid,
    /// Id of the twin.
    pub twin: String,
    /// Name of the target.
    pub target: String,
    /// The wished value, in `unit`. A finite number.
    #[serde(with = "exact")]
    pub value: f64,
    /// UCUM unit of the target.
    pub unit: String,
    /// Who wishes it.
    pub proposer: Proposer,
    /// Why, in words for people.
    pub reason: String,
    /// What the proposer looked at.
    pub evidence: Vec<Evidence>,
    /// When it was proposed. Whoever repeats a command repeats this too: without a time of his own the one in the id
    /// serves ([`crate::id_time`]).
    pub proposed: Timestamp,
    /// From this time on nothing of it may leave the host.
    pub not_after: Timestamp,
    /// Class of the target: says how many people must approve.
    pub class: String,
}

/// Who wishes something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "kind", deny_unknown_fields)]
pub enum Proposer {
    /// A behavior that runs.
    Behavior {
        /// Name of its plugin.
        name: String,
        /// Version of the plugin.
        version: String,
        /// Digest of the plugin, as `sha256:…`.
        digest: String,
    },
    /// A person.
    Operator {
        /// Name of the login.
        name: String,
    },
    /// A program with a token of its own.
    Program {
        /// Name of the token.
        name: String,
        /// The person who answers for the token, who cannot approve what it proposes; `None` when nobody does.
        owner: Option<String>,
    },
}

impl Proposer {
    /// Whether a person stands behind it at this moment.
    #[must_use]
    pub fn is_person(&self) -> bool {
        matches!(self, Self::Operator { .. })
    }

    /// Whether `name` is the proposer, or the person who answers for it. Neither case nor the way to log in tells people apart.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.is_by(name, same_person)
    }

    /// The same, where `same` says which names mean one.
    pub(crate) fn is_by(&self, name: &str, same: fn(&str, &str) -> bool) -> bool {
        let same = |other: &str| same(name, other);
        match self {
            Self::Behavior { name, .. } => same(name),
            Self::Operator { name } => same(name),
            Self::Program { name, owner } => same(name) || owner.as_deref().is_some_and(same),
        }
    }
}

impl std::fmt::Display for Proposer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Behavior { name, version, .. } => write!(f, "behavior {name}@{version}"),
            Self::Operator { name } => write!(f, "operator {name}"),
            Self::Program { name, .. } => write!(f, "program {name}"),
        }
    }
}

/// What stands before the names of those for whom an issuer of logins vouches.
const ISSUERS_MARK: &str = "oidc:";

/// Whether two names mean one login. Whoever holds something holds it by that login alone.
pub(crate) fn same_login(one: &str, other: &str) -> bool {
    one.trim().to_lowercase() == other.trim().to_lowercase()
}

/// Whether two names mean one person. Doubt takes them for one, so that nobody approves twice by another spelling, or by a login of
/// the host and one over the issuer.
pub(crate) fn same_person(one: &str, other: &str) -> bool {
    let person = |name: &str| {
        let name = name.trim().to_lowercase();
        name.strip_prefix(ISSUERS_MARK).unwrap_or(&name).trim().to_owned()
    };
    person(one) == person(other)
}

/// A value that the proposer looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// Name of the point.
    pub point: String,
    /// Its value, finite; `None` when there was none.
    #[serde(with = "exact::option")]
    pub value: Option<f64>,
    /// Its quality.
    pub quality: Quality,
    /// When the source says it was so.
    pub time: Timestamp,
}

/// Why something is no command.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// Ids of other versions carry no time, so that nobody could tell an old one from a new one.
    #[error("id {id} is no UUID of version 7: make one for each command")]
    Id {
        /// The id.
        id: Uuid,
    },
    /// A name that is empty, too long or not printable.
    #[error("{what} must have 1 to {NAME_BYTES_MAX} bytes and no control characters")]
    Name {
        /// Which name.
        what: &'static str,
    },
    /// The reason is too long.
    #[error("the reason has {found} bytes: at most {REASON_BYTES_MAX} are kept")]
    Reason {
        /// How many it has.
        found: usize,
    },
    /// Too much evidence.
    #[error("the evidence has {found} values: at most {EVIDENCE_MAX} are kept")]
    Evidence {
        /// How many it has.
        found: usize,
    },
    /// A number that is none.
    #[error("{what} is no finite number")]
    Number {
        /// Which number.
        what: &'static str,
    },
    /// The deadline is before the proposal, or too far behind it.
    #[error("the deadline must be after the proposal, by at most {} hours", LIFE_MAX.as_secs() / 3600)]
    Deadline,
}

impl Command {
    /// Refuses what is no command.
    ///
    /// # Errors
    /// Names the first thing that is wrong.
    pub fn check(&self) -> Result<(), CommandError> {
        if self.id.get_version_num() != 7 || self.id.get_variant() != uuid::Variant::RFC4122 {
            return Err(CommandError::Id { id: self.id });
        }
        let names = [
            ("the twin", self.twin.as_str()),
            ("the target", &self.target),
            ("the unit", &self.unit),
            ("the class", &self.class),
        ];
        for (what, text) in names.into_iter().chain(self.proposer_names()) {
            name(what, text)?;
        }
        if self.reason.len() > REASON_BYTES_MAX {
            return Err(CommandError::Reason { found: self.reason.len() });
        }
        if self.evidence.len() > EVIDENCE_MAX {
            return Err(CommandError::Evidence { found: self.evidence.len() });
        }
        for evidence in &self.evidence {
            name("a point of the evidence", &evidence.point)?;
            if evidence.value.is_some_and(|value| !value.is_finite()) {
                return Err(CommandError::Number { what: "a value of the evidence" });
            }
        }
        if !self.value.is_finite() {
            return Err(CommandError::Number { what: "the value" });
        }
        match self.proposed < self.not_after && self.not_after.since(self.proposed) <= LIFE_MAX {
            true => Ok(()),
            false => Err(CommandError::Deadline),
        }
    }

    /// SHA-256 of [`Command::bytes`]: what people approve.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.bytes())
    }

    fn proposer_names(&self) -> Vec<(&'static str, &str)> {
        match &self.proposer {
            Proposer::Behavior { name, version, digest } => {
                vec![("the behavior", name), ("its version", version), ("its digest", digest)]
            }
            Proposer::Operator { name } => vec![("the operator", name)],
            Proposer::Program { name, owner } => std::iter::once(("the program", name.as_str()))
                .chain(owner.as_deref().map(|owner| ("its owner", owner)))
                .collect(),
        }
    }
}

/// Refuses a name that is none.
pub(crate) fn name(what: &'static str, text: &str) -> Result<(), CommandError> {
    let fits = !text.trim().is_empty() && text.len() <= NAME_BYTES_MAX && !text.chars().any(char::is_control);
    if fits { Ok(()) } else { Err(CommandError::Name { what }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::command;

    fn check(change: impl Fn(&mut Command), expect: &str) {
        let mut command = command(1);
        change(&mut command);
        let refused = command.check().expect_err(expect).to_string();
        assert!(refused.contains(expect), "{refused}");
    }

    #[test]
    fn what_is_no_command_is_refused_by_name() {
        assert_eq!(command(1).check(), Ok(()));
        check(|c| c.id = Uuid::from_u128(c.id.as_u128() & !(0xf << 76) | (4 << 76)), "version 7");
        check(|c| c.id = Uuid::nil(), "version 7");
        check(|c| c.twin = String::new(), "the twin");
        check(|c| c.target = " ".to_owned(), "the target");
        check(|c| c.unit = "m\n".to_owned(), "the unit");
        check(|c| c.class = "x".repeat(NAME_BYTES_MAX + 1), "the class");
        check(|c| c.proposer = Proposer::Operator { name: String::new() }, "the operator");
        check(|c| c.reason = "x".repeat(REASON_BYTES_MAX + 1), "2001 bytes");
        let one =
            Evidence { point: "p".to_owned(), value: Some(1.0), quality: Quality::Good, time: Timestamp(1) };
        check(|c| c.evidence = vec![one.clone(); EVIDENCE_MAX + 1], "65 values");
        check(|c| c.evidence = vec![Evidence { value: Some(f64::NAN), ..one.clone() }], "evidence");
        check(|c| c.evidence = vec![Evidence { point: String::new(), ..one.clone() }], "a point");
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            check(|c| c.value = value, "the value is no finite number");
        }
        check(|c| c.not_after = c.proposed, "the deadline");
        check(|c| c.not_after = c.proposed.plus(LIFE_MAX + Duration::from_nanos(1)), "at most 24 hours");
    }

    #[test]
    fn a_person_is_known_by_any_spelling() {
        let anna = Proposer::Operator { name: "Anna".to_owned() };
        assert!(anna.is("anna ") && anna.is("ANNA") && !anna.is("Hanna"));
        let program = Proposer::Program { name: "mes".to_owned(), owner: Some("anna".to_owned()) };
        assert!(program.is("Anna") && program.is("mes") && !program.is("ben"));
        // Nor by the way in which somebody logs in.
        assert!(anna.is("oidc:anna") && anna.is("OIDC:Anna") && !anna.is("oidc:hanna") && !anna.is("oidc:"));
        let over = Proposer::Program { name: "oidc:mes".to_owned(), owner: Some("oidc:anna".to_owned()) };
        assert!(over.is("anna") && over.is("mes") && over.is("oidc:Anna") && !over.is("ben"));
        assert!(same_login("Anna ", "anna") && !same_login("anna", "oidc:anna"));
    }
}
