//! Files that are not what they say, and code that is made to cost the compiler its time.

use geminus_tests::{Guest, bomb, component, probe, slow_bomb};
use serde_json::json;

use crate::corpus::written_guest;
use crate::updates::Update;

/// Each is refused before any of its code runs.
pub(crate) fn lies(good: &Guest) -> anyhow::Result<Vec<Update>> {
    let (mut made, mut number) = (Vec::new(), 200);
    let mut add = |name: &'static str, guest: Guest, rule: &'static str| -> anyhow::Result<()> {
        number += 1;
        let guest = guest.version(&format!("1.0.{number}"));
        made.push(Update { name, label: guest.label(), bytes: guest.bytes()?, rule, twin: None });
        Ok(())
    };
    let good = |change: &dyn Fn(&mut Guest)| {
        let mut guest = good.clone();
        change(&mut guest);
        guest
    };
    add("wrong contract", good(&|it| it.stamp["contract"] = "0.9.0".into()), "contract 0.9.0")?;
    add("no stamp that can be read", good(&|it| it.stamp = json!(["mine"])), "stamp cannot be read")?;
    let next = component(&probe("")?, "0.2.0", &[])?;
    add("forged stamp", Guest::of(next, "suspect", "1.0.0"), "the stamp is not its own")?;
    let web = "package wasi:http@0.2.0; interface fetch { get: func() -> u64; }";
    let text = probe("")?.replacen(
        "(memory (export",
        "(import \"wasi:http/fetch@0.2.0\" \"get\" (func (result i64))) (memory (export",
        1,
    );
    let nosy = component(&text, "0.1.0", &[("wasi:http/fetch@0.2.0", web)])?;
    add("the web", Guest::of(nosy, "suspect", "1.0.0"), "imports wasi:http/fetch@0.2.0")?;
    add("undeclared look-ups", good(&|it| it.declaration["lookups"] = json!([])), "names no look-up")?;
    let command = json!([{ "name": "speed", "unit": "1", "minimum": 0.0, "maximum": 1.0 }]);
    add(
        "an estimator's commands",
        good(&|it| it.declaration["commands"] = command.clone()),
        "may not declare commands",
    )?;
    let state = json!({ "schema": 5, "reads": [1], "writes": [1] });
    add(
        "a schema that it cannot read",
        good(&|it| it.declaration["state"] = state.clone()),
        "must stand in reads",
    )?;
    let other = json!({ "schema": 5, "reads": [5], "writes": [5] });
    add("no way up", good(&|it| it.declaration["state"] = other.clone()), "cannot be carried")?;
    let more = |it: &mut Guest| {
        let outputs = it.declaration["outputs"].as_array_mut().expect("outputs");
        outputs.push(json!({ "name": "extra", "unit": "1" }));
    };
    add("more outputs than it gives", good(&more), "extra")?;
    add("another unit", good(&|it| it.declaration["outputs"][0]["unit"] = "Cel".into()), "Cel")?;
    add("no such unit", good(&|it| it.declaration["outputs"][0]["unit"] = "furlong".into()), "furlong")?;
    for (name, code, rule) in [
        ("compile bomb", bomb(1, 10_000, 5_000), "joins_max"),
        ("slow compile bomb", slow_bomb(), "compiling t"),
    ] {
        let mut costly = written_guest("suspect", &probe(&code)?)?;
        costly.declaration["budget"] = good(&|_| ()).declaration["budget"].clone();
        add(name, costly, rule)?;
    }
    let mut cut = good(&|_| ()).bytes()?;
    cut.truncate(cut.len() / 2);
    let label = "suspect.wasm".to_owned();
    made.push(Update { name: "truncated", label, bytes: cut, rule: "truncated or damaged", twin: None });
    Ok(made)
}
