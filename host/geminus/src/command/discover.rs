//! `geminus discover`: what a server has, as a part of a site's configuration. Reads only.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::{Subcommand, ValueEnum};
use geminus_core::{Clock as _, SystemClock};
use geminus_opcua::discover::{self, Bounds};
use geminus_opcua::{Mode, NodeAddress, OpcUaOptions, Policy, Security, Subscribe, User};

use crate::runtime::field::{broker, opcua};

#[derive(Debug, Subcommand)]
pub(crate) enum Discover {
    /// Looks through an OPC UA server.
    Opcua {
        /// Address of the server: opc.tcp://host:4840/path.
        endpoint: String,
        /// Look below this node only, for example ns=2;s=Plant.
        #[arg(long)]
        under: Option<NodeAddress>,
        /// Name of the source in what is printed.
        #[arg(long, default_value = "opcua")]
        source: String,
        /// What secures the line.
        #[arg(long, value_enum, default_value_t)]
        security: Secured,
        /// Sign only, do not encrypt.
        #[arg(long)]
        sign_only: bool,
        /// User name; anonymous without one.
        #[arg(long, requires = "password")]
        username: Option<String>,
        /// Name of the environment variable with the password.
        #[arg(long, group = "password")]
        password_env: Option<String>,
        /// File with the password in its first line, readable by nobody else.
        #[arg(long, group = "password")]
        password_file: Option<PathBuf>,
        /// Data folder of the site, with the certificates that are trusted. Needed for a secured line.
        #[arg(long)]
        data: Option<PathBuf>,
        /// Do not compare the names in the server's certificate.
        #[arg(long)]
        any_host: bool,
        /// Nodes that are looked at.
        #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
        nodes_max: u32,
        /// Steps from the first node.
        #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=100))]
        depth_max: u32,
    },
}

/// What secures the line.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum Secured {
    /// Nothing.
    #[default]
    None,
    /// Basic256Sha256.
    Basic256sha256,
    /// Aes128-Sha256-RsaOaep.
    Aes128sha256rsaoaep,
    /// Aes256-Sha256-RsaPss.
    Aes256sha256rsapss,
}

impl Secured {
    fn policy(self) -> Option<Policy> {
        match self {
            Self::None => None,
            Self::Basic256sha256 => Some(Policy::Basic256Sha256),
            Self::Aes128sha256rsaoaep => Some(Policy::Aes128Sha256RsaOaep),
            Self::Aes256sha256rsapss => Some(Policy::Aes256Sha256RsaPss),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Basic256sha256 => "basic256sha256",
            Self::Aes128sha256rsaoaep => "aes128sha256rsaoaep",
            Self::Aes256sha256rsapss => "aes256sha256rsapss",
        }
    }
}

pub(crate) fn run(command: &Discover) -> anyhow::Result<()> {
    let Discover::Opcua {
        endpoint,
        under,
        source,
        security,
        sign_only,
        username,
        password_env,
        password_file,
        data,
        any_host,
        nodes_max,
        depth_max,
    } = command;
    let mode = if *sign_only { Mode::Sign } else { Mode::SignAndEncrypt };
    let security_wanted = security.policy().map_or(Security::None, |policy| Security::Secured(policy, mode));
    ensure!(
        security_wanted == Security::None || data.is_some(),
        "a secured line needs --data, the data folder of the site with the certificates that are trusted"
    );
    // What is made for an open line is thrown away afterwards.
    let (pki, _folder) = match data {
        Some(data) => (opcua::pki(data), None),
        None => {
            let folder = Throwaway::new()?;
            (folder.0.join("pki"), Some(folder))
        }
    };
    let user = match username {
        Some(name) => User::Named {
            name: name.clone(),
            password: broker::password(password_env.as_deref(), password_file.as_deref())?
                .unwrap_or_default(),
        },
        None => User::Anonymous,
    };
    let second = Duration::from_secs(1);
    let options = OpcUaOptions {
        name: source.clone(),
        endpoint: endpoint.clone(),
        security: security_wanted,
        user,
        pki,
        check_host: !any_host,
        subscribe: Subscribe { publishing: second, sampling: second, queue: 1 },
        accept_future: second,
    };
    let bounds = Bounds { nodes_max: *nodes_max as usize, depth_max: *depth_max as usize };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let now = SystemClock::new().now();
    let found = runtime.block_on(discover::discover(&options, under.as_ref(), bounds, now))?;
    let mut settings = format!("endpoint = {}\n", toml::Value::from(endpoint.as_str()));
    if security_wanted != Security::None {
        settings.push_str(&format!("security = \"{}\"\n", security.name()));
        if *sign_only {
            settings.push_str("mode = \"sign\"\n");
        }
    }
    for (key, value) in [
        ("username", username.clone()),
        ("password_env", password_env.clone()),
        ("password_file", password_file.as_ref().map(|file| file.display().to_string())),
    ] {
        if let Some(value) = value {
            settings.push_str(&format!("{key} = {}\n", toml::Value::from(value)));
        }
    }
    if *any_host {
        settings.push_str("check_host = false\n");
    }
    print!("{}", found.to_toml(source, &settings));
    ensure!(!found.variables.is_empty(), "{endpoint} has no variable there");
    Ok(())
}

/// A folder that goes when it is dropped.
struct Throwaway(PathBuf);

impl Throwaway {
    fn new() -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("geminus-discover-{}", std::process::id()));
        std::fs::create_dir(&path).with_context(|| path.display().to_string())?;
        Ok(Self(path))
    }
}

impl Drop for Throwaway {
    fn drop(&mut self) {
        drop_folder(&self.0);
    }
}

fn drop_folder(path: &Path) {
    if let Err(error) = std::fs::remove_dir_all(path) {
        tracing::warn!(path = %path.display(), %error, "a folder stays behind");
    }
}
