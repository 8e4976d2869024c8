//! How this host introduces itself to a broker, and whom it trusts there: what the site file names is read from elsewhere,
//! because no secret stands in it.

use std::path::Path;

use anyhow::Context as _;
use geminus_tls::{Files, Tls, read_secret};
use geminus_twin::site::Broker;

/// Certificates of a connection, `None` for one without TLS. `beside` is the folder of the site file. Blocks on the files.
///
/// # Errors
/// With the file and what is wrong with it.
pub(in crate::runtime) fn tls(broker: Broker<'_>, beside: &Path) -> anyhow::Result<Option<Tls>> {
    let Some(tls) = broker.tls else { return Ok(None) };
    let own = tls.certificate.as_ref().zip(tls.key.as_ref());
    let own = own.map(|(certificate, key)| (beside.join(certificate), beside.join(key)));
    Ok(Some(Tls::load(&Files { ca: beside.join(&tls.ca), own })?))
}

/// The address with user and password. Blocks on the password's file.
///
/// # Errors
/// When the password is not where the site file says.
pub(in crate::runtime) fn with_credentials(broker: Broker<'_>, beside: &Path) -> anyhow::Result<String> {
    let Some(user) = broker.username else { return Ok(broker.url.to_owned()) };
    let file = broker.password_file.map(|file| beside.join(file));
    let password = password(broker.password_env, file.as_deref())?.unwrap_or_default();
    let (scheme, rest) = broker.url.split_once("://").unwrap_or(("mqtt", broker.url));
    anyhow::ensure!(!rest.contains('@'), "give the user either in url or in username, not in both");
    Ok(format!("{scheme}://{}:{}@{rest}", encoded(user), encoded(&password)))
}

/// The password that an environment variable holds, or the first line of a file that nobody else may read. Blocks on the file.
///
/// # Errors
/// When it is not there, or others may read the file.
pub(crate) fn password(variable: Option<&str>, file: Option<&Path>) -> anyhow::Result<Option<String>> {
    match (variable, file) {
        (Some(variable), _) => std::env::var(variable)
            .map(Some)
            .with_context(|| format!("password_env names {variable}, which is not set")),
        (None, Some(file)) => {
            let text = read_secret(file).context("password_file")?;
            Ok(Some(text.lines().next().unwrap_or_default().to_owned()))
        }
        (None, None) => Ok(None),
    }
}

/// Percent-encoded for a URL's user and password.
fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte.is_ascii_alphanumeric() {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn broker<'a>(url: &'a str, username: Option<&'a str>, password_file: Option<&'a str>) -> Broker<'a> {
        Broker { url, client_id: None, username, password_env: None, password_file, tls: None }
    }

    #[test]
    fn user_and_password_come_into_the_address_and_never_twice() {
        let check =
            |url: &str, user: Option<&str>| with_credentials(broker(url, user, None), Path::new("")).ok();
        assert_eq!(check("mqtt://broker", None).as_deref(), Some("mqtt://broker"));
        assert_eq!(check("mqtts://broker:1", Some("a@b")).as_deref(), Some("mqtts://a%40b:@broker:1"));
        assert_eq!(check("mqtt://c:d@broker", Some("a")), None);
    }

    #[test]
    fn a_password_is_the_first_line_of_a_file_that_nobody_else_may_read() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("password");
        std::fs::write(&path, "s@fe\nsecond line\n").expect("written");
        let mode = |mode| {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("mode");
            with_credentials(broker("mqtt://broker", Some("ann"), Some("password")), folder.path())
        };
        assert_eq!(mode(0o600).ok().as_deref(), Some("mqtt://ann:s%40fe@broker"));
        let said = format!("{:#}", mode(0o604).expect_err("others may read"));
        assert!(said.contains("password_file") && said.contains("may be read by others"), "{said}");
        assert!(!said.contains("s@fe"), "{said}");
    }

    #[test]
    fn a_password_comes_without_the_end_of_its_line_or_not_at_all() {
        let folder = tempfile::tempdir().expect("folder");
        let file = folder.path().join("password");
        std::fs::write(&file, " se cret \r\n").expect("write");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("mode");
        assert_eq!(password(None, Some(&file)).expect("password").as_deref(), Some(" se cret "));
        std::fs::write(&file, "x".repeat(2 << 20)).expect("write");
        assert!(password(None, Some(&file)).is_err(), "too large for a password");
        assert!(password(None, Some(&folder.path().join("none"))).is_err());
        assert!(password(Some("GEMINUS_NO_SUCH_VARIABLE"), None).is_err());
        assert_eq!(password(None, None).expect("none"), None);
    }

    #[test]
    fn certificates_are_looked_for_beside_the_site_file() {
        let folder = tempfile::tempdir().expect("folder");
        let tls_of = geminus_twin::site::Tls { ca: "ca.pem".to_owned(), certificate: None, key: None };
        let with = Broker { tls: Some(&tls_of), ..broker("mqtts://broker", None, None) };
        let said = format!("{:#}", tls(with, folder.path()).expect_err("no such file"));
        let path = folder.path().join("ca.pem");
        assert!(said.contains(&path.display().to_string()), "{said}");
        assert!(tls(broker("mqtt://broker", None, None), folder.path()).is_ok_and(|tls| tls.is_none()));
    }
}
