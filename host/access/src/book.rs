//! Users and tokens as they are kept, and the way to whoever keeps them.

use std::fmt;

use geminus_core::{Digest, Event, Timestamp};

use crate::{Roles, Scope};

/// Somebody who may log in.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// Unique among users.
    pub name: String,
    /// Hash of the password, as a PHC string.
    pub password: String,
    /// What the user is to the plant.
    pub roles: Roles,
    /// For which twins.
    pub scope: Scope,
    /// When it was made.
    pub since: Timestamp,
}

/// Even the hash of a password belongs into no log.
impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, roles, scope, since, password: _ } = self;
        write!(f, "User({name}, {roles}, {scope}, {since:?})")
    }
}

/// A program that may come, and the person who answers for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Unique among tokens.
    pub name: String,
    /// SHA-256 of the token.
    pub digest: Digest,
    /// What the program is to the plant.
    pub roles: Roles,
    /// For which twins.
    pub scope: Scope,
    /// Name of the user who answers for it; without that user there is no token.
    pub owner: String,
    /// When it was made.
    pub since: Timestamp,
    /// From when on it opens nothing; `None`: until it is removed.
    pub expires: Option<Timestamp>,
}

/// Everything that is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Book {
    /// In order of name.
    pub users: Vec<User>,
    /// In order of name.
    pub tokens: Vec<Token>,
}

/// One change of the book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A user, new or in the place of the one of this name.
    PutUser(User),
    /// The user of this name goes, and with it the tokens for which it answers.
    RemoveUser(String),
    /// A new token.
    PutToken(Token),
    /// The token of this name goes.
    RemoveToken(String),
}

/// A user as somebody wants it.
#[derive(Clone)]
pub struct UserWish {
    /// Its name.
    pub name: String,
    /// Its password, in the clear, for as long as it takes to hash it.
    pub password: String,
    /// What it shall be.
    pub roles: Roles,
    /// For which twins.
    pub scope: Scope,
}

/// Shows no password.
impl fmt::Debug for UserWish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UserWish({}, {}, {})", self.name, self.roles, self.scope)
    }
}

/// A token as somebody wants it.
#[derive(Clone, Debug)]
pub struct TokenWish {
    /// Its name.
    pub name: String,
    /// What the program shall be.
    pub roles: Roles,
    /// For which twins.
    pub scope: Scope,
    /// Who answers for it.
    pub owner: String,
    /// From when on it opens nothing.
    pub expires: Option<Timestamp>,
}

/// Why the book could not be read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("users and tokens: {0}")]
pub struct KeepError(pub String);

/// Whoever keeps the book. All methods may block on the disk.
pub trait Keep: fmt::Debug + Send + Sync {
    /// Whether somebody else changed it since it was last read here: cheap.
    ///
    /// # Errors
    /// When that cannot be told.
    fn has_changed(&self) -> Result<bool, KeepError>;

    /// All of it.
    ///
    /// # Errors
    /// When it cannot be read.
    fn read(&self) -> Result<Book, KeepError>;

    /// Makes the change and leaves word of it for the journal, both or neither. `allowed` judges the book as it stands in
    /// the same moment, so that two changes at once cannot leave what neither alone would; its refusal comes back.
    ///
    /// # Errors
    /// When it cannot be written; then nothing has changed.
    fn change(&self, change: &Change, word: &Event, allowed: &Allowed<'_>) -> Result<Verdict, KeepError>;
}

/// Judges a change against the book.
pub type Allowed<'a> = dyn Fn(&Book) -> Verdict + 'a;
/// What came of a change: the refusal, or nothing.
pub type Verdict = Result<(), crate::AccessError>;

/// Keeps nothing: a site that has no users and can get none.
#[derive(Clone, Copy, Debug)]
pub struct NoKeep;

impl Keep for NoKeep {
    fn has_changed(&self) -> Result<bool, KeepError> {
        Ok(false)
    }

    fn read(&self) -> Result<Book, KeepError> {
        Ok(Book::default())
    }

    fn change(&self, _: &Change, _: &Event, _: &Allowed<'_>) -> Result<Verdict, KeepError> {
        Err(KeepError("this host keeps none".to_owned()))
    }
}
