//! Who acts, and as what. The one place that says so: whoever is logged in; at a site without users a request names a person
//! in its body, because the token is everybody's.

use axum::http::StatusCode;
use geminus_access::{self as access, Kind, Principal};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::Failure;
use crate::guard::admission;
use crate::request;

/// What a person may do here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Runs the plant.
    #[default]
    Operator,
    /// Changes how it is run.
    Engineer,
    /// Approves commands of others.
    Approver,
    /// Runs the host.
    Admin,
}

/// Who acts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// Name of the person, or of the token.
    pub name: String,
    /// Who answers for it, where it is a program.
    pub owner: Option<String>,
    /// Whether a person acts, not a program.
    pub is_person: bool,
    /// As what.
    pub role: Role,
}

/// Who acts in a request: whoever is logged in, or the program whose token it is. At a site without users it is the person that
/// the body names, else the token itself. `role` is as what, among those that whoever asks has.
pub(crate) fn acting(who: &Principal, by: Option<String>, role: Option<Role>) -> Result<Actor, Failure> {
    let by = request::named(by)?;
    let is_person = match who.kind {
        Kind::Local | Kind::Visitor => by.is_some(),
        Kind::Person => true,
        Kind::Program { .. } => false,
    };
    let name = admission::signed(who, by)?;
    // A program stands in the journal with who answers for it, and among approvers under that one's name.
    let (name, owner) = match &who.kind {
        Kind::Program { owner } => (who.name.clone(), Some(owner.clone())),
        _ => (name, None),
    };
    Ok(Actor { name, owner, is_person, role: Role::of(who, role)? })
}

/// As [`acting`], for what only a person may do.
pub(crate) fn person(who: &Principal, by: Option<String>, role: Option<Role>) -> Result<Actor, Failure> {
    match acting(who, by, role)? {
        actor if actor.is_person => Ok(actor),
        actor if actor.owner.is_some() => {
            let message = format!("{} is a program; a person has to do this", actor.name);
            Err(Failure::new(StatusCode::FORBIDDEN, "not-a-person", message))
        }
        _ => Err(request::bad("by must name the person who does it")),
    }
}

impl Role {
    /// As what somebody acts: what was asked for, if it is had; else the first that is had.
    fn of(who: &Principal, asked: Option<Self>) -> Result<Self, Failure> {
        let has = |role: Self| who.roles.contains(role.held()) || who.roles.contains(access::Role::Admin);
        match asked {
            Some(role) if has(role) => Ok(role),
            Some(role) => {
                let message = format!("{} is {}, not {}", who.name, who.roles, role.held().name());
                Err(Failure::new(StatusCode::FORBIDDEN, "not-allowed", message))
            }
            None if who.kind == Kind::Local => Ok(Self::Operator),
            None => {
                let held = |role: &Self| who.roles.contains(role.held());
                let first =
                    [Self::Operator, Self::Engineer, Self::Approver, Self::Admin].into_iter().find(held);
                Ok(first.unwrap_or_default())
            }
        }
    }

    fn held(self) -> access::Role {
        match self {
            Self::Operator => access::Role::Operator,
            Self::Engineer => access::Role::Engineer,
            Self::Approver => access::Role::Approver,
            Self::Admin => access::Role::Admin,
        }
    }
}

#[cfg(test)]
mod tests {
    use geminus_access::{Roles, Scope};

    use super::*;

    fn ann(roles: &[access::Role], kind: Kind) -> Principal {
        let roles = Roles::new(roles.iter().copied()).expect("roles");
        Principal { name: "ann".to_owned(), kind, roles, scope: Scope::all() }
    }

    #[test]
    fn without_users_a_name_is_a_person_and_no_name_is_the_token() {
        let local = Principal::local();
        let found = acting(&local, Some(" Ann ".to_owned()), Some(Role::Engineer)).expect("Ann");
        assert_eq!(
            found,
            Actor { name: "Ann".to_owned(), owner: None, is_person: true, role: Role::Engineer }
        );
        let token = acting(&local, None, None).expect("the token");
        assert_eq!((token.name.as_str(), token.is_person, token.role), ("token", false, Role::Operator));
        for nobody in [None, Some(String::new()), Some("  ".to_owned())] {
            let refusal = format!("{:?}", person(&local, nobody, None).expect_err("nobody"));
            assert!(refusal.contains("by must name the person"), "{refusal}");
        }
        assert!(person(&local, Some("x".repeat(101)), None).is_err());
    }

    #[test]
    fn with_users_nobody_acts_as_another_nor_as_more_than_granted() {
        let her = ann(&[access::Role::Approver, access::Role::Engineer], Kind::Person);
        let found = person(&her, None, None).expect("ann");
        assert_eq!((found.name.as_str(), found.is_person, found.role), ("ann", true, Role::Engineer));
        assert!(person(&her, Some("ben".to_owned()), None).is_err());
        assert!(person(&her, None, Some(Role::Operator)).is_err());
        assert_eq!(person(&her, None, Some(Role::Approver)).expect("ann").role, Role::Approver);
        let admin = ann(&[access::Role::Admin], Kind::Person);
        assert_eq!(person(&admin, None, Some(Role::Engineer)).expect("ann").role, Role::Engineer);
    }

    #[test]
    fn a_program_proposes_for_who_answers_for_it_and_does_nothing_that_takes_a_person() {
        let robot = ann(&[access::Role::Operator], Kind::Program { owner: "ben".to_owned() });
        let found = acting(&robot, None, None).expect("a program");
        assert_eq!(
            (found.name.as_str(), found.owner.as_deref(), found.is_person),
            ("ann", Some("ben"), false)
        );
        assert!(person(&robot, None, None).is_err());
        assert!(person(&robot, Some("ben".to_owned()), None).is_err());
    }
}
