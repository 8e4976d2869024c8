//! Which alarms a site has, and every sentence about a rule that does not fit.

use super::*;
use crate::rig::{SITE, plant};

const RULES: &str = r#"
[alarms]
shelve_max_min = 60
[[alarm]]
name = "hot"
point = "hot"
condition = "high"
limit = 90.0
deadband = 2.0
on_delay_s = 1.5
suppress_when = { point = "load", below = 5.0 }
[[alarm]]
name = "odd"
twins = "rig-2"
point = "core.inside"
condition = "deviation"
limit = 3.0
reference = 300.0
suppress_when = { alarm = "core.too-hot" }
[[alarm]]
alert = "core.too-hot"
twins = "rig-1"
priority = "critical"
deadband = 4.0
output = "inside"
latch = true
"#;

#[test]
fn alerts_and_rules_are_alarms() {
    let plant = plant(&format!("{SITE}{RULES}")).expect("plant");
    let named: Vec<(&str, Vec<u32>)> = plant
        .alarms
        .iter()
        .map(|alarm| {
            (alarm.definition.name.as_str(), alarm.definition.twins.iter().map(|twin| twin.0).collect())
        })
        .collect();
    let both = vec![0, 1];
    let expect: [(&str, Vec<u32>); 5] = [
        ("core.too-hot", vec![1]),
        ("core.too-hot", vec![0]),
        ("core.odd", both.clone()),
        ("hot", both),
        ("odd", vec![1]),
    ];
    assert_eq!(named, expect);
    assert_eq!(plant.alarm_settings.shelve_max_min, 60);

    let (plain, changed) = (&plant.alarms[0], &plant.alarms[1]);
    assert_eq!((plain.definition.priority(None), plain.definition.latch), (Priority::High, false));
    assert_eq!((changed.definition.priority(None), changed.definition.latch), (Priority::Critical, true));
    let alert = |hold| Watched::Alert { binding: BindingIndex(1), alert: 0, hold };
    assert_eq!((&plain.watched, &changed.watched), (&alert(None), &alert(Some((0, 4.0)))));
    assert_eq!(changed.definition.message(None), "too hot");

    let hot = &plant.alarms[3];
    assert_eq!(hot.definition.on_delay, Duration::from_millis(1500));
    assert_eq!(hot.definition.message(None), "hot is above 90 Cel");
    assert_eq!(hot.guard, Some(("load".to_owned(), Condition::Low { limit: 5.0 })));
    let odd = &plant.alarms[4];
    assert_eq!(odd.definition.suppressed_by.as_deref(), Some("core.too-hot"));
    let Watched::Point { reference, .. } = &odd.watched else { panic!("a point") };
    assert_eq!(*reference, Reference::Value(300.0));
}

#[test]
fn without_rules_every_alert_is_an_alarm_as_it_is_declared() {
    let plant = plant(SITE).expect("plant");
    let names: Vec<_> = plant.alarms.iter().map(|alarm| alarm.definition.name.as_str()).collect();
    assert_eq!(names, ["core.too-hot", "core.odd"]);
}

fn check(from: &str, to: &str, expect: &str) {
    let site = format!("{SITE}{RULES}");
    assert!(site.contains(from), "the test site has no {from}");
    let problems = plant(&site.replacen(from, to, 1)).expect_err(to);
    assert!(problems.to_string().contains(expect), "{problems}\n  does not say\n{expect}");
    assert_eq!(problems.list().len(), 1, "{problems}");
}

#[test]
fn what_does_not_fit_is_said_with_its_line() {
    check("point = \"hot\"\n", "point = \"hott\"\n", "has no point \"hott\", did you mean `hot`?");
    check("\"core.inside\"", "\"core.insides\"", "did you mean `core.inside`?");
    check("\"core.too-hot\"\ntwins", "\"core.to-hot\"\ntwins", "no behavior has the alert \"core.to-hot\"");
    check("output = \"inside\"", "output = \"in\"", "behavior \"core\" has no output \"in\"");
    check("name = \"odd\"", "name = \"hot\"", "twin \"rig-2\" has an alarm \"hot\" already");
    check("point = \"load\", below", "point = \"lod\", below", "has no point \"lod\", did you mean `load`?");
    check("alarm = \"core.too-hot\"", "alarm = \"odd\"", "alarm \"odd\" cannot suppress itself");
    check("alarm = \"core.too-hot\"", "alarm = \"hut\"", "there is no alarm \"hut\", did you mean `hot`?");
    check("reference = 300.0", "reference_point = \"hot\"", "a deviation needs the same unit");
    check("twins = \"rig-2\"", "twins = \"pump\"", "matches no twin");
    let narrow = ("plugin = \"core\"\n", "plugin = \"core\"\ntwins = \"rig-2\"\n");
    let site = format!("{SITE}{RULES}").replacen(narrow.0, narrow.1, 1);
    let text = plant(&site).expect_err("rig-1 has no core").to_string();
    assert!(text.contains("none of these twins has the alert \"core.too-hot\""), "{text}");
    check("limit = 90.0", "limit = \"x\"", "invalid type");
    check("shelve_max_min = 60", "shelve_max_min = 0", "shelve_max_min = 0 is outside 1 … 10080");
    check("deadband = 2.0", "deadband = -2.0", "deadband = -2 is not 0 or more");
}

#[test]
fn behaviors_of_different_twins_may_share_a_name() {
    let both = "name = \"core\"\nplugin = \"core\"\ntwins = \"rig-1\"\n[[behavior]]\nname = \"core\"\nplugin = \"core\"\ntwins = \"rig-2\"\n";
    let site = SITE.replacen("name = \"core\"\nplugin = \"core\"\n", both, 1);
    let rule = "[[alarm]]\nalert = \"core.odd\"\npriority = \"critical\"\n";
    let plant = plant(&format!("{site}{rule}")).expect("plant");
    let odd: Vec<_> = plant
        .alarms
        .iter()
        .filter(|alarm| alarm.definition.name == "core.odd")
        .map(|alarm| (alarm.definition.priority(None), alarm.definition.twins.clone()))
        .collect();
    let critical = |twin| (Priority::Critical, vec![TwinIndex(twin)]);
    assert_eq!(odd, [critical(0), critical(1)]);
}
