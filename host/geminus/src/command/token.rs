//! `geminus token`: which programs may come. Works on the data folder, as `geminus user` does.

use std::io::Write;
use std::path::PathBuf;

use clap::Subcommand;
use geminus_access::{Token as Known, TokenWish};
use geminus_api::view::Time;
use geminus_core::Timestamp;
use serde_json::json;

use super::history::time;
use super::user::{Rights, by, gate, now};

#[derive(Debug, Subcommand)]
pub(crate) enum Token {
    /// Makes a token and prints it, for the only time.
    Add {
        /// The site's configuration, or its data folder.
        site: PathBuf,
        /// Small letters, digits and `.`, `_`, `-`, `@`, a letter first.
        name: String,
        #[command(flatten)]
        rights: Rights,
        /// Name of the user who answers for the program; when that user goes, so does the token.
        #[arg(long, value_name = "USER")]
        owner: String,
        /// From when on it opens nothing: RFC 3339 or milliseconds since 1970. Never unless given.
        #[arg(long, value_name = "TIME", value_parser = time)]
        expires: Option<Timestamp>,
    },
    /// Shows which tokens there are, without themselves.
    List {
        /// The site's configuration, or its data folder.
        site: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Removes a token, which opens nothing from then on.
    Remove {
        /// The site's configuration, or its data folder.
        site: PathBuf,
        /// Its name.
        name: String,
    },
}

pub(crate) fn run(token: Token) -> anyhow::Result<()> {
    obey(token, &mut std::io::stdout().lock())
}

fn obey(token: Token, out: &mut impl Write) -> anyhow::Result<()> {
    match token {
        Token::Add { site, name, rights, owner, expires } => {
            let (roles, scope) = rights.read()?;
            let wish = TokenWish { name, roles, scope, owner, expires };
            let (secret, _) = gate(&site)?.add_token(wish, &by(), now())?;
            // Alone on its line, so that a program can take it from there.
            Ok(writeln!(out, "{}", secret.reveal())?)
        }
        Token::List { site, json: false } => {
            gate(&site)?.tokens().iter().try_for_each(|token| Ok(writeln!(out, "{}", line(token))?))
        }
        Token::List { site, json: true } => {
            let tokens = gate(&site)?.tokens();
            let tokens: Vec<_> = tokens
                .iter()
                .map(|token| {
                    json!({"name": token.name, "roles": token.roles, "twins": token.scope, "owner": token.owner,
                        "since": Time::from(token.since), "expires": token.expires.map(Time::from)})
                })
                .collect();
            Ok(writeln!(out, "{}", serde_json::to_string(&tokens)?)?)
        }
        Token::Remove { site, name } => Ok(gate(&site)?.remove_token(&name, &by())?),
    }
}

fn line(token: &Known) -> String {
    let Known { name, roles, scope, owner, since, expires, .. } = token;
    let until = expires.map(|expires| format!("  until {}", Time::from(expires))).unwrap_or_default();
    format!("{name}  {roles}  for {scope}  of {owner}  since {}{until}", Time::from(*since))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::Parser;
    use geminus_access::{Admission, Brought, UserWish};

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(subcommand)]
        token: Token,
    }

    fn command(data: &Path, line: &str) -> (String, anyhow::Result<()>) {
        let words = line.replace("DATA", data.to_str().expect("path"));
        let token = Line::try_parse_from(["token"].into_iter().chain(words.split_whitespace()));
        let mut out = Vec::new();
        let result = token.map_err(anyhow::Error::from).and_then(|line| obey(line.token, &mut out));
        (String::from_utf8(out).expect("UTF-8"), result)
    }

    #[test]
    fn a_token_is_printed_once_and_opens_until_it_is_removed() {
        let dir = tempfile::tempdir().expect("folder");
        let run = |line: &str| command(dir.path(), line);
        assert!(run("add DATA historian --role viewer --owner ada").1.is_err(), "there is no ada");
        let wish = UserWish {
            name: "ada".to_owned(),
            password: "correct horse battery".to_owned(),
            roles: "admin".parse().expect("roles"),
            scope: geminus_access::Scope::all(),
        };
        gate(dir.path()).expect("gate").add_user(wish, "test", now()).expect("user");
        let (secret, result) =
            run("add DATA historian --role viewer --twins pump-* --owner ada --expires 2199-01-01T00:00:00Z");
        result.expect("made");
        let secret = secret.trim();
        let admits = || {
            let brought = Brought { token: Some(secret.as_bytes()), session: None };
            matches!(gate(dir.path()).expect("gate").admit(brought, now()), Admission::Known(_))
        };
        assert!(admits());
        for list in ["list DATA", "list DATA --json"] {
            let (said, result) = run(list);
            result.expect("list");
            assert!(said.contains("historian") && said.contains("2199-01-01T00:00:00Z"), "{said}");
            assert!(!said.contains(secret) && !said.contains("sha256"), "{said}");
        }
        assert!(run("add DATA late --role viewer --owner ada --expires 2001-01-01T00:00:00Z").1.is_err());
        run("remove DATA historian").1.expect("removed");
        assert!(!admits() && run("remove DATA historian").1.is_err());
    }
}
