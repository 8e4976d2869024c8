//! `[[target]]`: what of a twin may be written, by whom it may be proposed, and under which rules. `[command.class]`: who
//! approves it.

use geminus_command::{Class, Classes};
use geminus_interlock::config::{Config, Fail};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What of some twins may be written: one set-point.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Name of the target, unique per twin. a-z, 0-9, `-` and `_`.
    pub name: String,
    /// Which twins, as a glob or range: `pump-*`, `pump-{001..100}`.
    #[serde(default = "any")]
    pub twins: String,
    /// UCUM code of the unit of the value, the rules and the topic.
    pub unit: String,
    /// Which commands of which behaviors may propose a value, as `<behavior>.<command>`; their unit is converted.
    #[serde(default)]
    pub commands: Vec<String>,
    /// Class of its commands, which says how many people approve one: a `[command.class.NAME]`, or `routine`, which asks one
    /// person unless it is given otherwise. a-z, 0-9, `-` and `_`.
    #[serde(default = "routine")]
    pub class: String,
    /// Where it is written to.
    pub write: Write,
    /// Where it is read back from. Rules on step and slope need it.
    #[serde(default)]
    pub feedback: Option<Feedback>,
    /// What is done when a trip becomes active.
    #[serde(default)]
    pub fail: Fail,
    /// A sign of life to the field while the twin is armed; the field takes its own fail action when it stays away. Absent: none.
    #[serde(default)]
    pub heartbeat: Option<Heartbeat>,
    /// The rules that every command has to pass.
    pub interlock: Config,
}

/// Where a target is written to.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Write {
    /// Name of an MQTT or OPC UA source: the host writes to its broker or server, on a connection of its own.
    pub source: String,
    /// Topic template without wildcards; of an OPC UA source the node that is written (`ns=2;s={twin}.Setpoint`), or an object
    /// and its method of one argument (`ns=2;s={twin} | ns=2;s={twin}.SetSpeed`). `{twin}` stands for the id.
    pub topic: String,
    /// Quality of service; 1, because an order is acknowledged and never doubled.
    #[serde(default = "once")]
    pub qos: u8,
}

/// Where a target is read back from.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Feedback {
    /// Point of the twin; its unit is converted to the target's.
    pub point: String,
    /// Largest difference between the value written and the value read back, in the target's unit; 0 or more.
    pub tolerance: f64,
    /// Seconds in which the value has to be there; more than 0, at most 600.
    pub within_s: f64,
}

/// What holds for commands.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Commands {
    /// Classes of commands by name: `[command.class.NAME]`.
    pub class: Classes,
}

impl Commands {
    /// The class of this name; `routine` is there also where the file does not give it.
    #[must_use]
    pub fn class(&self, name: &str) -> Option<Class> {
        let plain = (name == ROUTINE).then_some(Class { approvers: 1, approve_within_s: 300 });
        self.class.get(name).cloned().or(plain)
    }
}

/// The class of a target that names none.
const ROUTINE: &str = "routine";

/// A sign of life to the field.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Heartbeat {
    /// Topic template without wildcards, at the source of `write`, or for an OPC UA source the id of a node (`ns=2;s={twin}.Beat`) that
    /// takes a number or a boolean; `{twin}` stands for the id.
    pub topic: String,
    /// Milliseconds between two; 100 … 60000. Kept to a tenth of a second.
    #[serde(default = "second")]
    pub every_ms: u32,
}

fn any() -> String {
    "*".to_owned()
}

fn routine() -> String {
    ROUTINE.to_owned()
}

fn once() -> u8 {
    1
}

fn second() -> u32 {
    1000
}
