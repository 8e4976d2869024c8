//! Every package that was found, and which of them a binding should run.

use std::path::Path;

use geminus_core::Digest;
use semver::VersionReq;

use crate::Package;

/// Packages in order of arrival.
#[derive(Clone, Debug, Default)]
pub struct Shelf {
    packages: Vec<Package>,
}

impl Shelf {
    /// Puts a package on the shelf; the one that the same path held before goes.
    pub fn put(&mut self, package: Package) {
        self.packages.retain(|known| known.path != package.path);
        self.packages.push(package);
    }

    /// Forgets what was at `path`.
    pub fn remove(&mut self, path: &Path) {
        self.packages.retain(|known| known.path != path);
    }

    /// All of them, in order of arrival.
    #[must_use]
    pub fn packages(&self) -> &[Package] {
        &self.packages
    }

    /// The one with this digest.
    #[must_use]
    pub fn by_digest(&self, digest: Digest) -> Option<&Package> {
        self.packages.iter().find(|package| package.digest == digest)
    }

    /// The highest version of `name` that `range` allows; of one version built twice, the later arrival, so a
    /// rebuilt plugin takes over without a new number.
    #[must_use]
    pub fn pick(&self, name: &str, range: &VersionReq) -> Option<&Package> {
        self.packages
            .iter()
            .filter(|package| package.declaration.name == name)
            .filter(|package| range.matches(&package.declaration.version.0))
            // max_by keeps the last of equals, which is the later arrival.
            .max_by(|a, b| a.declaration.version.cmp(&b.declaration.version))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use geminus_core::Declaration;
    use geminus_core::declaration::Stamp;
    use std::sync::Arc;

    pub(crate) fn package(path: &str, version: &str, salt: u8) -> Package {
        let json = serde_json::json!({
            "declaration": 1, "name": "probe", "version": version, "kind": "estimator",
            "outputs": [{"name": "o", "unit": "1"}], "state": {"schema": 0, "reads": [], "writes": []}
        });
        Package {
            path: path.into(),
            digest: Digest::of(&[salt]),
            declaration: Arc::new(Declaration::parse(json.to_string().as_bytes()).expect("valid")),
            stamp: Stamp { contract: "0.1.0".into(), sdk: "none".into(), toolchain: "unknown".into() },
            bytes: Arc::from([salt].as_slice()),
        }
    }

    fn check(range: &str, expect: Option<u8>) {
        let mut shelf = Shelf::default();
        shelf.put(package("a.wasm", "0.1.0", 1));
        shelf.put(package("b.wasm", "0.2.0", 2));
        shelf.put(package("c.wasm", "0.1.0", 3));
        let picked = shelf.pick("probe", &VersionReq::parse(range).expect("range"));
        assert_eq!(picked.map(|p| p.digest), expect.map(|salt| Digest::of(&[salt])), "{range}");
    }

    #[test]
    fn the_highest_allowed_version_wins_and_of_equals_the_latest() {
        check("*", Some(2));
        check("^0.1", Some(3));
        check("^1", None);
    }

    #[test]
    fn a_path_holds_one_package() {
        let mut shelf = Shelf::default();
        shelf.put(package("a.wasm", "0.1.0", 1));
        shelf.put(package("a.wasm", "0.1.0", 2));
        assert_eq!(shelf.packages().len(), 1);
        shelf.remove(Path::new("a.wasm"));
        assert!(shelf.packages().is_empty());
    }
}
