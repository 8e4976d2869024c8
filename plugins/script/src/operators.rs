//! Operators of the language. They differ from Rhai's own in three ways: a division of whole numbers gives its fraction, a result
//! that is no finite number is an error where it arises, and a missing input is neither above nor below anything.

use geminus_sdk::math;
use rhai::{Engine, EvalAltResult, ImmutableString};

use crate::language::{Effort, REMAINDER_COST, TEXT_COST};

/// What a function of the language gives.
pub(crate) type Answer<T = f64> = Result<T, Box<EvalAltResult>>;

/// `result`, unless that is no finite number.
pub(crate) fn finite(result: f64, what: impl FnOnce() -> String) -> Answer {
    match result.is_finite() {
        true => Ok(result),
        false => Err(format!("{} is no number (zero divided by, too large, or no root)", what()).into()),
    }
}

/// A number as texts have it: the shortest that is this number.
pub(crate) fn text(number: f64) -> String {
    format!("{number:?}")
}

fn calculate(effort: &Effort, a: f64, operator: char, b: f64) -> Answer {
    if operator == '%' {
        effort.add(REMAINDER_COST);
    }
    let result = match operator {
        '+' => a + b,
        '-' => a - b,
        '*' => a * b,
        '/' => a / b,
        _ => math::fmod(a, b),
    };
    finite(result, || format!("{} {operator} {}", text(a), text(b)))
}

/// Registers all of them.
pub(crate) fn register(engine: &mut Engine, effort: &Effort) {
    let effort = || effort.clone();
    for (name, operator) in [("+", '+'), ("-", '-'), ("*", '*'), ("/", '/'), ("%", '%')] {
        let calculate = |effort: Effort| move |a: f64, b: f64| calculate(&effort, a, operator, b);
        let (both, second, first) = (calculate(effort()), calculate(effort()), calculate(effort()));
        engine.register_fn(name, both);
        engine.register_fn(name, move |a: f64, b: i64| second(a, b as f64));
        engine.register_fn(name, move |a: i64, b: f64| first(a as f64, b));
    }
    let divided = effort();
    engine.register_fn("/", move |a: i64, b: i64| calculate(&divided, a as f64, '/', b as f64));
    engine.register_fn("-", |a: f64| -a);
    engine.register_fn("-", |a: i64| -> Answer<i64> {
        a.checked_neg().ok_or_else(|| format!("-({a}) is too large a whole number").into())
    });
    engine.register_fn("+", |a: f64| a);
    engine.register_fn("+", |a: i64| a);
    engine.register_fn("!", |a: bool| !a);
    for (name, operator) in [("+=", '+'), ("-=", '-'), ("*=", '*')] {
        let assign = |effort: Effort| {
            move |a: &mut f64, b: f64| calculate(&effort, *a, operator, b).map(|result| *a = result)
        };
        let (number, whole) = (assign(effort()), assign(effort()));
        engine.register_fn(name, number);
        engine.register_fn(name, move |a: &mut f64, b: i64| whole(a, b as f64));
    }
    let texted = |effort: Effort| {
        move |number: f64| {
            effort.add(TEXT_COST);
            text(number)
        }
    };
    let (joined, shown) = (texted(effort()), texted(effort()));
    engine.register_fn("+", move |a: ImmutableString, b: f64| format!("{a}{}", joined(b)));
    engine.register_fn("+", |a: ImmutableString, b: i64| format!("{a}{b}"));
    engine.register_fn("+", |a: ImmutableString, b: bool| format!("{a}{b}"));
    engine.register_fn("to_string", shown);
    for name in ["<", "<=", ">", ">="] {
        engine.register_fn(name, |(): (), (): ()| missing());
        engine.register_fn(name, |(): (), _: f64| missing());
        engine.register_fn(name, |(): (), _: i64| missing());
        engine.register_fn(name, |_: f64, (): ()| missing());
        engine.register_fn(name, |_: i64, (): ()| missing());
    }
}

fn missing() -> Answer<bool> {
    Err(MISSING.into())
}

/// What to do about an input that is not there.
pub(crate) const MISSING: &str = "an input has no value in this row: ask first, as in if celsius_1 == () { return; }, or give a value for it, \
     as in celsius_1 ?? 20.0";
