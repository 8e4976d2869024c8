//! What can be wrong in `[publish.NAME]`.

use super::{Check, is_name};
use crate::pattern::Selection;
use crate::site::{Layer, Publish};

/// Most publications of a site.
pub(super) const PUBLICATIONS_MAX: usize = 16;

impl Check<'_> {
    pub(super) fn publishes(&mut self) {
        let site = self.site;
        let publications = &site.document.publish;
        if publications.len() > PUBLICATIONS_MAX {
            let message = format!("{} publications are more than {PUBLICATIONS_MAX}", publications.len());
            self.report("publish", message);
        }
        for (name, publish) in publications {
            let key = format!("publish.{name}");
            if !is_name(name) {
                let message = format!("name \"{name}\" may hold small letters, digits, `-` and `_` only");
                self.report(&key, message);
            }
            self.broker(&key, publish.broker());
            self.selection(&key, &publish.twins);
            for point in &publish.points {
                if let Err(reason) = Selection::new(point) {
                    self.report(&format!("{key}.points"), reason);
                }
            }
            self.range(&format!("{key}.interval_ms"), publish.interval_ms, 0..=3_600_000);
            self.layer(&key, publish);
        }
    }

    fn layer(&mut self, key: &str, publish: &Publish) {
        let Publish { enterprise, group, node, .. } = publish;
        let (layer, wanted) = match publish.layer {
            Layer::Uns1 => ("uns-1", [true, false, false]),
            Layer::SparkplugB1 => ("sparkplug-b-1", [false, true, true]),
        };
        let keys = [("enterprise", enterprise), ("group", group), ("node", node)];
        for ((name, given), wanted) in keys.into_iter().zip(wanted) {
            let at = format!("{key}.{name}");
            match (given, wanted) {
                (None, true) => self.report(&at, format!("layer \"{layer}\" needs `{name}`")),
                (Some(_), false) => self.report(&at, format!("layer \"{layer}\" has no `{name}`")),
                (Some(level), true) => self.level(&at, level),
                (None, false) => {}
            }
        }
    }

    /// One level of a topic.
    pub(super) fn level(&mut self, key: &str, level: &str) {
        if level.is_empty() || level.contains(['/', '+', '#', '\0']) || level.starts_with('$') {
            let name = key.rsplit('.').next().unwrap_or(key);
            let message = format!(
                "{name} = \"{level}\" is one level of a topic: it must not be empty, nor hold `/`, `+` or `#`, nor begin with `$`"
            );
            self.report(key, message);
        }
    }
}
