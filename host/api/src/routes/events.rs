//! Opens event streams.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use geminus_access::Principal;

use super::Shared;
use crate::bus::Interest;
use crate::error::{ErrorView, Failure};
use crate::guard::admission;
use crate::house::House;
use crate::query::StreamQuery;
use crate::stream;

/// Server-sent events, resumable.
///
/// Each event has an id; a client that comes back with the last one (header `Last-Event-ID`, which browsers send
/// by themselves, or the parameter) gets what it missed, merged. The data of each event is one line of JSON:
///
/// - `hello` (schema HelloEvent): first of all. With `resumed` false the client reads everything anew, after this
///   event, so that nothing falls between.
/// - `values` (ValuesEvent): points of one named twin that changed, at most ten a second; merged for a client that is slow.
/// - `twin` (TwinEvent): state, alerts, health or behaviors of a twin changed; read the twin anew.
/// - `journal` (EntryView): a new entry of the journal.
/// - `rollout` (RolloutEvent): a rollout went on; of each rollout a client that is slow gets the newest word only. Read
///   the rollout anew when its phase or verdict changed.
/// - `alarm` (AlarmView): an alarm changed; this is how it stands now, `normal` among others.
/// - `command` (CommandView): a command is new or changed; this is how it stands now.
/// - `resync` (ResyncEvent): more was missed than the host remembers; read everything anew.
///
/// A comment at least every 15 s is the heartbeat. A client that takes nothing for a minute is cut off, and so is
/// one whose session or token has ended. Whoever sees some twins only hears of those, and of nothing that is about no twin.
#[utoipa::path(get, path = "/api/v1/events", tag = "events",
    params(
        ("twins" = Option<String>, Query, description = "At most 256 ids, separated by commas: `values`, `twin`, `alarm` and `command` events of these, journal entries that are about one of them or about no twin, and `rollout` events. `*`: everything, values of all twins included (few such streams are allowed). Unless given: `twin`, `alarm`, `command`, `journal` and `rollout` events of the whole site, without values"),
        ("last_event_id" = Option<String>, Query, description = "Id of the last event seen; the header counts when both are there. What is no id of this host is answered with `resync`"),
        ("Last-Event-ID" = Option<String>, Header, description = "Id of the last event seen"),
    ),
    responses(
        (status = 200, description = "Events, until one side goes", content_type = "text/event-stream", body = String),
        (status = 404, description = "There is no such twin", body = ErrorView),
    ))]
pub(crate) async fn events<H: House>(
    State(shared): State<Shared<H>>,
    Extension(principal): Extension<Principal>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let query = StreamQuery::read(query.as_deref(), last)?;
    if let Interest::Twins(twins) = &query.interest
        && let Some(stranger) =
            twins.iter().find(|twin| !principal.scope.contains(twin) || !shared.house.has_twin(twin))
    {
        let message = format!("there is no twin {stranger}");
        return Err(Failure::new(StatusCode::NOT_FOUND, "not-found", message));
    }
    let Some(welcome) = shared.options.bus.read(query.interest, query.last_event_id.as_deref()) else {
        let message = "as many event streams are open as this host allows; close one or try again later";
        return Err(Failure::new(StatusCode::SERVICE_UNAVAILABLE, "too-many-streams", message));
    };
    let listener = stream::Listener {
        scope: principal.scope.clone(),
        still: Box::new(admission::standing(Arc::clone(&shared.options), headers, principal)),
    };
    let body = Body::from_stream(stream::body(welcome, &shared.options, listener));
    let headers = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    // Proxies must not gather events before they pass them on.
    Ok((headers, [("x-accel-buffering", "no")], body).into_response())
}
