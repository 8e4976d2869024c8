//! Who may do what, as clients read it. No hash and no password is here; a token stands in one answer, the one to
//! whoever made it.

use geminus_access::{Kind, Principal, Token, User};
use geminus_core::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::Time;

/// What kind of one asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum KindView {
    /// Somebody who logged in.
    Person,
    /// A program with a token.
    Program,
    /// Whoever holds the token of the data folder, at a site without users.
    Local,
    /// Anybody, at a site without users.
    Visitor,
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct SessionView {
    /// Name of the user or token; `local` or `visitor` at a site without users.
    #[schema(example = "ada")]
    pub name: String,
    /// What kind of one.
    pub kind: KindView,
    /// Who answers for a program; null for others.
    pub owner: Option<String>,
    /// What it may do.
    #[schema(example = json!(["operator"]))]
    pub roles: Vec<String>,
    /// For which twins: patterns of ids.
    #[schema(example = json!(["pump-*"]))]
    pub twins: Vec<String>,
    /// Whether the site has users; without, anybody on its machine reads, and the token of its data folder writes.
    pub users: bool,
}

impl SessionView {
    pub(crate) fn new(principal: &Principal, users: bool) -> Self {
        let (kind, owner) = match &principal.kind {
            Kind::Person => (KindView::Person, None),
            Kind::Program { owner } => (KindView::Program, Some(owner.clone())),
            Kind::Local => (KindView::Local, None),
            Kind::Visitor => (KindView::Visitor, None),
        };
        let (roles, twins) = (words(&principal.roles), words(&principal.scope));
        Self { name: principal.name.clone(), kind, owner, roles, twins, users }
    }
}

/// How people log in here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct WaysView {
    /// Whether with name and password: the site has users.
    pub password: bool,
    /// What people call the issuer over which they log in, at `/api/v1/session/oidc`; null where there is none.
    #[schema(example = "Plant login")]
    pub oidc: Option<String>,
}

/// All users.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct UsersView {
    /// In order of name.
    pub users: Vec<UserView>,
}

/// A user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct UserView {
    /// Its name.
    #[schema(example = "bob")]
    pub name: String,
    /// What it may do.
    pub roles: Vec<String>,
    /// For which twins: patterns of ids.
    pub twins: Vec<String>,
    /// When it was made.
    pub since: Time,
}

impl From<User> for UserView {
    fn from(user: User) -> Self {
        let (roles, twins) = (words(&user.roles), words(&user.scope));
        Self { name: user.name, roles, twins, since: user.since.into() }
    }
}

/// All tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct TokensView {
    /// In order of name.
    pub tokens: Vec<TokenView>,
}

/// A token, without itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct TokenView {
    /// Its name.
    #[schema(example = "historian")]
    pub name: String,
    /// What the program may do.
    pub roles: Vec<String>,
    /// For which twins: patterns of ids.
    pub twins: Vec<String>,
    /// Who answers for the program.
    pub owner: String,
    /// When it was made.
    pub since: Time,
    /// From when on it opens nothing; null: until it is removed.
    pub expires: Option<Time>,
    /// Whether that has come.
    pub expired: bool,
}

impl TokenView {
    pub(crate) fn new(token: Token, now: Timestamp) -> Self {
        let (roles, twins) = (words(&token.roles), words(&token.scope));
        let Token { name, owner, since, expires, .. } = token;
        let expired = expires.is_some_and(|expires| expires <= now);
        Self { name, roles, twins, owner, since: since.into(), expires: expires.map(Into::into), expired }
    }
}

/// A token that was made.
#[derive(Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct TokenMadeView {
    /// The token itself: shown here and never again.
    pub secret: String,
    /// What it is.
    pub token: TokenView,
}

/// Shows no secret.
impl std::fmt::Debug for TokenMadeView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenMadeView").field("token", &self.token).finish_non_exhaustive()
    }
}

fn words(list: &impl std::fmt::Display) -> Vec<String> {
    list.to_string().split(',').map(str::to_owned).collect()
}
