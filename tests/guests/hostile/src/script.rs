//! The script stands in the parameter `script`: deeds with `;` between them, each an export, an act, and conditions,
//! as in `step trap twin=cell-7 value=666; restore loop from=30`. `schema=2` sets the newest state schema.
//!
//! A script that cannot be read is a mistake of the test and panics in `open`, where it is seen.

use crate::deed::{Act, Call, Deed, Export};

/// What a twin will do.
pub(crate) struct Script {
    pub(crate) schema: u32,
    deeds: Vec<Deed>,
}

impl Script {
    /// From the parameters: a JSON object in which `script` holds no escapes.
    pub(crate) fn of(parameters: &[u8]) -> Self {
        let text = String::from_utf8_lossy(parameters);
        let script = text.split_once("\"script\":\"").and_then(|(_, rest)| rest.split_once('"'));
        let mut read = Self { schema: 1, deeds: Vec::new() };
        let lines = script.map_or("", |(script, _)| script).split(';');
        for line in lines.map(str::trim).filter(|line| !line.is_empty()) {
            match line.strip_prefix("schema=") {
                Some(schema) => read.schema = schema.parse().expect("a schema"),
                None => read.deeds.push(deed(line)),
            }
        }
        read
    }

    /// What is to be done in this call.
    pub(crate) fn acts(&self, call: &Call<'_>) -> Vec<Act> {
        self.deeds.iter().filter(|deed| deed.fits(call)).map(|deed| deed.act).collect()
    }
}

fn deed(line: &str) -> Deed {
    let mut words = line.split_whitespace();
    let export = match words.next() {
        Some("open") => Export::Open,
        Some("step") => Export::Step,
        Some("forecast") => Export::Forecast,
        Some("snapshot") => Export::Snapshot,
        Some("restore") => Export::Restore,
        Some("close") => Export::Close,
        other => panic!("{other:?} is no export"),
    };
    let act = act(words.next().expect("an act"));
    let mut deed =
        Deed { export, act, twin: None, value: None, above: None, row: None, from: None, sum_above: None };
    for condition in words {
        let (name, wanted) = condition.split_once('=').expect("name=value");
        let number = || Some(wanted.parse().expect("a number"));
        match name {
            "twin" => deed.twin = Some(wanted.to_owned()),
            "value" => deed.value = number(),
            "above" => deed.above = number(),
            "row" => deed.row = number(),
            "from" => deed.from = number(),
            "sum-above" => deed.sum_above = number(),
            other => panic!("{other} is no condition"),
        }
    }
    deed
}

fn act(word: &str) -> Act {
    let (name, amount) = word.split_once('=').unwrap_or((word, "0"));
    let number: f64 = amount.parse().expect("an amount");
    let count = number as usize;
    match name {
        "trap" => Act::Trap,
        "panic" => Act::Panic,
        "loop" => Act::Loop,
        "log-for-ever" => Act::LogForEver(count),
        "read-for-ever" => Act::ReadForEver,
        "logs" => Act::Logs(count),
        "reads" => Act::Reads(count),
        "grow" => Act::Grow,
        "allocate" => Act::Allocate(count),
        "recurse" => Act::Recurse,
        "copy" => Act::Copy(count),
        "burn" => Act::Burn(count),
        "fault" => Act::Fault,
        "long-fault" => Act::LongFault(count),
        "values" => Act::Values(count),
        "states" => Act::States(count),
        "nan" => Act::Nan,
        "infinite" => Act::Infinite,
        "quality" => Act::Quality(count as u8),
        "alerts" => Act::Alerts(count),
        "long-alert" => Act::LongAlert(count),
        "alert" => Act::Alert(count as u32),
        "propose" => Act::Propose(number),
        "offset" => Act::Offset(number),
        "leak" => Act::Leak(count),
        "schema" => Act::Schema(count as u32),
        other => panic!("{other} is no act"),
    }
}
