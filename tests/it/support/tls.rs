//! A certificate authority made on the spot, and TLS peers that trust it.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, SupportedProtocolVersion};

pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate and its key, PEM.
pub struct Issued {
    pub cert: String,
    pub key: String,
}

impl Authority {
    pub fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Else OpenSSL takes whatever it signs for signed by itself.
        params.distinguished_name.push(DnType::CommonName, "authority");
        Authority { issuer: CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap() }
    }

    /// The authority's own certificate, PEM.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A certificate for names or addresses.
    pub fn issue(&self, names: &[&str]) -> Issued {
        self.sign(params(names))
    }

    /// A certificate that ends so many days from now.
    pub fn issue_for(&self, names: &[&str], days: i64) -> Issued {
        let mut params = params(names);
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let end = now.as_secs().checked_add_signed(days * 24 * 3600).unwrap();
        params.not_after = rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(end);
        self.sign(params)
    }

    /// A client's certificate.
    pub fn issue_client(&self, name: &str, uri: &str) -> Issued {
        let mut params = params(&[]);
        params.distinguished_name.push(DnType::CommonName, name);
        params.subject_alt_names = vec![SanType::URI(uri.try_into().unwrap())];
        self.sign(params)
    }

    fn sign(&self, params: CertificateParams) -> Issued {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Issued { cert: certificate.pem(), key: key.serialize_pem() }
    }

    /// A server that shows a certificate for `names`.
    pub fn server(&self, names: &[&str]) -> Arc<ServerConfig> {
        let (chain, key) = self.issue(names).der();
        Arc::new(server().with_no_client_auth().with_single_cert(chain, key).unwrap())
    }

    /// A server that also demands a certificate of this authority from its clients.
    pub fn mutual_server(&self, names: &[&str]) -> Arc<ServerConfig> {
        let (chain, key) = self.issue(names).der();
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(self.roots()), provider()).build().unwrap();
        Arc::new(server().with_client_cert_verifier(verifier).with_single_cert(chain, key).unwrap())
    }

    /// A client that trusts this authority alone.
    pub fn client(&self) -> Arc<ClientConfig> {
        self.client_with(rustls::DEFAULT_VERSIONS)
    }

    /// The same with these versions of TLS.
    pub fn client_with(&self, versions: &[&'static SupportedProtocolVersion]) -> Arc<ClientConfig> {
        let builder =
            ClientConfig::builder_with_provider(provider()).with_protocol_versions(versions).unwrap();
        Arc::new(builder.with_root_certificates(self.roots()).with_no_client_auth())
    }

    /// A client that trusts this authority alone and shows a certificate.
    pub fn client_as(&self, who: &Issued) -> Arc<ClientConfig> {
        let builder =
            ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().unwrap();
        let (chain, key) = who.der();
        Arc::new(builder.with_root_certificates(self.roots()).with_client_auth_cert(chain, key).unwrap())
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        roots
    }
}

impl Issued {
    /// Whether it is what a server shows to a client that asks for `name` and believes this authority.
    pub fn is_shown(&self, address: SocketAddr, name: &str, client: &Arc<ClientConfig>) -> bool {
        shown(address, name, client).is_ok_and(|shown| shown == self.der().0[0])
    }

    fn der(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let chain = CertificateDer::pem_slice_iter(self.cert.as_bytes()).map(Result::unwrap).collect();
        (chain, PrivateKeyDer::from_pem_slice(self.key.as_bytes()).unwrap())
    }
}

/// The certificate that a server shows; an error if the client does not take it.
fn shown(
    address: SocketAddr,
    name: &str,
    client: &Arc<ClientConfig>,
) -> std::io::Result<CertificateDer<'static>> {
    let mut tcp = TcpStream::connect(address)?;
    tcp.set_read_timeout(Some(super::wait::PATIENCE))?;
    let name = ServerName::try_from(name.to_owned()).map_err(std::io::Error::other)?;
    let mut session = ClientConnection::new(Arc::clone(client), name).map_err(std::io::Error::other)?;
    while session.is_handshaking() {
        session.complete_io(&mut tcp)?;
    }
    Ok(session.peer_certificates().unwrap()[0].clone().into_owned())
}

fn params(names: &[&str]) -> CertificateParams {
    CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap()
}

fn server() -> rustls::ConfigBuilder<ServerConfig, rustls::WantsVerifier> {
    ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().unwrap()
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
