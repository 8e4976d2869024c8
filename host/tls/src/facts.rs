//! What stands in a certificate, for people: whose it is, who signed it, until when, for which names, with which key.
//!
//! Reads, and believes nothing: whether a certificate is good is decided in a handshake, here and in `opcua`. What strangers
//! wrote is cut to a bounded length and has no control characters. No key is ever read here.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::time::Duration;

use geminus_core::{Digest, Timestamp};
use x509_cert::der::asn1::{ObjectIdentifier, UintRef};
use x509_cert::der::pem::LineEnding;
use x509_cert::der::{Decode as _, Reader as _, SliceReader};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::spki::SubjectPublicKeyInfoOwned;

use crate::files::{TlsError, certificates};

/// A certificate that ends within so long is told of.
pub const EXPIRING: Duration = Duration::from_hours(30 * 24);
/// Longest text that is taken out of a certificate, in characters.
const TEXT_CHARS_MAX: usize = 200;
/// Most names of one kind that are taken out of a certificate.
const NAMES_MAX: usize = 50;
/// Most certificates of one file that are shown: a list of all public authorities has three times as many.
const SHOWN_MAX: usize = 50;

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
/// Curves by their object identifier, and bits of their keys.
const CURVES: [(ObjectIdentifier, u32); 3] = [
    (ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7"), 256),
    (ObjectIdentifier::new_unwrap("1.3.132.0.34"), 384),
    (ObjectIdentifier::new_unwrap("1.3.132.0.35"), 521),
];

/// How a certificate stands to the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Term {
    /// It is only for later.
    NotYet,
    /// It is for now.
    Valid,
    /// It is for now, and ends within [`EXPIRING`].
    Expiring,
    /// It is over.
    Expired,
}

/// What stands in a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFacts {
    /// SHA-256 of it, 64 hexadecimal digits in small letters.
    pub sha256: String,
    /// Whose it says that it is.
    pub subject: String,
    /// Who signed it; the subject itself when nobody else did.
    pub issuer: String,
    /// Number that the issuer gave it, in hexadecimal.
    pub serial: String,
    /// First moment that it is for.
    pub not_before: Timestamp,
    /// Last moment; at most in the year 2554, which stands for "without an end".
    pub not_after: Timestamp,
    /// URI of the application, as OPC UA wants one; `None` without.
    pub application_uri: Option<String>,
    /// Names of hosts.
    pub dns_names: Vec<String>,
    /// Addresses of hosts.
    pub addresses: Vec<String>,
    /// Kind of the public key: `RSA`, `EC`, `Ed25519`, or the object identifier of another.
    pub key_kind: String,
    /// Bits of the public key; `None` for a kind that is not known here.
    pub key_bits: Option<u32>,
}

impl CertificateFacts {
    /// Of one certificate in DER; `None` when these bytes are none.
    #[must_use]
    pub fn read(der: &[u8]) -> Option<Self> {
        let whole = x509_cert::Certificate::from_der(der).ok()?;
        let tbs = whole.tbs_certificate;
        // A list of names that cannot be read says nothing; the certificate is shown without it.
        let names = tbs.get::<SubjectAltName>().ok().flatten().map(|(_, names)| names.0).unwrap_or_default();
        let texts = |pick: fn(&GeneralName) -> Option<String>| -> Vec<String> {
            names.iter().filter_map(pick).take(NAMES_MAX).map(|name| said(&name)).collect()
        };
        let (key_kind, key_bits) = key(&tbs.subject_public_key_info);
        Some(Self {
            sha256: Digest::of(der).to_string().trim_start_matches("sha256:").to_owned(),
            subject: said(&tbs.subject.to_string()),
            issuer: said(&tbs.issuer.to_string()),
            serial: said(&tbs.serial_number.to_string()),
            not_before: moment(tbs.validity.not_before.to_unix_duration()),
            not_after: moment(tbs.validity.not_after.to_unix_duration()),
            application_uri: texts(|name| match name {
                GeneralName::UniformResourceIdentifier(uri) => Some(uri.to_string()),
                _ => None,
            })
            .into_iter()
            .next(),
            dns_names: texts(|name| match name {
                GeneralName::DnsName(dns) => Some(dns.to_string()),
                _ => None,
            }),
            addresses: texts(|name| match name {
                GeneralName::IpAddress(bytes) => address(bytes.as_bytes()),
                _ => None,
            }),
            key_kind,
            key_bits,
        })
    }

    /// How it stands to the time `now`.
    #[must_use]
    pub fn term(&self, now: Timestamp) -> Term {
        match now {
            now if now < self.not_before => Term::NotYet,
            now if now > self.not_after => Term::Expired,
            now if now.plus(EXPIRING) >= self.not_after => Term::Expiring,
            _ => Term::Valid,
        }
    }

    /// Whole days until it is over, rounded down; negative when it is.
    #[must_use]
    pub fn days_left(&self, now: Timestamp) -> i64 {
        const DAY_S: u64 = 24 * 3_600;
        let days = |span: Duration| i64::try_from(span.as_secs() / DAY_S).unwrap_or(i64::MAX);
        match now <= self.not_after {
            true => days(self.not_after.since(now)),
            false => -1 - days(now.since(self.not_after)),
        }
    }
}

/// Certificates of a PEM file in their order, at most as many as are shown, and how many there are. Blocks on the disk.
///
/// # Errors
/// [`TlsError`], with the file and what is wrong with it.
pub fn facts_of_file(path: &Path) -> Result<(Vec<CertificateFacts>, usize), TlsError> {
    let found = certificates(path)?;
    let facts = found.iter().take(SHOWN_MAX).filter_map(|der| CertificateFacts::read(der)).collect();
    Ok((facts, found.len()))
}

/// A certificate in DER as PEM; `None` when it is too large to be one.
#[must_use]
pub fn pem_of_der(der: &[u8]) -> Option<String> {
    x509_cert::der::pem::encode_string("CERTIFICATE", LineEnding::LF, der).ok()
}

fn said(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(TEXT_CHARS_MAX).collect()
}

fn moment(since_1970: Duration) -> Timestamp {
    Timestamp(0).plus(since_1970)
}

fn address(bytes: &[u8]) -> Option<String> {
    if let Ok(four) = <[u8; 4]>::try_from(bytes) {
        return Some(Ipv4Addr::from(four).to_string());
    }
    <[u8; 16]>::try_from(bytes).ok().map(|six| Ipv6Addr::from(six).to_string())
}

fn key(info: &SubjectPublicKeyInfoOwned) -> (String, Option<u32>) {
    let kind = info.algorithm.oid;
    if kind == RSA {
        return ("RSA".to_owned(), info.subject_public_key.as_bytes().and_then(modulus_bits));
    }
    if kind == EC {
        let curve = info.algorithm.parameters.as_ref().and_then(|any| any.decode_as().ok());
        let bits = CURVES.iter().find(|(oid, _)| Some(*oid) == curve).map(|(_, bits)| *bits);
        return ("EC".to_owned(), bits);
    }
    if kind == ED25519 { ("Ed25519".to_owned(), Some(256)) } else { (kind.to_string(), None) }
}

/// Bits of the modulus in an RSAPublicKey of RFC 8017, appendix A.1.1.
fn modulus_bits(public_key: &[u8]) -> Option<u32> {
    let mut reader = SliceReader::new(public_key).ok()?;
    let modulus = reader
        .sequence(|inside| {
            let modulus = UintRef::decode(inside)?;
            UintRef::decode(inside)?;
            Ok(modulus)
        })
        .ok()?;
    let bytes = modulus.as_bytes();
    let first = bytes.first()?;
    u32::try_from(bytes.len()).ok()?.checked_mul(8)?.checked_sub(first.leading_zeros())
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    use super::*;

    fn day(days: u64) -> Duration {
        Duration::from_hours(24 * days)
    }

    fn made(common_name: &str) -> Vec<u8> {
        let mut params =
            CertificateParams::new(["plc.example".to_owned(), "10.0.0.7".to_owned()]).expect("names");
        params.subject_alt_names.push(SanType::URI("urn:maker:plc".try_into().expect("URI")));
        params.distinguished_name.push(DnType::CommonName, common_name);
        (params.not_before, params.not_after) =
            (rcgen::date_time_ymd(2026, 1, 1), rcgen::date_time_ymd(2027, 1, 1));
        let key = KeyPair::generate().expect("key");
        params.self_signed(&key).expect("certificate").der().to_vec()
    }

    #[test]
    fn what_stands_in_a_certificate_is_read() {
        let der = made("PLC 7");
        let facts = CertificateFacts::read(&der).expect("a certificate");
        assert!(facts.subject.contains("CN=PLC 7") && facts.issuer == facts.subject, "{facts:?}");
        assert_eq!(facts.application_uri.as_deref(), Some("urn:maker:plc"));
        assert_eq!(
            (facts.dns_names, facts.addresses),
            (vec!["plc.example".to_owned()], vec!["10.0.0.7".to_owned()])
        );
        assert_eq!((facts.key_kind.as_str(), facts.key_bits), ("EC", Some(256)));
        // 2026-01-01 and 2027-01-01.
        assert_eq!(facts.not_before, Timestamp::from_millis(1_767_225_600_000));
        assert_eq!(facts.not_after, Timestamp::from_millis(1_798_761_600_000));
        assert!(
            facts.sha256.len() == 64 && Digest::of(&der).to_string().ends_with(&facts.sha256),
            "{}",
            facts.sha256
        );
        assert!(facts.serial.len() > 8, "{}", facts.serial);
        assert!(CertificateFacts::read(b"no certificate").is_none());
        assert!(
            CertificateFacts::read(der.get(..der.len() - 1).expect("bytes")).is_none(),
            "one that is cut off"
        );
    }

    #[test]
    fn what_a_stranger_wrote_is_cut_and_has_no_control_characters() {
        let facts = CertificateFacts::read(&made(&"x\n".repeat(500))).expect("a certificate");
        assert_eq!(facts.subject.chars().count(), TEXT_CHARS_MAX);
        assert!(!facts.subject.chars().any(char::is_control), "{}", facts.subject);
    }

    #[test]
    fn its_end_is_seen_thirty_days_before() {
        let facts = CertificateFacts::read(&made("plc")).expect("a certificate");
        let end = facts.not_after;
        let check = |now: Timestamp, term: Term, days: i64| {
            assert_eq!((facts.term(now), facts.days_left(now)), (term, days), "{now:?}");
        };
        check(facts.not_before.minus(day(1)), Term::NotYet, 366);
        check(facts.not_before, Term::Valid, 365);
        check(end.minus(EXPIRING).minus(Duration::from_nanos(1)), Term::Valid, 30);
        check(end.minus(EXPIRING), Term::Expiring, 30);
        check(end.minus(day(1) - Duration::from_nanos(1)), Term::Expiring, 0);
        check(end, Term::Expiring, 0);
        check(end.plus(Duration::from_nanos(1)), Term::Expired, -1);
        check(end.plus(day(2)), Term::Expired, -3);
    }

    #[test]
    fn a_file_of_many_shows_some_and_says_how_many_there_are() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("ca.pem");
        let pem = pem_of_der(&made("authority")).expect("PEM");
        assert!(pem.starts_with("-----BEGIN CERTIFICATE-----\n"), "{pem}");
        std::fs::write(&path, pem.repeat(SHOWN_MAX + 3)).expect("written");
        let (facts, count) = facts_of_file(&path).expect("certificates");
        assert_eq!((facts.len(), count), (SHOWN_MAX, SHOWN_MAX + 3));
        assert!(facts_of_file(&folder.path().join("none.pem")).is_err());
    }

    #[test]
    fn bits_of_an_rsa_key_are_those_of_its_modulus() {
        // SEQUENCE { INTEGER 0x00c1_0000_0001, INTEGER 65537 }, the first byte is for the sign.
        let key = [0x30, 0x0c, 0x02, 0x05, 0x00, 0xc1, 0, 0, 1, 0x02, 0x03, 1, 0, 1];
        assert_eq!(modulus_bits(&key), Some(32));
        assert_eq!(modulus_bits(key.get(..6).expect("bytes")), None);
    }
}
