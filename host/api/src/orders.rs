//! Orders about commands and targets: what a house is asked to do, and the bodies that ask for it. Read strictly.

use geminus_access::Principal;
use geminus_core::{Authority, Digest};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::actor::{self, Actor, Role};
use crate::error::Failure;
use crate::request::{bad, reasoned};
use crate::view::{Level, words};

/// Seconds for which a command may be carried out, when the request does not say.
pub const WITHIN_S_DEFAULT: u32 = 600;
/// Most of them.
pub const WITHIN_S_MAX: u32 = 86_400;
/// Longest time for which a target is held or locked out by one request, in seconds.
pub const HOLD_S_MAX: u32 = 7 * 86_400;

/// A wish for a value of a target.
#[derive(Clone, Debug, PartialEq)]
pub struct Wish {
    /// UUID of version 7; `None`: the host makes one.
    pub id: Option<Uuid>,
    /// Id of the twin.
    pub twin: String,
    /// Name of the target.
    pub target: String,
    /// The wished value.
    pub value: f64,
    /// Its UCUM unit; `None`: that of the target.
    pub unit: Option<String>,
    /// Why.
    pub reason: String,
    /// Seconds from its id on in which it may be sent.
    pub within_s: u32,
}

/// What may be ordered about a command.
#[derive(Clone, Debug, PartialEq)]
pub enum CommandOrder {
    /// Approve these bytes.
    Approve {
        /// Of the bytes that were shown.
        digest: Digest,
    },
    /// Do not approve it.
    Refuse {
        /// Why.
        reason: String,
    },
    /// Take it back.
    Withdraw {
        /// Why.
        reason: String,
    },
    /// Somebody has looked what became of an indeterminate one.
    Resolve {
        /// What was found.
        note: String,
    },
}

/// What may be ordered about a target.
#[derive(Clone, Debug, PartialEq)]
pub enum TargetOrder {
    /// Take it, as an operator or for the machine's own panel.
    Hold {
        /// As what: `operator` or `local`.
        level: Level,
        /// For how long; `None`: until it is released.
        for_s: Option<u32>,
        /// Why.
        reason: String,
    },
    /// Give back what is held at this level.
    Release {
        /// As what.
        level: Level,
    },
    /// Nobody may write: somebody works on the machine.
    Lockout {
        /// For how long.
        for_s: u32,
        /// Why.
        reason: String,
    },
    /// Let go of a latched trip whose cause is over.
    Reset {
        /// Name of the trip.
        rule: String,
    },
    /// Pass over a permissive for a while.
    Bypass {
        /// Name of the permissive.
        rule: String,
        /// For how long; 0 ends a bypass.
        for_s: u32,
        /// Why.
        reason: String,
    },
}

/// Body of `POST /api/v1/commands`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProposeRequest {
    /// UUID of version 7, made by who proposes. The same id with the same body is the same command, however often it is
    /// sent. Without it the host makes one, and a repetition is another command.
    #[schema(example = "01990000-0000-7000-8000-000000000001")]
    id: Option<String>,
    /// Id of the twin.
    #[schema(example = "pump-rig-1")]
    twin: String,
    /// Name of the target.
    #[schema(example = "load-limit")]
    target: String,
    /// The wished value.
    #[schema(example = 72.5)]
    value: f64,
    /// UCUM code of its unit, which must be that of the target; that of the target unless given.
    unit: Option<String>,
    /// Why, for those who approve it. At most 500 characters.
    #[schema(example = "winding is warm")]
    reason: Option<String>,
    /// Seconds from the proposal (the time in its id) in which it may be sent; 600 unless given.
    #[schema(minimum = 1, maximum = 86400)]
    within_s: Option<u32>,
    /// Who proposes it. Without a name it counts as a program's.
    #[schema(example = "anna")]
    by: Option<String>,
}

/// Body of an approval.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApproveRequest {
    /// Digest of the command as it was shown.
    #[schema(example = "sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae")]
    digest: String,
    /// Who approves it; not who proposed it.
    #[schema(example = "ben")]
    by: Option<String>,
}

/// Body of what a person does, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReasonRequest {
    /// Why, or what was found. At most 500 characters.
    #[schema(example = "the valve is being replaced")]
    reason: Option<String>,
    /// Who; whoever is logged in, unless the site has no users.
    #[schema(example = "ben")]
    by: Option<String>,
}

/// Body of `POST /api/v1/twins/{id}/authority`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AuthorityRequest {
    /// `control` arms the twin, if the site gives it that; `advise` and `observe` hold it down until it is armed.
    #[schema(schema_with = words::authority)]
    level: Authority,
    /// Who; whoever is logged in, unless the site has no users.
    #[schema(example = "anna")]
    by: Option<String>,
    /// Why, for the journal. At most 500 characters.
    reason: Option<String>,
}

/// Body of `POST /api/v1/targets/{twin}/{name}/hold`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HoldRequest {
    /// `operator` unless given, or `local`: the machine is operated at its own panel.
    level: Option<Level>,
    /// For how many seconds; until it is released unless given.
    #[schema(minimum = 1, maximum = 604800)]
    for_s: Option<u32>,
    /// Who; whoever is logged in, unless the site has no users.
    #[schema(example = "anna")]
    by: Option<String>,
    /// Why. At most 500 characters.
    #[schema(example = "manual run")]
    reason: String,
}

/// Body of `POST /api/v1/targets/{twin}/{name}/release`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReleaseRequest {
    /// As what it is held: `operator` unless given, `local` or `lockout`.
    level: Option<Level>,
    /// Who; a lockout is released by who set it.
    #[schema(example = "anna")]
    by: Option<String>,
    /// As what; only `admin` releases the lockout of a target whose state cannot be read.
    role: Option<Role>,
}

/// Body of `POST /api/v1/targets/{twin}/{name}/lockout`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LockoutRequest {
    /// For how many seconds.
    #[schema(minimum = 1, maximum = 604800)]
    for_s: u32,
    /// Who; whoever is logged in, unless the site has no users.
    #[schema(example = "anna")]
    by: Option<String>,
    /// Why. At most 500 characters.
    #[schema(example = "coupling is being replaced")]
    reason: String,
}

/// Body of `POST /api/v1/targets/{twin}/{name}/reset`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResetRequest {
    /// Name of the trip.
    #[schema(example = "winding hot")]
    rule: String,
    /// Who; whoever is logged in, unless the site has no users.
    #[schema(example = "anna")]
    by: Option<String>,
    /// As what; `operator` unless given.
    role: Option<Role>,
}

/// Body of `POST /api/v1/targets/{twin}/{name}/bypass`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BypassRequest {
    /// Name of the permissive.
    #[schema(example = "pump runs")]
    rule: String,
    /// For how many seconds, at most what the rule allows; 0 ends a bypass.
    #[schema(minimum = 0, maximum = 86400)]
    for_s: u32,
    /// Who; whoever is logged in, unless the site has no users.
    #[schema(example = "ines")]
    by: Option<String>,
    /// As what; `operator` unless given.
    role: Option<Role>,
    /// Why. At most 500 characters.
    #[schema(example = "speed sensor is being replaced")]
    reason: String,
}

pub(crate) fn propose(body: &[u8], who: &Principal) -> Result<(Wish, Actor), Failure> {
    let ProposeRequest { id, twin, target, value, unit, reason, within_s, by } = read(body)?;
    let within_s = within_s.unwrap_or(WITHIN_S_DEFAULT);
    span("within_s", within_s, 1, WITHIN_S_MAX)?;
    let id = id.as_deref().map(uuid).transpose()?;
    let wish = Wish { id, twin, target, value, unit, reason: reasoned(reason)?, within_s };
    Ok((wish, actor::acting(who, by, None)?))
}

pub(crate) fn approve(body: &[u8], who: &Principal) -> Result<(CommandOrder, Actor), Failure> {
    let ApproveRequest { digest, by } = read(body)?;
    let digest = digest.parse().map_err(|error| bad(&format!("digest: {error}")))?;
    Ok((CommandOrder::Approve { digest }, actor::person(who, by, None)?))
}

pub(crate) fn refuse(body: &[u8], who: &Principal) -> Result<(CommandOrder, Actor), Failure> {
    reason(body, who).map(|(reason, actor)| (CommandOrder::Refuse { reason }, actor))
}

pub(crate) fn withdraw(body: &[u8], who: &Principal) -> Result<(CommandOrder, Actor), Failure> {
    reason(body, who).map(|(reason, actor)| (CommandOrder::Withdraw { reason }, actor))
}

pub(crate) fn resolve(body: &[u8], who: &Principal) -> Result<(CommandOrder, Actor), Failure> {
    reason(body, who).map(|(note, actor)| (CommandOrder::Resolve { note }, actor))
}

/// Who does something, and why.
fn reason(body: &[u8], who: &Principal) -> Result<(String, Actor), Failure> {
    let ReasonRequest { reason, by } = read(body)?;
    Ok((reasoned(reason)?, actor::person(who, by, None)?))
}

/// How far, who, and why.
pub(crate) fn authority(body: &[u8], who: &Principal) -> Result<(Authority, String, Actor), Failure> {
    let AuthorityRequest { level, by, reason } = read(body)?;
    Ok((level, reasoned(reason)?, actor::person(who, by, None)?))
}

pub(crate) fn hold(body: &[u8], who: &Principal) -> Result<(TargetOrder, Actor), Failure> {
    let HoldRequest { level, for_s, by, reason } = read(body)?;
    let level = level.unwrap_or(Level::Operator);
    if !matches!(level, Level::Operator | Level::Local) {
        return Err(bad("level must be operator or local; a lockout has its own address"));
    }
    for_s.map_or(Ok(()), |for_s| span("for_s", for_s, 1, HOLD_S_MAX))?;
    let order = TargetOrder::Hold { level, for_s, reason: said(reason)? };
    Ok((order, actor::person(who, by, None)?))
}

pub(crate) fn release(body: &[u8], who: &Principal) -> Result<(TargetOrder, Actor), Failure> {
    let ReleaseRequest { level, by, role } = read(body)?;
    let level = level.unwrap_or(Level::Operator);
    Ok((TargetOrder::Release { level }, actor::person(who, by, role)?))
}

pub(crate) fn lockout(body: &[u8], who: &Principal) -> Result<(TargetOrder, Actor), Failure> {
    let LockoutRequest { for_s, by, reason } = read(body)?;
    span("for_s", for_s, 1, HOLD_S_MAX)?;
    Ok((TargetOrder::Lockout { for_s, reason: said(reason)? }, actor::person(who, by, None)?))
}

pub(crate) fn reset(body: &[u8], who: &Principal) -> Result<(TargetOrder, Actor), Failure> {
    let ResetRequest { rule, by, role } = read(body)?;
    Ok((TargetOrder::Reset { rule }, actor::person(who, by, role)?))
}

pub(crate) fn bypass(body: &[u8], who: &Principal) -> Result<(TargetOrder, Actor), Failure> {
    let BypassRequest { rule, for_s, by, role, reason } = read(body)?;
    span("for_s", for_s, 0, 86_400)?;
    let order = TargetOrder::Bypass { rule, for_s, reason: said(reason)? };
    Ok((order, actor::person(who, by, role)?))
}

/// An id of a command in a path or a body.
pub(crate) fn uuid(text: &str) -> Result<Uuid, Failure> {
    Uuid::try_parse(text).map_err(|_| bad(&format!("{text:?} is no id of a command: ids are UUIDs")))
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(body).map_err(|error| bad(&error.to_string()))
}

fn said(reason: String) -> Result<String, Failure> {
    match reasoned(Some(reason))? {
        reason if reason.is_empty() => Err(bad("say why: reason must not be empty")),
        reason => Ok(reason),
    }
}

fn span(name: &str, value: u32, least: u32, most: u32) -> Result<(), Failure> {
    match (least..=most).contains(&value) {
        true => Ok(()),
        false => Err(bad(&format!("{name} must be {least} to {most}, not {value}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal<T>(result: Result<T, Failure>) -> String {
        result.err().map(|failure| format!("{failure:?}")).unwrap_or_default()
    }

    #[test]
    fn a_wish_has_a_deadline_and_a_proposer() {
        let (wish, actor) =
            propose(br#"{"twin":"p","target":"t","value":1.5}"#, &Principal::local()).expect("a wish");
        assert_eq!((wish.id, wish.within_s, actor.is_person), (None, 600, false));
        let (_, actor) = propose(br#"{"twin":"p","target":"t","value":1.5,"by":"Ann"}"#, &Principal::local())
            .expect("a wish");
        assert!(actor.is_person && actor.name == "Ann");
        for (body, says) in [
            (r#"{"twin":"p","target":"t","value":1.5,"within_s":0}"#, "within_s must be 1 to 86400"),
            (r#"{"twin":"p","target":"t","value":1.5,"id":"seven"}"#, "is no id of a command"),
            (r#"{"twin":"p","target":"t"}"#, "missing field `value`"),
            (r#"{"twin":"p","target":"t","value":1e999}"#, "number out of range"),
            (r#"{"twin":"p","target":"t","value":1,"class":"free"}"#, "unknown field `class`"),
        ] {
            let text = refusal(propose(body.as_bytes(), &Principal::local()));
            assert!(text.contains(says), "{body}: {text}");
        }
    }

    #[test]
    fn what_a_person_answers_for_needs_a_name_and_a_reason() {
        for (text, says) in [
            (refusal(approve(br#"{"digest":"sha256:00","by":"b"}"#, &Principal::local())), "digest"),
            (refusal(reason(br#"{"by":" "}"#, &Principal::local())), "by must name the person"),
            (refusal(hold(br#"{"by":"a","reason":" "}"#, &Principal::local())), "say why"),
            (
                refusal(hold(br#"{"by":"a","reason":"r","level":"lockout"}"#, &Principal::local())),
                "operator or local",
            ),
            (
                refusal(lockout(br#"{"by":"a","reason":"r","for_s":0}"#, &Principal::local())),
                "for_s must be 1 to",
            ),
            (
                refusal(bypass(br#"{"by":"a","reason":"r","rule":"x","for_s":86401}"#, &Principal::local())),
                "for_s must be 0 to",
            ),
            (
                refusal(reset(br#"{"by":"a","rule":"x","role":"boss"}"#, &Principal::local())),
                "unknown variant `boss`",
            ),
        ] {
            assert!(text.contains(says), "{text}: {says}");
        }
    }
}
