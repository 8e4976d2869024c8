//! The site that is measured: a fleet of pump rigs by pattern, in a temporary folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use geminus_core::{Clock, Timestamp};
use geminus_ingest::QoS;
use geminus_ingest::flood::FloodOptions;
use tempfile::TempDir;

use super::Workbench;
use crate::command::demo::TYPE;

const SITE: &str = include_str!("site.toml");
/// Where nobody listens.
pub(crate) const NO_BROKER: &str = "mqtt://127.0.0.1:1";
/// Sensors of a rig, in the order in which they are published.
pub(crate) const POINTS: [&str; 8] = [
    "accelerometer_1",
    "accelerometer_2",
    "current",
    "pressure",
    "temperature",
    "thermocouple",
    "voltage",
    "flow",
];
/// Twins of the pipeline figures. Prime, so that values change from round to round.
pub(crate) const TWINS: u32 = 997;
/// How far back in source time a load begins: nothing may lie far in the future.
const BEGIN_BEFORE: Duration = Duration::from_secs(3_600);
/// Source time from one row of a twin to the next.
const STEP: Duration = Duration::from_secs(1);
/// Unacknowledged messages that the flood has under way at QoS 1.
const WINDOW: u16 = 20_000;
/// How long a host may take until it is subscribed, and how often it is looked at.
const SUBSCRIBED_MAX: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(4);

/// A folder with site, types and plugins.
#[derive(Debug)]
pub(crate) struct SiteFolder {
    folder: TempDir,
}

impl SiteFolder {
    /// Writes the site; `broker` is the source's address, `without` names behaviors to leave out.
    pub(crate) fn new(
        bench: &Workbench,
        broker: &str,
        qos: u8,
        twins: u32,
        without: Option<&str>,
    ) -> anyhow::Result<Self> {
        let edit = |text: String| text.replace("{broker}", broker).replace("{qos}", &qos.to_string());
        Self::edited(bench, twins, without, edit)
    }

    /// As `new`, with a text of one's own making; where it names no broker, there is none.
    pub(crate) fn edited(
        bench: &Workbench,
        twins: u32,
        without: Option<&str>,
        edit: impl FnOnce(String) -> String,
    ) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let types = folder.path().join("types");
        fs::create_dir_all(&types)?;
        fs::write(types.join("pump-rig.json"), TYPE)?;
        let mut text = SITE.replace("{twins}", &twins.to_string());
        if let Some(behavior) = without {
            let begin = text.find(&format!("[[behavior]]\nname = \"{behavior}\""));
            text.truncate(begin.with_context(|| format!("the site has no behavior {behavior}"))?);
        }
        let text = edit(text).replace("{broker}", NO_BROKER).replace("{qos}", "0");
        fs::write(folder.path().join("site.toml"), text)?;
        let plugins = folder.path().join("plugins");
        fs::create_dir_all(&plugins)?;
        for file in fs::read_dir(bench.plugins.folder()?)? {
            let file = file?;
            fs::copy(file.path(), plugins.join(file.file_name()))?;
        }
        Ok(Self { folder })
    }

    /// The site file.
    pub(crate) fn site(&self) -> PathBuf {
        self.folder.path().join("site.toml")
    }

    /// Waits until a broker has confirmed every subscription of a host that runs here, which its source then writes down.
    pub(crate) fn wait_subscribed(&self, bench: &Workbench) -> anyhow::Result<()> {
        let start = bench.clock.monotonic();
        let memo = self.path().join("data").join("session-field.json");
        while !memo.is_file() {
            let waited = bench.clock.monotonic().saturating_sub(start);
            ensure!(waited < SUBSCRIBED_MAX, "the host has not subscribed: no {memo:?}");
            std::thread::park_timeout(LOOK);
        }
        Ok(())
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Id of a twin, counted from 0.
pub(crate) fn twin_id(number: u32) -> String {
    format!("rig-{}", number + 1)
}

/// `rounds` rows of each of `twins` twins, message by message: the sensors of the first twin, of the second, and on.
pub(crate) fn load(clock: &dyn Clock, twins: u32, rounds: u64, qos: u8) -> FloodOptions {
    let topic = |twin: u32| {
        let twin = twin_id(twin);
        POINTS.map(|point| format!("rig/{twin}/{point}"))
    };
    let topics: Vec<String> = (0..twins).flat_map(topic).collect();
    FloodOptions {
        messages: topics.len() as u64 * rounds,
        topics,
        start: Timestamp::from_millis(
            clock.now().millis().saturating_sub(u64::try_from(BEGIN_BEFORE.as_millis()).unwrap_or_default()),
        ),
        step: STEP,
        qos: if qos == 0 { QoS::AtMostOnce } else { QoS::AtLeastOnce },
        window: WINDOW,
    }
}

/// Source time of a round of a load.
pub(crate) fn time_of(load: &FloodOptions, round: u64) -> Timestamp {
    let step = u64::try_from(load.step.as_millis()).unwrap_or_default();
    Timestamp::from_millis(load.start.millis() + round * step)
}
