//! The interpreter against scripts that work, scripts that cannot, and scripts that fail in a row.
#![expect(clippy::panic, reason = "a test may")]

use geminus_core::Declaration;
use geminus_core::declaration::{Arrival, Kind, Priority, Role};
use geminus_sdk::testing::{Host, Stepped, case};
use geminus_sdk::{Fault, Quality, Reading};
use script::{
    CELL_NAME_BYTES_MAX, CELLS_MAX, EXPRESSION_DEPTH_MAX, Measured, OPERATIONS_MAX, SCRIPT_BYTES_MAX, Script,
    TEXT_BYTES_MAX, VARIABLES_MAX,
};

fn parameters(script: &str) -> String {
    let mut text = String::from("{\"script\": \"");
    for letter in script.chars() {
        match letter {
            '"' | '\\' => text.extend(['\\', letter]),
            '\n' => text.push_str("\\n"),
            other => text.push(other),
        }
    }
    text + "\"}"
}

fn opened(script: &str) -> Host<Script> {
    Host::open(&parameters(script)).unwrap_or_else(|fault| panic!("{script}\n{fault}"))
}

fn warm(celsius: f64) -> Measured {
    Measured { celsius_1: Reading::good(celsius), ..Measured::default() }
}

/// What the script gives for one row with 60 °C.
fn once(script: &str) -> Stepped {
    opened(script).step(0.0, warm(60.0)).unwrap_or_else(|fault| panic!("{script}\n{fault}"))
}

#[test]
fn cases_hold() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/cases");
    assert!(case::hold::<Script>(folder).expect("they hold") >= 3);
}

#[test]
fn a_script_calculates() {
    let check = |script: &str, expect: f64| {
        let stepped = once(script);
        assert_eq!(stepped.value("x").map(f64::to_bits), Some(expect.to_bits()), "{script}: {stepped:?}");
        assert_eq!(stepped.quality("x"), Quality::Good);
    };
    check("x = celsius_1 / 2;", 30.0);
    check("x = 1 / 2 * celsius_1;", 30.0);
    check("x = 7 % 4 + 7.5 % 2;", 4.5);
    check("let n = 3; n += 1; n *= 2; n -= 1; x = n;", 7.0);
    check("let n = 3.0; n += 1; n *= 2; n -= 0.5; x = n;", 7.5);
    check("x = -celsius_1 + 1;", -59.0);
    check("let n = 3; x = -n + +n + +celsius_1", 60.0);
    check("x = celsius_2 ?? 20.0;", 20.0);
    check("x = if celsius_2 == () { 1 } else { celsius_2 };", 1.0);
    check("x = if celsius_1 >= 60 && !(celsius_1 > 60) { 5 } else { 6 };", 5.0);
    check("let n = 0; while n < 10 { n += 1; if n == 4 { break; } } x = n;", 4.0);
    check("x = switch 3 { 1 => 10, 3 => 30, _ => 0 };", 30.0);
    check("x = celsius_1.min(50).max(10);", 50.0);
    check("x = clamp(celsius_1, 0, 1);", 1.0);
    check("x = exp(1);", geminus_sdk::math::exp(1.0));
    check("x = pow(celsius_1, 0.3) + ln(2) + sin(1) + atan2(1, 2);", {
        use geminus_sdk::math;
        math::pow(60.0, 0.3) + math::ln(2.0) + math::sin(1.0) + math::atan2(1.0, 2.0)
    });
    check("x = 1; try { throw \"no\"; } catch { x = 2; }", 2.0);
    check("x = 5; return; x = 6;", 5.0);
}

#[test]
fn what_is_not_assigned_has_no_value() {
    let stepped = once("x = celsius_2; y = 1;");
    for output in ["health", "x", "z"] {
        assert_eq!((stepped.value(output), stepped.quality(output)), (None, Quality::Missing), "{output}");
    }
    assert_eq!(stepped.value("y"), Some(1.0));
    assert_eq!(opened("").step(0.0, warm(1.0)).expect("nothing to fail").value("x"), None);
}

#[test]
fn a_reading_that_may_not_be_used_is_no_value() {
    let mut host = opened("x = if celsius_1 == () { 0 } else { celsius_1 };");
    let given = |host: &mut Host<Script>, second: f64, reading: Reading| {
        let row = Measured { celsius_1: reading, ..Measured::default() };
        host.step(second, row).expect("a row").value("x")
    };
    let readings = [
        (Reading::good(3.0), 3.0),
        (Reading::uncertain(4.0), 4.0),
        (Reading::without(Quality::Bad), 0.0),
        (Reading::without(Quality::Stale), 0.0),
        (Reading::missing(), 0.0),
        (Reading::good(f64::NAN), 0.0),
    ];
    for (second, (reading, expect)) in (0_u8..).zip(readings) {
        assert_eq!(given(&mut host, f64::from(second), reading), Some(expect), "{reading:?}");
    }
}

#[test]
fn a_script_sees_quality_and_says_for_what_it_does_not_vouch() {
    let script = "x = switch celsius_1_quality { \"good\" => 0, \"uncertain\" => 1, \"bad\" => 2, \"stale\" => 3, _ => 4 }; \
                  y = celsius_1; uncertain = celsius_1_quality != \"good\";";
    let mut host = opened(script);
    let readings = [
        (Reading::good(3.0), 0.0, Quality::Good),
        (Reading::uncertain(4.0), 1.0, Quality::Uncertain),
        (Reading::without(Quality::Bad), 2.0, Quality::Uncertain),
        (Reading::without(Quality::Stale), 3.0, Quality::Uncertain),
        (Reading::missing(), 4.0, Quality::Uncertain),
    ];
    for (second, (reading, expect, quality)) in (0_u8..).zip(readings) {
        let row = Measured { celsius_1: reading, ..Measured::default() };
        let stepped = host.step(f64::from(second), row).expect("a row");
        assert_eq!((stepped.value("x"), stepped.quality("x")), (Some(expect), quality), "{reading:?}");
        // What was not assigned is missing whatever the script vouches for.
        assert_eq!((stepped.value("y"), stepped.quality("z")), (reading.value(), Quality::Missing));
    }
}

#[test]
fn state_is_kept_over_rows_and_swaps_and_forgotten_on_demand() {
    let script = "state.rows = (state.rows ?? 0) + 1; state.hot = celsius_1 > 50; \
                  state.sum = (state.sum ?? 0.0) + celsius_1 * (elapsed ?? 0.0); \
                  if state.rows == 4 { state.sum = (); } x = state.sum; y = state.rows; z = if state.hot { 1 } else { 0 };";
    let mut host = opened(script);
    let mut row = |second: u8, celsius: f64| {
        let stepped = host.step(f64::from(second), warm(celsius)).expect("a row");
        host.swap().expect("carried");
        [stepped.value("x"), stepped.value("y"), stepped.value("z")]
    };
    assert_eq!(row(0, 60.0), [Some(0.0), Some(1.0), Some(1.0)]);
    assert_eq!(row(2, 40.0), [Some(80.0), Some(2.0), Some(0.0)]);
    assert_eq!(row(3, 60.0), [Some(140.0), Some(3.0), Some(1.0)]);
    assert_eq!(row(4, 60.0), [None, Some(4.0), Some(1.0)]);
    assert_eq!(row(5, 7.0), [Some(7.0), Some(5.0), Some(0.0)]);
}

#[test]
fn alerts_have_a_grade_a_value_and_a_text() {
    let stepped = once(
        "alert_low(1, \"low\"); alert(celsius_1, `bearing at ${text(celsius_1, 1)} °C`); alert(2, \"and \" + 3 + true + 0.5); \
         alert_high(celsius_1 * 2, `${celsius_1} ${1} ${true}`);",
    );
    let alerts: Vec<_> =
        stepped.alerts.iter().map(|alert| (alert.code, alert.value, alert.detail.as_str())).collect();
    assert_eq!(
        alerts,
        [
            ("script-low", 1.0, "low"),
            ("script-medium", 60.0, "bearing at 60.0 °C; and 3true0.5"),
            ("script-high", 120.0, "60.0 1 true"),
        ]
    );
}

#[test]
fn a_script_that_cannot_work_is_refused_by_field_line_and_position() {
    let check = |script: &str, place: &str, says: &str| match Host::<Script>::open(&parameters(script)) {
        Err(Fault::Parameter { pointer, reason }) => {
            assert_eq!(pointer, "/script", "{script}");
            assert!(reason.starts_with(place) && reason.contains(says), "{script}: {reason}");
        }
        other => panic!("{script}: {other:?}"),
    };
    check("x = ;", "line 1, position 5: ", "");
    check("x = 1 y = 2", "line 1, position 7: ", "");
    check("x = 1;\ny = celcius_1;", "line 2, position 5: ", "undefined variable: celcius_1");
    check("x = 1;\nif celsius_1 > 3 {\n  x = 2;\n", "line ", "");
    check("x = \"a;", "line 1, position ", "");
    check("x = 2 ** 3;", "line 1, position ", "**");
    check("x = 3; x /= 2;", "line 1, position ", "/=");
    check("eval(\"x = 1;\");", "line 1, position ", "eval");
    check("fn f(a) { a }", "line 1, position ", "");
    check("let f = |a| a;", "line 1, position ", "");
    check("let list = [1, 2];", "line 1, position ", "");
    check("import \"a\" as b;", "line 1, position ", "");
    check("print(1);", "line 1, position ", "print");
    check("break;", "line 1, position ", "");
    check("let x = 3;", "line 1, position 5: ", "forbidden variable name: x");
    check("if true { let health = 1; }", "line 1, position 15: ", "forbidden variable name: health");
    check("const bar_2 = 1;", "line 1, position 7: ", "forbidden variable name: bar_2");
    check("let celsius_1_quality = 1;", "line 1, position 5: ", "forbidden variable name: celsius_1_quality");
    check("let uncertain = true;", "line 1, position 5: ", "forbidden variable name: uncertain");
    check("x = celcius_1_quality;", "line 1, position 5: ", "undefined variable: celcius_1_quality");
    check("let a = 1; let a = 2;", "line 1, position 16: ", "variable already defined: a");
    let deep = format!("x = {}1{};", "(1+".repeat(EXPRESSION_DEPTH_MAX), ")".repeat(EXPRESSION_DEPTH_MAX));
    check(&deep, "line 1, position ", "complexity");
    let blocks =
        format!("{}{}", "if true {".repeat(EXPRESSION_DEPTH_MAX + 1), "}".repeat(EXPRESSION_DEPTH_MAX + 1));
    check(&blocks, "line 1, position ", "complexity");
    check(&format!("x = 0{};", "+1".repeat(2_000)), "line 1, position ", "complexity");
    check(&format!("x = {}1;", "-".repeat(2_000)), "line 1, position ", "");
    check(&format!("alert(1, \"{}\");", "a".repeat(TEXT_BYTES_MAX + 1)), "line 1, position ", "");
    check(&" ".repeat(SCRIPT_BYTES_MAX + 1), "it has 8193 bytes", "at most 8192");
    assert!(Host::<Script>::open(&parameters(&" ".repeat(SCRIPT_BYTES_MAX))).is_ok());
    assert!(
        matches!(Host::<Script>::open("{\"script\": 5}"), Err(Fault::Parameter { pointer, .. }) if pointer == "/script")
    );
}

#[test]
fn a_script_that_fails_in_a_row_is_a_fault_of_that_row_and_changes_nothing() {
    let check = |script: &str, says: &str| {
        let whole = format!(
            "state.rows = (state.rows ?? 0) + 1;\nif celsius_1 != 13.0 {{ y = state.rows; return; }}\n{script}"
        );
        let mut host = opened(&whole);
        host.step(0.0, warm(20.0)).expect("a row");
        let before = host.snapshot(None).expect("a snapshot");
        match host.step(1.0, warm(13.0)) {
            Err(Fault::Other(reason)) => {
                assert!(reason.starts_with("script") && reason.contains(says), "{script}: {reason}");
            }
            other => panic!("{script}: {other:?}"),
        }
        assert_eq!(host.snapshot(None), Ok(before), "{script}");
        let after = host.step(2.0, warm(20.0)).expect("a row");
        assert_eq!((after.value("y"), after.alerts), (Some(2.0), Vec::new()), "{script}");
    };
    check("x = celsius_1 / 0;", "line 3, position 15: 13.0 / 0.0 is no number");
    check("x = 0 / 0;", "line 3, position 7: 0.0 / 0.0 is no number");
    check("x = 1.0; x += 1e308 * 10;", "line 3, position ");
    check("x = sqrt(0 - celsius_1);", "line 3, position 5: sqrt(-13.0) is no number");
    check("x = ln(0);", "ln(0.0) is no number");
    check("x = exp(celsius_1 * 100);", "is no number");
    check("x = pow(10, 400);", "is no number");
    check(
        "x = celsius_2 * 2;",
        "line 3, position 15: * ((), i64) cannot be had, an input has no value in this row",
    );
    check("x = sqrt(celsius_2);", "line 3, position 5: an input has no value");
    check("if celsius_2 > 5 { x = 1; }", "line 3, position 14: an input has no value");
    check("if 5.0 <= celsius_2 { x = 1; }", "an input has no value");
    check("if celsius_2 < celsius_3 { x = 1; }", "an input has no value");
    check("alert(1, \"before\"); x = sqr(2);", "line 3, position 25: there is nothing called sqr (i64)");
    check("if celsius_1 { x = 1; }", "line 3, position 4: ");
    check("loop {}", "more than 500 operations in a row");
    check("let n = 0; while true { n += 1; }", "more than 500 operations in a row");
    check("let n = 0; while n < 60 { n += 1; x = 1e308 % 3e-308; }", "more than 500 operations in a row");
    check("let n = 0; while n < 40 { n += 1; x = sin(1e300); }", "more than 500 operations in a row");
    check(
        "let n = 0; while n < 30 { n += 1; let t = text(1e-300, 9); }",
        "more than 500 operations in a row",
    );
    check("let n = 0; while n < 30 { n += 1; let t = `${celsius_1}`; }", "more than 500 operations in a row");
    check("try { loop {} } catch { x = 1; }", "more than 500 operations in a row");
    check("let t = \"ab\"; loop { t += t; }", "line 3, position ");
    check("let t = \"ab\"; loop { t = `${t}${t}`; }", "line 3, position ");
    check("x = 9223372036854775807 + 1;", "line 3, position ");
    check("let n = 0 - 9223372036854775807 - 1; x = -n;", "line 3, position ");
    check("x = -celsius_2;", "- (()) cannot be had, an input has no value");
    check("x = 1e999;", "x was given inf: assign a finite number or ()");
    check("x = \"a\";", "x was given what is no number (string)");
    check("x = true;", "x was given what is no number (bool)");
    check("health = 1.5;", "health was given 1.5, which is not within 0 to 1");
    check("celsius_1 = 3;", "line 3, position ");
    check("throw `too ${celsius_1}`;", "line 3, position 1: too 13.0");
    check("x = clamp(1, 5, 2);", "the lower bound comes first");
    check("x = text(1, 10);", "0 to 9 can be had");
    check("alert(\"a\", \"b\");", "a number is needed, this is string");
    check("alert(1e999, \"b\");", "the value of alert is no number");
    check("uncertain = 1;", "uncertain was given what is neither true nor false");
    check("state = 5;", "state was replaced");
    check("state.name = \"a\";", "state.name is no number and no flag");
    check("state.far = 1e999;", "state.far is inf");
    let cells: String = (0..=CELLS_MAX).map(|cell| format!("state.c{cell} = 1; ")).collect();
    check(&cells, "");
    check(&format!("state.{} = 1;", "n".repeat(CELL_NAME_BYTES_MAX + 1)), "33 bytes, 32 are kept");
    let variables: String = (0..=VARIABLES_MAX).map(|number| format!("let v{number} = 1; ")).collect();
    check(&variables, "");
}

#[test]
fn as_many_operations_as_are_allowed_are_done() {
    let script = |turns: u64| format!("let n = 0; while n < {turns} {{ n += 1; }} x = n;");
    let done = |turns: u64| opened(&script(turns)).step(0.0, warm(1.0)).is_ok();
    let most = (1..OPERATIONS_MAX).take_while(|turns| done(*turns)).last().expect("one turn at least");
    assert!((40..OPERATIONS_MAX).contains(&most), "{most} turns of a loop");
}

#[test]
fn twins_with_other_scripts_do_not_disturb_each_other() {
    let mut first = opened("state.n = (state.n ?? 0) + 1; x = state.n; alert(1, \"first\");");
    let mut second = opened("x = celsius_1; alert_high(2, \"second\");");
    for second_of_time in 0..3_u8 {
        let time = f64::from(second_of_time);
        let one = first.step(time, warm(5.0)).expect("a row");
        let other = second.step(time, warm(7.0)).expect("a row");
        assert_eq!((one.value("x"), one.alerts.len()), (Some(time + 1.0), 1));
        assert_eq!((other.value("x"), other.alerts[0].code), (Some(7.0), "script-high"));
    }
}

#[test]
fn the_declaration_says_what_the_plugin_does() {
    let declaration = Declaration::parse(Script::DECLARATION.as_bytes()).expect("a declaration");
    assert_eq!((declaration.name.as_str(), declaration.kind), ("script", Kind::HealthRule));
    assert_eq!(declaration.inputs.len(), 32);
    assert!(declaration.inputs.iter().all(|input| !input.required && input.arrival == Arrival::Hold));
    let unit = |name: &str| {
        let input = declaration.inputs.iter().find(|input| input.name == name).expect("declared");
        input.unit.as_str().to_owned()
    };
    assert_eq!(["celsius_4", "bar_1", "g_2", "number_8"].map(unit), ["Cel", "bar", "[g]", "1"]);
    assert_eq!(declaration.outputs[0].role, Role::HealthIndex);
    let alerts: Vec<_> =
        declaration.alerts.iter().map(|alert| (alert.code.as_str(), alert.priority)).collect();
    let grades = [Priority::Low, Priority::Medium, Priority::High];
    assert_eq!(
        alerts,
        ["script-low", "script-medium", "script-high"].into_iter().zip(grades).collect::<Vec<_>>()
    );
    assert_eq!((declaration.state.schema, declaration.state.reads), (1, vec![1]));
}
