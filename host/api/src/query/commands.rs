//! Which commands, and which targets.

use geminus_access::Scope;
use geminus_command::Phase;

use super::Params;
use crate::error::Failure;

/// Most commands in one answer.
pub const COMMANDS_MAX: u32 = 1_000;
/// Commands when the request does not say.
pub const COMMANDS_DEFAULT: u32 = 100;

/// A question about commands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandsQuery {
    /// 1 … 1,000
    pub limit: u32,
    /// Only those with a lower number.
    pub before: Option<u64>,
    /// Only those of this twin.
    pub twin: Option<String>,
    /// Only those of targets of this name.
    pub target: Option<String>,
    /// Only those in this state.
    pub state: Option<Phase>,
    /// Only those of twins that whoever asks may see.
    pub scope: Scope,
}

impl CommandsQuery {
    pub(crate) const PARAMETERS: [&str; 5] = ["limit", "before", "twin", "target", "state"];

    pub(crate) fn read(query: Option<&str>) -> Result<Self, Failure> {
        let params = Params::read(query, &Self::PARAMETERS)?;
        Ok(Self {
            limit: params.number("limit", 1..=COMMANDS_MAX, COMMANDS_DEFAULT)?,
            before: params.text("before").map(number).transpose()?,
            twin: params.text("twin").map(str::to_owned),
            target: params.text("target").map(str::to_owned),
            state: params.text("state").map(state).transpose()?,
            scope: Scope::all(),
        })
    }
}

/// A question about targets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetsQuery {
    /// Only those of this twin.
    pub twin: Option<String>,
    /// Only those of twins that whoever asks may see.
    pub scope: Scope,
}

impl TargetsQuery {
    pub(crate) fn read(query: Option<&str>) -> Result<Self, Failure> {
        let params = Params::read(query, &["twin"])?;
        Ok(Self { twin: params.text("twin").map(str::to_owned), scope: Scope::all() })
    }
}

fn number(text: &str) -> Result<u64, Failure> {
    text.parse()
        .map_err(|_| Failure::bad_query(format!("before must be the number of a command, not {text:?}")))
}

fn state(text: &str) -> Result<Phase, Failure> {
    let found = Phase::ALL.into_iter().find(|phase| phase.name() == text);
    found.ok_or_else(|| {
        let names = Phase::ALL.map(Phase::name).join(", ");
        Failure::bad_query(format!("state must be one of {names}, not {text:?}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_and_checked() {
        let query = CommandsQuery::read(Some("limit=5&before=9&twin=p&target=speed&state=held"));
        let expect = CommandsQuery {
            limit: 5,
            before: Some(9),
            twin: Some("p".to_owned()),
            target: Some("speed".to_owned()),
            state: Some(Phase::Held),
            scope: Scope::all(),
        };
        assert_eq!(query.expect("query"), expect);
        assert_eq!(CommandsQuery::read(None).expect("query").limit, COMMANDS_DEFAULT);
        for (text, says) in [
            ("state=done", "state must be one of proposed, checked, held"),
            ("before=last", "before must be the number of a command"),
            ("limit=1001", "limit must be a whole number from 1 to 1000"),
        ] {
            let refusal = format!("{:?}", CommandsQuery::read(Some(text)).expect_err("refused"));
            assert!(refusal.contains(says), "{refusal}");
        }
        let twin = Some("pump-1".to_owned());
        assert_eq!(
            TargetsQuery::read(Some("twin=pump-1")).expect("query"),
            TargetsQuery { twin, scope: Scope::all() }
        );
    }
}
