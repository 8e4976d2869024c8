//! Closed lists of words that the core owns, described for the OpenAPI document.
//!
//! The core knows no OpenAPI; these functions list its names, and a test here fails when the core spells one of
//! them differently.

use geminus_rollout::Phase;
use utoipa::openapi::Ref;
use utoipa::openapi::schema::{Object, ObjectBuilder, OneOfBuilder, Schema, Type};

const AUTHORITY: [&str; 3] = ["observe", "advise", "control"];
const KIND: [&str; 4] = ["estimator", "surrogate", "health-rule", "command-policy"];
const PRIORITY: [&str; 5] = ["journal", "low", "medium", "high", "critical"];
const QUALITY: [&str; 5] = ["good", "uncertain", "bad", "stale", "missing"];
const ROLE: [&str; 7] =
    ["estimate", "deviation", "innovation", "nis", "health-index", "converged", "diagnostic"];
const SEVERITY: [&str; 3] = ["info", "warning", "error"];

const CHANGE_SEVERITY: [&str; 3] = ["info", "widening", "breaking"];
const VERDICT_STATE: [&str; 3] = ["pass", "open", "fail"];

fn words(list: &[&str], nullable: bool, about: &str) -> Object {
    let text = ObjectBuilder::new().description(Some(about));
    match nullable {
        false => text.schema_type(Type::String).enum_values(Some(list.to_vec())).build(),
        true => text
            .schema_type(utoipa::openapi::schema::SchemaType::from_iter([Type::String, Type::Null]))
            .enum_values(Some(list.iter().map(|word| Some(*word)).chain([None]).collect::<Vec<_>>()))
            .build(),
    }
}

pub(crate) fn authority() -> Object {
    words(&AUTHORITY, false, "How far the twin's behaviors may reach.")
}

pub(crate) fn kind() -> Object {
    words(&KIND, false, "What the behavior does for a twin.")
}

pub(crate) fn priority() -> Object {
    words(&PRIORITY, false, "After ISA-18.2, worst last.")
}

pub(crate) fn alarm_state() -> Object {
    let about = "How an alarm stands: the states of ISA-18.2, or why it is suppressed.";
    words(&geminus_alarm::Shown::ALL.map(geminus_alarm::Shown::name), false, about)
}

pub(crate) fn command_state() -> Object {
    let about = "Where a command stands; see the book.";
    words(&geminus_command::Phase::ALL.map(geminus_command::Phase::name), false, about)
}

pub(crate) fn highest() -> Object {
    words(&PRIORITY, true, "Worst priority among the active alerts; null when there is none.")
}

pub(crate) fn quality() -> Object {
    words(
        &QUALITY,
        false,
        "How far the value may be trusted, worst last. Only good and uncertain are usable.",
    )
}

pub(crate) fn role() -> Object {
    words(&ROLE, true, "What an estimated number is; null for a measured point.")
}

pub(crate) fn severity() -> Object {
    words(&SEVERITY, false, "How much an operator should care.")
}

pub(crate) fn change_severity() -> Object {
    words(&CHANGE_SEVERITY, false, "How far the change reaches, worst last.")
}

pub(crate) fn phase() -> Object {
    let about = "Where a rollout stands. The last four are ends: `permanent` the new version has taken over, \
                 `rolled-back` it had answered for twins and was taken back, `failed` it never answered for one, \
                 `cancelled` a person or a newer version ended it.";
    words(&Phase::ALL.map(Phase::name), false, about)
}

pub(crate) fn verdict_state() -> Object {
    words(&VERDICT_STATE, true, "What the checks say together; null while nothing was compared.")
}

/// Schemas of the rollout room, which the document takes over as they are.
pub(crate) fn plan() -> Ref {
    Ref::from_schema_name("RolloutPlan")
}

pub(crate) fn verdict() -> Schema {
    or_null("RolloutVerdict")
}

pub(crate) fn evidence() -> Schema {
    or_null("RolloutEvidence")
}

fn or_null(name: &str) -> Schema {
    let null = ObjectBuilder::new().schema_type(Type::Null);
    OneOfBuilder::new().item(null).item(Ref::from_schema_name(name)).build().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use geminus_core::declaration::{Kind, Priority, Role};
    use geminus_core::{Authority, Quality, Severity};
    use geminus_rollout::VerdictState;

    fn check(list: &[&str], core: &[impl serde::Serialize]) {
        let names: Vec<_> = core.iter().map(|word| serde_json::to_value(word).expect("word")).collect();
        assert_eq!(list, names.iter().map(|name| name.as_str().expect("text")).collect::<Vec<_>>());
    }

    #[test]
    fn the_lists_are_those_of_the_core() {
        check(&AUTHORITY, &[Authority::Observe, Authority::Advise, Authority::Control]);
        check(&KIND, &[Kind::Estimator, Kind::Surrogate, Kind::HealthRule, Kind::CommandPolicy]);
        check(
            &PRIORITY,
            &[Priority::Journal, Priority::Low, Priority::Medium, Priority::High, Priority::Critical],
        );
        check(&QUALITY, &[Quality::Good, Quality::Uncertain, Quality::Bad, Quality::Stale, Quality::Missing]);
        check(
            &ROLE,
            &[
                Role::Estimate,
                Role::Deviation,
                Role::Innovation,
                Role::Nis,
                Role::HealthIndex,
                Role::Converged,
                Role::Diagnostic,
            ],
        );
        check(&VERDICT_STATE, &[VerdictState::Pass, VerdictState::Open, VerdictState::Fail]);
        check(&Phase::ALL.map(Phase::name), &Phase::ALL);
        check(&geminus_command::Phase::ALL.map(geminus_command::Phase::name), &geminus_command::Phase::ALL);
        check(&SEVERITY, &[Severity::Info, Severity::Warning, Severity::Error]);
    }
}
