//! The dashboard's files: found by name, sent with what lets a browser keep them.
//!
//! Files under `assets/` carry their digest in their name and never change; all others are asked for again and
//! answered with 304 while they are the same. The page routes by hash, so every path that is no file and has no
//! extension is answered with `index.html`.

use std::borrow::Cow;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::error::Failure;

/// Finds a file by its path, without a leading slash: `index.html`, `assets/index-4f2a.js`.
pub type Assets = fn(&str) -> Option<Asset>;

/// One file of the dashboard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asset {
    /// Its content.
    pub bytes: Cow<'static, [u8]>,
    /// For example `text/html; charset=utf-8`.
    pub content_type: Cow<'static, str>,
    /// Changes with the content; with or without its quotes.
    pub etag: String,
}

const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const REVALIDATE: HeaderValue = HeaderValue::from_static("no-cache");

/// What a host without the page says of itself.
const NO_DASHBOARD: &str = "This geminus was built without its dashboard. The API is at /api/v1/site and described at \
                            /api/v1/openapi.json.\n";

/// Answers a path outside the API.
pub(crate) fn answer(assets: Option<Assets>, method: &Method, path: &str, headers: &HeaderMap) -> Response {
    if method != Method::GET && method != Method::HEAD {
        let message = format!("{method} is not possible here; the dashboard is only read");
        return Failure::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", message).into_response();
    }
    match (assets, name(path)) {
        (None, Some("index.html")) => NO_DASHBOARD.into_response(),
        (Some(find), Some(name)) => {
            match find(name).map(|asset| (name, asset)).or_else(|| page(find, name)) {
                Some((name, asset)) => file(name, asset, headers),
                None => Failure::no_such_route(path).into_response(),
            }
        }
        _ => Failure::no_such_route(path).into_response(),
    }
}

/// The name of the file that a path asks for. `None` for a path that no file of ours can have: every byte that
/// our build never writes is refused, so that no spelling of `..` comes through.
fn name(path: &str) -> Option<&str> {
    let name = path.strip_prefix('/')?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '/');
    let ordinary = |part: &str| !part.is_empty() && !part.starts_with('.');
    match name {
        "" => Some("index.html"),
        _ => (name.chars().all(plain) && name.split('/').all(ordinary)).then_some(name),
    }
}

fn page(find: Assets, name: &str) -> Option<(&'static str, Asset)> {
    let file = name.rsplit('/').next().unwrap_or(name);
    if file.contains('.') { None } else { find("index.html").map(|asset| ("index.html", asset)) }
}

fn file(name: &str, asset: Asset, request: &HeaderMap) -> Response {
    let etag = format!("\"{}\"", asset.etag.trim_matches('"'));
    let known = request.get(header::IF_NONE_MATCH).and_then(|tags| tags.to_str().ok()).is_some_and(|tags| {
        tags.split(',').map(|tag| tag.trim().trim_start_matches("W/")).any(|tag| tag == etag || tag == "*")
    });
    let mut response = match known {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => Response::new(match asset.bytes {
            Cow::Borrowed(bytes) => Body::from(bytes),
            Cow::Owned(bytes) => Body::from(bytes),
        }),
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, if name.starts_with("assets/") { IMMUTABLE } else { REVALIDATE });
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        headers.insert(header::ETAG, etag);
    }
    if let Ok(content_type) = HeaderValue::from_str(&asset.content_type) {
        headers.insert(header::CONTENT_TYPE, content_type);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_come_through() {
        let check = |path: &str, expect: Option<&str>| assert_eq!(name(path), expect, "{path}");
        check("/", Some("index.html"));
        check("/assets/index-4f2a.js", Some("assets/index-4f2a.js"));
        check("/twins", Some("twins"));
        for path in [
            "",
            "index.html",
            "/../etc/passwd",
            "/assets/../../x",
            "/%2e%2e/x",
            "/a//b",
            "/.env",
            "/a\\..\\b",
            "/a/",
            "/a\0b",
        ] {
            check(path, None);
        }
    }
}
