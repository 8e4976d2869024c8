//! What people order: about commands, about targets, about the authority of twins. Each is written down before it is answered.

use std::time::Duration;

use geminus_api::orders::{CommandOrder, TargetOrder};
use geminus_api::view::{AuthorityView, CommandView, Level, TargetView};
use geminus_api::{Actor, Role, Trouble};
use geminus_command::{AuthorityError, Event as Step, Holding, OwnerError, Precedence};
use geminus_core::{Authority, Event, Severity};
use geminus_interlock::{HandError, Moment, config};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::books::Books;
use super::desk::Desk;
use super::show;
use super::station::told;

impl<B: Books> Desk<B> {
    /// Does something about a command.
    pub(crate) fn order(
        &mut self,
        id: Uuid,
        order: CommandOrder,
        actor: Actor,
        now: Moment,
    ) -> Result<CommandView, Trouble> {
        let none = || Trouble::NotFound(format!("there is no command {id}"));
        // One that comes up only now has not moved when the order reaches it.
        let (record, number) = self.at_hand(id, now)?.ok_or_else(none)?;
        let by = actor.name;
        let step = match order {
            CommandOrder::Approve { digest } => Step::Approve { by, digest },
            CommandOrder::Refuse { reason } => Step::Reject { by, reason },
            CommandOrder::Withdraw { reason } => Step::Withdraw { by, reason },
            CommandOrder::Resolve { note } => Step::Resolve { by, note },
        };
        if !self.open.contains_key(&id) {
            let kind = step.kind();
            // The table says no, in its own words.
            return match geminus_command::apply(&record, &step, now.wall) {
                Ok(_) => Err(Trouble::Conflict(format!("{kind} is not possible for a command that is over"))),
                Err(error) => Err(Trouble::Conflict(error.to_string())),
            };
        }
        let place = self.place_of(&record);
        self.step(id, step, now)?;
        self.advance(id, now);
        place.into_iter().for_each(|place| self.advance_station(place, now));
        let stands = self.known(id, now)?.unwrap_or((record, number));
        Ok(show::command(&stands.0, stands.1, now.wall))
    }

    /// Does something about a target.
    pub(crate) fn order_target(
        &mut self,
        (twin, name): (&str, &str),
        order: TargetOrder,
        actor: Actor,
        now: Moment,
    ) -> Result<TargetView, Trouble> {
        let place = self.find(twin, name)?;
        let Some(station) = self.stations.get(place) else { return Err(gone()) };
        let before = (station.ownership.clone(), station.memory.clone(), station.turn.clone());
        let opens = opens(&order);
        let (kind, said) = self.change_target(place, order, &actor, now)?;
        self.generation += 1;
        let facts = serde_json::json!({ "target": name, "by": actor.name });
        let event =
            |severity, message: String| Event::new(kind, severity, message).twin(twin).facts(facts.clone());
        let message = format!("{name}: {said} by {}", actor.name);
        // What lets more through stands in the journal before it does. Nothing is asked in between: this thread alone does.
        let recorded = match opens {
            true => self.books.record(event(Severity::Info, message.clone())),
            false => Ok(()),
        };
        if recorded.is_err() || !self.keep_station(place) {
            if let Some(station) = self.stations.get_mut(place) {
                (station.ownership, station.memory, station.turn) = before;
            }
            if opens && recorded.is_ok() {
                let message = format!("{message} is not done after all: it cannot be written down");
                self.books.tell(event(Severity::Warning, message));
            }
            let message = "it cannot be written down, so it is not done".to_owned();
            return Err(Trouble::Unavailable(message));
        }
        if !opens {
            self.books.tell(event(Severity::Info, message));
        }
        self.advance_station(place, now);
        show::target(self, place, now).ok_or_else(gone)
    }

    /// Gives the kind of event and what happened, in words.
    fn change_target(
        &mut self,
        place: usize,
        order: TargetOrder,
        actor: &Actor,
        now: Moment,
    ) -> Result<(&'static str, String), Trouble> {
        let present = self.stations.get(place).and_then(|station| station.shown(&self.points, now));
        let over = |over: Option<geminus_command::HandOver>| {
            over.map_or_else(String::new, |over| format!(", {}", told(&over)))
        };
        match order {
            TargetOrder::Hold { level, for_s, reason } => {
                let holding = self.holding(actor, reason.clone(), for_s, now);
                let station = self.stations.get_mut(place).ok_or_else(gone)?;
                let handed = station.ownership.request(precedence(level), holding, present, now.wall);
                let handed = over(handed.map_err(owner)?);
                Ok(("target-held", format!("held as {}{handed} ({reason})", level.name())))
            }
            TargetOrder::Lockout { for_s, reason } => {
                let holding = self.holding(actor, reason.clone(), Some(for_s), now);
                let station = self.stations.get_mut(place).ok_or_else(gone)?;
                let handed = station.ownership.request(Precedence::Lockout, holding, present, now.wall);
                let handed = over(handed.map_err(owner)?);
                Ok(("target-locked-out", format!("locked out for {for_s} s{handed} ({reason})")))
            }
            TargetOrder::Release { level: Level::Lockout } if self.is_unreadable(place) => {
                self.release_unreadable(place, actor, now)
            }
            TargetOrder::Release { level } => {
                let station = self.stations.get_mut(place).ok_or_else(gone)?;
                let handed = station.ownership.release(precedence(level), &actor.name, present, now.wall);
                let handed = handed.map_err(owner)?;
                handed.iter().for_each(|over| station.turn.handed(over));
                let handed = over(handed);
                Ok(("target-released", format!("released as {}{handed}", level.name())))
            }
            TargetOrder::Reset { rule } => {
                self.watch(place, now);
                let done = self.hand(place, now, |book, picture, memory| {
                    memory.reset(book, &rule, role(actor.role), picture)
                })?;
                match done {
                    true => Ok(("interlock-reset", format!("trip \"{rule}\" is reset"))),
                    false => Err(Trouble::Conflict(format!("trip \"{rule}\" is not latched"))),
                }
            }
            TargetOrder::Bypass { rule, for_s: 0, .. } => {
                let done = self.hand(place, now, |_, _, memory| Ok(memory.end_bypass(&rule)))?;
                match done {
                    true => Ok(("interlock-bypass-over", format!("\"{rule}\" is not bypassed any more"))),
                    false => Err(Trouble::Conflict(format!("\"{rule}\" is not bypassed"))),
                }
            }
            TargetOrder::Bypass { rule, for_s, reason } => {
                let whom = (role(actor.role), actor.name.as_str(), reason.as_str());
                self.hand(place, now, |book, _, memory| memory.bypass(book, &rule, whom, for_s, now))?;
                Ok(("interlock-bypassed", format!("\"{rule}\" is bypassed for {for_s} s ({reason})")))
            }
        }
    }

    fn holding(&self, actor: &Actor, reason: String, for_s: Option<u32>, now: Moment) -> Holding {
        let until = for_s.map(|for_s| now.wall.plus(Duration::from_secs(for_s.into())));
        Holding { by: actor.name.clone(), reason, since: now.wall, until }
    }

    /// Changes what the rules of a target remember.
    fn hand<T>(
        &mut self,
        place: usize,
        now: Moment,
        change: impl FnOnce(
            &geminus_interlock::Book,
            &geminus_interlock::Picture<'_>,
            &mut geminus_interlock::Memory,
        ) -> Result<T, HandError>,
    ) -> Result<T, Trouble> {
        let authority = self.stations.get(place).map(|station| self.authorities.effective(&station.id));
        let done = self.look(place, authority.ok_or_else(gone)?, now, |book, picture, mut memory| {
            change(book, picture, &mut memory).map(|done| (done, memory))
        });
        match done.ok_or_else(gone)? {
            Ok((done, memory)) => {
                if let Some(station) = self.stations.get_mut(place) {
                    station.memory = memory;
                }
                Ok(done)
            }
            Err(error @ HandError::Unknown { .. }) => Err(Trouble::NotFound(error.to_string())),
            Err(error @ (HandError::Time { .. } | HandError::Nameless)) => {
                Err(Trouble::Invalid(error.to_string()))
            }
            Err(error) => Err(Trouble::Conflict(error.to_string())),
        }
    }

    /// How far a twin's behaviors may reach.
    pub(crate) fn authority(&self, twin: &str) -> Result<AuthorityView, Trouble> {
        show::authority(&self.authorities, twin)
            .ok_or_else(|| Trouble::NotFound(format!("there is no twin {twin}")))
    }

    /// Arms a twin, or holds it down until it is armed.
    pub(crate) fn order_authority(
        &mut self,
        twin: &str,
        level: Authority,
        reason: &str,
        actor: &Actor,
        now: Moment,
    ) -> Result<AuthorityView, Trouble> {
        let before = self.authority(twin)?;
        if level == Authority::Control && before.effective != Authority::Control {
            if let Some(hindrance) = self.books.hindrance() {
                return Err(Trouble::Unavailable(format!("nobody is armed now: {hindrance}")));
            }
            if before.configured != Authority::Control {
                let message = format!("the site gives {twin} no more than {}", name(before.configured));
                return Err(Trouble::Conflict(message));
            }
        }
        let was_held = self.is_held_down(twin);
        let holds_down = level == Authority::Observe;
        // More is not given before it is written down, or the next start would take it back.
        if !self.keep_held_down(twin, holds_down) && !holds_down {
            let message = "that it is not held down any more cannot be written down, so it still is";
            return Err(Trouble::Unavailable(message.to_owned()));
        }
        let why = if reason.is_empty() { String::new() } else { format!(": {reason}") };
        let message = format!("{twin} is set to {} by {}{why}", name(level), actor.name);
        let facts = serde_json::json!({ "level": name(level), "by": actor.name, "reason": reason });
        let event = Event::new("authority-set", Severity::Info, message).twin(twin).facts(facts);
        // Less is never refused because it cannot be journaled.
        match (level, self.books.record(event.clone())) {
            (_, Ok(())) => {}
            (Authority::Control, Err(reason)) => {
                if was_held {
                    self.unkept.insert(twin.to_owned());
                }
                return Err(Trouble::Unavailable(format!("it cannot be journaled: {reason}")));
            }
            (_, Err(_)) => self.books.tell(event),
        }
        match level {
            Authority::Control => {
                self.authorities.lift(twin, HELD_DOWN).map_err(authority)?;
                self.authorities.arm(twin, &actor.name, now.wall).map_err(authority)?;
            }
            Authority::Advise | Authority::Observe => {
                self.authorities.disarm(twin, &format!("set by {}{why}", actor.name)).map_err(authority)?;
                match level {
                    Authority::Observe => self.authorities.limit(twin, HELD_DOWN, Authority::Observe),
                    _ => self.authorities.lift(twin, HELD_DOWN),
                }
                .map_err(authority)?;
            }
        }
        self.generation += 1;
        let places: Vec<usize> = (0..self.stations.len())
            .filter(|place| self.stations.get(*place).is_some_and(|s| s.id == twin))
            .collect();
        places.into_iter().for_each(|place| self.advance_station(place, now));
        self.authority(twin)
    }

    fn is_held_down(&self, twin: &str) -> bool {
        self.authorities.of(twin).is_some_and(|standing| standing.limits.contains_key(HELD_DOWN))
    }

    /// Keeps whether a person holds a twin at `observe`, where that is not kept already. Gives whether it is durable.
    fn keep_held_down(&mut self, twin: &str, holds_down: bool) -> bool {
        if self.is_held_down(twin) == holds_down && !self.unkept.contains(twin) {
            return true;
        }
        let kept = serde_json::to_string(&HeldDown { observe: holds_down })
            .map_err(|error| error.to_string())
            .and_then(|document| self.books.save_target(twin, OF_TWIN, &document));
        match kept {
            Ok(()) => {
                self.unkept.remove(twin);
                true
            }
            Err(error) => {
                tracing::error!(%error, twin, "that a twin is held down or not cannot be kept");
                if holds_down {
                    self.unkept.insert(twin.to_owned());
                }
                false
            }
        }
    }

    /// Tries again to keep that twins are held down.
    pub(crate) fn keep_unkept(&mut self) {
        for twin in self.unkept.clone() {
            self.keep_held_down(&twin, true);
        }
    }

    /// A twin that a person held at `observe` in an earlier run still is.
    pub(crate) fn hold_down_again(&mut self, twin: &str, document: &str) {
        let is_held = match serde_json::from_str::<HeldDown>(document) {
            Ok(kept) => kept.observe,
            Err(error) => {
                let message =
                    format!("whether a person holds {twin} at observe cannot be read, so it is: {error}");
                self.books.tell(Event::new("target-unreadable", Severity::Error, message).twin(twin));
                true
            }
        };
        if is_held && self.authorities.limit(twin, HELD_DOWN, Authority::Observe).is_err() {
            tracing::debug!(twin, "a twin that was held at observe is not of the site any more");
        }
    }
}

/// In place of a target's name: what is kept of the twin itself. No target is called so.
pub(crate) const OF_TWIN: &str = "";

/// What is kept of a twin over restarts.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeldDown {
    observe: bool,
}

/// What holds a twin at `observe` because a person wants it so.
const HELD_DOWN: &str = "held at observe by a person";

fn name(level: Authority) -> &'static str {
    match level {
        Authority::Observe => "observe",
        Authority::Advise => "advise",
        Authority::Control => "control",
    }
}

/// Whether an order lets through what was not let through before.
fn opens(order: &TargetOrder) -> bool {
    match order {
        TargetOrder::Release { level } => precedence(*level) >= Precedence::Local,
        TargetOrder::Bypass { for_s, .. } => *for_s > 0,
        TargetOrder::Reset { .. } => true,
        TargetOrder::Hold { .. } | TargetOrder::Lockout { .. } => false,
    }
}

fn precedence(level: Level) -> Precedence {
    match level {
        Level::Behavior => Precedence::Behavior,
        Level::Operator => Precedence::Operator,
        Level::Local => Precedence::Local,
        Level::Lockout => Precedence::Lockout,
    }
}

fn role(role: Role) -> config::Role {
    match role {
        Role::Operator => config::Role::Operator,
        Role::Engineer => config::Role::Engineer,
        Role::Approver => config::Role::Approver,
        Role::Admin => config::Role::Admin,
    }
}

fn owner(error: OwnerError) -> Trouble {
    match error {
        OwnerError::NotYours { .. } | OwnerError::NotHeld { .. } | OwnerError::Held { .. } => {
            Trouble::Conflict(error.to_string())
        }
        _ => Trouble::Invalid(error.to_string()),
    }
}

fn authority(error: AuthorityError) -> Trouble {
    match error {
        AuthorityError::NoTwin { .. } => Trouble::NotFound(error.to_string()),
        AuthorityError::NothingToArm { .. } => Trouble::Conflict(error.to_string()),
        AuthorityError::Name(_) => Trouble::Invalid(error.to_string()),
    }
}

fn gone() -> Trouble {
    Trouble::Internal("a station has gone".to_owned())
}
