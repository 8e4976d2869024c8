//! The issuer of the site, between its file and the gate. A build without the feature `oidc` has none, and says so when a site
//! wants one: a login that is silently missing would be looked for in the wrong place.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use geminus_access::Gate;
use geminus_core::Clock;
use geminus_twin::Site;

use super::chronicle::Chronicle;

/// Looks after the issuer until the process ends.
pub(super) type Follower = Pin<Box<dyn Future<Output = ()> + Send>>;

#[cfg(not(feature = "oidc"))]
mod without {
    use super::*;

    /// What a site with an issuer is told.
    fn refuse(site: &Site) -> anyhow::Result<()> {
        anyhow::ensure!(
            site.document.access.oidc.is_none(),
            "[access.oidc]: this build knows no issuers: build with the feature `oidc`, or take the section out"
        );
        Ok(())
    }

    pub(in crate::runtime) fn check(site: &Site) -> anyhow::Result<()> {
        refuse(site)
    }

    pub(in crate::runtime) fn join(
        gate: Gate,
        site: &Site,
        _: &Arc<dyn Clock>,
        _: &Chronicle,
    ) -> anyhow::Result<(Gate, Option<Follower>)> {
        refuse(site).map(|()| (gate, None))
    }
}

#[cfg(feature = "oidc")]
mod with {
    use std::path::Path;
    use std::time::Duration;

    use anyhow::Context as _;
    use geminus_access::{Issuer as _, Now, Role, Roles, Scope};
    use geminus_core::{Event, Severity};
    use geminus_oidc::{Change, Client, Grant, Patience, Provider, Settings, algorithm};
    use geminus_tls::read_secret;
    use geminus_twin::site::{Oidc, OidcGrant};

    use super::*;

    /// How often the issuer is looked after.
    const LOOK_EVERY: Duration = Duration::from_secs(5);
    /// Which subject of the issuer has which name here, in the data folder.
    const NAMES: &str = "oidc-names";
    /// Largest file of authorities.
    const CA_BYTES_MAX: u64 = 1 << 20;

    /// Whether the issuer of the site, if it has one, could be used as far as its files say. Blocks on the disk.
    pub(in crate::runtime) fn check(site: &Site) -> anyhow::Result<()> {
        provider(site).map(drop)
    }

    /// The gate with the issuer of the site, and what looks after it. Blocks on the disk, and asks nobody yet.
    pub(in crate::runtime) fn join(
        gate: Gate,
        site: &Site,
        clock: &Arc<dyn Clock>,
        chronicle: &Chronicle,
    ) -> anyhow::Result<(Gate, Option<Follower>)> {
        let Some(provider) = provider(site)? else { return Ok((gate, None)) };
        let names = site.data_folder().join(NAMES);
        let provider = provider.keeping(&names).with_context(|| format!("cannot use {}", names.display()))?;
        let provider = Arc::new(provider);
        let follower: Follower =
            Box::pin(follow(Arc::clone(&provider), Arc::clone(clock), chronicle.clone()));
        Ok((gate.with_issuer(provider), Some(follower)))
    }

    fn provider(site: &Site) -> anyhow::Result<Option<Provider>> {
        let Some(oidc) = &site.document.access.oidc else { return Ok(None) };
        let settings = settings(oidc, |path| site.beside(path))?;
        Ok(Some(Provider::new(settings)?))
    }

    fn settings(oidc: &Oidc, beside: impl Fn(&str) -> std::path::PathBuf) -> anyhow::Result<Settings> {
        let secret = oidc.client_secret_file.as_deref().map(|file| secret(&beside(file))).transpose()?;
        let ca = oidc.ca.as_deref().map(|file| authorities(&beside(file))).transpose()?;
        let algorithms = oidc.algorithms.iter().map(|named| {
            let named = named.name();
            algorithm(named).with_context(|| format!("access.oidc.algorithms: {named} is not known"))
        });
        Ok(Settings {
            title: oidc.title.clone(),
            issuer: oidc.issuer.clone(),
            client: Client { id: oidc.client_id.clone(), secret, redirect: oidc.redirect.clone() },
            scopes: oidc.scopes.clone(),
            audience: oidc.audience.clone(),
            algorithms: algorithms.collect::<Result<_, _>>()?,
            leeway: Duration::from_secs(oidc.leeway_s.into()),
            name_claim: oidc.name_claim.clone(),
            roles_claim: oidc.roles_claim.clone(),
            grants: oidc.grant.iter().map(grant).collect::<Result<_, _>>()?,
            keys_age_max: Duration::from_secs(u64::from(oidc.keys_hours_max) * 3_600),
            ca,
            patience: Patience::default(),
        })
    }

    fn grant(grant: &OidcGrant) -> anyhow::Result<Grant> {
        let named = || format!("access.oidc.grant of {:?}", grant.value);
        let roles = grant.roles.iter().map(|role| role.name().parse::<Role>()).collect::<Result<Vec<_>, _>>();
        let roles = roles.and_then(Roles::new).with_context(named)?;
        let scope = Scope::new(&grant.twins).with_context(named)?;
        Ok(Grant { value: grant.value.clone(), roles, scope })
    }

    fn secret(path: &Path) -> anyhow::Result<String> {
        let text = read_secret(path).context("access.oidc.client_secret_file")?;
        let line = text.lines().next().unwrap_or_default();
        anyhow::ensure!(!line.is_empty(), "access.oidc.client_secret_file: {} is empty", path.display());
        Ok(line.to_owned())
    }

    fn authorities(path: &Path) -> anyhow::Result<Vec<u8>> {
        let named = || format!("access.oidc.ca: {}", path.display());
        let bytes = std::fs::metadata(path).with_context(named)?.len();
        anyhow::ensure!(bytes <= CA_BYTES_MAX, "{} has {bytes} bytes: that are no certificates", named());
        std::fs::read(path).with_context(named)
    }

    /// Gets keys before they are needed, and tells when the issuer goes away and comes back.
    async fn follow(provider: Arc<Provider>, clock: Arc<dyn Clock>, chronicle: Chronicle) {
        let mut tick = tokio::time::interval(LOOK_EVERY);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            let (asking, clock) = (Arc::clone(&provider), Arc::clone(&clock));
            let tended = tokio::task::spawn_blocking(move || asking.tend(Now::of(clock.as_ref())));
            let Ok(change) = tended.await else { continue };
            if let Some(change) = change {
                chronicle.tell(event(provider.name(), change));
            }
        }
    }

    fn event(issuer: &str, change: Change) -> Event {
        let event = match change {
            Change::Away(why) => {
                let message = format!(
                    "the issuer {issuer} cannot be asked, passwords and tokens of this host go on, and so do its tokens while its keys are known: {why}"
                );
                Event::new("issuer-away", Severity::Warning, message)
            }
            Change::Back => {
                Event::new("issuer-back", Severity::Info, format!("the issuer {issuer} answers again"))
            }
        };
        event.facts(serde_json::json!({ "issuer": issuer }))
    }

    #[cfg(test)]
    mod tests {
        use std::os::unix::fs::PermissionsExt;

        use super::*;

        fn oidc(more: &str) -> Oidc {
            let text = format!(
                "issuer = \"http://127.0.0.1:1\"\nclient_id = \"geminus\"\n\
                 redirect = \"http://127.0.0.1:8630/api/v1/session/oidc/callback\"\n{more}"
            );
            toml::from_str(&text).expect("a section")
        }

        #[test]
        fn a_section_of_the_site_becomes_settings_and_its_secret_is_nowhere_else() {
            let folder = tempfile::tempdir().expect("folder");
            let beside = |path: &str| folder.path().join(path);
            std::fs::write(beside("secret"), "hunter2hunter2\nmore\n").expect("file");
            let section = oidc(
                "client_secret_file = \"secret\"\nalgorithms = [\"ES256\"]\n\
                 [[grant]]\nvalue = \"ops\"\nroles = [\"operator\", \"approver\"]\ntwins = [\"pump-*\"]\n",
            );
            std::fs::set_permissions(beside("secret"), PermissionsExt::from_mode(0o644)).expect("mode");
            let open = format!("{:#}", settings(&section, beside).expect_err("others may read it"));
            assert!(open.contains("client_secret_file") && open.contains("chmod 600"), "{open}");
            std::fs::set_permissions(beside("secret"), PermissionsExt::from_mode(0o600)).expect("mode");
            let made = settings(&section, beside).expect("settings");
            assert_eq!(made.client.secret.as_deref(), Some("hunter2hunter2"));
            assert!(!format!("{made:?}").contains("hunter2"));
            let grant = made.grants.first().expect("a grant");
            assert_eq!(
                (grant.roles.to_string(), grant.scope.to_string()),
                ("operator,approver".into(), "pump-*".into())
            );
            assert!(Provider::new(made).is_ok());
        }

        #[test]
        fn what_cannot_be_used_says_where_it_stands() {
            let folder = tempfile::tempdir().expect("folder");
            let check = |more: &str, part: &str| {
                let said = settings(&oidc(more), |path| folder.path().join(path)).expect_err(part);
                assert!(format!("{said:#}").contains(part), "{said:#}");
            };
            check("ca = \"none.pem\"", "access.oidc.ca");
            check("client_secret_file = \"none\"", "client_secret_file");
            check("[[grant]]\nvalue = \"a\"\nroles = []", "grant of \"a\"");
            check("[[grant]]\nvalue = \"a\"\nroles = [\"viewer\"]\ntwins = [\"a b\"]", "matches no twin");
        }
    }
}

#[cfg(feature = "oidc")]
pub(super) use with::{check, join};
#[cfg(not(feature = "oidc"))]
pub(super) use without::{check, join};
