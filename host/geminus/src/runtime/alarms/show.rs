//! Alarms as the API shows them.

use geminus_alarm::{Alarm, Desk, Entry, Key, Mark, Now, Shown};
use geminus_api::query::AlarmsQuery;
use geminus_api::view as api;
use geminus_core::TwinIndex;
use geminus_core::declaration::Priority;
use geminus_twin::Plant;

/// Id of the twin, name of the alarm.
pub(super) fn names(plant: &Plant, key: Key) -> (String, String) {
    let twin = plant.twin(key.twin).map_or("", |twin| &*twin.id);
    let name = plant.alarms.get(key.alarm as usize).map_or("", |alarm| &alarm.definition.name);
    (twin.to_owned(), name.to_owned())
}

/// One alarm, quiet or not.
pub(super) fn alarm(plant: &Plant, desk: &Desk, key: Key, now: Now) -> Option<api::AlarmView> {
    let quiet = Alarm::default();
    Some(view(plant, desk, desk.entry(key, &quiet, now)?))
}

/// What fits the question, with counts of what whoever asks may see, and figures of the site.
pub(super) fn alarms(
    plant: &Plant,
    desk: &Desk,
    query: &AlarmsQuery,
    twin: Option<TwinIndex>,
    now: Now,
) -> api::AlarmsView {
    let priority = |entry: &Entry<'_>| entry.alarm.priority(entry.definition);
    let fits = |entry: &Entry<'_>| {
        twin.is_none_or(|twin| entry.key.twin == twin)
            && query.priority.is_none_or(|wanted| priority(entry) == wanted)
            && query.state.is_none_or(|state| entry.alarm.shown() == state)
    };
    let mut counts = api::AlarmCounts::default();
    let mut found = Vec::new();
    let seen = |entry: &Entry<'_>| {
        query.scope.is_all() || plant.twin(entry.key.twin).is_some_and(|twin| query.scope.contains(&twin.id))
    };
    for entry in desk.entries(now).filter(seen) {
        count(&mut counts, &entry);
        if fits(&entry) {
            found.push(entry);
        }
    }
    let order = |entry: &Entry<'_>| {
        let newest = std::cmp::Reverse(entry.alarm.raised().unwrap_or(entry.alarm.since()));
        (std::cmp::Reverse(priority(entry)), newest, entry.key)
    };
    found.sort_by_key(order);
    let total = found.len() as u64;
    found.truncate(query.limit as usize);
    let alarms = found.into_iter().map(|entry| view(plant, desk, entry)).collect();
    api::AlarmsView { alarms, total, counts, figures: figures(desk) }
}

fn count(counts: &mut api::AlarmCounts, entry: &Entry<'_>) {
    let alarm = entry.alarm;
    counts.chattering += u64::from(alarm.chatters());
    counts.standing += u64::from(entry.standing);
    match alarm.shown() {
        Shown::Normal => {}
        Shown::Shelved => counts.shelved += 1,
        Shown::OutOfService => counts.out_of_service += 1,
        Shown::SuppressedByDesign => counts.suppressed_by_design += 1,
        Shown::SuppressedByStaleness => counts.suppressed_by_staleness += 1,
        _ => {
            counts.unacknowledged += u64::from(alarm.state().wants_acknowledgement());
            match alarm.priority(entry.definition) {
                Priority::Critical => counts.critical += 1,
                Priority::High => counts.high += 1,
                Priority::Medium => counts.medium += 1,
                Priority::Low | Priority::Journal => counts.low += 1,
            }
        }
    }
}

fn figures(desk: &Desk) -> api::AlarmFigures {
    let figures = desk.figures();
    api::AlarmFigures {
        last_10_min: figures.last_10_min(),
        last_day: figures.last_day(),
        peak_10_min: figures.peak_10_min(),
        told: figures.told,
        flood_since: figures.flood_since.map(Into::into),
        floods: figures.floods,
    }
}

fn view(plant: &Plant, desk: &Desk, entry: Entry<'_>) -> api::AlarmView {
    let Entry { key, definition, alarm, standing } = entry;
    let (twin, name) = names(plant, key);
    let words = alarm.words().unwrap_or(&definition.words);
    let mark = |mark: &Mark| api::AlarmMark {
        by: mark.by.clone(),
        at: mark.at.into(),
        reason: mark.reason.clone(),
        until: None,
    };
    api::AlarmView {
        twin,
        name,
        priority: alarm.priority(definition),
        state: alarm.shown(),
        message: definition.message(alarm.words()).to_owned(),
        consequence: definition.consequence.clone(),
        response: definition.response.clone(),
        value: alarm.value(),
        unit: words.unit.clone(),
        detail: alarm.detail().to_owned(),
        since: alarm.since().into(),
        raised: alarm.raised().map(Into::into),
        latch: definition.latch,
        group: definition.group.clone(),
        first_out: alarm.is_first_out(),
        chattering: alarm.chatters(),
        standing,
        told: desk.told(key),
        acknowledged: alarm.acknowledged().map(mark),
        shelved: alarm
            .shelf()
            .map(|shelf| api::AlarmMark { until: Some(shelf.until.into()), ..mark(&shelf.mark) }),
        out_of_service: alarm.out_of_service().map(mark),
    }
}
