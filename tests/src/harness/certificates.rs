//! Certificates made on the spot with `openssl`, in a folder that goes with the scenario. None is ever kept.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};

/// An authority and what it has signed.
#[derive(Debug)]
pub struct Authority {
    folder: tempfile::TempDir,
}

/// A certificate and its key.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its key, which only its owner may read.
    pub key: PathBuf,
}

impl Authority {
    /// A new one, which nobody trusts yet.
    ///
    /// # Errors
    /// When `openssl` is missing or fails.
    pub fn new() -> anyhow::Result<Self> {
        let authority = Self { folder: tempfile::tempdir()? };
        openssl(
            authority.folder.path(),
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=test-authority \
             -keyout ca.key -out ca.pem",
        )?;
        Ok(authority)
    }

    /// Its own certificate.
    #[must_use]
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Signs a certificate for `name`, which is good for these alternative names: `DNS:localhost,IP:127.0.0.1`.
    ///
    /// # Errors
    /// When `openssl` fails.
    pub fn issue(&self, name: &str, alternative: &str) -> anyhow::Result<Identity> {
        let folder = self.folder.path();
        fs::write(folder.join(format!("{name}.ext")), format!("subjectAltName={alternative}\n"))?;
        openssl(
            folder,
            &format!(
                "req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN={name} \
                 -keyout {name}.key -out {name}.csr"
            ),
        )?;
        openssl(
            folder,
            &format!(
                "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile {name}.ext \
                 -out {name}.pem"
            ),
        )?;
        let key = folder.join(format!("{name}.key"));
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600))?;
        Ok(Identity { certificate: folder.join(format!("{name}.pem")), key })
    }
}

fn openssl(folder: &Path, arguments: &str) -> anyhow::Result<()> {
    let output = Command::new("openssl")
        .args(arguments.split_whitespace())
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .context("openssl cannot be started: install it (Debian: openssl)")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "openssl {arguments}: {said}");
    Ok(())
}
