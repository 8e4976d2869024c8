//! What a plugin can do wrong while its code runs, one item each, and what must come of it.

use geminus_tests::{Guest, component, probe};
use serde_json::{Value, json};

/// What must come of an item that runs from the start for one twin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It never runs.
    Refused,
    /// The twin that does it is held apart, its neighbour in the same instance goes on.
    Apart,
    /// The row in which it happens has no answer and leaves no trace; the twin goes on.
    Unanswered,
    /// The row in which it happens has no numbers; the twin goes on.
    NoNumbers,
    /// What is too much is cut, and the twin goes on.
    Cut,
}

/// One hostile plugin.
#[derive(Clone)]
pub(crate) struct Item {
    pub(crate) name: &'static str,
    pub(crate) guest: Guest,
    pub(crate) end: End,
    /// What the message must say.
    pub(crate) rule: &'static str,
}

/// The row in which a step goes wrong has this for `a`.
pub(crate) const POISON: f64 = 666.0;

/// What the message says of a step that traps, that uses up its fuel, that hands over more than a call may.
const STEP_TRAPS: &str = "trap: step: wasm trap: wasm `unreachable` instruction executed";
const STEP_SPENT: &str = "fuel: step: wasm trap: all fuel consumed by WebAssembly";
const STEP_HANDS_OVER: &str = "transfer: step: too much data is being copied between the host and the guest";

/// Misdeeds in `step`: name, act, what must come of it, what the message says.
const STEPS: [(&str, &str, End, &str); 25] = [
    ("trap", "trap", End::Apart, STEP_TRAPS),
    ("panic", "panic", End::Apart, STEP_TRAPS),
    ("loop", "loop", End::Apart, STEP_SPENT),
    ("log-for-ever", "log-for-ever", End::Apart, "host-calls: step: more than 4096 calls of the host"),
    (
        "long-log-for-ever",
        "log-for-ever=1000000",
        End::Apart,
        "host-calls: step: more than 1048576 bytes of log lines",
    ),
    ("read-for-ever", "read-for-ever", End::Apart, "host-calls: step: more than 4096 calls of the host"),
    ("grow", "grow", End::Apart, "memory: step: memory limit of 268435456 bytes"),
    ("allocate", "allocate=1048576", End::Apart, STEP_SPENT),
    ("recurse", "recurse", End::Apart, "trap: step: wasm trap: out of bounds memory access"),
    ("copy", "copy=25000000", End::Apart, STEP_SPENT),
    ("burn", "burn=100000000", End::Apart, STEP_SPENT),
    ("many-values", "values=10000000", End::Apart, STEP_HANDS_OVER),
    ("long-alert", "long-alert=67108864", End::Apart, STEP_HANDS_OVER),
    ("long-fault", "long-fault=67108864", End::Apart, STEP_HANDS_OVER),
    ("few-values", "values=1", End::Apart, "answer: step: 1 values for "),
    ("quality", "quality=9", End::Apart, "answer: step: quality 9 is not known, 0 to 4 are"),
    ("alert-flood", "alerts=100", End::Apart, "answer: step: more than 16 alerts for row "),
    ("alert-storm", "alerts=50000", End::Apart, STEP_HANDS_OVER),
    ("alert-index", "alert=7", End::Apart, "answer: step: alert 7 of 1 declared ones"),
    ("proposal", "propose=1", End::Apart, "answer: step: command 0 of 0 declared ones"),
    ("fault", "fault", End::Unanswered, "fault: step: input row "),
    (
        "nan",
        "nan",
        End::NoNumbers,
        "2 outputs are bad: they are no finite numbers, and their quality does not say so (finite-outputs)",
    ),
    (
        "infinite",
        "infinite",
        End::NoNumbers,
        "2 outputs are bad: they are no finite numbers, and their quality does not say so (finite-outputs)",
    ),
    (
        "log-flood",
        "logs=1000",
        End::Cut,
        "968 log lines were dropped: a call may write 32 (log_lines_per_call)",
    ),
    (
        "read-flood",
        "reads=1000",
        End::Cut,
        "984 look-ups were refused: a call may make 16 (lookups_per_call)",
    ),
];

/// As much as the house allows.
pub(crate) fn roomy(declaration: &mut Value) {
    declaration["budget"] = json!({ "fuel_per_row": 10_000_000, "memory_bytes": 256 << 20 });
}

/// Misdeeds in `step`, by the twin `<name>-bad` in the row in which `a` is [`POISON`].
pub(crate) fn steps() -> anyhow::Result<Vec<Item>> {
    let made = STEPS.iter().map(|(name, act, end, rule)| {
        let script = format!("step {act} twin={name}-bad value={POISON}");
        let guest = Guest::hostile(name, "1.0.0")?.script(&script).declares(roomy);
        Ok(Item { name, guest, end: *end, rule })
    });
    made.collect()
}

/// Misdeeds in `open` by one of two twins.
pub(crate) fn opens() -> anyhow::Result<Vec<Item>> {
    let acts: [(&'static str, &str, &'static str); 6] = [
        ("open-trap", "trap", "open: wasm trap: wasm `unreachable` instruction executed"),
        ("open-loop", "loop", "open: wasm trap: all fuel consumed by WebAssembly"),
        ("open-log-for-ever", "log-for-ever", "open: more than 4096 calls of the host"),
        ("open-allocate", "allocate=1048576", "open: wasm trap: all fuel consumed by WebAssembly"),
        ("open-fault", "fault", "open: on request"),
        (
            "open-long-fault",
            "long-fault=67108864",
            "open: too much data is being copied between the host and the guest",
        ),
    ];
    let made = acts.into_iter().map(|(name, act, rule)| {
        let script = format!("open {act} twin={name}-bad");
        let guest = Guest::hostile(name, "1.0.0")?.script(&script).declares(roomy);
        Ok(Item { name, guest, end: End::Apart, rule })
    });
    made.collect()
}

/// Misdeeds of `<name>-bad` when it is saved, or brought back after `<name>-fuse` has crashed their instance; and a
/// state that only grows.
pub(crate) fn states() -> anyhow::Result<Vec<Item>> {
    let acts: [(&'static str, &str, &'static str); 11] = [
        (
            "save-trap",
            "snapshot trap from=60",
            "trap: snapshot: wasm trap: wasm `unreachable` instruction executed",
        ),
        ("save-loop", "snapshot loop from=60", "fuel: snapshot: wasm trap: all fuel consumed by WebAssembly"),
        (
            "save-log-for-ever",
            "snapshot log-for-ever from=60",
            "host-calls: snapshot: more than 4096 calls of the host",
        ),
        (
            "save-much",
            "snapshot states=100000 from=60",
            "answer: snapshot: state of slot 0 has 100016 bytes, 65536 are allowed",
        ),
        (
            "save-schema",
            "snapshot schema=7 from=60",
            "answer: snapshot: schema 1 was asked for, 7 was written",
        ),
        ("save-fault", "snapshot fault from=60", "fault: snapshot: on request"),
        (
            "back-trap",
            "restore trap from=1",
            "trap: restore: wasm trap: wasm `unreachable` instruction executed",
        ),
        ("back-loop", "restore loop from=1", "fuel: restore: wasm trap: all fuel consumed by WebAssembly"),
        (
            "back-copy",
            "restore copy=25000000 from=1",
            "fuel: restore: wasm trap: all fuel consumed by WebAssembly",
        ),
        ("back-fault", "restore fault from=1", "fault: restore: on request"),
        ("leak", "step leak=2000", "answer: snapshot: state of slot 0 has "),
    ];
    let made = acts.into_iter().map(|(name, act, rule)| {
        let (deed, condition) = act.rsplit_once(' ').unwrap_or_default();
        let script = match condition.contains("from") {
            true => format!("{deed} twin={name}-bad {condition}; step trap twin={name}-fuse value={POISON}"),
            false => format!("{act} twin={name}-bad; step trap twin={name}-fuse value={POISON}"),
        };
        let guest = Guest::hostile(name, "1.0.0")?.script(&script).declares(roomy);
        Ok(Item { name, guest, end: End::Apart, rule })
    });
    made.collect()
}

/// Misdeeds of hand-written code before any export is called, or by its mere shape.
pub(crate) fn written() -> anyhow::Result<Vec<Item>> {
    let one = |name: &'static str, text: String, rule: &'static str| -> anyhow::Result<Item> {
        Ok(Item { name, guest: written_guest(name, &text)?, end: End::Refused, rule })
    };
    let begin = |body: &str| probe(&format!("(func $begin {body}) (start $begin)"));
    let copy = "(loop $on (memory.copy (i32.const 0) (i32.const 1) (i32.const 2000000)) (br $on))";
    let table = "(loop $on (drop (table.grow $table (ref.null func) (i32.const 1000))) (br $on))";
    let spent = "instantiate: wasm trap: all fuel consumed by WebAssembly";
    let big_table = probe("")?.replace("(table $table 1 ", "(table $table 100000000 ");
    let big_memory = probe("")?.replace("\"memory\") 32)", "\"memory\") 65536)");
    Ok(vec![
        one(
            "start-trap",
            begin("unreachable")?,
            "instantiate: wasm trap: wasm `unreachable` instruction executed",
        )?,
        one("start-loop", begin("(loop $on (br $on))")?, spent)?,
        one("start-copy", begin(copy)?, spent)?,
        one("table-bomb", begin(table)?, "instantiate: table limit of 20000 elements")?,
        one("big-table", big_table, "a minimum element size of 100000000 which exceeds the limit of 20000")?,
        one(
            "two-tables",
            probe("(table $second 1 funcref)")?,
            "defined tables count of 2 exceeds the per-instance limit of 1",
        )?,
        one(
            "big-memory",
            big_memory,
            "a minimum byte size of 4294967296 which exceeds the limit of 0x10000000 bytes",
        )?,
        one(
            "many-memories",
            probe(&"(memory 1)".repeat(20))?,
            "defined memories count of 21 exceeds the per-instance limit of 1",
        )?,
    ])
}

/// Hand-written code as a plugin that declares what `probe.wat` does.
pub(crate) fn written_guest(name: &str, text: &str) -> anyhow::Result<Guest> {
    let mode = json!({ "type": "object", "properties": { "m": { "type": "string", "default": "n" } } });
    Ok(Guest::of(component(text, "0.1.0", &[])?, name, "1.0.0").declares(|it| it["parameters"] = mode))
}
