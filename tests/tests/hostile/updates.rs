//! Versions of a plugin that do wrong once they run, as updates of one that behaves.

use geminus_tests::Guest;

use crate::corpus;

/// A file that arrives.
pub(crate) struct Update {
    pub(crate) name: &'static str,
    /// What the journal calls it.
    pub(crate) label: String,
    pub(crate) bytes: Vec<u8>,
    /// What the message must say.
    pub(crate) rule: &'static str,
    /// The twin that it happened to, where it is one.
    pub(crate) twin: Option<&'static str>,
}

/// Script, what the message says.
type Line = (&'static str, &'static str);

const BEFORE_ROWS: [Line; 21] = [
    ("open trap", "unreachable"),
    ("open loop", "wasm trap"),
    ("open log-for-ever", "open"),
    ("open allocate=1048576", "open"),
    ("open recurse", "open"),
    ("open fault", "on request"),
    ("open trap twin=suspect-2", "unreachable"),
    ("restore trap", "restore"),
    ("restore loop", "restore"),
    ("restore log-for-ever", "restore"),
    ("restore allocate=1048576", "restore"),
    ("restore copy=25000000", "restore"),
    ("restore fault", "on request"),
    ("restore trap twin=suspect-3", "restore"),
    ("snapshot trap", "snapshot"),
    ("snapshot loop", "snapshot"),
    ("snapshot fault", "on request"),
    ("snapshot schema=7", "schema"),
    ("snapshot states=67108864 twin=suspect-3", "snapshot"),
    ("snapshot states=100000", "state"),
    ("snapshot values=10000000 twin=suspect-3", "snapshot"),
];

const IN_ROWS: [Line; 18] = [
    ("step trap", "unreachable"),
    ("step trap twin=suspect-2", "unreachable"),
    ("step panic", "unreachable"),
    ("step loop", "wasm trap"),
    ("step log-for-ever", "step"),
    ("step read-for-ever", "step"),
    ("step grow", "memory limit"),
    ("step allocate=1048576", "step"),
    ("step recurse", "step: wasm trap: "),
    ("step copy=25000000", "step"),
    ("step burn=100000000", "wasm trap"),
    ("step values=10000000", "too much data"),
    ("step long-alert=67108864", "too much data"),
    ("step values=1", "values for"),
    ("step quality=9", "quality 9"),
    ("step alerts=100", "more than 16 alerts"),
    ("step propose=1", "command 0 of 0"),
    ("step fault", "on request"),
];

const WRONG_ANSWERS: [Line; 7] = [
    ("step nan", "sum"),
    ("step infinite", "sum"),
    ("step offset=5", "sum"),
    ("step offset=5 twin=suspect-2 above=9", "sum"),
    ("restore offset=1", "sum"),
    ("step alert=0", "alert"),
    ("step burn=100000", "fuel"),
];

/// What is found while it is raised beside the incumbent.
pub(crate) fn before_rows(good: &Guest) -> anyhow::Result<Vec<Update>> {
    let mut made = scripted(good, &BEFORE_ROWS)?;
    for (item, number) in corpus::written()?.into_iter().zip(100..) {
        let mut guest = item.guest.version(&format!("1.0.{number}"));
        guest.declaration["name"] = "suspect".into();
        guest.declaration["budget"] = good.declaration["budget"].clone();
        made.push(Update {
            name: item.name,
            label: guest.label(),
            bytes: guest.bytes()?,
            rule: item.rule,
            twin: None,
        });
    }
    Ok(made)
}

/// What is found when it gets rows.
pub(crate) fn in_rows(good: &Guest) -> anyhow::Result<Vec<Update>> {
    scripted(good, &IN_ROWS)
}

/// What runs well and answers other than the incumbent, or at another price.
pub(crate) fn wrong_answers(good: &Guest) -> anyhow::Result<Vec<Update>> {
    scripted(good, &WRONG_ANSWERS)
}

fn scripted(good: &Guest, lines: &[Line]) -> anyhow::Result<Vec<Update>> {
    let made = lines.iter().zip(1..).map(|((script, rule), number)| {
        let guest = good.clone().version(&format!("1.0.{number}")).script(script);
        let twin = script.split_once("twin=").and_then(|(_, twin)| twin.split(' ').next());
        let twin = twin.filter(|_| !script.contains("offset"));
        Ok(Update { name: script, label: guest.label(), bytes: guest.bytes()?, rule, twin })
    });
    made.collect()
}
