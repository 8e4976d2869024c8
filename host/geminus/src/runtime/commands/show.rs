//! Commands, targets and authority as the API and the journal have them.

use geminus_api::view as api;
use geminus_command::{
    Authorities, Doubt, Event as Step, Lateness, Phase, Precedence, Proposer, Record, State,
};
use geminus_core::{Event, Severity, Timestamp};
use geminus_interlock::{Line, Moment};
use geminus_store::Transition;
use uuid::Uuid;

use super::books::Books;
use super::desk::Desk;

/// One command as it stands.
pub(crate) fn command(record: &Record, number: u64, now: Timestamp) -> api::CommandView {
    let command = record.command();
    let state = record.state();
    let standing: Vec<&str> = record.standing(now).map(|approval| approval.by.as_str()).collect();
    let read_back = match state {
        State::Verified { read_back } => Some(api::ReadBackView {
            value: read_back.value,
            time: read_back.time.into(),
            received: read_back.received.into(),
        }),
        _ => None,
    };
    api::CommandView {
        id: command.id.to_string(),
        number,
        twin: command.twin.clone(),
        target: command.target.clone(),
        value: command.value,
        unit: command.unit.clone(),
        digest: record.digest().to_string(),
        class: command.class.clone(),
        proposer: proposer(&command.proposer),
        reason: command.reason.clone(),
        evidence: command
            .evidence
            .iter()
            .map(|one| api::EvidenceView {
                point: one.point.clone(),
                value: one.value,
                quality: one.quality,
                time: one.time.into(),
            })
            .collect(),
        proposed: command.proposed.into(),
        not_after: command.not_after.into(),
        state: record.phase(),
        since: record.since().into(),
        detail: detail(record, now),
        rule: match state {
            State::Refused { rule, .. } => Some(rule.clone()),
            _ => None,
        },
        until: match state {
            State::Held { until } | State::Armed { until } => Some((*until).into()),
            State::Indeterminate { settle_until, .. } => settle_until.map(Into::into),
            _ => None,
        },
        approvers: record.terms().approvers,
        missing_approvals: record.missing_approvals(now),
        approvals: record
            .approvals()
            .iter()
            .map(|one| api::ApprovalView {
                by: one.by.clone(),
                at: one.at.into(),
                holds: standing.contains(&one.by.as_str()),
            })
            .collect(),
        sent: record.sent().map(Into::into),
        receipt: record.receipt().map(|one| api::ReceiptView { text: one.text.clone(), at: one.at.into() }),
        read_back,
        resolved: record.resolved().map(|one| api::ResolvedView {
            by: one.by.clone(),
            note: one.note.clone(),
            at: one.at.into(),
        }),
    }
}

fn proposer(proposer: &Proposer) -> api::ProposerView {
    let view =
        |kind, name: &str| api::ProposerView { kind, name: name.to_owned(), version: None, digest: None };
    match proposer {
        Proposer::Behavior { name, version, digest } => api::ProposerView {
            version: Some(version.clone()),
            digest: Some(digest.clone()),
            ..view(api::ProposerKind::Behavior, name)
        },
        Proposer::Operator { name } => view(api::ProposerKind::Operator, name),
        Proposer::Program { name, .. } => view(api::ProposerKind::Program, name),
    }
}

/// What is known of a state, in words.
fn detail(record: &Record, now: Timestamp) -> String {
    match record.state() {
        State::Held { .. } => match record.missing_approvals(now) {
            0 => "approved; waits for the command before it".to_owned(),
            1 => "waits for one person".to_owned(),
            more => format!("waits for {more} people"),
        },
        State::Refused { reason, .. } | State::Failed { reason } => reason.clone(),
        State::Expired { at, cause } => {
            let over = match cause {
                Lateness::NotAfter => "its deadline was over",
                Lateness::Approval => "the time for approval was over",
                Lateness::Arming => "it was not sent in time after it was armed",
                Lateness::ClockWentBack => "the clock of the host went back",
            };
            format!("{over} while it was {at}")
        }
        State::Superseded { by } => format!("command {by} took its place"),
        State::Indeterminate { doubt, .. } => {
            let doubt = match doubt {
                Doubt::NoAnswer => "the transport did not answer in time",
                Doubt::Lost { reason } => reason,
                Doubt::NoReadBack => "no read-back showed it in time",
                Doubt::Restart => "the host stopped before an answer came",
                Doubt::ClockWentBack => "the clock of the host went back",
            };
            match record.overtaken() {
                Some(newer) => format!(
                    "{doubt}; command {newer}, which is read back at the same point, was sent after it"
                ),
                None => doubt.to_owned(),
            }
        }
        State::Proposed | State::Checked | State::Armed { .. } | State::Sent => String::new(),
        State::TransportAcked | State::Verified { .. } => String::new(),
    }
}

/// What the journal says of a change; `None` for one that leads nowhere by itself.
pub(crate) fn event(record: &Record, step: &Step, before: Phase) -> Option<Event> {
    let command = record.command();
    let what = format!("{} = {} {} for {}", command.target, command.value, command.unit, command.twin);
    let phase = record.phase();
    let (kind, severity, message) = match step {
        Step::Approve { by, .. } if phase == Phase::Held => {
            ("command-approved", Severity::Info, format!("{by} approves {what}"))
        }
        Step::Resolve { by, note } => {
            ("command-resolved", Severity::Info, format!("{by} has looked at {what}: {note}"))
        }
        _ if phase == before => return None,
        _ => {
            let detail = detail(record, record.since());
            let because = if detail.is_empty() { String::new() } else { format!(": {detail}") };
            let severity = match phase {
                Phase::Failed | Phase::Indeterminate => Severity::Warning,
                _ => Severity::Info,
            };
            (kind(phase), severity, format!("{what} is {phase}{because}"))
        }
    };
    let mut facts = serde_json::json!({
        "command": command.id, "digest": record.digest().to_string(), "state": phase.name(),
        "step": record.step(),
    });
    if let (Some(members), Ok(cause)) = (facts.as_object_mut(), serde_json::to_value(step)) {
        members.insert("cause".to_owned(), cause);
    }
    Some(Event::new(kind, severity, message).twin(command.twin.as_str()).facts(facts))
}

fn kind(phase: Phase) -> &'static str {
    match phase {
        Phase::Proposed => "command-proposed",
        Phase::Checked => "command-checked",
        Phase::Held => "command-held",
        Phase::Armed => "command-armed",
        Phase::Sent => "command-sent",
        Phase::TransportAcked => "command-acknowledged",
        Phase::Verified => "command-verified",
        Phase::Refused => "command-refused",
        Phase::Expired => "command-expired",
        Phase::Superseded => "command-superseded",
        Phase::Failed => "command-failed",
        Phase::Indeterminate => "command-indeterminate",
    }
}

/// A change as it was kept; `None` when it is not one of this version's.
pub(crate) fn transition(kept: Transition) -> Option<api::TransitionView> {
    let state = Phase::ALL.into_iter().find(|phase| phase.name() == kept.state)?;
    let cause: serde_json::Value = serde_json::from_str(&kept.cause).unwrap_or_default();
    let event = cause.get("event").and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
    Some(api::TransitionView { step: kept.step, state, time: kept.time.into(), event, cause })
}

/// How far the behaviors of a twin may reach.
pub(crate) fn authority(authorities: &Authorities, twin: &str) -> Option<api::AuthorityView> {
    let standing = authorities.of(twin)?;
    Some(api::AuthorityView {
        twin: twin.to_owned(),
        configured: standing.configured,
        effective: standing.effective(),
        armed: standing
            .armed
            .as_ref()
            .map(|armed| api::ArmedView { by: armed.by.clone(), at: armed.at.into() }),
        reasons: standing.reasons().into_iter().map(str::to_owned).collect(),
    })
}

fn rule(line: Line) -> api::RuleView {
    let kind = serde_json::to_value(line.kind).ok();
    api::RuleView {
        kind: kind.as_ref().and_then(|kind| kind.as_str()).unwrap_or_default().to_owned(),
        rule: line.rule,
        allowed: line.allowed,
        reads: line.reads,
        refuses: line.refuses,
        bypassed_by: line.bypassed_by,
    }
}

fn level(level: Precedence) -> api::Level {
    match level {
        Precedence::Behavior => api::Level::Behavior,
        Precedence::Operator => api::Level::Operator,
        Precedence::Local => api::Level::Local,
        Precedence::Lockout => api::Level::Lockout,
    }
}

/// What the interlocks say of a command now; `None` when nothing of it can be sent any more.
pub(crate) fn interlocks<B: Books>(desk: &Desk<B>, id: Uuid, now: Moment) -> Option<api::InterlockView> {
    let record = &desk.open.get(&id)?.record;
    if !record.phase().is_before_sending() {
        return None;
    }
    let refusal = desk.ask(record, now).err().map(|(rule, seen)| {
        let (seen, allowed) = match seen.split_once("; allowed is ") {
            Some((seen, allowed)) => (seen.to_owned(), allowed.to_owned()),
            None => (seen, String::new()),
        };
        api::RefusalView { rule, seen, allowed }
    });
    let place = desk.place_of(record);
    let rules = place.map(|place| rules(desk, place, now)).unwrap_or_default();
    Some(api::InterlockView { permits: refusal.is_none(), refusal, rules })
}

fn rules<B: Books>(desk: &Desk<B>, place: usize, now: Moment) -> Vec<api::RuleView> {
    let Some(station) = desk.stations.get(place) else { return Vec::new() };
    let authority = desk.authorities.effective(&station.id);
    let lines = desk.look(place, authority, now, |book, picture, memory| book.explain(&memory, picture, now));
    lines.unwrap_or_default().into_iter().map(rule).collect()
}

/// One target with its owner, its rules and what these read now.
pub(crate) fn target<B: Books>(desk: &Desk<B>, place: usize, now: Moment) -> Option<api::TargetView> {
    let station = desk.stations.get(place)?;
    let target = desk.target(station)?;
    let feedback = target.feedback.as_ref().zip(station.feedback).map(|(feedback, (series, _))| {
        let newest = desk.points.newest(series);
        api::FeedbackView {
            point: feedback.point.clone(),
            value: station.shown(&desk.points, now),
            quality: desk.points.reading(Some(series), now).quality,
            time: newest.map(|newest| newest.sample.time.into()),
            tolerance: feedback.tolerance,
            within_s: feedback.within_ms as f64 / 1_000.0,
        }
    });
    let written = station.ownership.written().map(|written| api::WrittenView {
        value: written.value,
        at: written.at.into(),
        verified: written.verified,
    });
    let holdings = station.ownership.holdings(now.wall).map(|(held, holding)| api::HoldingView {
        level: level(held),
        by: holding.by.clone(),
        reason: holding.reason.clone(),
        since: holding.since.into(),
        until: holding.until.map(Into::into),
    });
    let rules = rules(desk, place, now);
    let tripped = rules.iter().any(|rule| rule.kind == "trip" && rule.refuses == Some(true));
    Some(api::TargetView {
        twin: station.id.clone(),
        name: station.name.clone(),
        unit: target.unit.clone(),
        class: target.class_name.clone(),
        approvers: target.class.approvers,
        commands: target.commands.iter().map(|one| format!("{}.{}", one.behavior, one.command)).collect(),
        feedback,
        written,
        owner: level(station.ownership.owner(now.wall).0),
        holdings: holdings.collect(),
        open: desk.of_station(place).iter().map(Uuid::to_string).collect(),
        latches: station
            .memory
            .latched()
            .iter()
            .map(|latch| api::LatchView {
                rule: latch.rule.clone(),
                at: latch.at.into(),
                seen: latch.seen.clone(),
            })
            .collect(),
        bypasses: station
            .memory
            .bypasses(now)
            .map(|bypass| api::BypassView {
                rule: bypass.rule.clone(),
                by: bypass.by.clone(),
                reason: bypass.reason.clone(),
                left_s: bypass.until.saturating_sub(now.monotonic).as_secs(),
            })
            .collect(),
        tripped,
        rules,
        fail_action: target.book.fail_action(),
        heartbeat: station.heart.as_ref().map(|heart| api::HeartbeatView {
            address: heart.address.clone(),
            every_ms: u32::try_from(heart.every.as_millis()).unwrap_or(u32::MAX),
            beats: heart.beats,
            last: heart.last.map(Into::into),
            silent: heart.silent.clone(),
        }),
        egress: api::EgressView {
            source: target.source.clone(),
            address: station.address.clone(),
            up: desk.lines.is_up(&target.source),
        },
    })
}

/// Targets, of one twin or of all, with the authority of their twins.
pub(crate) fn targets<B: Books>(desk: &Desk<B>, twin: Option<&str>, now: Moment) -> api::TargetsView {
    let wanted = |id: &str| twin.is_none_or(|twin| twin == id);
    let places = desk.stations.iter().enumerate().filter(|(_, station)| wanted(&station.id));
    let targets: Vec<_> = places.filter_map(|(place, _)| target(desk, place, now)).collect();
    let mut twins: Vec<&str> = targets.iter().map(|target| target.twin.as_str()).collect();
    twins.dedup();
    let authorities = twins.into_iter().filter_map(|twin| authority(&desk.authorities, twin)).collect();
    api::TargetsView { authorities, dispatch: dispatch(desk), targets }
}

/// Whether anything can be sent.
pub(crate) fn dispatch<B: Books>(desk: &Desk<B>) -> api::DispatchView {
    let count = |of: fn(&Record) -> bool| desk.open.values().filter(|open| of(&open.record)).count() as u64;
    let reason = desk.books.hindrance();
    api::DispatchView {
        possible: reason.is_none(),
        reason,
        held: count(|record| record.phase() == Phase::Held),
        in_doubt: count(Record::is_in_doubt),
    }
}
