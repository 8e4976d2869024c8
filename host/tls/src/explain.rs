//! What went wrong with TLS, in words that say what to change.

use std::io;

use tokio_rustls::rustls::{AlertDescription, CertificateError, Error, InvalidMessage};

/// An error of the handshake.
pub(crate) fn handshake(error: io::Error, host: &str, has_certificate: bool) -> io::Error {
    match known(&error, host, has_certificate) {
        Some(words) => io::Error::new(error.kind(), words),
        None if is_end(error.kind()) => {
            let words =
                format!("{host} ended the connection during the TLS handshake: is that the port for TLS?");
            io::Error::new(error.kind(), words)
        }
        None => error,
    }
}

/// An error after the handshake, before the other side has sent anything.
pub(crate) fn first(error: io::Error, host: &str, has_certificate: bool) -> io::Error {
    match known(&error, host, has_certificate) {
        Some(words) => io::Error::new(error.kind(), words),
        None if is_end(error.kind()) => {
            let words = match has_certificate {
                true => format!(
                    "{host} ended the connection right after the TLS handshake: it may not accept our certificate (tls.certificate)"
                ),
                false => format!(
                    "{host} ended the connection right after the TLS handshake: it may ask for a client certificate, and none is given (tls.certificate, tls.key)"
                ),
            };
            io::Error::new(error.kind(), words)
        }
        None => error,
    }
}

/// An error of a connection that has worked.
pub(crate) fn later(error: io::Error, host: &str, has_certificate: bool) -> io::Error {
    match known(&error, host, has_certificate) {
        Some(words) => io::Error::new(error.kind(), words),
        None => error,
    }
}

fn is_end(kind: io::ErrorKind) -> bool {
    matches!(
        kind,
        io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
    )
}

fn known(error: &io::Error, host: &str, has_certificate: bool) -> Option<String> {
    match error.get_ref()?.downcast_ref::<Error>()? {
        Error::InvalidCertificate(reason) => Some(certificate(reason, host)),
        Error::AlertReceived(alert) => Some(refused(*alert, host, has_certificate)),
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            Some(format!("{host} does not speak TLS on this port"))
        }
        other => Some(format!("the TLS connection to {host} failed: {other}")),
    }
}

/// What is wrong with the other side's certificate.
fn certificate(error: &CertificateError, host: &str) -> String {
    let theirs = format!("the certificate of {host}");
    match error {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            format!("{theirs} comes from no authority in the file that tls.ca names (unknown CA)")
        }
        CertificateError::ExpiredContext { not_after, .. } => {
            format!("{theirs} has expired{}: renew it, or set the clock right", at(not_after.as_secs()))
        }
        CertificateError::Expired => format!("{theirs} has expired: renew it, or set the clock right"),
        CertificateError::NotValidYetContext { not_before, .. } => {
            format!("{theirs} is not valid yet, only from{}: is the clock right?", at(not_before.as_secs()))
        }
        CertificateError::NotValidYet => format!("{theirs} is not valid yet: is the clock right?"),
        CertificateError::NotValidForNameContext { presented, .. } => {
            let names = match presented.as_slice() {
                [] => "no name at all".to_owned(),
                names => names.join(", "),
            };
            format!("{theirs} is for another name (wrong name): it is for {names}; write that name into url")
        }
        CertificateError::NotValidForName => {
            format!("{theirs} is for another name (wrong name): write the name that it is for into url")
        }
        CertificateError::Revoked => format!("{theirs} has been revoked"),
        other => format!("{theirs} is not accepted: {other}"),
    }
}

/// ` 2026-11-29T00:00:00Z`, or nothing for a time beyond all calendars.
fn at(seconds: u64) -> String {
    let time = i64::try_from(seconds).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    time.map(|time| format!(" {time}")).unwrap_or_default()
}

/// Why the other side will not have us.
fn refused(alert: AlertDescription, host: &str, has_certificate: bool) -> String {
    let ours = "our certificate (tls.certificate)";
    match (alert, has_certificate) {
        (AlertDescription::CertificateRequired, _)
        | (AlertDescription::HandshakeFailure | AlertDescription::BadCertificate, false) => {
            format!(
                "{host} asks for a client certificate, and none is given: name it in tls.certificate and tls.key"
            )
        }
        (AlertDescription::UnknownCA, true) => {
            format!("{host} does not know the authority of {ours} (unknown CA)")
        }
        (AlertDescription::CertificateExpired, true) => format!("{host} says that {ours} has expired"),
        (AlertDescription::CertificateRevoked, true) => format!("{host} says that {ours} has been revoked"),
        (
            AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::AccessDenied
            | AlertDescription::DecryptError,
            true,
        ) => format!("{host} does not accept {ours}: {alert:?}"),
        _ => format!("{host} refused the TLS connection: {alert:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(error: Error, has_certificate: bool, part: &str) {
        let error = io::Error::new(io::ErrorKind::InvalidData, error);
        let said = first(error, "broker", has_certificate).to_string();
        assert!(said.contains(part) && said.contains("broker"), "{said}");
    }

    #[test]
    fn what_the_other_side_says_is_told_with_what_to_change() {
        let alert = Error::AlertReceived;
        check(alert(AlertDescription::CertificateRequired), false, "asks for a client certificate");
        check(alert(AlertDescription::HandshakeFailure), false, "asks for a client certificate");
        check(alert(AlertDescription::HandshakeFailure), true, "HandshakeFailure");
        check(alert(AlertDescription::UnknownCA), true, "does not know the authority of our certificate");
        check(
            alert(AlertDescription::CertificateExpired),
            true,
            "our certificate (tls.certificate) has expired",
        );
        check(alert(AlertDescription::BadCertificate), true, "does not accept our certificate");
        check(Error::InvalidMessage(InvalidMessage::InvalidContentType), false, "does not speak TLS");
        check(Error::InvalidCertificate(CertificateError::Revoked), false, "revoked");
    }

    #[test]
    fn an_end_before_the_first_byte_is_the_answer_to_our_certificate_and_later_it_is_not() {
        let end = || io::Error::from(io::ErrorKind::ConnectionReset);
        assert!(first(end(), "broker", false).to_string().contains("may ask for a client certificate"));
        assert!(first(end(), "broker", true).to_string().contains("may not accept our certificate"));
        assert!(handshake(end(), "broker", true).to_string().contains("is that the port for TLS"));
        assert!(!later(end(), "broker", false).to_string().contains("certificate"));
        let other = first(io::ErrorKind::TimedOut.into(), "broker", false);
        assert_eq!(other.kind(), io::ErrorKind::TimedOut);
        assert!(!other.to_string().contains("certificate"));
    }
}
