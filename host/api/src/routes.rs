//! The table of routes, and the doors that every request passes.
//!
//! The router is built from one table, and a test holds the table against the OpenAPI document.

pub(crate) mod access;
pub(crate) mod ahead;
pub(crate) mod alarms;
mod body;
pub(crate) mod certificates;
pub(crate) mod clients;
pub(crate) mod commands;
pub(crate) mod elsewhere;
pub(crate) mod events;
pub(crate) mod health;
pub(crate) mod house;
pub(crate) mod plugins;
pub(crate) mod rollouts;
pub(crate) mod targets;
pub(crate) mod thread;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get, post};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::error::Failure;
use crate::guard::pace::Pace;
use crate::guard::{admission, permission};
use crate::house::{House, Trouble};
use crate::options::Options;
use crate::{dashboard, guard};

/// What handlers share.
pub(crate) struct Shared<H> {
    pub(crate) house: Arc<H>,
    pub(crate) options: Arc<Options>,
    /// Places for uploads, which are held in memory whole.
    pub(crate) uploads: Arc<Semaphore>,
    /// Places for hashes of passwords, which take memory and a core.
    pub(crate) hashes: Arc<Semaphore>,
    /// Places for logins over the issuer, which wait for it: apart, so that a slow issuer holds up no password.
    pub(crate) issuer: Arc<Semaphore>,
    /// The one place for asking the issuer for its keys.
    pub(crate) keys: Arc<Semaphore>,
    /// How often each has asked.
    pub(crate) pace: Arc<Pace>,
}

impl<H> Clone for Shared<H> {
    fn clone(&self) -> Self {
        Self {
            house: Arc::clone(&self.house),
            options: Arc::clone(&self.options),
            uploads: Arc::clone(&self.uploads),
            hashes: Arc::clone(&self.hashes),
            issuer: Arc::clone(&self.issuer),
            keys: Arc::clone(&self.keys),
            pace: Arc::clone(&self.pace),
        }
    }
}

/// One row of the table.
struct Route<H> {
    method: &'static str,
    path: &'static str,
    handler: MethodRouter<Shared<H>>,
}

fn table<H: House>() -> Vec<Route<H>> {
    let get_ = |path, handler| Route { method: "get", path, handler };
    let post_ = |path, handler| Route { method: "post", path, handler };
    let delete_ = |path, handler| Route { method: "delete", path, handler };
    vec![
        get_("/api/v1/session", get(access::session::<H>)),
        post_("/api/v1/session", post(access::login::<H>)),
        delete_("/api/v1/session", delete(access::logout::<H>)),
        get_("/api/v1/session/ways", get(elsewhere::ways::<H>)),
        get_("/api/v1/session/oidc", get(elsewhere::begin::<H>)),
        get_(geminus_access::CALLBACK, get(elsewhere::finish::<H>)),
        get_("/api/v1/users", get(access::users::<H>)),
        post_("/api/v1/users", post(access::add_user::<H>)),
        delete_("/api/v1/users/{name}", delete(access::remove_user::<H>)),
        get_("/api/v1/tokens", get(access::tokens::<H>)),
        post_("/api/v1/tokens", post(access::add_token::<H>)),
        delete_("/api/v1/tokens/{name}", delete(access::remove_token::<H>)),
        post_("/api/v1/session/password", post(access::change_password::<H>)),
        get_("/api/v1/certificates", get(certificates::certificates::<H>)),
        get_("/api/v1/certificates/own", get(certificates::own::<H>)),
        post_("/api/v1/certificates/{thumbprint}/trust", post(certificates::trust::<H>)),
        post_("/api/v1/certificates/{thumbprint}/reject", post(certificates::reject::<H>)),
        delete_("/api/v1/certificates/{thumbprint}", delete(certificates::remove::<H>)),
        post_("/api/v1/certificates/clients/{thumbprint}/trust", post(clients::trust::<H>)),
        post_("/api/v1/certificates/clients/{thumbprint}/reject", post(clients::reject::<H>)),
        delete_("/api/v1/certificates/clients/{thumbprint}", delete(clients::remove::<H>)),
        get_("/api/v1/site", get(house::site::<H>)),
        get_("/api/v1/twins", get(house::twins::<H>)),
        get_("/api/v1/twins/{id}", get(house::twin::<H>)),
        get_("/api/v1/twins/{id}/history", get(house::history::<H>)),
        post_("/api/v1/twins/{id}/forecast", post(ahead::forecast::<H>)),
        post_("/api/v1/twins/{id}/what-if", post(ahead::what_if::<H>)),
        get_("/api/v1/twins/{id}/thread", get(thread::thread::<H>)),
        post_("/api/v1/twins/{id}/records", post(thread::keep::<H>)),
        get_("/api/v1/plugins", get(plugins::plugins::<H>)),
        post_("/api/v1/plugins", post(plugins::upload::<H>)),
        get_("/api/v1/rollouts", get(rollouts::rollouts::<H>)),
        post_("/api/v1/rollouts", post(rollouts::start::<H>)),
        post_("/api/v1/rollouts/plan", post(rollouts::plan::<H>)),
        get_("/api/v1/rollouts/{id}", get(rollouts::rollout::<H>)),
        post_("/api/v1/rollouts/{id}/promote", post(rollouts::promote::<H>)),
        post_("/api/v1/rollouts/{id}/cancel", post(rollouts::cancel::<H>)),
        post_("/api/v1/rollouts/{id}/rollback", post(rollouts::rollback::<H>)),
        get_("/api/v1/activations", get(rollouts::activations::<H>)),
        get_("/api/v1/alarms", get(alarms::alarms::<H>)),
        post_("/api/v1/alarms/{twin}/{name}/acknowledge", post(alarms::acknowledge::<H>)),
        post_("/api/v1/alarms/{twin}/{name}/shelve", post(alarms::shelve::<H>)),
        post_("/api/v1/alarms/{twin}/{name}/unshelve", post(alarms::unshelve::<H>)),
        post_("/api/v1/alarms/{twin}/{name}/out-of-service", post(alarms::out_of_service::<H>)),
        post_("/api/v1/alarms/{twin}/{name}/in-service", post(alarms::in_service::<H>)),
        post_("/api/v1/alarms/{twin}/{name}/reset", post(alarms::reset::<H>)),
        get_("/api/v1/commands", get(commands::commands::<H>)),
        post_("/api/v1/commands", post(commands::propose::<H>)),
        get_("/api/v1/commands/{id}", get(commands::command::<H>)),
        post_("/api/v1/commands/{id}/approve", post(commands::approve::<H>)),
        post_("/api/v1/commands/{id}/refuse", post(commands::refuse::<H>)),
        post_("/api/v1/commands/{id}/withdraw", post(commands::withdraw::<H>)),
        post_("/api/v1/commands/{id}/resolve", post(commands::resolve::<H>)),
        get_("/api/v1/targets", get(targets::targets::<H>)),
        post_("/api/v1/targets/{twin}/{name}/hold", post(targets::hold::<H>)),
        post_("/api/v1/targets/{twin}/{name}/release", post(targets::release::<H>)),
        post_("/api/v1/targets/{twin}/{name}/lockout", post(targets::lockout::<H>)),
        post_("/api/v1/targets/{twin}/{name}/reset", post(targets::reset::<H>)),
        post_("/api/v1/targets/{twin}/{name}/bypass", post(targets::bypass::<H>)),
        get_("/api/v1/twins/{id}/authority", get(targets::authority::<H>)),
        post_("/api/v1/twins/{id}/authority", post(targets::order_authority::<H>)),
        get_("/api/v1/journal", get(house::journal::<H>)),
        get_("/api/v1/events", get(events::events::<H>)),
        get_("/api/v1/openapi.json", get(health::openapi)),
        get_("/livez", get(health::livez::<H>)),
        get_("/readyz", get(health::readyz::<H>)),
        get_("/metrics", get(health::metrics::<H>)),
    ]
}

/// Methods (lower case) and paths of the router, for tests and documents. The dashboard's files are not among them.
#[must_use]
pub fn routes<H: House>() -> Vec<(&'static str, &'static str)> {
    table::<H>().into_iter().map(|route| (route.method, route.path)).collect()
}

/// Everything that is answered: the API, its document, health, metrics and the dashboard.
pub fn router<H: House>(house: Arc<H>, options: Options) -> Router {
    let uploads = Arc::new(Semaphore::new(options.limits.uploads_max));
    let hashes = Arc::new(Semaphore::new(options.limits.hashes_max));
    let issuer = Arc::new(Semaphore::new(options.limits.issuer_max));
    let keys = Arc::new(Semaphore::new(1));
    let (options, pace) = (Arc::new(options), Arc::default());
    let shared = Shared { house, options, uploads, hashes, issuer, keys, pace };
    let mut router = Router::new();
    for Route { method, path, handler } in table::<H>() {
        let need = permission::need(method, path);
        tracing::trace!(method, path, ?need, "route");
        let admitted = from_fn_with_state((shared.clone(), need), admission::admit::<H>);
        router = router.route(path, handler.route_layer(admitted));
    }
    router
        .fallback(nowhere::<H>)
        .method_not_allowed_fallback(guard::wrong_method)
        .layer(from_fn_with_state(shared.clone(), doors::<H>))
        .with_state(shared)
}

/// What every request passes on its way in and out.
async fn doors<H: House>(State(shared): State<Shared<H>>, request: Request, next: Next) -> Response {
    let checked = guard::check_origin(&shared.options.hosts, request.uri(), request.headers());
    let mut response = match checked {
        Ok(()) => next.run(request).await,
        Err(failure) => failure.into_response(),
    };
    guard::seal(&mut response);
    shared.options.traffic.answered(response.status());
    response
}

/// Paths that are no route: an unknown part of the API, or the dashboard's.
async fn nowhere<H: House>(State(shared): State<Shared<H>>, request: Request) -> Response {
    let path = request.uri().path();
    match path == "/api" || path.starts_with("/api/") {
        true => Failure::no_such_route(path).into_response(),
        false => dashboard::answer(shared.options.dashboard, request.method(), path, request.headers()),
    }
}

/// The house's answer, if it comes in time.
pub(crate) async fn in_time<T>(
    limit: Duration,
    answer: impl Future<Output = Result<T, Trouble>>,
) -> Result<T, Failure> {
    match timeout(limit, answer).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Failure::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "too-slow",
            format!("the host did not answer within {} s; ask for less or try again", limit.as_secs()),
        )),
    }
}

/// JSON that has been written already.
pub(crate) fn json(bytes: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], bytes).into_response()
}
