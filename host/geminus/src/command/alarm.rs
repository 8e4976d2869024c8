//! `geminus alarm`: which alarms there are, and what a person does to one, over the host's own API.

use std::io::Write;

use clap::{Args, Subcommand, ValueEnum};
use geminus_alarm::Shown;
use geminus_api::view::{AlarmMark, AlarmView, AlarmsView};
use geminus_core::declaration::Priority;
use serde_json::{Value, json};

use super::rollout::{Answer, By};

#[derive(Debug, Subcommand)]
pub(crate) enum Alarm {
    /// Shows the alarms that are not normal, and how the operator station fares.
    List {
        /// Only those of this twin.
        #[arg(long, value_name = "ID")]
        twin: Option<String>,
        /// Only those of this priority.
        #[arg(long)]
        priority: Option<Level>,
        /// Only those in this state: unacknowledged, acknowledged, returned, latched-unacknowledged,
        /// latched-acknowledged, shelved, suppressed-by-design, suppressed-by-staleness, out-of-service.
        #[arg(long, value_parser = state)]
        state: Option<Shown>,
        /// At most so many.
        #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
        #[command(flatten)]
        answer: Answer,
    },
    /// Says that somebody knows.
    Acknowledge(Order),
    /// Puts an alarm aside for a time.
    Shelve {
        /// For how many minutes; at most what the site allows.
        #[arg(long)]
        minutes: u32,
        #[command(flatten)]
        order: Order,
    },
    /// Takes an alarm from the shelf before its time.
    Unshelve(Order),
    /// Takes an alarm out of service until it is put back.
    OutOfService(Order),
    /// Puts an alarm back into service.
    InService(Order),
    /// Lets go of a latched alarm whose condition is gone and which is acknowledged.
    Reset(Order),
}

/// An order for one alarm.
#[derive(Debug, Args)]
pub(crate) struct Order {
    /// Id of the twin.
    twin: String,
    /// Name of the alarm; of an alert: BEHAVIOR.CODE.
    #[arg(value_name = "NAME")]
    alarm: String,
    /// Why, for the journal.
    #[arg(long, default_value = "")]
    reason: String,
    #[command(flatten)]
    by: By,
    #[command(flatten)]
    answer: Answer,
}

/// Priorities of alarms.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Level {
    Low,
    Medium,
    High,
    Critical,
}

fn state(name: &str) -> Result<Shown, String> {
    let known = Shown::from_name(name).filter(|shown| *shown != Shown::Normal);
    known.ok_or_else(|| {
        let names: Vec<_> = Shown::ALL.iter().skip(1).map(|shown| shown.name()).collect();
        format!("it must be one of {}", names.join(", "))
    })
}

pub(crate) fn run(alarm: Alarm) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match obey(alarm, &mut out) {
        // A reader that has seen enough (`| head`) is no failure.
        Err(error) if super::rollout::is_broken_pipe(&error) => Ok(()),
        other => other,
    }
}

fn obey(alarm: Alarm, out: &mut impl Write) -> anyhow::Result<()> {
    match alarm {
        Alarm::List { twin, priority, state, limit, answer } => {
            let path = address(twin.as_deref(), priority, state, limit);
            let view: AlarmsView = answer.door.host()?.get(&path)?;
            answer.print(out, &view, list)
        }
        Alarm::Acknowledge(order) => order.give("acknowledge", json!({}), out),
        Alarm::Shelve { minutes, order } => order.give("shelve", json!({ "minutes": minutes }), out),
        Alarm::Unshelve(order) => order.give("unshelve", json!({}), out),
        Alarm::OutOfService(order) => order.give("out-of-service", json!({}), out),
        Alarm::InService(order) => order.give("in-service", json!({}), out),
        Alarm::Reset(order) => order.give("reset", json!({}), out),
    }
}

fn address(twin: Option<&str>, priority: Option<Level>, state: Option<Shown>, limit: u32) -> String {
    let mut path = format!("/api/v1/alarms?limit={limit}");
    let priority = priority.map(|level| match level {
        Level::Low => "low",
        Level::Medium => "medium",
        Level::High => "high",
        Level::Critical => "critical",
    });
    let wanted = [("twin", twin), ("priority", priority), ("state", state.map(Shown::name))];
    for (name, value) in wanted.into_iter().filter_map(|(name, value)| Some((name, value?))) {
        path.push_str(&format!("&{name}={}", escaped(value)));
    }
    path
}

/// Part of an address: everything but letters, digits and `-_.~` by its bytes.
pub(super) fn escaped(text: &str) -> String {
    let each = text.bytes().map(|byte| match byte {
        b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    });
    each.collect()
}

impl Order {
    fn give(self, what: &str, mut body: Value, out: &mut impl Write) -> anyhow::Result<()> {
        let Self { twin, alarm, reason, by, answer } = self;
        let host = answer.door.host()?;
        if let Value::Object(members) = &mut body {
            members.insert("reason".to_owned(), reason.into());
        }
        by.sign(&host, &mut body);
        let path = format!("/api/v1/alarms/{}/{}/{what}", escaped(&twin), escaped(&alarm));
        let view: AlarmView = host.post(&path, &body)?;
        answer.print(out, &view, line)
    }
}

fn list(view: &AlarmsView) -> String {
    let mut text: String = view.alarms.iter().map(line).collect();
    let counts = &view.counts;
    let shown = view.alarms.len() as u64;
    if view.total > shown {
        text.push_str(&format!("{} more\n", view.total - shown));
    }
    text.push_str(&format!(
        "{} critical, {} high, {} medium, {} low; {} unacknowledged, {} shelved, {} suppressed, {} out of service\n",
        counts.critical,
        counts.high,
        counts.medium,
        counts.low,
        counts.unacknowledged,
        counts.shelved,
        counts.suppressed_by_design + counts.suppressed_by_staleness,
        counts.out_of_service,
    ));
    let figures = &view.figures;
    text.push_str(&format!(
        "{} in ten minutes, {} in a day, {} in the worst ten minutes; {} chattering, {} stale\n",
        figures.last_10_min, figures.last_day, figures.peak_10_min, counts.chattering, counts.standing
    ));
    if let Some(since) = figures.flood_since {
        text.push_str(&format!("alarm flood since {since}\n"));
    }
    text
}

fn line(alarm: &AlarmView) -> String {
    let priority = match alarm.priority {
        Priority::Journal => "journal",
        Priority::Low => "low",
        Priority::Medium => "medium",
        Priority::High => "high",
        Priority::Critical => "critical",
    };
    let AlarmView { twin, name, message, since, .. } = alarm;
    let mut text = format!("{priority:8}  {:22}  {since}  {twin}  {name}  {message}", alarm.state.name());
    let until = |mark: &AlarmMark| mark.until.map(|until| format!(" until {until}")).unwrap_or_default();
    let marks = [
        ("acknowledged", &alarm.acknowledged),
        ("shelved", &alarm.shelved),
        ("out of service", &alarm.out_of_service),
    ];
    for (what, mark) in marks.into_iter().filter_map(|(what, mark)| Some((what, mark.as_ref()?))) {
        text.push_str(&format!(" ({what}{} by {})", until(mark), mark.by));
    }
    let remarks =
        [(alarm.first_out, "first-out"), (alarm.chattering, "chattering"), (alarm.standing, "stale")];
    for (_, remark) in remarks.into_iter().filter(|(is, _)| *is) {
        text.push_str(&format!(" [{remark}]"));
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_hold_what_was_asked_for() {
        assert_eq!(address(None, None, None, 200), "/api/v1/alarms?limit=200");
        let path = address(Some("pump:1 a"), Some(Level::High), Some(Shown::OutOfService), 5);
        assert_eq!(path, "/api/v1/alarms?limit=5&twin=pump%3A1%20a&priority=high&state=out-of-service");
    }

    #[test]
    fn states_are_those_of_the_alarm_room() {
        assert_eq!(state("shelved"), Ok(Shown::Shelved));
        assert!(state("normal").is_err_and(|message| message.contains("unacknowledged, acknowledged")));
    }

    #[test]
    fn a_list_says_who_did_what_and_how_the_station_fares() {
        let view: AlarmsView = serde_json::from_value(json!({
            "alarms": [{
                "twin": "rig-1", "name": "hot", "priority": "high", "state": "shelved", "message": "too hot",
                "consequence": "", "response": "", "value": 1.5, "unit": "Cel", "detail": "",
                "since": "2026-03-01T12:00:00Z", "raised": null, "latch": false, "group": null, "first_out": true,
                "chattering": false, "standing": true, "told": 1, "acknowledged": null, "out_of_service": null,
                "shelved": {"by": "Ann", "at": "2026-03-01T12:00:00Z", "reason": "", "until": "2026-03-01T13:00:00Z"},
            }],
            "total": 3,
            "counts": {"critical": 0, "high": 1, "medium": 0, "low": 2, "unacknowledged": 1, "shelved": 1,
                "suppressed_by_design": 1, "suppressed_by_staleness": 2, "out_of_service": 0, "chattering": 0,
                "standing": 1},
            "figures": {"last_10_min": 12, "last_day": 13, "peak_10_min": 12, "told": 13,
                "flood_since": "2026-03-01T11:55:00Z", "floods": 1},
        }))
        .expect("a list");
        let text = list(&view);
        for part in [
            "rig-1  hot  too hot (shelved until 2026-03-01T13:00:00Z by Ann) [first-out] [stale]\n2 more\n",
            "0 critical, 1 high, 0 medium, 2 low; 1 unacknowledged, 1 shelved, 3 suppressed, 0 out of service",
            "12 in ten minutes, 13 in a day, 12 in the worst ten minutes; 0 chattering, 1 stale",
            "alarm flood since 2026-03-01T11:55:00Z",
        ] {
            assert!(text.contains(part), "{text}\n  does not say\n{part}");
        }
    }
}
