//! Which events a client wants to hear, and from where.

use super::Params;
use crate::bus::Interest;
use crate::error::Failure;

/// Most twins that one stream may name.
pub const STREAM_TWINS_MAX: usize = 256;

/// What a client asks of the event stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamQuery {
    /// Whose events.
    pub interest: Interest,
    /// Id of the last event that the client has seen, as it was given: from the header, else from the query.
    pub last_event_id: Option<String>,
}

impl StreamQuery {
    pub(crate) const PARAMETERS: [&str; 2] = ["twins", "last_event_id"];

    pub(crate) fn read(query: Option<&str>, header: Option<&str>) -> Result<Self, Failure> {
        let params = Params::read(query, &Self::PARAMETERS)?;
        let twins = params.list("twins", STREAM_TWINS_MAX)?;
        let interest = match twins.as_slice() {
            [] => Interest::Site,
            [star] if star == "*" => Interest::All,
            _ => Interest::Twins(twins.iter().map(|id| id.as_str().into()).collect()),
        };
        // A browser that reconnects repeats the first address and adds the header: the header is newer.
        let last = header.filter(|id| !id.is_empty()).or(params.text("last_event_id"));
        Ok(Self { interest, last_event_id: last.map(str::to_owned) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twins_and_the_last_event_are_read() {
        let read = |query: &str, header: Option<&str>| StreamQuery::read(Some(query), header).expect("query");
        assert_eq!(read("", None).interest, Interest::Site);
        assert_eq!(read("twins=*", None).interest, Interest::All);
        assert_eq!(read("twins=b,a", None).interest, Interest::Twins(vec!["b".into(), "a".into()]));
        assert_eq!(read("last_event_id=1-2", None).last_event_id.as_deref(), Some("1-2"));
        assert_eq!(read("last_event_id=1-2", Some("1-9")).last_event_id.as_deref(), Some("1-9"));
    }
}
