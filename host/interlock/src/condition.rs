//! Conditions over points: CEL, read by the `cel` crate, kept as a small tree that always ends.
//!
//! Allowed are numbers, `points.name`, `points['name']`, `+ - * /`, comparisons, `&& || !`, `? :` and brackets. There
//! are no calls, macros, lists or strings, so that evaluation costs one step a node and a wrong name is found before
//! the plant runs. The meaning is that of CEL, except that doubt is wider: a point that is not usable and any number
//! that is not finite make what depends on them unknown. As in CEL, `&&` and `||` still decide when one side suffices.

use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue, SourceInfo, operators as op};
use cel::parser::Parser;

use crate::Reading;

/// Longest text of a condition in bytes.
pub(crate) const CONDITION_BYTES_MAX: usize = 512;
/// Deepest nesting of a condition.
const DEPTH_MAX: u16 = 32;
/// Most open brackets, and most `?`, of a condition.
const NESTED_MAX: usize = 8;
/// Most signs and dots of a condition: the parser goes one level deeper with each of a chain.
const SIGNS_MAX: usize = 48;

/// A compiled condition.
#[derive(Clone, Debug)]
pub(crate) struct Condition {
    pub(crate) text: String,
    test: Test,
    /// Places of the points that it reads, each once.
    pub(crate) reads: Vec<usize>,
}

#[derive(Clone, Debug)]
enum Test {
    Known(bool),
    Compare(Order, Number, Number),
    Not(Box<Test>),
    All(Vec<Test>),
    Any(Vec<Test>),
    Either(Box<[Test; 3]>),
}

#[derive(Clone, Copy, Debug)]
enum Order {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
}

#[derive(Clone, Debug)]
enum Number {
    Known(f64),
    Point(usize),
    Minus(Box<Number>),
    Of(Arithmetic, Box<[Number; 2]>),
}

#[derive(Clone, Copy, Debug)]
enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
}

/// Why a condition cannot be used, and at which character of its text, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Misfit {
    pub(crate) column: Option<usize>,
    pub(crate) message: String,
}

impl Condition {
    /// `place` gives the place of a point in the picture, `None` when the twin has no such point.
    pub(crate) fn compile(text: &str, place: &mut dyn FnMut(&str) -> Option<usize>) -> Result<Self, Misfit> {
        let misfit = |message: String| Misfit { column: None, message };
        if text.len() > CONDITION_BYTES_MAX {
            let message = format!("{} bytes are more than {CONDITION_BYTES_MAX}: split it", text.len());
            return Err(misfit(message));
        }
        // The parser notices its own limit too late: what is deep or long overflows its stack.
        let signs = text.chars().filter(|letter| ".!-+*/%<>=&|?".contains(*letter)).count();
        if nested(text) > NESTED_MAX || signs > SIGNS_MAX {
            let message = format!(
                "has more than {NESTED_MAX} brackets inside each other or `?`, or {SIGNS_MAX} signs: split it"
            );
            return Err(misfit(message));
        }
        let (root, source) =
            Parser::new().max_recursion_depth(DEPTH_MAX).parse_with_source_info(text).map_err(|errors| {
                let lines = errors.to_string();
                misfit(format!("cannot be read as CEL: {}", lines.lines().next().unwrap_or_default()))
            })?;
        let mut compiler = Compiler { source: &source, place, reads: Vec::new() };
        let test = compiler.test(&root)?;
        let reads = compiler.reads;
        if reads.is_empty() {
            return Err(misfit("reads no point: name one, as in points.speed > 100.0".to_owned()));
        }
        Ok(Self { text: text.to_owned(), test, reads })
    }

    /// Whether it holds; `None` in doubt.
    pub(crate) fn holds(&self, readings: &[Reading]) -> Option<bool> {
        self.test.holds(readings)
    }
}

impl Test {
    fn holds(&self, readings: &[Reading]) -> Option<bool> {
        match self {
            Self::Known(known) => Some(*known),
            Self::Compare(order, left, right) => {
                let (left, right) = (left.value(readings)?, right.value(readings)?);
                Some(match order {
                    Order::Less => left < right,
                    Order::LessOrEqual => left <= right,
                    Order::Greater => left > right,
                    Order::GreaterOrEqual => left >= right,
                    Order::Equal => left == right,
                    Order::NotEqual => left != right,
                })
            }
            Self::Not(test) => test.holds(readings).map(|held| !held),
            Self::All(tests) => decided_by(false, tests, readings),
            Self::Any(tests) => decided_by(true, tests, readings),
            Self::Either(parts) => {
                let [condition, then, otherwise] = &**parts;
                if condition.holds(readings)? { then.holds(readings) } else { otherwise.holds(readings) }
            }
        }
    }
}

/// One part that is `decisive` decides, whatever the others are; otherwise one doubt makes all doubtful.
fn decided_by(decisive: bool, tests: &[Test], readings: &[Reading]) -> Option<bool> {
    let mut doubt = false;
    for test in tests {
        match test.holds(readings) {
            Some(held) if held == decisive => return Some(decisive),
            Some(_) => {}
            None => doubt = true,
        }
    }
    (!doubt).then_some(!decisive)
}

impl Number {
    fn value(&self, readings: &[Reading]) -> Option<f64> {
        let value = match self {
            Self::Known(value) => *value,
            Self::Point(place) => readings.get(*place)?.usable()?,
            Self::Minus(number) => -number.value(readings)?,
            Self::Of(arithmetic, parts) => {
                let [left, right] = &**parts;
                let (left, right) = (left.value(readings)?, right.value(readings)?);
                match arithmetic {
                    Arithmetic::Add => left + right,
                    Arithmetic::Subtract => left - right,
                    Arithmetic::Multiply => left * right,
                    Arithmetic::Divide => left / right,
                }
            }
        };
        value.is_finite().then_some(value)
    }
}

/// How deep the parser could have to go: open brackets and the chain of `? :`, strings counted as if they were none.
fn nested(text: &str) -> usize {
    let (mut open, mut deepest) = (0_usize, 0);
    for letter in text.chars() {
        match letter {
            '(' | '[' | '{' => open += 1,
            ')' | ']' | '}' => open = open.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(open);
    }
    deepest.max(text.matches('?').count())
}

struct Compiler<'a> {
    source: &'a SourceInfo,
    place: &'a mut dyn FnMut(&str) -> Option<usize>,
    reads: Vec<usize>,
}

impl Compiler<'_> {
    fn misfit<T>(&self, at: &IdedExpr, message: impl Into<String>) -> Result<T, Misfit> {
        let column = self.source.offset_for(at.id).and_then(|(start, _)| usize::try_from(start).ok());
        Err(Misfit { column: column.map(|start| start + 1), message: message.into() })
    }

    fn test(&mut self, at: &IdedExpr) -> Result<Test, Misfit> {
        match &at.expr {
            Expr::Literal(LiteralValue::Boolean(known)) => Ok(Test::Known(*known.inner())),
            Expr::Call(call) if call.target.is_none() => self.test_of(at, call),
            _ => self.misfit(at, "gives no true or false: compare numbers, as in points.speed > 100.0"),
        }
    }

    fn test_of(&mut self, at: &IdedExpr, call: &CallExpr) -> Result<Test, Misfit> {
        let order = match call.func_name.as_str() {
            op::LESS => Order::Less,
            op::LESS_EQUALS => Order::LessOrEqual,
            op::GREATER => Order::Greater,
            op::GREATER_EQUALS => Order::GreaterOrEqual,
            op::EQUALS => Order::Equal,
            op::NOT_EQUALS => Order::NotEqual,
            other => return self.logic(at, other, &call.args),
        };
        match call.args.as_slice() {
            [left, right] => Ok(Test::Compare(order, self.side(left)?, self.side(right)?)),
            _ => self.misfit(at, "a comparison has two sides"),
        }
    }

    fn logic(&mut self, at: &IdedExpr, name: &str, args: &[IdedExpr]) -> Result<Test, Misfit> {
        match (name, args) {
            (op::LOGICAL_AND, _) => Ok(Test::All(self.tests(args)?)),
            (op::LOGICAL_OR, _) => Ok(Test::Any(self.tests(args)?)),
            (op::LOGICAL_NOT, [part]) => Ok(Test::Not(Box::new(self.test(part)?))),
            (op::CONDITIONAL, [condition, then, otherwise]) => {
                let parts = [self.test(condition)?, self.test(then)?, self.test(otherwise)?];
                Ok(Test::Either(Box::new(parts)))
            }
            (op::ADD | op::SUBSTRACT | op::MULTIPLY | op::DIVIDE | op::NEGATE | op::INDEX, _) => {
                self.misfit(at, "gives a number, not true or false: compare it with something")
            }
            _ => self.misfit(at, format!("{name} is not offered in conditions")),
        }
    }

    fn tests(&mut self, parts: &[IdedExpr]) -> Result<Vec<Test>, Misfit> {
        parts.iter().map(|part| self.test(part)).collect()
    }

    /// A side of a comparison: here, as in CEL, a whole number may stand for itself.
    fn side(&mut self, at: &IdedExpr) -> Result<Number, Misfit> {
        match &at.expr {
            Expr::Literal(LiteralValue::Int(whole)) => Ok(Number::Known(*whole.inner() as f64)),
            _ => self.number(at),
        }
    }

    fn number(&mut self, at: &IdedExpr) -> Result<Number, Misfit> {
        match &at.expr {
            Expr::Literal(LiteralValue::Double(value)) => Ok(Number::Known(*value.inner())),
            Expr::Literal(LiteralValue::Int(whole)) => {
                let whole = *whole.inner();
                self.misfit(at, format!("{whole} is a whole number, and points are not: write {whole}.0"))
            }
            Expr::Select(select) if !select.test && is_points(&select.operand) => {
                self.point(at, &select.field)
            }
            Expr::Call(call) if call.target.is_none() => self.number_of(at, call),
            _ => self.misfit(at, "is neither a number nor a point, as in points.speed or points['speed']"),
        }
    }

    fn number_of(&mut self, at: &IdedExpr, call: &CallExpr) -> Result<Number, Misfit> {
        let arithmetic = match (call.func_name.as_str(), call.args.as_slice()) {
            (op::INDEX, [points, name]) if is_points(points) => match &name.expr {
                Expr::Literal(LiteralValue::String(name)) => return self.point(at, name.inner()),
                _ => return self.misfit(at, "points[…] needs the name of a point in quotes"),
            },
            (op::NEGATE, [part]) => return Ok(Number::Minus(Box::new(self.number(part)?))),
            (op::ADD, _) => Arithmetic::Add,
            (op::SUBSTRACT, _) => Arithmetic::Subtract,
            (op::MULTIPLY, _) => Arithmetic::Multiply,
            (op::DIVIDE, _) => Arithmetic::Divide,
            (other, _) => return self.misfit(at, format!("{other} is not offered in conditions")),
        };
        match call.args.as_slice() {
            [left, right] => Ok(Number::Of(arithmetic, Box::new([self.number(left)?, self.number(right)?]))),
            _ => self.misfit(at, "arithmetic has two sides"),
        }
    }

    fn point(&mut self, at: &IdedExpr, name: &str) -> Result<Number, Misfit> {
        let Some(place) = (self.place)(name) else {
            return self.misfit(at, format!("the twin has no point \"{name}\""));
        };
        if !self.reads.contains(&place) {
            self.reads.push(place);
        }
        Ok(Number::Point(place))
    }
}

fn is_points(at: &IdedExpr) -> bool {
    matches!(&at.expr, Expr::Ident(name) if name == "points")
}

#[cfg(test)]
mod tests;
