//! What an author does with a plugin: make a new crate, build it into a package, look into a package.

mod build;
mod componentize;
mod inspect;
mod languages;
mod scaffold;

pub use build::{BuildError, Built, build};
pub use componentize::{componentize, componentize_bare};
pub use inspect::{Inspection, inspect};
pub use scaffold::{ScaffoldError, scaffold};
