//! The command line: what there is to say, and who does it.

mod alarm;
pub(crate) mod bench;
mod certificate;
mod check;
mod commands;
#[cfg(feature = "demo")]
pub(crate) mod demo;
mod discover;
mod feed;
mod forecast;
mod history;
mod interlock;
mod journal;
mod plugin;
mod record;
mod replay;
mod rollout;
pub(crate) mod run;
mod span;
mod target;
mod thread;
mod token;
mod user;
mod what_if;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Parser, Subcommand};

/// Digital twins whose behavior is WebAssembly.
#[derive(Debug, Parser)]
#[command(name = "geminus", version, propagate_version = true)]
pub(crate) struct Arguments {
    /// What to log, as in RUST_LOG (for example `debug` or `warn,geminus_ingest=trace`).
    #[arg(long, global = true, env = "GEMINUS_LOG", hide_env_values = true)]
    pub(crate) log: Option<String>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    #[cfg(feature = "demo")]
    /// Runs a simulated pump rig, a broker, the twin and the dashboard: nothing to install, nothing to set up.
    Demo {
        /// Do not name the page to open; for scripts.
        #[arg(long)]
        headless: bool,
        /// Stop after this time, for example 30s or 5m.
        #[arg(long = "for", value_parser = span::parse)]
        for_: Option<Duration>,
        /// Where to serve the page.
        #[arg(long, default_value = "127.0.0.1:8630")]
        listen: SocketAddr,
        /// Folder for history, plugins and token; default: a folder `geminus-demo` in the system's temporary folder,
        /// emptied at each start.
        #[arg(long)]
        data: Option<PathBuf>,
    },
    /// Runs a site until it is told to stop.
    Run {
        /// The site's configuration.
        site: PathBuf,
        /// Overrides `http.listen`.
        #[arg(long)]
        listen: Option<SocketAddr>,
        /// Stop after this time.
        #[arg(long = "for", value_parser = span::parse)]
        for_: Option<Duration>,
    },
    /// Checks a site without running it: types, units, patterns, addresses, topics, recordings,
    /// plugins, parameters.
    Check {
        /// The site's configuration.
        site: PathBuf,
    },
    /// Looks through a server and prints what it has as a part of a site's configuration.
    #[command(subcommand)]
    Discover(Box<discover::Discover>),
    /// Shows, trusts and rejects certificates of OPC UA servers and clients.
    #[command(subcommand)]
    Certificate(certificate::Certificate),
    /// Plays recorded data into a broker.
    Feed(feed::Feed),
    /// Makes, builds and inspects plugins.
    #[command(subcommand)]
    Plugin(plugin::Plugin),
    /// Tries, promotes and takes back versions of a plugin on the running host.
    #[command(subcommand)]
    Rollout(Box<rollout::Rollout>),
    /// Shows alarms; acknowledges, shelves and resets them on the running host.
    #[command(subcommand)]
    Alarm(Box<alarm::Alarm>),
    /// Proposes values for targets, shows what became of it, approves and refuses on the running host.
    #[command(subcommand, name = "command")]
    Wish(Box<commands::Command>),
    /// Shows, arms and disarms how far the behaviors of a twin may reach.
    #[command(subcommand)]
    Authority(Box<target::Authority>),
    /// Shows, takes, gives back and locks what may be written; resets trips.
    #[command(subcommand)]
    Target(Box<target::Target>),
    /// Tries and explains the rules that guard what may be written.
    #[command(subcommand)]
    Interlock(interlock::Interlock),
    /// Computes recorded rows again: proves that they come out as recorded, or shows where another version would differ.
    Replay(replay::Replay),
    /// Asks the running host what a behavior foresees of a twin: means, intervals, times to thresholds.
    Forecast(Box<forecast::Forecast>),
    /// Asks what would be if: copies of a twin step ahead of it, or step recorded rows again otherwise. Commands nothing.
    WhatIf(Box<what_if::WhatIf>),
    /// Measures this build on this machine, each figure against its baseline in the same run.
    Bench(bench::Bench),
    /// Reads history.
    #[command(subcommand)]
    History(history::History),
    /// Shows everything about an asset on one line: design, versions, calibrations, alerts, decisions, work orders.
    Thread(Box<thread::Thread>),
    /// Brings records of other systems about assets: work orders, batches, inspections, calibrations.
    #[command(subcommand)]
    Record(Box<record::Record>),
    /// Verifies and exports the journal, and shows or changes the key that signs it.
    #[command(subcommand)]
    Journal(journal::Journal),
    /// Makes, shows and removes users: who may log in. Works while the host runs and while it does not.
    #[command(subcommand)]
    User(user::User),
    /// Makes, shows and removes tokens: which programs may come. Works while the host runs and while it does not.
    #[command(subcommand)]
    Token(token::Token),
    /// Compiles one component for a running host, which ends this process when it takes too much.
    #[command(hide = true)]
    CompileApart {
        /// The component.
        component: PathBuf,
        /// Where the host looks for what is compiled.
        cache: PathBuf,
        /// Address space that the host reserves for each memory, in bytes.
        reservation: u64,
        /// Process of the host; without it this one ends.
        parent: u32,
    },
}

impl Command {
    /// What to log unless told: a measurement shows figures, and errors only; a command that says what went wrong, nothing.
    pub(crate) fn log(&self) -> Option<&'static str> {
        match self {
            Self::Bench(_) => Some("error"),
            Self::Discover(_) => Some("off"),
            _ => None,
        }
    }
}

/// An error about a file, with the file's name once: some rooms name it themselves.
pub(crate) fn named(file: &Path, error: impl std::fmt::Display) -> anyhow::Error {
    let (name, text) = (file.display().to_string(), error.to_string());
    match text.contains(&name) {
        true => anyhow::anyhow!(text),
        false => anyhow::anyhow!("{name}: {text}"),
    }
}

/// Does it.
pub(crate) fn run(command: Command) -> anyhow::Result<()> {
    match command {
        #[cfg(feature = "demo")]
        Command::Demo { headless, for_, listen, data } => demo::run(headless, for_, listen, data),
        Command::Run { site, listen, for_ } => run::run(&site, listen, for_),
        Command::Check { site } => check::run(&site),
        Command::Discover(discover) => discover::run(&discover),
        Command::Certificate(certificate) => certificate::run(&certificate),
        Command::Feed(feed) => feed::run(feed),
        Command::Plugin(plugin) => plugin::run(plugin),
        Command::Rollout(rollout) => rollout::run(*rollout),
        Command::Alarm(alarm) => alarm::run(*alarm),
        Command::Wish(command) => commands::run(*command),
        Command::Authority(authority) => target::run_authority(*authority),
        Command::Target(target) => target::run(*target),
        Command::Interlock(interlock) => interlock::run(&interlock),
        Command::Replay(replay) => replay::run(&replay),
        Command::Forecast(forecast) => forecast::run(&forecast),
        Command::WhatIf(what_if) => what_if::run(&what_if),
        Command::Bench(bench) => bench::run(&bench),
        Command::History(history) => history::run(history),
        Command::Thread(thread) => thread::run(&thread),
        Command::Record(record) => record::run(*record),
        Command::Journal(journal) => journal::run(journal),
        Command::User(user) => user::run(user),
        Command::Token(token) => token::run(token),
        Command::CompileApart { component, cache, reservation, parent } => {
            crate::runtime::compile::compile_file(&component, &cache, reservation, parent)
        }
    }
}
