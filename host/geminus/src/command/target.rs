//! `geminus target` and `geminus authority`: who owns what may be written, which rules guard it, and how far behaviors may
//! reach, over the host's own API.

use std::io::Write;

use clap::{Args, Subcommand, ValueEnum};
use geminus_api::view::{AuthorityView, TargetView, TargetsView};
use geminus_core::Authority as Level;
use serde_json::{Value, json};

use super::alarm::escaped;
use super::rollout::{Answer, By};

#[derive(Debug, Subcommand)]
pub(crate) enum Target {
    /// Shows targets: what they show, who owns them, which rules guard them and what these read now.
    List {
        /// Only those of this twin.
        #[arg(long, value_name = "ID")]
        twin: Option<String>,
        /// Every rule, not only those that refuse.
        #[arg(long)]
        rules: bool,
        #[command(flatten)]
        answer: Answer,
    },
    /// Takes a target: only who holds it commands it.
    Hold {
        /// For so many seconds; until it is released unless given.
        #[arg(long = "for", value_name = "SECONDS")]
        for_s: Option<u32>,
        /// The machine is operated at its own panel: nobody commands it from here.
        #[arg(long)]
        local: bool,
        /// Why.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        of: Of,
    },
    /// Gives a target back.
    Release {
        /// As what it is held.
        #[arg(long = "as", default_value = "operator")]
        level: Holder,
        /// As what you act; only an admin releases the lockout of a target whose state cannot be read.
        #[arg(long)]
        role: Option<Acts>,
        #[command(flatten)]
        of: Of,
    },
    /// Locks a target: nobody may write it until the end, or until who locked it releases it.
    Lockout {
        /// For so many seconds.
        #[arg(long = "for", value_name = "SECONDS")]
        for_s: u32,
        /// Why.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        of: Of,
    },
    /// Lets go of a latched trip whose cause is over.
    Reset {
        /// Name of the trip.
        rule: String,
        /// As what you act.
        #[arg(long, default_value = "operator")]
        role: Acts,
        #[command(flatten)]
        of: Of,
    },
    /// Passes over a permissive for a while, where its rule allows it.
    Bypass {
        /// Name of the permissive.
        rule: String,
        /// For so many seconds; 0 ends a bypass.
        #[arg(long = "for", value_name = "SECONDS")]
        for_s: u32,
        /// As what you act.
        #[arg(long)]
        role: Acts,
        /// Why.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        of: Of,
    },
}

/// Which target, and who orders.
#[derive(Debug, Args)]
pub(crate) struct Of {
    /// Id of the twin.
    #[arg(long)]
    twin: String,
    /// Name of the target.
    #[arg(long, value_name = "NAME")]
    target: String,
    #[command(flatten)]
    by: By,
    #[command(flatten)]
    answer: Answer,
}

/// As what a target is held.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Holder {
    Operator,
    Local,
    Lockout,
}

/// As what somebody acts.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Acts {
    Operator,
    Engineer,
    Approver,
    Admin,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Authority {
    /// Shows how far the behaviors of a twin may reach, and why not further.
    Show {
        /// Id of the twin.
        twin: String,
        #[command(flatten)]
        answer: Answer,
    },
    /// Arms a twin: its behaviors may do what the site gives them.
    Arm(Set),
    /// Takes it back: a person approves whatever its behaviors propose.
    Disarm {
        /// Nothing is written to it at all.
        #[arg(long)]
        observe: bool,
        #[command(flatten)]
        set: Set,
    },
}

/// Whose authority, who sets it, and why.
#[derive(Debug, Args)]
pub(crate) struct Set {
    /// Id of the twin.
    twin: String,
    /// Why, for the journal.
    #[arg(long, default_value = "")]
    reason: String,
    #[command(flatten)]
    by: By,
    #[command(flatten)]
    answer: Answer,
}

pub(crate) fn run(target: Target) -> anyhow::Result<()> {
    quietly(obey(target, &mut std::io::stdout().lock()))
}

pub(crate) fn run_authority(authority: Authority) -> anyhow::Result<()> {
    quietly(obey_authority(authority, &mut std::io::stdout().lock()))
}

/// A reader that has seen enough (`| head`) is no failure.
fn quietly(result: anyhow::Result<()>) -> anyhow::Result<()> {
    match result {
        Err(error) if super::rollout::is_broken_pipe(&error) => Ok(()),
        other => other,
    }
}

fn obey(target: Target, out: &mut impl Write) -> anyhow::Result<()> {
    match target {
        Target::List { twin, rules, answer } => {
            let of = twin.map(|twin| format!("?twin={}", escaped(&twin))).unwrap_or_default();
            let view: TargetsView = answer.door.host()?.get(&format!("/api/v1/targets{of}"))?;
            answer.print(out, &view, |view| list(view, rules))
        }
        Target::Hold { for_s, local, reason, of } => {
            let level = if local { "local" } else { "operator" };
            of.give("hold", json!({ "level": level, "for_s": for_s, "reason": reason }), out)
        }
        Target::Release { level, role, of } => {
            let level = match level {
                Holder::Operator => "operator",
                Holder::Local => "local",
                Holder::Lockout => "lockout",
            };
            of.give("release", json!({ "level": level, "role": role.map(name) }), out)
        }
        Target::Lockout { for_s, reason, of } => {
            of.give("lockout", json!({ "for_s": for_s, "reason": reason }), out)
        }
        Target::Reset { rule, role, of } => {
            of.give("reset", json!({ "rule": rule, "role": name(role) }), out)
        }
        Target::Bypass { rule, for_s, role, reason, of } => {
            let body = json!({ "rule": rule, "for_s": for_s, "role": name(role), "reason": reason });
            of.give("bypass", body, out)
        }
    }
}

fn name(role: Acts) -> &'static str {
    match role {
        Acts::Operator => "operator",
        Acts::Engineer => "engineer",
        Acts::Approver => "approver",
        Acts::Admin => "admin",
    }
}

impl Of {
    fn give(self, what: &str, mut body: Value, out: &mut impl Write) -> anyhow::Result<()> {
        let Self { twin, target, by, answer } = self;
        let host = answer.door.host()?;
        by.sign(&host, &mut body);
        let path = format!("/api/v1/targets/{}/{}/{what}", escaped(&twin), escaped(&target));
        let view: TargetView = host.post(&path, &body)?;
        answer.print(out, &view, |view| one(view, false))
    }
}

fn obey_authority(authority: Authority, out: &mut impl Write) -> anyhow::Result<()> {
    match authority {
        Authority::Show { twin, answer } => {
            let path = format!("/api/v1/twins/{}/authority", escaped(&twin));
            let view: AuthorityView = answer.door.host()?.get(&path)?;
            answer.print(out, &view, reach)
        }
        Authority::Arm(set) => set.give("control", out),
        Authority::Disarm { observe, set } => set.give(if observe { "observe" } else { "advise" }, out),
    }
}

impl Set {
    fn give(self, level: &str, out: &mut impl Write) -> anyhow::Result<()> {
        let Self { twin, reason, by, answer } = self;
        let (host, mut body) = (answer.door.host()?, json!({ "level": level, "reason": reason }));
        by.sign(&host, &mut body);
        let path = format!("/api/v1/twins/{}/authority", escaped(&twin));
        let view: AuthorityView = host.post(&path, &body)?;
        answer.print(out, &view, reach)
    }
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Observe => "observe",
        Level::Advise => "advise",
        Level::Control => "control",
    }
}

fn reach(view: &AuthorityView) -> String {
    let mut text = format!("{}  {} of {}", view.twin, level(view.effective), level(view.configured));
    if let Some(armed) = &view.armed {
        text.push_str(&format!("  armed by {} at {}", armed.by, armed.at));
    }
    if !view.reasons.is_empty() {
        text.push_str(&format!("  ({})", view.reasons.join("; ")));
    }
    text.push('\n');
    text
}

fn list(view: &TargetsView, rules: bool) -> String {
    let mut text: String = view.authorities.iter().map(reach).collect();
    text.extend(view.targets.iter().map(|target| one(target, rules)));
    if let Some(reason) = &view.dispatch.reason {
        text.push_str(&format!("nothing is sent: {reason}\n"));
    }
    text
}

fn one(view: &TargetView, rules: bool) -> String {
    let shows = view.feedback.as_ref().and_then(|feedback| feedback.value);
    let shows = shows.map_or_else(|| "nothing".to_owned(), |value| format!("{value} {}", view.unit));
    let mut text = format!("{}  {}  shows {shows}  owner {}", view.twin, view.name, view.owner.name());
    if let Some(holding) = view.holdings.first() {
        text.push_str(&format!(" {} ({})", holding.by, holding.reason));
    }
    if let Some(written) = &view.written {
        let verified = if written.verified { "verified" } else { "not verified" };
        text.push_str(&format!("  written {} at {}, {verified}", written.value, written.at));
    }
    let up = if view.egress.up { "" } else { " (no connection)" };
    text.push_str(&format!("  to {} of {}{up}\n", view.egress.address, view.egress.source));
    if let Some(heartbeat) = &view.heartbeat {
        let last = heartbeat.last.map_or_else(|| "none yet".to_owned(), |last| format!("last at {last}"));
        let silent = heartbeat.silent.as_ref().map_or_else(String::new, |why| format!(", silent: {why}"));
        text.push_str(&format!("  heartbeat to {} {last}{silent}\n", heartbeat.address));
    }
    for latch in &view.latches {
        text.push_str(&format!("  latched \"{}\" since {}: {}\n", latch.rule, latch.at, latch.seen));
    }
    for bypass in &view.bypasses {
        let (rule, by, left) = (&bypass.rule, &bypass.by, bypass.left_s);
        text.push_str(&format!("  bypassed \"{rule}\" by {by}, {left} s left ({})\n", bypass.reason));
    }
    for rule in view.rules.iter().filter(|rule| rules || rule.refuses == Some(true)) {
        let says = match rule.refuses {
            Some(true) => "refuses",
            Some(false) => "passes",
            None => "depends",
        };
        text.push_str(&format!("  {says:8} {:11} \"{}\": {}", rule.kind, rule.rule, rule.allowed));
        let reads = if rule.reads.is_empty() { String::new() } else { format!("; {}", rule.reads) };
        text.push_str(&format!("{reads}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_says_who_owns_it_and_what_refuses() {
        let view: TargetsView = serde_json::from_value(json!({
            "targets": [{
                "twin": "rig-1", "name": "speed", "unit": "/min", "class": "routine", "approvers": 1, "commands": [],
                "feedback": null, "written": {"value": 4.0, "at": "2026-03-01T12:00:00Z", "verified": false},
                "owner": "operator", "holdings": [{"level": "operator", "by": "Anna", "reason": "manual",
                    "since": "2026-03-01T12:00:00Z", "until": null}],
                "open": [], "latches": [{"rule": "hot", "at": "2026-03-01T12:00:00Z", "seen": "t = 99"}],
                "bypasses": [{"rule": "runs", "by": "Ines", "reason": "sensor", "left_s": 60}], "tripped": true,
                "rules": [
                    {"kind": "trip", "rule": "hot", "allowed": "not t > 90", "reads": "t = 99", "refuses": true,
                        "bypassed_by": null},
                    {"kind": "range", "rule": "range", "allowed": "0 … 10", "reads": "", "refuses": null,
                        "bypassed_by": null},
                ],
                "fail_action": "holds the last value",
                "heartbeat": {"address": "rig/rig-1/beat", "every_ms": 1000, "beats": 0, "last": null,
                    "silent": "the twin is not armed"},
                "egress": {"source": "broker", "address": "rig/rig-1/set", "up": false},
            }],
            "authorities": [{"twin": "rig-1", "configured": "control", "effective": "advise", "armed": null,
                "reasons": ["not armed since the host started"]}],
            "dispatch": {"possible": false, "reason": "the journal cannot be written", "held": 0, "in_doubt": 0},
        }))
        .expect("targets");
        let text = list(&view, false);
        for part in [
            "rig-1  advise of control  (not armed since the host started)",
            "shows nothing  owner operator Anna (manual)  written 4 at 2026-03-01T12:00:00Z, not verified",
            "to rig/rig-1/set of broker (no connection)",
            "heartbeat to rig/rig-1/beat none yet, silent: the twin is not armed",
            "latched \"hot\" since",
            "bypassed \"runs\" by Ines, 60 s left",
            "refuses  trip        \"hot\": not t > 90; t = 99",
            "nothing is sent: the journal cannot be written",
        ] {
            assert!(text.contains(part), "{text}\n  does not say\n{part}");
        }
        assert!(!text.contains("depends") && list(&view, true).contains("depends  range"));
    }
}
