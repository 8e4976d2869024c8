//! Certificates that come, are trusted, rejected, and change. Keys take their time to make, so the tests share what they can.

use std::sync::OnceLock;

use geminus_core::Timestamp;

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
    assert_eq!(clients.rejection(&found[0], &[]), Some(Rejection::Unknown));
    let trusted = clients.trust(&found[0].thumbprint).expect("trusted");
    assert!(trusted.file.starts_with(clients.folder().join("trusted")) && trusted.file.is_file());
    assert_eq!(clients.rejection(&trusted, &[]), None);
    assert!(!pki.trusts(one), "who is let in is not spoken to by that");
    let rejected = clients.reject(&found[0].thumbprint).expect("rejected");
    assert_eq!(clients.rejection(&rejected, &[]), Some(Rejection::TakenBack));
    clients.remove(&found[0].thumbprint).expect("forgotten");
    fs::write(clients.folder().join("rejected/a.der"), one).expect("write");
    let again = clients.rejected().expect("readable");
    assert_eq!(clients.rejection(&again[0], &[]), Some(Rejection::Unknown), "a stranger again");
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

#[test]
fn our_certificate_is_made_once_however_many_begin_at_the_same_time() {
    let (_folder, pki) = pki();
    let own = || {
        pki.ensure_own().expect("made");
        let read = |name: &str| fs::read(pki.folder().join(name)).expect(name);
        (read(OWN_CERTIFICATE), read(OWN_KEY))
    };
    let made: Vec<_> = std::thread::scope(|scope| {
        let begun: Vec<_> = (0..3).map(|_| scope.spawn(own)).collect();
        begun.into_iter().map(|one| one.join().expect("ended")).collect()
    });
    assert!(made.iter().all(|one| *one == made[0]), "all have the same certificate and key");
}

#[test]
fn what_a_server_showed_says_why_its_certificate_is_rejected() {
    let (_folder, pki) = pki();
    let [one, two] = certificates();
    let minute = |count: u64| Timestamp::from_millis(60_000 * count);
    let shows = |der: &[u8], now| {
        let verdict = pki.judge("plc", der).expect("verdict");
        let thumbprint = verdict.certificate().thumbprint.clone();
        pki.saw(("plc", "opc.tcp://plc:4840"), &thumbprint, now).expect("written");
        thumbprint
    };
    let why = |thumbprint: &str| {
        let (list, seen) = (pki.list().expect("list"), pki.seen().expect("seen"));
        let one = list.iter().find(|one| one.thumbprint == thumbprint).expect("listed");
        pki.rejection(one, &seen)
    };
    let first = shows(one, minute(1));
    assert_eq!(why(&first), Some(Rejection::Unknown));
    pki.trust(&first).expect("trusted");
    pki.remember("plc", &first).expect("remembered");
    assert_eq!(why(&first), None);
    let second = shows(two, minute(2));
    let changed = Rejection::Changed { source: "plc".to_owned(), before: first.clone() };
    assert_eq!(why(&second), Some(changed));
    pki.reject(&first).expect("rejected");
    assert_eq!(why(&first), Some(Rejection::TakenBack));

    shows(one, minute(3));
    shows(one, minute(3).plus(SEEN_HALF));
    shows(one, minute(9));
    let seen = pki.seen().expect("seen");
    let times: Vec<_> = seen.iter().map(|one| (one.thumbprint.as_str(), one.first, one.last)).collect();
    assert_eq!(times, [(second.as_str(), minute(2), minute(2)), (first.as_str(), minute(1), minute(9))]);
    assert!(seen.iter().all(|one| one.source == "plc" && one.endpoint == "opc.tcp://plc:4840"));
}

/// Less than the time after which something is written down again.
const SEEN_HALF: std::time::Duration = std::time::Duration::from_secs(30);

#[test]
fn what_a_server_shows_is_bounded_and_a_torn_file_is_begun_anew() {
    let (_folder, pki) = pki();
    for number in 0..25 {
        pki.saw(("plc", "e"), &format!("{number:040x}"), Timestamp(number)).expect("written");
    }
    let seen = pki.seen().expect("seen");
    assert_eq!((seen.len(), seen.last().map(|one| one.first)), (10, Some(Timestamp(24))));
    fs::write(pki.folder().join("seen").join("plc.json"), "[{").expect("written");
    assert_eq!(pki.seen().expect("seen"), []);
    pki.saw(("plc", "e"), "ab", Timestamp(1)).expect("written");
    assert_eq!(pki.seen().expect("seen").len(), 1);
}

#[test]
fn what_is_removed_is_a_strangers_again_and_copies_go_with_it() {
    let (_folder, pki) = pki();
    let [one, two] = certificates();
    for der in [one, two] {
        pki.judge("plc", der).expect("verdict");
    }
    fs::write(pki.folder().join("trusted").join("by-hand.der"), one).expect("copied");
    let found = pki.list().expect("list");
    let by_hand = found.first().expect("trusted first");
    assert_eq!((found.len(), by_hand.standing), (3, Standing::Trusted));
    // The name that somebody gave the file is not the one under which it is looked for.
    let trusted = pki.trust(&by_hand.facts.sha256).expect("trusted");
    assert!(matches!(pki.judge("plc", one), Ok(Verdict::Trusted(_))), "{trusted:?}");
    assert_eq!(pki.list().expect("list").len(), 2, "one file is left of it");
    assert_eq!(pki.remove(&trusted.thumbprint).expect("removed").thumbprint, trusted.thumbprint);
    assert!(matches!(pki.remove(&trusted.thumbprint), Err(PkiError::Nobody(_))));
    assert!(matches!(pki.judge("plc", one), Ok(Verdict::Unknown(_))));
}

#[test]
fn our_own_is_shown_without_its_key() {
    let (_folder, pki) = pki();
    assert_eq!(pki.own().expect("none yet"), None);
    pki.ensure_own().expect("own");
    let own = pki.own().expect("own").expect("there");
    let facts = &own.certificate.facts;
    assert_eq!((facts.application_uri.as_deref(), facts.key_kind.as_str()), (Some(APPLICATION_URI), "RSA"));
    assert_eq!(facts.key_bits, Some(2_048));
    assert_eq!(fs::read(pki.folder().join(OWN_CERTIFICATE)).expect("certificate"), own.der);
    assert_eq!(own.certificate.thumbprint.len(), 40);
}
