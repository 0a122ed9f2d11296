//! What would run: listeners, sources, services, routes in the order in which they are tried.

use serde::Serialize;

use crate::admin::view::fractional;
use crate::config::Config;
use crate::config::route::Action;
use crate::config::service::{Endpoint, EndpointHost, Service, UpstreamHttp, Version, VersionId};
use crate::config::shadow::ShadowRule;
use crate::route::{RouteId, describe};
use crate::source::{Checked, SourceState, SourceStatus};

/// All of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Of all that can change a decision.
    pub revision: String,
    /// Of the configuration file.
    pub config_hash: String,
    /// The hash that assigns buckets.
    pub fractional: &'static str,
    /// How many, after merging all sources.
    pub flags: usize,
    /// Every socket.
    pub listeners: Vec<Listening>,
    /// Later ones win.
    pub sources: Vec<Source>,
    /// With their versions.
    pub services: Vec<Served>,
    /// In the order in which they are tried.
    pub routes: Vec<Routed>,
}

/// A socket that would be opened.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Listening {
    /// `traffic`, `probes` or `admin`.
    pub kind: &'static str,
    /// The listener's name, or its kind.
    pub name: String,
    /// What it binds.
    pub address: String,
    /// Whether it speaks TLS.
    pub tls: bool,
}

/// A source of flags.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Source {
    /// `file:flags.json`
    pub name: String,
    /// None: it cannot be used.
    pub flags: Option<usize>,
}

/// A service.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Served {
    /// The service.
    pub name: String,
    /// Its default version.
    pub default: String,
    /// In the order written.
    pub versions: Vec<ServedVersion>,
}

/// A version of a service.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ServedVersion {
    /// The version.
    pub name: String,
    /// `10.0.0.1:9001`, with ` weight 3` where it is not 1.
    pub endpoints: Vec<String>,
    /// Whether its endpoints are spoken to over TLS.
    pub tls: bool,
    /// `h1` or `h2`
    pub http: &'static str,
}

/// A route.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Routed {
    /// The route.
    pub name: String,
    /// `GET shop.example.org/checkout/* header x-a=1`
    pub matches: String,
    /// The service, or the status of an answer of its own.
    pub to: String,
    /// The flag that decides the version.
    pub version_flag: Option<String>,
    /// Values of that flag by version, where the route maps them: `true=canary`.
    pub values: Vec<String>,
    /// Flags sent on as headers.
    pub inject: Vec<String>,
    /// Copies of its requests.
    pub shadows: Vec<ShadowedBy>,
}

/// A shadow of a route.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ShadowedBy {
    /// The flag that decides about the copy.
    pub flag: String,
    /// Whose versions get copies.
    pub service: String,
    /// Values of that flag by version, where the route maps them: `true=canary`.
    pub values: Vec<String>,
}

impl Report {
    /// Describes what was read.
    pub fn new(checked: &Checked) -> Report {
        let Checked { snapshot, config, .. } = checked;
        Report {
            revision: snapshot.revision.to_string(),
            config_hash: config.hash.clone(),
            fractional: fractional(config),
            flags: snapshot.flags.len(),
            listeners: listening(config),
            sources: checked.sources.iter().map(source).collect(),
            services: config.services.iter().map(served).collect(),
            routes: snapshot.routes.order().iter().map(|id| routed(config, *id)).collect(),
        }
    }
}

fn listening(config: &Config) -> Vec<Listening> {
    let traffic = config.listeners.iter().map(|listener| Listening {
        kind: "traffic",
        name: listener.name.to_string(),
        address: listener.bind.to_string(),
        tls: listener.tls.is_some(),
    });
    let door = |kind: &'static str, address: std::net::SocketAddr| Listening {
        kind,
        name: kind.to_owned(),
        address: address.to_string(),
        tls: false,
    };
    let probes = config.probes.iter().map(|probes| door("probes", probes.bind));
    let admin = config.admin.iter().map(|admin| door("admin", admin.bind));
    traffic.chain(probes).chain(admin).collect()
}

fn source(source: &SourceStatus) -> Source {
    let usable = source.state == SourceState::Ready;
    Source { name: source.name.clone(), flags: usable.then_some(source.flags) }
}

fn served(service: &Service) -> Served {
    let version = |version: &Version| ServedVersion {
        name: version.name.to_string(),
        endpoints: version.endpoints.iter().map(endpoint).collect(),
        tls: version.tls.is_some(),
        http: match version.http {
            UpstreamHttp::H1 => "h1",
            UpstreamHttp::H2 => "h2",
            UpstreamHttp::Auto => "auto",
        },
    };
    Served {
        name: service.name.to_string(),
        default: service.versions[service.default.0].name.to_string(),
        versions: service.versions.iter().map(version).collect(),
    }
}

fn endpoint(endpoint: &Endpoint) -> String {
    let address = match &endpoint.host {
        EndpointHost::Address(ip) => std::net::SocketAddr::new(*ip, endpoint.port).to_string(),
        EndpointHost::Name(name) => format!("{name}:{}", endpoint.port),
    };
    if endpoint.weight == 1 { address } else { format!("{address} weight {}", endpoint.weight) }
}

fn routed(config: &Config, id: RouteId) -> Routed {
    let route = &config.routes[id.0];
    let mut routed = Routed {
        name: route.name.to_string(),
        matches: describe(&route.matches),
        to: String::new(),
        version_flag: None,
        values: Vec::new(),
        inject: Vec::new(),
        shadows: Vec::new(),
    };
    match &route.action {
        Action::Redirect(redirect) => routed.to = format!("redirect {}", redirect.status.as_u16()),
        Action::Respond(response) => routed.to = format!("respond {}", response.status.as_u16()),
        Action::Ofrep(_) => routed.to = "ofrep".to_owned(),
        Action::Forward(forward) => {
            routed.to = config.service(forward.service).name.to_string();
            routed.inject = forward.inject.iter().map(|flag| flag.key.to_string()).collect();
            routed.shadows = forward.shadows.iter().map(|rule| shadowed(config, rule)).collect();
            if let Some(rule) = &forward.version {
                let name = |version: &VersionId| &*config.version(forward.service, *version).name;
                let mapped = rule.values.iter().flatten();
                routed.version_flag = Some(rule.flag.key.to_string());
                routed.values = mapped.map(|(value, version)| format!("{value}={}", name(version))).collect();
            }
        }
    }
    routed
}

fn shadowed(config: &Config, rule: &ShadowRule) -> ShadowedBy {
    let service = config.service(rule.service);
    let name =
        |version: &Option<VersionId>| version.map_or("none", |version| &service.versions[version.0].name);
    let mapped = rule.values.iter().flatten();
    ShadowedBy {
        flag: rule.flag.key.to_string(),
        service: service.name.to_string(),
        values: mapped.map(|(value, version)| format!("{value}={}", name(version))).collect(),
    }
}
