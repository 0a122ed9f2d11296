//! A certificate chain and its key, read and judged before anybody is shown it.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use super::identity;

/// From here on an end that comes near is told.
const SOON: Duration = Duration::from_secs(21 * 24 * 3600);
const DAY: u64 = 24 * 3600;

/// A pair that can be shown.
#[derive(Debug, Clone)]
pub struct Pair {
    /// What a handshake takes.
    pub key: Arc<CertifiedKey>,
    /// The names that it is for, in lower case; `*.` in front of some.
    pub names: Vec<String>,
    /// Unix seconds: its first.
    from: i64,
    /// Unix seconds: its last.
    until: i64,
    /// What serves, but hardly as it was meant.
    odd: Vec<String>,
}

/// Something that is wrong with a pair that can be shown all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// Whether nobody accepts it.
    pub useless: bool,
    /// What was found, to be said after its name.
    pub found: String,
}

impl Pair {
    /// Reads both, PEM. The error says what is wrong with which.
    pub fn read(cert: &str, key: &str) -> Result<Pair, String> {
        let chain = CertificateDer::pem_slice_iter(cert.as_bytes()).collect::<Result<Vec<_>, _>>();
        let chain = chain.map_err(|error| format!("the certificate is no PEM: {error}"))?;
        if chain.is_empty() {
            return Err("there is no certificate in it".to_owned());
        }
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|error| match error {
            rustls::pki_types::pem::Error::NoItemsFound => "there is no private key in its file".to_owned(),
            error => format!("the key is no PEM: {error}"),
        })?;
        let provider = provider();
        let key = provider.key_provider.load_private_key(key);
        let key = key.map_err(|error| format!("the key cannot be used: {error}"))?;
        let parsed = chain.iter().enumerate().map(|(index, der)| {
            X509Certificate::from_der(der)
                .map(|(_, certificate)| certificate)
                .map_err(|error| format!("certificate {} of the chain cannot be read: {error}", index + 1))
        });
        let parsed = parsed.collect::<Result<Vec<_>, String>>()?;
        let fits = |from: usize| CertifiedKey::new(chain[from..].to_vec(), key.clone()).keys_match();
        match fits(0) {
            Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => {}
            Err(Error::InconsistentKeys(_)) => {
                return Err(match (1..chain.len()).find(|from| fits(*from).is_ok()) {
                    Some(at) => format!(
                        "the key belongs to certificate {} of the chain: the server's own has to stand first",
                        at + 1
                    ),
                    None => "the key does not belong to the certificate".to_owned(),
                });
            }
            Err(error) => return Err(format!("the certificate cannot be used: {error}")),
        }
        let own = &parsed[0];
        let names: Vec<String> = identity::names(own).collect();
        let odd = odd(&parsed, &names);
        let (from, until) = (own.validity().not_before.timestamp(), own.validity().not_after.timestamp());
        drop(parsed);
        Ok(Pair { key: Arc::new(CertifiedKey::new(chain, key)), names, from, until, odd })
    }

    /// What is wrong with it at a time.
    pub fn flaws(&self, now: SystemTime) -> Vec<Flaw> {
        let mut flaws: Vec<Flaw> =
            self.odd.iter().map(|found| Flaw { useless: false, found: found.clone() }).collect();
        let (now, left) = (seconds(now), self.left(now));
        if now < self.from {
            let found = format!("is not valid before {}", date(self.from));
            flaws.push(Flaw { useless: true, found });
        } else if left < 0 {
            flaws.push(Flaw { useless: true, found: format!("expired on {}", date(self.until)) });
        } else if left.unsigned_abs() < SOON.as_secs() {
            let found = match left.unsigned_abs() / DAY {
                0 => format!("expires within a day, on {}", date(self.until)),
                1 => format!("expires in 1 day, on {}", date(self.until)),
                days => format!("expires in {days} days, on {}", date(self.until)),
            };
            flaws.push(Flaw { useless: false, found });
        }
        flaws
    }

    /// Seconds until it expires; negative afterwards.
    pub fn left(&self, now: SystemTime) -> i64 {
        self.until - seconds(now)
    }
}

/// The one provider of cryptography.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn odd(chain: &[X509Certificate<'_>], names: &[String]) -> Vec<String> {
    let mut odd = Vec::new();
    if names.is_empty() {
        odd.push("has no alternative name: no present client accepts it".to_owned());
    }
    for silly in names.iter().filter(|name| {
        name.strip_prefix("*.").is_some_and(|rest| rest.contains('*') || !rest.contains('.')) || *name == "*"
    }) {
        odd.push(format!("is for `{silly}`, which no client takes for a host"));
    }
    let broken = chain.windows(2).position(|pair| pair[0].issuer().as_raw() != pair[1].subject().as_raw());
    if let Some(at) = broken {
        odd.push(format!(
            "has a chain out of order: certificate {} is not from the issuer of certificate {}",
            at + 2,
            at + 1
        ));
    }
    odd
}

fn seconds(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

fn date(seconds: i64) -> String {
    // Past the year 9999 it is not written.
    let since = Duration::from_secs(seconds.clamp(0, 253_402_300_799).unsigned_abs());
    humantime::format_rfc3339_seconds(UNIX_EPOCH + since).to_string()
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};

    use super::*;

    struct Made {
        own: String,
        authority: String,
        key: String,
    }

    /// For names, valid from 2026 to 2027.
    fn made(names: &[&str]) -> Made {
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.distinguished_name.push(rcgen::DnType::CommonName, "an authority");
        let issuer = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = date_time_ymd(2026, 1, 1);
        params.not_after = date_time_ymd(2027, 1, 1);
        let key = KeyPair::generate().unwrap();
        let own = params.signed_by(&key, &issuer).unwrap();
        Made { own: own.pem(), authority: issuer.pem(), key: key.serialize_pem() }
    }

    fn at(text: &str) -> SystemTime {
        humantime::parse_rfc3339(text).unwrap()
    }

    #[test]
    fn what_is_wrong_with_a_pair_is_said_in_a_sentence() {
        let (shop, other) = (made(&["shop.test"]), made(&["other.test"]));
        let chain = format!("{}{}", shop.own, shop.authority);
        assert!(Pair::read(&chain, &shop.key).is_ok());
        let turned = format!("{}{}", shop.authority, shop.own);
        let table = [
            ("", &*shop.key, "there is no certificate"),
            (&*shop.own, "", "there is no private key"),
            (&*shop.own, &*other.key, "the key does not belong to the certificate"),
            (&*turned, &*shop.key, "the key belongs to certificate 2 of the chain"),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", &*shop.key, "certificate 1"),
            ("-----BEGIN CERTIFICATE-----\nAAAA", &*shop.key, "no PEM"),
            (&*shop.own, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "cannot be used"),
        ];
        for (cert, key, why) in table {
            let refused = Pair::read(cert, key).unwrap_err();
            assert!(refused.contains(why), "{refused}");
        }
    }

    #[test]
    fn dates_are_judged_by_the_clock() {
        let shop = made(&["shop.test"]);
        let pair = Pair::read(&shop.own, &shop.key).unwrap();
        let table = [
            ("2025-12-31T23:59:59Z", Some((true, "is not valid before 2026-01-01"))),
            ("2026-06-01T00:00:00Z", None),
            ("2026-12-11T00:00:00Z", None),
            ("2026-12-11T00:00:01Z", Some((false, "expires in 20 days, on 2027-01-01"))),
            ("2026-12-30T12:00:00Z", Some((false, "expires in 1 day, on"))),
            ("2026-12-31T12:00:00Z", Some((false, "expires within a day"))),
            ("2027-01-01T00:00:01Z", Some((true, "expired on 2027-01-01"))),
        ];
        for (now, expected) in table {
            let flaws = pair.flaws(at(now));
            assert_eq!(flaws.len(), usize::from(expected.is_some()), "{now}: {flaws:?}");
            if let Some((useless, found)) = expected {
                assert!(flaws[0].useless == useless && flaws[0].found.starts_with(found), "{now}: {flaws:?}");
            }
        }
        assert_eq!(pair.left(at("2026-12-31T23:59:59Z")), 1);
    }

    #[test]
    fn a_chain_out_of_order_and_names_for_nobody_serve_and_are_told() {
        let now = at("2026-06-01T00:00:00Z");
        let (shop, other) = (made(&["Shop.test", "*.shop.test"]), made(&[]));
        let pair = Pair::read(&format!("{}{}", shop.own, other.own), &shop.key).unwrap();
        assert_eq!(pair.names, ["shop.test", "*.shop.test"]);
        assert!(pair.flaws(now)[0].found.contains("out of order"), "{:?}", pair.flaws(now));
        let nameless = Pair::read(&other.own, &other.key).unwrap();
        assert!(nameless.flaws(now)[0].found.contains("no alternative name"));
        let wide = made(&["*.test"]);
        let wide = Pair::read(&wide.own, &wide.key).unwrap();
        assert!(wide.flaws(now)[0].found.contains("`*.test`"));
    }
}
