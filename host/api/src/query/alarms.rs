//! Which alarms.

use geminus_access::Scope;
use geminus_alarm::Shown;
use geminus_core::declaration::Priority;

use super::Params;
use crate::error::Failure;

/// Most alarms in one answer.
pub const ALARMS_MAX: u32 = 1_000;
/// Alarms when the request does not say.
pub const ALARMS_DEFAULT: u32 = 200;

/// A question about alarms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlarmsQuery {
    /// 1 … 1,000
    pub limit: u32,
    /// Only those of this twin.
    pub twin: Option<String>,
    /// Only those of this priority.
    pub priority: Option<Priority>,
    /// Only those in this state.
    pub state: Option<Shown>,
    /// Only those of twins inside: what whoever asks may see. Not a parameter.
    pub scope: Scope,
}

impl AlarmsQuery {
    pub(crate) const PARAMETERS: [&str; 4] = ["limit", "twin", "priority", "state"];

    pub(crate) fn read(query: Option<&str>) -> Result<Self, Failure> {
        let params = Params::read(query, &Self::PARAMETERS)?;
        Ok(Self {
            limit: params.number("limit", 1..=ALARMS_MAX, ALARMS_DEFAULT)?,
            twin: params.text("twin").map(str::to_owned),
            priority: params.text("priority").map(priority).transpose()?,
            state: params.text("state").map(state).transpose()?,
            scope: Scope::all(),
        })
    }
}

fn priority(text: &str) -> Result<Priority, Failure> {
    match text {
        "low" => Ok(Priority::Low),
        "medium" => Ok(Priority::Medium),
        "high" => Ok(Priority::High),
        "critical" => Ok(Priority::Critical),
        _ => Err(Failure::bad_query(format!(
            "priority must be one of low, medium, high and critical, not {text:?}"
        ))),
    }
}

fn state(text: &str) -> Result<Shown, Failure> {
    let names = || Shown::ALL.map(Shown::name).into_iter().skip(1).collect::<Vec<_>>().join(", ");
    let found = Shown::from_name(text).filter(|shown| *shown != Shown::Normal);
    found.ok_or_else(|| Failure::bad_query(format!("state must be one of {}, not {text:?}", names())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_and_checked() {
        let query = AlarmsQuery::read(Some("limit=5&twin=p&priority=high&state=latched-acknowledged"));
        let expect = AlarmsQuery {
            limit: 5,
            twin: Some("p".to_owned()),
            priority: Some(Priority::High),
            state: Some(Shown::LatchedAcknowledged),
            scope: Scope::all(),
        };
        assert_eq!(query.expect("query"), expect);
        let plain = AlarmsQuery::read(None).expect("query");
        assert_eq!((plain.limit, plain.twin, plain.priority, plain.state), (200, None, None, None));
        for (text, says) in [
            ("state=normal", "state must be one of unacknowledged, acknowledged, returned"),
            ("priority=journal", "priority must be one of low"),
            ("limit=1001", "limit must be a whole number from 1 to 1000"),
            ("colour=red", "known are limit, twin, priority, state"),
        ] {
            let refusal = format!("{:?}", AlarmsQuery::read(Some(text)).expect_err("refused"));
            assert!(refusal.contains(says), "{refusal}");
        }
    }
}
