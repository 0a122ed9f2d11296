//! Which certificate a client is shown: by the name that it asks for, and by what it can verify.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::SignatureScheme;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::pair::Pair;

/// The certificates of a listener, which can be replaced at any time.
#[derive(Debug, Default)]
pub struct ByName {
    shown: ArcSwap<Shown>,
}

#[derive(Debug, Default)]
struct Shown {
    exact: HashMap<String, Vec<Arc<CertifiedKey>>>,
    /// By what stands behind `*.`
    wildcard: HashMap<String, Vec<Arc<CertifiedKey>>>,
    /// In the order of the configuration.
    all: Vec<Arc<CertifiedKey>>,
}

impl ByName {
    /// Shows these from now on.
    pub fn show<'a>(&self, pairs: impl Iterator<Item = &'a Pair>) {
        let mut shown = Shown::default();
        for pair in pairs {
            for name in &pair.names {
                let (names, name) = match name.strip_prefix("*.") {
                    Some(rest) => (&mut shown.wildcard, rest),
                    None => (&mut shown.exact, &**name),
                };
                names.entry(name.to_owned()).or_default().push(pair.key.clone());
            }
            shown.all.push(pair.key.clone());
        }
        self.shown.store(Arc::new(shown));
    }
}

impl Shown {
    /// Those for a name: an exact one counts more than `*.`, and where none fits, all are asked in their order.
    fn of(&self, name: Option<&str>) -> &[Arc<CertifiedKey>] {
        let exact = || self.exact.get(name?);
        let wildcard = || self.wildcard.get(name?.split_once('.')?.1);
        exact().or_else(wildcard).unwrap_or(&self.all)
    }
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let shown = self.shown.load();
        pick(shown.of(hello.server_name()), hello.signature_schemes())
    }
}

/// The first that the client can verify; one with RSA may stand beside one with an elliptic curve.
fn pick(fitting: &[Arc<CertifiedKey>], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
    let able = fitting.iter().find(|key| key.key.choose_scheme(schemes).is_some());
    able.or(fitting.first()).cloned()
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    fn pair(names: &[&str]) -> Pair {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
        Pair::read(&certificate.pem(), &key.serialize_pem()).unwrap()
    }

    #[test]
    fn an_exact_name_counts_more_than_a_wildcard_and_the_first_serves_all_others() {
        let pairs = [
            pair(&["first.test"]),
            pair(&["*.shop.test"]),
            pair(&["a.shop.test", "other.test"]),
            pair(&["a.shop.test"]),
        ];
        let names = ByName::default();
        names.show(pairs.iter());
        let shown = names.shown.load();
        let of = |name| {
            let key = &shown.of(name)[0];
            pairs.iter().position(|pair| Arc::ptr_eq(&pair.key, key)).unwrap()
        };
        let table = [
            (Some("first.test"), 0),
            (Some("a.shop.test"), 2),
            (Some("b.shop.test"), 1),
            (Some("shop.test"), 0),
            (Some("a.b.shop.test"), 0),
            (Some("other.test"), 2),
            (Some("nobody.test"), 0),
            (Some("test"), 0),
            (None, 0),
        ];
        for (name, index) in table {
            assert_eq!(of(name), index, "{name:?}");
        }
        let rsa = [SignatureScheme::RSA_PSS_SHA256];
        let first = pick(shown.of(Some("a.shop.test")), &rsa).unwrap();
        assert!(Arc::ptr_eq(&first, &pairs[2].key), "none fits: the handshake says so");
    }
}
