//! Who asks, and whether that one may: asked once for each request, before its body is read.
//!
//! Whoever is admitted stands in the request as a [`Principal`]; handlers that know a twin ask [`see`] or [`act`] of it
//! with the id that they use, so that no spelling of an address leads around a scope.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{Extensions, HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use geminus_access::{Admission, Brought, Kind, Now, Permission, Principal, Scope};
use tokio::time::timeout;

use super::cookie;
use super::permission::Need;
use crate::error::Failure;
use crate::house::House;
use crate::options::Options;
use crate::request::BY_DEFAULT;
use crate::routes::Shared;

/// Where a request comes from; put into it by the server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// Where it comes from; an address that is nobody's when it did not come over our own socket.
pub(crate) fn address(extensions: &Extensions) -> IpAddr {
    extensions.get::<Peer>().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0)
}

/// Lets a request through to its handler with whoever asks, or turns it away.
pub(crate) async fn admit<H: House>(
    State((shared, need)): State<(Shared<H>, Need)>,
    mut request: Request,
    next: Next,
) -> Response {
    if need != Need::Nothing {
        learn(&shared, request.headers()).await;
    }
    match judge(&shared.options, need, request.headers()) {
        Ok(Some(principal)) => {
            let now = shared.options.clock.monotonic();
            if let Err(wait) = shared.pace.admit(&principal, shared.options.limits.pace, now) {
                return too_often(&principal, wait).into_response();
            }
            request.extensions_mut().insert(principal);
            next.run(request).await
        }
        Ok(None) => next.run(request).await,
        Err(failure) => failure.into_response(),
    }
}

/// Asks the issuer for its keys when the token that was brought cannot be judged without: one at a time, and seldom, so that
/// whoever brings made-up keys holds up nobody but himself.
async fn learn<H: House>(shared: &Shared<H>, headers: &HeaderMap) {
    let Bearer::Token(token) = bearer(headers) else { return };
    let options = Arc::clone(&shared.options);
    let wants = |token: &[u8]| options.access.wants_keys(token, Now::of(options.clock.as_ref()));
    if !wants(token) {
        return;
    }
    let place = timeout(options.limits.answer, Arc::clone(&shared.keys).acquire_owned()).await;
    let Ok(Ok(place)) = place else { return };
    // Whoever was before may have learned it.
    if !wants(token) {
        return;
    }
    let options = Arc::clone(&shared.options);
    let asked = tokio::task::spawn_blocking(move || {
        options.access.fetch_keys(Now::of(options.clock.as_ref()));
        drop(place);
    });
    if let Err(error) = asked.await {
        tracing::error!(%error, "the issuer could not be asked for its keys");
    }
}

/// What stands in the header `Authorization`.
enum Bearer<'a> {
    None,
    Token(&'a [u8]),
    /// Another scheme, or more than one header.
    Unusable,
}

fn bearer(headers: &HeaderMap) -> Bearer<'_> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let Some(given) = all.next() else { return Bearer::None };
    let given = given.as_bytes();
    let scheme = given.get(..7).unwrap_or_default();
    match all.next().is_none() && scheme.eq_ignore_ascii_case(b"bearer ") {
        true => Bearer::Token(given.get(7..).unwrap_or_default().trim_ascii()),
        false => Bearer::Unusable,
    }
}

fn judge(options: &Options, need: Need, headers: &HeaderMap) -> Result<Option<Principal>, Failure> {
    if need == Need::Nothing {
        return Ok(None);
    }
    let bearer = bearer(headers);
    let open = options.access.is_open();
    let brought = match bearer {
        Bearer::Token(token) => Brought { token: Some(token), session: None },
        // What cannot be read is no reason to look further, save where nothing is asked for.
        Bearer::Unusable if !open => return Err(unusable()),
        Bearer::None | Bearer::Unusable => {
            Brought { token: None, session: cookie::read(headers, options.secure) }
        }
    };
    let principal = match options.access.admit(brought, Now::of(options.clock.as_ref())) {
        Admission::Known(principal) => principal,
        Admission::Missing => {
            let message = "this needs a login, or a token in the header `Authorization: Bearer <token>`";
            return Err(Failure::new(StatusCode::UNAUTHORIZED, "login-required", message));
        }
        Admission::Refused(error) => return Err(error.into()),
        Admission::Wrong => {
            let message = "this token or session opens nothing: it is unknown, has expired or was removed";
            return Err(Failure::new(StatusCode::UNAUTHORIZED, "login-required", message));
        }
    };
    match need.is_met(&principal) {
        true => Ok(Some(principal)),
        false if principal.kind == Kind::Visitor && need != Need::Unknown => Err(token_required(&bearer)),
        false => Err(denied(&principal, need)),
    }
}

fn too_often(principal: &Principal, wait: Duration) -> Failure {
    let message =
        format!("{} asks too often: ask less, or wait as the header Retry-After says", principal.name);
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    Failure::new(StatusCode::TOO_MANY_REQUESTS, "too-often", message).retry_after(seconds)
}

fn unusable() -> Failure {
    let message = "this needs a bearer token: send one header `Authorization: Bearer <token>`";
    Failure::new(StatusCode::UNAUTHORIZED, "login-required", message)
}

/// At a site without users.
fn token_required(bearer: &Bearer<'_>) -> Failure {
    let message = match bearer {
        Bearer::None => "this needs the token: send the header `Authorization: Bearer <token>`",
        Bearer::Unusable => "this needs a bearer token: send the header `Authorization: Bearer <token>`",
        Bearer::Token(_) => "this is not the token of this host",
    };
    Failure::new(StatusCode::UNAUTHORIZED, "token-required", message)
}

fn denied(principal: &Principal, need: Need) -> Failure {
    let Principal { name, roles, scope, .. } = principal;
    let message = format!("{name} may not do this: it takes {}; {name} is {roles} for {scope}", need.words());
    Failure::new(StatusCode::FORBIDDEN, "not-allowed", message)
}

/// Who asks. Every route that needs somebody has one.
pub(crate) fn principal(request: &Request) -> Result<Principal, Failure> {
    request.extensions().get::<Principal>().cloned().ok_or_else(|| {
        let message = "this needs a login, or a token in the header `Authorization: Bearer <token>`";
        Failure::new(StatusCode::UNAUTHORIZED, "login-required", message)
    })
}

/// Refuses a twin that whoever asks may not see, in the words for one that is not there.
pub(crate) fn see(principal: &Principal, twin: &str) -> Result<(), Failure> {
    match principal.may(Permission::Read, twin) {
        true => Ok(()),
        false => Err(Failure::new(StatusCode::NOT_FOUND, "not-found", format!("there is no twin {twin}"))),
    }
}

/// Refuses what whoever asks may not do to this twin, whether or not it exists.
pub(crate) fn act(principal: &Principal, permission: Permission, twin: &str) -> Result<(), Failure> {
    if principal.may(permission, twin) {
        return Ok(());
    }
    let Principal { name, roles, scope, .. } = principal;
    let message = format!("{name} may not {} of {twin}: {name} is {roles} for {scope}", permission.what());
    Err(Failure::new(StatusCode::FORBIDDEN, "not-allowed", message))
}

/// Whether something about this twin, or about none, is inside.
pub(crate) fn sees(scope: &Scope, twin: Option<&str>) -> bool {
    match twin {
        Some(twin) => scope.contains(twin),
        None => scope.is_all(),
    }
}

/// In whose name something is done. Where there are users it is whoever asks, and a body that says otherwise is refused;
/// elsewhere it is what the body says.
pub(crate) fn signed(principal: &Principal, by: Option<String>) -> Result<String, Failure> {
    let signature = principal.signature();
    match (&principal.kind, by) {
        (Kind::Local | Kind::Visitor, by) => Ok(by.unwrap_or_else(|| BY_DEFAULT.to_owned())),
        (Kind::Person | Kind::Program { .. }, None) => Ok(signature),
        (Kind::Person | Kind::Program { .. }, Some(by)) if by == signature || by == principal.name => {
            Ok(signature)
        }
        (Kind::Person | Kind::Program { .. }, Some(by)) => {
            let message = format!("you are {signature}, not {by:?}: leave `by` out");
            Err(Failure::new(StatusCode::FORBIDDEN, "not-you", message))
        }
    }
}

/// Tells, each time it is asked, whether what this request brought still opens to the same one.
pub(crate) fn standing(
    options: Arc<Options>,
    headers: HeaderMap,
    principal: Principal,
) -> impl Fn() -> bool + Send + Sync {
    move || matches!(judge(&options, Need::Login, &headers), Ok(Some(now)) if now == principal)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use geminus_access::{Gate, Role, Roles};
    use geminus_core::{Digest, ManualClock, Timestamp};

    use super::*;
    use crate::{BusLimits, EventBus};

    fn options() -> Options {
        let clock = Arc::new(ManualClock::new(Timestamp(1)));
        let bus = EventBus::new(clock.clone(), BusLimits::default());
        let gate = Arc::new(Gate::local(Digest::of(b"open sesame")));
        Options::new("0.1.0", gate, bus, clock)
    }

    #[test]
    fn without_users_only_the_token_writes_and_anybody_reads() {
        let options = options();
        let check = |value: Option<&'static str>, pass: bool| {
            let headers: HeaderMap = value
                .map(|value| (header::AUTHORIZATION, HeaderValue::from_static(value)))
                .into_iter()
                .collect();
            let write = judge(&options, Need::Site(Permission::Plugins), &headers);
            assert_eq!(write.is_ok(), pass, "{value:?}");
            assert!(judge(&options, Need::Site(Permission::Read), &headers).is_ok(), "{value:?}");
            assert!(judge(&options, Need::Unknown, &headers).is_err(), "{value:?}");
        };
        check(Some("Bearer open sesame"), true);
        check(Some("bearer  open sesame"), true);
        check(Some("Bearer open sesam"), false);
        check(Some("Bearer "), false);
        check(Some("Basic open sesame"), false);
        check(Some("open sesame"), false);
        check(None, false);
    }

    #[test]
    fn nobody_signs_for_another() {
        let ada = Principal {
            name: "ada".to_owned(),
            kind: Kind::Person,
            roles: Roles::new([Role::Operator]).expect("roles"),
            scope: Scope::all(),
        };
        let robot = Principal {
            name: "robot".to_owned(),
            kind: Kind::Program { owner: "ada".to_owned() },
            ..ada.clone()
        };
        let check = |who: &Principal, by: Option<&str>, expect: Option<&str>| {
            assert_eq!(signed(who, by.map(str::to_owned)).ok().as_deref(), expect, "{who:?} {by:?}");
        };
        check(&ada, None, Some("ada"));
        check(&ada, Some("ada"), Some("ada"));
        check(&ada, Some("bob"), None);
        check(&robot, None, Some("robot of ada"));
        check(&robot, Some("robot"), Some("robot of ada"));
        check(&robot, Some("ada"), None);
        check(&Principal::local(), None, Some("token"));
        check(&Principal::local(), Some("shift lead"), Some("shift lead"));
    }

    #[test]
    fn two_tokens_are_none() {
        let mut headers = HeaderMap::new();
        headers.append(header::AUTHORIZATION, HeaderValue::from_static("Bearer open sesame"));
        headers.append(header::AUTHORIZATION, HeaderValue::from_static("Bearer other"));
        assert!(judge(&options(), Need::Site(Permission::Plugins), &headers).is_err());
    }
}
