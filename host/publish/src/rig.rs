//! One twin with two points, health and an alarm, for tests of this room.

use std::sync::Arc;

use geminus_core::{Quality, Timestamp};

use crate::catalogue::{Catalogue, Item, Kind};
use crate::outlet::{By, Content, State};

pub(crate) const TEMPERATURE: u32 = 0;
pub(crate) const MARGIN: u32 = 1;
pub(crate) const HEALTH: u32 = 2;
pub(crate) const ALARM: u32 = 3;
/// 2026-03-01T12:00:00.5Z.
pub(crate) const TIME: Timestamp = Timestamp(1_772_366_400_500_000_000);

pub(crate) fn catalogue() -> Catalogue {
    let item = |name: &str, kind| Item { name: name.to_owned(), kind };
    let point = |name: &str, unit: &str| item(name, Kind::Point { unit: unit.to_owned() });
    let mut catalogue = Catalogue::default();
    let items = || {
        vec![
            point("thermal.winding_temperature", "Cel"),
            point("thermal.margin", "K"),
            item("health", Kind::Health),
            item("thermal.hot", Kind::Alarm),
        ]
    };
    let place = vec!["hall-1".to_owned(), "line-2".to_owned()];
    for (id, place) in [("pump-1", place), ("pump-2", Vec::new())] {
        catalogue.add(id.to_owned(), place, items()).expect("few");
    }
    catalogue
}

fn state(content: Content, quality: Quality) -> State {
    let by = By {
        behavior: "thermal".to_owned(),
        plugin: "motor-thermal".to_owned(),
        version: "0.1.0".to_owned(),
        digest: "sha256:00".to_owned(),
    };
    State { content, quality, time: TIME, by: Some(Arc::new(by)) }
}

pub(crate) fn number(value: f64, quality: Quality) -> State {
    state(Content::Number(value), quality)
}

pub(crate) fn health(index: Option<f64>) -> State {
    State { by: None, ..state(Content::Health { index, verdict: "warning" }, Quality::Good) }
}

pub(crate) fn alarm(stands: &'static str) -> State {
    let content = Content::Alarm {
        state: stands,
        priority: "high",
        message: "the winding is hot".to_owned(),
        value: None,
        unit: "Cel".to_owned(),
    };
    State { by: None, ..state(content, Quality::Good) }
}
