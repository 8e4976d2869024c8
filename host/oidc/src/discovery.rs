//! What the issuer says about itself: where people log in, where tokens are given, where its keys lie.

use serde::Deserialize;
use url::Url;

use crate::fetch::Line;
use crate::settings::address;

/// Addresses of the issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoints {
    pub(crate) authorization: Url,
    pub(crate) token: Url,
    pub(crate) keys: Url,
    /// Whether our secret goes into the header, which is what an issuer must take unless it says otherwise.
    pub(crate) basic: bool,
}

#[derive(Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    code_challenge_methods_supported: Option<Vec<String>>,
}

/// Asks the issuer. Blocks.
///
/// # Errors
/// Why it could not be had, or is not believed, as the end of a sentence.
pub(crate) fn discover(line: &Line, issuer: &str) -> Result<Endpoints, String> {
    let at = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let text = line.get(&at)?;
    let document: Document =
        serde_json::from_slice(&text).map_err(|_| format!("{at} is no OpenID configuration"))?;
    believe(document, issuer, &at)
}

fn believe(document: Document, issuer: &str, at: &str) -> Result<Endpoints, String> {
    if document.issuer != issuer {
        let said: String = document.issuer.chars().take(200).collect();
        return Err(format!("{at} is of the issuer {said:?}, and access.oidc.issuer is {issuer:?}"));
    }
    // An issuer that says nothing may know it all the same; one that names others does not.
    if document.code_challenge_methods_supported.is_some_and(|all| !all.iter().any(|one| one == "S256")) {
        return Err(format!("{at} says that the issuer does not know PKCE with S256"));
    }
    let secure = issuer.starts_with("https://");
    let safe = |what: &'static str, text: &str| {
        let url = address("issuer", text).ok().filter(|url| !secure || url.scheme() == "https");
        url.ok_or_else(|| format!("{at} names a {what} that is not safe to be asked"))
    };
    Ok(Endpoints {
        authorization: safe("authorization_endpoint", &document.authorization_endpoint)?,
        token: safe("token_endpoint", &document.token_endpoint)?,
        keys: safe("jwks_uri", &document.jwks_uri)?,
        basic: document
            .token_endpoint_auth_methods_supported
            .is_none_or(|all| all.iter().any(|one| one == "client_secret_basic")),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const ISSUER: &str = "https://login.example/realms/plant";

    fn check(key: &str, value: Value, expect: Result<bool, &str>) {
        let mut document = json!({
            "issuer": ISSUER,
            "authorization_endpoint": "https://login.example/auth?p=plant",
            "token_endpoint": "https://other.example/token",
            "jwks_uri": "https://login.example/keys",
        });
        document[key] = value;
        let document = serde_json::from_value(document).expect("a document");
        match (believe(document, ISSUER, "it"), expect) {
            (Ok(endpoints), Ok(basic)) => assert_eq!(endpoints.basic, basic, "{key}"),
            (Err(said), Err(part)) => assert!(said.contains(part), "{said}"),
            (found, _) => panic!("{key}: {found:?}"),
        }
    }

    #[test]
    fn an_issuer_is_believed_about_itself_and_over_tls_only() {
        check("more", json!(1), Ok(true));
        check("issuer", json!("https://login.example/realms/plant/"), Err("is of the issuer"));
        check("issuer", json!("https://evil.example"), Err("is of the issuer"));
        check("token_endpoint", json!("http://other.example/token"), Err("token_endpoint"));
        check("token_endpoint", json!("http://127.0.0.1/token"), Err("token_endpoint"));
        check("jwks_uri", json!("file:///etc/passwd"), Err("jwks_uri"));
        check("authorization_endpoint", json!("javascript:alert(1)"), Err("authorization_endpoint"));
        check("code_challenge_methods_supported", json!(["plain"]), Err("S256"));
        check("code_challenge_methods_supported", json!(["plain", "S256"]), Ok(true));
        check("token_endpoint_auth_methods_supported", json!(["client_secret_post"]), Ok(false));
    }
}
