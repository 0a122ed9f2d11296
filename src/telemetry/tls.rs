//! The metrics of TLS towards clients.

use prometheus::{GaugeVec, IntCounterVec, Opts, Registry};

use super::metrics::registered;

/// When certificates expire, and handshakes that failed.
#[derive(Debug)]
pub(super) struct TlsMetrics {
    expires: GaugeVec,
    failed: IntCounterVec,
}

impl TlsMetrics {
    /// Registers them.
    pub(super) fn new(registry: &Registry) -> TlsMetrics {
        let expires = Opts::new(
            "flagway_certificate_expires_seconds",
            "Seconds until a certificate that is shown to clients expires; negative afterwards.",
        );
        let failed = Opts::new(
            "flagway_handshakes_failed_total",
            "TLS handshakes with clients of which nothing came, by listener and why.",
        );
        TlsMetrics {
            expires: registered(registry, GaugeVec::new(expires, &["listener", "name"])),
            failed: registered(registry, IntCounterVec::new(failed, &["listener", "why"])),
        }
    }
}

impl super::Metrics {
    /// Replaces the seconds that all certificates have left, by listener and first name; of two with one name the shorter.
    pub fn set_certificates<'a>(&self, certificates: impl Iterator<Item = (&'a str, &'a str, i64)>) {
        let mut all: Vec<_> = certificates.collect();
        all.sort_by_key(|(.., left)| std::cmp::Reverse(*left));
        self.tls.expires.reset();
        for (listener, name, left) in all {
            self.tls.expires.with_label_values(&[listener, name]).set(left as f64);
        }
    }

    /// Handshakes that failed: by listener and why.
    pub fn failed_handshakes(&self) -> IntCounterVec {
        self.tls.failed.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Metrics;

    #[test]
    fn of_two_certificates_with_one_name_the_shorter_is_told() {
        let metrics = Metrics::new(100);
        metrics.set_certificates([("web", "gone.test", 5)].into_iter());
        metrics.set_certificates(
            [("web", "a.test", 10), ("web", "a.test", -3), ("web", "b.test", 7)].into_iter(),
        );
        let text = metrics.encode();
        let told: Vec<&str> =
            text.lines().filter(|line| line.starts_with("flagway_certificate_expires_seconds{")).collect();
        assert_eq!(
            told,
            [
                "flagway_certificate_expires_seconds{listener=\"web\",name=\"a.test\"} -3",
                "flagway_certificate_expires_seconds{listener=\"web\",name=\"b.test\"} 7"
            ]
        );
    }
}
