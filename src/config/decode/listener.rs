//! Decodes listeners, probes and the admin's door, and sees that no two want one address.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::scalar::{bind, name, path, token};
use super::{Decoder, Item};
use crate::config::Place;
use crate::config::listener::{Admin, CertificateFiles, Listener, ListenerTls, Probes};
use crate::config::problem::map_key;
use crate::config::reference::{Object, Type, optional, required};

pub static LISTENER: Object = Object {
    title: "Listener",
    doc: "An address on which traffic is accepted.",
    keys: &[
        optional(
            "name",
            Type::Name,
            "What `listener` is in a targeting and in telemetry; the text of `bind` if absent.",
        ),
        required("bind", Type::Bind, "The address and port to listen on."),
        optional("tls", Type::Object(&LISTENER_TLS), "Speaks TLS; plain HTTP if absent."),
    ],
    rules: &[],
    later: &[],
};

pub static LISTENER_TLS: Object = Object {
    title: "Listener TLS",
    doc: "TLS towards clients.",
    keys: &[required(
        "certificates",
        Type::List(&Type::Object(&CERTIFICATE)),
        "The certificate that is shown; exactly one in this release.",
    )],
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

pub static PROBES: Object = Object {
    title: "Probes",
    doc: "`/healthz`, `/readyz` and `/metrics`, nothing else.",
    keys: &[required("bind", Type::Bind, "The address and port to listen on.")],
    rules: &[],
    later: &[],
};

pub static ADMIN: Object = Object {
    title: "Admin",
    doc: "The operator's door.",
    keys: &[
        required("bind", Type::Bind, "The address and port to listen on; loopback, or there is a token."),
        optional(
            "token",
            Type::Token,
            "What callers send as `Authorization: Bearer ..`; nobody is asked if absent.",
        ),
    ],
    rules: &[],
    later: &[],
};

/// Who listens where, in the order of the file.
#[derive(Default)]
pub struct Binds {
    by_address: BTreeMap<SocketAddr, Place>,
}

impl Binds {
    /// Reads an address that nobody else has. Port 0 is any free one.
    fn bind(&mut self, item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<SocketAddr> {
        let address = bind(item, decoder)?;
        match self.by_address.get(&address) {
            Some(first) if address.port() != 0 => {
                let problem = item.problem(format!("`{address}` is taken by line {}", first.line));
                decoder.report(problem.with_expected("an address and port of its own"));
            }
            _ => drop(self.by_address.insert(address, item.value_place())),
        }
        Some(address)
    }
}

/// All listeners; at least one, each with a name of its own.
pub fn listeners(item: &Item<'_>, decoder: &mut Decoder<'_>, binds: &mut Binds) -> Option<Vec<Listener>> {
    let mut seen: Vec<Listener> = Vec::new();
    let listeners = decoder.list(item, |item, decoder| {
        let listener = listener(item, decoder, binds)?;
        if let Some(first) =
            seen.iter().find(|other| other.name == listener.name && other.bind != listener.bind)
        {
            let problem = item.problem(format!("the listener `{}` stands twice", listener.name));
            let fix = format!("rename one of them; the first is in line {}", first.place.line);
            decoder.report(problem.with_expected("each name once").with_fix(fix));
        }
        seen.push(listener.clone());
        Some(listener)
    })?;
    if item.node.list().is_some_and(<[_]>::is_empty) {
        decoder.report(
            item.problem("there is no listener")
                .with_expected("at least one, such as `- bind: 0.0.0.0:8080`"),
        );
    }
    Some(listeners)
}

fn listener(item: &Item<'_>, decoder: &mut Decoder<'_>, binds: &mut Binds) -> Option<Listener> {
    let mut fields = decoder.fields(item)?;
    let name = fields.get("name", decoder, name);
    let bind = fields.get("bind", decoder, |item, decoder| binds.bind(item, decoder));
    let tls = fields.get("tls", decoder, tls);
    let bind = bind?;
    let name = name.unwrap_or_else(|| bind.to_string().into());
    Some(Listener { name, bind, tls, place: item.place.clone() })
}

fn tls(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<ListenerTls> {
    let mut fields = decoder.fields(item)?;
    let certificates = fields.get("certificates", decoder, |item, decoder| {
        let found = match item.node.list().map(<[_]>::len) {
            Some(0) => Some("there is no certificate"),
            Some(2..) => Some("more than one certificate is not in this release"),
            _ => None,
        };
        if let Some(found) = found {
            decoder.report(item.problem(found).with_expected("exactly one certificate for a listener"));
        }
        decoder.list(item, certificate)
    });
    Some(ListenerTls { certificate: certificates?.into_iter().next()? })
}

/// A certificate and its key.
pub fn certificate(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<CertificateFiles> {
    let mut fields = decoder.fields(item)?;
    let cert = fields.get("cert", decoder, path);
    let key = fields.get("key", decoder, path);
    Some(CertificateFiles { cert: cert?, key: key? })
}

pub fn probes(item: &Item<'_>, decoder: &mut Decoder<'_>, binds: &mut Binds) -> Option<Probes> {
    let mut fields = decoder.fields(item)?;
    let bind = fields.get("bind", decoder, |item, decoder| binds.bind(item, decoder));
    Some(Probes { bind: bind? })
}

pub fn admin(item: &Item<'_>, decoder: &mut Decoder<'_>, binds: &mut Binds) -> Option<Admin> {
    let mut fields = decoder.fields(item)?;
    let place = fields.given("bind").map(|item| item.value_place());
    let bind = fields.get("bind", decoder, |item, decoder| binds.bind(item, decoder));
    let token = fields.get("token", decoder, token);
    let bind = bind?;
    if !bind.ip().is_loopback() && fields.given("token").is_none() {
        let mut problem = item
            .problem(format!("the admin's door at `{bind}` is open to other machines and has no token"))
            .with_expected("a loopback address, or a `token`")
            .with_fix(format!(
                "bind `127.0.0.1:{}`, or add `token: \"${{FLAGWAY_ADMIN_TOKEN}}\"`",
                bind.port()
            ));
        problem.place = place;
        problem.key = map_key(&item.key, "bind");
        decoder.report(problem);
    }
    Some(Admin { bind, token })
}
