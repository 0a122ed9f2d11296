//! Decodes how a version's endpoints are checked.

use super::headers::{authority, http_path};
use super::scalar::{boolean, duration, integer, status, words};
use super::{Decoder, Item};
use crate::config::reference::{Object, Rule, Type, default, optional, required};
use crate::config::service::{Health, Probe};

pub static HEALTH: Object = Object {
    title: "Health",
    doc: "Asks each endpoint whether it is well, beside the traffic and with the TLS of the traffic. One that is not gets no requests.",
    keys: &[
        optional("http", Type::Object(&HTTP), "Asks a path."),
        optional("tcp", Type::Bool, "Connects, with the TLS handshake where there is one."),
        optional(
            "grpc",
            Type::Either(&Type::Bool, &Type::Object(&GRPC)),
            "Asks `grpc.health.v1.Health/Check`: `true`, or the service that is asked about. Needs `http: h2`.",
        ),
        default(
            "every",
            Type::Duration { zero: false },
            "5s",
            "Between two checks of one endpoint, give or take a tenth.",
        ),
        default("timeout", Type::Duration { zero: false }, "1s", "For a whole check."),
        default(
            "down_after",
            Type::Integer { min: 1, max: 100 },
            "3",
            "Checks that have to fail in a row until the endpoint gets no requests. The first check of a new endpoint decides alone.",
        ),
        default(
            "up_after",
            Type::Integer { min: 1, max: 100 },
            "2",
            "Checks that have to pass in a row until it gets requests again.",
        ),
    ],
    rules: &[Rule::ExactlyOne(&["http", "tcp", "grpc"])],
    later: &[],
};

static HTTP: Object = Object {
    title: "HTTP check",
    doc: "A `GET` over what the version speaks. A redirect is not followed.",
    keys: &[
        required("path", Type::HttpPath, "What is asked for, without query."),
        optional(
            "status",
            Type::OneOrMany(&Type::Status(&[])),
            "Statuses that are well; 200 to 299 if absent.",
        ),
        optional("host", Type::Authority, "`Host`; the endpoint's own if absent."),
    ],
    rules: &[],
    later: &[],
};

static GRPC: Object = Object {
    title: "gRPC check",
    doc: "What is asked about.",
    keys: &[required("service", Type::Text, "The full name of a service, such as `shop.v1.Cart`.")],
    rules: &[],
    later: &[],
};

pub fn health(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<Health> {
    let mut fields = decoder.fields(item)?;
    let http = fields.get("http", decoder, http);
    let tcp = fields.get("tcp", decoder, |item, decoder| is_true(item, decoder).map(|()| Probe::Tcp));
    let grpc = fields.get("grpc", decoder, grpc);
    let every = fields.get("every", decoder, duration);
    let timeout = fields.get("timeout", decoder, duration);
    let down_after = fields.get("down_after", decoder, integer);
    let up_after = fields.get("up_after", decoder, integer);
    Some(Health {
        probe: http.or(tcp).or(grpc)?,
        every: every?,
        timeout: timeout?,
        down_after: down_after?,
        up_after: up_after?,
    })
}

fn http(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<Probe> {
    let mut fields = decoder.fields(item)?;
    let path = fields.get("path", decoder, http_path);
    let statuses = fields.get("status", decoder, |item, decoder| decoder.list(item, status));
    let host = fields.get("host", decoder, authority);
    Some(Probe::Http { path: path?, host, statuses: statuses.unwrap_or_default() })
}

fn grpc(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<Probe> {
    let form = item.form();
    if !matches!(form.is, Type::Object(_)) {
        return is_true(&form, decoder).map(|()| Probe::Grpc { service: String::new() });
    }
    let mut fields = decoder.fields(&form)?;
    let service = fields.get("service", decoder, words)?;
    Some(Probe::Grpc { service: service.to_string() })
}

/// A check is not switched off by a word inside it.
fn is_true(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<()> {
    if boolean(item, decoder)? {
        return Some(());
    }
    let problem = item.problem(format!("`{}` is `false`", item.key)).with_expected("`true`");
    decoder.report(problem.with_fix("to check nothing, remove `health`"));
    None
}
