//! `geminus command`: what is wished of targets, what became of it, and what people do about it, over the host's own API.

use std::io::Write;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use geminus_api::view::{CommandDetail, CommandView, CommandsView, ProposerKind};
use geminus_command::Phase;
use serde_json::{Value, json};

use super::alarm::escaped;
use super::rollout::{Answer, By};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Proposes a value for a target.
    Propose {
        /// Id of the twin.
        twin: String,
        /// Name of the target.
        target: String,
        /// The value, in the unit of the target.
        #[arg(allow_negative_numbers = true)]
        value: f64,
        /// Id of the command, a UUID of version 7: the same id is the same command. The host makes one unless given.
        #[arg(long, value_name = "UUID")]
        id: Option<String>,
        /// Seconds in which it may be sent.
        #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u32).range(1..=86_400))]
        within: u32,
        /// Why, for those who approve it.
        #[arg(long, default_value = "")]
        reason: String,
        #[command(flatten)]
        by: By,
        #[command(flatten)]
        answer: Answer,
    },
    /// Shows commands, the newest first.
    List {
        /// Only those of this twin.
        #[arg(long, value_name = "ID")]
        twin: Option<String>,
        /// Only those of targets of this name.
        #[arg(long, value_name = "NAME")]
        target: Option<String>,
        /// Only those in this state: proposed, checked, held, armed, sent, transport-acked, verified, refused, expired,
        /// superseded, failed, indeterminate.
        #[arg(long, value_parser = state)]
        state: Option<Phase>,
        /// At most so many.
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
        #[command(flatten)]
        answer: Answer,
    },
    /// Shows one command: its course, its evidence, and what the interlocks say of it now.
    Show {
        /// Id of the command.
        id: String,
        #[command(flatten)]
        answer: Answer,
    },
    /// Approves a command as it is shown now; nobody approves his own.
    Approve {
        /// Id of the command.
        id: String,
        /// Digest of the command that you have looked at; that of the command as it is now unless given.
        #[arg(long, value_name = "SHA256")]
        digest: Option<String>,
        #[command(flatten)]
        by: By,
        #[command(flatten)]
        answer: Answer,
    },
    /// Does not approve a command.
    Refuse(Order),
    /// Takes a command back that was not sent.
    Withdraw(Order),
    /// Says what became of an indeterminate command, after somebody has looked.
    Resolve(Order),
}

/// An order about one command.
#[derive(Debug, Args)]
pub(crate) struct Order {
    /// Id of the command.
    id: String,
    /// Why, or what was found.
    #[arg(long, default_value = "")]
    reason: String,
    #[command(flatten)]
    by: By,
    #[command(flatten)]
    answer: Answer,
}

fn state(name: &str) -> Result<Phase, String> {
    let found = Phase::ALL.into_iter().find(|phase| phase.name() == name);
    found.ok_or_else(|| format!("it must be one of {}", Phase::ALL.map(Phase::name).join(", ")))
}

pub(crate) fn run(command: Command) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match obey(command, &mut out) {
        // A reader that has seen enough (`| head`) is no failure.
        Err(error) if super::rollout::is_broken_pipe(&error) => Ok(()),
        other => other,
    }
}

fn obey(command: Command, out: &mut impl Write) -> anyhow::Result<()> {
    match command {
        Command::Propose { twin, target, value, id, within, reason, by, answer } => {
            let mut body = json!({
                "twin": twin, "target": target, "value": value, "reason": reason, "within_s": within,
            });
            if let (Some(id), Value::Object(members)) = (id, &mut body) {
                members.insert("id".to_owned(), id.into());
            }
            let host = answer.door.host()?;
            by.sign(&host, &mut body);
            let view: CommandView = host.post("/api/v1/commands", &body)?;
            answer.print(out, &view, line)
        }
        Command::List { twin, target, state, limit, answer } => {
            let path = address(twin.as_deref(), target.as_deref(), state, limit);
            let view: CommandsView = answer.door.host()?.get(&path)?;
            answer.print(out, &view, list)
        }
        Command::Show { id, answer } => {
            let path = format!("/api/v1/commands/{}", escaped(&id));
            let view: CommandDetail = answer.door.host()?.get(&path)?;
            answer.print(out, &view, detail)
        }
        Command::Approve { id, digest, by, answer } => {
            let (host, path) = (answer.door.host()?, format!("/api/v1/commands/{}", escaped(&id)));
            let digest = match digest {
                Some(digest) => digest,
                None => {
                    let shown: CommandDetail = host.get(&path).context("what is to be approved")?;
                    shown.command.digest
                }
            };
            let mut body = json!({ "digest": digest });
            by.sign(&host, &mut body);
            let view: CommandView = host.post(&format!("{path}/approve"), &body)?;
            answer.print(out, &view, line)
        }
        Command::Refuse(order) => order.give("refuse", out),
        Command::Withdraw(order) => order.give("withdraw", out),
        Command::Resolve(order) => order.give("resolve", out),
    }
}

impl Order {
    fn give(self, what: &str, out: &mut impl Write) -> anyhow::Result<()> {
        let Self { id, reason, by, answer } = self;
        let (host, mut body) = (answer.door.host()?, json!({ "reason": reason }));
        by.sign(&host, &mut body);
        let path = format!("/api/v1/commands/{}/{what}", escaped(&id));
        let view: CommandView = host.post(&path, &body)?;
        answer.print(out, &view, line)
    }
}

fn address(twin: Option<&str>, target: Option<&str>, state: Option<Phase>, limit: u32) -> String {
    let mut path = format!("/api/v1/commands?limit={limit}");
    let wanted = [("twin", twin), ("target", target), ("state", state.map(Phase::name))];
    for (name, value) in wanted.into_iter().filter_map(|(name, value)| Some((name, value?))) {
        path.push_str(&format!("&{name}={}", escaped(value)));
    }
    path
}

fn list(view: &CommandsView) -> String {
    let mut text: String = view.commands.iter().map(line).collect();
    let dispatch = &view.dispatch;
    text.push_str(&format!("{} wait for approval, {} are in doubt\n", dispatch.held, dispatch.in_doubt));
    if let Some(reason) = &dispatch.reason {
        text.push_str(&format!("nothing is sent: {reason}\n"));
    }
    text
}

fn line(command: &CommandView) -> String {
    let CommandView { id, twin, target, value, unit, proposer, since, .. } = command;
    let kind = match proposer.kind {
        ProposerKind::Behavior => "behavior",
        ProposerKind::Operator => "operator",
        ProposerKind::Program => "program",
    };
    let mut text = format!(
        "{id}  {:15}  {since}  {twin}  {target} = {value} {unit}  by {kind} {}",
        command.state.name(),
        proposer.name
    );
    if !command.detail.is_empty() {
        text.push_str(&format!("  ({})", command.detail));
    }
    text.push('\n');
    text
}

fn detail(view: &CommandDetail) -> String {
    let command = &view.command;
    let mut text = line(command);
    text.push_str(&format!("digest    {}\nreason    {}\n", command.digest, command.reason));
    text.push_str(&format!("deadline  {}\n", command.not_after));
    for approval in &command.approvals {
        let holds = if approval.holds { "" } else { " (expired)" };
        text.push_str(&format!("approved  {} by {}{holds}\n", approval.at, approval.by));
    }
    for one in &command.evidence {
        let value = one.value.map_or_else(|| "nothing".to_owned(), |value| value.to_string());
        text.push_str(&format!(
            "evidence  {} = {value} ({}) at {}\n",
            one.point,
            one.quality.name(),
            one.time
        ));
    }
    for step in &view.transitions {
        text.push_str(&format!("{:<8}  {}  {} → {}\n", step.step, step.time, step.event, step.state));
    }
    if let Some(now) = &view.interlocks {
        match &now.refusal {
            None => text.push_str("the interlocks let it through now\n"),
            Some(refusal) => text.push_str(&format!(
                "the interlocks refuse it now: \"{}\", {}; allowed is {}\n",
                refusal.rule, refusal.seen, refusal.allowed
            )),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_hold_what_was_asked_for() {
        assert_eq!(address(None, None, None, 100), "/api/v1/commands?limit=100");
        let path = address(Some("pump:1"), Some("load limit"), Some(Phase::Held), 5);
        assert_eq!(path, "/api/v1/commands?limit=5&twin=pump%3A1&target=load%20limit&state=held");
        assert_eq!(state("transport-acked"), Ok(Phase::TransportAcked));
        assert!(state("done").is_err_and(|message| message.contains("proposed, checked, held")));
    }

    #[test]
    fn a_command_is_shown_with_its_course_and_what_stands_in_its_way() {
        let view: CommandDetail = serde_json::from_value(json!({
            "command": {
                "id": "01990000-0000-7000-8000-000000000001", "number": 1, "twin": "rig-1", "target": "speed",
                "value": 4.0, "unit": "/min", "digest": "sha256:00", "class": "routine",
                "proposer": {"kind": "operator", "name": "Anna", "version": null, "digest": null},
                "reason": "test", "evidence": [{"point": "load", "value": null, "quality": "missing",
                    "time": "2026-03-01T12:00:00Z"}],
                "proposed": "2026-03-01T12:00:00Z", "not_after": "2026-03-01T12:10:00Z", "state": "held",
                "since": "2026-03-01T12:00:00Z", "detail": "waits for one person", "rule": null, "until": null,
                "approvers": 2, "missing_approvals": 1,
                "approvals": [{"by": "Ben", "at": "2026-03-01T12:00:01Z", "holds": false}],
                "sent": null, "receipt": null, "read_back": null, "resolved": null,
            },
            "transitions": [{"step": 0, "state": "proposed", "time": "2026-03-01T12:00:00Z", "event": "propose",
                "cause": {"event": "propose"}}],
            "interlocks": {"permits": false, "rules": [],
                "refusal": {"rule": "range", "seen": "4", "allowed": "0 … 3"}},
        }))
        .expect("a command");
        let text = detail(&view);
        for part in [
            "held             2026-03-01T12:00:00Z  rig-1  speed = 4 /min  by operator Anna  (waits for one person)",
            "approved  2026-03-01T12:00:01Z by Ben (expired)",
            "evidence  load = nothing (missing)",
            "propose → proposed",
            "the interlocks refuse it now: \"range\", 4; allowed is 0 … 3",
        ] {
            assert!(text.contains(part), "{text}\n  does not say\n{part}");
        }
    }
}
