//! A script that has been parsed, and one run of it for a row. Twins with the same script share one program.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};

use geminus_sdk::{Fault, Inputs, Quality};
use rhai::{AST, Dynamic, EvalAltResult, Position, Scope};

use crate::Measured;
use crate::language::{Language, OPERATIONS_MAX, Raised};
use crate::memory::{self, Cell};
use crate::operators::{MISSING, text};
use crate::parameters::SCRIPT_BYTES_MAX;

/// Variables that a script assigns, in the order of the outputs.
const OUTPUTS: [&str; 4] = ["health", "x", "y", "z"];
const ELAPSED: &str = "elapsed";
const STATE: &str = "state";
/// Assigned `true` by a script that vouches for nothing in this row.
const UNCERTAIN: &str = "uncertain";
/// Behind an input's name: its quality, as a word.
const QUALITY: &str = "_quality";

thread_local! {
    // An instance is one thread. Neither holds anything of a twin: the engine is the language, programs follow from their texts.
    static LANGUAGE: Language = Language::new();
    static PROGRAMS: RefCell<BTreeMap<String, Weak<Program>>> = const { RefCell::new(BTreeMap::new()) };
}

/// A parsed script.
#[derive(Debug)]
pub(crate) struct Program {
    ast: AST,
    /// For each declared input what the script names of it: only that is given to it.
    reads: Vec<Read>,
}

/// What a script names of an input.
#[derive(Clone, Copy, Debug)]
struct Read {
    number: bool,
    quality: bool,
}

/// What a run gave.
#[derive(Debug)]
pub(crate) struct Given {
    /// In declared order; `None` where the script left `()`.
    pub(crate) outputs: [Option<f64>; OUTPUTS.len()],
    /// Whether the script does not vouch for them.
    pub(crate) uncertain: bool,
    pub(crate) cells: Vec<Cell>,
    pub(crate) raised: Vec<Raised>,
}

impl Program {
    /// The program of a script, parsed unless a twin has it already.
    ///
    /// # Errors
    /// `Fault::Parameter` for `script`, with line and position, when it cannot be parsed.
    pub(crate) fn parsed(script: &str) -> Result<Rc<Self>, Fault> {
        let known = PROGRAMS.with_borrow(|programs| programs.get(script).and_then(Weak::upgrade));
        if let Some(program) = known {
            return Ok(program);
        }
        let program = Rc::new(Self::new(script)?);
        PROGRAMS.with_borrow_mut(|programs| {
            programs.retain(|_, program| program.strong_count() > 0);
            programs.insert(script.to_owned(), Rc::downgrade(&program));
        });
        Ok(program)
    }

    fn new(script: &str) -> Result<Self, Fault> {
        let fault = |reason: String| Fault::parameter("script", reason);
        if script.len() > SCRIPT_BYTES_MAX {
            return Err(fault(format!(
                "it has {} bytes, at most {SCRIPT_BYTES_MAX} are taken",
                script.len()
            )));
        }
        // Every name that there may be, so that a misspelt one is found here and not in a row.
        let mut scope = Scope::new();
        for name in Measured::NAMES {
            scope.push_constant(*name, ());
            scope.push_constant(format!("{name}{QUALITY}"), "");
        }
        surroundings(&mut scope, None, &[]);
        let parsed = LANGUAGE.with(|language| language.engine.compile_with_scope(&scope, script));
        let ast = parsed.map_err(|error| fault(placed(error.position(), &error.err_type().to_string())))?;
        let read = |name: &&str| Read {
            number: script.contains(*name),
            quality: script.contains(&format!("{name}{QUALITY}")),
        };
        Ok(Self { ast, reads: Measured::NAMES.iter().map(read).collect() })
    }

    /// Runs it for a row.
    ///
    /// # Errors
    /// `Fault::Other` with line and position, and what to mend.
    pub(crate) fn run(
        &self,
        inputs: &Measured,
        elapsed: Option<f64>,
        cells: &[Cell],
    ) -> Result<Given, Fault> {
        let mut scope = Scope::new();
        for ((name, read), reading) in Measured::NAMES.iter().zip(&self.reads).zip(inputs.readings()) {
            if read.number {
                scope.push_constant_dynamic(*name, shown(reading.value()));
            }
            if read.quality {
                scope.push_constant(format!("{name}{QUALITY}"), word(reading.quality()));
            }
        }
        surroundings(&mut scope, elapsed, cells);
        let ran = LANGUAGE.with(|language| language.run(&mut scope, &self.ast));
        let raised = ran.map_err(|error| Fault::other(format!("script, {}", explained(*error))))?;
        let fault = |reason: String| Fault::other(format!("script: {reason}"));
        let mut outputs = [None; OUTPUTS.len()];
        for (output, name) in outputs.iter_mut().zip(OUTPUTS) {
            *output = assigned(name, scope.get(name)).map_err(fault)?;
        }
        let uncertain = match scope.get(UNCERTAIN).map(Dynamic::as_bool) {
            Some(Ok(uncertain)) => uncertain,
            _ => return Err(fault(format!("{UNCERTAIN} was given what is neither true nor false"))),
        };
        let cells = memory::kept(scope.get(STATE).unwrap_or(&Dynamic::UNIT)).map_err(fault)?;
        Ok(Given { outputs, uncertain, cells, raised })
    }
}

/// What a script has besides its inputs.
fn surroundings(scope: &mut Scope<'_>, elapsed: Option<f64>, cells: &[Cell]) {
    scope.push_constant_dynamic(ELAPSED, shown(elapsed));
    for name in OUTPUTS {
        scope.push(name, ());
    }
    scope.push(UNCERTAIN, false);
    scope.push(STATE, memory::shown(cells));
}

/// Whether a name is that of something given.
pub(crate) fn is_given(name: &str) -> bool {
    let input = name.strip_suffix(QUALITY).unwrap_or(name);
    OUTPUTS.contains(&name) || Measured::NAMES.contains(&input) || [ELAPSED, STATE, UNCERTAIN].contains(&name)
}

/// A quality as scripts compare it.
fn word(quality: Quality) -> &'static str {
    match quality {
        Quality::Good => "good",
        Quality::Uncertain => "uncertain",
        Quality::Bad => "bad",
        Quality::Stale => "stale",
        Quality::Missing => "missing",
    }
}

fn shown(number: Option<f64>) -> Dynamic {
    number.map_or(Dynamic::UNIT, Dynamic::from_float)
}

/// The number that a script left in an output.
fn assigned(name: &str, value: Option<&Dynamic>) -> Result<Option<f64>, String> {
    let Some(value) = value.filter(|value| !value.is_unit()) else { return Ok(None) };
    let number = match (value.as_float(), value.as_int()) {
        (Ok(number), _) => number,
        (_, Ok(number)) => number as f64,
        _ => {
            return Err(format!(
                "{name} was given what is no number ({}): assign a number or ()",
                value.type_name()
            ));
        }
    };
    match name {
        _ if !number.is_finite() => Err(format!("{name} was given {number}: assign a finite number or ()")),
        "health" if !(0.0..=1.0).contains(&number) => {
            Err(format!("health was given {}, which is not within 0 to 1: use clamp(…, 0, 1)", text(number)))
        }
        _ => Ok(Some(number)),
    }
}

/// The error of a run in words, with its place.
fn explained(error: EvalAltResult) -> String {
    let mut error = error;
    let position = error.take_position();
    let words = match &error {
        EvalAltResult::ErrorTooManyOperations(_) | EvalAltResult::ErrorTerminated(..) => {
            format!("more than {OPERATIONS_MAX} operations in a row: end the loop earlier, or do less")
        }
        EvalAltResult::ErrorFunctionNotFound(signature, _) if signature.contains("()") => {
            format!("{signature} cannot be had, {MISSING}")
        }
        EvalAltResult::ErrorFunctionNotFound(signature, _) => {
            format!("there is nothing called {signature}: the README lists what there is")
        }
        EvalAltResult::ErrorRuntime(value, _) => value.to_string(),
        other => other.to_string(),
    };
    placed(position, &words)
}

/// `line 2, position 5: undefined variable: celcius_1`
fn placed(position: Position, words: &str) -> String {
    let mut letters = words.chars();
    let words: String = letters.next().into_iter().flat_map(char::to_lowercase).chain(letters).collect();
    match (position.line(), position.position()) {
        (Some(line), Some(column)) => format!("line {line}, position {column}: {words}"),
        (Some(line), None) => format!("line {line}: {words}"),
        _ => words,
    }
}
