//! The component of a recorded plant: `tests/guests/probe.wat`, which adds up its inputs, and what it may do besides.

use geminus_registry::Package;
use wit_component::{ComponentEncoder, StringEncoding};
use wit_parser::Resolve;

const GUEST: &str = include_str!("../../../../../tests/guests/probe.wat");
const CONTRACT: &str = include_str!("../../../../../wit/next/behavior.wit");

/// A package of the probe with this version and state schema; `change` is made to its text.
pub(crate) fn package(version: &str, schema: u32, change: impl Fn(String) -> String) -> Package {
    declared(version, schema, change, |_| {})
}

/// One that may propose a speed besides.
pub(super) fn policy(version: &str, change: impl Fn(String) -> String) -> Package {
    declared(version, 1, change, |declaration| {
        declaration["kind"] = "command-policy".into();
        declaration["commands"] =
            serde_json::json!([{ "name": "speed", "unit": "1", "minimum": 0.0, "maximum": 1.0 }]);
    })
}

/// The same with its outputs under each other's names.
pub(super) fn turned(version: &str) -> Package {
    declared(
        version,
        1,
        |text| text,
        |declaration| {
            declaration["outputs"] =
                serde_json::json!([{ "name": "count", "unit": "1" }, { "name": "sum", "unit": "1" }]);
        },
    )
}

fn declared(
    version: &str,
    schema: u32,
    change: impl Fn(String) -> String,
    declare: impl Fn(&mut serde_json::Value),
) -> Package {
    let text = GUEST.replace("{{contract}}", "0.1.0").replace("{{import}}", "");
    let text = change(text.replace("{{schema}}", &schema.to_string()));
    let mut module = wat::parse_str(text).expect("wat");
    let mut resolve = Resolve::default();
    resolve.push_str("behavior.wit", CONTRACT).expect("contract");
    let world = "package test:probe; world probe { include geminus:behavior/plugin@0.1.0; }";
    let world = resolve.push_str("probe.wit", world).expect("world");
    let world = resolve.select_world(&[world], Some("probe")).expect("world");
    wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
        .expect("embed");
    let encoder = ComponentEncoder::default().module(&module).expect("module");
    let mut component = encoder.validate(true).encode().expect("component");
    let schemas: Vec<u32> = (1..=schema).collect();
    let mut declaration = serde_json::json!({
        "declaration": 1, "name": "probe", "version": version, "kind": "estimator", "ages": true,
        "inputs": [{"name": "a", "unit": "1", "arrival": "event"}, {"name": "b", "unit": "1", "required": false}],
        "outputs": [{"name": "sum", "unit": "1"}, {"name": "count", "unit": "1"}],
        "parameters": {"type": "object", "properties": {"m": {"type": "string", "default": "f"}}},
        "alerts": [{"code": "odd", "priority": "low", "text": "odd"}],
        "lookups": [{"name": "past", "kind": "history", "unit": "1"}], "forecast": true,
        "state": {"schema": schema, "reads": schemas, "writes": schemas}, "warm_up_rows": 3,
    });
    declare(&mut declaration);
    let stamp = r#"{"contract":"0.1.0","sdk":"none","toolchain":"unknown"}"#;
    for (name, data) in [("geminus:stamp", stamp), ("geminus:declaration", &declaration.to_string())] {
        section(&mut component, name, data);
    }
    Package::check("probe.wasm".as_ref(), component).expect("a package")
}

fn section(component: &mut Vec<u8>, name: &str, data: &str) {
    let mut body = vec![u8::try_from(name.len()).expect("short")];
    body.extend_from_slice(name.as_bytes());
    body.extend_from_slice(data.as_bytes());
    component.push(0);
    let mut length = body.len();
    while length >= 0x80 {
        component.push(u8::try_from(length & 0x7f).expect("seven bits") | 0x80);
        length >>= 7;
    }
    component.push(u8::try_from(length).expect("seven bits"));
    component.extend_from_slice(&body);
}

/// A version that answers half a unit more.
pub(super) fn half_more(text: String) -> String {
    let plain = "(f64.store (local.get $out) (f64.load (local.get $rec)))";
    assert!(text.contains(plain), "probe.wat no longer has the line that is changed here");
    text.replace(plain, "(f64.store (local.get $out) (f64.add (f64.load (local.get $rec)) (f64.const 0.5)))")
}

/// A version that raises its alert, with the sum so far, and wishes for a speed in each row where `a` is above 6.
pub(super) fn talks(text: String) -> String {
    let count = "(f64.store offset=8 (local.get $out) (f64.load offset=8 (local.get $rec)))";
    assert_eq!(text.matches(count).count(), 1, "probe.wat no longer has the line that is added to here");
    let talk = "
      (if (f64.gt (f64.load (i32.add (local.get $values) (i32.shl (local.get $r) (i32.const 4)))) (f64.const 6)) (then
        (if (i32.eqz (i32.load (i32.const 1044))) (then
          (i32.store (i32.const 1044) (call $alloc (i32.const 8) (i32.mul (local.get $n) (i32.const 24))))
          (i32.store (i32.const 1052) (call $alloc (i32.const 8) (i32.mul (local.get $n) (i32.const 40))))))
        (local.set $cell (i32.add (i32.load (i32.const 1044)) (i32.mul (i32.load (i32.const 1048)) (i32.const 24))))
        (i32.store (local.get $cell) (local.get $r))
        (i32.store offset=4 (local.get $cell) (i32.const 0))
        (f64.store offset=8 (local.get $cell) (f64.load (local.get $rec)))
        (i32.store offset=16 (local.get $cell) (i32.const 64))
        (i32.store offset=20 (local.get $cell) (i32.const 11))
        (i32.store (i32.const 1048) (i32.add (i32.load (i32.const 1048)) (i32.const 1)))
        (local.set $cell (i32.add (i32.load (i32.const 1052)) (i32.mul (i32.load (i32.const 1056)) (i32.const 40))))
        (i32.store (local.get $cell) (local.get $r))
        (i32.store offset=4 (local.get $cell) (i32.const 0))
        (f64.store offset=8 (local.get $cell) (f64.const 0.5))
        (f64.store offset=16 (local.get $cell) (f64.const 1))
        (i32.store offset=24 (local.get $cell) (i32.const 900))
        (i32.store offset=28 (local.get $cell) (i32.const 48))
        (i32.store offset=32 (local.get $cell) (i32.const 14))
        (i32.store (i32.const 1056) (i32.add (i32.load (i32.const 1056)) (i32.const 1)))))";
    text.replace(count, &format!("{count}{talk}"))
}
