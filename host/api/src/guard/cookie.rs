//! The cookie that carries a session: written so that no script and no other site can use it, and read strictly. And the one
//! that a login over an issuer leaves behind for its way back.

use axum::http::{HeaderMap, HeaderValue, header};
use geminus_access::SESSION_LIFE;

/// Under TLS the prefix makes the browser insist that this host itself set it, for all of its paths, over TLS.
const NAME_SECURE: &str = "__Host-geminus-session";
/// On loopback, where there is no TLS to insist on.
const NAME_PLAIN: &str = "geminus-session";
/// Cookies of one request that are looked at; more is no browser of ours.
const COOKIES_MAX: usize = 50;

/// The same two for a login over an issuer.
const LOGIN_SECURE: &str = "__Host-geminus-login";
const LOGIN_PLAIN: &str = "geminus-login";
/// How long somebody may take at the issuer.
const LOGIN_AGE_S: u64 = 600;

fn name(secure: bool) -> &'static str {
    if secure { NAME_SECURE } else { NAME_PLAIN }
}

fn login_name(secure: bool) -> &'static str {
    if secure { LOGIN_SECURE } else { LOGIN_PLAIN }
}

/// The header that lets a browser keep what belongs to a login over an issuer. It comes back from another site, so the cookie
/// must be sent then; it opens nothing by itself.
pub(crate) fn set_login(binding: &str, secure: bool) -> Option<HeaderValue> {
    write(login_name(secure), binding, LOGIN_AGE_S, "Lax", secure)
}

/// The header that takes it away.
pub(crate) fn clear_login(secure: bool) -> Option<HeaderValue> {
    write(login_name(secure), "", 0, "Lax", secure)
}

/// What a browser has kept of a login over an issuer.
pub(crate) fn read_login(headers: &HeaderMap, secure: bool) -> Option<&str> {
    named(headers, login_name(secure))
}

/// The header that gives a browser its session.
pub(crate) fn set(session: &str, secure: bool) -> Option<HeaderValue> {
    write(name(secure), session, SESSION_LIFE.as_secs(), "Strict", secure)
}

/// The header that takes it away.
pub(crate) fn clear(secure: bool) -> Option<HeaderValue> {
    write(name(secure), "", 0, "Strict", secure)
}

fn write(name: &str, value: &str, age_s: u64, site: &str, secure: bool) -> Option<HeaderValue> {
    let end = if secure { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; Max-Age={age_s}; HttpOnly; SameSite={site}{end}");
    let mut header = HeaderValue::from_str(&text).ok()?;
    header.set_sensitive(true);
    Some(header)
}

/// The session that a request brings. Two of the same name are nobody's: one of them was planted.
pub(crate) fn read(headers: &HeaderMap, secure: bool) -> Option<&str> {
    named(headers, name(secure))
}

fn named<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let texts = headers.get_all(header::COOKIE).iter().filter_map(|text| text.to_str().ok());
    let pairs = texts.flat_map(|text| text.split(';')).take(COOKIES_MAX);
    let mut ours = pairs.filter_map(|pair| pair.trim().split_once('=')).filter(|(of, _)| *of == name);
    match (ours.next(), ours.next()) {
        (Some((_, value)), None) if !value.is_empty() => Some(value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_read_from_our_own_cookie_only() {
        let check = |lines: &[&'static str], secure: bool, expect: Option<&str>| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(header::COOKIE, HeaderValue::from_static(line));
            }
            assert_eq!(read(&headers, secure), expect, "{lines:?}");
        };
        check(&["geminus-session=abc"], false, Some("abc"));
        check(&["a=b; geminus-session=abc; c=d"], false, Some("abc"));
        check(&["a=b", "geminus-session=abc"], false, Some("abc"));
        check(&["geminus-session=abc; geminus-session=def"], false, None);
        check(&["geminus-session=abc", "geminus-session=def"], false, None);
        check(&["geminus-session="], false, None);
        check(&["geminus-session"], false, None);
        check(&["Geminus-Session=abc"], false, None);
        check(&["geminus-session=abc"], true, None);
        check(&["__Host-geminus-session=abc"], true, Some("abc"));
        check(&[], false, None);
    }

    #[test]
    fn no_script_and_no_other_site_can_use_it() {
        let text = |header: Option<HeaderValue>| header.expect("header").to_str().expect("text").to_owned();
        assert_eq!(
            text(set("abc", true)),
            "__Host-geminus-session=abc; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict; Secure"
        );
        assert_eq!(
            text(set("abc", false)),
            "geminus-session=abc; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict"
        );
        assert!(text(clear(true)).starts_with("__Host-geminus-session=; Path=/; Max-Age=0;"));
        assert!(set("a\nb", true).is_none());
        assert_eq!(
            text(set_login("abc", true)),
            "__Host-geminus-login=abc; Path=/; Max-Age=600; HttpOnly; SameSite=Lax; Secure"
        );
    }
}
