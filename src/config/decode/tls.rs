//! Decodes how a listener speaks TLS, and how plain requests come to it.

use std::time::Duration;

use http::HeaderValue;

use super::scalar::{boolean, choice, duration, integer, path};
use super::{Decoder, Item};
use crate::config::listener::{CertificateFiles, ClientCertificates, ListenerTls, TlsVersion};
use crate::config::reference::{Object, Type, default, optional, required};

/// The port of HTTPS.
const HTTPS: u16 = 443;

pub static LISTENER_TLS: Object = Object {
    title: "Listener TLS",
    doc: "TLS towards clients. Files are watched: what changes in them is taken without a restart, what is broken is not taken.",
    keys: &[
        required(
            "certificates",
            Type::List(&Type::Object(&CERTIFICATE)),
            "Which is shown is decided by the name that the client asks for: an exact one, then `*.`; the first where none fits.",
        ),
        default(
            "min_version",
            Type::Choice(&["1.2", "1.3"]),
            "\"1.2\"",
            "The oldest version that is spoken.",
        ),
        optional(
            "client_certificates",
            Type::Object(&CLIENT_CERTIFICATES),
            "Asks clients who they are; nobody is asked if absent.",
        ),
    ],
    rules: &[],
    later: &[],
};

pub static CLIENT_CERTIFICATES: Object = Object {
    title: "Client certificates",
    doc: "Clients prove who they are: a targeting reads `tls.client.subject` and `tls.client.san`.",
    keys: &[
        required("ca", Type::Path, "The file of the authorities that are believed, PEM."),
        default(
            "mode",
            Type::Choice(&["required", "optional"]),
            "required",
            "Whether there is no connection without one. One that is shown is verified in both.",
        ),
    ],
    rules: &[],
    later: &[],
};

pub static CERTIFICATE: Object = Object {
    title: "Certificate",
    doc: "A certificate and its key, both PEM.",
    keys: &[
        required("cert", Type::Path, "The file of the certificate, followed by its chain."),
        required("key", Type::Path, "The file of its private key."),
    ],
    rules: &[],
    later: &[],
};

pub static HSTS: Object = Object {
    title: "HSTS",
    doc: "`Strict-Transport-Security` (RFC 6797) on every response of a TLS listener.",
    keys: &[
        default(
            "max_age",
            Type::Duration { zero: true },
            "365d",
            "How long browsers remember it; `0s` makes them forget.",
        ),
        default("include_subdomains", Type::Bool, "false", "Whether it holds for every name below, too."),
    ],
    rules: &[],
    later: &[],
};

pub fn tls(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<ListenerTls> {
    let mut fields = decoder.fields(item)?;
    let certificates = fields.get("certificates", decoder, |item, decoder| {
        if item.node.list().is_some_and(<[_]>::is_empty) {
            let problem = item.problem("there is no certificate");
            decoder
                .report(problem.with_expected("at least one, such as `- {cert: shop.pem, key: shop.key}`"));
        }
        decoder.list(item, certificate)
    });
    let min_version = fields.get("min_version", decoder, |item, decoder| {
        choice(item, decoder, [("1.2", TlsVersion::Tls12), ("1.3", TlsVersion::Tls13)])
    });
    let client_certificates = fields.get("client_certificates", decoder, client_certificates);
    Some(ListenerTls {
        certificates: certificates?,
        min_version: min_version?,
        client_certificates,
        hsts: None,
    })
}

/// A certificate and its key.
pub fn certificate(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<CertificateFiles> {
    let mut fields = decoder.fields(item)?;
    let cert = fields.get("cert", decoder, path);
    let key = fields.get("key", decoder, path);
    Some(CertificateFiles { cert: cert?, key: key? })
}

fn client_certificates(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<ClientCertificates> {
    let mut fields = decoder.fields(item)?;
    let ca = fields.get("ca", decoder, path);
    let required = fields.get("mode", decoder, |item, decoder| {
        choice(item, decoder, [("required", true), ("optional", false)])
    });
    Some(ClientCertificates { ca: ca?, required: required? })
}

/// The value of the field that tells it.
pub fn hsts(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<HeaderValue> {
    let mut fields = decoder.fields(item)?;
    let max_age = fields.get("max_age", decoder, duration);
    let below = fields.get("include_subdomains", decoder, boolean);
    let max_age = max_age.as_ref().map(Duration::as_secs)?;
    let below = if below? { "; includeSubDomains" } else { "" };
    HeaderValue::try_from(format!("max-age={max_age}{below}")).ok()
}

/// The port that plain requests are sent to; none: they are served.
pub fn https_redirect(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<Option<u16>> {
    let item = item.form();
    match item.is {
        Type::Bool => boolean(&item, decoder).map(|yes| yes.then_some(HTTPS)),
        _ => integer(&item, decoder).map(Some),
    }
}
