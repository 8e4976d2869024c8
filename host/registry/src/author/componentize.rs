//! From a core module as rustc makes it to a package: a component with declaration and stamp on top.

use geminus_core::declaration::{CONTRACT, DECLARATION_SECTION, STAMP_SECTION, Stamp};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::PackageError;
use crate::sections::{put_on_top, take_out};

/// The contract that this version of the host speaks.
pub(super) const WIT: &str = include_str!("../../../../wit/next/behavior.wit");

/// Makes the component in process, without any tool. The sections leave the module and stand once, on top of
/// the component, where a reader finds them without descending.
///
/// # Errors
/// When the module is damaged, was not built with the SDK, or cannot become a component.
pub fn componentize(module: &[u8]) -> Result<Vec<u8>, PackageError> {
    let (bare, taken) = take_out(module, &[DECLARATION_SECTION, STAMP_SECTION])?;
    let [Some(declaration), Some(stamp)] = taken.as_slice() else {
        return Err(PackageError::SectionMissing(DECLARATION_SECTION));
    };
    let mut component = ComponentEncoder::default()
        .validate(true)
        .module(&bare)
        .and_then(|mut encoder| encoder.encode())
        .map_err(|error| PackageError::Malformed(format!("{error:#}")))?;
    put_on_top(&mut component, STAMP_SECTION, stamp);
    put_on_top(&mut component, DECLARATION_SECTION, declaration);
    Ok(component)
}

/// As [`componentize`], for a module that carries nothing of the SDK: written by hand, or made by a toolchain that does
/// not know it. It names the contract's imports and exports as the canonical ABI spells them; its declaration is given
/// beside it.
///
/// # Errors
/// When the module is damaged or does not fit the contract. Whether the declaration is true of it is for
/// [`Package::check`](crate::Package::check).
pub fn componentize_bare(
    module: &[u8],
    declaration: &[u8],
    toolchain: &str,
) -> Result<Vec<u8>, PackageError> {
    let malformed = |error: &dyn std::fmt::Display| PackageError::Malformed(error.to_string());
    let mut resolve = Resolve::default();
    let package = resolve.push_str("behavior.wit", WIT).map_err(|error| malformed(&format!("{error:#}")))?;
    let world =
        resolve.select_world(&[package], Some("plugin")).map_err(|error| malformed(&format!("{error:#}")))?;
    let mut module = module.to_vec();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
        .map_err(|error| malformed(&format!("{error:#}")))?;
    componentize(&stamped(module, declaration, toolchain)?)
}

/// Puts declaration and stamp on what a toolchain made that knows neither: a module, or a component that is whole already.
///
/// # Errors
/// None in practice: a stamp of three texts is always JSON.
pub(super) fn stamped(
    mut bytes: Vec<u8>,
    declaration: &[u8],
    toolchain: &str,
) -> Result<Vec<u8>, PackageError> {
    let (contract, toolchain) = (CONTRACT.to_owned(), toolchain.to_owned());
    let stamp = Stamp { contract, sdk: "none".to_owned(), toolchain };
    put_on_top(&mut bytes, STAMP_SECTION, &serde_json::to_vec(&stamp).map_err(PackageError::Stamp)?);
    put_on_top(&mut bytes, DECLARATION_SECTION, declaration);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Package;

    const BARE: &str = r#"(module
        (memory (export "memory") 1)
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
        (func (export "geminus:behavior/behavior@0.1.0#open") (param i32 i32) (result i32) unreachable)
        (func (export "geminus:behavior/behavior@0.1.0#step") (param i32 i32 i32 i32 i32 i32 i32 i32)
          (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32) unreachable)
        (func (export "geminus:behavior/behavior@0.1.0#forecast") (param i32 i32 i32 i32 i32) (result i32) unreachable)
        (func (export "geminus:behavior/behavior@0.1.0#snapshot") (param i32 i32 i32 i32) (result i32) unreachable)
        (func (export "geminus:behavior/behavior@0.1.0#restore") (param i32 i32 i32 i32 i32 i32 i32) (result i32)
          unreachable)
        (func (export "geminus:behavior/behavior@0.1.0#close") (param i32 i32)))"#;
    const DECLARATION: &str = r#"{"declaration":1,"name":"bare","version":"1.0.0","kind":"estimator",
        "outputs":[{"name":"o","unit":"1"}],"state":{"schema":0,"reads":[],"writes":[]}}"#;

    #[test]
    fn a_module_that_knows_no_sdk_becomes_a_package() {
        let module = wat::parse_str(BARE).expect("a module");
        let bytes = componentize_bare(&module, DECLARATION.as_bytes(), "by hand").expect("fits the contract");
        let package = Package::check(std::path::Path::new("bare.wasm"), bytes).expect("a package");
        assert_eq!(package.declaration.label(), "bare@1.0.0");
        assert_eq!((package.stamp.sdk.as_str(), package.stamp.toolchain.as_str()), ("none", "by hand"));
    }

    #[test]
    fn a_module_that_does_not_fit_the_contract_is_refused_by_name() {
        let text = BARE.replace("#close\"", "#closed\"");
        let module = wat::parse_str(text).expect("a module");
        let error = componentize_bare(&module, DECLARATION.as_bytes(), "by hand").expect_err("no close");
        assert!(error.to_string().contains("close"), "{error}");
    }
}
