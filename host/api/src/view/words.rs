//! Closed lists of words that the core owns, described for the OpenAPI document.
//!
//! The core knows no OpenAPI; these functions list its names, and a test here fails when the core spells one of
//! them differently.

use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

const AUTHORITY: [&str; 3] = ["observe", "advise", "control"];
const KIND: [&str; 4] = ["estimator", "surrogate", "health-rule", "command-policy"];
const PRIORITY: [&str; 5] = ["journal", "low", "medium", "high", "critical"];
const QUALITY: [&str; 5] = ["good", "uncertain", "bad", "stale", "missing"];
const ROLE: [&str; 7] =
    ["estimate", "deviation", "innovation", "nis", "health-index", "converged", "diagnostic"];
const SEVERITY: [&str; 3] = ["info", "warning", "error"];

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

#[cfg(test)]
mod tests {
    use super::*;
    use geminus_core::declaration::{Kind, Priority, Role};
    use geminus_core::{Authority, Quality, Severity};

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
        check(&SEVERITY, &[Severity::Info, Severity::Warning, Severity::Error]);
    }
}
