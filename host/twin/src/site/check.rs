//! What can be wrong in `site.toml` by itself, before types and plugins are looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::ops::RangeInclusive;

use super::{Behavior, Bind, CheckAddress, Payload, Shape, Site, Source, Substitute, Target};
use crate::pattern::{Selection, expand};
use crate::problem::{Problems, did_you_mean};

mod access;
mod broker;
mod opcua;
mod publish;

/// Adds every mistake to `problems`.
pub(super) fn document(site: &Site, address: CheckAddress<'_>, problems: &mut Problems) {
    let mut check = Check { site, address, problems };
    check.about();
    check.access();
    check.sources();
    check.twins();
    check.binds();
    check.behaviors();
    check.alarms();
    check.targets();
    check.publishes();
}

struct Check<'a> {
    site: &'a Site,
    address: CheckAddress<'a>,
    problems: &'a mut Problems,
}

impl Check<'_> {
    fn report(&mut self, key: &str, message: impl Into<String>) {
        self.problems.add(&self.site.path, self.site.line(key), message);
    }

    fn range<T: PartialOrd + Display>(&mut self, key: &str, value: T, range: RangeInclusive<T>) {
        if !range.contains(&value) {
            let name = key.rsplit('.').next().unwrap_or(key);
            self.report(key, format!("{name} = {value} is outside {} … {}", range.start(), range.end()));
        }
    }

    fn about(&mut self) {
        let document = &self.site.document;
        if document.site.name.is_empty() {
            self.report("site.name", "name is empty");
        }
        if document.http.listen.parse::<std::net::SocketAddr>().is_err() {
            let listen = &document.http.listen;
            self.report(
                "http.listen",
                format!("\"{listen}\" is not an address and port like 127.0.0.1:8080"),
            );
        }
        for host in document.http.hosts.iter().filter(|host| !is_host(host)) {
            self.report(
                "http.hosts",
                format!("\"{host}\" is not a name without port like pump-house.example"),
            );
        }
        let (limits, store) = (&document.limits, &document.store);
        self.range("limits.stale_after_intervals", limits.stale_after_intervals, 2..=1000);
        self.range("limits.frame_rows_max", limits.frame_rows_max, 1..=65_536);
        self.range("limits.fuel_per_row_max", limits.fuel_per_row_max, 10_000..=1_000_000_000);
        self.range("limits.metrics_twins_max", limits.metrics_twins_max, 0..=100_000);
        self.range("limits.payload_bytes_max", limits.payload_bytes_max, 1..=256 << 20);
        self.range("store.group_commit_ms", store.group_commit_ms, 1..=10_000);
        self.range("store.snapshot_s", store.snapshot_s, 1..=86_400);
        self.range("site.shards", document.site.shards, 0..=256);
        let containment = &document.containment;
        self.range("containment.strikes_window_s", containment.strikes_window_s, 1..=604_800);
        self.range("containment.restarts_max", containment.restarts_max, 0..=100);
        self.range("containment.restarts_older_max", containment.restarts_older_max, 0..=100);
        self.range("containment.restart_wait_s", containment.restart_wait_s, 0..=3600);
        self.range("containment.crashes_max", containment.crashes_max, 1..=100);
        self.range("containment.crashes_window_s", containment.crashes_window_s, 1..=604_800);
    }

    fn sources(&mut self) {
        let mut names = BTreeSet::new();
        for (index, source) in self.site.document.source.iter().enumerate() {
            let key = format!("source[{index}]");
            if !names.insert(&source.name) {
                self.report(&format!("{key}.name"), format!("source \"{}\" is named twice", source.name));
            }
            self.source(&key, source);
        }
    }

    fn source(&mut self, key: &str, source: &Source) {
        let kinds =
            [source.mqtt.is_some(), source.sparkplug.is_some(), source.opcua.is_some(), source.csv.is_some()];
        if kinds.into_iter().filter(|kind| *kind).count() != 1 {
            let name = &source.name;
            let message = format!(
                "source \"{name}\" needs exactly one of [source.mqtt], [source.sparkplug], [source.opcua] and [source.csv]"
            );
            self.report(key, message);
        }
        if let Some(mqtt) = &source.mqtt {
            self.range(&format!("{key}.mqtt.qos"), mqtt.qos, 0..=2);
            self.range(&format!("{key}.mqtt.receive_maximum"), mqtt.receive_maximum, 1..=u16::MAX);
            self.broker(&format!("{key}.mqtt"), mqtt.broker());
        }
        if let Some(spb) = &source.sparkplug {
            let key = format!("{key}.sparkplug");
            self.broker(&key, spb.broker());
            if spb.host_id.is_empty() || spb.host_id.contains(['/', '+', '#', '\0']) {
                let message = format!(
                    "host_id \"{}\" is one level of a topic: it must not be empty, nor hold `/`, `+` or `#`",
                    spb.host_id
                );
                self.report(&format!("{key}.host_id"), message);
            }
        }
        if let Some(opcua) = &source.opcua {
            self.opcua(&format!("{key}.opcua"), opcua);
        }
        if let Some(csv) = source.csv.as_ref().filter(|csv| !(csv.speed >= 0.0 && csv.speed.is_finite())) {
            self.report(&format!("{key}.csv.speed"), format!("speed = {} is not 0 or more", csv.speed));
        }
    }

    fn twins(&mut self) {
        for (index, twin) in self.site.document.twin.iter().enumerate() {
            let key = format!("twin[{index}]");
            match expand(&twin.id) {
                Err(reason) => self.report(&format!("{key}.id"), reason),
                Ok(ids) => {
                    if let Some(id) = ids.iter().find(|id| !is_id(id)) {
                        let message =
                            format!("twin id \"{id}\" may hold letters, digits, `-`, `_`, `.` and `:` only");
                        self.report(&format!("{key}.id"), message);
                    }
                }
            }
            for (name, level) in [("area", &twin.area), ("line", &twin.line)] {
                if let Some(level) = level {
                    self.level(&format!("{key}.{name}"), level);
                }
            }
            self.range(&format!("{key}.interval_ms"), twin.interval_ms, 1..=86_400_000);
            for (name, point) in &twin.point {
                if let Some(interval) = point.interval_ms {
                    self.range(&format!("{key}.point.{name}.interval_ms"), interval, 1..=86_400_000);
                }
            }
        }
    }

    fn binds(&mut self) {
        for (index, bind) in self.site.document.bind.iter().enumerate() {
            let key = format!("bind[{index}]");
            self.selection(&key, &bind.twins);
            if let Some(qos) = bind.qos {
                self.range(&format!("{key}.qos"), qos, 0..=2);
            }
            self.bind(&key, bind);
        }
    }

    fn bind(&mut self, key: &str, bind: &Bind) {
        let sources = &self.site.document.source;
        let Some(source) = sources.iter().find(|source| source.name == bind.source) else {
            let hint = did_you_mean(&bind.source, sources.iter().map(|source| source.name.as_str()));
            return self.report(
                &format!("{key}.source"),
                format!("source \"{}\" is not defined{hint}", bind.source),
            );
        };
        let topic_key = format!("{key}.topic");
        if source.sparkplug.is_some() {
            return self.sparkplug_bind(key, bind);
        }
        if source.opcua.is_some() {
            return self.opcua_bind(key, bind);
        }
        let Some(topic) = &bind.topic else {
            if source.mqtt.is_some() {
                self.report(key, format!("[[bind]] to MQTT source \"{}\" needs a topic", source.name));
            }
            return;
        };
        if source.csv.is_some() {
            return;
        }
        match bind.payload.shape {
            Shape::Value if !topic.contains("{point}") && bind.points.as_ref().is_none_or(|p| p.len() != 1) => self
                .report(
                    &topic_key,
                    format!("topic \"{topic}\" has no {{point}}: with payload shape `value` a topic carries one point"),
                ),
            Shape::Object if topic.contains("{point}") => self
                .report(&topic_key, format!("topic \"{topic}\" has {{point}}, but the payload shape is `object`")),
            _ => {}
        }
    }

    /// Time, quality and quality of service are the protocol's own: what is said of them would have no effect.
    fn sparkplug_bind(&mut self, key: &str, bind: &Bind) {
        match &bind.topic {
            None => {
                let name = &bind.source;
                let message = format!(
                    "[[bind]] to Sparkplug source \"{name}\" needs a topic like spBv1.0/group/node or spBv1.0/group/node/{{twin}}"
                );
                self.report(key, message);
            }
            Some(topic) if topic.contains("{point}") => {
                let message = format!(
                    "topic \"{topic}\" has {{point}}: it names an edge node or device, and its metrics are called as payload.fields or the points say"
                );
                self.report(&format!("{key}.topic"), message);
            }
            Some(_) => {}
        }
        if bind.qos.is_some() {
            self.report(&format!("{key}.qos"), "qos is for MQTT sources: Sparkplug has its own");
        }
        let said = Payload { fields: BTreeMap::new(), shape: Shape::Value, ..bind.payload.clone() };
        if said != Payload::default() {
            let message =
                "payload of a Sparkplug source has `fields` only: time and quality are the protocol's own";
            self.report(&format!("{key}.payload"), message);
        }
    }

    fn behaviors(&mut self) {
        for (index, behavior) in self.site.document.behavior.iter().enumerate() {
            let key = format!("behavior[{index}]");
            self.selection(&key, &behavior.twins);
            if !is_name(&behavior.name) {
                let message =
                    format!("behavior name \"{}\" may hold a-z, 0-9, `-` and `_` only", behavior.name);
                self.report(&format!("{key}.name"), message);
            }
            self.versions(&key, &behavior.version);
            self.range(&format!("{key}.row_wait_ms"), behavior.row_wait_ms, 1..=60_000);
            self.range(&format!("{key}.align_ms"), behavior.align_ms, 0..=60_000);
            self.range(&format!("{key}.hold_s"), behavior.hold_s, 1..=86_400);
            for (place, pin) in behavior.pin.iter().enumerate() {
                let key = format!("{key}.pin[{place}]");
                self.selection(&key, &pin.twins);
                self.versions(&key, &pin.version);
            }
            self.substitute(&key, behavior);
            for reason in behavior.rollout.check().err().into_iter().flatten() {
                let part = reason.split(": ").next().unwrap_or_default();
                let message = format!("rollout of behavior \"{}\": {reason}", behavior.name);
                self.report(&format!("{key}.rollout.{part}"), message);
            }
        }
    }

    fn alarms(&mut self) {
        for (index, rule) in self.site.document.alarm.iter().enumerate() {
            let key = format!("alarm[{index}]");
            self.selection(&key, &rule.twins);
            for (field, message) in rule.mistakes() {
                self.report(&format!("{key}.{field}"), message);
            }
        }
        for (field, message) in self.site.document.alarms.mistakes() {
            self.report(&format!("alarms.{field}"), message);
        }
    }

    fn targets(&mut self) {
        for (name, class) in &self.site.document.command.class {
            let key = format!("command.class.{name}");
            if !is_name(name) {
                self.report(&key, format!("class \"{name}\" may hold a-z, 0-9, `-` and `_` only"));
            }
            if let Err(error) = class.check() {
                self.report(&key, format!("class \"{name}\": {error}"));
            }
        }
        for (index, target) in self.site.document.target.iter().enumerate() {
            let key = format!("target[{index}]");
            self.selection(&key, &target.twins);
            for (part, name) in [("name", &target.name), ("class", &target.class)] {
                if !is_name(name) {
                    let message = format!("target {part} \"{name}\" may hold a-z, 0-9, `-` and `_` only");
                    self.report(&format!("{key}.{part}"), message);
                }
            }
            let commands = &self.site.document.command;
            if is_name(&target.class) && commands.class(&target.class).is_none() {
                let hint = did_you_mean(&target.class, commands.class.keys().map(String::as_str));
                let message = format!(
                    "class \"{}\" is not defined{hint}: give [command.class.{}] with its approvers",
                    target.class, target.class
                );
                self.report(&format!("{key}.class"), message);
            }
            if let Err(reason) = geminus_core::unit::parse(&target.unit) {
                self.report(&format!("{key}.unit"), reason.to_string());
            }
            self.write(&key, target);
            if let Some(feedback) = &target.feedback {
                let (tolerance, within_s) = (feedback.tolerance, feedback.within_s);
                if !(tolerance.is_finite() && tolerance >= 0.0) {
                    let message = format!("tolerance = {tolerance} is not 0 or more");
                    self.report(&format!("{key}.feedback.tolerance"), message);
                }
                if !(0.001..=600.0).contains(&within_s) {
                    let message = format!("within_s = {within_s} is not more than 0 and at most 600");
                    self.report(&format!("{key}.feedback.within_s"), message);
                }
            }
            if let Some(heartbeat) = &target.heartbeat {
                self.range(&format!("{key}.heartbeat.every_ms"), heartbeat.every_ms, 100..=60_000);
                self.topic(&format!("{key}.heartbeat.topic"), &heartbeat.topic);
                let sources = &self.site.document.source;
                if sources.iter().any(|source| source.name == target.write.source && source.opcua.is_some()) {
                    let message =
                        "an OPC UA source carries no heartbeat: leave it out, or write to an MQTT source";
                    self.report(&format!("{key}.heartbeat"), message);
                }
            }
        }
    }

    fn write(&mut self, key: &str, target: &Target) {
        let (write, sources) = (&target.write, &self.site.document.source);
        self.range(&format!("{key}.write.qos"), write.qos, 1..=1);
        let source = sources.iter().find(|source| source.name == write.source);
        if source.is_none_or(|source| source.opcua.is_none()) {
            self.topic(&format!("{key}.write.topic"), &write.topic);
        }
        let key = format!("{key}.write.source");
        match source {
            Some(source) if source.mqtt.is_some() || source.opcua.is_some() => {}
            Some(source) => {
                let message = format!(
                    "source \"{}\" is neither an MQTT nor an OPC UA source: nothing can be written to it",
                    source.name
                );
                self.report(&key, message);
            }
            None => {
                let hint = did_you_mean(&write.source, sources.iter().map(|source| source.name.as_str()));
                self.report(&key, format!("source \"{}\" is not defined{hint}", write.source));
            }
        }
    }

    fn topic(&mut self, key: &str, topic: &str) {
        if topic.is_empty() || topic.contains(['+', '#', '\0']) || topic.len() > 65_535 {
            self.report(key, format!("topic \"{topic}\" must be given, without `+` and `#`"));
        }
    }

    fn versions(&mut self, key: &str, range: &str) {
        if let Err(error) = semver::VersionReq::parse(range) {
            let message = format!("version range \"{range}\" cannot be read: {error}");
            self.report(&format!("{key}.version"), message);
        }
    }

    fn substitute(&mut self, key: &str, behavior: &Behavior) {
        let values = &behavior.fail_safe;
        if values.is_empty() == (behavior.substitute == Substitute::FailSafe) {
            let (at, message) = match values.is_empty() {
                true => ("substitute", "substitute `fail-safe` needs a value for each output in `fail_safe`"),
                false => ("fail_safe", "`fail_safe` is used with substitute = \"fail-safe\" only"),
            };
            self.report(&format!("{key}.{at}"), message);
        }
        for (output, value) in values.iter().filter(|(_, value)| !value.is_finite()) {
            self.report(&format!("{key}.fail_safe.{output}"), format!("{output} = {value} is not a number"));
        }
    }

    fn selection(&mut self, key: &str, pattern: &str) {
        if let Err(reason) = Selection::new(pattern) {
            self.report(&format!("{key}.twins"), reason);
        }
    }
}

fn is_id(id: &str) -> bool {
    !id.is_empty()
        && id.len() <= 128
        && id.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.' | ':'))
}

fn is_host(host: &str) -> bool {
    !host.is_empty()
        && host.split('.').all(|label| !label.is_empty())
        && host.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '.'))
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.chars().all(|letter| {
            letter.is_ascii_lowercase() || letter.is_ascii_digit() || matches!(letter, '-' | '_')
        })
}
