//! What the journal hears of an alarm. The kinds stand in docs/generated/events.md.

use geminus_alarm::{Action, Change, Definition, Desk, Happened};
use geminus_core::declaration::Priority;
use geminus_core::{Event, Severity};
use geminus_twin::Plant;

use super::show;

/// The entry that a change becomes.
pub(super) fn event(plant: &Plant, desk: &Desk, change: &Change) -> Event {
    match (change.key, change.key.and_then(|key| desk.definition(key.alarm))) {
        (Some(key), Some(definition)) => of_alarm(plant, desk, change, key, definition),
        _ => of_station(desk, change),
    }
}

fn of_station(desk: &Desk, change: &Change) -> Event {
    let (figures, settings) = (desk.figures(), desk.settings());
    let told = figures.last_10_min();
    let facts = serde_json::json!({ "last_10_min": told, "floods": figures.floods });
    match change.happened {
        Happened::FloodBegan => {
            let most = settings.flood_above;
            let message = format!("alarm flood: {told} alarms in ten minutes, more than {most}");
            Event::new("alarm-flood", Severity::Warning, message).facts(facts)
        }
        _ => {
            let message = format!("the alarm flood is over: {told} alarms in ten minutes");
            Event::new("alarm-flood-over", Severity::Info, message).facts(facts)
        }
    }
}

fn of_alarm(
    plant: &Plant,
    desk: &Desk,
    change: &Change,
    key: geminus_alarm::Key,
    definition: &Definition,
) -> Event {
    let (twin, name) = show::names(plant, key);
    let alarm = desk.alarm(key);
    let words = alarm.and_then(geminus_alarm::Alarm::words);
    let priority = definition.priority(words);
    let (kind, said) = words_of(change, definition.message(words));
    let mark = change.mark.as_ref();
    let by = mark.map(|mark| format!(" by {}", mark.by)).unwrap_or_default();
    let why = mark.filter(|mark| !mark.reason.is_empty()).map(|mark| format!(": {}", mark.reason));
    let silent = if change.silent && mark.is_none() { " (suppressed: told to nobody)" } else { "" };
    let message = format!("{twin} {name}: {said}{by}{}{silent}", why.unwrap_or_default());
    let facts = serde_json::json!({
        "alarm": name, "priority": priority, "from": change.before.name(), "to": change.after.name(),
        "value": alarm.and_then(geminus_alarm::Alarm::value), "by": mark.map(|mark| &mark.by),
        "reason": mark.map(|mark| &mark.reason).filter(|reason| !reason.is_empty()),
        "until_ms": alarm.and_then(geminus_alarm::Alarm::shelf).map(|shelf| shelf.until.millis()),
    });
    Event::new(kind, severity(change, priority), message).twin(twin).facts(facts)
}

fn words_of(change: &Change, message: &str) -> (&'static str, String) {
    let (kind, said) = match change.happened {
        Happened::Raised => ("alarm-raised", message),
        Happened::ToldAnew => ("alarm-told-anew", message),
        Happened::Returned => ("alarm-returned", "the condition is over"),
        Happened::Ordered(Action::Acknowledge) => ("alarm-acknowledged", "acknowledged"),
        Happened::Ordered(Action::Shelve { minutes }) => {
            return ("alarm-shelved", format!("shelved for {minutes} min"));
        }
        Happened::Ordered(Action::Unshelve) => ("alarm-unshelved", "taken from the shelf"),
        Happened::Ordered(Action::OutOfService) => ("alarm-out-of-service", "taken out of service"),
        Happened::Ordered(Action::InService) => ("alarm-in-service", "put back into service"),
        Happened::Ordered(Action::Reset) => ("alarm-reset", "reset"),
        Happened::ShelfOver => ("alarm-shelf-over", "its time on the shelf is over"),
        Happened::SuppressedByDesign => ("alarm-suppressed", "suppressed by design"),
        Happened::ReleasedByDesign => ("alarm-released", "not suppressed by design any more"),
        Happened::Stale => ("alarm-stale", "suppressed: its twin does not send"),
        Happened::Fresh => ("alarm-fresh", "not suppressed any more: its twin sends again"),
        Happened::Chatters => ("alarm-chatters", "told again and again: give it a deadband or a delay"),
        Happened::FloodBegan => ("alarm-flood", "flood"),
        Happened::FloodEnded => ("alarm-flood-over", "flood over"),
    };
    (kind, said.to_owned())
}

fn severity(change: &Change, priority: Priority) -> Severity {
    let rises = matches!(change.happened, Happened::Raised | Happened::ToldAnew) && !change.silent;
    match priority {
        _ if change.happened == Happened::Chatters => Severity::Warning,
        Priority::Medium | Priority::High | Priority::Critical if rises => Severity::Warning,
        _ => Severity::Info,
    }
}
