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
    ("open trap", "open: wasm trap: wasm `unreachable` instruction executed"),
    ("open loop", "open: wasm trap: all fuel consumed by WebAssembly"),
    ("open log-for-ever", "open: more than 4096 calls of the host"),
    ("open allocate=1048576", "open: wasm trap: all fuel consumed by WebAssembly"),
    ("open recurse", "open: wasm trap: out of bounds memory access"),
    ("open fault", "open: on request"),
    ("open trap twin=suspect-2", "open: wasm trap: wasm `unreachable` instruction executed"),
    ("restore trap", "restore: wasm trap: wasm `unreachable` instruction executed"),
    ("restore loop", "restore: wasm trap: all fuel consumed by WebAssembly"),
    ("restore log-for-ever", "restore: more than 4096 calls of the host"),
    ("restore allocate=1048576", "restore: wasm trap: all fuel consumed by WebAssembly"),
    ("restore copy=25000000", "restore: wasm trap: all fuel consumed by WebAssembly"),
    ("restore fault", "restore: on request"),
    ("restore trap twin=suspect-3", "restore: wasm trap: wasm `unreachable` instruction executed"),
    ("snapshot trap", "snapshot: wasm trap: wasm `unreachable` instruction executed"),
    ("snapshot loop", "snapshot: wasm trap: all fuel consumed by WebAssembly"),
    ("snapshot fault", "snapshot: on request"),
    ("snapshot schema=7", "snapshot: schema 1 was asked for, 7 was written"),
    (
        "snapshot states=67108864 twin=suspect-3",
        "snapshot: too much data is being copied between the host and the guest",
    ),
    ("snapshot states=100000", "snapshot: state of slot 0 has 100016 bytes, 65536 are allowed"),
    (
        "snapshot values=10000000 twin=suspect-3",
        "snapshot: too much data is being copied between the host and the guest",
    ),
];

const IN_ROWS: [Line; 18] = [
    ("step trap", "trap: step: wasm trap: wasm `unreachable` instruction executed"),
    ("step trap twin=suspect-2", "trap: step: wasm trap: wasm `unreachable` instruction executed"),
    ("step panic", "trap: step: wasm trap: wasm `unreachable` instruction executed"),
    ("step loop", "fuel: step: wasm trap: all fuel consumed by WebAssembly"),
    ("step log-for-ever", "host-calls: step: more than 4096 calls of the host"),
    ("step read-for-ever", "host-calls: step: more than 4096 calls of the host"),
    ("step grow", "memory: step: memory limit of 268435456 bytes"),
    ("step allocate=1048576", "fuel: step: wasm trap: all fuel consumed by WebAssembly"),
    ("step recurse", "trap: step: wasm trap: out of bounds memory access"),
    ("step copy=25000000", "fuel: step: wasm trap: all fuel consumed by WebAssembly"),
    ("step burn=100000000", "fuel: step: wasm trap: all fuel consumed by WebAssembly"),
    ("step values=10000000", "transfer: step: too much data is being copied between the host and the guest"),
    (
        "step long-alert=67108864",
        "transfer: step: too much data is being copied between the host and the guest",
    ),
    ("step values=1", "answer: step: 1 values for "),
    ("step quality=9", "answer: step: quality 9 is not known, 0 to 4 are"),
    ("step alerts=100", "answer: step: more than 16 alerts for row "),
    ("step propose=1", "answer: step: command 0 of 0 declared ones"),
    ("step fault", "fault: step: input row "),
];

/// More than a twin's state may have, after some dozen rows.
const HOARDS: [Line; 1] = [("step leak=2000 twin=suspect-2", "answer: snapshot: state of slot ")];

const WRONG_ANSWERS: [Line; 7] = [
    ("step nan", "failed: difference sum: "),
    ("step infinite", "failed: difference sum: "),
    ("step offset=5", "rows lie beyond 0, the largest difference is 5;"),
    ("step offset=5 twin=suspect-2 above=9", "rows lie beyond 0, the largest difference is 5;"),
    ("restore offset=1", "rows lie beyond 0, the largest difference is 1;"),
    ("step alert=0", "failed: alerts: the new version raised "),
    ("step burn=100000", "failed: fuel ratio: the new version burns "),
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

/// What is found when its state is saved.
pub(crate) fn hoards(good: &Guest) -> anyhow::Result<Vec<Update>> {
    scripted(good, &HOARDS)
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
