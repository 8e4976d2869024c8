//! Tells what arrives in the plugin folder: at once when the file system says so, and by a digest rescan where
//! it does not (network shares, symlinks, lost events).

use std::path::PathBuf;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use geminus_core::{Clock as _, SystemClock};
use notify::Watcher as _;

use crate::{Folder, Package, PackageError};

/// How often every file is read again and its digest compared.
pub const RESCAN_EVERY: Duration = Duration::from_secs(10);
/// How long events settle before a scan, so that a burst makes one.
const SETTLE: Duration = Duration::from_millis(50);
/// How many events one burst may swallow, so that a folder that never rests is scanned all the same.
const SETTLES_MAX: usize = 1_000;

/// One thing that happened in the folder.
#[derive(Debug)]
pub enum Change {
    /// A whole package is there.
    Arrived(Box<Package>),
    /// A file is there that is no package.
    Refused {
        /// Which.
        path: PathBuf,
        /// Why not.
        reason: PackageError,
    },
    /// A file went away.
    Gone(PathBuf),
    /// The folder itself cannot be read.
    Unreadable(std::io::Error),
}

#[derive(Debug)]
enum Signal {
    Touched,
    Stop,
}

/// Watches until dropped.
#[derive(Debug)]
pub struct Watcher {
    signal: Sender<Signal>,
    thread: Option<JoinHandle<()>>,
    _notify: Option<notify::RecommendedWatcher>,
}

impl Watcher {
    /// Watches `folder` and calls `tell` from a thread of its own; what `folder` has already told is not told
    /// again. Where the file system cannot notify, the rescan alone does the work.
    ///
    /// # Errors
    /// When the folder cannot be made or no thread can be had.
    pub fn start(folder: Folder, tell: impl Fn(Change) + Send + 'static) -> std::io::Result<Self> {
        Self::start_every(RESCAN_EVERY, folder, tell)
    }

    fn start_every(
        rescan_every: Duration,
        mut folder: Folder,
        tell: impl Fn(Change) + Send + 'static,
    ) -> std::io::Result<Self> {
        std::fs::create_dir_all(folder.path())?;
        let (signal, signals) = mpsc::channel();
        let touched = signal.clone();
        let notify = notify::recommended_watcher(move |_: notify::Result<notify::Event>| {
            // The receiver is gone only while this watcher is being dropped.
            drop(touched.send(Signal::Touched));
        })
        .and_then(|mut watcher| {
            watcher.watch(folder.path(), notify::RecursiveMode::NonRecursive).map(|()| watcher)
        });
        if let Err(error) = &notify {
            tracing::warn!(%error, "no file notifications, rescanning only");
        }
        let thread = std::thread::Builder::new().name("plugin-watch".into()).spawn(move || {
            let clock = SystemClock::new();
            // Kept over scans, so that a folder which is touched again and again does not put the rescan off.
            let mut due = clock.monotonic() + rescan_every;
            loop {
                let left = || due.saturating_sub(clock.monotonic());
                let goes_on = match signals.recv_timeout(left()) {
                    Ok(Signal::Touched) => settle(&signals, left),
                    Ok(Signal::Stop) | Err(RecvTimeoutError::Disconnected) => false,
                    Err(RecvTimeoutError::Timeout) => true,
                };
                if !goes_on {
                    return;
                }
                let thorough = left().is_zero();
                scan(&mut folder, thorough, &tell);
                if thorough {
                    due = clock.monotonic() + rescan_every;
                }
            }
        })?;
        Ok(Self { signal, thread: Some(thread), _notify: notify.ok() })
    }

    /// Scans at once instead of at the next rescan.
    pub fn rescan(&self) {
        self.signal().rescan();
    }

    /// A handle that others may keep to ask for a scan.
    #[must_use]
    pub fn signal(&self) -> Rescan {
        Rescan(self.signal.clone())
    }
}

/// Asks a watcher for a scan; does nothing once the watcher is gone.
#[derive(Clone, Debug)]
pub struct Rescan(Sender<Signal>);

impl Rescan {
    /// Scans at once instead of at the next rescan.
    pub fn rescan(&self) {
        drop(self.0.send(Signal::Touched));
    }
}

/// Swallows the rest of a burst, bounded in number and by the time that is `left`; `false` when told to stop.
fn settle(signals: &mpsc::Receiver<Signal>, left: impl Fn() -> Duration) -> bool {
    for _ in 0..SETTLES_MAX {
        match signals.recv_timeout(SETTLE.min(left())) {
            Ok(Signal::Touched) => {}
            Ok(Signal::Stop) | Err(RecvTimeoutError::Disconnected) => return false,
            Err(RecvTimeoutError::Timeout) => break,
        }
        if left().is_zero() {
            break;
        }
    }
    true
}

fn scan(folder: &mut Folder, thorough: bool, tell: &impl Fn(Change)) {
    match folder.scan(thorough) {
        Err(error) => tell(Change::Unreadable(error)),
        Ok((found, gone)) => {
            for path in gone {
                tell(Change::Gone(path));
            }
            for file in found {
                tell(match file.package {
                    Ok(package) => Change::Arrived(Box::new(package)),
                    Err(reason) => Change::Refused { path: file.path, reason },
                });
            }
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        drop(self.signal.send(Signal::Stop));
        if let Some(thread) = self.thread.take() {
            // A panic in `tell` was already reported by the panic hook of its thread.
            drop(thread.join());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store_bytes;

    #[test]
    fn a_folder_that_never_rests_is_reread_all_the_same() {
        let dir = tempfile::tempdir().expect("folder");
        let path = dir.path().join("junk.wasm");
        let (tell, told) = mpsc::channel();
        let every = Duration::from_millis(500);
        let watcher =
            Watcher::start_every(every, Folder::new(dir.path()), move |change| drop(tell.send(change)))
                .expect("watching");
        let (quiet, quieted) = mpsc::channel::<()>();
        let signal = watcher.signal();
        let nuisance = std::thread::spawn(move || {
            while let Err(RecvTimeoutError::Timeout) = quieted.recv_timeout(Duration::from_millis(5)) {
                signal.rescan();
            }
        });
        std::fs::write(&path, b"junk").expect("written");
        let patience = Duration::from_secs(30);
        told.recv_timeout(patience).expect("told");
        // Other bytes under the same length, time and inode: only who reads them sees it.
        let file = std::fs::File::options().write(true).open(&path).expect("the file");
        let modified = file.metadata().and_then(|meta| meta.modified()).expect("a time");
        std::io::Write::write_all(&mut &file, b"gunk").expect("written");
        file.set_modified(modified).expect("set back");
        let change = told.recv_timeout(patience / 6);
        drop(quiet);
        nuisance.join().expect("an end");
        assert!(matches!(change, Ok(Change::Refused { .. })), "{change:?}");
    }

    #[test]
    fn a_file_renamed_into_the_folder_is_told() {
        let dir = tempfile::tempdir().expect("folder");
        let (tell, told) = mpsc::channel();
        let watcher =
            Watcher::start(Folder::new(dir.path()), move |change| drop(tell.send(change))).expect("watching");
        store_bytes(dir.path(), "junk.wasm", b"junk").expect("written");
        watcher.rescan();
        let change = told.recv_timeout(Duration::from_secs(30)).expect("told");
        assert!(matches!(change, Change::Refused { reason: PackageError::NotWasm, .. }), "{change:?}");
    }
}
