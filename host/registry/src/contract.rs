//! Whether a component is what its stamp and its declaration say: holds the names at its border, which no toolchain can
//! leave out, against both. Types behind the names are held by the compiler; what code does beyond its declaration is
//! a fault at run time. Called by `Package::check`, before anything is compiled.

use geminus_core::declaration::{CONTRACT, Stamp};
use geminus_core::{Declaration, unit, wasi};

use crate::sections::Outline;

/// The interface that a component must export.
const BEHAVIOR: &str = "geminus:behavior/behavior";
/// The interface of look-ups.
const LOOKUPS: &str = "geminus:behavior/lookups";
/// Interfaces that a component may import: types, which carry no function, and the two capabilities. Besides, what a
/// language's runtime wants of WASI ([`wasi::interface`]).
const IMPORTS: [&str; 3] = ["geminus:behavior/types", "geminus:behavior/log", LOOKUPS];
/// Most entries of one list of a declaration (inputs, outputs, alerts, commands, look-ups, schemas).
pub(crate) const ENTRIES_MAX: usize = 1_000;
/// Longest name of a plugin: it becomes a file name and a part of each label.
pub(crate) const NAME_BYTES_MAX: usize = 64;

/// A component that is not what it says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContractError {
    /// Built for another contract.
    #[error("built for contract {theirs}, this host speaks {CONTRACT}: rebuild it with this version's SDK")]
    Version {
        /// What the stamp says.
        theirs: String,
    },
    /// The stamp names one version, the code another.
    #[error(
        "the stamp says contract {stamped}, but the component has {name}: the stamp is not its own, rebuild it"
    )]
    Forged {
        /// What the stamp says.
        stamped: String,
        /// The import or export of another version.
        name: String,
    },
    /// Asks for what no behavior may have.
    #[error(
        "the component imports {0}, which a behavior may not: only log and lookups of geminus:behavior, and of WASI what \
         a language's runtime needs"
    )]
    Import(String),
    /// Is no behavior.
    #[error("the component exports no {BEHAVIOR}")]
    NoBehavior,
    /// Takes what it does not declare.
    #[error("the component imports {LOOKUPS}, but its declaration names no look-up: declare what it reads")]
    LookupsNotDeclared,
    /// Declares what it cannot do.
    #[error(
        "look-up {0} is declared, but the component does not import {LOOKUPS}: take it out of the declaration"
    )]
    LookupsNotImported(String),
    /// A declaration that nobody could hold.
    #[error("the declaration cannot be held: {0}")]
    Declaration(String),
}

/// Any change of shape is a breaking change, so below 1.0 only the same minor version fits.
///
/// # Errors
/// [`ContractError::Version`].
pub(crate) fn fits(stamp: &Stamp) -> Result<(), ContractError> {
    let fits = match (semver::Version::parse(&stamp.contract), semver::Version::parse(CONTRACT)) {
        (Ok(theirs), Ok(ours)) => theirs.major == ours.major && theirs.minor == ours.minor,
        _ => false,
    };
    if fits { Ok(()) } else { Err(ContractError::Version { theirs: stamp.contract.clone() }) }
}

/// Holds the border of a component against its stamp and its declaration.
///
/// # Errors
/// The first rule that is broken.
pub(crate) fn hold(
    outline: &Outline<'_>,
    stamp: &Stamp,
    declaration: &Declaration,
) -> Result<(), ContractError> {
    for import in outline.imports.iter().filter(|import| wasi::interface(import).is_none()) {
        let (interface, version) = import.split_once('@').unwrap_or((import, ""));
        if !IMPORTS.contains(&interface) {
            return Err(ContractError::Import((*import).to_owned()));
        }
        same_version(stamp, import, version)?;
    }
    let mut behavior = None;
    for export in &outline.exports {
        let (interface, version) = export.split_once('@').unwrap_or((export, ""));
        if interface == BEHAVIOR {
            same_version(stamp, export, version)?;
            behavior = Some(export);
        }
    }
    behavior.ok_or(ContractError::NoBehavior)?;
    let imported = outline.imports.iter().any(|import| import.split('@').next() == Some(LOOKUPS));
    match (imported, declaration.lookups.first()) {
        (true, None) => return Err(ContractError::LookupsNotDeclared),
        (false, Some(declared)) => return Err(ContractError::LookupsNotImported(declared.name.clone())),
        _ => {}
    }
    sensible(declaration).map_err(ContractError::Declaration)
}

fn same_version(stamp: &Stamp, name: &str, version: &str) -> Result<(), ContractError> {
    match version == stamp.contract {
        true => Ok(()),
        false => Err(ContractError::Forged { stamped: stamp.contract.clone(), name: name.to_owned() }),
    }
}

/// What the declaration's own check leaves open: sizes, units and ranges.
fn sensible(declaration: &Declaration) -> Result<(), String> {
    if declaration.name.len() > NAME_BYTES_MAX {
        return Err(format!("its name has {} bytes, {NAME_BYTES_MAX} may be", declaration.name.len()));
    }
    let lists = [
        ("inputs", declaration.inputs.len()),
        ("outputs", declaration.outputs.len()),
        ("alerts", declaration.alerts.len()),
        ("commands", declaration.commands.len()),
        ("look-ups", declaration.lookups.len()),
        ("state schemas", declaration.state.reads.len() + declaration.state.writes.len()),
    ];
    if let Some((what, count)) = lists.into_iter().find(|(_, count)| *count > ENTRIES_MAX) {
        return Err(format!("it has {count} {what}, {ENTRIES_MAX} may be"));
    }
    let inputs = declaration.inputs.iter().map(|input| ("input", &input.name, &input.unit));
    let outputs = declaration.outputs.iter().map(|output| ("output", &output.name, &output.unit));
    let alerts = declaration.alerts.iter().map(|alert| ("alert", &alert.code, &alert.unit));
    let commands = declaration.commands.iter().map(|command| ("command", &command.name, &command.unit));
    let lookups = declaration.lookups.iter().map(|lookup| ("look-up", &lookup.name, &lookup.unit));
    for (what, name, code) in inputs.chain(outputs).chain(alerts).chain(commands).chain(lookups) {
        unit::parse(code).map_err(|error| format!("{what} {name}: {error}"))?;
    }
    match declaration.commands.iter().find(|command| command.minimum > command.maximum) {
        Some(command) => Err(format!(
            "command {} has its minimum {} above its maximum {}",
            command.name, command.minimum, command.maximum
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outline<'a>(imports: &[&'a str], exports: &[&'a str]) -> Outline<'a> {
        Outline::of_names(imports, exports)
    }

    fn declaration(change: impl Fn(&mut serde_json::Value)) -> Declaration {
        let mut json = serde_json::json!({
            "declaration": 1, "name": "probe", "version": "1.0.0", "kind": "command-policy",
            "inputs": [{"name": "i", "unit": "Cel"}], "outputs": [{"name": "o", "unit": "1"}],
            "commands": [{"name": "c", "unit": "/min", "minimum": 0.0, "maximum": 1.0}],
            "state": {"schema": 0, "reads": [], "writes": []}
        });
        change(&mut json);
        Declaration::parse(json.to_string().as_bytes()).expect("valid")
    }

    fn stamp(contract: &str) -> Stamp {
        Stamp { contract: contract.into(), sdk: "none".into(), toolchain: "unknown".into() }
    }

    fn looks_up(json: &mut serde_json::Value) {
        json["lookups"] = serde_json::json!([{"name": "past", "kind": "history", "unit": "Cel"}]);
    }

    #[test]
    fn the_stamp_must_be_of_this_contract() {
        for (contract, good) in [
            ("0.1.0", true),
            ("0.1.9", true),
            ("0.2.0", false),
            ("1.1.0", false),
            ("", false),
            ("0.1", false),
        ] {
            assert_eq!(fits(&stamp(contract)).is_ok(), good, "{contract:?}");
        }
    }

    #[test]
    fn the_border_must_be_what_stamp_and_declaration_say() {
        let check = |imports: &[&str], exports: &[&str], looks: bool, says: &str| {
            let declared = declaration(|json| {
                if looks {
                    looks_up(json)
                }
            });
            match hold(&outline(imports, exports), &stamp("0.1.0"), &declared) {
                Ok(()) => assert_eq!(says, "", "{imports:?} {exports:?}"),
                Err(error) => {
                    assert!(!says.is_empty() && error.to_string().contains(says), "{error}, not {says:?}")
                }
            }
        };
        let behavior = "geminus:behavior/behavior@0.1.0";
        let (log, lookups) = ("geminus:behavior/log@0.1.0", "geminus:behavior/lookups@0.1.0");
        check(&[], &[behavior], false, "");
        check(&["geminus:behavior/types@0.1.0", log], &[behavior, "other"], false, "");
        check(&[log, lookups], &[behavior], true, "");
        check(&["wasi:clocks/wall-clock@0.2.9", log], &[behavior], false, "");
        check(&["wasi:clocks/wall-clock@0.3.0"], &[behavior], false, "imports wasi:clocks/wall-clock@0.3.0");
        check(&[], &[], false, "exports no geminus:behavior/behavior");
        check(&[], &["behavior"], false, "exports no geminus:behavior/behavior");
        check(&[], &["geminus:behavior/behavior@0.2.0"], false, "the stamp says contract 0.1.0, but");
        check(&[], &["geminus:behavior/behavior"], false, "the stamp is not its own");
        check(&["geminus:behavior/log@0.2.0"], &[behavior], false, "has geminus:behavior/log@0.2.0");
        check(
            &["wasi:http/outgoing-handler@0.2.0"],
            &[behavior],
            false,
            "imports wasi:http/outgoing-handler@0.2.0, which",
        );
        check(&["log"], &[behavior], false, "imports log, which a behavior may not");
        check(&[lookups], &[behavior], false, "names no look-up");
        check(&[log], &[behavior], true, "look-up past is declared, but");
    }

    #[test]
    fn a_declaration_that_nobody_could_hold_is_refused() {
        let check = |change: &dyn Fn(&mut serde_json::Value), says: &str| {
            let error = sensible(&declaration(change)).expect_err(says);
            assert!(error.contains(says), "{error}");
        };
        assert_eq!(sensible(&declaration(|_| ())), Ok(()));
        check(&|j| j["name"] = "a".repeat(65).into(), "65 bytes, 64 may be");
        check(&|j| j["inputs"][0]["unit"] = "celsius".into(), "input i: ");
        check(&|j| j["outputs"][0]["unit"] = "".into(), "output o: ");
        check(&|j| j["commands"][0]["minimum"] = 2.0.into(), "minimum 2 above its maximum 1");
        let many = |j: &mut serde_json::Value| {
            let outputs = (0..1_001).map(|k| serde_json::json!({"name": format!("o{k}"), "unit": "1"}));
            j["outputs"] = outputs.collect();
        };
        check(&many, "1001 outputs, 1000 may be");
    }
}
