//! What can be wrong with an OPC UA source and the binds to it.

use super::Check;
use crate::site::{Bind, OpcUa, Payload, SecurityPolicy};

impl Check<'_> {
    /// Whether the parts fit together; how an address is written is asked of the room that speaks the protocol.
    pub(super) fn opcua(&mut self, key: &str, opcua: &OpcUa) {
        self.range(&format!("{key}.publishing_ms"), opcua.publishing_ms, 10..=3_600_000);
        self.range(&format!("{key}.sampling_ms"), opcua.sampling_ms, 0..=3_600_000);
        self.range(&format!("{key}.queue_size"), opcua.queue_size, 1..=100_000);
        match (self.address)(&opcua.endpoint) {
            Err(reason) => self.report(&format!("{key}.endpoint"), reason),
            Ok(()) if !opcua.endpoint.starts_with("opc.tcp://") => {
                let message = format!("`{}` is not an address like opc.tcp://host:4840/path", opcua.endpoint);
                self.report(&format!("{key}.endpoint"), message);
            }
            Ok(()) => {}
        }
        let passwords = [opcua.password_env.is_some(), opcua.password_file.is_some()];
        let message = match (opcua.username.as_deref(), passwords) {
            (Some(""), _) => "username must not be empty: leave it out to be anonymous",
            (Some(_), [true, true]) => {
                "give the password either by password_env or by password_file, not by both"
            }
            (Some(_), [false, false]) => "username needs password_env or password_file",
            (None, [true, _] | [_, true]) => "a password needs a username",
            (Some(_), _) if opcua.security == SecurityPolicy::None => {
                "username needs a security other than `none`: without one the password could be read on the way"
            }
            _ => return,
        };
        self.report(&format!("{key}.username"), message);
    }

    /// A node has one value, and brings time and quality with it.
    pub(super) fn opcua_bind(&mut self, key: &str, bind: &Bind) {
        let one = bind.points.as_ref().is_some_and(|points| points.len() == 1);
        match &bind.topic {
            None => {
                let name = &bind.source;
                let message = format!(
                    "[[bind]] to OPC UA source \"{name}\" needs a topic like ns=2;s={{twin}}.{{point}}"
                );
                self.report(key, message);
            }
            Some(topic) if !topic.contains("{point}") && !one => {
                let message = format!(
                    "topic \"{topic}\" has no {{point}}: a node carries one point, so name one in points"
                );
                self.report(&format!("{key}.topic"), message);
            }
            Some(_) => {}
        }
        if bind.qos.is_some() {
            self.report(&format!("{key}.qos"), "qos is for MQTT sources: OPC UA has its own");
        }
        if bind.payload != Payload::default() {
            let message = "payload is not for OPC UA sources: value, time and quality are the protocol's own";
            self.report(&format!("{key}.payload"), message);
        }
    }
}
