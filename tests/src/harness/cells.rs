//! A plant of cells: twins with two points, `a` and `b`, and whatever behaviors a scenario gives them.

use std::fmt::Write as _;

use super::site::SiteFolder;

const TYPE: &str = r#"{
  "@context": "dtmi:dtdl:context;3", "@id": "dtmi:test:Cell;1", "@type": "Interface", "displayName": "Cell",
  "contents": [
    { "@type": "Telemetry", "name": "a", "schema": "double" },
    { "@type": "Telemetry", "name": "b", "schema": "double" }
  ]
}"#;

/// A site in the making.
#[derive(Clone, Debug)]
pub struct Cells {
    text: String,
}

impl Cells {
    /// Cells that listen to a broker at `plant/<twin>/a` and `plant/<twin>/b`.
    #[must_use]
    pub fn new(broker: &str) -> Self {
        let text = format!(
            "[site]\nname = \"cells\"\n\n[[source]]\nname = \"broker\"\n\
             mqtt = {{ url = \"{broker}\", version = \"5\", qos = 1 }}\n\n\
             [[bind]]\ntwins = \"*\"\nsource = \"broker\"\ntopic = \"plant/{{twin}}/{{point}}\"\n"
        );
        Self { text }
    }

    /// Has so many shards, where a scenario is about who shares an instance.
    #[must_use]
    pub fn shards(mut self, count: u32) -> Self {
        self.text = self.text.replacen("[site]\n", &format!("[site]\nshards = {count}\n"), 1);
        self
    }

    /// Adds twins: an id, or a pattern such as `calm-{01..20}`.
    #[must_use]
    pub fn twins(mut self, id: &str, interval_ms: u64) -> Self {
        let _: Result<(), _> = write!(
            self.text,
            "\n[[twin]]\nid = \"{id}\"\ntype = \"dtmi:test:Cell;1\"\ninterval_ms = {interval_ms}\n"
        );
        self
    }

    /// Adds a behavior of any version of `plugin`; `more` is further lines of its table.
    #[must_use]
    pub fn behavior(mut self, name: &str, plugin: &str, twins: &str, more: &str) -> Self {
        let _: Result<(), _> = write!(
            self.text,
            "\n[[behavior]]\nname = \"{name}\"\nplugin = \"{plugin}\"\nversion = \"*\"\ntwins = \"{twins}\"\n{more}\n"
        );
        self
    }

    /// Adds lines as they stand.
    #[must_use]
    pub fn lines(mut self, lines: &str) -> Self {
        self.text.push('\n');
        self.text.push_str(lines);
        self.text.push('\n');
        self
    }

    /// Writes it.
    ///
    /// # Errors
    /// When no folder can be made.
    pub fn folder(&self) -> anyhow::Result<SiteFolder> {
        SiteFolder::new(&self.text, &[("cell.json", TYPE)])
    }
}
