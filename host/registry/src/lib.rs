//! Plugin packages: the only room that touches plugin files.
//!
//! A package is one component file whose declaration and stamp stand in custom sections, so code and manifest
//! share one digest. This room finds packages in a folder, reads and checks them before anything is compiled,
//! says which version a twin type should run, and builds packages from an author's crate. It never runs a
//! component: that is `behavior`.

pub mod author;
mod contract;
mod diff;
mod folder;
mod package;
mod resolve;
mod seal;
mod sections;
mod shelf;
mod vault;
mod watch;

pub use contract::ContractError;
pub use diff::{Change as DeclarationChange, ChangeSeverity, Diff, diff};
pub use folder::{Folder, Found, store_bytes};
pub use package::{PACKAGE_BYTES_MAX, Package, PackageError};
pub use resolve::{ResolveError, resolve};
pub use seal::{SIDECAR_BYTES_MAX, SealError};
pub use shelf::Shelf;
pub use vault::Vault;
pub use watch::{Change, RESCAN_EVERY, Rescan, Watcher};
