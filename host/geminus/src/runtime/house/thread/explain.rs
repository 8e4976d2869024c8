//! What explains an entry of the journal: the rows that led to it, the version that answered them, the line that computes
//! them again, the command that it is about and how that one stands.

use std::collections::HashMap;
use std::time::Duration;

use geminus_api::view::{ExplainView, RowsView, ThreadKind};
use geminus_command::{Proposer, Record};
use geminus_core::{Event, Timestamp, TwinIndex};
use geminus_store::{Control, Entry, Incarnation, Reader, StoreError};
use geminus_twin::Plant;
use uuid::Uuid;

use super::Thread;
use crate::runtime::commands::show;

/// How far before what is explained the rows begin.
const ROWS_BEFORE: Duration = Duration::from_secs(60);
/// How far behind it they end: the end is not among them.
const ROWS_AFTER: Duration = Duration::from_millis(2);

/// Which version with which parameters answered for a twin, and from when on.
#[derive(Debug, Default)]
pub(super) struct Versions {
    pub(super) courses: Vec<Course>,
    pub(super) known: HashMap<u32, Incarnation>,
}

/// What answered in one behavior.
#[derive(Debug, Default)]
pub(super) struct Course {
    /// Name of the behavior.
    pub(super) behavior: String,
    /// Name of its plugin.
    pub(super) plugin: String,
    /// Whether its rows are recorded.
    pub(super) is_recorded: bool,
    /// Number of whoever answered from a time on, in order of time, each another one than before.
    pub(super) steps: Vec<(Timestamp, u32)>,
}

impl Versions {
    /// From the books, and from history where a course begins. Blocks.
    pub(super) fn read(
        (control, reader): (&Control, &Reader),
        plant: &Plant,
        twin: TwinIndex,
        id: &str,
    ) -> Result<Self, StoreError> {
        let known: HashMap<u32, Incarnation> =
            control.incarnations()?.into_iter().map(|known| (known.id, known)).collect();
        let mut courses = Vec::new();
        for binding in plant.bindings.iter().filter(|binding| binding.twins.contains(&twin)) {
            let borders = control.borders(&binding.name, id)?;
            let mut steps: Vec<(Timestamp, u32)> =
                borders.into_iter().map(|(time, _, incarnation)| (time, incarnation)).collect();
            if steps.first().is_some_and(|(time, _)| *time == Timestamp(0)) {
                let first = first_row(reader, id, &binding.name)?;
                begin(&mut steps, first, |incarnation| known.get(&incarnation).map(|known| known.since));
            }
            steps.dedup_by_key(|(_, incarnation)| *incarnation);
            courses.push(Course {
                behavior: binding.name.clone(),
                plugin: binding.declaration.name.clone(),
                is_recorded: binding.record,
                steps,
            });
        }
        Ok(Self { courses, known })
    }

    fn of_behavior(&self, name: &str) -> Option<&Course> {
        self.courses.iter().find(|course| course.behavior == name)
    }

    fn of_plugin(&self, name: &str) -> Option<&Course> {
        self.courses.iter().find(|course| course.plugin == name)
    }

    /// Who answered in a behavior at this time.
    fn at(&self, course: &Course, time: Timestamp) -> Option<&Incarnation> {
        let before = course.steps.iter().rev().find(|(since, _)| *since <= time);
        let (_, incarnation) = before.or(course.steps.first())?;
        self.known.get(incarnation)
    }

    /// The behavior that an event is about, if it is one of the twin's.
    fn course_of(&self, event: &Event) -> Option<&Course> {
        let fact = |name: &str| event.facts.get(name).and_then(serde_json::Value::as_str);
        let named = ["behavior", "binding"].into_iter().filter_map(fact);
        // The alarm of an alert is called BEHAVIOR.CODE.
        let of_alarm = fact("alarm").and_then(|alarm| alarm.split_once('.')).map(|(behavior, _)| behavior);
        let mut found = named.chain(of_alarm).filter_map(|name| self.of_behavior(name));
        let of_plugin = || {
            let (name, _) = event.plugin.as_deref()?.split_once('@')?;
            self.of_plugin(name)
        };
        found.next().or_else(of_plugin)
    }
}

/// Explains entries one after the other; a command that several of them are about is read once.
pub(super) struct Explainer<'a> {
    thread: &'a Thread,
    versions: &'a Versions,
    commands: HashMap<Uuid, Option<(Record, u64)>>,
}

impl<'a> Explainer<'a> {
    pub(super) fn new(thread: &'a Thread, versions: &'a Versions) -> Self {
        Self { thread, versions, commands: HashMap::new() }
    }

    /// Blocks when the entry is about a command.
    pub(super) fn explain(&mut self, entry: &Entry, kind: ThreadKind) -> Result<ExplainView, StoreError> {
        let event = &entry.event;
        let mut view =
            ExplainView { journal: Some(entry.seq), plugin: event.plugin.clone(), ..ExplainView::default() };
        let command = event.facts.get("command").and_then(serde_json::Value::as_str);
        if let Some(id) = command.and_then(|text| text.parse::<Uuid>().ok()) {
            view.command = Some(id.to_string());
            let known = self.command(id)?;
            self.of_command(&mut view, entry.time, known.as_ref());
            return Ok(view);
        }
        let course = self.versions.course_of(event);
        let row = event.facts.get("row_ms").and_then(serde_json::Value::as_u64);
        let time = row.map_or(entry.time, Timestamp::from_millis);
        view.behavior = course.map(|course| course.behavior.clone());
        // Of people's decisions about a target or an authority there are no rows.
        let has_rows = kind == ThreadKind::Alert || course.is_some();
        if has_rows && kind != ThreadKind::Samples {
            self.name_rows(&mut view, course, (time, time));
        }
        Ok(view)
    }

    fn of_command(&self, view: &mut ExplainView, time: Timestamp, known: Option<&(Record, u64)>) {
        let Some((record, number)) = known else {
            return self.name_rows(view, None, (time, time));
        };
        let command = record.command();
        view.verdict = Some(verdict(record, *number, self.thread.now));
        match &command.proposer {
            Proposer::Behavior { name, version, digest } => {
                let course = self.versions.of_plugin(name);
                let times = command.evidence.iter().map(|evidence| evidence.time);
                let first = times.clone().min().unwrap_or(command.proposed);
                let last = times.max().unwrap_or(command.proposed);
                view.behavior = course.map(|course| course.behavior.clone());
                self.name_rows(view, course, (first, last));
                view.plugin = Some(format!("{name}@{version}"));
                view.digest = Some(digest.clone());
            }
            Proposer::Operator { .. } | Proposer::Program { .. } => {
                self.name_rows(view, None, (command.proposed, command.proposed));
            }
        }
    }

    /// The rows around these times, who answered them, and how they are computed again.
    fn name_rows(
        &self,
        view: &mut ExplainView,
        course: Option<&Course>,
        (first, last): (Timestamp, Timestamp),
    ) {
        let (from, to) = (first.minus(ROWS_BEFORE), last.plus(ROWS_AFTER));
        view.rows = Some(RowsView { from: from.into(), to: to.into() });
        let answered = course.and_then(|course| self.versions.at(course, last));
        if let Some(known) = answered
            && view.plugin.as_ref().is_none_or(|plugin| *plugin == known.plugin)
        {
            view.plugin = Some(known.plugin.clone());
            view.digest = Some(known.digest.clone());
        }
        let is_recorded = match course {
            Some(course) => course.is_recorded,
            None => self.versions.courses.iter().any(|course| course.is_recorded),
        };
        if is_recorded {
            let behavior = course.map(|course| course.behavior.as_str());
            view.replay = Some(replay(&self.thread.query.twin, behavior, view.rows));
        }
    }

    fn command(&mut self, id: Uuid) -> Result<Option<(Record, u64)>, StoreError> {
        if let Some(known) = self.commands.get(&id) {
            return Ok(known.clone());
        }
        let row = self.thread.store.outbox().command(id.as_bytes())?;
        // One that cannot be read was told when the host started.
        let known = row.and_then(|row| Some((Record::from_document(&row.document).ok()?, row.number)));
        self.commands.insert(id, known.clone());
        Ok(known)
    }
}

/// Time of the first row of a behavior that is recorded.
fn first_row(reader: &Reader, twin: &str, behavior: &str) -> Result<Option<Timestamp>, StoreError> {
    let Some(series) = reader.series(twin, &format!("{behavior}/by"))? else { return Ok(None) };
    let first = reader.range(series, Timestamp(0), Timestamp(u64::MAX), 1)?;
    Ok(first.first().map(|sample| sample.time))
}

/// Gives steps from before the first row, which have no time of a row, that of the first one; where no row is recorded, that at
/// which the host first had whoever answers. Never later than the step after it, whatever the source's clock says.
fn begin(steps: &mut [(Timestamp, u32)], first: Option<Timestamp>, since: impl Fn(u32) -> Option<Timestamp>) {
    let mut next = Timestamp(u64::MAX);
    for (time, incarnation) in steps.iter_mut().rev() {
        if *time == Timestamp(0) {
            *time = first.or_else(|| since(*incarnation)).unwrap_or_default().min(next);
        }
        next = *time;
    }
}

/// How a command stands, and who approved it.
fn verdict(record: &Record, number: u64, now: Timestamp) -> String {
    let view = show::command(record, number, now);
    let mut words = view.state.name().to_owned();
    if !view.detail.is_empty() {
        words.push_str(&format!(": {}", view.detail));
    }
    let approved: Vec<&str> = view.approvals.iter().map(|approval| approval.by.as_str()).collect();
    if !approved.is_empty() {
        words.push_str(&format!("; approved by {}", approved.join(" and ")));
    }
    words
}

/// The command line that computes rows again.
pub(super) fn replay(twin: &str, behavior: Option<&str>, rows: Option<RowsView>) -> String {
    let mut line = format!("geminus replay SITE.toml --twin {}", quoted(twin));
    if let Some(behavior) = behavior {
        line.push_str(&format!(" --behavior {}", quoted(behavior)));
    }
    if let Some(RowsView { from, to }) = rows {
        line.push_str(&format!(" --from {from} --to {to}"));
    }
    line
}

/// As one word of a command line, whatever it is.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:/@".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use geminus_core::Severity;
    use serde_json::json;

    use super::*;

    fn versions() -> Versions {
        let known = |id: u32, plugin: &str| Incarnation {
            id,
            binding: "thermal".to_owned(),
            plugin: plugin.to_owned(),
            digest: format!("sha256:{id}"),
            parameters: Vec::new(),
            since: Timestamp(1),
        };
        let course = Course {
            behavior: "thermal".to_owned(),
            plugin: "motor-thermal".to_owned(),
            is_recorded: true,
            steps: vec![(Timestamp(10), 1), (Timestamp(20), 2)],
        };
        let known = [known(1, "motor-thermal@1.0.0"), known(2, "motor-thermal@1.1.0")];
        Versions { courses: vec![course], known: known.map(|one| (one.id, one)).into() }
    }

    #[test]
    fn who_answered_is_known_at_every_time() {
        let versions = versions();
        let at = |time: u64| versions.at(&versions.courses[0], Timestamp(time)).map(|known| known.id);
        assert_eq!([at(5), at(10), at(19), at(20), at(99)], [Some(1), Some(1), Some(1), Some(2), Some(2)]);
    }

    #[test]
    fn what_began_before_the_first_row_stands_at_it_and_never_after_what_followed() {
        let check = |first: Option<u64>, steps: &[(u64, u32)], expect: &[(u64, u32)]| {
            let mut steps: Vec<_> = steps.iter().map(|(time, number)| (Timestamp(*time), *number)).collect();
            begin(&mut steps, first.map(Timestamp), |number| Some(Timestamp(u64::from(number) * 1_000)));
            let found: Vec<_> = steps.iter().map(|(time, number)| (time.0, *number)).collect();
            assert_eq!(found, expect);
        };
        check(Some(5), &[(0, 1), (20, 2)], &[(5, 1), (20, 2)]);
        check(Some(30), &[(0, 1), (20, 2)], &[(20, 1), (20, 2)]);
        check(None, &[(0, 1), (0, 2)], &[(1_000, 1), (2_000, 2)]);
        check(None, &[(0, 1), (20, 2)], &[(20, 1), (20, 2)]);
    }

    #[test]
    fn an_event_is_about_the_behavior_that_it_names() {
        let versions = versions();
        let check = |event: Event, expect: Option<&str>| {
            let found = versions.course_of(&event).map(|course| course.behavior.as_str());
            assert_eq!(found, expect, "{event:?}");
        };
        let event = || Event::new("x", Severity::Info, "");
        check(event().facts(json!({"behavior": "thermal"})), Some("thermal"));
        check(event().facts(json!({"alarm": "thermal.winding-hot"})), Some("thermal"));
        check(event().facts(json!({"alarm": "level-high"})), None);
        check(event().facts(json!({"alarm": "other.hot"})), None);
        check(event().plugin("motor-thermal@0.9.0"), Some("thermal"));
        check(event().plugin("pump-health@0.9.0"), None);
        check(event(), None);
    }

    #[test]
    fn a_replay_is_a_line_that_a_shell_takes() {
        let rows = RowsView { from: Timestamp(1_000_000_000).into(), to: Timestamp(2_000_000_000).into() };
        assert_eq!(
            replay("pump:1", Some("thermal"), Some(rows)),
            "geminus replay SITE.toml --twin pump:1 --behavior thermal --from 1970-01-01T00:00:01Z --to 1970-01-01T00:00:02Z"
        );
        assert_eq!(replay("it's; rm", None, None), r"geminus replay SITE.toml --twin 'it'\''s; rm'");
    }
}
