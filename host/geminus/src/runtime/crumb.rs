//! Breadcrumbs: which component a thread is inside of, written to a file before each call and wiped after it. A file
//! survives the crash of the process that wrote it, so the next start knows what it was doing. Costs two writes to
//! the page cache a call; nothing is synced, because a machine that lost its power crashed on no component.
//!
//! Every thread that calls guests carries a crumb of its own: shards, workers that raise candidates or climb the ladder.
//! A thread that panics inside a component leaves its crumb as a process does that dies there.

use std::cell::RefCell;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// One thread's crumb.
#[derive(Debug)]
pub(crate) struct Crumb {
    /// `None` where the file cannot be had: then a crash stays unexplained, and nothing else changes.
    file: Option<File>,
    path: PathBuf,
    /// What the file says.
    inside: AtomicU32,
}

thread_local! {
    static CARRIED: RefCell<Option<Arc<Crumb>>> = const { RefCell::new(None) };
}

impl Crumb {
    /// The crumb of this shard, wiped.
    pub(crate) fn open(folder: &Path, shard: usize) -> Self {
        Self::named(folder, &format!("shard-{shard}"))
    }

    /// The crumb of a thread with this name, wiped. No two threads at a time may have the same.
    pub(crate) fn named(folder: &Path, name: &str) -> Self {
        let path = folder.join(format!("{name}.{ENDING}"));
        let file = match File::options().create(true).truncate(true).write(true).open(&path) {
            Ok(file) => Some(file),
            Err(error) => {
                tracing::warn!(%error, "no breadcrumb file: a crash inside a component would not be known as one");
                None
            }
        };
        Self { file, path, inside: AtomicU32::new(0) }
    }

    /// A call into this incarnation begins.
    pub(crate) fn enter(&self, incarnation: u32) {
        self.replace(incarnation);
    }

    /// The call has come back.
    pub(crate) fn leave(&self) {
        self.replace(0);
    }

    /// Gives what it said before.
    fn replace(&self, incarnation: u32) -> u32 {
        let before = self.inside.swap(incarnation, Relaxed);
        if before != incarnation
            && let Some(file) = &self.file
            && let Err(error) = file.write_all_at(&incarnation.to_le_bytes(), 0)
        {
            tracing::debug!(%error, "a breadcrumb was not written");
        }
        before
    }
}

/// Lets this thread carry a crumb until the guard is dropped.
#[must_use]
pub(crate) fn carry(crumb: Arc<Crumb>) -> Carried {
    let before = CARRIED.with_borrow_mut(|carried| carried.replace(crumb));
    Carried { before, passing: false }
}

/// The same for a piece of work that ends: its file goes with it, unless it ended inside a component.
#[must_use]
pub(crate) fn carry_for_work(folder: &Path, name: &str) -> Carried {
    let mut carried = carry(Arc::new(Crumb::named(folder, name)));
    carried.passing = true;
    carried
}

/// Does a piece of work that may call guests, with a crumb of its own.
///
/// # Errors
/// What it panicked with; then the crumb says where.
pub(crate) fn work<T>(folder: &Path, name: &str, work: impl FnOnce() -> T) -> std::thread::Result<T> {
    let _carried = carry_for_work(folder, name);
    // Nothing that the work holds is used after a panic.
    catch_unwind(AssertUnwindSafe(work))
}

/// While it lives, this thread carries a crumb.
#[derive(Debug)]
pub(crate) struct Carried {
    before: Option<Arc<Crumb>>,
    passing: bool,
}

impl Drop for Carried {
    fn drop(&mut self) {
        let before = self.before.take();
        let crumb = CARRIED.with_borrow_mut(|carried| std::mem::replace(carried, before));
        if let Some(crumb) = crumb.filter(|crumb| self.passing && crumb.inside.load(Relaxed) == 0)
            && let Err(error) = std::fs::remove_file(&crumb.path)
        {
            tracing::debug!(%error, "a wiped breadcrumb still lies there");
        }
    }
}

/// Calls into this incarnation begin on this thread; they have come back when the guard is dropped. A thread that
/// carries no crumb leaves none: those of benches and tests.
#[must_use]
pub(crate) fn inside(incarnation: u32) -> Inside {
    let crumb = CARRIED.with_borrow(Clone::clone);
    let before = crumb.as_ref().map_or(0, |crumb| crumb.replace(incarnation));
    Inside { crumb, before }
}

/// While it lives, this thread is inside of a component.
#[derive(Debug)]
pub(crate) struct Inside {
    crumb: Option<Arc<Crumb>>,
    /// What it was inside of before: work with several calls has a crumb around all of them.
    before: u32,
}

impl Drop for Inside {
    fn drop(&mut self) {
        // A call that panics has not come back.
        if let Some(crumb) = self.crumb.as_ref().filter(|_| !std::thread::panicking()) {
            crumb.replace(self.before);
        }
    }
}

/// Incarnations that the last process was inside of when it ended. Nothing of this process may carry a crumb yet.
pub(crate) fn left_behind(folder: &Path) -> io::Result<Vec<u32>> {
    let mut found = Vec::new();
    for path in files(folder)? {
        let bytes = std::fs::read(&path)?;
        let incarnation = bytes.try_into().map_or(0, u32::from_le_bytes);
        found.extend((incarnation != 0).then_some(incarnation));
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// Removes what the last process left: what was counted must not be counted again by a start after this one.
pub(crate) fn sweep(folder: &Path) -> io::Result<()> {
    files(folder)?.iter().try_for_each(std::fs::remove_file)
}

const ENDING: &str = "crumb";

fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == ENDING) {
            found.push(path);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(folder: &tempfile::TempDir) -> Vec<u32> {
        left_behind(folder.path()).expect("read")
    }

    #[test]
    fn a_process_that_ends_inside_a_call_leaves_its_crumb() {
        let folder = tempfile::tempdir().expect("folder");
        let (inside, outside) = (Crumb::open(folder.path(), 0), Crumb::open(folder.path(), 1));
        assert_eq!(left(&folder), [0; 0]);
        outside.enter(3);
        outside.leave();
        inside.enter(7);
        assert_eq!(left(&folder), [7]);
        let again = Crumb::open(folder.path(), 0);
        assert_eq!(left(&folder), [0; 0]);
        drop((inside, outside, again));
    }

    #[test]
    fn calls_within_calls_are_known_by_the_inner_and_then_by_the_outer() {
        let folder = tempfile::tempdir().expect("folder");
        let carried = carry(Arc::new(Crumb::open(folder.path(), 0)));
        let outer = inside(4);
        assert_eq!(left(&folder), [4]);
        let inner = inside(5);
        assert_eq!(left(&folder), [5]);
        drop(inner);
        assert_eq!(left(&folder), [4]);
        drop(outer);
        assert_eq!(left(&folder), [0; 0]);
        drop(carried);
        drop(inside(6));
        assert_eq!(left(&folder), [0; 0], "this thread carries none any more");
    }

    #[test]
    fn work_takes_its_file_away_unless_it_ended_inside() {
        let folder = tempfile::tempdir().expect("folder");
        let work = |panics: bool| {
            work(folder.path(), "rollout-1", || {
                let _inside = inside(9);
                assert_eq!(left(&folder), [9]);
                assert!(!panics, "on request");
            })
        };
        assert!(work(false).is_ok());
        assert!(files(folder.path()).expect("read").is_empty());
        assert!(work(true).is_err());
        assert_eq!(left(&folder), [9], "a panic has not come back");
        sweep(folder.path()).expect("swept");
        assert_eq!(left(&folder), [0; 0]);
    }
}
