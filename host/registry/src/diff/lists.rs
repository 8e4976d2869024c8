//! The named lists of a declaration, entry by entry: what went, what came, what moved, what means something else.

use geminus_core::Declaration;

use super::ChangeSeverity::{self, Breaking, Info, Widening};
use super::{Diff, wider};

/// Severities of an entry that is new, gone or at another place.
struct Grades {
    new: ChangeSeverity,
    gone: ChangeSeverity,
}

pub(super) fn compare(diff: &mut Diff, old: &Declaration, new: &Declaration) {
    let laid_out = Grades { new: Breaking, gone: Breaking };
    walk(
        diff,
        "input",
        &laid_out,
        (&old.inputs, &new.inputs),
        |i| &i.name,
        |diff, what, old, new| {
            diff.compare(what, Breaking, "unit", (&old.unit, &new.unit));
            diff.compare(what, Breaking, "arrival", (&old.arrival, &new.arrival));
            diff.compare(what, Breaking, "whether it is required", (&old.required, &new.required));
        },
    );
    walk(
        diff,
        "output",
        &laid_out,
        (&old.outputs, &new.outputs),
        |o| &o.name,
        |diff, what, old, new| {
            diff.compare(what, Breaking, "unit", (&old.unit, &new.unit));
            diff.compare(what, Breaking, "role", (&old.role, &new.role));
            diff.compare(what, Breaking, "what it is of", (&old.of, &new.of));
        },
    );
    walk(
        diff,
        "alert",
        &laid_out,
        (&old.alerts, &new.alerts),
        |a| &a.code,
        |diff, what, old, new| {
            diff.compare(what, Breaking, "unit", (&old.unit, &new.unit));
            diff.compare(what, Info, "priority", (&old.priority, &new.priority));
            diff.compare(what, Info, "text", (&old.text, &new.text));
        },
    );
    let granted = Grades { new: Widening, gone: Info };
    walk(
        diff,
        "command",
        &granted,
        (&old.commands, &new.commands),
        |c| &c.name,
        |diff, what, old, new| {
            diff.compare(what, Breaking, "unit", (&old.unit, &new.unit));
            let severity = if wider(old, new) { Widening } else { Info };
            let range = |c: &geminus_core::declaration::Command| [c.minimum, c.maximum];
            diff.compare(what, severity, "range", (&range(old), &range(new)));
        },
    );
    walk(
        diff,
        "look-up",
        &granted,
        (&old.lookups, &new.lookups),
        |l| &l.name,
        |diff, what, old, new| {
            diff.compare(what, Breaking, "unit", (&old.unit, &new.unit));
            diff.compare(what, Widening, "what it reads", (&old.kind, &new.kind));
        },
    );
}

fn walk<T>(
    diff: &mut Diff,
    list: &str,
    grades: &Grades,
    (old, new): (&[T], &[T]),
    name: impl Fn(&T) -> &String,
    changed: impl Fn(&mut Diff, &str, &T, &T),
) {
    for (place, entry) in old.iter().enumerate() {
        let what = format!("{list} {}", name(entry));
        match new.iter().enumerate().find(|(_, other)| name(other) == name(entry)) {
            None => diff.note(what, grades.gone, "is gone"),
            Some((other, after)) => {
                if other != place {
                    let text = format!("moved from place {} to {}", place + 1, other + 1);
                    diff.note(what.clone(), Breaking, text);
                }
                changed(diff, &what, entry, after);
            }
        }
    }
    for entry in new.iter().filter(|entry| !old.iter().any(|other| name(other) == name(entry))) {
        diff.note(format!("{list} {}", name(entry)), grades.new, "is new");
    }
}
