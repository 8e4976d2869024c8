//! Layer `uns-1`: a Unified Namespace. One retained JSON document for each item, under a path after ISA-95.
//!
//! `enterprise/site[/area][/line]/twin/point`, `…/twin/health`, `…/twin/alarm/<name>`; whether the publication is there
//! stands under `enterprise/site/_geminus/<name>`. The layer is described in docs/book/publishing.md and never changes:
//! another layout gets another number.

use geminus_core::Timestamp;
use geminus_ingest::mqtt::line::Will;
use serde::Serialize;

use crate::catalogue::{Catalogue, Item, Kind, Twin};
use crate::outgoing::{Outgoing, Work};
use crate::outlet::{By, Content, Outlet, State};

/// The layer's name in payloads.
const LAYER: &str = "uns-1";

#[derive(Debug)]
pub(crate) struct Namespace {
    /// `enterprise/site`.
    root: String,
    status: String,
}

/// A payload.
#[derive(Debug, Serialize)]
struct Document<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<f64>,
    #[serde(skip_serializing_if = "str::is_empty")]
    unit: &'a str,
    quality: &'static str,
    time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'a By>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct Status {
    online: bool,
    layer: &'static str,
}

impl Namespace {
    pub(crate) fn new(enterprise: &str, site: &str, name: &str) -> Self {
        let root = format!("{}/{}", level(enterprise), level(site));
        let status = format!("{root}/_geminus/{}", level(name));
        Self { root, status }
    }

    pub(crate) fn will(&self) -> Will {
        let Outgoing { topic, payload, retained, .. } = self.goodbye();
        Will { topic, payload, retained }
    }

    pub(crate) fn goodbye(&self) -> Outgoing {
        self.status(false)
    }

    pub(crate) fn message(&self, work: &Work, catalogue: &Catalogue, outlet: &Outlet) -> Option<Outgoing> {
        match work {
            Work::Here => Some(self.status(true)),
            Work::Items(items) => {
                let item = *items.first()?;
                let (twin, of) = catalogue.item(item)?;
                let payload = document(of, &outlet.state(item)?)?;
                Some(retained(self.topic(twin, of), payload))
            }
            Work::Twin(_) => None,
        }
    }

    fn status(&self, online: bool) -> Outgoing {
        let payload = serde_json::to_vec(&Status { online, layer: LAYER }).unwrap_or_default();
        retained(self.status.clone(), payload)
    }

    fn topic(&self, twin: &Twin, item: &Item) -> String {
        let mut topic = self.root.clone();
        let between = match item.kind {
            Kind::Alarm => Some("alarm"),
            Kind::Point { .. } | Kind::Health => None,
        };
        let levels = twin.place.iter().map(String::as_str).chain([twin.id.as_str()]);
        for part in levels.chain(between).chain([item.name.as_str()]) {
            topic.push('/');
            topic.push_str(&level(part));
        }
        topic
    }
}

fn retained(topic: String, payload: Vec<u8>) -> Outgoing {
    Outgoing { topic, payload, at_least_once: true, retained: true }
}

fn document(item: &Item, state: &State) -> Option<Vec<u8>> {
    let (value, mut quality) = state.number();
    let unit = match (&item.kind, &state.content) {
        (Kind::Point { unit }, _) => unit.as_str(),
        (_, Content::Alarm { unit, .. }) => unit.as_str(),
        _ => "1",
    };
    let mut document = Document {
        value,
        unit,
        quality: quality.name(),
        time: time(state.time),
        by: state.by.as_deref(),
        verdict: None,
        state: None,
        priority: None,
        message: None,
    };
    match &state.content {
        Content::Number(_) => {}
        Content::Health { verdict, .. } => document.verdict = Some(verdict),
        Content::Alarm { state: stands, priority, message, .. } => {
            // Its state is what counts; the number that raised it may be absent.
            quality = state.quality;
            document.quality = quality.name();
            document.state = Some(stands);
            document.priority = Some(priority);
            document.message = Some(message);
        }
    }
    serde_json::to_vec(&document).ok()
}

/// RFC 3339 in UTC.
fn time(time: Timestamp) -> String {
    jiff::Timestamp::from_nanosecond(time.0.into()).map(|time| time.to_string()).unwrap_or_default()
}

/// A text as one level of a topic: what would part or widen a topic becomes `_`.
fn level(text: &str) -> String {
    let text: String = text
        .chars()
        .map(|letter| if matches!(letter, '/' | '+' | '#' | '\0') { '_' } else { letter })
        .collect();
    match text.strip_prefix('$') {
        Some(rest) => format!("_{rest}"),
        None if text.is_empty() => "_".to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use geminus_core::Quality;
    use serde_json::json;

    use super::*;
    use crate::rig;

    fn said(outlet: &Outlet, item: u32) -> (String, serde_json::Value) {
        let uns = Namespace::new("acme", "pump/house", "plant");
        let work = Work::Items(vec![item]);
        let message = uns.message(&work, &rig::catalogue(), outlet).expect("a message");
        assert!(message.retained && message.at_least_once, "a state is kept");
        (message.topic, serde_json::from_slice(&message.payload).expect("JSON"))
    }

    #[test]
    fn a_point_has_a_topic_after_isa_95_and_says_who_computed_it() {
        let outlet = Outlet::new(8);
        outlet.put([(rig::TEMPERATURE, rig::number(71.25, Quality::Uncertain))]);
        let (topic, document) = said(&outlet, rig::TEMPERATURE);
        assert_eq!(topic, "acme/pump_house/hall-1/line-2/pump-1/thermal.winding_temperature");
        let expect = json!({
            "value": 71.25, "unit": "Cel", "quality": "uncertain", "time": "2026-03-01T12:00:00.5Z",
            "by": { "behavior": "thermal", "plugin": "motor-thermal", "version": "0.1.0", "digest": "sha256:00" },
        });
        assert_eq!(document, expect);
        assert!(
            Namespace::new("acme", "s", "p")
                .message(&Work::Items(vec![3]), &rig::catalogue(), &outlet)
                .is_none()
        );
    }

    #[test]
    fn what_is_no_number_is_bad_and_has_no_value() {
        let outlet = Outlet::new(8);
        outlet.put([(rig::TEMPERATURE, rig::number(f64::NAN, Quality::Good))]);
        let (_, document) = said(&outlet, rig::TEMPERATURE);
        assert!(document["quality"] == "bad" && document.get("value").is_none(), "{document}");
    }

    #[test]
    fn health_and_alarms_have_words() {
        let outlet = Outlet::new(8);
        outlet.put([(rig::HEALTH, rig::health(Some(0.5))), (rig::ALARM, rig::alarm("unacknowledged"))]);
        let (topic, document) = said(&outlet, rig::HEALTH);
        assert!(topic.ends_with("/pump-1/health"), "{topic}");
        assert_eq!((&document["value"], &document["verdict"]), (&json!(0.5), &json!("warning")));
        let (topic, document) = said(&outlet, rig::ALARM);
        assert!(topic.ends_with("/pump-1/alarm/thermal.hot"), "{topic}");
        assert_eq!((&document["state"], &document["quality"]), (&json!("unacknowledged"), &json!("good")));
        assert!(document.get("value").is_none(), "{document}");
    }

    #[test]
    fn whether_it_is_there_is_kept_at_the_broker() {
        let uns = Namespace::new("acme", "site", "plant");
        let here = uns.message(&Work::Here, &rig::catalogue(), &Outlet::new(0)).expect("a message");
        assert_eq!((here.topic.as_str(), here.retained), ("acme/site/_geminus/plant", true));
        assert_eq!(here.payload, br#"{"online":true,"layer":"uns-1"}"#);
        let will = uns.will();
        assert_eq!((will.topic, will.retained), (here.topic, true));
        assert_eq!(will.payload, br#"{"online":false,"layer":"uns-1"}"#);
    }

    #[test]
    fn no_text_leaves_its_level() {
        for (text, expect) in [("a/b", "a_b"), ("+", "_"), ("$SYS", "_SYS"), ("", "_"), ("a.b:c", "a.b:c")] {
            assert_eq!(level(text), expect);
        }
    }
}
