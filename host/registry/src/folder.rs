//! The folder that operators drop packages into.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use geminus_core::Digest;

use crate::seal::sidecar;
use crate::{Package, PackageError, SIDECAR_BYTES_MAX};

/// What one file of the folder turned out to be.
#[derive(Debug)]
pub struct Found {
    /// The file.
    pub path: PathBuf,
    /// Its package, or why it is none.
    pub package: Result<Package, PackageError>,
}

/// What tells whether a file must be read again.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mark {
    file: Touch,
    /// Of the side file with the digest, when there is one.
    beside: Option<Touch>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Touch {
    length: u64,
    modified: Option<SystemTime>,
    inode: u64,
}

/// Reads a folder again and again and tells only what is new.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    seen: BTreeMap<PathBuf, (Mark, Digest)>,
}

impl Folder {
    /// The folder at `path`; it need not exist yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), seen: BTreeMap::new() }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Files that are new or changed since the last call, and paths that went away. Only names that end in
    /// `.wasm` and do not start with a dot count, so a half-written file stays unseen until it is renamed.
    /// `thorough` reads every file and compares digests, for file systems whose times cannot be trusted.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub fn scan(&mut self, thorough: bool) -> std::io::Result<(Vec<Found>, Vec<PathBuf>)> {
        let mut found = Vec::new();
        let mut present = BTreeMap::new();
        for path in list(&self.path)? {
            let Ok(mark) = mark(&path) else { continue };
            let before = self.seen.get(&path);
            if let Some((seen, digest)) = before
                && *seen == mark
                && !thorough
            {
                present.insert(path, (mark, *digest));
                continue;
            }
            let package = Package::read(&path);
            let digest = match &package {
                Ok(package) => package.digest,
                Err(_) => digest_of_refused(&path),
            };
            if before.is_none_or(|(_, seen)| *seen != digest) {
                found.push(Found { path: path.clone(), package });
            }
            present.insert(path, (mark, digest));
        }
        let gone = self.seen.keys().filter(|path| !present.contains_key(*path)).cloned().collect();
        self.seen = present;
        Ok((found, gone))
    }
}

fn list(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or(".");
            name.ends_with(".wasm") && !name.starts_with('.')
        })
        .collect();
    paths.sort();
    Ok(paths)
}

fn mark(path: &Path) -> std::io::Result<Mark> {
    Ok(Mark { file: touch(path)?, beside: touch(&sidecar(path)).ok() })
}

fn touch(path: &Path) -> std::io::Result<Touch> {
    let meta = fs::metadata(path)?;
    #[cfg(unix)]
    let inode = std::os::unix::fs::MetadataExt::ino(&meta);
    #[cfg(not(unix))]
    let inode = 0;
    Ok(Touch { length: meta.len(), modified: meta.modified().ok(), inode })
}

/// What a refused file and the file beside it are, so that the same refusal is told once and not at each scan. Never
/// that of a package: the same bytes may be taken once their side file is right.
fn digest_of_refused(path: &Path) -> Digest {
    let bytes = match fs::metadata(path) {
        Ok(meta) if meta.len() <= crate::PACKAGE_BYTES_MAX => Digest::of(&fs::read(path).unwrap_or_default()),
        Ok(meta) => Digest::of(&meta.len().to_le_bytes()),
        Err(_) => Digest::of(b""),
    };
    let mut beside = Vec::new();
    if let Ok(file) = fs::File::open(sidecar(path)) {
        // What cannot be read counts as what was read of it.
        drop(file.take(SIDECAR_BYTES_MAX).read_to_end(&mut beside));
    }
    Digest::of(&[b"refused".as_slice(), bytes.bytes(), &beside].concat())
}

/// Numbers the parts of this process, so that two that write the same name never share one.
static PARTS: AtomicU64 = AtomicU64::new(0);

/// Writes `bytes` as `folder/name` so that no reader ever sees a part of it: temporary file, fsync, rename,
/// fsync of the folder. Blocks on the disk.
///
/// # Errors
/// When any of these steps fails; the temporary file is then removed.
pub fn store_bytes(folder: &Path, name: &str, bytes: &[u8]) -> std::io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let (process, number) = (std::process::id(), PARTS.fetch_add(1, Ordering::Relaxed));
    let part = folder.join(format!(".{name}.{process}-{number}.part"));
    let target = folder.join(name);
    let written = fs::File::create(&part)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&part, &target))
        .and_then(|()| fs::File::open(folder)?.sync_all());
    if let Err(error) = written {
        // The error that matters is the first; a part that stays behind is hidden from every scan.
        drop(fs::remove_file(&part));
        return Err(error);
    }
    Ok(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_told_once_and_again_when_its_bytes_change() {
        let folder = tempfile::tempdir().expect("folder");
        let mut view = Folder::new(folder.path());
        store_bytes(folder.path(), "a.wasm", b"junk").expect("written");
        let (found, gone) = view.scan(false).expect("scan");
        assert_eq!((found.len(), gone.len()), (1, 0));
        assert!(found[0].package.is_err());
        assert_eq!(view.scan(true).expect("scan").0.len(), 0, "same bytes, nothing to tell");
        store_bytes(folder.path(), "a.wasm", b"other junk").expect("written");
        assert_eq!(view.scan(false).expect("scan").0.len(), 1);
        fs::remove_file(folder.path().join("a.wasm")).expect("removed");
        assert_eq!(view.scan(false).expect("scan").1.len(), 1);
    }

    #[test]
    fn a_side_file_that_changes_is_a_new_verdict_on_the_same_bytes() {
        let folder = tempfile::tempdir().expect("folder");
        let mut view = Folder::new(folder.path());
        let bytes = crate::package::tests::component();
        let digest = Digest::of(&bytes).to_string();
        let mut told = |thorough| {
            let (found, gone) = view.scan(thorough).expect("scan");
            assert!(gone.is_empty());
            found.into_iter().map(|found| found.package.is_ok()).collect::<Vec<_>>()
        };
        store_bytes(folder.path(), "a.wasm.sha256", Digest::of(b"").to_string().as_bytes()).expect("written");
        store_bytes(folder.path(), "a.wasm", &bytes).expect("written");
        assert_eq!((told(false), told(true)), (vec![false], vec![]), "refused once");
        store_bytes(folder.path(), "a.wasm.sha256", digest.as_bytes()).expect("written");
        assert_eq!((told(false), told(true)), (vec![true], vec![]), "taken once");
        store_bytes(folder.path(), "a.wasm.sha256", b"nonsense").expect("written");
        assert_eq!((told(false), told(true)), (vec![false], vec![]), "refused anew");
    }

    #[test]
    fn parts_and_other_files_are_not_seen() {
        let folder = tempfile::tempdir().expect("folder");
        fs::write(folder.path().join(".a.wasm.7.part"), b"half").expect("written");
        fs::write(folder.path().join(".b.wasm"), b"half").expect("written");
        fs::write(folder.path().join("readme.md"), b"text").expect("written");
        assert_eq!(Folder::new(folder.path()).scan(false).expect("scan").0.len(), 0);
    }

    #[test]
    fn many_that_write_one_name_leave_one_whole_file() {
        let folder = tempfile::tempdir().expect("folder");
        let target = folder.path().join("a.wasm");
        std::thread::scope(|scope| {
            for letter in b'a'..=b'h' {
                let folder = folder.path();
                scope.spawn(move || {
                    for _ in 0..20 {
                        store_bytes(folder, "a.wasm", &vec![letter; 100_000]).expect("written");
                    }
                });
            }
        });
        let bytes = fs::read(&target).expect("a file");
        assert!(bytes.len() == 100_000 && bytes.iter().all(|byte| *byte == bytes[0]), "of one writer only");
        assert_eq!(fs::read_dir(folder.path()).expect("folder").count(), 1, "no part stays behind");
    }

    #[test]
    fn a_folder_that_does_not_exist_is_empty() {
        assert_eq!(Folder::new("/nonexistent/geminus").scan(false).expect("scan").0.len(), 0);
    }
}
