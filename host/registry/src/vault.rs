//! The last version of each plugin that was put to work, kept where no operator drops files.
//!
//! A file in the plugin folder may be overwritten by a broken one or removed while its contents run. The running host
//! does not mind, but its next start would have nothing to run; then it takes what it ran last.

use std::io;
use std::path::PathBuf;

use crate::{Package, store_bytes};

/// A folder with one package for each plugin name.
#[derive(Clone, Debug)]
pub struct Vault {
    folder: PathBuf,
}

impl Vault {
    /// The vault in this folder, which is made when something is kept.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// Keeps a package that was put to work, in place of the one before. Blocks on the disk.
    ///
    /// # Errors
    /// When it cannot be written; the one before then stays.
    pub fn keep(&self, package: &Package) -> io::Result<()> {
        let name = format!("{}.wasm", package.declaration.name);
        store_bytes(&self.folder, &name, &package.bytes).map(drop)
    }

    /// The package of this name that was put to work last; `None` when there is none that is whole.
    #[must_use]
    pub fn last(&self, name: &str) -> Option<Package> {
        Package::read(&self.folder.join(format!("{name}.wasm"))).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::tests::component;

    #[test]
    fn what_ran_last_is_found_again_and_a_damaged_one_is_not() {
        let dir = tempfile::tempdir().expect("folder");
        let vault = Vault::new(dir.path());
        assert!(vault.last("probe").is_none());
        let package = Package::check(std::path::Path::new("x.wasm"), component()).expect("a package");
        vault.keep(&package).expect("kept");
        assert_eq!(vault.last("probe").map(|kept| kept.digest), Some(package.digest));
        std::fs::write(dir.path().join("probe.wasm"), b"\0asm").expect("damaged");
        assert!(vault.last("probe").is_none());
    }
}
