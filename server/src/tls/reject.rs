//! Telling of connections that were turned away, but never without end.

use std::io;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rustls::pki_types::CertificateDer;

use super::{certificate, text};

/// Beyond these, lines are only counted.
const LINES_PER_SECOND_MAX: u32 = 10;

/// The lines of one second.
#[derive(Debug)]
struct Second {
    began: Instant,
    lines: u32,
    unsaid: u64,
}

#[derive(Debug)]
pub(super) struct Quota(Mutex<Second>);

impl Quota {
    pub fn new() -> Self {
        Quota(Mutex::new(Second {
            began: Instant::now(),
            lines: 0,
            unsaid: 0,
        }))
    }

    /// How many lines were left out since the last one, if one more may be written now.
    pub fn take(&self) -> Option<u64> {
        self.take_at(Instant::now())
    }

    fn take_at(&self, now: Instant) -> Option<u64> {
        let mut second = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if now.duration_since(second.began) >= Duration::from_secs(1) {
            second.began = now;
            second.lines = 0;
        }
        if second.lines == LINES_PER_SECOND_MAX {
            second.unsaid += 1;
            return None;
        }
        second.lines += 1;
        Some(std::mem::take(&mut second.unsaid))
    }
}

/// Why somebody was not let in.
pub(super) struct Rejected {
    server_name: String,
    error: String,
    quietly: bool,
    /// What was shown, if it is only afterwards that it did not fit.
    shown: Option<CertificateDer<'static>>,
}

impl Rejected {
    pub fn new(error: &io::Error, server_name: String) -> Self {
        Rejected {
            server_name,
            error: text::of(error),
            quietly: text::is_eof(error),
            shown: None,
        }
    }

    pub fn late(patience: Duration) -> Self {
        Rejected {
            server_name: String::new(),
            error: format!("i/o timeout: no handshake within {patience:?}"),
            quietly: false,
            shown: None,
        }
    }

    /// The handshake was fine, but not what was shown in it.
    pub fn shown(certificate: &CertificateDer<'_>, error: String, server_name: String) -> Self {
        Rejected {
            server_name,
            error,
            quietly: false,
            shown: Some(certificate.clone().into_owned()),
        }
    }

    /// `endpoint` is `client` or `peer`, as etcd calls its ports.
    pub fn tell(&self, endpoint: &str, remote: &str, quota: &Quota) {
        let Rejected {
            server_name,
            error,
            quietly,
            shown,
        } = self;
        let message = format!("rejected connection on {endpoint} endpoint");
        if *quietly {
            return tracing::debug!(remote_addr = remote, server_name, error, "{message}");
        }
        let Some(unsaid) = quota.take() else { return };
        match shown.as_ref().map(certificate::names) {
            None => tracing::warn!(remote_addr = remote, server_name, error, unsaid, "{message}"),
            Some(names) => tracing::warn!(
                remote_addr = remote,
                server_name,
                ip_addresses = format!("{:?}", names.ips),
                dns_names = format!("{:?}", names.dns),
                error,
                unsaid,
                "{message}"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_counted_and_not_told() {
        let (quota, now) = (Quota::new(), Instant::now());
        let told = (0..1000).filter(|_| quota.take_at(now).is_some()).count();
        assert_eq!(told, LINES_PER_SECOND_MAX as usize);
        let left_out = 1000 - u64::from(LINES_PER_SECOND_MAX);
        assert_eq!(quota.take_at(now + Duration::from_secs(1)), Some(left_out));
        assert_eq!(quota.take_at(now + Duration::from_secs(1)), Some(0));
    }
}
