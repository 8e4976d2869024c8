//! `geminus rollout`: how a version takes over, asked of the host that runs, and ordered.
//!
//! Everything goes over the host's own API, so that what a person sees here is what the page shows. Nothing is decided
//! here: a plan's mistakes are found before it is sent, all else by the host.

mod door;
#[cfg(test)]
mod fake;
mod show;
mod table;
mod watch;
mod wish;

use std::io::Write;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use geminus_api::view::{RolloutOrder, RolloutPreview, RolloutView, RolloutsView};
use serde::Serialize;
use serde_json::Value;

pub(super) use door::Door;
use door::Host;
use wish::Wish;

#[derive(Debug, Subcommand)]
pub(crate) enum Rollout {
    /// Shows what a rollout would do: digests, changes of the declaration, phases, reasons to refuse. Begins nothing.
    Plan {
        #[command(flatten)]
        wish: Wish,
        #[command(flatten)]
        answer: Answer,
    },
    /// Begins a rollout.
    Start {
        #[command(flatten)]
        wish: Wish,
        /// Follow it to its end, and fail unless it became permanent.
        #[arg(long)]
        watch: bool,
        #[command(flatten)]
        by: By,
        #[command(flatten)]
        answer: Answer,
    },
    /// Shows the newest rollouts, or one with its checks and worst rows.
    Status {
        /// Number of the rollout.
        id: Option<u64>,
        #[command(flatten)]
        answer: Answer,
    },
    /// Follows a rollout, a line for each change, until it ends; fails unless it became permanent.
    Watch {
        /// Number of the rollout.
        id: u64,
        #[command(flatten)]
        answer: Answer,
    },
    /// Goes on to the next phase of a rollout that waits for a person.
    Promote(Order),
    /// Ends a rollout: the version that ran before goes on.
    Cancel(Order),
    /// Takes the authority back from the new version.
    Rollback(Order),
}

/// An order for one rollout.
#[derive(Debug, Args)]
pub(crate) struct Order {
    /// Number of the rollout.
    id: u64,
    #[command(flatten)]
    by: By,
    #[command(flatten)]
    answer: Answer,
}

/// Who orders.
#[derive(Debug, Args)]
pub(crate) struct By {
    /// Who orders it, for the journal; the system's name of the user unless given. A host with users takes the name of the
    /// token instead, and refuses another one.
    #[arg(long = "by", value_name = "NAME")]
    name: Option<String>,
}

impl By {
    /// Signs a body that is an object, unless the token that the host is shown signs it.
    pub(super) fn sign(self, host: &Host, body: &mut Value) {
        let Value::Object(members) = body else { return };
        let given = self.name.or_else(|| match host.has_named_token() {
            true => None,
            false => std::env::var("USER").ok(),
        });
        if let Some(name) = given {
            members.insert("by".to_owned(), name.into());
        }
    }
}

/// Which host to ask, and how its answer is printed.
#[derive(Debug, Args)]
pub(crate) struct Answer {
    #[command(flatten)]
    pub(super) door: Door,
    /// Print JSON, as the API gives it.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(rollout: Rollout) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match obey(rollout, &mut out) {
        // A reader that has seen enough (`| head`) is no failure.
        Err(error) if is_broken_pipe(&error) => Ok(()),
        other => other,
    }
}

pub(super) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<std::io::Error>();
    io.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

fn obey(rollout: Rollout, out: &mut impl Write) -> anyhow::Result<()> {
    match rollout {
        Rollout::Plan { wish, answer } => {
            let plan = wish.plan()?;
            let preview: RolloutPreview = answer.door.host()?.post("/api/v1/rollouts/plan", &plan)?;
            answer.print(out, &preview, show::preview)
        }
        Rollout::Start { wish, watch, by, answer } => {
            let mut body = serde_json::to_value(wish.plan()?).context("the plan as JSON")?;
            let host = answer.door.host()?;
            by.sign(&host, &mut body);
            let begun: RolloutView = host.post("/api/v1/rollouts", &body)?;
            match watch {
                true => watch::follow(&host, begun.id, answer.json, out),
                false => answer.print(out, &begun, show::begun),
            }
        }
        Rollout::Status { id: None, answer } => {
            let list: RolloutsView = answer.door.host()?.get("/api/v1/rollouts")?;
            answer.print(out, &list, show::list)
        }
        Rollout::Status { id: Some(id), answer } => {
            let view: RolloutView = answer.door.host()?.get(&address(id))?;
            answer.print(out, &view, show::one)
        }
        Rollout::Watch { id, answer } => watch::follow(&answer.door.host()?, id, answer.json, out),
        Rollout::Promote(order) => order.give(RolloutOrder::Promote, out),
        Rollout::Cancel(order) => order.give(RolloutOrder::Cancel, out),
        Rollout::Rollback(order) => order.give(RolloutOrder::Rollback, out),
    }
}

fn address(id: u64) -> String {
    format!("/api/v1/rollouts/{id}")
}

impl Order {
    fn give(self, what: RolloutOrder, out: &mut impl Write) -> anyhow::Result<()> {
        let Self { id, by, answer } = self;
        let host: Host = answer.door.host()?;
        let mut body = serde_json::json!({});
        by.sign(&host, &mut body);
        let view: RolloutView = host.post(&format!("{}/{}", address(id), what.name()), &body)?;
        answer.print(out, &view, show::ordered)
    }
}

impl Answer {
    pub(super) fn print<T: Serialize>(
        &self,
        out: &mut impl Write,
        view: &T,
        text: impl Fn(&T) -> String,
    ) -> anyhow::Result<()> {
        match self.json {
            true => writeln!(out, "{}", serde_json::to_string(view)?)?,
            false => out.write_all(text(view).as_bytes())?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
