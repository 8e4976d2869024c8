//! What a script may say, and how much of it. One engine serves every twin of an instance: it holds no script and no state.
//!
//! Kept away from it: time, randomness, files, modules, functions of its own (so it cannot recurse), lists, evaluation of
//! texts, printing, and every elementary function that is not the SDK's, whose bits are the same natively and in wasm.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use geminus_sdk::math;
use rhai::{AST, Dynamic, Engine, EvalAltResult, ImmutableString, OptimizationLevel, Scope};

use crate::Alarm;
use crate::memory::CELLS_MAX;
use crate::operators::{self, Answer, MISSING, finite, text};
use crate::program::is_given;

/// Most operations in a row: about one for each name, number, operator, call and statement, and besides what a function costs.
pub const OPERATIONS_MAX: u64 = 500;
/// What an elementary function costs besides, in operations.
const FUNCTION_COST: u64 = 5;
/// What a remainder costs: it is found bit by bit, which for numbers far apart takes long.
pub(crate) const REMAINDER_COST: u64 = 20;
/// What a number costs that is made a text.
pub(crate) const TEXT_COST: u64 = 25;
/// Deepest nesting of expressions and blocks.
pub const EXPRESSION_DEPTH_MAX: usize = 24;
/// Most variables at a time, those that are given included.
pub const VARIABLES_MAX: usize = 64;
/// Longest text, in bytes.
pub const TEXT_BYTES_MAX: usize = 256;
/// Most digits after the point in a text.
const DIGITS_MAX: i64 = 9;

const HASHING_SEED: [u64; 4] = [1, 2, 3, 4];

/// Symbols that the parser refuses: powers whose bits depend on the platform, bits, evaluation of texts, pointers to functions,
/// output that nobody reads, and `/=` and `%=`, which on a whole number would keep it whole.
const DISABLED: [&str; 20] = [
    "**", "**=", "<<", ">>", "<<=", ">>=", "&", "|", "^", "&=", "|=", "^=", "/=", "%=", "eval", "Fn", "call",
    "curry", "print", "debug",
];

/// An alert that the script raised.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Raised {
    pub(crate) alarm: Alarm,
    pub(crate) value: f64,
    pub(crate) text: String,
}

/// What functions of the row have cost so far, in operations.
#[derive(Clone, Debug, Default)]
pub(crate) struct Effort(Rc<Cell<u64>>);

impl Effort {
    pub(crate) fn add(&self, cost: u64) {
        self.0.set(self.0.get().saturating_add(cost));
    }
}

/// The engine, where its alerts arrive, and what the row has cost.
#[derive(Debug)]
pub(crate) struct Language {
    pub(crate) engine: Engine,
    raised: Rc<RefCell<Vec<Raised>>>,
    effort: Effort,
}

impl Language {
    pub(crate) fn new() -> Self {
        let (raised, effort) = (Rc::new(RefCell::new(Vec::new())), Effort::default());
        // Hashes decide nothing that a script could see, but the same work shall cost the same in every build. A second engine
        // of the process finds them set.
        if rhai::config::hashing::get_hashing_seed().is_none() {
            rhai::config::hashing::set_hashing_seed(Some(HASHING_SEED)).ok();
        }
        let mut engine = Engine::new_raw();
        engine.set_optimization_level(OptimizationLevel::None);
        // The operators are ours, also where Rhai has its own.
        engine.set_fast_operators(false);
        engine.set_strict_variables(true);
        engine.set_allow_shadowing(false);
        engine.set_max_operations(OPERATIONS_MAX);
        engine.set_max_expr_depths(EXPRESSION_DEPTH_MAX);
        engine.set_max_variables(VARIABLES_MAX);
        engine.set_max_string_size(TEXT_BYTES_MAX);
        engine.set_max_map_size(CELLS_MAX);
        forbid_given_names(&mut engine);
        for symbol in DISABLED {
            engine.disable_symbol(symbol);
        }
        operators::register(&mut engine, &effort);
        functions(&mut engine, &effort);
        alerts(&mut engine, &raised);
        let spent = effort.clone();
        let too_much = move |done: u64| done.saturating_add(spent.0.get()) > OPERATIONS_MAX;
        engine.on_progress(move |done| too_much(done).then_some(Dynamic::UNIT));
        Self { engine, raised, effort }
    }

    /// Runs a program with these variables; gives the alerts that it raised.
    pub(crate) fn run(&self, scope: &mut Scope<'_>, ast: &AST) -> Result<Vec<Raised>, Box<EvalAltResult>> {
        self.raised.borrow_mut().clear();
        self.effort.0.set(0);
        self.engine.run_ast_with_scope(scope, ast)?;
        Ok(self.raised.take())
    }
}

/// A variable of a given name would hide what is given, and an output assigned to it would be lost.
#[expect(deprecated, reason = "marked so by Rhai because its shape may change, not because it goes away")]
fn forbid_given_names(engine: &mut Engine) {
    engine.on_def_var(|running, variable, _| Ok(running || !is_given(variable.name())));
}

/// A number, whether whole or not.
fn number(value: &Dynamic) -> Answer {
    match (value.as_float(), value.as_int()) {
        (Ok(number), _) => Ok(number),
        (_, Ok(number)) => Ok(number as f64),
        _ if value.is_unit() => Err(MISSING.into()),
        _ => Err(format!("a number is needed, this is {}", value.type_name()).into()),
    }
}

fn functions(engine: &mut Engine, effort: &Effort) {
    type One = (&'static str, fn(f64) -> f64);
    const ONES: [One; 15] = [
        ("abs", math::abs),
        ("sqrt", math::sqrt),
        ("exp", math::exp),
        ("ln", math::ln),
        ("log10", math::log10),
        ("sin", math::sin),
        ("cos", math::cos),
        ("tan", math::tan),
        ("asin", math::asin),
        ("acos", math::acos),
        ("atan", math::atan),
        ("tanh", math::tanh),
        ("floor", math::floor),
        ("ceil", math::ceil),
        ("round", math::round),
    ];
    type Two = (&'static str, fn(f64, f64) -> f64);
    const TWOS: [Two; 4] = [("min", f64::min), ("max", f64::max), ("pow", math::pow), ("atan2", math::atan2)];
    for (name, function) in ONES {
        let effort = effort.clone();
        engine.register_fn(name, move |x: Dynamic| -> Answer {
            effort.add(FUNCTION_COST);
            let x = number(&x)?;
            finite(function(x), || format!("{name}({})", text(x)))
        });
    }
    for (name, function) in TWOS {
        let effort = effort.clone();
        engine.register_fn(name, move |a: Dynamic, b: Dynamic| -> Answer {
            effort.add(FUNCTION_COST);
            let (a, b) = (number(&a)?, number(&b)?);
            finite(function(a, b), || format!("{name}({}, {})", text(a), text(b)))
        });
    }
    engine.register_fn("clamp", |x: Dynamic, low: Dynamic, high: Dynamic| -> Answer {
        let (x, low, high) = (number(&x)?, number(&low)?, number(&high)?);
        match low <= high {
            true => Ok(x.clamp(low, high)),
            false => {
                Err(format!("clamp from {} to {}: the lower bound comes first", text(low), text(high)).into())
            }
        }
    });
    let effort = effort.clone();
    engine.register_fn("text", move |x: Dynamic, digits: i64| -> Answer<String> {
        effort.add(TEXT_COST);
        let x = number(&x)?;
        match usize::try_from(digits).ok().filter(|_| digits <= DIGITS_MAX) {
            Some(digits) => Ok(format!("{x:.digits$}")),
            None => Err(format!("{digits} digits were asked for, 0 to {DIGITS_MAX} can be had").into()),
        }
    });
}

fn alerts(engine: &mut Engine, raised: &Rc<RefCell<Vec<Raised>>>) {
    let grades =
        [("alert_low", Alarm::ScriptLow), ("alert", Alarm::ScriptMedium), ("alert_high", Alarm::ScriptHigh)];
    for (name, alarm) in grades {
        let raised = Rc::clone(raised);
        engine.register_fn(name, move |value: Dynamic, text: ImmutableString| -> Answer<()> {
            let value = finite(number(&value)?, || format!("the value of {name}"))?;
            let mut raised = raised.borrow_mut();
            // One alert of a grade stands for all of them in a row, with the value of the first.
            match raised.iter_mut().find(|one| one.alarm == alarm) {
                Some(one) if one.text.len() + text.len() <= TEXT_BYTES_MAX => {
                    one.text.push_str("; ");
                    one.text.push_str(&text);
                }
                Some(_) => {}
                None => raised.push(Raised { alarm, value, text: text.to_string() }),
            }
            Ok(())
        });
    }
}
