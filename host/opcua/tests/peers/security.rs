//! Certificates that are unknown, trusted and changed; every policy, and a wrong password.

use anyhow::{Context as _, ensure};
use geminus_core::{Clock as _, SystemClock};
use geminus_opcua::discover::{self, Bounds};
use geminus_opcua::{Mode, OpcUaOptions, Pki, Policy, Security, Standing, User};
use geminus_tests::{OpcUaPeer, PATIENCE, wait_for};

use crate::rig::{Field, Place, options};

fn secured(peer: OpcUaPeer) -> anyhow::Result<()> {
    let place = Place::new()?;
    let mut server = place.server(peer)?;
    let user = User::Named { name: "ann".to_owned(), password: "secret".to_owned() };
    let security = Security::Secured(Policy::Aes256Sha256RsaPss, Mode::SignAndEncrypt);
    // node-opcua puts the URI last among the names of its certificate, where the library does not look.
    let check_host = peer == OpcUaPeer::Asyncua;
    let options = OpcUaOptions { security, user, check_host, ..options(place.port, &place.host()) };
    let pki = Pki::open(&options.pki)?;
    let mut field = Field::start(&place.runtime, options, &["double"])?;

    // Nobody knows the server: it is not spoken to until a person says so.
    let unknown = field.told("certificate-untrusted", 1)?;
    let thumbprint = unknown.facts["thumbprint"].as_str().context("thumbprint")?.to_owned();
    assert!(pki.list()?.iter().any(|one| one.thumbprint == thumbprint && one.standing == Standing::Rejected));
    assert!(field.of(0).is_empty(), "{peer:?}: nothing is taken from it");
    pki.trust(&thumbprint)?;
    field.told("source-connected", 1)?;
    server.set("double", 1.5, 0)?;
    wait_for("a value over the secured line", PATIENCE, || {
        Ok(field.of(0).last().is_some_and(|sample| sample.value == 1.5).then_some(()))
    })?;

    // Another server, or the same one with another certificate, takes its place.
    server.kill()?;
    field.told("source-lost", 1)?;
    std::fs::remove_dir_all(place.folder.path().join("server"))?;
    let mut server = place.server(peer)?;
    let changed = field.told("certificate-changed", 1)?;
    assert_eq!(changed.facts["before"], thumbprint.as_str(), "{peer:?}");
    let subject =
        &pki.list()?.into_iter().find(|one| one.standing == Standing::Rejected).context("one")?.subject;
    assert!(changed.message.contains(subject.as_str()), "{peer:?}: by its name: {}", changed.message);
    let now = changed.facts["thumbprint"].as_str().context("thumbprint")?.to_owned();
    ensure!(now != thumbprint, "{peer:?}: it has changed");
    server.set("double", 666.0, 0)?;
    assert!(field.of(0).iter().all(|sample| sample.value != 666.0), "{peer:?}: nothing is taken from it");
    pki.trust(&now)?;
    field.told("source-back", 1)?;
    wait_for("a value of the server that is trusted now", PATIENCE, || {
        Ok(field.of(0).last().is_some_and(|sample| sample.value == 666.0).then_some(()))
    })?;
    place.runtime.block_on(field.handle.stop());
    Ok(())
}

#[test]
fn asyncua_is_spoken_to_when_it_is_trusted_and_not_when_it_has_changed() -> anyhow::Result<()> {
    secured(OpcUaPeer::Asyncua)
}

#[test]
fn node_opcua_is_spoken_to_when_it_is_trusted_and_not_when_it_has_changed() -> anyhow::Result<()> {
    secured(OpcUaPeer::NodeOpcua)
}

#[test]
fn every_policy_and_a_wrong_password() -> anyhow::Result<()> {
    let place = Place::new()?;
    let _server = place.server(OpcUaPeer::Asyncua)?;
    let under = None;
    let look = |options: &OpcUaOptions| {
        let now = SystemClock::new().now();
        place.runtime.block_on(discover::discover(options, under, Bounds::default(), now))
    };
    let plain = options(place.port, &place.host());
    let pki = Pki::open(&plain.pki)?;
    let mut trusted = false;
    for policy in [Policy::Basic256Sha256, Policy::Aes128Sha256RsaOaep, Policy::Aes256Sha256RsaPss] {
        for mode in [Mode::Sign, Mode::SignAndEncrypt] {
            let options = OpcUaOptions { security: Security::Secured(policy, mode), ..plain.clone() };
            if !trusted {
                let refused = look(&options).expect_err("unknown").to_string();
                assert!(refused.contains("is not trusted"), "{refused}");
                let shown = pki.list()?;
                pki.trust(&shown[0].thumbprint)?;
                trusted = true;
            }
            assert!(!look(&options)?.variables.is_empty(), "{policy:?} {mode:?}");
            let user = User::Named { name: "ann".to_owned(), password: "wrong".to_owned() };
            let refused = look(&OpcUaOptions { user, ..options }).expect_err("a wrong password").to_string();
            assert!(refused.contains("BadUserAccessDenied"), "{refused}");
        }
    }
    Ok(())
}
