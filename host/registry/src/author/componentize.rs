//! From a core module as rustc makes it to a package: a component with declaration and stamp on top.

use geminus_core::declaration::{DECLARATION_SECTION, STAMP_SECTION};
use wit_component::ComponentEncoder;

use crate::PackageError;
use crate::sections::{put_on_top, take_out};

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
