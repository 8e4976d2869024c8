//! Conditions against the interpreter of the `cel` crate, doubt, and what is refused before the plant runs.

use std::collections::HashMap;

use cel::{Context, Program, Value};
use geminus_core::Quality;

use super::*;

fn compile(text: &str) -> Result<Condition, Misfit> {
    Condition::compile(text, &mut |name| ["a", "b", "flow rate"].iter().position(|point| *point == name))
}

fn readings(a: f64, b: f64) -> [Reading; 3] {
    [a, b, 7.0].map(|value| Reading { value, quality: Quality::Good, age: None })
}

#[test]
fn the_interpreter_of_the_crate_gives_the_same() {
    let texts = [
        "points.a > 1.0",
        "points.a >= 1 && points['b'] != 2.0",
        "points.a + points.b * 2.0 < 7.5 || points.a == points.b",
        "!(points.a - points.b > 0.5)",
        "points.a > 2.0 ? points.b > 0.0 : points.b < 0.0",
        "-points.a <= -1.5",
        "(points.a + points.b) * 2.0 > 6.0 && true",
        "points['flow rate'] / 2.0 > points.a && points.b < 3.0 && points.a > -1.0",
    ];
    for text in texts {
        let condition = compile(text).unwrap_or_else(|misfit| panic!("{text}: {misfit:?}"));
        let program = Program::compile(text).expect("CEL");
        for a in [-1.0, 0.0, 1.0, 1.5, 2.0, 2.5, 4.0] {
            for b in [-1.0, 0.0, 1.0, 2.0, 3.0] {
                let points = HashMap::from([("a", a), ("b", b), ("flow rate", 7.0)]);
                let mut context = Context::default();
                context.add_variable("points", points).expect("a map");
                let Ok(Value::Bool(expect)) = program.execute(&context) else { panic!("{text} {a} {b}") };
                assert_eq!(condition.holds(&readings(a, b)), Some(expect), "{text} with {a} and {b}");
            }
        }
    }
}

#[test]
fn doubt_is_told_and_one_sure_side_decides() {
    let holds = |text: &str, readings: &[Reading]| compile(text).expect("compiles").holds(readings);
    let mut stale = readings(2.0, 2.0);
    stale[0].quality = Quality::Stale;
    assert_eq!(holds("points.a > 1.0", &stale), None);
    assert_eq!(holds("points.a > 1.0 || points.b > 1.0", &stale), Some(true));
    assert_eq!(holds("points.a > 1.0 && points.b > 3.0", &stale), Some(false));
    assert_eq!(holds("points.a > 1.0 && points.b > 1.0", &stale), None);
    assert_eq!(holds("points.a > 1.0", &readings(f64::NAN, 0.0)), None);
    assert_eq!(holds("points.a / points.b > 1.0", &readings(1.0, 0.0)), None);
    assert_eq!(holds("points.a != points.a", &readings(f64::INFINITY, 0.0)), None);
    assert_eq!(holds("points.a > 1.0", &[]), None, "no picture");
}

#[test]
fn what_cannot_be_used_is_refused_with_its_place() {
    let check = |text: &str, part: &str| {
        let misfit = compile(text).expect_err(text);
        assert!(misfit.message.contains(part), "{text}: {misfit:?}");
        misfit.column
    };
    assert_eq!(check("1.0 < points.speeed", "no point \"speeed\"").map(|column| column > 6), Some(true));
    check("points.a", "gives no true or false");
    check("points.a + points.b", "gives a number");
    check("points.a * 2 > 1.0", "write 2.0");
    check("1.0 < 2.0", "reads no point");
    check("points.a >", "cannot be read");
    check("", "cannot be read");
    check("[1, 2].all(x, x > 0) && points.a > 1.0", "gives no true or false");
    check("has(points.a)", "gives no true or false");
    check("size(points) > 1", "not offered");
    check("points.a > 'x'", "neither a number nor a point");
    check(&format!("points.a > 1.0{}", " || points.a > 1.0".repeat(60)), "bytes are more than");
    check(&format!("{}points.a > 1.0{}", "(".repeat(200), ")".repeat(200)), "brackets inside");
    check(&format!("{}points.a > 1.0", "true ? false : ".repeat(30)), "or `?`");
    check(&format!("{}(points.a > 1.0)", "!".repeat(400)), "signs");
    check(&format!("points.a{} > 1.0", ".a".repeat(240)), "signs");
    let deep = format!("{}points.a > 1.0{}", "(".repeat(8), ")".repeat(8));
    assert!(compile(&deep).is_ok(), "what the limit lets through is read");
}
