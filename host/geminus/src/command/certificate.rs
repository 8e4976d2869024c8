//! `geminus certificate`: certificates of OPC UA servers and clients, listed, trusted and rejected. Works on the data folder;
//! a host that runs looks at it with each attempt to connect, from either side, and journals who did it, now or when it starts.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use clap::{Args, Subcommand, ValueEnum};
use geminus_api::view::CertificateOrder;
use geminus_opcua::{Certificate as Found, Pki, PkiError};

use super::user::by;
use crate::runtime::access::Kept;
use crate::runtime::{certificates, field, plan};

#[derive(Debug, Subcommand)]
pub(crate) enum Certificate {
    /// Shows every certificate that a server or a client has shown.
    List {
        #[command(flatten)]
        place: Place,
    },
    /// Trusts the certificate with this thumbprint: its server is spoken to, its client let in.
    Trust {
        #[command(flatten)]
        one: One,
        #[command(flatten)]
        place: Place,
    },
    /// Rejects the certificate whose thumbprint starts so. A connection to its server is ended within seconds; its client is
    /// not let in again, and a session that stands goes on.
    Reject {
        #[command(flatten)]
        one: One,
        #[command(flatten)]
        place: Place,
    },
}

/// Hexadecimal digits of a whole thumbprint.
const SHA1_DIGITS: usize = 40;
const SHA256_DIGITS: usize = 64;

/// Which certificate.
#[derive(Args, Debug)]
pub(crate) struct One {
    /// The thumbprint: the whole of it to trust, because part of one is what an impostor's certificate can be made to share; its
    /// first characters, four at least, to reject.
    thumbprint: String,
    /// Whose it is. Needed where both a server and a client have shown one that starts so.
    #[arg(long, value_name = "SIDE")]
    of: Option<Whose>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Whose {
    Server,
    Client,
}

/// Whose certificates.
#[derive(Args, Debug)]
pub(crate) struct Place {
    /// The site's configuration, or its data folder.
    #[arg(long, default_value = "site.toml")]
    site: PathBuf,
}

pub(crate) fn run(command: &Certificate) -> anyhow::Result<()> {
    obey(command, &mut std::io::stdout().lock())
}

fn obey(command: &Certificate, out: &mut impl Write) -> anyhow::Result<()> {
    match command {
        Certificate::List { place } => {
            let servers = pki(&place.data()?)?;
            let (clients, servers) = (servers.clients()?.list()?, servers.list()?);
            if clients.is_empty() && servers.is_empty() {
                writeln!(out, "no server and no client has shown a certificate")?;
            }
            servers.iter().try_for_each(|one| show(out, one, "server"))?;
            clients.iter().try_for_each(|one| show(out, one, "client"))
        }
        Certificate::Trust { one, place } => {
            let part = &one.thumbprint;
            let whole = matches!(part.len(), SHA1_DIGITS | SHA256_DIGITS);
            ensure!(
                whole,
                "{part} is part of a thumbprint: give all of it, as `geminus certificate list` shows it"
            );
            order(one, &place.data()?, CertificateOrder::Trust, out)
        }
        Certificate::Reject { one, place } => order(one, &place.data()?, CertificateOrder::Reject, out),
    }
}

impl Place {
    fn data(&self) -> anyhow::Result<PathBuf> {
        let data = match self.site.is_dir() {
            true => self.site.clone(),
            false => plan::load(&self.site)?.data_folder(),
        };
        ensure!(data.is_dir(), "{} is no folder: has the host run once?", data.display());
        Ok(data)
    }
}

fn pki(data: &Path) -> anyhow::Result<Pki> {
    Ok(Pki::open(field::opcua::pki(data))?)
}

/// Puts a certificate where it belongs, shows it, and leaves word of it for the journal.
fn order(one: &One, data: &Path, order: CertificateOrder, out: &mut impl Write) -> anyhow::Result<()> {
    let prefix = &one.thumbprint;
    let pki = side(one, pki(data)?)?;
    let found = match order {
        CertificateOrder::Trust => pki.trust(prefix),
        CertificateOrder::Reject => pki.reject(prefix),
        CertificateOrder::Remove => pki.remove(prefix),
    }?;
    show(out, &found, pki.side().name())?;
    let word = certificates::word(pki.side(), &found, order, &by());
    let noted = Kept::open(data).and_then(|kept| kept.note(&word));
    noted.context("this is done, but the journal cannot be told of it")
}

/// Those of the side that is meant. Nobody is trusted on one side because he was meant on the other.
fn side(one: &One, servers: Pki) -> anyhow::Result<Pki> {
    let (clients, prefix) = (servers.clients()?, &one.thumbprint);
    match one.of {
        Some(Whose::Server) => return Ok(servers),
        Some(Whose::Client) => return Ok(clients),
        None => {}
    }
    match (servers.named(prefix), clients.named(prefix)) {
        (Err(PkiError::Nobody(_)), _) => Ok(clients),
        (_, Err(PkiError::Nobody(_))) => Ok(servers),
        (Ok(_) | Err(PkiError::Many { .. }), Ok(_) | Err(PkiError::Many { .. })) => bail!(
            "both a server and a client have shown a certificate that starts with {prefix}: say which is meant with \
             `--of server` or `--of client`"
        ),
        (Err(error), _) | (_, Err(error)) => Err(error.into()),
    }
}

fn show(out: &mut impl Write, one: &Found, whose: &str) -> anyhow::Result<()> {
    writeln!(out, "{:<8}  {}", one.standing.name(), one.thumbprint)?;
    writeln!(out, "          {whose}: {}", one.subject)?;
    writeln!(out, "          from {} to {}", one.valid_from, one.valid_until)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use geminus_store::AccessFile;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(subcommand)]
        certificate: Certificate,
    }

    fn command(data: &Path, line: &str) -> (String, anyhow::Result<()>) {
        let words = ["certificate"].into_iter().chain(line.split_whitespace());
        let line = Line::try_parse_from(words.chain(["--site", data.to_str().expect("path")]));
        let mut out = Vec::new();
        let result = match line {
            Ok(line) => obey(&line.certificate, &mut out),
            Err(error) => Err(error.into()),
        };
        (String::from_utf8(out).expect("UTF-8"), result)
    }

    /// A data folder in which one certificate waits on these sides; its thumbprint.
    fn place(sides: &[&str]) -> (tempfile::TempDir, String) {
        let dir = tempfile::tempdir().expect("folder");
        let servers = pki(dir.path()).expect("pki");
        servers.clients().expect("clients");
        let key = rcgen::KeyPair::generate().expect("key");
        let params = rcgen::CertificateParams::new(vec!["plc.example".to_owned()]).expect("names");
        let made = params.self_signed(&key).expect("certificate");
        for side in sides {
            std::fs::write(dir.path().join("pki").join(side).join("a.der"), made.der()).expect("written");
        }
        let all = [servers.list().expect("list"), servers.clients().expect("clients").list().expect("list")];
        let thumbprint = all.concat().first().expect("one").thumbprint.clone();
        (dir, thumbprint)
    }

    fn words(data: &Path) -> Vec<(String, String)> {
        let words = AccessFile::open(data).expect("file").words(10).expect("words");
        let text = |fact: &serde_json::Value| fact.as_str().unwrap_or_default().to_owned();
        words.iter().map(|word| (word.event.kind.clone(), text(&word.event.facts["side"]))).collect()
    }

    #[test]
    fn what_is_trusted_and_rejected_is_left_for_the_journal() {
        let (dir, thumbprint) = place(&["clients/rejected"]);
        let (said, result) = command(dir.path(), &format!("trust {thumbprint}"));
        result.expect("trusted");
        assert!(said.starts_with(&format!("trusted   {thumbprint}\n          client: ")), "{said}");
        command(dir.path(), &format!("reject {}", &thumbprint[..8])).1.expect("rejected");
        assert!(command(dir.path(), "trust ffffffffff").1.is_err());
        let expect = [("certificate-trusted", "client"), ("certificate-rejected", "client")];
        assert_eq!(words(dir.path()), expect.map(|(kind, side)| (kind.to_owned(), side.to_owned())));
        let words = AccessFile::open(dir.path()).expect("file").words(10).expect("words");
        assert!(words[0].event.facts["by"].as_str().is_some_and(|by| by.ends_with("command line")));
        assert!(command(dir.path(), "list").0.contains("client: "));
    }

    #[test]
    fn one_that_both_sides_have_shown_is_trusted_on_the_side_that_is_named() {
        let (dir, thumbprint) = place(&["rejected", "clients/rejected"]);
        let refused = command(dir.path(), &format!("trust {thumbprint}")).1.expect_err("whose?");
        assert!(refused.to_string().contains("--of client"), "{refused}");
        assert!(words(dir.path()).is_empty(), "nothing was done");
        command(dir.path(), &format!("trust {thumbprint} --of client")).1.expect("trusted");
        let servers = pki(dir.path()).expect("pki");
        let standing = |pki: &Pki| pki.named(&thumbprint).expect("one").standing.name();
        assert_eq!(
            (standing(&servers), standing(&servers.clients().expect("clients"))),
            ("rejected", "trusted")
        );
        command(dir.path(), &format!("trust {thumbprint} --of server")).1.expect("trusted");
        assert_eq!(standing(&servers), "trusted");
    }
}
