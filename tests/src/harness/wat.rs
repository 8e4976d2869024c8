//! Components from hand-written WebAssembly text, for what no compiler would make: `tests/guests/probe.wat` and what
//! a scenario puts into it.

use std::fs;

use anyhow::Context as _;
use wit_component::{ComponentEncoder, StringEncoding};
use wit_parser::Resolve;

use super::place::repository;

/// The contract that this version of the host speaks.
const CONTRACT: &str = "0.1.0";

/// The text of `probe.wat` as a behavior of this contract with state schema 1, and `more` definitions at its end.
///
/// # Errors
/// When the file is missing.
pub fn probe(more: &str) -> anyhow::Result<String> {
    let text = fs::read_to_string(repository().join("tests/guests/probe.wat"))?;
    let text = text.replace("{{schema}}", "1").replace("{{import}}", "");
    let open = text.trim_end().strip_suffix(')').context("probe.wat ends with a parenthesis")?;
    Ok(format!("{open}\n{more})"))
}

/// A component of a module's text, in which `{{contract}}` stands for the contract's version. `contract` is the
/// version that it is built for; `imports` are interfaces besides the contract's, with the text of their packages.
///
/// # Errors
/// When the text is no module or does not fit the contract.
pub fn component(text: &str, contract: &str, imports: &[(&str, &str)]) -> anyhow::Result<Vec<u8>> {
    let mut module = wat::parse_str(text.replace("{{contract}}", contract))?;
    let mut resolve = Resolve::default();
    let wit = fs::read_to_string(repository().join("wit/next/behavior.wit"))?;
    resolve.push_str("behavior.wit", &wit.replace(&format!("@{CONTRACT}"), &format!("@{contract}")))?;
    let mut world = format!("package test:guest; world guest {{ include geminus:behavior/plugin@{contract};");
    for (interface, package) in imports {
        resolve.push_str("import.wit", package)?;
        world.push_str(&format!(" import {interface};"));
    }
    let package = resolve.push_str("guest.wit", &format!("{world} }}"))?;
    let world = resolve.select_world(&[package], Some("guest"))?;
    wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)?;
    ComponentEncoder::default().module(&module)?.validate(true).encode()
}
