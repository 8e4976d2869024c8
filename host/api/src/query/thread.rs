//! Which part of an asset's thread, in which order.

use geminus_access::Scope;
use geminus_core::Timestamp;

use super::Params;
use super::history::time;
use crate::error::Failure;
use crate::thread::Place;
use crate::view::ThreadKind;

/// Most entries in one answer.
pub const THREAD_MAX: u32 = 500;
/// Entries when the request does not say.
pub const THREAD_DEFAULT: u32 = 100;

/// A question about the thread of a twin. `from < to` wherever both are there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadQuery {
    /// Id of the twin.
    pub twin: String,
    /// First time, inclusive; `None`: from the beginning.
    pub from: Option<Timestamp>,
    /// End, exclusive; `None`: to the end.
    pub to: Option<Timestamp>,
    /// Only these kinds; empty means all.
    pub kinds: Vec<ThreadKind>,
    /// Whether the newest come first.
    pub newest_first: bool,
    /// Only what comes after this place in that order.
    pub after: Option<Place>,
    /// 1 … 500
    pub limit: u32,
    /// What is about the whole site is only for those who see all twins.
    pub scope: Scope,
}

impl ThreadQuery {
    pub(crate) const PARAMETERS: [&str; 6] = ["from", "to", "kind", "order", "after", "limit"];

    pub(crate) fn read(twin: String, query: Option<&str>) -> Result<Self, Failure> {
        let params = Params::read(query, &Self::PARAMETERS)?;
        let from = params.text("from").map(|text| time("from", text)).transpose()?;
        let to = params.text("to").map(|text| time("to", text)).transpose()?;
        if from.zip(to).is_some_and(|(from, to)| from >= to) {
            return Err(Failure::bad_query("from must be earlier than to"));
        }
        let kinds = params.list("kind", ThreadKind::ALL.len())?;
        let order = params.text("order").unwrap_or("newest");
        if !["newest", "oldest"].contains(&order) {
            return Err(Failure::bad_query(format!("order must be newest or oldest, not {order:?}")));
        }
        Ok(Self {
            twin,
            from,
            to,
            kinds: kinds.iter().map(|text| kind(text)).collect::<Result<_, _>>()?,
            newest_first: order == "newest",
            after: params.text("after").map(place).transpose()?,
            limit: params.number("limit", 1..=THREAD_MAX, THREAD_DEFAULT)?,
            scope: Scope::all(),
        })
    }

    /// Whether entries of this kind are wanted.
    #[must_use]
    pub fn wants(&self, kind: ThreadKind) -> bool {
        self.kinds.is_empty() || self.kinds.contains(&kind)
    }
}

fn kind(text: &str) -> Result<ThreadKind, Failure> {
    ThreadKind::from_name(text).ok_or_else(|| {
        let names = ThreadKind::ALL.map(ThreadKind::name).join(", ");
        Failure::bad_query(format!("kind must be some of {names}, not {text:?}"))
    })
}

fn place(text: &str) -> Result<Place, Failure> {
    text.parse().map_err(|()| {
        Failure::bad_query(format!("after must be what an answer before had as its next, not {text:?}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<ThreadQuery, String> {
        ThreadQuery::read("pump-1".to_owned(), Some(query)).map_err(|failure| format!("{failure:?}"))
    }

    #[test]
    fn parameters_are_read_and_checked() {
        let query =
            read("from=5&to=9&kind=alert,decision&order=oldest&after=6000000-1-7&limit=3").expect("query");
        let expect = ThreadQuery {
            twin: "pump-1".to_owned(),
            from: Some(Timestamp::from_millis(5)),
            to: Some(Timestamp::from_millis(9)),
            kinds: vec![ThreadKind::Alert, ThreadKind::Decision],
            newest_first: false,
            after: Some(Place { time: Timestamp::from_millis(6), source: 1, number: 7 }),
            limit: 3,
            scope: Scope::all(),
        };
        assert_eq!(query, expect);
        assert!(query.wants(ThreadKind::Alert) && !query.wants(ThreadKind::Record));
        let plain = read("").expect("query");
        assert!(plain.newest_first && plain.limit == THREAD_DEFAULT && plain.wants(ThreadKind::Record));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let check = |query: &str, says: &str| {
            let refusal = read(query).expect_err(query);
            assert!(refusal.contains(says), "{refusal}");
        };
        check("from=9&to=9", "from must be earlier than to");
        check(
            "kind=alarm",
            "kind must be some of design, version, calibration, samples, alert, decision, record, event",
        );
        check("order=up", "order must be newest or oldest");
        check("after=7", "after must be what an answer before had as its next");
        check("limit=501", "limit must be a whole number from 1 to 500");
        check("kinds=alert", "unknown query parameter");
    }
}
