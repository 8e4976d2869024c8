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

/// Misdeeds in `step`: name, act, what must come of it, what the message says.
const STEPS: [(&str, &str, End, &str); 25] = [
    ("trap", "trap", End::Apart, "unreachable"),
    ("panic", "panic", End::Apart, "unreachable"),
    ("loop", "loop", End::Apart, "wasm trap"),
    ("log-for-ever", "log-for-ever", End::Apart, "step"),
    ("long-log-for-ever", "log-for-ever=1000000", End::Apart, "step"),
    ("read-for-ever", "read-for-ever", End::Apart, "step"),
    ("grow", "grow", End::Apart, "memory limit"),
    ("allocate", "allocate=1048576", End::Apart, "step"),
    ("recurse", "recurse", End::Apart, "step: wasm trap: "),
    ("copy", "copy=25000000", End::Apart, "step"),
    ("burn", "burn=100000000", End::Apart, "wasm trap"),
    ("many-values", "values=10000000", End::Apart, "too much data"),
    ("long-alert", "long-alert=67108864", End::Apart, "too much data"),
    ("long-fault", "long-fault=67108864", End::Apart, "too much data"),
    ("few-values", "values=1", End::Apart, "values for"),
    ("quality", "quality=9", End::Apart, "quality 9"),
    ("alert-flood", "alerts=100", End::Apart, "more than 16 alerts"),
    ("alert-storm", "alerts=50000", End::Apart, "too much data"),
    ("alert-index", "alert=7", End::Apart, "alert 7 of 1"),
    ("proposal", "propose=1", End::Apart, "command 0 of 0"),
    ("fault", "fault", End::Unanswered, "on request"),
    ("nan", "nan", End::NoNumbers, "2 outputs are bad: they are no finite numbers"),
    ("infinite", "infinite", End::NoNumbers, "2 outputs are bad: they are no finite numbers"),
    ("log-flood", "logs=1000", End::Cut, "log_lines_per_call"),
    ("read-flood", "reads=1000", End::Cut, "lookups_per_call"),
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
        ("open-trap", "trap", "unreachable"),
        ("open-loop", "loop", "wasm trap"),
        ("open-log-for-ever", "log-for-ever", "open"),
        ("open-allocate", "allocate=1048576", "open"),
        ("open-fault", "fault", "on request"),
        ("open-long-fault", "long-fault=67108864", "too much data"),
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
        ("save-trap", "snapshot trap from=60", "snapshot"),
        ("save-loop", "snapshot loop from=60", "snapshot"),
        ("save-log-for-ever", "snapshot log-for-ever from=60", "snapshot"),
        ("save-much", "snapshot states=100000 from=60", "state"),
        ("save-schema", "snapshot schema=7 from=60", "schema"),
        ("save-fault", "snapshot fault from=60", "on request"),
        ("back-trap", "restore trap from=1", "restore"),
        ("back-loop", "restore loop from=1", "restore"),
        ("back-copy", "restore copy=25000000 from=1", "restore"),
        ("back-fault", "restore fault from=1", "on request"),
        ("leak", "step leak=2000", "state"),
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
    Ok(vec![
        one("start-trap", begin("unreachable")?, "unreachable")?,
        one("start-loop", begin("(loop $on (br $on))")?, "wasm trap")?,
        one("start-copy", begin(copy)?, "instantiate")?,
        one("table-bomb", begin(table)?, "table limit")?,
        one("big-table", probe("")?.replace("(table $table 1 ", "(table $table 100000000 "), "table")?,
        one("two-tables", probe("(table $second 1 funcref)")?, "table")?,
        one("big-memory", probe("")?.replace("\"memory\") 32)", "\"memory\") 65536)"), "memory")?,
        one("many-memories", probe(&"(memory 1)".repeat(20))?, "memor")?,
    ])
}

/// Hand-written code as a plugin that declares what `probe.wat` does.
pub(crate) fn written_guest(name: &str, text: &str) -> anyhow::Result<Guest> {
    let mode = json!({ "type": "object", "properties": { "m": { "type": "string", "default": "n" } } });
    Ok(Guest::of(component(text, "0.1.0", &[])?, name, "1.0.0").declares(|it| it["parameters"] = mode))
}
