//! The store as a whole: opening the data folder, handing out its parts, closing it.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crossbeam_channel::{Sender, bounded, unbounded};
use geminus_core::{Clock, SeriesId};
use rusqlite::Connection;

use crate::hot::recorder::{Recorder, Work};
use crate::hot::writer::Writer;
use crate::journal::Journal;
use crate::outbox::Outbox;
use crate::records::Records;
use crate::sealed::Class;
use crate::sealed::sealer::{Ask, Parts, Sealer};
use crate::stats::{Gauges, Stats};
use crate::{Control, Options, Reader, Snapshots, StoreError, hot};

/// The file whose lock says that a host uses the folder.
const LOCK_FILE: &str = "lock";

/// An open data folder. Dropping it closes it; [`Store::close`] also tells whether that went well.
#[derive(Debug)]
pub struct Store {
    recorder: Recorder,
    reader: Reader,
    journal: Journal,
    control: Control,
    outbox: Outbox,
    records: Records,
    gauges: Arc<Gauges>,
    sealer: Sender<Ask>,
    /// Tells the sealer, in the midst of its work, that it is over.
    closing: Arc<AtomicBool>,
    sealing: Mutex<Option<JoinHandle<()>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Held, not used: the lock ends with the handle.
    _lock: File,
}

impl Store {
    /// Opens the folder, making it and its files when they are not there, and starts the writers.
    ///
    /// Blocks: files are checked and schemas migrated here.
    ///
    /// # Errors
    /// When another host has the folder open, a file is damaged, foreign or of a newer schema, an option cannot
    /// work, or the disk fails.
    pub fn open(dir: &Path, options: Options, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        options.check()?;
        std::fs::create_dir_all(dir).map_err(|cause| StoreError::Folder { path: dir.to_owned(), cause })?;
        let lock = lock(dir)?;
        let connection = open_history(dir, &options)?;
        let gauges = Arc::new(Gauges::default());
        let (journal, journal_thread) = Journal::open(dir, &options, Arc::clone(&clock))?;
        let control = Control::open(dir, &options, Arc::clone(&clock))?;
        let (outbox, outbox_thread) = Outbox::open(dir, &options, Arc::clone(&clock))?;
        let records = Records::open(dir)?;
        let reader = Reader::open(dir)?;
        let (work, queue) = unbounded();
        let queue_points_max = options.queue_points_max as u64;
        let (sealer, asks) = unbounded();
        let closing = Arc::new(AtomicBool::new(false));
        let parts = Parts {
            dir: dir.to_owned(),
            options: options.clone(),
            clock: Arc::clone(&clock),
            gauges: Arc::clone(&gauges),
            reader: reader.clone(),
            control: control.clone(),
            work: work.clone(),
            asks,
            closing: Arc::clone(&closing),
        };
        let writer =
            Writer::new(dir.to_owned(), options, Arc::clone(&clock), Arc::clone(&gauges), queue, connection)?;
        let writer_thread = spawn("store-history", move || writer.run())?;
        let seals = Sealer::new(parts)?;
        let sealing = Mutex::new(Some(spawn("store-sealer", move || seals.run())?));
        let recorder = Recorder { work, gauges: Arc::clone(&gauges), clock, queue_points_max };
        let threads = Mutex::new(vec![writer_thread, journal_thread, outbox_thread]);
        Ok(Self {
            recorder,
            reader,
            journal,
            control,
            outbox,
            records,
            gauges,
            sealer,
            closing,
            sealing,
            threads,
            _lock: lock,
        })
    }

    /// The numbers of these (twin, point), new ones where there were none. They never change. Blocks.
    ///
    /// # Errors
    /// When they cannot be written, or the store is closed.
    pub fn series<T: AsRef<str>, P: AsRef<str>>(
        &self,
        names: &[(T, P)],
    ) -> Result<Vec<SeriesId>, StoreError> {
        let owned =
            names.iter().map(|(twin, point)| (twin.as_ref().to_owned(), point.as_ref().to_owned())).collect();
        self.ask(|reply| Work::Series(owned, reply))?
    }

    /// The way into history.
    #[must_use]
    pub fn recorder(&self) -> Recorder {
        self.recorder.clone()
    }

    /// The way to read history.
    #[must_use]
    pub fn reader(&self) -> Reader {
        self.reader.clone()
    }

    /// The journal.
    #[must_use]
    pub fn journal(&self) -> Journal {
        self.journal.clone()
    }

    /// Snapshots of behavior state.
    #[must_use]
    pub fn snapshots(&self) -> Snapshots {
        self.control.snapshots()
    }

    /// What is in force and what was decided.
    #[must_use]
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// Commands and what became of them.
    #[must_use]
    pub fn outbox(&self) -> Outbox {
        self.outbox.clone()
    }

    /// Records of other systems.
    #[must_use]
    pub fn records(&self) -> Records {
        self.records.clone()
    }

    /// Counts and gauges. Does not block.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.gauges.stats(self.journal.stats())
    }

    /// Makes everything durable that was recorded and journaled before. Blocks for a commit.
    ///
    /// # Errors
    /// When it cannot be written now; it stays queued.
    pub fn flush(&self) -> Result<(), StoreError> {
        self.journal.flush()?;
        self.ask(Work::Flush)?
    }

    /// Folds all history that is still mixed, which makes it smallest and fastest to read, and removes what
    /// retention no longer keeps. Blocks until done.
    ///
    /// # Errors
    /// When it cannot be written now.
    pub fn fold(&self) -> Result<(), StoreError> {
        self.ask(Work::Fold)?
    }

    /// Moves every hour that is over into files, what is mixed first folded, and merges what came late into those that
    /// there are. Blocks until done.
    ///
    /// # Errors
    /// When it cannot be done now; what is not in a file stays in `hot.db`.
    pub fn seal(&self) -> Result<(), StoreError> {
        self.fold()?;
        let (reply, answer) = bounded(1);
        self.sealer.send(Ask::All(reply)).map_err(|_| StoreError::Closed)?;
        answer.recv().map_err(|_| StoreError::Closed)?
    }

    /// Says of series who makes their values; what nobody said follows from their names. It decides into which files
    /// they are sealed, and how long they are kept. Blocks.
    ///
    /// # Errors
    /// When it cannot be written, or the store is closed.
    pub fn classify(&self, classes: &[(SeriesId, Class)]) -> Result<(), StoreError> {
        self.ask(|reply| Work::Classes(classes.to_vec(), reply))?
    }

    /// Changes the quota of `hot.db` (see [`Options::quota_mib`]) while running; 0 sets no bound.
    ///
    /// # Errors
    /// When the store is closed.
    pub fn set_quota_mib(&self, mib: u64) -> Result<(), StoreError> {
        self.recorder.work.send(Work::Quota(mib)).map_err(|_| StoreError::Closed)
    }

    /// Commits everything, ends the writers and releases the folder. Blocks.
    ///
    /// # Errors
    /// When something could not be written and was given up.
    pub fn close(self) -> Result<(), StoreError> {
        let dropped = self.stats();
        self.end();
        let stats = self.stats();
        let reason = stats.reason.or(stats.journal.reason).unwrap_or_default();
        match stats.points_dropped > dropped.points_dropped
            || stats.journal.entries_dropped > dropped.journal.entries_dropped
        {
            true => Err(StoreError::NotWritable { file: hot::FILE.name, reason }),
            false => Ok(()),
        }
    }

    fn ask<T>(&self, work: impl FnOnce(Sender<T>) -> Work) -> Result<T, StoreError> {
        let (reply, answer) = bounded(1);
        self.recorder.work.send(work(reply)).map_err(|_| StoreError::Closed)?;
        answer.recv().map_err(|_| StoreError::Closed)
    }

    fn end(&self) {
        self.journal.end();
        self.outbox.end();
        self.closing.store(true, Ordering::Release);
        if self.sealer.send(Ask::End).is_err() {
            tracing::debug!("the sealer had ended already");
        }
        // Before the history writer, of which it may be waiting for an answer.
        let sealing = self.sealing.lock().unwrap_or_else(PoisonError::into_inner).take();
        if sealing.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the sealer panicked");
        }
        self.control.close();
        self.records.close();
        if self.recorder.work.send(Work::Close).is_err() {
            tracing::debug!("history was closed already");
        }
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a writer of the store panicked");
            }
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.end();
    }
}

/// Starts a named thread.
pub(crate) fn spawn(
    name: &'static str,
    run: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, StoreError> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(run)
        .map_err(|cause| StoreError::Thread { name, cause })
}

/// Refuses when a host uses this data folder; one that is not there is used by nobody. Holds nothing afterwards.
///
/// # Errors
/// [`StoreError::Locked`] when one does, [`StoreError::Folder`] when it cannot be told.
pub fn check_free(dir: &Path) -> Result<(), StoreError> {
    if !dir.join(LOCK_FILE).exists() {
        return Ok(());
    }
    lock(dir).map(drop)
}

/// Takes the folder for as long as the file is held.
pub(crate) fn lock(dir: &Path) -> Result<File, StoreError> {
    let path: PathBuf = dir.join(LOCK_FILE);
    let opened = File::options().create(true).truncate(false).write(true).open(&path);
    let file = opened.map_err(|cause| StoreError::Folder { path: path.clone(), cause })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked { path: dir.to_owned() }),
        Err(TryLockError::Error(cause)) => Err(StoreError::Folder { path, cause }),
    }
}

/// Opens `hot.db`, checks it when the last host did not close it, and marks it as open.
fn open_history(dir: &Path, options: &Options) -> Result<Connection, StoreError> {
    let connection = hot::FILE.open_writer(dir)?;
    let failed = |step| StoreError::database(hot::FILE.name, step);
    let closed = connection
        .execute("DELETE FROM state WHERE key = 'closed'", [])
        .map_err(failed("marking it open"))?;
    let path = dir.join(hot::FILE.name);
    let bytes = std::fs::metadata(&path).map_err(|cause| StoreError::Folder { path, cause })?.len();
    if closed == 0 && bytes <= options.check_mib_max.saturating_mul(1 << 20) {
        hot::FILE.check(&connection)?;
    } else if closed == 0 {
        tracing::warn!(
            bytes,
            "history was not closed and is too large to check at start; its blocks are as they are read"
        );
    }
    Ok(connection)
}
