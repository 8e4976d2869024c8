//! The way of one twin's rows through the versions that answered them, from one kept state to the next.
//!
//! Where a version began, or a state was put back, `control.db` has a checkpoint: there the component is opened anew
//! with that state. Where one was kept as time went by, it is held against the state that was computed. Rows whose
//! answerer is known, but not its state, cannot be run again; they are told with the reason.
//!
//! One state is known though it was not kept: a version on trial that fails in a row leaves that row to the incumbent,
//! which had been fed all rows beside it. Its state is written down after that row; before it, it is the last one that
//! was written down of it, and all rows since, whoever answered them.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use anyhow::Context as _;
use geminus_behavior::Stepped;
use geminus_core::{Declaration, Timestamp};
use geminus_store::{Border, Checkpoint};

use super::archive::Archive;
use super::deck::{Deck, Kept};
use super::tape::{Reel, Tape};
use super::{Span, Subject};

/// Rows in one call. A part of what is printed: fuel depends on it a little, so it is the same everywhere.
const ROWS_PER_CALL: usize = 4096;

/// What happens on the way.
#[derive(Debug)]
pub(super) enum Scene {
    /// Rows before the span were stepped, so that the state at its beginning is there.
    Before { rows: u64 },
    /// The first row of the span that can be run comes next.
    Here(Handover),
    /// Rows were run.
    Rows(Played),
    /// Nobody had answered these.
    Unanswered(Reel),
    /// Rows that cannot be run again.
    Lost { reel: Reel, why: String },
    /// A state begins.
    Border(Passed),
    /// The state at this time was held against the one that was kept.
    State { time: Timestamp, equal: bool },
}

/// Rows that were run, and what came of them.
#[derive(Debug)]
pub(super) struct Played {
    pub(super) reel: Reel,
    pub(super) stepped: Stepped,
    pub(super) declaration: Arc<Declaration>,
}

/// A border that was passed.
#[derive(Clone, Debug)]
pub(super) struct Passed {
    pub(super) time: Timestamp,
    pub(super) border: Border,
    pub(super) label: String,
    pub(super) digest: String,
    /// Whether the state that was computed up to here is the one that was put back; `None` where another version begins.
    pub(super) continues: Option<bool>,
    /// Why it cannot go on from here, if it cannot.
    pub(super) trouble: Option<String>,
}

/// Who is at work where the span begins, for another version to take over from.
#[derive(Debug)]
pub(super) struct Handover {
    pub(super) declaration: Arc<Declaration>,
    /// A state for each schema that it writes, and what it has without state.
    pub(super) states: Vec<geminus_behavior::Snapshot>,
}

/// The way.
#[derive(Debug)]
pub(super) struct Course {
    subject: Subject,
    span: Span,
    tape: Option<Tape>,
    /// Of tapes with other columns, which were read before: times without a row, and series that history lacks.
    stray: u64,
    absent: BTreeSet<String>,
    /// Checkpoints to come.
    marks: VecDeque<Checkpoint>,
    /// The last row before the last border that was passed.
    turned: Option<Timestamp>,
    deck: Option<Deck>,
    /// Why there is no deck.
    why: String,
    /// Rows before this time have been read.
    read: Timestamp,
    /// Runs of the reel that was read last.
    runs: VecDeque<Reel>,
    begun: bool,
}

impl Course {
    /// Begins at the last state before the span that was kept, or with its first row.
    pub(super) fn begin(archive: &mut Archive, subject: &Subject, span: Span) -> anyhow::Result<Self> {
        let (behavior, twin) = (&subject.behavior, &subject.twin);
        let first = archive.control.checkpoint_before(behavior, twin, span.from)?;
        // With all that were written down after the same row.
        let from = first.as_ref().map_or(span.from, |mark| mark.row_time);
        let marks = archive.control.checkpoints(behavior, twin, from, span.to)?;
        let read = first.as_ref().map_or(span.from, |mark| after(mark.row_time));
        let mut course = Self {
            subject: subject.clone(),
            span,
            tape: None,
            stray: 0,
            absent: BTreeSet::new(),
            marks: marks.into(),
            turned: None,
            deck: None,
            why: "no state before it was kept".to_owned(),
            read,
            runs: VecDeque::new(),
            begun: false,
        };
        let numbers: Vec<u32> = course.marks.iter().map(|mark| mark.incarnation).collect();
        let numbers = numbers.into_iter().chain(archive.incarnations(behavior));
        // Whoever it is: versions of one behavior have the same columns until the site gives it others.
        for number in numbers {
            if let Ok(declaration) = archive.declaration(number) {
                course.lay(archive, &declaration)?;
                break;
            }
        }
        Ok(course)
    }

    /// Reads on with the columns of this declaration.
    fn lay(&mut self, archive: &Archive, declaration: &Declaration) -> anyhow::Result<()> {
        let span = Span { from: self.read, to: self.span.to };
        self.tape = Some(Tape::open(&archive.reader, &self.subject, declaration, span)?);
        Ok(())
    }

    /// Notes what this tape had to tell up to the row from which on another one is read, if a row of it was run.
    fn put_by(&mut self, stray: u64) {
        self.stray += stray;
        let Some(tape) = self.tape.as_mut().filter(|tape| tape.used) else { return };
        self.absent.extend(tape.absent.drain(..));
    }

    /// What happens next; `None` at the end.
    pub(super) fn next(&mut self, archive: &mut Archive) -> anyhow::Result<Option<Scene>> {
        loop {
            if let Some(scene) = self.play(archive)? {
                return Ok(Some(scene));
            }
            let border = self.marks.front().map(|mark| after(mark.row_time));
            if border.is_some_and(|border| border <= self.read) {
                let mark = self.marks.pop_front();
                if let Some(scene) = mark.map(|mark| self.pass(archive, &mark)).transpose()?.flatten() {
                    return Ok(Some(scene));
                }
                continue;
            }
            let limit = if self.read < self.span.from { self.span.from } else { self.span.to };
            let limit = border.map_or(limit, |border| border.min(limit));
            if self.read >= limit {
                return Ok(None);
            }
            self.load(limit)?;
        }
    }

    /// Reads the next rows before `limit`.
    fn load(&mut self, limit: Timestamp) -> anyhow::Result<()> {
        let reel = match &mut self.tape {
            Some(tape) => tape.read(limit, ROWS_PER_CALL)?,
            None => Reel::default(),
        };
        self.read = match reel.frame.times.last() {
            Some(last) if reel.by.len() == ROWS_PER_CALL => after(*last),
            _ => limit,
        };
        self.runs = reel.runs().into();
        Ok(())
    }

    /// Runs the next rows that are loaded.
    fn play(&mut self, archive: &mut Archive) -> anyhow::Result<Option<Scene>> {
        let Some(next) = self.runs.front() else { return Ok(None) };
        let by = next.by.first().copied().unwrap_or(0);
        let first = next.frame.times.first().copied().unwrap_or_default();
        let next_stray = next.stray.first().copied().unwrap_or(0);
        let within = first >= self.span.from;
        if by != 0 && self.deck.as_ref().is_none_or(|deck| deck.incarnation != by) {
            self.stand_in(archive, by, first);
        }
        if let Some(declaration) = self.deck.as_ref().map(|deck| Arc::clone(deck.declaration()))
            && !self.tape.as_ref().is_some_and(|tape| tape.fits(&declaration))
        {
            // The site has given the behavior other columns.
            self.put_by(next_stray);
            self.read = first;
            self.runs.clear();
            self.lay(archive, &declaration)?;
            return Ok(None);
        }
        if within
            && !self.begun
            && by != 0
            && let Some(deck) = &mut self.deck
        {
            self.begun = true;
            return Ok(Some(Scene::Here(Handover::from(deck)?)));
        }
        let Some(reel) = self.runs.pop_front() else { return Ok(None) };
        let rows = reel.frame.rows() as u64;
        let deck = self.deck.as_mut().filter(|deck| by != 0 && deck.incarnation == by);
        Ok(Some(match (deck, within) {
            (None, false) => Scene::Before { rows: 0 },
            (None, true) if by == 0 => Scene::Unanswered(reel),
            (None, true) => Scene::Lost { reel, why: self.why.clone() },
            (Some(deck), within) => {
                self.tape.iter_mut().for_each(|tape| tape.used = true);
                let stepped = deck.step(&reel.frame)?;
                let declaration = Arc::clone(deck.declaration());
                match within {
                    false => Scene::Before { rows },
                    true => Scene::Rows(Played { reel, stepped, declaration }),
                }
            }
        }))
    }

    /// Another one answers than the state at hand is of: goes on only when it has no state, or was fed beside it.
    fn stand_in(&mut self, archive: &mut Archive, by: u32, first: Timestamp) {
        self.deck = None;
        let found =
            archive.opened(&self.subject, by).and_then(|deck| match deck.declaration().state.schema {
                0 => Ok(deck),
                _ => self.fed_beside(archive, deck, first),
            });
        match found {
            Ok(deck) => self.deck = Some(deck),
            Err(error) => self.why = format!("{error:#}"),
        }
    }

    /// The state before `first` of whoever takes a row back, as its next checkpoint says: on trial both versions are
    /// given every row, whoever answers it.
    fn fed_beside(&self, archive: &Archive, mut deck: Deck, first: Timestamp) -> anyhow::Result<Deck> {
        let by = deck.incarnation;
        let takes_back = |mark: &Checkpoint| mark.border == Border::Switch && mark.incarnation == by;
        let (behavior, twin) = (&self.subject.behavior, &self.subject.twin);
        let mut last = match self.marks.front().is_some_and(takes_back) {
            true => archive.control.checkpoint_before(behavior, twin, first)?,
            false => None,
        };
        while let Some(other) = last.take_if(|mark| mark.incarnation != by) {
            last = archive.control.checkpoint_before(behavior, twin, other.row_time)?;
        }
        let label = || deck.declaration().label();
        let mark = last.with_context(|| format!("the state with which {} began was not kept", label()))?;
        deck.put(&Kept {
            schema: mark.schema,
            row_time: mark.row_time,
            rows: mark.rows,
            bytes: &mark.bytes,
        })?;
        let span = Span { from: after(mark.row_time), to: first };
        let mut tape = Tape::open(&archive.reader, &self.subject, deck.declaration(), span)?;
        loop {
            let reel = tape.read(first, ROWS_PER_CALL)?;
            if reel.by.is_empty() {
                return Ok(deck);
            }
            deck.step(&reel.frame)?;
        }
    }

    /// Passes a checkpoint.
    fn pass(&mut self, archive: &mut Archive, mark: &Checkpoint) -> anyhow::Result<Option<Scene>> {
        let kept = Kept { schema: mark.schema, row_time: mark.row_time, rows: mark.rows, bytes: &mark.bytes };
        let own = self.deck.as_mut().filter(|deck| deck.incarnation == mark.incarnation);
        let equal = own.map(|deck| deck.is_at(&kept)).transpose().unwrap_or(Some(false));
        let time = mark.row_time;
        match (mark.border, equal) {
            (Border::Periodic, Some(true)) => {
                return Ok((time >= self.span.from).then_some(Scene::State { time, equal: true }));
            }
            // Taken before that border, with no row between, and written down after it.
            (Border::Periodic, _) if self.turned == Some(time) => return Ok(None),
            (Border::Periodic, _) => {}
            _ => self.turned = Some(time),
        }
        let opened = archive.opened(&self.subject, mark.incarnation).and_then(|mut deck| {
            deck.put(&kept)
                .with_context(|| format!("the state kept at {} is refused", super::times::rfc3339(time)))?;
            Ok(deck)
        });
        let trouble = match opened {
            Ok(deck) => {
                self.deck = Some(deck);
                None
            }
            Err(error) => {
                self.deck = None;
                self.why = format!("{error:#}");
                Some(self.why.clone())
            }
        };
        let (label, digest) = archive.name(mark.incarnation);
        let within = time >= self.span.from;
        Ok(match (mark.border, equal) {
            _ if !within => None,
            (Border::Periodic, Some(equal)) => Some(Scene::State { time, equal }),
            (border, continues) => {
                Some(Scene::Border(Passed { time, border, label, digest, continues, trouble }))
            }
        })
    }

    /// What was not recorded or could not be read, in words.
    pub(super) fn notes(&self, archive: &Archive) -> Vec<String> {
        let mut notes = Vec::new();
        let Subject { behavior, twin, .. } = &self.subject;
        let Some(tape) = &self.tape else {
            notes.push(format!("no version that answered for {behavior} of {twin} is known here"));
            return notes;
        };
        let absent = self.absent.iter().chain(tape.absent.iter().filter(|name| !self.absent.contains(*name)));
        notes.extend(absent.map(|name| format!("history has no series {name} of {twin}")));
        let stray = self.stray + tape.stray;
        if stray > 0 {
            notes.push(format!("{stray} times have outputs in history, but the row was not recorded"));
        }
        notes.extend(archive.reader.damage().iter().map(|damage| {
            format!("block {} of {} in hot.db is damaged: {}", damage.block, damage.table, damage.finding)
        }));
        notes.extend(archive.control.damage().iter().map(|state| {
            format!("a checkpoint of {} of {} is damaged and was passed over", state.binding, state.twin)
        }));
        notes
    }
}

/// The first moment after a row.
fn after(time: Timestamp) -> Timestamp {
    Timestamp(time.0.saturating_add(1))
}

impl Handover {
    fn from(deck: &mut Deck) -> anyhow::Result<Self> {
        let declaration = Arc::clone(deck.declaration());
        let schemas: Vec<Option<u32>> = match declaration.state.schema {
            0 => vec![None],
            _ => declaration.state.writes.iter().map(|schema| Some(*schema)).collect(),
        };
        let states = schemas.into_iter().map(|schema| deck.state(schema)).collect::<Result<_, _>>()?;
        Ok(Self { declaration, states })
    }
}
