//! Every version that was ever taken, by digest, kept where no operator drops files: `<64 hex digits>.wasm`.
//!
//! A file in the plugin folder may be overwritten by a broken one or removed while its contents run. What a twin is
//! assigned to is a digest, and the bytes of that digest are here. A file is written whole or not at all, and its
//! digest is computed again whenever it is read. Which digest runs for whom is not known here: that is control.db.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{fs, io};

use geminus_core::Digest;

use crate::{Found, Package, PackageError, store_bytes};

/// A folder of packages, by digest.
#[derive(Clone, Debug)]
pub struct Vault {
    folder: PathBuf,
}

impl Vault {
    /// The vault in this folder, which is made when something is kept. Touches no file.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// Keeps a package beside all others. Blocks on the disk until it is there for good; what is there already and whole
    /// is not written again.
    ///
    /// # Errors
    /// When it cannot be written; what was there before then stays.
    pub fn keep(&self, package: &Package) -> io::Result<()> {
        if self.get(package.digest).is_ok() {
            return Ok(());
        }
        store_bytes(&self.folder, &file_name(package.digest), &package.bytes).map(drop)
    }

    /// Keeps a package and gives it as it was kept: read from the disk again, with every check of a file that arrives.
    ///
    /// # Errors
    /// `Read` when it cannot be written or read again, else what is wrong with what stands there now.
    pub fn take(&self, package: &Package) -> Result<Package, PackageError> {
        let path = self.folder.join(file_name(package.digest));
        self.keep(package).map_err(|cause| PackageError::Read { path, cause })?;
        self.get(package.digest)
    }

    /// The digests of all that is kept, whole or not, by the names of their files. Blocks on the disk.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub fn digests(&self) -> io::Result<Vec<Digest>> {
        Ok(self.files()?.into_iter().map(|(_, digest)| digest).collect())
    }

    /// The package with this digest. Blocks on the disk.
    ///
    /// # Errors
    /// `Read` when it is not there, `Of` a `Digest` when its bytes are not those that were kept.
    pub fn get(&self, digest: Digest) -> Result<Package, PackageError> {
        read(&self.folder.join(file_name(digest)), digest)
    }

    /// Every kept package, each read and checked, in order of digest; one that is damaged stands there with the
    /// reason. Blocks on the disk.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub fn all(&self) -> io::Result<Vec<Found>> {
        self.adopt_old()?;
        let kept = |(path, digest): (PathBuf, Digest)| Found { package: read(&path, digest), path };
        Ok(self.files()?.into_iter().map(kept).collect())
    }

    /// Removes what is not in `keep`, also what is damaged, and parts that a crash left behind. Gives the digests that
    /// went.
    ///
    /// # Errors
    /// When a file cannot be listed or removed; those before it are gone.
    pub fn prune(&self, keep: &BTreeSet<Digest>) -> io::Result<Vec<Digest>> {
        self.adopt_old()?;
        let mut gone = Vec::new();
        for (path, digest) in self.files()? {
            if !keep.contains(&digest) {
                fs::remove_file(path)?;
                gone.push(digest);
            }
        }
        for path in self.list()?.into_iter().filter(|path| is_part(path)) {
            fs::remove_file(path)?;
        }
        Ok(gone)
    }

    /// Takes over the one file for each name that older hosts kept. One that is no package stays where it is.
    fn adopt_old(&self) -> io::Result<()> {
        for path in self.list()? {
            let old =
                path.extension().is_some_and(|extension| extension == "wasm") && digest_of(&path).is_none();
            let Some(package) = old.then(|| Package::read(&path).ok()).flatten() else { continue };
            self.keep(&package)?;
            fs::remove_file(path)?;
        }
        Ok(())
    }

    fn files(&self) -> io::Result<Vec<(PathBuf, Digest)>> {
        let named = |path: PathBuf| digest_of(&path).map(|digest| (path, digest));
        Ok(self.list()?.into_iter().filter_map(named).collect())
    }

    /// Every file in order of name; none in a folder that is not there.
    fn list(&self) -> io::Result<Vec<PathBuf>> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut paths =
            entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()?;
        paths.sort();
        Ok(paths)
    }
}

fn read(path: &Path, wanted: Digest) -> Result<Package, PackageError> {
    let package = Package::read(path)?;
    let (found, label) = (package.digest, package.declaration.label());
    if found == wanted { Ok(package) } else { Err(PackageError::Digest { wanted, found }.of(Some(label))) }
}

fn file_name(digest: Digest) -> String {
    format!("{}.wasm", digest.to_string().trim_start_matches("sha256:"))
}

/// The digest that a file is named by.
fn digest_of(path: &Path) -> Option<Digest> {
    let digest = path.file_name()?.to_str()?.strip_suffix(".wasm")?.parse().ok()?;
    path.ends_with(file_name(digest)).then_some(digest)
}

fn is_part(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.starts_with('.') && name.ends_with(".part")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::tests::component_of;

    fn package(version: &str) -> Package {
        Package::check(Path::new("x.wasm"), component_of(version)).expect("a package")
    }

    fn digests(vault: &Vault) -> BTreeSet<Digest> {
        let all = vault.all().expect("listed");
        all.into_iter().filter_map(|found| found.package.ok()).map(|package| package.digest).collect()
    }

    #[test]
    fn many_versions_stand_side_by_side() {
        let dir = tempfile::tempdir().expect("folder");
        let vault = Vault::new(dir.path().join("packages"));
        let [one, two, three] = ["1.0.0", "1.1.0", "1.2.0"].map(package);
        assert!(digests(&vault).is_empty());
        assert!(vault.prune(&BTreeSet::new()).expect("pruned").is_empty());
        for kept in [&one, &two, &three, &two] {
            vault.keep(kept).expect("kept");
        }
        for kept in [&one, &two, &three] {
            let got = vault.get(kept.digest).expect("there");
            assert_eq!((got.digest, &got.bytes), (kept.digest, &kept.bytes));
        }
        assert_eq!(digests(&vault), [&one, &two, &three].map(|package| package.digest).into());
        let gone: BTreeSet<_> = vault.prune(&[one.digest].into()).expect("pruned").into_iter().collect();
        assert_eq!(gone, [two.digest, three.digest].into());
        assert_eq!(digests(&vault), [one.digest].into());
        assert!(matches!(vault.get(two.digest), Err(PackageError::Read { .. })));
    }

    #[test]
    fn what_is_taken_is_what_the_disk_has() {
        let dir = tempfile::tempdir().expect("folder");
        let vault = Vault::new(dir.path());
        let (one, two) = (package("1.0.0"), package("2.0.0"));
        let taken = vault.take(&one).expect("taken");
        assert_eq!((taken.digest, &taken.bytes), (one.digest, &one.bytes));
        assert_eq!(taken.path, dir.path().join(file_name(one.digest)));
        assert_eq!(vault.digests().expect("listed"), [one.digest]);
        // Bytes that are not those of the digest, and a file that cannot be written.
        let forged = Package { digest: Digest::of(b"another"), ..two.clone() };
        assert!(vault.take(&forged).expect_err("forged").to_string().contains("its digest is"));
        fs::create_dir(dir.path().join(file_name(two.digest))).expect("in the way");
        assert!(matches!(vault.take(&two), Err(PackageError::Read { .. })));
    }

    #[test]
    fn what_is_damaged_or_put_under_a_false_name_is_never_given() {
        let dir = tempfile::tempdir().expect("folder");
        let vault = Vault::new(dir.path());
        let (one, two) = (package("1.0.0"), package("2.0.0"));
        vault.keep(&one).expect("kept");
        let file = dir.path().join(file_name(one.digest));
        for (bytes, says) in [
            (&two.bytes[..], "probe@2.0.0: its digest is"),
            (&one.bytes[..20], "truncated or damaged"),
            (b"", "not a WebAssembly"),
        ] {
            fs::write(&file, bytes).expect("written");
            let error = vault.get(one.digest).expect_err("damaged");
            assert!(error.to_string().contains(says), "{error}");
            assert!(vault.all().expect("listed")[0].package.is_err());
        }
        vault.keep(&one).expect("kept anew");
        assert_eq!(digests(&vault), [one.digest].into(), "a damaged file is replaced");
    }

    #[test]
    fn the_file_for_each_name_of_older_hosts_is_taken_over() {
        let dir = tempfile::tempdir().expect("folder");
        let vault = Vault::new(dir.path());
        let old = package("1.0.0");
        fs::write(dir.path().join("probe.wasm"), &old.bytes).expect("written");
        fs::write(dir.path().join("broken.wasm"), b"\0asm").expect("written");
        fs::write(dir.path().join(".a.wasm.7.part"), b"half").expect("written");
        assert_eq!(digests(&vault), [old.digest].into());
        assert!(vault.get(old.digest).is_ok());
        assert!(!dir.path().join("probe.wasm").exists());
        assert!(dir.path().join("broken.wasm").exists());
        vault.prune(&[old.digest].into()).expect("pruned");
        assert!(!dir.path().join(".a.wasm.7.part").exists(), "a part is swept");
        assert!(vault.get(old.digest).is_ok());
    }
}
