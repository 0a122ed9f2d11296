//! A listener's certificate, read and checked before anything listens: Pingora panics on bad files.

use std::sync::Arc;

use pingora::listeners::ALPN;
use pingora::listeners::tls::TlsSettings;
use pingora::tls::sign::{CertifiedKey, SingleCertAndKey};
use pingora::tls::{CryptoProvider, install_default_crypto_provider, load_certs_and_key_files};

use crate::config::listener::{CertificateFiles, Listener, ListenerTls};

/// Settings for a listener that offers HTTP/2 and HTTP/1.1. The error names the files and what is wrong with them.
pub fn settings(listener: &Listener, tls: &ListenerTls) -> Result<TlsSettings, String> {
    let failed = |why: String| format!("listener `{}`: {why}", listener.name);
    let certificate = certificate(&tls.certificate).map_err(failed)?;
    // The resolver is what is asked; there are no paths that could be read again.
    let mut settings = TlsSettings::intermediate("", "").map_err(|error| failed(error.to_string()))?;
    settings.set_cert_resolver(Arc::new(SingleCertAndKey::from(certificate)));
    settings.set_alpn(ALPN::H2H1);
    Ok(settings)
}

fn certificate(files: &CertificateFiles) -> Result<CertifiedKey, String> {
    let CertificateFiles { cert, key } = files;
    let names = || format!("certificate {} with key {}", cert.display(), key.display());
    let paths = cert.to_str().zip(key.to_str());
    let (cert, key) = paths.ok_or_else(|| format!("{}: a path that is no UTF-8", names()))?;
    let (chain, key) = load_certs_and_key_files(cert, key)
        .map_err(|error| format!("{}: {error}", names()))?
        .ok_or_else(|| format!("{}: no certificate, or no private key, in PEM", names()))?;
    install_default_crypto_provider();
    let provider = CryptoProvider::get_default().ok_or("no provider of cryptography is installed")?;
    CertifiedKey::from_der(chain, key, provider).map_err(|error| format!("{}: {error}", names()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_files_are_an_error_that_names_them() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_owned();
        let refused = certificate(&CertificateFiles { cert: path.clone(), key: path.clone() }).unwrap_err();
        assert!(
            refused.contains(&*path.to_string_lossy()) && refused.contains("no certificate"),
            "{refused}"
        );
        let absent = CertificateFiles { cert: "/nowhere/a.pem".into(), key: path };
        assert!(certificate(&absent).unwrap_err().contains("/nowhere/a.pem"));
    }
}
