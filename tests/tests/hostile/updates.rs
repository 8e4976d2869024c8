//! Versions of a plugin that do wrong once they run, as updates of one that behaves.

use geminus_tests::Guest;
use serde_json::{Value, json};

use crate::corpus;

/// A file that arrives.
pub(crate) struct Update {
    pub(crate) name: &'static str,
    /// What the journal calls it.
    pub(crate) label: String,
    pub(crate) bytes: Vec<u8>,
    /// What the message must say.
    pub(crate) rule: &'static str,
}

/// Script, what the message says.
type Line = (&'static str, &'static str);

const BEFORE_ROWS: [Line; 21] = [
    ("open trap", "unreachable"),
    ("open loop", "fuel"),
    ("open log-for-ever", "open"),
    ("open allocate=1048576", "open"),
    ("open recurse", "open"),
    ("open fault", "on request"),
    ("open trap twin=suspect-2", "suspect-2"),
    ("restore trap", "restore"),
    ("restore loop", "restore"),
    ("restore log-for-ever", "restore"),
    ("restore allocate=1048576", "restore"),
    ("restore copy=25000000", "restore"),
    ("restore fault", "on request"),
    ("restore trap twin=suspect-3", "suspect-3"),
    ("snapshot trap", "snapshot"),
    ("snapshot loop", "snapshot"),
    ("snapshot fault", "on request"),
    ("snapshot schema=7", "schema"),
    ("snapshot states=67108864 twin=suspect-3", "snapshot"),
    ("snapshot states=100000", "state"),
    ("snapshot values=10000000 twin=suspect-3", "snapshot"),
];

const IN_ROWS: [Line; 21] = [
    ("step trap", "unreachable"),
    ("step trap twin=suspect-2", "suspect-2"),
    ("step panic", "unreachable"),
    ("step loop", "fuel"),
    ("step log-for-ever", "step"),
    ("step read-for-ever", "step"),
    ("step grow", "memory limit"),
    ("step allocate=1048576", "step"),
    ("step recurse", "step"),
    ("step copy=25000000", "step"),
    ("step burn=100000000", "fuel"),
    ("step values=10000000", "too much data"),
    ("step long-alert=67108864", "too much data"),
    ("step values=1", "values for"),
    ("step quality=9", "quality 9"),
    ("step alerts=100", "more than 16 alerts"),
    ("step propose=1", "command 0 of 0"),
    ("step fault", "on request"),
    ("step nan", "sum"),
    ("step offset=5", "sum"),
    ("restore offset=1", "sum"),
];

fn roomy(declaration: &mut Value) {
    declaration["budget"] = json!({ "fuel_per_row": 10_000_000, "memory_bytes": 256 << 20 });
}

/// What is found while it is raised beside the incumbent.
pub(crate) fn before_rows(good: &Guest) -> anyhow::Result<Vec<Update>> {
    let mut made = scripted(good, &BEFORE_ROWS)?;
    for (item, number) in corpus::written()?.into_iter().zip(100..) {
        let mut guest = item.guest.version(&format!("1.0.{number}"));
        guest.declaration["name"] = "suspect".into();
        made.push(Update { name: item.name, label: guest.label(), bytes: guest.bytes()?, rule: item.rule });
    }
    Ok(made)
}

/// What is found when it gets rows.
pub(crate) fn in_rows(good: &Guest) -> anyhow::Result<Vec<Update>> {
    scripted(good, &IN_ROWS)
}

fn scripted(good: &Guest, lines: &[Line]) -> anyhow::Result<Vec<Update>> {
    let made = lines.iter().zip(1..).map(|((script, rule), number)| {
        let guest = good.clone().version(&format!("1.0.{number}")).script(script).declares(roomy);
        Ok(Update { name: script, label: guest.label(), bytes: guest.bytes()?, rule })
    });
    made.collect()
}
