//! A subscription at a server: made with what we wish, taken only if what the server makes of it can be lived with.
//!
//! Each item is looked at: one that the server refuses is asked for again later, because a program that is being loaded
//! has its nodes late. Numbers that no honest server gives are refused by name.

use std::time::Duration;

use opcua::client::services::{CreateMonitoredItems, CreateSubscription};
use opcua::types::{
    AttributeId, DataChangeFilter, DataChangeTrigger, Error, ExtensionObject, MonitoredItemCreateRequest,
    MonitoringMode, MonitoringParameters, NodeId, ReadValueId, StatusCode, TimestampsToReturn,
};

use crate::Subscribe;
use crate::link::Link;
use crate::status;

/// How long a server may say nothing before it says that it has nothing to say.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// How long a server keeps a subscription that nobody asks for.
const LIFETIME: Duration = Duration::from_mins(2);
/// A server may make of an interval ten times as much, and this much in any case.
const REVISED_TIMES_MAX: f64 = 10.0;
const REVISED_ANYWAY_MS: f64 = 10_000.0;
/// Longest time between two signs of life that is accepted.
const KEEP_ALIVE_MAX_MS: f64 = 300_000.0;
/// Values in one message, where the server heeds it.
const NOTIFICATIONS_MAX: u32 = 50_000;
/// Items in one request.
const ITEMS_MAX: usize = 1_000;

/// A subscription that stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subscription {
    pub(crate) id: u32,
    /// Time between two signs of life.
    pub(crate) keep_alive: Duration,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SubscribeError {
    #[error("the subscription: {}", status::name(*.0))]
    Refused(StatusCode),
    #[error("the server makes {what} of {wished} {got}: that cannot be lived with")]
    Absurd { what: &'static str, wished: String, got: String },
}

impl From<Error> for SubscribeError {
    fn from(error: Error) -> Self {
        Self::Refused(error.status())
    }
}

fn counts(publishing: Duration) -> (u32, u32) {
    let of = |span: Duration| {
        let count = span.as_millis().div_ceil(publishing.as_millis().max(1)).max(1);
        u32::try_from(count).unwrap_or(u32::MAX)
    };
    let keep_alive = of(KEEP_ALIVE);
    (keep_alive, of(LIFETIME).max(keep_alive.saturating_mul(3)))
}

/// Makes one without items.
pub(crate) async fn create(link: &Link, wish: &Subscribe) -> Result<Subscription, SubscribeError> {
    let (keep_alive, lifetime) = counts(wish.publishing);
    let request = CreateSubscription::new(&link.session)
        .publishing_interval(wish.publishing)
        .max_keep_alive_count(keep_alive)
        .max_lifetime_count(lifetime)
        .max_notifications_per_publish(NOTIFICATIONS_MAX)
        .publishing_enabled(true);
    let made = link.ask(request).await?;
    let keep_alive = lived_with(
        wish.publishing,
        made.revised_publishing_interval,
        made.revised_max_keep_alive_count,
        made.revised_lifetime_count,
    )?;
    Ok(Subscription { id: made.subscription_id, keep_alive })
}

/// Time between two signs of life, if the revised numbers are ones that can be.
fn lived_with(
    wished: Duration,
    publishing_ms: f64,
    keep_alive: u32,
    lifetime: u32,
) -> Result<Duration, SubscribeError> {
    interval("a publishing interval", wished, publishing_ms)?;
    let keep_alive_ms = publishing_ms * f64::from(keep_alive);
    if publishing_ms <= 0.0 || keep_alive == 0 || keep_alive_ms > KEEP_ALIVE_MAX_MS.max(2.0 * publishing_ms) {
        return Err(SubscribeError::Absurd {
            what: "a keep-alive",
            wished: format!("{} ms", KEEP_ALIVE.as_millis()),
            got: format!("{keep_alive} times {publishing_ms} ms"),
        });
    }
    if lifetime < keep_alive {
        return Err(SubscribeError::Absurd {
            what: "a lifetime",
            wished: format!("{} ms", LIFETIME.as_millis()),
            got: format!("{lifetime} intervals, fewer than the {keep_alive} of a keep-alive"),
        });
    }
    Ok(Duration::from_secs_f64(keep_alive_ms / 1e3))
}

/// Whether a revised interval is one that can be: a number, not negative, not much more than wished.
fn interval(what: &'static str, wished: Duration, got_ms: f64) -> Result<(), SubscribeError> {
    let wished_ms = wished.as_secs_f64() * 1e3;
    let max = (wished_ms * REVISED_TIMES_MAX).max(REVISED_ANYWAY_MS);
    if got_ms.is_finite() && (0.0..=max).contains(&got_ms) {
        return Ok(());
    }
    Err(SubscribeError::Absurd { what, wished: format!("{wished_ms} ms"), got: format!("{got_ms} ms") })
}

/// What the server said to one item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Watched,
    Refused(String),
}

/// Adds items, each under its handle, and gives what was said to each, in their order.
pub(crate) async fn watch(
    link: &Link,
    subscription: u32,
    wish: &Subscribe,
    nodes: &[(u32, NodeId)],
) -> Result<Vec<(u32, Answer)>, SubscribeError> {
    let mut answers = watch_by(link, subscription, wish, nodes, true).await?;
    // Servers that have no such filter say so for each item.
    let unfiltered: Vec<(u32, NodeId)> = nodes
        .iter()
        .zip(&answers)
        .filter(|(_, (_, answer))| matches!(answer, Said::NoFilter))
        .map(|(node, _)| node.clone())
        .collect();
    if !unfiltered.is_empty() {
        let again = watch_by(link, subscription, wish, &unfiltered, false).await?;
        answers.retain(|(_, answer)| !matches!(answer, Said::NoFilter));
        answers.extend(again);
    }
    let plain = |said| match said {
        Said::Answer(answer) => answer,
        Said::NoFilter => Answer::Refused("the filter is refused".to_owned()),
    };
    Ok(answers.into_iter().map(|(handle, said)| (handle, plain(said))).collect())
}

enum Said {
    Answer(Answer),
    NoFilter,
}

async fn watch_by(
    link: &Link,
    subscription: u32,
    wish: &Subscribe,
    nodes: &[(u32, NodeId)],
    filtered: bool,
) -> Result<Vec<(u32, Said)>, SubscribeError> {
    let mut answers = Vec::with_capacity(nodes.len());
    let mut size = ITEMS_MAX;
    while let Some(rest) = nodes.get(answers.len()..).filter(|rest| !rest.is_empty()) {
        let chunk = rest.get(..size).unwrap_or(rest);
        let items = chunk.iter().map(|(handle, node)| item(*handle, node, wish, filtered)).collect();
        let request = CreateMonitoredItems::new(subscription, &link.session)
            .timestamps_to_return(TimestampsToReturn::Both)
            .items_to_create(items);
        let made = match link.ask(request).await {
            Ok(made) => made,
            // Some take fewer in one request.
            Err(error) if error.status() == StatusCode::BadTooManyOperations && size > 1 => {
                size /= 2;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        if made.results.len() != chunk.len() {
            return Err(SubscribeError::Refused(StatusCode::BadUnknownResponse));
        }
        for ((handle, _), made) in chunk.iter().zip(made.results) {
            let made = made.result;
            answers.push((*handle, said(wish, made.status_code, made.revised_sampling_interval)));
        }
    }
    Ok(answers)
}

fn said(wish: &Subscribe, code: StatusCode, sampling_ms: f64) -> Said {
    match code {
        StatusCode::BadFilterNotAllowed
        | StatusCode::BadMonitoredItemFilterUnsupported
        | StatusCode::BadMonitoredItemFilterInvalid => Said::NoFilter,
        _ if !code.is_good() => Said::Answer(Answer::Refused(status::name(code))),
        _ => Said::Answer(match interval("a sampling interval", wish.sampling, sampling_ms) {
            Ok(()) => Answer::Watched,
            Err(error) => Answer::Refused(error.to_string()),
        }),
    }
}

/// A request for one item, under its handle.
pub(crate) fn item(
    handle: u32,
    node: &NodeId,
    wish: &Subscribe,
    filtered: bool,
) -> MonitoredItemCreateRequest {
    // A change of the time alone is told too: a value that is measured again and is the same is not a value that is old.
    let filter = DataChangeFilter {
        trigger: DataChangeTrigger::StatusValueTimestamp,
        deadband_type: 0,
        deadband_value: 0.0,
    };
    MonitoredItemCreateRequest {
        item_to_monitor: ReadValueId {
            node_id: node.clone(),
            attribute_id: AttributeId::Value as u32,
            ..ReadValueId::default()
        },
        monitoring_mode: MonitoringMode::Reporting,
        requested_parameters: MonitoringParameters {
            client_handle: handle,
            sampling_interval: wish.sampling.as_secs_f64() * 1e3,
            filter: if filtered { ExtensionObject::from_message(filter) } else { ExtensionObject::null() },
            queue_size: wish.queue,
            discard_oldest: true,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WISHED: Duration = Duration::from_millis(500);

    #[test]
    fn signs_of_life_come_in_whole_intervals() {
        assert_eq!(counts(WISHED), (10, 240));
        assert_eq!(counts(Duration::from_mins(10)), (1, 3), "a slow one says something each time");
        assert_eq!(counts(Duration::from_millis(10)), (500, 12_000));
    }

    #[test]
    fn absurd_numbers_are_refused_by_name() {
        assert_eq!(lived_with(WISHED, 500.0, 10, 240).expect("as wished"), Duration::from_secs(5));
        assert_eq!(lived_with(WISHED, 1_000.0, 5, 20).expect("slower"), Duration::from_secs(5));
        for (publishing, keep_alive, lifetime, names) in [
            (0.0, 10, 240, "a keep-alive"),
            (-1.0, 10, 240, "a publishing interval"),
            (f64::NAN, 10, 240, "a publishing interval"),
            (f64::INFINITY, 10, 240, "a publishing interval"),
            (1e300, 1, 3, "a publishing interval"),
            (10_001.0, 1, 3, "a publishing interval"),
            (500.0, 0, 240, "a keep-alive"),
            (500.0, u32::MAX, u32::MAX, "a keep-alive"),
            (500.0, 10, 9, "a lifetime"),
            (500.0, 10, 0, "a lifetime"),
        ] {
            let refused =
                lived_with(WISHED, publishing, keep_alive, lifetime).expect_err("absurd").to_string();
            assert!(refused.contains(names), "{publishing} {keep_alive} {lifetime}: {refused}");
        }
        let hour = Duration::from_hours(1);
        assert!(lived_with(hour, 3_600_000.0, 1, 3).is_ok(), "what was wished for is never absurd");
    }

    #[test]
    fn an_item_is_watched_refused_or_asked_for_without_a_filter() {
        let wish = Subscribe { publishing: WISHED, sampling: WISHED, queue: 10 };
        let plain = |code, sampling| match said(&wish, code, sampling) {
            Said::Answer(Answer::Watched) => "watched".to_owned(),
            Said::Answer(Answer::Refused(why)) => why,
            Said::NoFilter => "again".to_owned(),
        };
        assert_eq!(plain(StatusCode::Good, 0.0), "watched", "as fast as it can is no absurd interval");
        assert_eq!(plain(StatusCode::Good, 5_000.0), "watched");
        assert!(plain(StatusCode::Good, 1e9).contains("a sampling interval"));
        assert_eq!(plain(StatusCode::BadNodeIdUnknown, 0.0), "BadNodeIdUnknown");
        assert_eq!(plain(StatusCode::BadMonitoredItemFilterUnsupported, 0.0), "again");
    }
}
