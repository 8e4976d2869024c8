//! Alerts have the words of the version that raised them.

use geminus_core::{Declaration, Severity};

use super::*;

/// `core` as another version declares it, whose second alert matters more than it did.
fn newer() -> Arc<Declaration> {
    let mut declaration = crate::rig::declarations().pop().expect("core");
    declaration.version.0.minor += 1;
    declaration.alerts[1].priority = Priority::Critical;
    declaration.alerts[1].text = "very odd".to_owned();
    Arc::new(declaration)
}

/// One row of `core` with the second alert or without, answered by the version of the plant or another.
fn answered(shard: &mut Shard, time_ms: u64, odd: bool, by: Option<&Arc<Declaration>>) {
    give(shard, LOAD, time_ms, 1000.0);
    give(shard, HOT, time_ms, 20.0);
    while let Some((binding, frame)) = shard.next_frame(10) {
        let mut outcome = answer(binding, &frame);
        let row = frame.rows() as u32 - 1;
        if binding == CORE && odd {
            outcome.alerts.push(Alert { row, alert: 1, value: 7.0, detail: String::new() });
        }
        let declared = |_: usize| by.cloned().filter(|_| binding == CORE);
        shard.apply_by(binding, &frame, &outcome, at_ms(time_ms), &mut Vec::new(), &declared);
    }
}

fn seen(shard: &Shard, time_ms: u64) -> (Priority, String, Timestamp) {
    let view = shard.view(FIRST, at_ms(time_ms)).expect("view");
    assert_eq!(view.summary.highest, Some(view.alerts[0].priority), "list and page say the same");
    (view.alerts[0].priority, view.alerts[0].text.clone(), view.alerts[0].since)
}

#[test]
fn an_alert_is_called_what_the_version_calls_it_that_raised_it_last() {
    let (mut shard, newer) = (shard(SITE), newer());
    answered(&mut shard, 0, true, None);
    let since = at_ms(0).wall;
    assert_eq!(seen(&shard, 0), (Priority::Low, "odd".to_owned(), since));
    // It stands on, and matters more from this row on.
    answered(&mut shard, 1000, true, Some(&newer));
    assert_eq!(seen(&shard, 1000), (Priority::Critical, "very odd".to_owned(), since));
    answered(&mut shard, 2000, false, Some(&newer));
    answered(&mut shard, 3000, true, Some(&newer));
    answered(&mut shard, 4000, true, None);
    assert_eq!(
        seen(&shard, 4000),
        (Priority::Low, "odd".to_owned(), at_ms(3000).wall),
        "the old one is back"
    );
    let mut events = Vec::new();
    shard.take_events(&mut events);
    let told: Vec<_> = events
        .iter()
        .map(|event| {
            (event.kind.as_str(), event.message.as_str(), event.severity, event.facts["priority"].as_str())
        })
        .collect();
    let expect = [
        ("alert-raised", "rig-1 odd: odd", Severity::Info, Some("low")),
        ("alert-cleared", "rig-1 odd: cleared", Severity::Info, Some("critical")),
        ("alert-raised", "rig-1 odd: very odd", Severity::Warning, Some("critical")),
    ];
    assert_eq!(told, expect);
    let label = |place: usize| events[place].plugin.as_deref().map(str::to_owned);
    assert_eq!((label(0), label(2)), (Some("core@1.2.0".to_owned()), Some("core@1.3.0".to_owned())));
}
