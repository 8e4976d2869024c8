//! The gate: who asks, by a token or a session; logins; and changes of users and tokens.
//!
//! One for the process, shared. Questions take microseconds and wait for nobody; a login or a new password takes tens of
//! milliseconds of a core, and a change waits for the disk: both belong on a thread that may block.

mod elsewhere;
mod login;
mod own_password;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use geminus_core::{Digest, Event, Severity, Timestamp};
use serde_json::json;

use crate::book::{Book, Change, Keep, NoKeep, Token, TokenWish, User, UserWish, Verdict};
use crate::secret::{Secret, digest_of, is_same};
use crate::session::Sessions;
use crate::throttle::Throttle;
pub use own_password::{PasswordError, PasswordWish};

use crate::{
    AccessError, Issuer, IssuerError, Kind, Now, Permission, Principal, TOKENS_MAX, USERS_MAX, name, password,
};

/// What a request brought. A token counts before a session; when one is brought and wrong, the other is not tried.
#[derive(Clone, Copy, Debug, Default)]
pub struct Brought<'a> {
    /// What stands after `Bearer `.
    pub token: Option<&'a [u8]>,
    /// Id of a session, from the cookie.
    pub session: Option<&'a str>,
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// This one.
    Known(Principal),
    /// Nobody: neither token nor session, at a site with users.
    Missing,
    /// What was brought opens nothing: unknown, expired, removed.
    Wrong,
    /// A token of the issuer that it does not open with, or not now; says why.
    Refused(IssuerError),
}

/// A login that went well.
#[derive(Debug)]
pub struct Login {
    /// Id of the new session, for the cookie.
    pub session: Secret,
    /// Who it is.
    pub principal: Principal,
}

/// The book, laid out for questions.
#[derive(Debug, Default)]
struct Index {
    users: HashMap<String, User>,
    tokens: HashMap<Digest, Token>,
}

/// Where words for the journal go.
type Ear = Arc<dyn Fn(Event) + Send + Sync>;

/// See the module.
pub struct Gate {
    keep: Box<dyn Keep>,
    /// Hash of the token of the data folder, which counts while there are no users; `None` beyond loopback.
    local: Option<Digest>,
    index: RwLock<Arc<Index>>,
    sessions: Mutex<Sessions>,
    throttle: Mutex<Throttle>,
    /// The latest wall time that was seen, in nanoseconds: a clock that is set back brings no token back.
    latest: AtomicU64,
    /// Hash of a password that nobody knows: what a wrong name is compared with.
    nobody: String,
    ear: Ear,
    /// Who else vouches for people and programs.
    issuer: Option<Arc<dyn Issuer>>,
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gate").field("keep", &self.keep).finish_non_exhaustive()
    }
}

impl Gate {
    /// Over what is kept. `local` is the hash of the data folder's token, and given only when nothing but loopback is
    /// listened to: with it and without users, the site is open to read. `ear` hears of logins. Blocks.
    ///
    /// # Errors
    /// When the book cannot be read, or the system gives no randomness.
    pub fn open(keep: Box<dyn Keep>, local: Option<Digest>, ear: Ear) -> Result<Self, AccessError> {
        let nobody = password::hash(Secret::session()?.reveal())?;
        let gate = Self::over(keep, local, nobody, ear);
        gate.read()?;
        Ok(gate)
    }

    /// Of a site that has no users and can get none: what is asked is read by anybody, and `local` writes.
    #[must_use]
    pub fn local(local: Digest) -> Self {
        Self::over(Box::new(NoKeep), Some(local), String::new(), Arc::new(|_| {}))
    }

    fn over(keep: Box<dyn Keep>, local: Option<Digest>, nobody: String, ear: Ear) -> Self {
        let (index, sessions, throttle) = (RwLock::default(), Mutex::default(), Mutex::default());
        let latest = AtomicU64::new(0);
        Self { keep, local, index, sessions, throttle, latest, nobody, ear, issuer: None }
    }

    /// Reads the book anew when somebody else changed it. Blocks.
    ///
    /// # Errors
    /// When it cannot be read; what was known before counts on.
    pub fn refresh(&self) -> Result<(), AccessError> {
        match self.keep.has_changed()? {
            true => self.read(),
            false => Ok(()),
        }
    }

    fn read(&self) -> Result<(), AccessError> {
        let Book { users, tokens } = self.keep.read()?;
        let index = Index {
            users: users.into_iter().map(|user| (user.name.clone(), user)).collect(),
            tokens: tokens.into_iter().map(|token| (token.digest, token)).collect(),
        };
        *self.index.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(index);
        Ok(())
    }

    fn index(&self) -> Arc<Index> {
        Arc::clone(&self.index.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether anybody on this machine may read: there are no users, and nothing but loopback is listened to.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.local.is_some() && self.issuer.is_none() && self.index().users.is_empty()
    }

    /// Whether there are users.
    #[must_use]
    pub fn has_users(&self) -> bool {
        !self.index().users.is_empty()
    }

    /// Who asks. Using a session keeps it alive.
    #[must_use]
    pub fn admit(&self, brought: Brought<'_>, now: Now) -> Admission {
        let index = self.index();
        if let Some(local) = self.local.filter(|_| index.users.is_empty() && self.issuer.is_none()) {
            return match brought.token.map(|token| digest_of(token).is_some_and(|it| is_same(&it, &local))) {
                Some(true) => Admission::Known(Principal::local()),
                // Whoever may read without a token is not turned away for a wrong one; writing is another matter.
                Some(false) | None => Admission::Known(Principal::visitor()),
            };
        }
        let found = match brought {
            Brought { token: Some(token), .. } if self.is_of_issuer(token) => {
                return self.vouched(token, now);
            }
            Brought { token: Some(token), .. } => index.program(token, self.latest(now)),
            Brought { session: Some(session), .. } => self.person(&index, session, now),
            Brought { .. } => return Admission::Missing,
        };
        found.map_or(Admission::Wrong, Admission::Known)
    }

    fn latest(&self, now: Now) -> Timestamp {
        let before = self.latest.fetch_max(now.wall.0, Ordering::Relaxed);
        Timestamp(before.max(now.wall.0))
    }

    fn person(&self, index: &Index, session: &str, now: Now) -> Option<Principal> {
        let is_good = |name: &str, password: &Digest| {
            let user = index.users.get(name);
            user.is_some_and(|user| is_same(&stamp_of(user), password))
        };
        if let Some(guest) = self.sessions().guest(session, now.monotonic) {
            return Some(guest);
        }
        let name = self.sessions().user(session, now.monotonic, is_good)?;
        index.users.get(&name).map(principal_of_user)
    }

    /// Users in order of name.
    #[must_use]
    pub fn users(&self) -> Vec<User> {
        let mut users: Vec<User> = self.index().users.values().cloned().collect();
        users.sort_by(|a, b| a.name.cmp(&b.name));
        users
    }

    /// Tokens in order of name, expired ones among them.
    #[must_use]
    pub fn tokens(&self) -> Vec<Token> {
        let mut tokens: Vec<Token> = self.index().tokens.values().cloned().collect();
        tokens.sort_by(|a, b| a.name.cmp(&b.name));
        tokens
    }

    /// Makes a user. Blocks. `by` is who does it, for the journal.
    ///
    /// # Errors
    /// See [`AccessError`].
    pub fn add_user(&self, wish: UserWish, by: &str, now: Now) -> Result<User, AccessError> {
        let UserWish { name, password, roles, scope } = wish;
        name::check(&name)?;
        password::check(&name, &password)?;
        let user = User { password: password::hash(&password)?, name, roles, scope, since: now.wall };
        let name = user.name.clone();
        let message = format!("{by} made the user {name}: {} for {}", user.roles, user.scope);
        let allowed = |book: &Book| match book {
            Book { users, .. } if users.iter().any(|other| other.name == name) => {
                Err(AccessError::Taken { what: "user", name: name.clone() })
            }
            Book { users, .. } if users.len() >= USERS_MAX => Err(AccessError::Users),
            Book { users, .. } if users.is_empty() && !is_admin(&user) => Err(AccessError::FirstAdmin),
            Book { .. } => Ok(()),
        };
        self.change(&Change::PutUser(user.clone()), word("user-made", message, &name, by), &allowed)?;
        Ok(user)
    }

    /// Gives a user another password, which ends its sessions. Blocks.
    ///
    /// # Errors
    /// See [`AccessError`].
    pub fn set_password(&self, name: &str, password: &str, by: &str) -> Result<(), AccessError> {
        let unknown = || AccessError::Unknown { what: "user", name: name.to_owned() };
        let before = self.index().users.get(name).cloned().ok_or_else(unknown)?;
        password::check(name, password)?;
        let user = User { password: password::hash(password)?, ..before.clone() };
        let message = format!("{by} set the password of {name}");
        let allowed = |book: &Book| match book.users.contains(&before) {
            true => Ok(()),
            false => Err(unknown()),
        };
        self.change(&Change::PutUser(user), word("password-set", message, name, by), &allowed)
    }

    /// Removes a user, with its sessions and the tokens for which it answers. The last admin of all twins stays, unless
    /// `last_too` and nobody else is there: whoever sits at the data folder may open the site again. Blocks.
    ///
    /// # Errors
    /// See [`AccessError`].
    pub fn remove_user(&self, name: &str, last_too: bool, by: &str) -> Result<(), AccessError> {
        let allowed = |book: &Book| {
            let mut others = book.users.iter().filter(|user| user.name != name);
            if !book.users.iter().any(|user| user.name == name) {
                return Err(AccessError::Unknown { what: "user", name: name.to_owned() });
            }
            match others.any(is_admin) || (last_too && book.users.len() == 1) {
                true => Ok(()),
                false => Err(AccessError::LastAdmin(name.to_owned())),
            }
        };
        let message = format!("{by} removed the user {name} and its tokens");
        self.change(&Change::RemoveUser(name.to_owned()), word("user-removed", message, name, by), &allowed)
    }

    /// Makes a token, and gives it for the only time. Blocks.
    ///
    /// # Errors
    /// See [`AccessError`].
    pub fn add_token(&self, wish: TokenWish, by: &str, now: Now) -> Result<(Secret, Token), AccessError> {
        let TokenWish { name, roles, scope, owner, expires } = wish;
        name::check(&name)?;
        if expires.is_some_and(|expires| expires <= now.wall) {
            return Err(AccessError::Expired);
        }
        let secret = Secret::token()?;
        let token = Token { name, digest: secret.digest(), roles, scope, owner, since: now.wall, expires };
        let allowed = |book: &Book| match book {
            Book { users, .. } if !users.iter().any(|user| user.name == token.owner) => {
                Err(AccessError::Unknown { what: "user", name: token.owner.clone() })
            }
            Book { tokens, .. } if tokens.iter().any(|other| other.name == token.name) => {
                Err(AccessError::Taken { what: "token", name: token.name.clone() })
            }
            Book { tokens, .. } if tokens.len() >= TOKENS_MAX => Err(AccessError::Tokens),
            Book { .. } => Ok(()),
        };
        let message = format!(
            "{by} made the token {}: {} for {}; {} answers for it",
            token.name, token.roles, token.scope, token.owner
        );
        let word = word("token-made", message, &token.name, by);
        self.change(&Change::PutToken(token.clone()), word, &allowed)?;
        Ok((secret, token))
    }

    /// Removes a token, which opens nothing from then on. Blocks.
    ///
    /// # Errors
    /// See [`AccessError`].
    pub fn remove_token(&self, name: &str, by: &str) -> Result<(), AccessError> {
        let allowed = |book: &Book| match book.tokens.iter().any(|token| token.name == name) {
            true => Ok(()),
            false => Err(AccessError::Unknown { what: "token", name: name.to_owned() }),
        };
        let message = format!("{by} removed the token {name}");
        self.change(&Change::RemoveToken(name.to_owned()), word("token-removed", message, name, by), &allowed)
    }

    fn change(
        &self,
        change: &Change,
        word: Event,
        allowed: &dyn Fn(&Book) -> Verdict,
    ) -> Result<(), AccessError> {
        self.keep.change(change, &word, allowed)??;
        self.read()
    }
}

impl Index {
    fn program(&self, token: &[u8], latest: Timestamp) -> Option<Principal> {
        let digest = digest_of(token)?;
        let token = self.tokens.get(&digest).filter(|token| is_same(&token.digest, &digest))?;
        let lives = token.expires.is_none_or(|expires| latest < expires);
        (lives && self.users.contains_key(&token.owner)).then(|| Principal {
            name: token.name.clone(),
            kind: Kind::Program { owner: token.owner.clone() },
            roles: token.roles.clone(),
            scope: token.scope.clone(),
        })
    }
}

/// Changes with the password, and does not give it away: it is kept hashed already.
fn stamp_of(user: &User) -> Digest {
    Digest::of(user.password.as_bytes())
}

fn principal_of_user(user: &User) -> Principal {
    let User { name, roles, scope, .. } = user.clone();
    Principal { name, kind: Kind::Person, roles, scope }
}

/// Whether this user can make and remove others.
fn is_admin(user: &User) -> bool {
    principal_of_user(user).may_site(Permission::Administer)
}

fn word(kind: &str, message: String, name: &str, by: &str) -> Event {
    Event::new(kind, Severity::Info, message).facts(json!({"name": name, "by": by}))
}
