//! The part of `site.toml` about who may come: an OpenID Connect issuer beside users and tokens of this host.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who else may say who somebody is, beside users and tokens of this host.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Access {
    /// An issuer of OpenID Connect over which people log in, and whose tokens programs bring: `[access.oidc]`. With one the site is
    /// never open, also while it has no users.
    pub oidc: Option<Oidc>,
}

/// An issuer of OpenID Connect.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Oidc {
    /// What people call it: stands on the button of the login.
    #[serde(default = "title")]
    pub title: String,
    /// Address of the issuer, exactly as its tokens have it: `https://login.example/realms/plant`. Without TLS on loopback only.
    pub issuer: String,
    /// PEM file, relative to the site file, of the authorities that the issuer's certificate may come from. Nothing else is
    /// trusted. Needed with https.
    #[serde(default)]
    pub ca: Option<String>,
    /// Id of this host at the issuer.
    pub client_id: String,
    /// File with the secret of this host at the issuer in its first line, relative to this file and readable by nobody else. Without
    /// one this host is a public client, which PKCE alone protects.
    #[serde(default)]
    pub client_secret_file: Option<String>,
    /// Where the issuer sends a browser back to, as the issuer knows it: the address of this host as people reach it, and
    /// `/api/v1/session/oidc/callback`.
    pub redirect: String,
    /// What is asked for beside `openid`, so that the token of a login has the claims below.
    #[serde(default = "scopes")]
    pub scopes: Vec<String>,
    /// For whom access tokens of programs must be (`aud`). Without one none is accepted.
    #[serde(default)]
    pub audience: Option<String>,
    /// What may sign a token.
    #[serde(default = "algorithms")]
    pub algorithms: Vec<OidcAlgorithm>,
    /// Seconds that the clocks of issuer and host may differ; 0 … 300.
    #[serde(default = "leeway")]
    pub leeway_s: u32,
    /// Claim that says who it is. It must be unique at the issuer; here the name is `oidc:` and what stands there.
    #[serde(default = "name_claim")]
    pub name_claim: String,
    /// Claim that says what somebody is: a text or a list of texts. Dots lead into objects: `realm_access.roles`.
    #[serde(default = "roles_claim")]
    pub roles_claim: String,
    /// Hours for which keys of the issuer count when it cannot be asked for them again; 1 … 168.
    #[serde(default = "keys_hours")]
    pub keys_hours_max: u32,
    /// What values of `roles_claim` are worth here: `[[access.oidc.grant]]`. The first that fits counts, and no sum of them; whoever
    /// has none of them is turned away.
    #[serde(default)]
    pub grant: Vec<OidcGrant>,
}

/// What one value of the claim is worth.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OidcGrant {
    /// The value, exactly.
    pub value: String,
    /// Roles that it gives.
    pub roles: Vec<OidcRole>,
    /// For which twins: patterns of ids, where `*` stands for any run of characters.
    #[serde(default = "all")]
    pub twins: Vec<String>,
}

/// A role of this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OidcRole {
    /// Reads.
    Viewer,
    /// Handles alarms, commands.
    Operator,
    /// Handles alarms, brings plugins and rolls them out.
    Engineer,
    /// Approves what others propose.
    Approver,
    /// Brings records of other systems.
    Recorder,
    /// Everything.
    Admin,
}

/// What may sign a token: with a public key in every case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum OidcAlgorithm {
    /// RSA, PKCS #1 v1.5, SHA-256.
    RS256,
    /// RSA, PKCS #1 v1.5, SHA-384.
    RS384,
    /// RSA, PKCS #1 v1.5, SHA-512.
    RS512,
    /// RSA, PSS, SHA-256.
    PS256,
    /// RSA, PSS, SHA-384.
    PS384,
    /// RSA, PSS, SHA-512.
    PS512,
    /// ECDSA, P-256.
    ES256,
    /// ECDSA, P-384.
    ES384,
    /// Ed25519.
    EdDSA,
}

impl OidcRole {
    /// As it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Engineer => "engineer",
            Self::Approver => "approver",
            Self::Recorder => "recorder",
            Self::Admin => "admin",
        }
    }
}

impl OidcAlgorithm {
    /// As it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            Self::PS256 => "PS256",
            Self::PS384 => "PS384",
            Self::PS512 => "PS512",
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::EdDSA => "EdDSA",
        }
    }
}

fn title() -> String {
    "Single sign-on".to_owned()
}

fn scopes() -> Vec<String> {
    vec!["profile".to_owned()]
}

fn algorithms() -> Vec<OidcAlgorithm> {
    vec![OidcAlgorithm::RS256, OidcAlgorithm::ES256]
}

fn leeway() -> u32 {
    60
}

fn name_claim() -> String {
    "preferred_username".to_owned()
}

fn roles_claim() -> String {
    "groups".to_owned()
}

fn keys_hours() -> u32 {
    24
}

fn all() -> Vec<String> {
    vec!["*".to_owned()]
}
