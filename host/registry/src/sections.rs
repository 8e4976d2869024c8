//! Custom sections of WebAssembly files: reading them, taking them out, putting them on top.

use std::borrow::Cow;

use wasm_encoder::{CustomSection, Section as _};
use wasmparser::{Encoding, Parser, Payload};

use crate::PackageError;

/// Whether a file is a component or a core module, what it names at its border, and its top-level custom sections.
#[derive(Debug)]
pub(crate) struct Outline<'a> {
    pub(crate) component: bool,
    /// Names of what the component imports.
    pub(crate) imports: Vec<&'a str>,
    /// Names of what it exports.
    pub(crate) exports: Vec<&'a str>,
    customs: Vec<(&'a str, &'a [u8])>,
}

impl<'a> Outline<'a> {
    /// Walks the whole file, so that a truncated one is found here and not by the compiler.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, PackageError> {
        let mut outline =
            Outline { component: false, imports: Vec::new(), exports: Vec::new(), customs: Vec::new() };
        let malformed = |error: wasmparser::BinaryReaderError| PackageError::Malformed(error.to_string());
        let mut depth = 0_u32;
        for payload in Parser::new(0).parse_all(bytes) {
            match payload.map_err(malformed)? {
                Payload::Version { encoding, .. } => {
                    depth += 1;
                    if depth == 1 {
                        outline.component = encoding == Encoding::Component;
                    }
                }
                Payload::CustomSection(section) if depth == 1 => {
                    outline.customs.push((section.name(), section.data()));
                }
                Payload::ComponentImportSection(section) if depth == 1 => {
                    for import in section {
                        outline.imports.push(import.map_err(malformed)?.name.name);
                    }
                }
                Payload::ComponentExportSection(section) if depth == 1 => {
                    for export in section {
                        outline.exports.push(export.map_err(malformed)?.name.name);
                    }
                }
                Payload::End(_) => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        Ok(outline)
    }

    /// A component with nothing but names at its border.
    #[cfg(test)]
    pub(crate) fn of_names(imports: &[&'a str], exports: &[&'a str]) -> Self {
        Outline { component: true, imports: imports.to_vec(), exports: exports.to_vec(), customs: Vec::new() }
    }

    /// The only top-level custom section of this name.
    pub(crate) fn custom(&self, name: &'static str) -> Result<&'a [u8], PackageError> {
        let mut found = self.customs.iter().filter(|(n, _)| *n == name);
        match (found.next(), found.next()) {
            (Some((_, data)), None) => Ok(data),
            (None, _) => Err(PackageError::SectionMissing(name)),
            (Some(_), Some(_)) => Err(PackageError::SectionTwice(name)),
        }
    }
}

/// A module without some of its custom sections, and what they held, in the order they were asked for.
pub(crate) type TakenOut = (Vec<u8>, Vec<Option<Vec<u8>>>);

/// Takes the custom sections of these names out of a core module.
pub(crate) fn take_out(module: &[u8], names: &[&str]) -> Result<TakenOut, PackageError> {
    let mut rest = module.get(..8).unwrap_or_default().to_vec();
    let mut taken: Vec<Option<Vec<u8>>> = vec![None; names.len()];
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload.map_err(|error| PackageError::Malformed(error.to_string()))?;
        if let Payload::CustomSection(section) = &payload
            && let Some(slot) = names.iter().position(|n| *n == section.name()).and_then(|i| taken.get_mut(i))
        {
            slot.get_or_insert_with(Vec::new).extend_from_slice(section.data());
        } else if let Some((id, range)) = payload.as_section() {
            let data = module.get(range).unwrap_or_default();
            wasm_encoder::RawSection { id, data }.append_to(&mut rest);
        }
    }
    Ok((rest, taken))
}

/// Appends a custom section to a module or component.
pub(crate) fn put_on_top(bytes: &mut Vec<u8>, name: &str, data: &[u8]) {
    CustomSection { name: Cow::Borrowed(name), data: Cow::Borrowed(data) }.append_to(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module_with(customs: &[(&str, &[u8])]) -> Vec<u8> {
        let mut bytes = wasm_encoder::Module::new().finish();
        for (name, data) in customs {
            put_on_top(&mut bytes, name, data);
        }
        bytes
    }

    #[test]
    fn sections_are_taken_out_and_the_rest_stays_valid() {
        let bytes = module_with(&[("keep", b"1"), ("geminus:stamp", b"{}"), ("keep", b"2")]);
        let (rest, taken) =
            take_out(&bytes, &["geminus:stamp", "geminus:declaration"]).expect("valid module");
        assert_eq!(taken, [Some(b"{}".to_vec()), None]);
        assert_eq!(rest, module_with(&[("keep", b"1"), ("keep", b"2")]));
        assert!(!Outline::read(&rest).expect("still a module").component);
    }

    #[test]
    fn a_section_that_is_missing_or_doubled_is_an_error() {
        let bytes = module_with(&[("twice", b"1"), ("twice", b"2")]);
        let outline = Outline::read(&bytes).expect("valid module");
        assert!(matches!(outline.custom("twice"), Err(PackageError::SectionTwice(_))));
        assert!(matches!(outline.custom("never"), Err(PackageError::SectionMissing(_))));
    }
}
