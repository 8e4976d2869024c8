//! A look at a component's shape before the compiler sees it: what is built so that compiling it would take for ever
//! or all memory is refused by the name of the rule it breaks. Takes about as long as reading the bytes; whatever gets
//! past it is met by compiling in a process that can be ended (`Engine::for_compiling`).

use wasmparser::{CompositeInnerType, Encoding, FunctionBody, Operator, Parser, Payload, SubType};

use crate::compiled::CompileError;
use crate::limits::Limits;

/// What has been counted so far, over all modules of the component.
#[derive(Debug, Default)]
struct Shape {
    depth: u64,
    modules: u64,
    functions: u64,
    types: u64,
    items: u64,
    joins: u64,
    /// Of the module that is read: how many parameters each type has, which type each function, functions read.
    parameters: Vec<u64>,
    type_of: Vec<u32>,
    bodies: usize,
}

/// Refuses a component whose shape is beyond the limits.
pub(crate) fn check(bytes: &[u8], limits: &Limits) -> Result<(), CompileError> {
    let mut shape = Shape::default();
    for payload in Parser::new(0).parse_all(bytes) {
        shape.take(payload.map_err(invalid)?, limits)?;
    }
    Ok(())
}

impl Shape {
    fn take(&mut self, payload: Payload<'_>, limits: &Limits) -> Result<(), CompileError> {
        match payload {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => {
                self.depth += 1;
                self.modules += 1;
                within(
                    "levels of components",
                    self.depth,
                    limits.component_depth_max,
                    "component_depth_max",
                )?;
                within("modules and components", self.modules, limits.modules_max, "modules_max")
            }
            Payload::End(_) => {
                self.depth = self.depth.saturating_sub(1);
                Ok(())
            }
            Payload::Version { encoding: Encoding::Module, .. } => {
                self.parameters.clear();
                self.type_of.clear();
                self.bodies = 0;
                Ok(())
            }
            Payload::TypeSection(section) => {
                self.types(section.count(), limits)?;
                for group in section {
                    self.parameters.extend(group.map_err(invalid)?.types().map(parameters));
                }
                Ok(())
            }
            Payload::CoreTypeSection(section) => self.types(section.count(), limits),
            Payload::ComponentTypeSection(section) => self.types(section.count(), limits),
            Payload::ImportSection(section) => self.items(section.count(), limits),
            Payload::ExportSection(section) => self.items(section.count(), limits),
            Payload::InstanceSection(section) => self.items(section.count(), limits),
            Payload::DataSection(section) => self.items(section.count(), limits),
            Payload::ElementSection(section) => self.items(section.count(), limits),
            Payload::GlobalSection(section) => self.items(section.count(), limits),
            Payload::ComponentInstanceSection(section) => self.items(section.count(), limits),
            Payload::ComponentAliasSection(section) => self.items(section.count(), limits),
            Payload::ComponentCanonicalSection(section) => self.items(section.count(), limits),
            Payload::ComponentImportSection(section) => self.items(section.count(), limits),
            Payload::ComponentExportSection(section) => self.items(section.count(), limits),
            Payload::FunctionSection(section) => {
                self.functions += u64::from(section.count());
                within("functions", self.functions, limits.functions_max, "functions_max")?;
                for number in section {
                    self.type_of.push(number.map_err(invalid)?);
                }
                Ok(())
            }
            Payload::CodeSectionEntry(body) => self.function(&body, limits),
            _ => Ok(()),
        }
    }

    /// The work that one function makes grows with its size, and with its variables at each loop, since a compiler must
    /// know at its head what each of them may be.
    fn function(&mut self, body: &FunctionBody<'_>, limits: &Limits) -> Result<(), CompileError> {
        let bytes = (body.range().end - body.range().start) as u64;
        within("bytes in one function", bytes, limits.function_bytes_max, "function_bytes_max")?;
        let type_of = self.type_of.get(self.bodies).and_then(|&number| usize::try_from(number).ok());
        let mut locals = type_of.and_then(|number| self.parameters.get(number)).copied().unwrap_or(0);
        self.bodies += 1;
        for local in body.get_locals_reader().map_err(invalid)? {
            locals += u64::from(local.map_err(invalid)?.0);
        }
        within("variables in one function", locals, limits.locals_max, "locals_max")?;
        let (loops, deepest) = blocks(body)?;
        within("blocks inside each other", deepest, limits.block_depth_max, "block_depth_max")?;
        let joins = locals.saturating_mul(loops);
        within("variables × loops in one function", joins, limits.joins_max, "joins_max")?;
        self.joins = self.joins.saturating_add(joins);
        within("variables × loops in all functions", self.joins, limits.joins_in_all_max, "joins_in_all_max")
    }

    fn types(&mut self, count: u32, limits: &Limits) -> Result<(), CompileError> {
        self.types += u64::from(count);
        within("types", self.types, limits.types_max, "types_max")
    }

    fn items(&mut self, count: u32, limits: &Limits) -> Result<(), CompileError> {
        self.items += u64::from(count);
        within("imports, exports and other items", self.items, limits.items_max, "items_max")
    }
}

/// Loops of a function, and how deep its blocks lie inside each other.
fn blocks(body: &FunctionBody<'_>) -> Result<(u64, u64), CompileError> {
    let (mut loops, mut open, mut deepest) = (0_u64, 0_u64, 0_u64);
    for operator in body.get_operators_reader().map_err(invalid)? {
        let operator = operator.map_err(invalid)?;
        match operator {
            Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => {
                loops += u64::from(matches!(operator, Operator::Loop { .. }));
                open += 1;
                deepest = deepest.max(open);
            }
            Operator::End => open = open.saturating_sub(1),
            _ => {}
        }
    }
    Ok((loops, deepest))
}

fn parameters(of: &SubType) -> u64 {
    match &of.composite_type.inner {
        CompositeInnerType::Func(function) => function.params().len() as u64,
        _ => 0,
    }
}

fn within(what: &'static str, found: u64, limit: u64, rule: &'static str) -> Result<(), CompileError> {
    if found > limit {
        return Err(CompileError::Shape { what, found, limit, rule });
    }
    Ok(())
}

fn invalid(error: wasmparser::BinaryReaderError) -> CompileError {
    CompileError::Invalid(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> Limits {
        Limits {
            component_depth_max: 2,
            modules_max: 3,
            functions_max: 4,
            types_max: 5,
            items_max: 6,
            function_bytes_max: 200,
            locals_max: 10,
            block_depth_max: 5,
            joins_max: 12,
            joins_in_all_max: 20,
            ..Limits::default()
        }
    }

    fn of(text: &str) -> Result<(), CompileError> {
        check(&wat::parse_str(text).unwrap(), &small())
    }

    #[test]
    fn each_rule_is_kept_by_name() {
        let check = |text: String, rule: &str| match of(&text) {
            Ok(()) => assert_eq!(rule, "", "{text}"),
            Err(error) => {
                let said = error.to_string();
                assert!(!rule.is_empty() && said.contains(&format!("({rule})")), "{said} for {text}");
            }
        };
        let module = |inside: &str| format!("(component (core module {inside}))");
        let function = |inside: &str| module(&format!("(func {inside})"));
        let blocks = |count: usize| format!("{}{}", "(block ".repeat(count), ")".repeat(count));
        check("(component (component (core module)))".to_owned(), "");
        check("(component (component (component (core module))))".to_owned(), "component_depth_max");
        check(
            "(component (core module) (core module) (core module) (core module))".to_owned(),
            "modules_max",
        );
        check(module(&"(func)".repeat(4)), "");
        check(module(&"(func)".repeat(5)), "functions_max");
        check(
            module(
                &(0..6).map(|n| format!("(type (func (result {})))", "i32 ".repeat(n))).collect::<String>(),
            ),
            "types_max",
        );
        check(module(&"(global i32 (i32.const 0))".repeat(7)), "items_max");
        check(function(&"nop ".repeat(250)), "function_bytes_max");
        check(function(&format!("(local {})", "i32 ".repeat(10))), "");
        check(function(&format!("(local {})", "i32 ".repeat(11))), "locals_max");
        check(function(&blocks(5)), "");
        check(function(&blocks(6)), "block_depth_max");
        let loops = |count: usize| "(loop)".repeat(count);
        check(function(&format!("(local i32 i32 i32) {}", loops(4))), "");
        check(function(&format!("(local i32 i32 i32) {}", loops(5))), "joins_max");
        check(function(&format!("(param i32 i32) (local i32) {}", loops(5))), "joins_max");
        check(function(&format!("(local i32 i32 i32) {}", blocks(5))), "");
        let many = format!("(func (param i32) {})", loops(7));
        check(module(&many.repeat(2)), "");
        check(module(&many.repeat(3)), "joins_in_all_max");
        check(format!("(component (core module {many}) (core module {many}{many}))"), "joins_in_all_max");
    }

    #[test]
    fn what_is_cut_short_is_not_read_past() {
        let whole = wat::parse_str("(component (core module (func (local i32) (block))))").unwrap();
        let refused = (0..whole.len()).filter(|&length| {
            let checked = check(&whole[..length], &small());
            assert!(matches!(checked, Ok(()) | Err(CompileError::Invalid(_))), "{length}");
            checked.is_err()
        });
        // What looks whole as far as it goes is left to the compiler.
        assert!(refused.count() + 4 >= whole.len());
    }
}
