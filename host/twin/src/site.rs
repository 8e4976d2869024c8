//! `site.toml`: which twins there are, what feeds them, and which behaviors they have.
//!
//! The types below are the file; the text above a field is what users read, and the JSON Schema in
//! docs/generated/site.schema.json is made from it. An unknown key is an error, because a silently ignored limit
//! is worse than a host that does not start. [`Site::load`] reads the file and the types folder beside it and
//! collects every mistake; what the parts mean together is worked out by [`crate::Plant::resolve`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use geminus_alarm::{AlarmRule, Settings as AlarmSettings};
use geminus_core::Authority;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod access;
mod behavior;
mod check;
mod containment;
mod field;
mod opcua_server;
mod publish;
mod read;
mod schema;
mod target;

#[cfg(test)]
mod tests;

pub use access::{Access, Oidc, OidcAlgorithm, OidcGrant, OidcRole};
pub use behavior::{Arrivals, Behavior, Isolation, Pin, Substitute};
pub use containment::Containment;
pub use field::{
    Bind, Broker, Csv, Mqtt, MqttVersion, OpcUa, Payload, QualityCode, SecurityMode, SecurityPolicy, Shape,
    Source, Sparkplug, TimeUnit, Tls,
};
pub use opcua_server::OpcUaServer;
pub use publish::{Layer, Publish};
pub use schema::site_schema;
pub use target::{Commands, Feedback, Heartbeat, Target, Write};

use crate::dtdl::Library;
use crate::problem::Problems;

/// What is wrong with the address of a broker, in an operator's words.
pub type CheckAddress<'a> = &'a dyn Fn(&str) -> Result<(), String>;

/// A site as it stands in its file, read and checked part by part.
#[derive(Debug)]
pub struct Site {
    /// The file, as it was named.
    pub path: PathBuf,
    /// Its content.
    pub document: Document,
    /// Twin types from the types folder.
    pub types: Library,
    pub(crate) lines: BTreeMap<String, u32>,
}

impl Site {
    /// Reads the site file and the DTDL interfaces of its types folder. Blocks on the disk.
    ///
    /// # Errors
    /// Every mistake that can be seen without plugins, with file and line.
    pub fn load(path: &Path) -> Result<Self, Problems> {
        Self::load_with(path, &|_| Ok(()))
    }

    /// As [`Site::load`]; `address` says what is wrong with the address of a broker, because this room knows no
    /// protocol.
    ///
    /// # Errors
    /// As [`Site::load`].
    pub fn load_with(path: &Path, address: CheckAddress<'_>) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        let text = std::fs::read_to_string(path).map_err(|error| {
            problems.add(path, None, format!("cannot be read: {error}"));
            std::mem::take(&mut problems)
        })?;
        Self::read(path, &text, address)
    }

    /// As [`Site::load`], with the text of the file given; folders are relative to the folder of `path`.
    ///
    /// # Errors
    /// As [`Site::load`].
    pub fn parse(path: &Path, text: &str) -> Result<Self, Problems> {
        Self::read(path, text, &|_| Ok(()))
    }

    fn read(path: &Path, text: &str, address: CheckAddress<'_>) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        let (document, lines) = read::document(path, text, &mut problems);
        let mut site = Self { path: path.to_owned(), document, types: Library::default(), lines };
        check::document(&site, address, &mut problems);
        match Library::load(&site.types_folder()) {
            Ok(types) => site.types = types,
            Err(others) => problems.extend(others),
        }
        problems.or(site)
    }

    /// Where DTDL interfaces lie.
    #[must_use]
    pub fn types_folder(&self) -> PathBuf {
        self.beside(&self.document.site.types)
    }

    /// Where plugins lie and are watched.
    #[must_use]
    pub fn plugins_folder(&self) -> PathBuf {
        self.beside(&self.document.site.plugins)
    }

    /// Where databases lie.
    #[must_use]
    pub fn data_folder(&self) -> PathBuf {
        self.beside(&self.document.site.data)
    }

    /// `path` relative to the folder of the site file.
    #[must_use]
    pub fn beside(&self, path: &str) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(path)
    }

    /// Line of a key such as `behavior[0].inputs.load`, or of the nearest table around it.
    #[must_use]
    pub fn line(&self, key: &str) -> Option<u32> {
        let mut key = key;
        loop {
            if let Some(line) = self.lines.get(key) {
                return Some(*line);
            }
            key = key.get(..key.rfind(['.', '['])?)?;
        }
    }
}

/// A Geminus site.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// The site itself.
    #[serde(default)]
    pub site: About,
    /// The page and the API.
    #[serde(default)]
    pub http: Http,
    /// Who else may say who somebody is, beside users and tokens of this host.
    #[serde(default)]
    pub access: Access,
    /// Where samples come from.
    #[serde(default)]
    pub source: Vec<Source>,
    /// The twins.
    #[serde(default)]
    pub twin: Vec<Twin>,
    /// Which points of which twins are fed by what.
    #[serde(default)]
    pub bind: Vec<Bind>,
    /// What plugins do for which twins.
    #[serde(default)]
    pub behavior: Vec<Behavior>,
    /// Alarms over points, and what differs for alerts of behaviors.
    #[serde(default)]
    pub alarm: Vec<AlarmRule>,
    /// What holds for all alarms.
    #[serde(default)]
    pub alarms: AlarmSettings,
    /// What of twins may be written, and under which rules.
    #[serde(default)]
    pub target: Vec<Target>,
    /// Where results are published, by name.
    #[serde(default)]
    pub publish: BTreeMap<String, Publish>,
    /// Twins as objects of an OPC UA server. Absent: none runs.
    #[serde(default)]
    pub opcua_server: Option<OpcUaServer>,
    /// What holds for commands to them.
    #[serde(default)]
    pub command: Commands,
    /// What is refused, and when a value is too old.
    #[serde(default)]
    pub limits: Limits,
    /// What happens to a twin whose behavior fails again and again.
    #[serde(default)]
    pub containment: Containment,
    /// How history is kept.
    #[serde(default)]
    pub store: Store,
}

/// The site itself.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct About {
    /// Name of the site, shown on every page and used in client ids.
    pub name: String,
    /// Folder with DTDL v3 interfaces (*.json), relative to this file.
    pub types: String,
    /// Folder with plugins (*.wasm), relative to this file. A file renamed into it is swapped in while running.
    pub plugins: String,
    /// Folder for history, journal and snapshots, relative to this file. Made when it does not exist.
    pub data: String,
    /// Number of shards: threads that each own a part of the twins; 16 at most. 0 is one
    /// for two cores.
    pub shards: u32,
}

impl Default for About {
    fn default() -> Self {
        Self {
            name: "site".to_owned(),
            types: "types".to_owned(),
            plugins: "plugins".to_owned(),
            data: "data".to_owned(),
            shards: 0,
        }
    }
}

/// The page and the API.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// Address and port to listen on. Anything but loopback is reachable from the network, and refused unless the site
    /// has users (`geminus user add`) and TLS.
    pub listen: String,
    /// Names under which the page may be reached, without port, beside `localhost` and plain addresses: those of a
    /// gateway, say. Every other name is refused, so that a foreign web page cannot rebind its own name to this host.
    pub hosts: Vec<String>,
    /// TLS for the page and the API: `[http.tls]`.
    pub tls: Option<HttpTls>,
}

/// What the page and the API show to whoever connects. Read again when the files change.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpTls {
    /// PEM file, relative to the site file: the host's certificate, then those between it and the root.
    pub certificate: String,
    /// PEM file, relative to the site file: the private key of the certificate, unencrypted. Keep it readable by the
    /// host's user only, and out of version control.
    pub key: String,
}

impl Default for Http {
    fn default() -> Self {
        Self { listen: "127.0.0.1:8080".to_owned(), hosts: Vec::new(), tls: None }
    }
}

/// One twin, or many by a pattern.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Twin {
    /// Id of the twin, unique in the site; `pump-{001..100}` makes a hundred of them. Letters, digits, `-`, `_`,
    /// `.` and `:`.
    pub id: String,
    /// DTMI of its type, as in `dtmi:example:PumpRig;1`.
    #[serde(rename = "type")]
    pub twin_type: String,
    /// Name for people; `{twin}` stands for the id. Default: the type's display name and the id.
    #[serde(default)]
    pub display_name: Option<String>,
    /// Area of the plant (ISA-95) that it stands in, where results are published: one level of a topic.
    #[serde(default)]
    pub area: Option<String>,
    /// Line, cell or unit (ISA-95) that it belongs to, where results are published: one level of a topic.
    #[serde(default)]
    pub line: Option<String>,
    /// How far its behaviors may reach: with `observe` nothing is written to it, with `advise` a person approves whatever they
    /// propose, with `control` the class of a target says who does. A host starts every twin with `advise` at most, until a
    /// person arms it.
    #[serde(default)]
    pub authority: Authority,
    /// Expected milliseconds between two samples of a point; a point is stale after `stale_after_intervals` of them.
    #[serde(default = "second")]
    pub interval_ms: u64,
    /// What differs for single points: `[twin.point.temperature]`.
    #[serde(default)]
    pub point: BTreeMap<String, PointOverride>,
}

fn second() -> u64 {
    1000
}

/// What differs for one point.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PointOverride {
    /// UCUM code of the unit in which the field sends it; converted to the unit of the type. Default: the unit of
    /// the type.
    pub unit: Option<String>,
    /// Expected milliseconds between two samples of this point.
    pub interval_ms: Option<u64>,
    /// Topic template of this point only, instead of the one in `[[bind]]`.
    pub topic: Option<String>,
    /// Name of this point in topics, CSV columns and object payloads, where the field calls it differently.
    pub field: Option<String>,
}

/// What is refused, and when a value is too old.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// A sample whose source time is more seconds ahead of this host than this is refused and journaled.
    pub accept_future_s: u64,
    /// A sample older than so many days is refused; 0 is no limit.
    pub accept_past_days: u64,
    /// A point is stale after so many expected intervals without a sample; 2 … 1000.
    pub stale_after_intervals: u32,
    /// Largest payload of one message in bytes; larger ones are refused.
    pub payload_bytes_max: u32,
    /// Most rows in one call of a behavior; 1 … 65536.
    pub frame_rows_max: u32,
    /// Fuel (roughly instructions) that a row of a behavior may use at most, whatever its plugin declares. A million is
    /// about a millisecond, which the other twins of a shard wait when a row never ends; 10000 … 1000000000.
    pub fuel_per_row_max: u64,
    /// Twins of which `/metrics` has series of their own (`geminus_twin_…`). A site with more has them by version only, and
    /// `geminus_metrics_twins_left_out` says how many it leaves out; 0 … 100000.
    pub metrics_twins_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            accept_future_s: 600,
            accept_past_days: 0,
            stale_after_intervals: 5,
            payload_bytes_max: 1 << 20,
            frame_rows_max: 4096,
            fuel_per_row_max: 2_000_000,
            metrics_twins_max: 1_000,
        }
    }
}

/// How history is kept.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Store {
    /// Milliseconds of samples that are made durable by one commit; a QoS 1 message waits at most about this long for
    /// its acknowledgement. Where nobody waits for one (QoS 0, recordings) it may be five times as long. 1 … 10000.
    pub group_commit_ms: u32,
    /// Days that history is kept; 0 keeps everything.
    pub retention_days: u32,
    /// Seconds that an hour must be over, and nothing more have come for it, before its samples are moved from `hot.db`
    /// into Parquet files below `history` in the data folder; 0 leaves them in `hot.db`.
    pub seal_after_s: u32,
    /// What is kept of each kind of point, where that differs from `retention_days`.
    pub keep: KeepOfAll,
    /// Seconds between two snapshots of behavior state; 1 … 86400.
    pub snapshot_s: u32,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            group_commit_ms: 5,
            retention_days: 0,
            seal_after_s: 900,
            keep: KeepOfAll::default(),
            snapshot_s: 60,
        }
    }
}

/// What is kept of each kind of point.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct KeepOfAll {
    /// What the field sent.
    pub measured: Keep,
    /// What behaviors computed.
    pub estimated: Keep,
    /// What behaviors said of what will be.
    pub predicted: Keep,
    /// What was wished for.
    pub set_point: Keep,
    /// What behaviors were given and who answered, for replay.
    pub record: Keep,
}

/// What is kept of one kind of point.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Keep {
    /// Days; 0: as `retention_days` says.
    pub days: u32,
    /// Mebibytes of its files, of which the oldest are removed beyond it; 0 sets no bound.
    pub mib: u32,
}
