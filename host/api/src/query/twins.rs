//! Which twins, and which page of them.

use geminus_access::Scope;

use super::Params;
use crate::error::Failure;
use crate::view::TwinState;

/// Most twins on one page.
pub const TWINS_MAX: u32 = 1_000;
/// Twins on a page when the request does not say.
pub const TWINS_DEFAULT: u32 = 100;

/// A question about the fleet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TwinsQuery {
    /// Only twins whose id, display name or type contains this, whatever the case.
    pub search: Option<String>,
    /// Only twins in this state.
    pub state: Option<TwinState>,
    /// Only twins whose id sorts after this one.
    pub after: Option<String>,
    /// 1 … 1,000
    pub limit: u32,
    /// Only twins inside: what whoever asks may see. Not a parameter.
    pub scope: Scope,
}

impl TwinsQuery {
    pub(crate) const PARAMETERS: [&str; 4] = ["search", "state", "after", "limit"];

    pub(crate) fn read(query: Option<&str>) -> Result<Self, Failure> {
        let params = Params::read(query, &Self::PARAMETERS)?;
        Ok(Self {
            search: params.text("search").map(str::to_owned),
            state: params.text("state").map(state).transpose()?,
            after: params.text("after").map(str::to_owned),
            limit: params.number("limit", 1..=TWINS_MAX, TWINS_DEFAULT)?,
            scope: Scope::all(),
        })
    }
}

fn state(text: &str) -> Result<TwinState, Failure> {
    match text {
        "live" => Ok(TwinState::Live),
        "stale" => Ok(TwinState::Stale),
        "waiting" => Ok(TwinState::Waiting),
        _ => Err(Failure::bad_query(format!("state must be live, stale or waiting, not {text:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_and_checked() {
        let query = TwinsQuery::read(Some("search=Pump%201&state=stale&after=p&limit=7")).expect("query");
        let expect = TwinsQuery {
            search: Some("Pump 1".to_owned()),
            state: Some(TwinState::Stale),
            after: Some("p".to_owned()),
            limit: 7,
            scope: Scope::all(),
        };
        assert_eq!(query, expect);
        assert_eq!(TwinsQuery::read(None).expect("default").limit, TWINS_DEFAULT);
        let refusal = format!("{:?}", TwinsQuery::read(Some("state=dead")).expect_err("refused"));
        assert!(refusal.contains("state must be live, stale or waiting"), "{refusal}");
    }
}
