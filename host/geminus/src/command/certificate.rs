//! `geminus certificate`: certificates of OPC UA servers and clients, listed, trusted and rejected. Works on the data folder;
//! a host that runs looks at it with each attempt to connect, from either side.

use std::path::PathBuf;

use anyhow::ensure;
use clap::{Args, Subcommand};
use geminus_opcua::{Certificate as Found, Pki, PkiError};

use crate::runtime::{field, plan};

#[derive(Debug, Subcommand)]
pub(crate) enum Certificate {
    /// Shows every certificate that a server or a client has shown.
    List {
        #[command(flatten)]
        place: Place,
    },
    /// Trusts the certificate with this thumbprint: its server is spoken to, its client let in.
    Trust {
        /// The whole thumbprint, SHA-1 or SHA-256: part of one is what an impostor's certificate can be made to share.
        thumbprint: String,
        #[command(flatten)]
        place: Place,
    },
    /// Rejects the certificate whose thumbprint starts so. A connection that stands is ended within seconds.
    Reject {
        /// The first characters of the thumbprint, four at least.
        thumbprint: String,
        #[command(flatten)]
        place: Place,
    },
}

/// Hexadecimal digits of a whole thumbprint.
const SHA1_DIGITS: usize = 40;
const SHA256_DIGITS: usize = 64;

/// Whose certificates.
#[derive(Args, Debug)]
pub(crate) struct Place {
    /// The site's configuration, or its data folder.
    #[arg(long, default_value = "site.toml")]
    site: PathBuf,
}

pub(crate) fn run(command: &Certificate) -> anyhow::Result<()> {
    match command {
        Certificate::List { place } => {
            let servers = place.pki()?;
            let (clients, servers) = (servers.clients()?.list()?, servers.list()?);
            if clients.is_empty() && servers.is_empty() {
                println!("no server and no client has shown a certificate");
            }
            servers.iter().for_each(|one| show(one, "server"));
            clients.iter().for_each(|one| show(one, "client"));
        }
        Certificate::Trust { thumbprint, place } => {
            let whole = matches!(thumbprint.len(), SHA1_DIGITS | SHA256_DIGITS);
            ensure!(
                whole,
                "{thumbprint} is part of a thumbprint: give all of it, as `geminus certificate list` shows it"
            );
            place.put(|pki| pki.trust(thumbprint))?;
        }
        Certificate::Reject { thumbprint, place } => place.put(|pki| pki.reject(thumbprint))?,
    }
    Ok(())
}

impl Place {
    fn pki(&self) -> anyhow::Result<Pki> {
        let data = match self.site.is_dir() {
            true => self.site.clone(),
            false => plan::load(&self.site)?.data_folder(),
        };
        ensure!(data.is_dir(), "{} is no folder: has the host run once?", data.display());
        Ok(Pki::open(field::opcua::pki(&data))?)
    }

    /// Puts a certificate of a server, or else of a client, where it belongs, and shows it.
    fn put(&self, put: impl Fn(&Pki) -> Result<Found, PkiError>) -> anyhow::Result<()> {
        let pki = self.pki()?;
        match put(&pki) {
            Err(PkiError::Nobody(_)) => show(&put(&pki.clients()?)?, "client"),
            found => show(&found?, "server"),
        }
        Ok(())
    }
}

fn show(one: &Found, whose: &str) {
    println!("{:<8}  {}", one.standing.name(), one.thumbprint);
    println!("          {whose}: {}", one.subject);
    println!("          from {} to {}", one.valid_from, one.valid_until);
}
