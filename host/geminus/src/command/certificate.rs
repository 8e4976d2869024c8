//! `geminus certificate`: certificates of OPC UA servers, listed, trusted and rejected. Works on the data folder; a host
//! that runs looks at it with each attempt to connect.

use std::path::PathBuf;

use anyhow::ensure;
use clap::{Args, Subcommand};
use geminus_opcua::{Certificate as Found, Pki};

use crate::runtime::{field, plan};

#[derive(Debug, Subcommand)]
pub(crate) enum Certificate {
    /// Shows every certificate that a server has shown.
    List {
        #[command(flatten)]
        place: Place,
    },
    /// Trusts the certificate whose thumbprint starts so: its server is spoken to.
    Trust {
        /// The first characters of the thumbprint, four at least.
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
            let found = place.pki()?.list()?;
            if found.is_empty() {
                println!("no server has shown a certificate");
            }
            found.iter().for_each(show);
        }
        Certificate::Trust { thumbprint, place } => show(&place.pki()?.trust(thumbprint)?),
        Certificate::Reject { thumbprint, place } => show(&place.pki()?.reject(thumbprint)?),
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
}

fn show(one: &Found) {
    println!("{:<8}  {}", one.standing.name(), one.thumbprint);
    println!("          {}", one.subject);
    println!("          from {} to {}", one.valid_from, one.valid_until);
}
