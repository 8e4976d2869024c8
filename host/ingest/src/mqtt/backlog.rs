//! Whether what comes may have waited at the broker. Pure: the reader tells it what happens and does what it says.
//!
//! A broker that still has our session hands out first what it kept for us, and says of no message for how long. One without a
//! time of its own would pass for measured now, so until the backlog is over such values are stale. It is over when a
//! marker of our own has come back, published after the connection stood: a session hands out at QoS 1 in the order in which
//! messages came in. Only a source of payloads without a time asks for one, so that others need no right to publish. Where
//! the broker will not have a marker, the backlog is over when the line was silent for a while and nothing waited for an
//! acknowledgement.

use std::time::Duration;

/// The silence after which a broker has nothing more that it had kept.
pub(super) const SILENCE: Duration = Duration::from_secs(5);
/// How long a connection is watched that brings no payload without a time.
const WATCHED_MAX: Duration = Duration::from_mins(10);
/// How long the marker may take before it is called refused. One that comes later ends the backlog all the same.
const MARKER_MAX: Duration = Duration::from_mins(1);
/// Connections that may end soon after a marker was asked for: some brokers hang up on who asks for what it may not have.
const ENDED_MAX: u32 = 2;
/// What is soon.
const SOON: Duration = Duration::from_secs(5);

/// How it stands on the connection at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// What comes is of now.
    Over,
    /// Something may have waited; nothing without a time has come.
    Watched { since: Duration },
    /// The marker is on its way: its subscription, then itself.
    Marked { since: Duration },
    /// There will be no marker.
    Refused,
}

/// The backlog of one session.
#[derive(Debug)]
pub(super) struct Backlog {
    topic: String,
    state: State,
    /// Number of the connection: the marker of an earlier one may still wait.
    connection: u64,
    /// The decoder's last payload without a time when the connection stood.
    untimed: u64,
    ended: u32,
}

impl Backlog {
    /// Of the session with this name.
    pub(super) fn new(client_id: &str) -> Self {
        let topic = marker_topic(client_id);
        Self { topic, state: State::Over, connection: 0, untimed: 0, ended: 0 }
    }

    /// Where the marker goes.
    pub(super) fn topic(&self) -> &str {
        &self.topic
    }

    /// What the marker of this connection says.
    pub(super) fn marker(&self) -> Vec<u8> {
        self.connection.to_string().into_bytes()
    }

    /// A connection stands, at this monotonic time; `untimed` is when the decoder last met a payload without a time, 0 for never.
    /// Gives whether a marker is to be asked for at once.
    #[must_use]
    pub(super) fn connected(&mut self, session_present: bool, untimed: u64, now: Duration) -> bool {
        self.connection += 1;
        self.untimed = untimed;
        self.state = if session_present { State::Watched { since: now } } else { State::Over };
        session_present && untimed > 0 && self.mark(now)
    }

    /// Whether what comes may have waited.
    pub(super) fn is_open(&self) -> bool {
        self.state != State::Over
    }

    /// A message was decoded while the backlog was open. Gives whether a marker is to be asked for.
    #[must_use]
    pub(super) fn decoded(&mut self, untimed: u64, now: Duration) -> bool {
        let State::Watched { since } = self.state else { return false };
        if untimed != self.untimed {
            return self.mark(now);
        }
        if now.saturating_sub(since) >= WATCHED_MAX {
            self.state = State::Over;
        }
        false
    }

    fn mark(&mut self, now: Duration) -> bool {
        let may = self.ended < ENDED_MAX;
        self.state = if may { State::Marked { since: now } } else { State::Refused };
        may
    }

    /// Whether this is the marker of this connection, with which the backlog is over.
    #[must_use]
    pub(super) fn is_ended_by(&mut self, topic: &[u8], payload: &[u8]) -> bool {
        let is_ours = self.is_open() && topic == self.topic.as_bytes() && payload == self.marker();
        if is_ours {
            (self.state, self.ended) = (State::Over, 0);
        }
        is_ours
    }

    /// The broker will not have the marker. Gives whether that is news.
    #[must_use]
    pub(super) fn refuse(&mut self) -> bool {
        let is_news = matches!(self.state, State::Marked { .. });
        if is_news {
            self.state = State::Refused;
        }
        is_news
    }

    /// Whether the marker should have come back by now.
    pub(super) fn is_late(&self, now: Duration) -> bool {
        matches!(self.state, State::Marked { since } if now.saturating_sub(since) >= MARKER_MAX)
    }

    /// The line was silent for [`SILENCE`], and everything is acknowledged.
    pub(super) fn silent(&mut self) {
        // With the marker out a broker that hands out nothing stands still itself.
        if !matches!(self.state, State::Marked { .. }) {
            self.state = State::Over;
        }
    }

    /// The connection has ended. Gives whether it is the last one that was given a marker.
    #[must_use]
    pub(super) fn connection_ended(&mut self, now: Duration) -> bool {
        let State::Marked { since } = self.state else { return false };
        self.state = State::Refused;
        let is_soon = now.saturating_sub(since) < SOON;
        self.ended += u32::from(is_soon);
        is_soon && self.ended == ENDED_MAX
    }
}

/// Where the marker of a session goes: a topic of its own, whatever characters the name of the session has.
fn marker_topic(client_id: &str) -> String {
    format!("geminus/{}/marker", client_id.replace(['+', '#', '/', '\0'], "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Duration = Duration::from_secs(100);

    fn open() -> Backlog {
        let mut backlog = Backlog::new("plant/host+1");
        assert!(!backlog.connected(true, 0, START) && backlog.is_open());
        backlog
    }

    /// One whose marker is out.
    fn marked() -> Backlog {
        let mut backlog = open();
        assert!(backlog.decoded(7, START), "a payload without a time");
        backlog
    }

    #[test]
    fn a_new_session_has_no_backlog_and_times_of_their_own_ask_for_no_marker() {
        let mut backlog = Backlog::new("host");
        assert!(!backlog.connected(false, 7, START) && !backlog.is_open());
        let mut backlog = open();
        assert!(!backlog.decoded(0, START) && backlog.is_open());
        assert!(!backlog.decoded(0, START + WATCHED_MAX) && !backlog.is_open());
        let mut backlog = open();
        backlog.silent();
        assert!(!backlog.is_open());
        assert!(Backlog::new("host").connected(true, 7, START), "such a source asks at once");
    }

    #[test]
    fn the_marker_of_this_connection_ends_it_and_is_asked_for_once() {
        let mut backlog = marked();
        let topic = b"geminus/plant_host_1/marker";
        assert_eq!(backlog.topic().as_bytes(), topic);
        assert!(!backlog.decoded(8, START), "once");
        backlog.silent();
        assert!(!backlog.is_ended_by(b"rig/1", b"1") && !backlog.is_ended_by(topic, b"0"));
        assert!(backlog.is_open(), "a broker that stands still hands out nothing either");
        assert!(backlog.is_ended_by(topic, b"1") && !backlog.is_open());
        assert!(backlog.connected(true, 8, START));
        assert!(!backlog.is_ended_by(topic, b"1") && backlog.is_open(), "it is of the connection before");
        assert!(backlog.is_ended_by(topic, b"2"));
    }

    #[test]
    fn without_a_marker_silence_ends_it() {
        let mut backlog = marked();
        assert!(!backlog.is_late(START) && backlog.is_late(START + MARKER_MAX));
        assert!(backlog.refuse() && !backlog.refuse(), "told once");
        assert!(!backlog.is_late(START + MARKER_MAX) && backlog.is_open());
        backlog.silent();
        assert!(!backlog.is_open());
    }

    #[test]
    fn a_broker_that_hangs_up_on_markers_gets_no_more() {
        let mut backlog = marked();
        assert!(!backlog.connection_ended(START), "it may be chance");
        assert!(backlog.connected(true, 7, START));
        assert!(!backlog.connection_ended(START + SOON), "it held");
        assert!(backlog.connected(true, 7, START));
        assert!(backlog.connection_ended(START));
        assert!(!backlog.connected(true, 7, START) && backlog.is_open());
        assert!(!backlog.connection_ended(START));
    }
}
