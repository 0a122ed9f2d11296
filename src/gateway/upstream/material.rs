//! What TLS towards an upstream is made of: authorities, a client certificate, the name to verify.
//!
//! Everything is read and checked when a version becomes live, because Pingora panics on a connection that finds bad material.

use std::path::Path;
use std::sync::Arc;

use pingora::tls::{ClientConfig, PrivateKeyDer, RootCertStore, ServerName, load_certs_and_key_files};
use pingora::utils::tls::{CertKey, WrappedX509, parse_x509};
use x509_parser::certificate::X509Certificate;
use x509_parser::pem::Pem;
use x509_parser::prelude::FromDer;

use crate::config::listener::CertificateFiles;
use crate::config::service::UpstreamTls;

/// Checked material, shared by all peers of a version.
#[derive(Debug, Clone)]
pub struct Material {
    /// None: the endpoint's own name or address.
    pub sni: Option<String>,
    /// None: the system's roots.
    pub authorities: Option<Arc<[WrappedX509]>>,
    /// What we show, when we are asked.
    pub client: Option<Arc<CertKey>>,
    /// Whether the upstream has to prove who it is.
    pub verify: bool,
}

impl Material {
    /// Reads and checks the files. The error says which file, and what is wrong with it.
    pub fn load(tls: &UpstreamTls) -> Result<Material, Refused> {
        if let Some(sni) = &tls.sni {
            server_name("sni", sni)?;
        }
        let authorities = tls.ca.as_deref().map(authorities).transpose()?;
        let client = tls.client_cert.as_ref().map(client).transpose()?;
        Ok(Material {
            sni: tls.sni.as_deref().map(str::to_owned),
            authorities: authorities.map(Arc::from),
            client: client.map(Arc::new),
            verify: tls.verify,
        })
    }
}

/// Material that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The key under `tls`.
    pub key: &'static str,
    pub found: String,
    pub expected: &'static str,
}

/// Whether a certificate can be asked for this name.
pub fn server_name(key: &'static str, name: &str) -> Result<(), Refused> {
    ServerName::try_from(name).map(drop).map_err(|_| Refused {
        key,
        found: format!("`{name}` is no name that a certificate can be for"),
        expected: "a DNS name or an IP address",
    })
}

fn authorities(path: &Path) -> Result<Vec<WrappedX509>, Refused> {
    let refused = |found: String| Refused { key: "ca", found, expected: "PEM with at least one certificate" };
    let text = std::fs::read(path).map_err(|error| refused(format!("{}: {error}", path.display())))?;
    let mut store = RootCertStore::empty();
    let mut found = Vec::new();
    for section in Pem::iter_from_buffer(&text) {
        let section = section.map_err(|error| refused(format!("{}: {error}", path.display())))?;
        if section.label != "CERTIFICATE" {
            continue;
        }
        let unusable =
            |why: String| refused(format!("{}: a certificate that cannot be used: {why}", path.display()));
        X509Certificate::from_der(&section.contents).map_err(|error| unusable(error.to_string()))?;
        store.add(section.contents.clone().into()).map_err(|error| unusable(error.to_string()))?;
        found.push(WrappedX509::new(section.contents, parse_x509));
    }
    if found.is_empty() {
        Err(refused(format!("{} holds no certificate", path.display())))
    } else {
        Ok(found)
    }
}

fn client(files: &CertificateFiles) -> Result<CertKey, Refused> {
    let refused = |found: String| Refused {
        key: "client_cert",
        found,
        expected: "PEM files with a certificate chain and its private key",
    };
    let names = format!("{} with {}", files.cert.display(), files.key.display());
    let (cert, key) = (files.cert.to_str(), files.key.to_str());
    let (cert, key) = cert.zip(key).ok_or_else(|| refused(format!("{names}: a path that is no UTF-8")))?;
    let (chain, key) = load_certs_and_key_files(cert, key)
        .map_err(|error| refused(format!("{names}: {error}")))?
        .ok_or_else(|| refused(format!("{names}: no certificate, or no private key")))?;
    for certificate in &chain {
        X509Certificate::from_der(certificate).map_err(|error| refused(format!("{names}: {error}")))?;
    }
    // Pingora reads the key once more from its bytes alone.
    let bytes = key.secret_der().to_vec();
    let again =
        PrivateKeyDer::try_from(bytes.clone()).map_err(|error| refused(format!("{names}: {error}")))?;
    pingora::tls::install_default_crypto_provider();
    ClientConfig::builder()
        .with_root_certificates(RootCertStore::empty())
        .with_client_auth_cert(chain.clone(), again)
        .map_err(|error| refused(format!("{names}: {error}")))?;
    Ok(CertKey::new(chain.into_iter().map(|certificate| certificate.to_vec()).collect(), bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    fn with_ca(path: &Path) -> UpstreamTls {
        UpstreamTls { sni: None, ca: Some(path.to_owned()), client_cert: None, verify: true }
    }

    #[test]
    fn bad_files_are_refused_by_name_and_never_panic() {
        let broken = "-----BEGIN CERTIFICATE-----\nbm90IGEgY2VydGlmaWNhdGU=\n-----END CERTIFICATE-----\n";
        for (text, what) in
            [("", "holds no certificate"), (broken, "cannot be used"), ("-----BEGIN CERTIFICATE-----\n*", "")]
        {
            let file = file(text);
            let refused = Material::load(&with_ca(file.path())).unwrap_err();
            assert!(refused.found.contains(what), "{refused:?}");
            assert!(refused.found.contains(&*file.path().to_string_lossy()), "{refused:?}");
            let files = CertificateFiles { cert: file.path().to_owned(), key: file.path().to_owned() };
            assert_eq!(client(&files).unwrap_err().key, "client_cert");
        }
        let absent = Path::new("/nowhere/ca.pem");
        assert!(Material::load(&with_ca(absent)).unwrap_err().found.contains("/nowhere/ca.pem"));
    }

    #[test]
    fn a_name_that_no_certificate_can_have_is_refused() {
        let named =
            |sni: &str| UpstreamTls { sni: Some(sni.into()), ca: None, client_cert: None, verify: true };
        assert_eq!(Material::load(&named("not a name")).unwrap_err().key, "sni");
        assert!(Material::load(&named("shop.test")).is_ok());
        assert!(Material::load(&named("192.0.2.7")).is_ok());
    }
}
