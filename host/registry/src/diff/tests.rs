//! Every kind of change as a row: what is changed, how grave that is, what is told.

use geminus_core::Declaration;
use serde_json::{Value, json};

use super::ChangeSeverity::{Breaking, Info, Widening};
use super::{ChangeSeverity, diff};

fn policy() -> Value {
    json!({
        "declaration": 1, "name": "probe", "version": "1.2.0", "kind": "command-policy",
        "inputs": [{"name": "a", "unit": "Cel", "arrival": "event"}, {"name": "b", "unit": "A"}],
        "outputs": [{"name": "o", "unit": "Cel", "role": "estimate", "of": "a"}, {"name": "p", "unit": "1"}],
        "parameters": {"type": "object", "required": ["gain"], "properties": {
            "gain": {"type": "number", "unit": "1"},
            "tau": {"type": "number", "unit": "s", "default": 60.0, "minimum": 0.1}
        }},
        "alerts": [{"code": "hot", "priority": "high", "text": "Hot."}, {"code": "odd", "priority": "low", "text": "Odd."}],
        "commands": [{"name": "speed", "unit": "/min", "minimum": 0.0, "maximum": 3000.0},
                     {"name": "stop", "unit": "1", "minimum": 0.0, "maximum": 1.0}],
        "lookups": [{"name": "past", "kind": "history", "unit": "Cel"}],
        "forecast": true, "state": {"schema": 2, "reads": [1, 2], "writes": [1, 2]},
        "warm_up_rows": 10, "budget": {"fuel_per_row": 1000, "memory_bytes": 65536}
    })
}

fn parsed(json: &Value) -> Declaration {
    Declaration::parse(json.to_string().as_bytes()).expect("valid")
}

/// One change gives exactly these differences.
fn check(change: impl Fn(&mut Value), expect: &[(ChangeSeverity, &str, &str)]) {
    let mut changed = policy();
    change(&mut changed);
    let found = diff(&parsed(&policy()), &parsed(&changed));
    let told = found.changes.iter().map(|c| (c.severity, c.what.as_str())).collect::<Vec<_>>();
    let wanted = expect.iter().map(|(severity, what, _)| (*severity, *what)).collect::<Vec<_>>();
    assert_eq!(told, wanted, "{found:?}");
    for (change, (.., says)) in found.changes.iter().zip(expect) {
        assert!(change.text.contains(says), "{change:?} does not say {says:?}");
    }
    assert_eq!(found.refuses(), expect.iter().any(|(severity, ..)| *severity == Breaking));
    assert_eq!(found.widens(), expect.iter().any(|(severity, ..)| *severity == Widening));
    for (severity, what, says) in expect {
        let reasons = found.reasons(*severity);
        assert!(reasons.contains(what) && reasons.contains(says), "{reasons}");
    }
}

#[test]
fn the_same_declaration_in_a_newer_version_or_in_other_words_differs_in_nothing() {
    check(|_| (), &[]);
    check(|j| j["version"] = "9.0.0".into(), &[]);
    check(|j| j["description"] = "other words".into(), &[]);
    check(|j| j["inputs"][0]["description"] = "other words".into(), &[]);
    check(|j| j["version"] = "1.1.9".into(), &[(Info, "version", "a step back from 1.2.0 to 1.1.9")]);
}

#[test]
fn what_is_laid_out_by_place_cannot_change_under_a_running_plant() {
    check(|j| j["name"] = "other".into(), &[(Breaking, "plugin", "name changed")]);
    check(|j| j["inputs"][0]["unit"] = "K".into(), &[(Breaking, "input a", "\"Cel\" to \"K\"")]);
    check(|j| j["inputs"][0]["arrival"] = "hold".into(), &[(Breaking, "input a", "Event to Hold")]);
    check(|j| j["inputs"][1]["required"] = false.into(), &[(Breaking, "input b", "true to false")]);
    check(|j| drop(remove(j, "inputs", 1)), &[(Breaking, "input b", "is gone")]);
    check(|j| j["ages"] = true.into(), &[(Breaking, "inputs", "ages")]);
    check(|j| j["windows"] = json!([{"name": "w"}]), &[(Breaking, "windows", "changed")]);
    check(|j| j["texts"] = json!([{"name": "t"}]), &[(Breaking, "texts", "changed")]);
    check(|j| add(j, "inputs", json!({"name": "c", "unit": "1"})), &[(Breaking, "input c", "is new")]);
    check(|j| j["outputs"][0]["unit"] = "K".into(), &[(Breaking, "output o", "unit")]);
    check(|j| j["outputs"][1]["role"] = "converged".into(), &[(Breaking, "output p", "role")]);
    check(|j| j["outputs"][0]["of"] = "b".into(), &[(Breaking, "output o", "what it is of")]);
    check(|j| add(j, "outputs", json!({"name": "q", "unit": "1"})), &[(Breaking, "output q", "is new")]);
    check(
        |j| drop(remove(j, "outputs", 0)),
        &[(Breaking, "output o", "is gone"), (Breaking, "output p", "place 2 to 1")],
    );
    check(|j| j["alerts"][0]["unit"] = "Cel".into(), &[(Breaking, "alert hot", "unit")]);
    check(
        |j| j["alerts"].as_array_mut().expect("a list").reverse(),
        &[(Breaking, "alert hot", "place 1 to 2"), (Breaking, "alert odd", "place 2 to 1")],
    );
    check(|j| j["alerts"][0]["priority"] = "critical".into(), &[(Info, "alert hot", "High to Critical")]);
    check(|j| j["alerts"][0]["text"] = "Very hot.".into(), &[(Info, "alert hot", "text")]);
}

#[test]
fn a_policy_becomes_no_estimator_and_an_estimator_no_policy() {
    let bare = |kind: &str| {
        let mut json = policy();
        (json["commands"], json["kind"]) = (json!([]), kind.into());
        parsed(&json)
    };
    for (old, new) in
        [("command-policy", "estimator"), ("estimator", "command-policy"), ("surrogate", "estimator")]
    {
        assert!(diff(&bare(old), &bare(new)).refuses(), "{old} → {new}");
    }
    let found = diff(&bare("estimator"), &parsed(&policy()));
    assert!(found.refuses() && found.reasons(Widening).contains("command speed: is new"), "{found:?}");
}

#[test]
fn what_may_do_more_wants_a_yes() {
    check(
        |j| add(j, "commands", json!({"name": "vent", "unit": "1", "minimum": 0.0, "maximum": 1.0})),
        &[(Widening, "command vent", "is new")],
    );
    check(
        |j| j["commands"][0]["maximum"] = 3001.0.into(),
        &[(Widening, "command speed", "3000.0] to [0.0, 3001.0]")],
    );
    check(|j| j["commands"][0]["minimum"] = (-1.0).into(), &[(Widening, "command speed", "range")]);
    check(|j| j["commands"][0]["maximum"] = 2000.0.into(), &[(Info, "command speed", "range")]);
    check(
        |j| (j["commands"][0]["minimum"], j["commands"][0]["maximum"]) = (10.0.into(), 3010.0.into()),
        &[(Widening, "command speed", "range")],
    );
    check(|j| j["commands"][0]["unit"] = "Hz".into(), &[(Breaking, "command speed", "unit")]);
    check(|j| drop(remove(j, "commands", 1)), &[(Info, "command stop", "is gone")]);
    check(
        |j| drop(remove(j, "commands", 0)),
        &[(Breaking, "command stop", "moved"), (Info, "command speed", "is gone")],
    );
    check(
        |j| add(j, "lookups", json!({"name": "near", "kind": "related", "unit": "Cel"})),
        &[(Widening, "look-up near", "is new")],
    );
    check(
        |j| j["lookups"][0]["kind"] = "related".into(),
        &[(Widening, "look-up past", "History to Related")],
    );
    check(|j| j["lookups"][0]["unit"] = "K".into(), &[(Breaking, "look-up past", "unit")]);
    check(|j| j["lookups"] = json!([]), &[(Info, "look-up past", "is gone")]);
    check(|j| j["budget"]["fuel_per_row"] = 1001.into(), &[(Widening, "budget", "1000 to 1001")]);
    check(|j| j["budget"]["memory_bytes"] = 131_072.into(), &[(Widening, "budget", "bytes of memory")]);
    check(|j| j["budget"]["fuel_per_row"] = 999.into(), &[(Info, "budget", "fuel per row")]);
    check(|j| j["forecast"] = false.into(), &[(Info, "forecast", "true to false")]);
    check(|j| j["warm_up_rows"] = 20.into(), &[(Info, "warm-up", "10 to 20")]);
}

#[test]
fn state_is_carried_or_the_cold_start_is_told() {
    let state = |schema: u32, reads: &[u32], writes: &[u32]| {
        let state = json!({"schema": schema, "reads": reads, "writes": writes});
        move |j: &mut Value| j["state"] = state.clone()
    };
    check(state(2, &[2], &[2]), &[]);
    check(state(3, &[2, 3], &[2, 3]), &[(Info, "state", "schema 2 becomes 3, carried as 2")]);
    check(state(3, &[1, 3], &[1, 3]), &[(Info, "state", "carried as 1")]);
    check(
        state(3, &[2, 3], &[3]),
        &[(Info, "state", "carried as 2"), (Info, "state", "no way down: probe@1.2.0 reads nothing")],
    );
    check(
        state(3, &[3], &[2, 3]),
        &[(Widening, "state", "probe@1.2.0 writes [1, 2], probe@1.2.0 reads [3]; it would start cold")],
    );
    // Where one of them keeps none there is nothing to carry, and a person says yes to that too.
    check(state(0, &[], &[]), &[(Widening, "state", "probe@1.2.0 keeps none; it would start cold")]);
    let mut stateless = policy();
    stateless["state"] = json!({"schema": 0, "reads": [], "writes": []});
    let found = diff(&parsed(&stateless), &parsed(&policy()));
    assert!(found.reasons(Widening).contains("keeps none") && found.changes.len() == 1, "{found:?}");
    assert_eq!(diff(&parsed(&stateless), &parsed(&stateless)).changes, []);
}

#[test]
fn parameters_are_told_and_a_number_never_changes_its_meaning() {
    let properties = |j: &mut Value, name: &str, member: &str, value: Value| {
        j["parameters"]["properties"][name][member] = value;
    };
    check(|j| properties(j, "tau", "unit", "min".into()), &[(Breaking, "parameter tau", "\"s\" to \"min\"")]);
    check(
        |j| properties(j, "tau", "default", 30.0.into()),
        &[(Info, "parameter tau", "default changed from 60.0 to 30.0")],
    );
    check(|j| properties(j, "tau", "maximum", 90.0.into()), &[(Info, "parameter tau", "from none to 90.0")]);
    check(|j| properties(j, "tau", "type", "integer".into()), &[(Info, "parameter tau", "type")]);
    check(|j| properties(j, "tau", "description", "other words".into()), &[]);
    check(
        |j| drop(j["parameters"]["properties"].as_object_mut().expect("a map").remove("tau")),
        &[(Info, "parameter tau", "is gone")],
    );
    check(|j| properties(j, "new", "default", 1.0.into()), &[(Info, "parameter new", "with a default")]);
    check(
        |j| {
            properties(j, "new", "type", "number".into());
            j["parameters"]["required"] = json!(["gain", "new"]);
        },
        &[(Breaking, "parameter new", "must be given")],
    );
    check(
        |j| j["parameters"]["required"] = json!(["gain", "tau"]),
        &[(Info, "parameter tau", "must be given now")],
    );
}

#[test]
fn the_worst_stands_first() {
    let mut changed = policy();
    changed["warm_up_rows"] = 11.into();
    changed["budget"]["fuel_per_row"] = 5000.into();
    changed["kind"] = "command-policy".into();
    changed["inputs"][0]["unit"] = "K".into();
    let found = diff(&parsed(&policy()), &parsed(&changed));
    assert_eq!(found.changes.iter().map(|c| c.severity).collect::<Vec<_>>(), [Breaking, Widening, Info]);
    let json = serde_json::to_value(&found).expect("JSON");
    assert_eq!(json[0]["severity"], "breaking");
    assert_eq!(serde_json::from_value::<super::Diff>(json).expect("read back"), found);
}

fn remove(json: &mut Value, list: &str, place: usize) -> Value {
    json[list].as_array_mut().expect("a list").remove(place)
}

fn add(json: &mut Value, list: &str, entry: Value) {
    json[list].as_array_mut().expect("a list").push(entry);
}
