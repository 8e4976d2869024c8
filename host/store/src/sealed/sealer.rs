//! The thread that seals. It looks for closed hours now and then, makes their files, and asks the history writer to put
//! down what became of them; it writes to `hot.db` never. A step that fails is tried again at the next look: until the
//! writer has said yes all samples are still in `hot.db`.

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use geminus_core::{Clock, Sample, Timestamp};
use rusqlite::Connection;

use super::archive::Archive;
use super::checked::Summing;
use super::choose::{self, Job, Mark};
use super::disk::{Disk, Sink, SystemDisk};
use super::file::{self, Run};
use super::gather::{self, Gathered};
use super::makers::Makers;
use super::manifest::{self, Directory, Sealed};
use super::order::Order;
use super::{Class, HISTORY_FOLDER, PASSING_FOLDER, place, retain, sweep};
use crate::block::Unpacker;
use crate::hot::FILE;
use crate::hot::recorder::Work;
use crate::stats::{Gauges, add};
use crate::{Control, Options, Reader, StoreError};

/// How often closed hours are looked for.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// How long a replaced file can still be read by whoever had looked it up before.
const REPLACED_KEPT: Duration = Duration::from_secs(600);

/// What the thread is asked.
#[derive(Debug)]
pub(crate) enum Ask {
    /// Seal all that is closed now, however short ago, then answer.
    All(Sender<Result<(), StoreError>>),
    /// End.
    End,
}

/// The parts that a sealer is made of.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) dir: PathBuf,
    pub(crate) options: Options,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) gauges: Arc<Gauges>,
    pub(crate) reader: Reader,
    pub(crate) control: Control,
    pub(crate) work: Sender<Work>,
    pub(crate) asks: Receiver<Ask>,
    /// Set when the store closes: the file that is being made is the last.
    pub(crate) closing: Arc<AtomicBool>,
}

#[derive(Debug)]
pub(crate) struct Sealer {
    parts: Parts,
    disk: Box<dyn Disk>,
    archive: Archive,
    connection: Connection,
    unpacker: Unpacker,
    /// How closed hours stood, and since when.
    seen: HashMap<u64, (Mark, Duration)>,
    /// Replaced files and when each was.
    replaced: VecDeque<(Duration, PathBuf)>,
    /// Files may lie there that nobody knows.
    unswept: bool,
    /// The number that was given last.
    number: i64,
}

impl Sealer {
    pub(crate) fn new(parts: Parts) -> Result<Self, StoreError> {
        Self::on(parts, Box::new(SystemDisk))
    }

    pub(super) fn on(parts: Parts, disk: Box<dyn Disk>) -> Result<Self, StoreError> {
        let failed = |cause| StoreError::Folder { path: parts.dir.clone(), cause };
        let (archive, unpacker) = (Archive::new(&parts.dir), Unpacker::new().map_err(failed)?);
        let connection = FILE.open_reader(&parts.dir)?;
        let (seen, replaced) = (HashMap::new(), VecDeque::new());
        Ok(Self { parts, disk, archive, connection, unpacker, seen, replaced, unswept: true, number: 0 })
    }

    /// Runs until the store closes.
    pub(crate) fn run(mut self) {
        let swept = self.sweep();
        self.unswept = swept.is_err();
        self.tell(swept);
        loop {
            match self.parts.asks.recv_timeout(LOOK_EVERY) {
                Ok(Ask::All(reply)) => {
                    if reply.send(self.look(true)).is_err() {
                        tracing::debug!("an answer of the sealer came too late");
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    let looked = self.look(false);
                    self.tell(looked);
                }
                Ok(Ask::End) | Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn tell(&self, done: Result<(), StoreError>) {
        match done {
            Err(StoreError::Closed) | Ok(()) => (),
            Err(error) => {
                add(&self.parts.gauges.seals_failed, 1);
                tracing::error!(%error, "history could not be sealed; it stays in hot.db and is tried again");
            }
        }
    }

    /// Seals hours that are due, or all that are closed, and forgets files that are kept no longer.
    pub(super) fn look(&mut self, all: bool) -> Result<(), StoreError> {
        if self.unswept {
            // A commit that was said to have failed may turn out to have been made once the writer has opened its file
            // anew. Only when it writes again is it known which files count.
            self.ask(|reply| Work::Seal(Box::default(), reply))?;
            self.sweep()?;
            self.replaced.clear();
            self.unswept = false;
        }
        self.remove_replaced();
        let after = Duration::from_secs(if all { 0 } else { self.parts.options.seal_after_s });
        if all || !after.is_zero() {
            let border = self.parts.clock.now().minus(after).0;
            let mut before = Vec::new();
            loop {
                let closed = choose::closed_hours(&self.connection, border)?;
                self.seal_quiet(&closed, after)?;
                // Splitting a block shows hours that were hidden in it. What cannot be sealed stays, and is not tried for ever.
                if !all || closed == before || self.closing() {
                    break;
                }
                before = closed;
            }
        }
        self.forget()
    }

    fn seal_quiet(&mut self, closed: &[(u64, Mark)], after: Duration) -> Result<(), StoreError> {
        self.seen.retain(|hour, _| closed.iter().any(|(closed, _)| closed == hour));
        for (hour, mark) in closed {
            if self.is_quiet(*hour, *mark, after) && !self.closing() {
                let sealed = self.seal(*hour);
                self.unswept |= sealed.is_err();
                sealed?;
            }
        }
        Ok(())
    }

    /// Removes files that are kept no longer, some at a time.
    fn forget(&mut self) -> Result<(), StoreError> {
        while !self.closing() {
            let due = retain::due(&self.connection, &self.parts.options, self.parts.clock.now().0)?;
            if due.is_empty() {
                break;
            }
            let removes = due.iter().map(|(number, _)| *number).collect();
            self.ask(|reply| Work::Seal(Box::new(Order { removes, ..Order::default() }), reply))?;
            add(&self.parts.gauges.files_retired, due.len());
            due.iter().for_each(|(_, file)| self.replace(file));
        }
        Ok(())
    }

    fn sweep(&self) -> Result<(), StoreError> {
        let swept = sweep::sweep(&self.parts.dir, &self.connection, &*self.disk)?;
        if swept != sweep::Swept::default() {
            tracing::info!(removed = swept.removed, set_aside = swept.set_aside, "files that nobody knew");
        }
        Ok(())
    }

    fn closing(&self) -> bool {
        self.parts.closing.load(Ordering::Acquire)
    }

    /// Whether nothing has come for an hour for long enough.
    fn is_quiet(&mut self, hour: u64, mark: Mark, after: Duration) -> bool {
        let now = self.parts.clock.monotonic();
        let (known, since) = self.seen.entry(hour).or_insert((mark, now));
        if *known != mark {
            (*known, *since) = (mark, now);
        }
        now.saturating_sub(*since) >= after
    }

    fn seal(&mut self, hour: u64) -> Result<(), StoreError> {
        let (start, end) = choose::bounds(hour);
        for border in [start, end] {
            loop {
                let blocks = choose::straddlers(&self.connection, border)?;
                if blocks.is_empty() {
                    break;
                }
                self.ask(|reply| Work::Split(blocks, reply))?;
            }
        }
        for job in choose::jobs(&self.connection, hour)? {
            if self.closing() {
                return Ok(());
            }
            self.carry_out(hour, &job)?;
        }
        Ok(())
    }

    fn carry_out(&mut self, hour: u64, job: &Job) -> Result<(), StoreError> {
        let mut order = Order::default();
        let mut samples = self.earlier(job, &mut order);
        let earlier = samples.len();
        let Gathered { samples: late, blocks, damaged } =
            gather::read(&self.connection, &mut self.unpacker, &job.blocks)?;
        samples.extend(late);
        (order.blocks, order.damaged) = (blocks, damaged);
        gather::merge(&mut samples);
        if samples.len() > earlier {
            for part in gather::cut(&samples) {
                // Nor is a number used again whose file was made in vain, for the same reason.
                self.number = manifest::next_number(&self.connection)?.max(self.number + 1);
                order.adds.push(self.make(hour, job, part, self.number)?);
            }
            order.removes.extend(job.replaces.iter().filter(|_| earlier > 0).map(|file| file.id));
        }
        let (points, bytes) =
            (samples.len() - earlier, order.adds.iter().map(|file| file.bytes as usize).sum());
        let (files, replaces) = (order.adds.len(), !order.removes.is_empty());
        self.ask(|reply| Work::Seal(Box::new(order), reply))?;
        add(&self.parts.gauges.points_sealed, points);
        add(&self.parts.gauges.bytes_sealed, bytes);
        add(&self.parts.gauges.files_sealed, files);
        if let Some(file) = job.replaces.as_ref().filter(|_| replaces) {
            self.replace(&file.file);
        }
        Ok(())
    }

    /// What the file has that is to be replaced. One that cannot be read is left as it is.
    fn earlier(&self, job: &Job, order: &mut Order) -> Vec<Sample> {
        let Some(file) = &job.replaces else { return Vec::new() };
        self.archive.read_all(file).unwrap_or_else(|finding| {
            tracing::error!(
                file = file.file,
                finding,
                "damaged file of history: what came late gets one of its own"
            );
            order.leaves.push(file.id);
            Vec::new()
        })
    }

    /// Makes one file and puts it in its place.
    fn make(&self, hour: u64, job: &Job, samples: &[Sample], number: i64) -> Result<Sealed, StoreError> {
        let name = place::name(hour, job.class, number);
        let (dir, disk) = (self.parts.dir.as_path(), &*self.disk);
        let (temporary, last) = (place::passing(dir, &name), place::path(dir, &name));
        let failed = |step: &'static str, path: &Path| {
            let path = path.to_owned();
            move |cause: std::io::Error| StoreError::Seal { step, path, cause: cause.to_string() }
        };
        let names = self.names(samples)?;
        let mut sealed = describe(hour, job, samples, &name, number);
        let mut runs = self.runs(job.class, samples, &names)?;
        runs.sort_by_key(|(_, run)| (run.point, run.twin));
        sealed.directory = Directory(runs.iter().map(|(series, run)| (*series, run.samples.len())).collect());
        let runs: Vec<Run<'_>> = runs.into_iter().map(|(_, run)| run).collect();
        let passing = dir.join(PASSING_FOLDER);
        disk.make_folder(&passing).map_err(failed("making the folder", &passing))?;
        let sink = disk.create(&temporary).map_err(failed("making", &temporary))?;
        (sealed.bytes, sealed.sums) = write(sink, &runs).map_err(failed("writing", &temporary))?;
        let history = dir.join(HISTORY_FOLDER);
        let day = last.parent().unwrap_or(&history);
        disk.make_folder(day).map_err(failed("making the folder", day))?;
        disk.sync_folder(dir).map_err(failed("syncing the folder", dir))?;
        disk.sync_folder(&history).map_err(failed("syncing the folder", &history))?;
        disk.rename(&temporary, &last).map_err(failed("renaming to", &last))?;
        disk.sync_folder(day).map_err(failed("syncing the folder", day))?;
        Ok(sealed)
    }

    /// Twin, point and number of each series.
    fn names(&self, samples: &[Sample]) -> Result<HashMap<u32, (String, String)>, StoreError> {
        let failed = StoreError::database(FILE.name, "looking for names of series");
        let mut select =
            self.connection.prepare("SELECT twin, point FROM series WHERE id = ?1").map_err(&failed)?;
        let mut names = HashMap::new();
        for run in gather::runs(samples) {
            let series = gather::series(run).0;
            let mut rows = select.query([series]).map_err(&failed)?;
            // Samples of a series that was never named can only come from a test; they keep their number.
            let name = match rows.next().map_err(&failed)? {
                Some(row) => (row.get(0).map_err(&failed)?, row.get(1).map_err(&failed)?),
                None => (String::new(), series.to_string()),
            };
            names.insert(series, name);
        }
        Ok(names)
    }

    fn runs<'s>(
        &self,
        class: Class,
        samples: &'s [Sample],
        names: &'s HashMap<u32, (String, String)>,
    ) -> Result<Vec<(geminus_core::SeriesId, Run<'s>)>, StoreError> {
        let times = || samples.iter().map(|sample| sample.time);
        let last = times().max().map_or(Timestamp(0), |time| Timestamp(time.0.saturating_add(1)));
        let first = times().min().unwrap_or_default();
        let mut makers = Makers::new(&self.parts.reader, &self.parts.control, (first, last))?;
        let mut runs = Vec::new();
        for samples in gather::runs(samples) {
            let series = gather::series(samples);
            let Some((twin, point)) = names.get(&series.0) else { continue };
            let makers = makers.of(class, (twin, point), samples)?;
            runs.push((series, Run { twin, point, samples, makers }));
        }
        Ok(runs)
    }

    fn ask(&self, work: impl FnOnce(Sender<Result<(), StoreError>>) -> Work) -> Result<(), StoreError> {
        let (reply, answer) = bounded(1);
        self.parts.work.send(work(reply)).map_err(|_| StoreError::Closed)?;
        answer.recv().map_err(|_| StoreError::Closed)?
    }

    /// Moves a file that no longer counts out of sight of other programs; readers of ours that had looked it up still
    /// find it for a while.
    fn replace(&mut self, name: &str) {
        let (from, to) = (place::path(&self.parts.dir, name), place::passing(&self.parts.dir, name));
        match self.disk.rename(&from, &to) {
            Ok(()) => self.replaced.push_back((self.parts.clock.monotonic(), to)),
            Err(error) => {
                tracing::warn!(%error, file = %from.display(), "a replaced file is still there; it is removed later");
                self.unswept = true;
            }
        }
    }

    fn remove_replaced(&mut self) {
        let now = self.parts.clock.monotonic();
        while let Some((_, path)) =
            self.replaced.pop_front_if(|(at, _)| now.saturating_sub(*at) > REPLACED_KEPT)
        {
            if let Err(error) = self.disk.remove(&path) {
                tracing::warn!(%error, file = %path.display(), "a replaced file could not be removed");
                self.unswept = true;
            }
        }
    }
}

/// A file's row, as far as it is known before it is written.
fn describe(hour: u64, job: &Job, samples: &[Sample], name: &str, number: i64) -> Sealed {
    let series = || samples.iter().map(|sample| sample.series.0);
    Sealed {
        id: number,
        hour,
        class: job.class,
        series: (series().min().unwrap_or(0), series().max().unwrap_or(0)),
        times: crate::hot::commit::bounds(samples),
        points: samples.len(),
        bytes: 0,
        file: name.to_owned(),
        whole: job.whole,
        directory: Directory::default(),
        sums: Vec::new(),
    }
}

/// Writes and syncs a file; returns its bytes and the checksums of its sections.
fn write(sink: Box<dyn Sink>, runs: &[Run<'_>]) -> std::io::Result<(u64, Vec<u8>)> {
    let written = file::write(Summing::new(sink), runs).map_err(std::io::Error::other)?;
    let (mut sink, bytes, sums) = written.finish();
    sink.flush()?;
    sink.sync()?;
    Ok((bytes, sums))
}

#[cfg(test)]
mod tests;
