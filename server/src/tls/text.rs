//! rustls's errors in Go's words, which etcd's users, tests and alerts look for in the log.

use std::io;

use rustls::{AlertDescription as Alert, CertificateError, Error, InvalidMessage, PeerIncompatible};

/// What a handshake or a stream failed with.
pub(super) fn of(error: &io::Error) -> String {
    match cause(error) {
        Some(cause) => of_tls(cause),
        None if error.kind() == io::ErrorKind::UnexpectedEof => "EOF".to_owned(),
        None => error.to_string(),
    }
}

/// The other side hung up in the middle, as health checks of load balancers do.
pub(super) fn is_eof(error: &io::Error) -> bool {
    cause(error).is_none() && error.kind() == io::ErrorKind::UnexpectedEof
}

/// The other side says that it did not like us.
pub(super) fn alert(error: &io::Error) -> Option<String> {
    match cause(error)? {
        told @ Error::AlertReceived(_) => Some(of_tls(told)),
        _ => None,
    }
}

fn cause(error: &io::Error) -> Option<&Error> {
    error.get_ref()?.downcast_ref()
}

fn of_tls(error: &Error) -> String {
    match error {
        Error::AlertReceived(alert) => format!("remote error: tls: {}", name(*alert)),
        Error::NoCertificatesPresented => "tls: client didn't provide a certificate".to_owned(),
        Error::InvalidCertificate(error) => of_certificate(error),
        Error::InvalidMessage(InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion) => {
            "tls: first record does not look like a TLS handshake".to_owned()
        }
        Error::PeerIncompatible(PeerIncompatible::NoCipherSuitesInCommon) => {
            "tls: no cipher suite supported by both client and server".to_owned()
        }
        Error::PeerIncompatible(
            PeerIncompatible::SupportedVersionsExtensionRequired
            | PeerIncompatible::Tls12NotOffered
            | PeerIncompatible::Tls12NotOfferedOrEnabled
            | PeerIncompatible::Tls13RequiredForQuic,
        ) => "tls: client offered only unsupported versions".to_owned(),
        Error::NoApplicationProtocol => "tls: client requested unsupported application protocols".to_owned(),
        other => format!("tls: {other}"),
    }
}

fn of_certificate(error: &CertificateError) -> String {
    let why = match error {
        // Only our own rules for clients say this without naming names.
        CertificateError::NotValidForName => return "client certificate authentication failed".to_owned(),
        CertificateError::Other(error) if error.0.to_string().starts_with("transport: ") => return error.0.to_string(),
        CertificateError::NotValidForNameContext { expected, presented } => {
            let names: Vec<&str> = presented.iter().map(|name| bare(name)).collect();
            format!(
                "certificate is valid for {}, not {}",
                names.join(", "),
                expected.to_str()
            )
        }
        CertificateError::UnknownIssuer => "certificate signed by unknown authority".to_owned(),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "certificate has expired or is not yet valid: it has expired".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "certificate has expired or is not yet valid: it is not yet valid".to_owned()
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "certificate specifies an incompatible key usage".to_owned()
        }
        CertificateError::Other(error) => error.0.to_string(),
        other => other.to_string(),
    };
    format!("tls: failed to verify certificate: x509: {why}")
}

/// The name in webpki's `DnsName("name")` or `IpAddress(address)`.
fn bare(name: &str) -> &str {
    let inner = name.split_once('(').map_or(name, |(_, rest)| rest);
    inner.trim_end_matches(')').trim_matches('"')
}

/// RFC 8446 section 6.2, in Go's spelling.
fn name(alert: Alert) -> String {
    let known = match alert {
        Alert::BadCertificate => "bad certificate",
        Alert::UnsupportedCertificate => "unsupported certificate",
        Alert::CertificateRevoked => "revoked certificate",
        Alert::CertificateExpired => "expired certificate",
        Alert::CertificateUnknown => "unknown certificate",
        Alert::CertificateRequired => "certificate required",
        Alert::UnknownCA => "unknown certificate authority",
        Alert::AccessDenied => "access denied",
        Alert::HandshakeFailure => "handshake failure",
        Alert::ProtocolVersion => "protocol version not supported",
        Alert::InsufficientSecurity => "insufficient security level",
        Alert::InternalError => "internal error",
        Alert::DecodeError => "error decoding message",
        Alert::DecryptError => "error decrypting message",
        Alert::NoApplicationProtocol => "no application protocol",
        other => return format!("alert {other:?}"),
    };
    known.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(error: Error) -> String {
        of(&io::Error::new(io::ErrorKind::InvalidData, error))
    }

    #[test]
    fn errors_are_told_in_gos_words() {
        for (error, text) in [
            (
                Error::AlertReceived(Alert::BadCertificate),
                "remote error: tls: bad certificate",
            ),
            (
                Error::NoCertificatesPresented,
                "tls: client didn't provide a certificate",
            ),
            (
                CertificateError::NotValidForName.into(),
                "client certificate authentication failed",
            ),
            (
                CertificateError::UnknownIssuer.into(),
                "tls: failed to verify certificate: x509: certificate signed by unknown authority",
            ),
            (
                Error::InvalidMessage(InvalidMessage::InvalidContentType),
                "tls: first record does not look like a TLS handshake",
            ),
        ] {
            assert_eq!(told(error), text);
        }
    }

    #[test]
    fn names_that_do_not_fit_are_listed() {
        let error = CertificateError::NotValidForNameContext {
            expected: rustls::pki_types::ServerName::try_from("10.0.0.1").expect("valid"),
            presented: vec!["DnsName(\"localhost\")".into(), "IpAddress(127.0.0.1)".into()],
        };
        let text =
            "tls: failed to verify certificate: x509: certificate is valid for localhost, 127.0.0.1, not 10.0.0.1";
        assert_eq!(told(error.into()), text);
    }

    #[test]
    fn an_end_in_the_middle_is_no_complaint() {
        assert!(is_eof(&io::ErrorKind::UnexpectedEof.into()));
        assert!(!is_eof(&io::ErrorKind::ConnectionReset.into()));
    }
}
