//! Breadcrumbs: which component a shard is inside of, written to a file before each call and wiped after it. A file
//! survives the crash of the process that wrote it, so the next start knows what it was doing. Costs two writes to
//! the page cache a call; nothing is synced, because a machine that lost its power crashed on no component.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// One shard's crumb.
#[derive(Debug)]
pub(crate) struct Crumb {
    /// `None` where the file cannot be had: then a crash stays unexplained, and nothing else changes.
    file: Option<File>,
}

impl Crumb {
    /// The crumb of this shard, wiped.
    pub(crate) fn open(folder: &Path, shard: usize) -> Self {
        let file = File::options().create(true).truncate(true).write(true).open(path(folder, shard));
        let file = match file {
            Ok(file) => Some(file),
            Err(error) => {
                tracing::warn!(%error, "no breadcrumb file: a crash inside a component would not be known as one");
                None
            }
        };
        let crumb = Self { file };
        crumb.leave();
        crumb
    }

    /// A call into this incarnation begins.
    pub(crate) fn enter(&self, incarnation: u32) {
        self.write(incarnation);
    }

    /// The call has come back.
    pub(crate) fn leave(&self) {
        self.write(0);
    }

    fn write(&self, incarnation: u32) {
        if let Some(file) = &self.file
            && let Err(error) = file.write_all_at(&incarnation.to_le_bytes(), 0)
        {
            tracing::debug!(%error, "a breadcrumb was not written");
        }
    }
}

/// Incarnations that the last process was inside of when it ended.
pub(crate) fn left_behind(folder: &Path) -> io::Result<Vec<u32>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if !name.starts_with(PREFIX) {
            continue;
        }
        let bytes = std::fs::read(&path)?;
        let incarnation = bytes.try_into().map_or(0, u32::from_le_bytes);
        found.extend((incarnation != 0).then_some(incarnation));
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

const PREFIX: &str = "shard-";

fn path(folder: &Path, shard: usize) -> PathBuf {
    folder.join(format!("{PREFIX}{shard}.crumb"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_ends_inside_a_call_leaves_its_crumb() {
        let folder = tempfile::tempdir().expect("folder");
        let (inside, outside) = (Crumb::open(folder.path(), 0), Crumb::open(folder.path(), 1));
        assert_eq!(left_behind(folder.path()).expect("read"), [0; 0]);
        outside.enter(3);
        outside.leave();
        inside.enter(7);
        assert_eq!(left_behind(folder.path()).expect("read"), [7]);
        let again = Crumb::open(folder.path(), 0);
        assert_eq!(left_behind(folder.path()).expect("read"), [0; 0]);
        drop((inside, outside, again));
    }
}
