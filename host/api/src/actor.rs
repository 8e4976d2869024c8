//! Who acts, and as what. The one place that says so: a request names a person in its body, because the token is everybody's.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::Failure;
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
    /// Whether a person acts, not a program.
    pub is_person: bool,
    /// As what.
    pub role: Role,
}

/// Who acts in a request that has the token: the person that its body names, else the token itself.
pub(crate) fn acting(by: Option<String>, role: Option<Role>) -> Result<Actor, Failure> {
    let is_person = by.as_deref().is_some_and(|by| !by.trim().is_empty());
    Ok(Actor { name: request::named(by)?, is_person, role: role.unwrap_or_default() })
}

/// As [`acting`], for what only a person may do.
pub(crate) fn person(by: Option<String>, role: Option<Role>) -> Result<Actor, Failure> {
    match acting(by, role)? {
        actor if actor.is_person => Ok(actor),
        _ => Err(request::bad("by must name the person who does it")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_person_and_no_name_is_the_token() {
        let ann = acting(Some(" Ann ".to_owned()), Some(Role::Engineer)).expect("Ann");
        assert_eq!(ann, Actor { name: "Ann".to_owned(), is_person: true, role: Role::Engineer });
        let token = acting(None, None).expect("the token");
        assert_eq!((token.name.as_str(), token.is_person, token.role), ("token", false, Role::Operator));
        for nobody in [None, Some(String::new()), Some("  ".to_owned())] {
            let refusal = format!("{:?}", person(nobody, None).expect_err("nobody"));
            assert!(refusal.contains("by must name the person"), "{refusal}");
        }
        assert!(person(Some("x".repeat(101)), None).is_err());
    }
}
