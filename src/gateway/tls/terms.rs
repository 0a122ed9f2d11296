//! The terms on which a listener speaks TLS, and the handshake itself.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use pingora::protocols::Stream;
use rustls::crypto::ring::Ticketer;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{Error, RootCertStore, ServerConfig, SupportedProtocolVersion};
use tokio_rustls::TlsAcceptor;

use super::by_name::ByName;
use super::pair::provider;
use super::secured::SecuredStream;
use crate::config::listener::TlsVersion;

/// What a client may choose from, the best first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];
const BOTH: [&SupportedProtocolVersion; 2] = [&rustls::version::TLS13, &rustls::version::TLS12];
const NEW: [&SupportedProtocolVersion; 1] = [&rustls::version::TLS13];

/// Of one listener; replaced while it listens.
#[derive(Debug)]
pub struct Terms {
    /// What is shown, by name.
    pub names: Arc<ByName>,
    present: ArcSwap<Present>,
}

#[derive(Debug)]
struct Present {
    config: Arc<ServerConfig>,
    asks: bool,
}

/// Who is believed when it says who it is.
#[derive(Debug, Clone)]
pub struct Clients {
    /// The authorities.
    pub roots: Arc<RootCertStore>,
    /// Whether there is no connection without a certificate.
    pub required: bool,
}

impl Terms {
    /// Terms without a certificate: every handshake fails until one is shown.
    pub fn new(oldest: TlsVersion, clients: Option<&Clients>) -> Result<Terms, String> {
        let names = Arc::new(ByName::default());
        let present = ArcSwap::from_pointee(present(oldest, clients, &names)?);
        Ok(Terms { names, present })
    }

    /// Other terms, for the handshakes from now on. Tickets of sessions under the old ones are void: who was believed then may not be now.
    pub fn change(&self, oldest: TlsVersion, clients: Option<&Clients>) -> Result<(), String> {
        self.present.store(Arc::new(present(oldest, clients, &self.names)?));
        Ok(())
    }

    /// Says hello. The error tells why nothing came of it.
    pub async fn accept(&self, io: Stream, patience: Duration) -> Result<SecuredStream, Failed> {
        let Present { config, asks } = &**self.present.load();
        let (accepting, asks) = (TlsAcceptor::from(Arc::clone(config)).accept(io), *asks);
        match tokio::time::timeout(patience, accepting).await {
            Ok(Ok(stream)) => Ok(SecuredStream::new(stream, asks)),
            Ok(Err(error)) => Err(Failed::of(error)),
            Err(_) => Err(Failed { why: "time", told: "it took too long".to_owned() }),
        }
    }
}

fn present(oldest: TlsVersion, clients: Option<&Clients>, names: &Arc<ByName>) -> Result<Present, String> {
    let versions = match oldest {
        TlsVersion::Tls12 => &BOTH[..],
        TlsVersion::Tls13 => &NEW[..],
    };
    let builder = ServerConfig::builder_with_provider(provider()).with_protocol_versions(versions);
    let builder = builder.map_err(|error| error.to_string())?;
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(Clients { roots, required }) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::clone(roots), provider());
            let verifier = if *required { verifier } else { verifier.allow_unauthenticated() };
            builder.with_client_cert_verifier(verifier.build().map_err(|error| error.to_string())?)
        }
    };
    let mut config = builder.with_cert_resolver(names.clone());
    // All that are spoken are good; ours begin with what hardware does.
    config.ignore_client_order = true;
    config.alpn_protocols = PROTOCOLS.iter().map(|name| name.to_vec()).collect();
    // A ticket is kept by the client: a table of sessions here would need a bound.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.ticketer = Ticketer::new().map_err(|error| error.to_string())?;
    Ok(Present { config: Arc::new(config), asks: clients.is_some() })
}

/// A handshake that failed.
#[derive(Debug)]
pub struct Failed {
    /// A token for the metric.
    pub why: &'static str,
    /// For the log.
    pub told: String,
}

impl Failed {
    fn of(error: io::Error) -> Failed {
        let told = error.to_string();
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
        Failed { why: inner.map_or("closed", why), told }
    }
}

/// Why a handshake failed, as a token.
fn why(error: &Error) -> &'static str {
    match error {
        Error::InvalidMessage(_) | Error::InappropriateMessage { .. } => "no_tls",
        Error::InappropriateHandshakeMessage { .. } | Error::DecryptError => "protocol",
        Error::PeerIncompatible(_) => "no_common_terms",
        Error::NoApplicationProtocol => "no_common_protocol",
        Error::NoCertificatesPresented => "no_client_certificate",
        Error::InvalidCertificate(_) => "client_certificate",
        Error::AlertReceived(_) => "refused_by_client",
        Error::PeerMisbehaved(_) => "protocol",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use rustls::{AlertDescription, CertificateError, InvalidMessage, PeerIncompatible};

    use super::*;

    #[test]
    fn each_failure_has_its_token() {
        let table = [
            (Error::InvalidMessage(InvalidMessage::InvalidContentType), "no_tls"),
            (Error::PeerIncompatible(PeerIncompatible::Tls12NotOffered), "no_common_terms"),
            (Error::NoCertificatesPresented, "no_client_certificate"),
            (Error::InvalidCertificate(CertificateError::Expired), "client_certificate"),
            (Error::AlertReceived(AlertDescription::UnknownCA), "refused_by_client"),
        ];
        for (error, token) in table {
            assert_eq!(Failed::of(io::Error::new(io::ErrorKind::InvalidData, error)).why, token);
        }
        assert_eq!(Failed::of(io::ErrorKind::UnexpectedEof.into()).why, "closed");
    }
}
