//! Who speaks to the server, and which twins that one may read.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use geminus_core::Clock;
use opcua::nodes::AccessLevel;
use opcua::server::authenticator::{AuthManager, Password, UserToken, user_pass_security_policy_id};
use opcua::server::{ANONYMOUS_USER_TOKEN_ID, ServerEndpoint};
use opcua::sync::Mutex;
use opcua::types::{
    Error, Identifier, MessageSecurityMode, NodeId, StatusCode, UAString, UserTokenPolicy, UserTokenType,
};

use super::space::twin_of;

/// How long rights are remembered: so long a user who was removed may still read.
const REMEMBERED: Duration = Duration::from_secs(1);
/// Users whose rights are remembered.
const REMEMBERED_MAX: usize = 1_000;
/// The policy of the library for those without a name.
const ANONYMOUS_POLICY: &str = "anonymous";

/// Whether a twin may be read.
pub type Rights = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// Somebody who has logged in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Visitor {
    /// The name, without spaces.
    pub name: String,
    /// What changes with the password; without spaces.
    pub stamp: String,
}

/// Who knows users and what they may.
pub trait Doorkeeper: fmt::Debug + Send + Sync + 'static {
    /// Whose name and password these are; `None` when they do not belong together, or too often did not. Blocks for the hash.
    fn admit(&self, name: &str, password: &str) -> Option<Visitor>;

    /// What a visitor may read now; `None` when there is no such user any more, or its password has changed.
    fn rights(&self, visitor: &Visitor) -> Option<Rights>;
}

/// The door of one server.
pub(crate) struct Door {
    keeper: Arc<dyn Doorkeeper>,
    anonymous: bool,
    clock: Arc<dyn Clock>,
    known: Mutex<HashMap<String, (Duration, Option<Rights>)>>,
}

impl Door {
    pub(crate) fn new(keeper: Arc<dyn Doorkeeper>, anonymous: bool, clock: Arc<dyn Clock>) -> Self {
        Self { keeper, anonymous, clock, known: Mutex::default() }
    }

    /// Whether whoever has the token may read the twin; what is of no twin is for everybody who is in.
    pub(crate) fn may_read(&self, token: &str, twin: &str) -> bool {
        if token == ANONYMOUS_USER_TOKEN_ID {
            return self.anonymous;
        }
        self.rights(token).is_some_and(|rights| twin.is_empty() || rights(twin))
    }

    fn rights(&self, token: &str) -> Option<Rights> {
        let now = self.clock.monotonic();
        let mut known = self.known.lock();
        if let Some((until, rights)) = known.get(token)
            && now < *until
        {
            return rights.clone();
        }
        let rights = visitor(token).and_then(|visitor| self.keeper.rights(&visitor));
        if known.len() >= REMEMBERED_MAX {
            known.clear();
        }
        known.insert(token.to_owned(), (now + REMEMBERED, rights.clone()));
        rights
    }
}

/// The token of a visitor, which no name without spaces can be taken for.
fn token(visitor: &Visitor) -> String {
    format!("{} {}", visitor.name, visitor.stamp)
}

fn visitor(token: &str) -> Option<Visitor> {
    let (name, stamp) = token.split_once(' ')?;
    Some(Visitor { name: name.to_owned(), stamp: stamp.to_owned() })
}

fn denied() -> Error {
    Error::new(StatusCode::BadUserAccessDenied, "this name and this password do not belong together")
}

#[async_trait]
impl AuthManager for Door {
    async fn authenticate_anonymous_token(&self, _endpoint: &ServerEndpoint) -> Result<(), Error> {
        match self.anonymous {
            true => Ok(()),
            false => {
                Err(Error::new(StatusCode::BadIdentityTokenRejected, "a name and a password are needed"))
            }
        }
    }

    async fn authenticate_username_identity_token(
        &self,
        endpoint: &ServerEndpoint,
        username: &str,
        password: &Password,
    ) -> Result<UserToken, Error> {
        if endpoint.message_security_mode() == MessageSecurityMode::None {
            return Err(denied());
        }
        let keeper = Arc::clone(&self.keeper);
        let (name, password) = (username.to_owned(), password.get().to_owned());
        let admitted = tokio::task::spawn_blocking(move || keeper.admit(&name, &password)).await;
        let visitor = admitted.ok().flatten().ok_or_else(denied)?;
        Ok(UserToken(token(&visitor)))
    }

    /// Takes from a node of a twin what its reader may not do; nothing may ever be written.
    fn effective_user_access_level(
        &self,
        token: &UserToken,
        user_access_level: AccessLevel,
        node_id: &NodeId,
    ) -> AccessLevel {
        let twin = match (node_id.namespace, &node_id.identifier) {
            (0 | 1, _) => "",
            (_, Identifier::String(text)) => twin_of(text.as_ref()),
            _ => "",
        };
        match self.may_read(&token.0, twin) {
            true => user_access_level & AccessLevel::CURRENT_READ,
            false => AccessLevel::empty(),
        }
    }

    fn user_token_policies(&self, endpoint: &ServerEndpoint) -> Vec<UserTokenPolicy> {
        let policy = |policy_id: UAString, token_type| UserTokenPolicy {
            policy_id,
            token_type,
            issued_token_type: UAString::null(),
            issuer_endpoint_url: UAString::null(),
            security_policy_uri: UAString::null(),
        };
        let mut policies = Vec::new();
        if self.anonymous {
            policies.push(policy(ANONYMOUS_POLICY.into(), UserTokenType::Anonymous));
        }
        if endpoint.message_security_mode() != MessageSecurityMode::None {
            policies.push(policy(user_pass_security_policy_id(endpoint), UserTokenType::UserName));
        }
        policies
    }
}
