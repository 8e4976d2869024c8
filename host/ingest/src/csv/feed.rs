//! A recording into a broker, losing nothing.

use std::pin::pin;

use geminus_core::Clock;

use super::pace::Timeline;
use super::{PlayOptions, Progress, Recording};
use crate::publisher::{PublishError, Publisher};

/// What was fed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fed {
    /// Rows.
    pub rows: usize,
    /// Messages; at QoS 1 each of them acknowledged by the broker.
    pub messages: u64,
}

/// Plays a recording into a broker and waits until the broker has all of it. `progress` is called after every
/// row. To end early, drop the future: what was acknowledged by then is at the broker.
///
/// # Errors
/// [`PublishError`] when a message cannot be sent or the broker is away for too long.
pub async fn feed(
    recording: &Recording,
    options: PlayOptions,
    publisher: &mut Publisher,
    clock: &dyn Clock,
    mut progress: impl FnMut(Progress) + Send,
) -> Result<Fed, PublishError> {
    let mut timeline = Timeline::new(options.pace, options.stamp);
    let mut messages = 0;
    for row in 0..recording.len() {
        pause(timeline.wait(recording.time(row), clock)).await;
        let stamp = timeline.stamp(recording.time(row), clock);
        for message in recording.messages(row, stamp) {
            publisher.publish(message.topic, message.payload).await?;
            messages += 1;
        }
        progress(Progress { rows: row + 1, of: recording.len(), messages });
    }
    publisher.flush().await?;
    Ok(Fed { rows: recording.len(), messages })
}

/// Waits, if there is something to wait for.
pub(super) async fn pause(wait: Option<std::time::Duration>) {
    let Some(wait) = wait else { return };
    let never = pin!(std::future::pending::<()>());
    if tokio::time::timeout(wait, never).await.is_ok() {
        tracing::error!("what never happens happened");
    }
}
