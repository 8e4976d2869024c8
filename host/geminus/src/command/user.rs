//! `geminus user`: who may log in. Works on the data folder, whether or not the host runs; a running one follows within a
//! second. Whoever may write the data folder may do this: it is how the first user is made, and the way back in.

use std::io::{BufRead as _, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use geminus_access::{Gate, Now, PASSWORD_BYTES_MAX, Role, Roles, Scope, User as Known, UserWish};
use geminus_api::view::Time;
use geminus_core::SystemClock;
use serde_json::json;

use super::history::folder;
use crate::runtime::access::Kept;

#[derive(Debug, Subcommand)]
pub(crate) enum User {
    /// Makes a user; the first one must be an admin of all twins. The password is asked for, or read from standard input.
    Add {
        /// The site's configuration, or its data folder.
        site: PathBuf,
        /// Small letters, digits and `.`, `_`, `-`, `@`, a letter first.
        name: String,
        #[command(flatten)]
        rights: Rights,
    },
    /// Shows who may log in.
    List {
        /// The site's configuration, or its data folder.
        site: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Removes a user, with its sessions and the tokens for which it answers.
    Remove {
        /// The site's configuration, or its data folder.
        site: PathBuf,
        /// Its name.
        name: String,
        /// Also when it is the last one: the site then is open to everybody on this machine again.
        #[arg(long)]
        last: bool,
    },
    /// Gives a user another password, asked for or read from standard input; its sessions end.
    Password {
        /// The site's configuration, or its data folder.
        site: PathBuf,
        /// Its name.
        name: String,
    },
}

/// What somebody may do.
#[derive(Debug, Args)]
pub(crate) struct Rights {
    /// viewer, operator, engineer, approver or admin; may be given more than once.
    #[arg(long = "role", value_name = "ROLE", required = true, value_parser = role)]
    roles: Vec<Role>,
    /// For twins whose ids match, where `*` stands for any run of characters; may be given more than once. All twins unless
    /// given.
    #[arg(long = "twins", value_name = "PATTERN")]
    twins: Vec<String>,
}

impl Rights {
    pub(super) fn read(self) -> anyhow::Result<(Roles, Scope)> {
        let scope = if self.twins.is_empty() { Scope::all() } else { Scope::new(self.twins)? };
        Ok((Roles::new(self.roles)?, scope))
    }
}

fn role(text: &str) -> Result<Role, String> {
    text.parse().map_err(|error: geminus_access::AccessError| error.to_string())
}

pub(crate) fn run(user: User) -> anyhow::Result<()> {
    obey(user, &mut std::io::stdout().lock(), password)
}

fn obey(
    user: User,
    out: &mut impl Write,
    password: impl FnOnce() -> anyhow::Result<String>,
) -> anyhow::Result<()> {
    match user {
        User::Add { site, name, rights } => {
            let (roles, scope) = rights.read()?;
            let gate = gate(&site)?;
            let first = !gate.has_users();
            let wish = UserWish { name, password: password()?, roles, scope };
            let made = gate.add_user(wish, &by(), now())?;
            writeln!(out, "{}", line(&made))?;
            if first {
                writeln!(out, "From now on every question needs a login or a token.")?;
            }
            Ok(())
        }
        User::List { site, json: false } => {
            gate(&site)?.users().iter().try_for_each(|user| Ok(writeln!(out, "{}", line(user))?))
        }
        User::List { site, json: true } => {
            let users = gate(&site)?.users();
            let users: Vec<_> = users
                .iter()
                .map(|Known { name, roles, scope, since, .. }| {
                    json!({"name": name, "roles": roles, "twins": scope, "since": Time::from(*since)})
                })
                .collect();
            Ok(writeln!(out, "{}", serde_json::to_string(&users)?)?)
        }
        User::Remove { site, name, last } => {
            let gate = gate(&site)?;
            gate.remove_user(&name, last, &by())?;
            if !gate.has_users() {
                writeln!(
                    out,
                    "There are no users now: everybody on this machine reads, and the token of the data folder writes, unless the site has an issuer."
                )?;
            }
            Ok(())
        }
        User::Password { site, name } => Ok(gate(&site)?.set_password(&name, &password()?, &by())?),
    }
}

fn line(user: &Known) -> String {
    format!("{}  {}  for {}  since {}", user.name, user.roles, user.scope, Time::from(user.since))
}

/// The gate over a data folder; it admits nobody, it only makes and removes.
pub(super) fn gate(site: &Path) -> anyhow::Result<Gate> {
    let folder = folder(site)?;
    let kept = Kept::open(&folder).with_context(|| folder.display().to_string())?;
    Ok(Gate::open(Box::new(kept), None, Arc::new(|_| {}))?)
}

pub(super) fn now() -> Now {
    Now::of(&SystemClock::new())
}

/// Who does it, for the journal: the system's name of the user, as far as it is one.
pub(super) fn by() -> String {
    let name = std::env::var("USER").unwrap_or_default();
    match !name.is_empty()
        && name.len() <= 64
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
    {
        true => format!("{name} at the command line"),
        false => "the command line".to_owned(),
    }
}

/// From a person, twice and unseen; from a program, the first line. Never from an argument, which others could read.
fn password() -> anyhow::Result<String> {
    if !std::io::stdin().is_terminal() {
        return first_line(std::io::stdin().lock());
    }
    let once = rpassword::prompt_password("Password: ").context("the password cannot be asked for")?;
    let again = rpassword::prompt_password("Once more: ").context("the password cannot be asked for")?;
    match once == again {
        true => Ok(once),
        false => bail!("these are two different passwords: nothing was changed"),
    }
}

fn first_line(input: impl std::io::BufRead) -> anyhow::Result<String> {
    let mut line = String::new();
    let bytes_max = u64::try_from(PASSWORD_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(2);
    input.take(bytes_max).read_line(&mut line).context("the password cannot be read from standard input")?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(subcommand)]
        user: User,
    }

    fn command(data: &Path, line: &str, password: &str) -> (String, anyhow::Result<()>) {
        let words = line.replace("DATA", data.to_str().expect("path"));
        let user = Line::try_parse_from(["user"].into_iter().chain(words.split_whitespace()));
        let mut out = Vec::new();
        let result = match user {
            Ok(line) => obey(line.user, &mut out, || Ok(password.to_owned())),
            Err(error) => Err(error.into()),
        };
        (String::from_utf8(out).expect("UTF-8"), result)
    }

    #[test]
    fn users_are_made_listed_and_removed_in_the_data_folder() {
        let dir = tempfile::tempdir().expect("folder");
        let run = |line: &str| command(dir.path(), line, "correct horse battery");
        let (_, result) = run("add DATA bob --role operator");
        assert!(result.expect_err("not the first").to_string().contains("first user must be an admin"));
        let (said, result) = run("add DATA ada --role admin");
        result.expect("made");
        assert!(said.starts_with("ada  admin  for *  since ") && said.contains("From now on"), "{said}");
        run("add DATA bob --role operator --role approver --twins pump-* --twins fan-1").1.expect("made");
        let (said, _) = run("list DATA");
        assert!(said.contains("\nbob  operator,approver  for pump-*,fan-1  since "), "{said}");
        let (said, _) = run("list DATA --json");
        let list: serde_json::Value = serde_json::from_str(&said).expect("JSON");
        assert_eq!(list[1]["roles"], json!(["operator", "approver"]));
        assert!(!said.contains("argon2"), "{said}");
        run("password DATA bob").1.expect("set");
        assert!(run("password DATA eve").1.is_err() && run("remove DATA eve").1.is_err());
        assert!(run("remove DATA ada").1.expect_err("the last admin").to_string().contains("last admin"));
        run("remove DATA bob").1.expect("removed");
        assert!(run("remove DATA ada").1.is_err());
        let (said, result) = run("remove DATA ada --last");
        result.expect("removed");
        assert!(said.contains("There are no users now"), "{said}");
    }

    #[test]
    fn a_password_is_no_argument_and_one_line_of_bounded_length() {
        let dir = tempfile::tempdir().expect("folder");
        assert!(command(dir.path(), "add DATA ada hunter2hunter2 --role admin", "").1.is_err());
        let (_, result) = command(dir.path(), "add DATA ada --role admin", "short");
        assert!(result.expect_err("short").to_string().contains("at least 12 characters"));
        assert!(command(dir.path(), "add DATA ada --role root", "correct horse battery").1.is_err());
        assert_eq!(first_line(&b"a long password\r\nmore\n"[..]).expect("line"), "a long password");
        assert!(
            first_line(&[b'x'; 10_000][..]).expect("line").len() > PASSWORD_BYTES_MAX,
            "it is refused later"
        );
        assert!(first_line(&b"\xff\xfe\n"[..]).is_err());
    }
}
