//! The doors that every request passes, and the headers that every answer carries.
//!
//! First under which name and from which page a request comes; then, by [`admission`], who asks, and by the one table in
//! [`permission`] whether that one may.

pub(crate) mod admission;
pub(crate) mod cookie;
pub(crate) mod pace;
pub(crate) mod permission;

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header, uri::Authority};
use axum::response::Response;

use crate::error::Failure;

/// Everything from this host, nothing from elsewhere, no page of others around ours. Styles may stand in elements,
/// because the plots set theirs there; scripts may not.
const CONTENT_SECURITY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'; \
     base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
);

/// Refuses requests that a foreign web page had a browser make: a name that is not ours (DNS rebinding), or a
/// page of another origin. Programs send neither header and pass.
pub(crate) fn check_origin(hosts: &[String], uri: &Uri, headers: &HeaderMap) -> Result<(), Failure> {
    let text = |name: header::HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let host = text(header::HOST).or(uri.authority().map(Authority::as_str)).unwrap_or_default();
    if !is_ours(hosts, host) {
        let message = format!(
            "this host does not answer to the name {host:?}; use its address or localhost, or add the name to \
             http.hosts in site.toml"
        );
        return Err(Failure::new(StatusCode::FORBIDDEN, "host-not-allowed", message));
    }
    let foreign_origin = text(header::ORIGIN).is_some_and(|origin| {
        let authority = origin.strip_prefix("http://").or(origin.strip_prefix("https://"));
        !authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host))
    });
    let fetch = |name: &'static str| headers.get(name).and_then(|value| value.to_str().ok());
    let foreign_fetch =
        fetch("sec-fetch-site") == Some("cross-site") && fetch("sec-fetch-mode") != Some("navigate");
    if foreign_origin || foreign_fetch {
        let message = "pages of other origins may not use this API";
        return Err(Failure::new(StatusCode::FORBIDDEN, "origin-not-allowed", message));
    }
    Ok(())
}

/// A plain address cannot be rebound; `localhost` never leaves the machine; other names must be configured.
fn is_ours(hosts: &[String], host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    if host.contains('@') {
        return false;
    }
    let name = authority.host().trim_start_matches('[').trim_end_matches(']');
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    name.parse::<IpAddr>().is_ok()
        || name == "localhost"
        || name.ends_with(".localhost")
        || hosts.iter().any(|known| known.eq_ignore_ascii_case(&name))
}

/// Puts on what every answer carries.
pub(crate) fn seal(response: &mut Response) {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

/// What an answer to a wrong method says.
pub(crate) async fn wrong_method(method: Method, uri: Uri) -> Failure {
    let message = format!("{method} is not possible at {}; the header Allow lists what is", uri.path());
    Failure::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_be_rebound_are_refused() {
        let hosts = ["pump-house.example".to_owned()];
        let ours = [
            "localhost",
            "localhost:8080",
            "LOCALHOST.:80",
            "a.localhost:1",
            "127.0.0.1:8080",
            "[::1]:8080",
            "192.168.1.7",
            "Pump-House.example:80",
        ];
        for host in ours {
            assert!(is_ours(&hosts, host), "{host}");
        }
        let foreign = [
            "",
            "evil.example",
            "evil.example:8080",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "a@localhost",
            "a b",
        ];
        for host in foreign {
            assert!(!is_ours(&hosts, host), "{host}");
        }
    }

    #[test]
    fn foreign_pages_are_refused_and_programs_pass() {
        let check = |pairs: &[(&'static str, &'static str)], pass: bool| {
            let headers = pairs.iter().map(|(name, value)| {
                (header::HeaderName::from_static(name), HeaderValue::from_static(value))
            });
            let headers: HeaderMap = headers.collect();
            let result = check_origin(&[], &Uri::from_static("/api/v1/site"), &headers);
            assert_eq!(result.is_ok(), pass, "{pairs:?} {result:?}");
        };
        check(&[("host", "localhost:1")], true);
        check(&[("host", "localhost:1"), ("origin", "http://localhost:1")], true);
        check(&[("host", "localhost:1"), ("origin", "http://localhost:2")], false);
        check(&[("host", "localhost:1"), ("origin", "http://evil.example")], false);
        check(&[("host", "localhost:1"), ("origin", "null")], false);
        check(&[("host", "evil.example"), ("origin", "http://evil.example")], false);
        check(&[("host", "localhost:1"), ("sec-fetch-site", "cross-site")], false);
        let link =
            [("host", "localhost:1"), ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")];
        check(&link, true);
        check(&[], false);
    }
}
