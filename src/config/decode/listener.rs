//! Decodes listeners, probes and the admin's door, and sees that no two want one address.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::scalar::{bind, name, network, token};
use super::tls::{HSTS, LISTENER_TLS, hsts, https_redirect, tls};
use super::{Decoder, Item};
use crate::config::Place;
use crate::config::listener::{Admin, Listener, ListenerTls, Probes};
use crate::config::problem::map_key;
use crate::config::reference::{Object, Rule, Type, default, optional, required};

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
        optional(
            "hsts",
            Type::Object(&HSTS),
            "Sends `Strict-Transport-Security`: browsers then come by HTTPS alone.",
        ),
        optional(
            "https_redirect",
            Type::Either(&Type::Bool, &Type::Integer { min: 1, max: 65535 }),
            "Sends every request to the same host by HTTPS, with 308: `true` is port 443. Nothing else is served then.",
        ),
        default(
            "proxy_protocol",
            Type::List(&Type::Network),
            "[]",
            "Whose connections begin with a head of the PROXY protocol, version 1 or 2; all others' never do.",
        ),
    ],
    rules: &[Rule::AtMostOne(&["tls", "https_redirect"]), Rule::Only(&["hsts"], &["tls"])],
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
    let hsts = fields.get("hsts", decoder, hsts);
    let https_redirect = fields.get("https_redirect", decoder, https_redirect).flatten();
    let proxy_protocol = fields.get("proxy_protocol", decoder, |item, decoder| decoder.list(item, network));
    let bind = bind?;
    let name = name.unwrap_or_else(|| bind.to_string().into());
    let tls = tls.map(|tls| ListenerTls { hsts, ..tls });
    let proxy_protocol = proxy_protocol?;
    Some(Listener { name, bind, tls, https_redirect, proxy_protocol, place: item.place.clone() })
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
