//! Who a token is about, in names of this host.
//!
//! Names of an issuer begin with a mark that no user can have, so that neither can be taken for the other; and a name belongs
//! to the first subject that came with it, because most issuers let people choose their name.

use std::collections::HashMap;

use geminus_access::{Kind, NAME_CHARS_MAX, Principal, Vouched};

use crate::settings::Settings;
use crate::token::{Claims, Purpose, text};
use crate::{OidcError, grant};

/// What names begin with; `:` stands in no name of a user.
pub(crate) const MARK: &str = "oidc:";
/// Most names whose subject is remembered.
pub(crate) const NAMES_MAX: usize = 10_000;
/// Longest id of a subject; the standard says so.
const SUBJECT_BYTES_MAX: usize = 255;

/// Which subject a name belongs to, while the host runs.
#[derive(Debug, Default)]
pub(crate) struct Names(HashMap<String, String>);

impl Names {
    fn bind(&mut self, name: &str, subject: &str) -> Result<(), OidcError> {
        match self.0.get(name) {
            Some(known) if known == subject => Ok(()),
            Some(_) => Err(OidcError::NameTaken(name.to_owned())),
            None if self.0.len() >= NAMES_MAX => Err(OidcError::Names(NAMES_MAX)),
            None => {
                self.0.insert(name.to_owned(), subject.to_owned());
                Ok(())
            }
        }
    }
}

/// For whom claims vouch that have been checked.
///
/// # Errors
/// When they do not say who it is, or that one may nothing here.
pub(crate) fn vouched(
    claims: &Claims,
    settings: &Settings,
    purpose: Purpose<'_>,
    names: &mut Names,
) -> Result<Vouched, OidcError> {
    let subject = text(claims, "sub").filter(|sub| !sub.is_empty() && sub.len() <= SUBJECT_BYTES_MAX);
    let subject = subject.ok_or(OidcError::Claim("sub"))?;
    let client = ["azp", "client_id", "cid"].into_iter().find_map(|name| text(claims, name));
    let person = match claims.get(&settings.name_claim) {
        Some(found) => found.as_str().ok_or_else(|| OidcError::NoName(settings.name_claim.clone())),
        // A program that comes for itself has no other name.
        None if matches!(purpose, Purpose::Access) && client == Some(subject) => Ok(subject),
        None => Err(OidcError::NoName(settings.name_claim.clone())),
    }?;
    let person = named(&settings.name_claim, person)?;
    let (name, kind) = match purpose {
        Purpose::Login { .. } => (person.clone(), Kind::Person),
        Purpose::Access => {
            let program = client.map(|client| named("client_id", client)).transpose()?;
            (program.unwrap_or_else(|| person.clone()), Kind::Program { owner: person.clone() })
        }
    };
    let Some(granted) = grant::find(&settings.grants, claims, &settings.roles_claim) else {
        return Err(OidcError::NoRole { name: person, claim: settings.roles_claim.clone() });
    };
    // Last, so that only who may something is remembered.
    names.bind(&person, subject)?;
    let (roles, scope) = (granted.roles.clone(), granted.scope.clone());
    Ok(Vouched { principal: Principal { name, kind, roles, scope }, subject: subject.to_owned() })
}

/// The name here of somebody who has that name there.
fn named(claim: &str, found: &str) -> Result<String, OidcError> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-_@+|".contains(c);
    let name = found.to_ascii_lowercase();
    let fine = !name.is_empty() && name.len() <= NAME_CHARS_MAX && name.chars().all(plain);
    match fine {
        true => Ok(format!("{MARK}{name}")),
        false => Err(OidcError::Name { claim: claim.to_owned(), found: found.chars().take(40).collect() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_and_cannot_be_those_of_users() {
        let check = |found: &str, expect: Option<&str>| {
            assert_eq!(named("sub", found).ok().as_deref(), expect, "{found:?}");
        };
        check("ada", Some("oidc:ada"));
        check("Ada.Lovelace@Example", Some("oidc:ada.lovelace@example"));
        check("auth0|5f7c8ec7", Some("oidc:auth0|5f7c8ec7"));
        check("8a3c5f1e-0000-4000-8000-000000000000", Some("oidc:8a3c5f1e-0000-4000-8000-000000000000"));
        for odd in ["", "ada lovelace", "ada\n", "\u{430}da", "a:b", "<b>", &"a".repeat(NAME_CHARS_MAX + 1)] {
            check(odd, None);
        }
    }

    #[test]
    fn a_name_belongs_to_the_first_subject_and_their_number_is_bounded() {
        let mut names = Names::default();
        assert_eq!(names.bind("oidc:ada", "1"), Ok(()));
        assert_eq!(names.bind("oidc:ada", "1"), Ok(()));
        assert_eq!(names.bind("oidc:ada", "2"), Err(OidcError::NameTaken("oidc:ada".to_owned())));
        for n in 1..NAMES_MAX {
            assert_eq!(names.bind(&n.to_string(), "1"), Ok(()));
        }
        assert_eq!(names.bind("one more", "1"), Err(OidcError::Names(NAMES_MAX)));
        assert_eq!(names.bind("oidc:ada", "1"), Ok(()));
    }
}
