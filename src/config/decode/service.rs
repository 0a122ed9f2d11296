//! Decodes services, their versions and endpoints.

use super::headers::{address, host};
use super::health::{HEALTH, health};
use super::outliers::{OUTLIERS, outliers};
use super::protection::{HOLD_OUT, RETRIES, VERSION_LIMITS, hold_out, retries, version_limits};
use super::scalar::{boolean, choice, duration, integer, name, path, shown, status};
use super::tls::{CERTIFICATE, certificate};
use super::{Decoder, Item};
use crate::config::Name;
use crate::config::protection::unfit;
use crate::config::reference::{Object, Type, default, one_of, optional, required};
use crate::config::service::{
    Balance, Endpoint, EndpointHost, Health, Probe, Service, ServiceId, Timeouts, UpstreamHttp, UpstreamTls,
    Version, VersionId,
};
use crate::config::suggest;
use crate::config::tree::Node;

pub static SERVICE: Object = Object {
    title: "Service",
    doc: "What a route forwards to, in one or more versions.",
    keys: &[
        required(
            "default",
            Type::Name,
            "The version that serves when a flag says nothing usable, and when another version fails.",
        ),
        required("versions", Type::Map(&Type::Name, &Type::Object(&VERSION)), "Its versions by name."),
        default(
            "timeouts",
            Type::Object(&TIMEOUTS),
            "{}",
            "Timeouts of versions that do not have their own.",
        ),
        default(
            "retries",
            Type::Object(&RETRIES),
            "{}",
            "When a request is sent to another endpoint of its version.",
        ),
    ],
    rules: &[],
    later: &[],
};

pub static VERSION: Object = Object {
    title: "Version",
    doc: "One version of a service. No connection is ever shared between two of them.",
    keys: &[
        required(
            "endpoints",
            Type::List(&Type::Either(&Type::Address, &Type::Object(&ENDPOINT))),
            "Where it runs: `host:port`, or the long form with a weight.",
        ),
        optional(
            "tls",
            Type::Object(&UPSTREAM_TLS),
            "Speaks TLS to its endpoints; `{}` takes every default. Plain if absent.",
        ),
        default(
            "http",
            Type::Choice(&["h1", "h2", "auto"]),
            "h1",
            "HTTP/1.1; HTTP/2, without TLS by prior knowledge; or what a TLS handshake settles, HTTP/2 before HTTP/1.1.",
        ),
        default("timeouts", Type::Object(&TIMEOUTS), "{}", "What is not given here is the service's."),
        optional(
            "unfit",
            Type::List(&Type::Status(&[])),
            "Statuses that count as failures: the request is sent elsewhere where that is safe. `[502, 503, 504]` if absent, of the default version `[]`.",
        ),
        default(
            "hold_out",
            Type::Either(&Type::Choice(&["off"]), &Type::Object(&HOLD_OUT)),
            "{}",
            "When it is held out, as it fails so often; `off`: never.",
        ),
        default("limits", Type::Object(&VERSION_LIMITS), "{}", "What its requests may hold at once."),
        default(
            "balance",
            Type::Choice(&["round_robin", "least_requests", "hash"]),
            "round_robin",
            "Which endpoint serves: each in its turn; the one of two with fewer live requests; or the same one for a targeting key.",
        ),
        optional("health", Type::Object(&HEALTH), "Checks its endpoints. All are well if absent."),
        default(
            "outliers",
            Type::Either(&Type::Choice(&["off"]), &Type::Object(&OUTLIERS)),
            "{}",
            "Ejects an endpoint that fails requests.",
        ),
        default(
            "slow_start",
            Type::Duration { zero: true },
            "0s",
            "How long an endpoint that is new or returns takes to get its full share.",
        ),
    ],
    rules: &[],
    later: &[],
};

pub static ENDPOINT: Object = Object {
    title: "Endpoint",
    doc: "One endpoint, in its long form.",
    keys: &[
        required(
            "address",
            Type::Address,
            "Host and port. A name is resolved in the background, never on a request.",
        ),
        default(
            "weight",
            Type::Integer { min: 1, max: 1000 },
            "1",
            "Its share of the requests beside the others' weights.",
        ),
    ],
    rules: &[],
    later: &[],
};

pub static UPSTREAM_TLS: Object = Object {
    title: "Upstream TLS",
    doc: "TLS towards endpoints.",
    keys: &[
        optional("sni", Type::Host, "The name that is asked for and verified; the endpoint's own if absent."),
        optional("ca", Type::Path, "A PEM file of accepted authorities; the system's if absent."),
        optional(
            "client_cert",
            Type::Object(&CERTIFICATE),
            "The certificate that Flagway shows; none if absent.",
        ),
        default("verify", Type::Bool, "true", "Whether the endpoint's certificate is verified."),
    ],
    rules: &[],
    later: &[],
};

pub static TIMEOUTS: Object = Object {
    title: "Timeouts",
    doc: "How long an endpoint may take.",
    keys: &[
        default("connect", Type::Duration { zero: false }, "2s", "For TCP and TLS."),
        default(
            "first_byte",
            Type::Duration { zero: false },
            "30s",
            "From the request's end to all of the response's head. What asks for a stream (events, gRPC, WebSocket) may take as long as `between`.",
        ),
        default(
            "between",
            Type::Duration { zero: false },
            "60s",
            "Between two reads of a response, where it is longer than `first_byte`, over HTTP/2 of a stream alone; and for each write.",
        ),
        default(
            "idle",
            Type::Duration { zero: false },
            "60s",
            "How long a connection waits to be used again.",
        ),
        optional("total", Type::Duration { zero: false }, "For the whole exchange; unbounded if absent."),
    ],
    rules: &[],
    later: &[],
};

/// The names of all services and their versions, known before any of them is decoded: so that a mistake inside a service
/// does not make its name unknown.
pub struct Names {
    services: Vec<(Name, Vec<Name>)>,
}

impl Names {
    /// Collects them from the value of `services`.
    pub fn collect(services: Option<&Node>) -> Names {
        let services = services.and_then(Node::map).unwrap_or_default().iter();
        let names = services.map(|service| (Name::from(service.key.text()), version_names(&service.value)));
        Names { services: names.collect() }
    }

    /// All services, in the order of their indexes.
    pub fn services(&self) -> impl Iterator<Item = &str> {
        self.services.iter().map(|(name, _)| &**name)
    }

    /// The name and the versions of a service; of none, no versions, so that none can be told wrong.
    pub fn of(&self, service: Option<ServiceId>) -> (&str, &[Name]) {
        let service = service.and_then(|service| self.services.get(service.0));
        service.map_or(("", &[]), |(name, versions)| (name, versions))
    }
}

/// The names of a service's versions, in the order of their indexes.
fn version_names(service: &Node) -> Vec<Name> {
    let versions = service.entry("versions").and_then(|entry| entry.value.map()).unwrap_or_default();
    versions.iter().map(|version| Name::from(version.key.text())).collect()
}

/// All services, in the order of the file.
pub fn services(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<Vec<Service>> {
    decoder.map(item, |key, item, decoder| {
        let name = name(key, decoder);
        let service = service(key, item, decoder);
        Some(Service { name: name?, ..service? })
    })
}

fn service(key: &Item<'_>, item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<Service> {
    let mut fields = decoder.fields(item)?;
    let own = fields.get("timeouts", decoder, |item, decoder| timeouts(item, decoder, Timeouts::default()));
    let own = own.unwrap_or_default();
    let known = version_names(item.node);
    let given = item.node.entry("default").map(|entry| entry.value.text());
    let default =
        fields.get("default", decoder, |item, decoder| version_named(item, decoder, &known, key.node.text()));
    let versions = fields.get("versions", decoder, |item, decoder| {
        if item.node.map().is_some_and(<[_]>::is_empty) {
            decoder.report(item.problem("the service has no version").with_expected("at least one"));
        }
        decoder.map(item, |key, item, decoder| {
            let name = name(key, decoder);
            let version = version(item, decoder, own, given == Some(key.node.text()));
            Some(Version { name: name?, ..version? })
        })
    });
    let name = Name::from(key.node.text());
    let retries = fields.get("retries", decoder, retries);
    let place = key.place.clone();
    Some(Service { name, default: default?, versions: versions?, retries: retries?, place })
}

/// A service, by its name.
pub fn service_named(item: &Item<'_>, decoder: &mut Decoder<'_>, names: &Names) -> Option<ServiceId> {
    let text = name(item, decoder)?;
    if let Some(index) = names.services().position(|name| name == &*text) {
        return Some(ServiceId(index));
    }
    let known: Vec<&str> = names.services().collect();
    let problem = item.problem(format!("there is no service {}", shown(item)));
    let problem = problem.with_expected(if known.is_empty() {
        "a service of `services`".into()
    } else {
        one_of(&known)
    });
    decoder.report(match suggest(&text, known) {
        Some(meant) => problem.with_fix(format!("write `{meant}`")),
        None => problem.with_fix("name one of them, or add the service under `services`"),
    });
    None
}

/// A version of a service, by its name.
pub fn version_named(
    item: &Item<'_>,
    decoder: &mut Decoder<'_>,
    versions: &[Name],
    service: &str,
) -> Option<VersionId> {
    let text = name(item, decoder)?;
    // A service without versions has its own problem.
    if versions.is_empty() {
        return None;
    }
    if let Some(index) = versions.iter().position(|version| *version == text) {
        return Some(VersionId(index));
    }
    let problem = item.problem(format!("the service `{service}` has no version {}", shown(item)));
    let problem = problem.with_expected(one_of(versions));
    decoder.report(match suggest(&text, versions.iter().map(|version| &**version)) {
        Some(meant) => problem.with_fix(format!("write `{meant}`")),
        None => problem
            .with_fix(format!("name one of them, or add the version under `services.{service}.versions`")),
    });
    None
}

fn version(
    item: &Item<'_>,
    decoder: &mut Decoder<'_>,
    service: Timeouts,
    is_default: bool,
) -> Option<Version> {
    let mut fields = decoder.fields(item)?;
    let endpoints = fields.get("endpoints", decoder, endpoints);
    let tls = fields.get("tls", decoder, tls);
    let http = fields.get("http", decoder, |item, decoder| {
        let words = [("h1", UpstreamHttp::H1), ("h2", UpstreamHttp::H2), ("auto", UpstreamHttp::Auto)];
        choice(item, decoder, words)
    });
    let timeouts = fields.get("timeouts", decoder, |item, decoder| timeouts(item, decoder, service));
    let given = fields.get("unfit", decoder, |item, decoder| decoder.list(item, status));
    let hold_out = fields.get("hold_out", decoder, hold_out);
    let limits = fields.get("limits", decoder, |item, decoder| version_limits(item, decoder, is_default));
    let balance = fields.get("balance", decoder, |item, decoder| {
        let words = [
            ("round_robin", Balance::RoundRobin),
            ("least_requests", Balance::LeastRequests),
            ("hash", Balance::Hash),
        ];
        choice(item, decoder, words)
    });
    let health = fields.get("health", decoder, |item, decoder| checks(item, decoder, http));
    let outliers = fields.get("outliers", decoder, outliers);
    let slow_start = fields.get("slow_start", decoder, duration);
    Some(Version {
        name: Name::from(""),
        endpoints: endpoints?,
        tls,
        http: http?,
        timeouts: timeouts?,
        unfit: given.unwrap_or_else(|| unfit(is_default)),
        hold_out: hold_out?,
        limits: limits?,
        balance: balance?,
        health,
        outliers: outliers?,
        slow_start: slow_start?,
    })
}

/// How endpoints are checked; gRPC is spoken over HTTP/2 alone.
fn checks(item: &Item<'_>, decoder: &mut Decoder<'_>, http: Option<UpstreamHttp>) -> Option<Health> {
    let health = health(item, decoder)?;
    if matches!(health.probe, Probe::Grpc { .. }) && http.is_some_and(|http| http != UpstreamHttp::H2) {
        let problem = item.problem("gRPC is asked of a version that does not speak HTTP/2 alone");
        decoder
            .report(problem.with_expected("`http: h2` beside it").with_fix("add `http: h2` to the version"));
    }
    Some(health)
}

fn endpoints(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<Vec<Endpoint>> {
    if item.node.list().is_some_and(<[_]>::is_empty) {
        decoder.report(
            item.problem("the version has no endpoint")
                .with_expected("at least one, such as `[10.0.0.1:9001]`"),
        );
    }
    let mut seen: Vec<(EndpointHost, u16)> = Vec::new();
    decoder.list(item, |item, decoder| {
        let endpoint = endpoint(item, decoder)?;
        let address = (endpoint.host.clone(), endpoint.port);
        if seen.contains(&address) {
            let problem = item.problem("this endpoint stands twice").with_expected("each endpoint once");
            decoder.report(problem.with_fix("to send it more requests, give it a `weight`"));
        }
        seen.push(address);
        Some(endpoint)
    })
}

fn endpoint(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<Endpoint> {
    let item = item.form();
    if !matches!(item.is, Type::Object(_)) {
        let (host, port) = address(&item, decoder)?;
        return Some(Endpoint { host, port, weight: 1 });
    }
    let mut fields = decoder.fields(&item)?;
    let address = fields.get("address", decoder, address);
    let weight = fields.get("weight", decoder, integer);
    let (host, port) = address?;
    Some(Endpoint { host, port, weight: weight? })
}

fn tls(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<UpstreamTls> {
    let mut fields = decoder.fields(item)?;
    let sni = fields.get("sni", decoder, host);
    let ca = fields.get("ca", decoder, path);
    let client_cert = fields.get("client_cert", decoder, certificate);
    let verify = fields.get("verify", decoder, boolean);
    Some(UpstreamTls { sni, ca, client_cert, verify: verify? })
}

/// Timeouts that fall back, one by one, on others.
fn timeouts(item: &Item<'_>, decoder: &mut Decoder<'_>, others: Timeouts) -> Option<Timeouts> {
    let mut fields = decoder.fields(item)?;
    let mut own = |name| fields.given(name).and_then(|item| duration(&item, decoder));
    Some(Timeouts {
        connect: own("connect").unwrap_or(others.connect),
        first_byte: own("first_byte").unwrap_or(others.first_byte),
        between: own("between").unwrap_or(others.between),
        idle: own("idle").unwrap_or(others.idle),
        total: own("total").or(others.total),
    })
}
