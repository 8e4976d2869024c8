//! Who a token is about, in names of this host.
//!
//! Names of an issuer begin with a mark that no user can have, so that neither can be taken for the other; and a name belongs
//! to the first subject that came with it, and a subject to its first name, because most issuers let people choose their name.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;

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

/// Which subject a name belongs to, and which name a subject has: one person is one name here, also over a restart, because an
/// approver who could come under a second name would approve what he proposed.
#[derive(Debug, Default)]
pub(crate) struct Names {
    subjects: HashMap<String, String>,
    names: HashMap<String, String>,
    /// Where they are kept; `None` keeps them while the host runs.
    kept: Option<File>,
}

impl Names {
    /// Those that are kept in `file`, which is made when it is not there. Blocks on the disk.
    pub(crate) fn open(file: &Path) -> std::io::Result<Self> {
        let kept = OpenOptions::new().read(true).append(true).create(true).open(file)?;
        let mut names = Self::default();
        for line in BufReader::new(&kept).lines() {
            let line = line?;
            // A line that a kill has cut short was never answered.
            if let Ok((name, subject)) = serde_json::from_str::<(String, String)>(&line) {
                names.remember(name, subject);
            }
        }
        // So that what follows a line that was cut short is a line of its own.
        writeln!(&kept)?;
        names.kept = Some(kept);
        Ok(names)
    }

    fn bind(&mut self, name: &str, subject: &str) -> Result<(), OidcError> {
        match (self.subjects.get(name), self.names.get(subject)) {
            (Some(known), _) if known != subject => Err(OidcError::NameTaken(name.to_owned())),
            (Some(_), _) => Ok(()),
            (None, Some(first)) => Err(OidcError::SecondName { name: name.to_owned(), first: first.clone() }),
            (None, None) if self.subjects.len() >= NAMES_MAX => Err(OidcError::Names(NAMES_MAX)),
            (None, None) => {
                self.keep(name, subject).map_err(|error| OidcError::NotKept(error.to_string()))?;
                self.remember(name.to_owned(), subject.to_owned());
                Ok(())
            }
        }
    }

    fn keep(&mut self, name: &str, subject: &str) -> std::io::Result<()> {
        let Some(file) = &mut self.kept else { return Ok(()) };
        let line = serde_json::to_string(&(name, subject))?;
        file.write_all(format!("{line}\n").as_bytes())?;
        file.sync_data()
    }

    fn remember(&mut self, name: String, subject: String) {
        self.names.insert(subject.clone(), name.clone());
        self.subjects.insert(name, subject);
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
            assert_eq!(names.bind(&n.to_string(), &format!("s{n}")), Ok(()));
        }
        assert_eq!(names.bind("one more", "one more"), Err(OidcError::Names(NAMES_MAX)));
        assert_eq!(names.bind("oidc:ada", "1"), Ok(()));
    }

    #[test]
    fn a_subject_has_one_name_also_over_a_restart() {
        let folder = tempfile::tempdir().expect("folder");
        let file = folder.path().join("names");
        let open = || Names::open(&file).expect("opens");
        let second = OidcError::SecondName { name: "oidc:ada2".to_owned(), first: "oidc:ada".to_owned() };
        let mut names = open();
        assert_eq!(names.bind("oidc:ada", "17"), Ok(()));
        assert_eq!(names.bind("oidc:ada2", "17"), Err(second.clone()));
        drop(names);
        // A kill in the middle of a line.
        let half =
            OpenOptions::new().append(true).open(&file).expect("file").write_all(b"[\"oidc:eve\", \"1");
        half.expect("written");
        for _ in 0..2 {
            let mut names = open();
            assert_eq!(names.bind("oidc:ada2", "17"), Err(second.clone()));
            assert_eq!(names.bind("oidc:ada", "18"), Err(OidcError::NameTaken("oidc:ada".to_owned())));
            assert_eq!(names.bind("oidc:bob", "19"), Ok(()));
        }
    }
}
