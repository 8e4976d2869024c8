//! Models and versions on the thread of an asset: where another version or other parameters went on, rollouts, and what
//! was put to work.

use std::collections::BTreeMap;

use geminus_api::thread::Place;
use geminus_api::view as api;
use geminus_api::view::{ExplainView, RolloutView, ThreadEntryView, ThreadKind};
use geminus_core::{Severity, Timestamp};
use geminus_rollout::Phase;
use geminus_store::{Activation, ActivationFilter, Control, Incarnation, StoreError};
use serde_json::{Map, Value, json};

use super::explain::{Course, Versions};
use super::{ACTIVATIONS, BORDERS, ROLLOUTS, number_from, plain};
use crate::change::{Named, change};

/// Latest activations of a behavior that are looked at.
const ACTIVATIONS_MAX: usize = 2_000;
/// Most changed parameters that a title names.
const NAMED_MAX: usize = 4;

impl Versions {
    /// Where in the twin's time another version, or the same one with other parameters, went on.
    pub(super) fn changes(&self) -> Vec<(Place, ThreadEntryView)> {
        let all = self.courses.iter().zip(0_u64..);
        all.flat_map(|(course, place)| self.changes_of(course, place)).collect()
    }

    fn changes_of(&self, course: &Course, binding: u64) -> Vec<(Place, ThreadEntryView)> {
        let mut before: Option<&Incarnation> = None;
        let mut found = Vec::new();
        for (time, number) in &course.steps {
            let Some(now) = self.known.get(number) else { continue };
            let place = Place { time: *time, source: BORDERS, number: (binding << 32) | u64::from(*number) };
            found.push((place, step(&course.behavior, before.replace(now), now, *time)));
        }
        found
    }
}

/// One change of whoever answers.
fn step(behavior: &str, before: Option<&Incarnation>, now: &Incarnation, time: Timestamp) -> ThreadEntryView {
    let named = |known: &Incarnation| (known.plugin.clone(), known.digest.clone());
    let changed = before.map(|before| differences(&before.parameters, &now.parameters)).unwrap_or_default();
    let same = before.is_some_and(|before| before.digest == now.digest);
    let (kind, what, title) = match before {
        Some(_) if same => {
            (ThreadKind::Calibration, "parameters", format!("{behavior}: {}", words(&changed)))
        }
        Some(before) => {
            let (from, to) = (named(before), named(now));
            let title = change(Some(Named::new(&from.0, &from.1)), Named::new(&to.0, &to.1));
            (ThreadKind::Version, "version", format!("{behavior}: {title}"))
        }
        None => (ThreadKind::Version, "version", format!("{behavior}: {} answers", now.plugin)),
    };
    // Where a course begins moves with what history still has.
    let id = match before {
        Some(_) => format!("border-{behavior}-{}-{}", now.id, time.0),
        None => format!("border-{behavior}-first"),
    };
    let from = before.map(|before| json!({ "plugin": before.plugin, "digest": before.digest }));
    ThreadEntryView {
        facts: json!({ "behavior": behavior, "from": from, "parameters": changed }),
        explain: ExplainView {
            behavior: Some(behavior.to_owned()),
            plugin: Some(now.plugin.clone()),
            digest: Some(now.digest.clone()),
            ..ExplainView::default()
        },
        ..plain(id, kind, what, time, title)
    }
}

/// Parameters that are not what they were: from what to what.
fn differences(before: &[u8], now: &[u8]) -> BTreeMap<String, Value> {
    let read = |bytes: &[u8]| serde_json::from_slice::<Map<String, Value>>(bytes).unwrap_or_default();
    let (before, now) = (read(before), read(now));
    let names = before.keys().chain(now.keys());
    let changed = names.filter(|name| before.get(*name) != now.get(*name));
    changed.map(|name| (name.clone(), json!({ "from": before.get(name), "to": now.get(name) }))).collect()
}

fn words(changed: &BTreeMap<String, Value>) -> String {
    let one = |(name, change): (&String, &Value)| {
        let side = |side: &str| match change.get(side) {
            None | Some(Value::Null) => "nothing".to_owned(),
            Some(value) => value.to_string(),
        };
        format!("{name} {} → {}", side("from"), side("to"))
    };
    let mut all: Vec<String> = changed.iter().take(NAMED_MAX).map(one).collect();
    if changed.len() > NAMED_MAX {
        all.push(format!("{} more", changed.len() - NAMED_MAX));
    }
    if all.is_empty() { "other parameters".to_owned() } else { all.join(", ") }
}

/// Rollouts, each from its beginning to its end, or to now.
pub(super) fn rollouts(all: &[RolloutView], now: Timestamp) -> Vec<(Place, ThreadEntryView)> {
    let each = all.iter().map(|rollout| {
        let time = rollout.started.0;
        let from = rollout.from.as_ref().map(|from| Named::new(&from.version, &from.digest));
        let course = change(from, Named::new(&rollout.to.version, &rollout.to.digest));
        let RolloutView { id, binding, plugin, phase, .. } = rollout;
        let title = format!("rollout {id} of {binding}: {plugin} {course}, {}", phase.name());
        let entry = plain(format!("rollout-{id}"), ThreadKind::Version, "rollout", time, title);
        let entry = ThreadEntryView {
            until: Some(rollout.ended.unwrap_or(api::Time(now.max(time)))),
            severity: match phase {
                Phase::RolledBack | Phase::Failed => Severity::Error,
                Phase::Cancelled => Severity::Warning,
                _ => Severity::Info,
            },
            detail: rollout.reason.clone().unwrap_or_default(),
            facts: json!({ "by": rollout.by, "automatic": rollout.automatic, "phase": phase.name() }),
            explain: ExplainView {
                behavior: Some(binding.clone()),
                plugin: Some(format!("{plugin}@{}", rollout.to.version)),
                digest: Some(rollout.to.digest.clone()),
                rollout: Some(*id),
                ..ExplainView::default()
            },
            ..entry
        };
        (Place { time, source: ROLLOUTS, number: *id }, entry)
    });
    each.collect()
}

/// What was put to work or refused, without what a rollout that is shown did. Blocks.
pub(super) fn activations(
    control: &Control,
    bindings: &[&str],
    shown: &[RolloutView],
) -> Result<Vec<(Place, ThreadEntryView)>, StoreError> {
    let mut found = Vec::new();
    for binding in bindings {
        let filter = ActivationFilter {
            binding: Some((*binding).to_owned()),
            limit: ACTIVATIONS_MAX,
            ..ActivationFilter::default()
        };
        let all = control.activations(&filter)?.into_iter();
        let is_shown =
            |one: &Activation| one.rollout.is_some_and(|id| shown.iter().any(|rollout| rollout.id == id));
        found.extend(all.filter(|one| !is_shown(one)).map(activation));
    }
    Ok(found)
}

fn activation(one: Activation) -> (Place, ThreadEntryView) {
    let Activation { time, binding, plugin, version, digest, twins, rollout, outcome } = one;
    let number = number_from(&[&binding, &digest, &outcome]);
    let title = format!("{binding}: {plugin} {version}: {outcome}");
    let entry =
        plain(format!("activation-{}-{number}", time.0), ThreadKind::Version, "activation", time, title);
    let entry = ThreadEntryView {
        facts: json!({ "twins": twins }),
        explain: ExplainView {
            behavior: Some(binding),
            plugin: Some(format!("{plugin}@{version}")),
            digest: Some(digest),
            rollout,
            ..ExplainView::default()
        },
        ..entry
    };
    (Place { time, source: ACTIVATIONS, number }, entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(id: u32, version: &str, parameters: &str) -> Incarnation {
        Incarnation {
            id,
            binding: "thermal".to_owned(),
            plugin: format!("motor-thermal@{version}"),
            digest: format!("sha256:{version}"),
            parameters: parameters.as_bytes().to_vec(),
            since: Timestamp(1),
        }
    }

    #[test]
    fn other_parameters_are_a_calibration_and_other_bytes_a_version() {
        let all = [
            known(1, "1.0.0", r#"{"r": 0.4, "c": 5}"#),
            known(2, "1.0.0", r#"{"r": 0.5, "c": 5}"#),
            known(3, "1.1.0", r#"{"r": 0.5, "c": 5}"#),
        ];
        let steps = [10, 20, 30].map(Timestamp).into_iter().zip(1..).collect();
        let course = Course { behavior: "thermal".to_owned(), steps, ..Course::default() };
        let versions = Versions { courses: vec![course], known: all.map(|one| (one.id, one)).into() };
        let found = versions.changes();
        let seen: Vec<_> = found.iter().map(|(_, entry)| (entry.kind, entry.title.as_str())).collect();
        let expect = [
            (ThreadKind::Version, "thermal: motor-thermal@1.0.0 answers"),
            (ThreadKind::Calibration, "thermal: r 0.4 → 0.5"),
            (ThreadKind::Version, "thermal: motor-thermal@1.0.0 → motor-thermal@1.1.0"),
        ];
        assert_eq!(seen, expect);
        assert_eq!(found[1].1.facts["parameters"], json!({"r": {"from": 0.4, "to": 0.5}}));
        assert_eq!(found[2].1.explain.digest.as_deref(), Some("sha256:1.1.0"));
        assert!(found.iter().all(|(place, entry)| place.time == entry.time.0));
    }

    #[test]
    fn a_title_names_some_changed_parameters_and_counts_the_rest() {
        let before: Map<String, Value> = (0..6).map(|n| (format!("p{n}"), json!(n))).collect();
        let bytes = Value::Object(before).to_string();
        let changed = differences(bytes.as_bytes(), b"{}");
        assert_eq!(words(&changed), "p0 0 → nothing, p1 1 → nothing, p2 2 → nothing, p3 3 → nothing, 2 more");
        assert_eq!(words(&differences(b"{}", b"no JSON")), "other parameters");
    }

    #[test]
    fn an_activation_stands_at_its_time_with_its_version() {
        let one = Activation {
            time: Timestamp(7),
            binding: "thermal".to_owned(),
            plugin: "motor-thermal".to_owned(),
            version: "1.0.0".to_owned(),
            digest: "sha256:ab".to_owned(),
            twins: 3,
            rollout: Some(4),
            outcome: "activated".to_owned(),
        };
        let (place, entry) = activation(one);
        assert_eq!((place.time, place.source), (Timestamp(7), ACTIVATIONS));
        assert_eq!(entry.title, "thermal: motor-thermal 1.0.0: activated");
        assert_eq!(
            (entry.explain.rollout, entry.explain.plugin.as_deref()),
            (Some(4), Some("motor-thermal@1.0.0"))
        );
    }
}
