//! Certificates that come, are trusted, rejected, and change. Keys take their time to make, so the tests share what they can.

use std::sync::OnceLock;

use super::*;

/// Three certificates of three hosts.
fn certificates() -> &'static [Vec<u8>; 2] {
    static MADE: OnceLock<[Vec<u8>; 2]> = OnceLock::new();
    MADE.get_or_init(|| {
        ["one", "two"].map(|name| {
            let data = X509Data { common_name: name.to_owned(), ..X509Data::sample_cert() };
            let (certificate, _) = X509::cert_and_pkey(&data).expect("a certificate");
            certificate.to_der().expect("der")
        })
    })
}

fn pki() -> (tempfile::TempDir, Pki) {
    let folder = tempfile::tempdir().expect("folder");
    let pki = Pki::open(folder.path().join("pki")).expect("pki");
    (folder, pki)
}

#[test]
fn an_unknown_certificate_waits_as_rejected_until_it_is_trusted() {
    let (_folder, pki) = pki();
    let [one, _] = certificates();
    let Verdict::Unknown(unknown) = pki.judge("plc", one).expect("verdict") else { panic!("it is unknown") };
    assert!(unknown.file.is_file() && unknown.subject.contains("one"), "{unknown:?}");
    assert!(matches!(pki.judge("plc", one), Ok(Verdict::Unknown(_))), "and stays so");
    let trusted = pki.trust(&unknown.thumbprint[..8]).expect("trusted");
    assert!(trusted.standing == Standing::Trusted && trusted.file.is_file());
    assert!(matches!(pki.judge("plc", one), Ok(Verdict::Trusted(_))));
    assert_eq!(pki.list().expect("list"), std::slice::from_ref(&trusted));
    pki.reject(&trusted.thumbprint.to_uppercase()).expect("rejected");
    assert!(matches!(pki.judge("plc", one), Ok(Verdict::Unknown(_))));
}

#[test]
fn a_file_moved_by_hand_counts_and_one_in_both_folders_is_rejected() {
    let (_folder, pki) = pki();
    let [one, _] = certificates();
    let Verdict::Unknown(unknown) = pki.judge("plc", one).expect("verdict") else { panic!("it is unknown") };
    let moved = pki.folder().join("trusted").join(unknown.file.file_name().expect("name"));
    fs::copy(&unknown.file, &moved).expect("copy");
    assert!(matches!(pki.judge("plc", one), Ok(Verdict::Unknown(_))), "it is rejected still");
    fs::remove_file(&unknown.file).expect("remove");
    assert!(matches!(pki.judge("plc", one), Ok(Verdict::Trusted(_))));
    fs::write(&moved, b"another").expect("write");
    assert!(matches!(pki.judge("plc", one), Ok(Verdict::Unknown(_))), "the name alone is not trusted");
}

#[test]
fn a_server_with_another_certificate_has_changed() {
    let (_folder, pki) = pki();
    let [one, two] = certificates();
    let Verdict::Unknown(first) = pki.judge("plc", one).expect("verdict") else { panic!("it is unknown") };
    pki.trust(&first.thumbprint).expect("trusted");
    pki.remember("plc", &first.thumbprint).expect("remembered");
    let Verdict::Changed { now, before } = pki.judge("plc", two).expect("verdict") else {
        panic!("it has changed")
    };
    assert!(before == first.thumbprint && now.thumbprint != before);
    assert!(matches!(pki.judge("other", two), Ok(Verdict::Unknown(_))), "nothing is known of another server");
    pki.trust(&now.thumbprint).expect("trusted");
    assert!(matches!(pki.judge("plc", two), Ok(Verdict::Trusted(_))), "a person may say that it is right");
}

#[test]
fn a_thumbprint_names_one_certificate_or_none() {
    let (_folder, pki) = pki();
    assert!(matches!(pki.trust("abcd"), Err(PkiError::Nobody(_))));
    let [one, two] = certificates();
    for der in [one, two] {
        pki.judge("plc", der).expect("verdict");
    }
    assert!(matches!(pki.trust(""), Err(PkiError::Nobody(_))), "nothing names nothing");
    assert_eq!(pki.list().expect("list").len(), 2);
}

#[test]
fn rejected_certificates_do_not_fill_the_disk() {
    let (_folder, pki) = pki();
    for number in 0..REJECTED_MAX {
        fs::write(pki.folder().join("rejected").join(format!("{number}.der")), b"no certificate")
            .expect("write");
    }
    let [one, _] = certificates();
    let Verdict::Unknown(unknown) = pki.judge("plc", one).expect("verdict") else { panic!("it is unknown") };
    assert!(!unknown.file.exists(), "there is no room for it");
    assert_eq!(pki.list().expect("list"), [], "and files that are no certificates are left out");
    assert!(matches!(pki.judge("plc", b"no certificate"), Err(PkiError::NotOne)));
}

#[test]
fn certificates_of_clients_lie_apart_and_do_not_fill_the_disk_either() {
    let (_folder, pki) = pki();
    let clients = pki.clients().expect("a folder inside");
    let [one, _] = certificates();
    fs::write(clients.folder().join("rejected/a.der"), one).expect("write");
    let found = clients.rejected().expect("readable");
    assert_eq!((found.len(), pki.list().expect("list").len()), (1, 0), "no server has shown it");
    clients.trust(&found[0].thumbprint).expect("trusted");
    assert!(clients.folder().join("trusted/a.der").is_file());
    for number in 0..REJECTED_MAX + 5 {
        fs::write(clients.folder().join("rejected").join(format!("{number}.der")), one).expect("write");
    }
    clients.rejected().expect("readable");
    let left = fs::read_dir(clients.folder().join("rejected")).expect("folder").count();
    assert_eq!(left, REJECTED_MAX);
}

#[test]
fn names_of_sources_stay_inside_the_folder() {
    let (_folder, pki) = pki();
    pki.remember("../../etc/x y", "abc").expect("remembered");
    assert_eq!(pki.known("../../etc/x y").as_deref(), Some("abc"));
    assert_eq!(pki.known("plc"), None);
    let inside = fs::read_dir(pki.folder().join("known")).expect("folder").count();
    assert_eq!(inside, 1);
}

#[cfg(unix)]
#[test]
fn our_own_certificate_is_made_once_and_its_key_is_for_us_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_folder, pki) = pki();
    pki.ensure_own().expect("own");
    let (certificate, key) = (pki.folder().join(OWN_CERTIFICATE), pki.folder().join(OWN_KEY));
    let mode = fs::metadata(&key).expect("key").permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    let first = fs::read(&certificate).expect("certificate");
    let read = X509::from_der(&first).expect("certificate");
    read.is_application_uri_valid(APPLICATION_URI).expect("our name");
    pki.ensure_own().expect("own");
    assert_eq!(fs::read(&certificate).expect("certificate"), first);
}
