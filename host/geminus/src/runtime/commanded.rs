//! What was commanded last, by twin and behavior, and how the first commands after a change of versions are limited from
//! there.
//!
//! It outlives the host: what has changed is saved with the states (`keeper`), so a proposal costs no more than a mark. A
//! host that was killed has forgotten what came since the last save, a change of versions perhaps. So it limits rather once
//! too often: after a run that did not end in order, and where another version runs than the one that wished last, the
//! limit begins anew, from the last value that was saved.

use std::collections::{BTreeMap, HashMap};

use geminus_core::declaration::Command;
use geminus_core::{Event, Severity, TwinIndex};
use geminus_interlock as interlock;
use geminus_rollout::Bumpless;
use geminus_store::{Commanded, Control};
use geminus_twin::{BindingIndex, Plant};
use serde::{Deserialize, Serialize};

use super::chronicle::Chronicle;

/// A behavior of a twin.
type Pair = (TwinIndex, BindingIndex);

/// How the first commands of a twin are limited since its version changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Turn {
    rule: Bumpless,
    /// How many have come through, by command.
    through: BTreeMap<String, u32>,
}

impl Turn {
    fn new(rule: &Bumpless) -> Self {
        Self { rule: rule.clone(), through: BTreeMap::new() }
    }
}

/// Of one pair.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Course {
    /// Incarnation of the version whose wish came through last; 0 before the first.
    by: u32,
    /// The last value that came through, by command: its place may be another in another version.
    last: BTreeMap<String, f64>,
    turn: Option<Turn>,
    /// Whether it differs from what is saved.
    #[serde(skip)]
    changed: bool,
}

/// Of all pairs of a shard.
#[derive(Debug, Default)]
pub(crate) struct Courses(HashMap<Pair, Course>);

impl Courses {
    /// Another version answers from here on.
    pub(crate) fn switched(&mut self, pair: Pair, rule: &Bumpless) {
        let course = self.0.entry(pair).or_default();
        (course.turn, course.changed) = (Some(Turn::new(rule)), true);
    }

    /// A wish of this incarnation came through with this value.
    pub(crate) fn passed(&mut self, pair: Pair, command: &str, value: f64, by: u32) {
        let course = self.0.entry(pair).or_default();
        course.changed |= std::mem::replace(&mut course.by, by) != by;
        match course.last.get_mut(command) {
            Some(last) => course.changed |= std::mem::replace(last, value).to_bits() != value.to_bits(),
            None => {
                course.last.insert(command.to_owned(), value);
                course.changed = true;
            }
        }
        let Some(turn) = &mut course.turn else { return };
        match turn.through.get_mut(command) {
            Some(count) if *count >= turn.rule.commands => {}
            Some(count) => (*count, course.changed) = (*count + 1, true),
            None => {
                turn.through.insert(command.to_owned(), turn.rule.commands.min(1));
                course.changed = true;
            }
        }
    }

    /// The limit for a command, while it is one of the first after a change of versions and there is a wish to step from.
    pub(crate) fn limit(&self, pair: Pair, command: &Command) -> Option<interlock::Bumpless> {
        let course = self.0.get(&pair)?;
        let turn = course.turn.as_ref()?;
        if turn.through.get(&command.name).copied().unwrap_or_default() >= turn.rule.commands {
            return None;
        }
        let last = *course.last.get(&command.name)?;
        let step_max = turn.rule.step_share * (command.maximum - command.minimum);
        Some(interlock::Bumpless { last, step_max })
    }

    /// What is to be saved: of every pair that has changed since the last time.
    pub(crate) fn take_changed(&mut self) -> Vec<(Pair, String)> {
        let changed = self.0.iter_mut().filter(|(_, course)| course.changed);
        let taken = changed.filter_map(|(pair, course)| {
            course.changed = false;
            Some((*pair, serde_json::to_string(course).ok()?))
        });
        taken.collect()
    }

    /// Goes on from what an earlier run saved; `same` is the incarnation that answers now, where nothing was forgotten. A
    /// turn that no command has come through in stays as it is; otherwise one begins by `rule`, unless it is the same
    /// incarnation that wished last.
    ///
    /// # Errors
    /// When it is not what was saved.
    pub(crate) fn resume(
        &mut self,
        pair: Pair,
        document: &str,
        same: Option<u32>,
        rule: &Bumpless,
    ) -> serde_json::Result<()> {
        let mut course: Course = serde_json::from_str(document)?;
        let may_be_another = same != Some(course.by);
        let is_fresh = course.turn.as_ref().is_some_and(|turn| turn.through.is_empty());
        if may_be_another && !is_fresh && !course.last.is_empty() {
            (course.turn, course.changed) = (Some(Turn::new(rule)), true);
        }
        self.0.insert(pair, course);
        Ok(())
    }
}

/// What an earlier run saved, by pair. Pairs of twins and behaviors that the site has no more are passed over.
#[derive(Debug, Default)]
pub(crate) struct EarlierCommands {
    saved: HashMap<Pair, String>,
    /// Whether it is all that was: the run ended in order.
    is_whole: bool,
}

impl EarlierCommands {
    /// As the books have it.
    pub(crate) fn read(control: &Control, plant: &Plant, chronicle: &Chronicle) -> Self {
        match control.commanded() {
            Ok(all) => Self { saved: named(all, plant), is_whole: control.was_clean() },
            Err(error) => {
                let message = format!(
                    "what was commanded last cannot be read: {error}; first commands after a change of versions are not \
                     limited until the version that runs has proposed again"
                );
                chronicle.tell(Event::new("control-unreadable", Severity::Error, message));
                Self::default()
            }
        }
    }

    /// Whether nothing that came through was forgotten.
    pub(crate) fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Of these twins.
    pub(crate) fn of_twins(&self, here: impl Fn(TwinIndex) -> bool) -> impl Iterator<Item = (Pair, &str)> {
        let all = self.saved.iter().map(|(pair, document)| (*pair, document.as_str()));
        all.filter(move |((twin, _), _)| here(*twin))
    }
}

fn named(all: Vec<Commanded>, plant: &Plant) -> HashMap<Pair, String> {
    let twins: HashMap<&str, TwinIndex> =
        plant.indices().map(|twin| (super::id_of(plant, twin), twin)).collect();
    let bindings = (0..).map(BindingIndex).zip(&plant.bindings);
    let bindings: HashMap<&str, BindingIndex> =
        bindings.map(|(index, binding)| (binding.name.as_str(), index)).collect();
    let pair = |one: &Commanded| Some((*twins.get(one.twin.as_str())?, *bindings.get(one.binding.as_str())?));
    all.into_iter().filter_map(|one| Some((pair(&one)?, one.document))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAIR: Pair = (TwinIndex(3), BindingIndex(1));

    fn rule(step_share: f64, commands: u32) -> Bumpless {
        Bumpless { step_share, commands }
    }

    fn speed() -> Command {
        let (name, unit) = ("speed".to_owned(), "1".to_owned());
        Command { name, unit, minimum: 0.0, maximum: 10.0, description: String::new() }
    }

    fn limit(courses: &Courses) -> Option<(f64, f64)> {
        courses.limit(PAIR, &speed()).map(|limit| (limit.last, limit.step_max))
    }

    /// What a run finds that starts after this one; `runs` answers in it.
    fn after(courses: &mut Courses, runs: u32) -> Courses {
        let saved = courses.take_changed();
        assert_eq!(saved.len(), 1, "one pair has changed: {saved:?}");
        again(&saved[0].1, runs)
    }

    fn again(document: &str, runs: u32) -> Courses {
        let mut next = Courses::default();
        next.resume(PAIR, document, Some(runs), &rule(0.1, 5)).expect("as it was saved");
        next
    }

    #[test]
    fn only_so_many_commands_after_a_change_are_limited_from_the_last_wish() {
        let mut courses = Courses::default();
        courses.switched(PAIR, &rule(0.25, 2));
        assert_eq!(limit(&courses), None, "there is nothing to step from");
        courses.passed(PAIR, "speed", 4.0, 7);
        assert_eq!(limit(&courses), Some((4.0, 2.5)));
        courses.passed(PAIR, "speed", 6.0, 7);
        assert_eq!(limit(&courses), None, "two have come through");
        courses.switched(PAIR, &rule(0.5, 1));
        assert_eq!(limit(&courses), Some((6.0, 5.0)));
        courses.switched(PAIR, &rule(0.5, 0));
        assert_eq!(limit(&courses), None, "a rule that limits none");
        assert_eq!(courses.limit((TwinIndex(4), BindingIndex(1)), &speed()), None);
    }

    #[test]
    fn what_has_changed_is_saved_once() {
        let mut courses = Courses::default();
        courses.passed(PAIR, "speed", 4.0, 7);
        assert_eq!(courses.take_changed().len(), 1);
        courses.passed(PAIR, "speed", 4.0, 7);
        assert!(courses.take_changed().is_empty(), "the same wish again");
        for change in [
            (|courses: &mut Courses| courses.passed(PAIR, "speed", 4.0, 8)) as fn(&mut Courses),
            |courses| courses.passed(PAIR, "speed", 5.0, 8),
            |courses| courses.switched(PAIR, &rule(0.1, 2)),
            |courses| courses.passed(PAIR, "speed", 5.0, 8),
            |courses| courses.passed(PAIR, "speed", 5.0, 8),
        ] {
            change(&mut courses);
            assert_eq!(courses.take_changed().len(), 1);
        }
        courses.passed(PAIR, "speed", 5.0, 8);
        assert!(courses.take_changed().is_empty(), "as many have come through as are limited");
    }

    #[test]
    fn a_restart_goes_on_with_the_turn_that_was_open() {
        let mut courses = Courses::default();
        courses.passed(PAIR, "speed", 4.0, 7);
        courses.switched(PAIR, &rule(0.25, 2));
        let mut next = after(&mut courses, 8);
        assert_eq!(limit(&next), Some((4.0, 2.5)), "by its own rule, nothing has come through");
        next.passed(PAIR, "speed", 6.0, 8);
        let mut next = after(&mut next, 8);
        assert_eq!(limit(&next), Some((6.0, 2.5)), "one has");
        next.passed(PAIR, "speed", 8.0, 8);
        let next = after(&mut next, 8);
        assert_eq!(limit(&next), None, "both have");
    }

    #[test]
    fn a_restart_with_another_version_begins_a_turn_by_the_rule_of_the_site() {
        let mut courses = Courses::default();
        courses.passed(PAIR, "speed", 4.0, 7);
        let saved = courses.take_changed().remove(0).1;
        assert_eq!(limit(&again(&saved, 7)), None, "the version that wished goes on");
        // Killed after a change that was not saved, or started with another one by the site file.
        let mut next = again(&saved, 8);
        assert_eq!(limit(&next), Some((4.0, 1.0)));
        assert_eq!(next.take_changed().len(), 1, "and that is saved");
        // A rollout that the restart ended: the candidate wished last, the incumbent runs.
        next.passed(PAIR, "speed", 5.0, 8);
        assert_eq!(limit(&after(&mut next, 7)), Some((5.0, 1.0)));
        // Killed: nobody knows what came since, and the same version may have been gone back to.
        let mut next = Courses::default();
        next.resume(PAIR, &saved, None, &rule(0.1, 5)).expect("as it was saved");
        assert_eq!(limit(&next), Some((4.0, 1.0)));
        assert!(Courses::default().resume(PAIR, "[]", Some(7), &rule(0.1, 5)).is_err());
    }
}
