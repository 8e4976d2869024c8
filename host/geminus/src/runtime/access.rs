//! Users and tokens between the gate, which decides, and `access.db`, which keeps: also while the command line writes
//! there beside the host.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use geminus_access::{Allowed, Book, Change, Gate, Keep, KeepError, Token, User, Verdict};
use geminus_core::{Clock, Event, SystemClock};
use geminus_store::{AccessBook, AccessChange, AccessFile, StoreError};
use serde::{Deserialize, Serialize};

use super::chronicle::Chronicle;

/// How often changes by the command line are looked for, and words are passed on to the journal.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Most words that are passed on at a time.
const WORDS_MAX: u32 = 256;

/// The book in a file.
#[derive(Clone, Debug)]
pub(crate) struct Kept(Arc<AccessFile>);

impl Kept {
    /// Opens the one of a data folder, or makes it. Blocks.
    pub(crate) fn open(data: &Path) -> Result<Self, StoreError> {
        AccessFile::open(data).map(|file| Self(Arc::new(file)))
    }

    /// Leaves word for the journal of what the command line has done beside the host. Blocks.
    pub(crate) fn note(&self, word: &Event) -> Result<(), StoreError> {
        self.0.note((SystemClock::new().now(), word))
    }
}

/// What is written of a user, beside its name.
#[derive(Debug, Deserialize, Serialize)]
struct UserDocument {
    password: String,
    roles: String,
    twins: String,
    since: u64,
}

/// What is written of a token, beside its name.
#[derive(Debug, Deserialize, Serialize)]
struct TokenDocument {
    digest: String,
    roles: String,
    twins: String,
    owner: String,
    since: u64,
    expires: Option<u64>,
}

impl Keep for Kept {
    fn has_changed(&self) -> Result<bool, KeepError> {
        self.0.has_changed().map_err(failed)
    }

    fn read(&self) -> Result<Book, KeepError> {
        read(&self.0.read().map_err(failed)?)
    }

    fn change(&self, change: &Change, word: &Event, allowed: &Allowed<'_>) -> Result<Verdict, KeepError> {
        let written = written(change)?;
        let now = SystemClock::new().now();
        let judge = |book: &AccessBook| match read(book) {
            Ok(book) => allowed(&book),
            Err(error) => Err(error.into()),
        };
        self.0.change(&written, (now, word), judge).map_err(failed)
    }
}

fn failed(error: impl std::fmt::Display) -> KeepError {
    KeepError(error.to_string())
}

/// One that cannot be read fails them all: a user who is left out could be the only one, and the site open.
fn read(book: &AccessBook) -> Result<Book, KeepError> {
    let users = book.users.iter().map(|(name, document)| {
        let of: UserDocument = serde_json::from_str(document).map_err(|error| unreadable(name, error))?;
        Ok::<_, KeepError>(User {
            name: name.clone(),
            password: of.password,
            roles: of.roles.parse().map_err(|error| unreadable(name, error))?,
            scope: of.twins.parse().map_err(|error| unreadable(name, error))?,
            since: geminus_core::Timestamp(of.since),
        })
    });
    let tokens = book.tokens.iter().map(|(name, document)| {
        let of: TokenDocument = serde_json::from_str(document).map_err(|error| unreadable(name, error))?;
        Ok::<_, KeepError>(Token {
            name: name.clone(),
            digest: of.digest.parse().map_err(|error| unreadable(name, error))?,
            roles: of.roles.parse().map_err(|error| unreadable(name, error))?,
            scope: of.twins.parse().map_err(|error| unreadable(name, error))?,
            owner: of.owner,
            since: geminus_core::Timestamp(of.since),
            expires: of.expires.map(geminus_core::Timestamp),
        })
    });
    Ok(Book { users: users.collect::<Result<_, _>>()?, tokens: tokens.collect::<Result<_, _>>()? })
}

fn unreadable(name: &str, error: impl std::fmt::Display) -> KeepError {
    KeepError(format!("{name} in access.db cannot be read: {error}; run the version that wrote it"))
}

fn written(change: &Change) -> Result<AccessChange, KeepError> {
    Ok(match change {
        Change::PutUser(User { name, password, roles, scope, since }) => {
            let (password, roles, twins) = (password.clone(), roles.to_string(), scope.to_string());
            let document = UserDocument { password, roles, twins, since: since.0 };
            let document = serde_json::to_string(&document).map_err(failed)?;
            AccessChange::PutUser { name: name.clone(), document }
        }
        Change::RemoveUser(name) => AccessChange::RemoveUser(name.clone()),
        Change::PutToken(Token { name, digest, roles, scope, owner, since, expires }) => {
            let document = TokenDocument {
                digest: digest.to_string(),
                roles: roles.to_string(),
                twins: scope.to_string(),
                owner: owner.clone(),
                since: since.0,
                expires: expires.map(|time| time.0),
            };
            let document = serde_json::to_string(&document).map_err(failed)?;
            AccessChange::PutToken { name: name.clone(), owner: owner.clone(), document }
        }
        Change::RemoveToken(name) => AccessChange::RemoveToken(name.clone()),
    })
}

/// Follows what the command line changes, and passes words about changes on to the journal, until the process ends.
pub(super) async fn follow(gate: Arc<Gate>, kept: Kept, chronicle: Chronicle) {
    let mut tick = tokio::time::interval(LOOK_EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut told, mut fault) = (0, None);
    loop {
        tick.tick().await;
        let (gate, kept, chronicle) = (Arc::clone(&gate), kept.clone(), chronicle.clone());
        let looked = tokio::task::spawn_blocking(move || {
            let followed = gate.refresh().map_err(|error| error.to_string());
            let (told, passed) = pass_on(&kept.0, &chronicle, told);
            (told, followed.err().or(passed.err().map(|error| error.to_string())))
        });
        let Ok((now_told, now_fault)) = looked.await else { continue };
        told = now_told;
        if let Some(error) = now_fault.as_ref().filter(|error| fault.as_ref() != Some(*error)) {
            tracing::error!(
                error,
                "changes of users and tokens cannot be followed: those known before count on"
            );
        }
        fault = now_fault;
    }
}

/// Tells words that were not told yet, and forgets them once the journal has them. Gives the last that was told.
fn pass_on(file: &AccessFile, chronicle: &Chronicle, told: u64) -> (u64, Result<(), StoreError>) {
    let words = match file.words(WORDS_MAX) {
        Ok(words) => words,
        Err(error) => return (told, Err(error)),
    };
    let Some(last) = words.last().map(|word| word.id) else { return (told, Ok(())) };
    for word in words.into_iter().filter(|word| word.id > told) {
        let mut event = word.event;
        if let serde_json::Value::Object(facts) = &mut event.facts {
            facts.insert("made".to_owned(), geminus_api::view::Time::from(word.time).to_string().into());
        }
        chronicle.tell(event);
    }
    let kept = chronicle.flush().and_then(|()| file.forget_words(last));
    (told.max(last), kept)
}

/// What a start beyond loopback lacks, in words; `None` when nothing.
pub(super) fn exposure(listen: std::net::SocketAddr, users: bool, tls: bool) -> Option<String> {
    if listen.ip().to_canonical().is_loopback() || (users && tls) {
        return None;
    }
    let lacks = match (users, tls) {
        (false, false) => "users and TLS",
        (false, true) => "users",
        (true, _) => "TLS",
    };
    Some(format!(
        "{listen} can be reached from the network, and this site lacks {lacks}: make an admin with `geminus user add`, give \
         certificate and key in [http.tls], or listen on 127.0.0.1"
    ))
}

#[cfg(test)]
mod tests {
    use geminus_access::{Brought, Now, UserWish};

    use super::*;

    #[test]
    fn beyond_loopback_nothing_runs_without_users_and_tls() {
        let check = |listen: &str, users: bool, tls: bool, lacks: Option<&str>| {
            let found = exposure(listen.parse().expect("address"), users, tls);
            assert_eq!(found.is_some(), lacks.is_some(), "{listen} {users} {tls}");
            assert!(found.unwrap_or_default().contains(lacks.unwrap_or_default()), "{listen} {users} {tls}");
        };
        for loopback in ["127.0.0.1:80", "127.9.9.9:80", "[::1]:80", "[::ffff:127.0.0.1]:80"] {
            check(loopback, false, false, None);
        }
        for network in ["0.0.0.0:80", "[::]:80", "192.168.1.7:80", "[fe80::1]:80", "[::ffff:10.0.0.1]:80"] {
            check(network, false, false, Some("lacks users and TLS"));
            check(network, true, false, Some("lacks TLS"));
            check(network, false, true, Some("lacks users"));
            check(network, true, true, None);
        }
    }

    #[test]
    fn users_and_tokens_outlive_the_process() {
        let dir = tempfile::tempdir().expect("folder");
        let now = Now::of(&SystemClock::new());
        let gate = || {
            let kept = Kept::open(dir.path()).expect("file");
            Gate::open(Box::new(kept), None, Arc::new(|_| {})).expect("gate")
        };
        let wish = UserWish {
            name: "ada".to_owned(),
            password: "correct horse battery".to_owned(),
            roles: "admin".parse().expect("roles"),
            scope: geminus_access::Scope::all(),
        };
        let first = gate();
        let ada = first.add_user(wish, "cli", now).expect("user");
        let wish = geminus_access::TokenWish {
            name: "historian".to_owned(),
            roles: "viewer,operator".parse().expect("roles"),
            scope: "pump-*,fan-1".parse().expect("scope"),
            owner: "ada".to_owned(),
            expires: Some(now.wall.plus(Duration::from_secs(3_600))),
        };
        let (secret, token) = first.add_token(wish, "ada", now).expect("token");
        drop(first);
        let second = gate();
        assert_eq!((second.users(), second.tokens()), (vec![ada], vec![token]));
        let brought = Brought { token: Some(secret.reveal().as_bytes()), session: None };
        assert!(matches!(second.admit(brought, now), geminus_access::Admission::Known(_)));
        let words = AccessFile::open(dir.path()).expect("file").words(10).expect("words");
        let kinds: Vec<_> = words.iter().map(|word| word.event.kind.as_str()).collect();
        assert_eq!(kinds, ["user-made", "token-made"]);
        let bytes: Vec<u8> = std::fs::read_dir(dir.path())
            .expect("folder")
            .flat_map(|entry| std::fs::read(entry.expect("entry").path()).expect("file"))
            .collect();
        for secret in [secret.reveal(), "correct horse battery"] {
            assert!(!bytes.windows(secret.len()).any(|part| part == secret.as_bytes()), "it is on the disk");
        }
    }

    #[test]
    fn one_user_who_cannot_be_read_opens_nothing() {
        let book = AccessBook { users: vec![("ada".to_owned(), "{}".to_owned())], ..AccessBook::default() };
        assert!(read(&book).expect_err("refused").to_string().contains("ada in access.db cannot be read"));
    }
}
