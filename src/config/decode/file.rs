//! Decodes the file as a whole.

use std::path::PathBuf;
use std::time::Duration;

use super::context::{CONTEXT, context};
use super::flags::{FLAGS, flags};
use super::injection::{INJECTION, injection};
use super::limits::{CLIENT_LIMITS, client_limits};
use super::listener::{ADMIN, Binds, LISTENER, PROBES, admin, listeners, probes};
use super::rate_limit::keys_fit;
use super::route::{ROUTE, Surroundings, routes};
use super::scalar::{choice, duration, integer, path, share};
use super::service::{Names, SERVICE, services};
use super::shadow::{LIMITS, limits};
use super::{Decoder, Elsewhere, Item};
use crate::config::reference::{Object, Type, default, optional, required};
use crate::config::tree::Node;
use crate::config::{AccessLog, Config, LogTarget, MetricsLimits, Paths, RequestIds, Shutdown};

/// The type of the whole file.
pub static FILE: Type = Type::Object(&ROOT);

pub static ROOT: Object = Object {
    title: "The file",
    doc: "Every key is known here; an unknown one is an error. `${NAME}` and `${NAME:-default}` inside a value are replaced \
          by the environment, `$$` is a dollar. Relative paths are relative to the folder of the file.",
    keys: &[
        required("listeners", Type::List(&Type::Object(&LISTENER)), "Where traffic is accepted."),
        default("limits", Type::Object(&CLIENT_LIMITS), "{}", "What clients may cost."),
        optional("probes", Type::Object(&PROBES), "Health, readiness and metrics; none if absent."),
        optional("admin", Type::Object(&ADMIN), "The operator's door; none if absent."),
        optional(
            "state_dir",
            Type::Path,
            "A folder for last good flags, changes by hand, audit and tokens; if absent, all but tokens live in memory.",
        ),
        default("flags", Type::Object(&FLAGS), "{}", "Where flags come from."),
        default("context", Type::Object(&CONTEXT), "{}", "What a targeting can read."),
        default("injection", Type::Object(&INJECTION), "{}", "How decisions travel to services."),
        default("services", Type::Map(&Type::Name, &Type::Object(&SERVICE)), "{}", "Services by name."),
        required("routes", Type::List(&Type::Object(&ROUTE)), "Which request goes where."),
        default(
            "paths",
            Type::Choice(&["normalised", "as_received"]),
            "normalised",
            "The form of a path that is matched and forwarded.",
        ),
        default(
            "request_id",
            Type::Choice(&["trusted", "keep", "make"]),
            "trusted",
            "Whose `x-request-id` is kept: that of trusted proxies, everyone's, or nobody's. Else one is made. Only 1 to 128 visible characters, sent once, are kept.",
        ),
        default(
            "traceparent",
            Type::Object(&TRACEPARENT),
            "{}",
            "W3C trace context: kept, or started where a request brings none that is valid.",
        ),
        default("access_log", Type::Object(&ACCESS_LOG), "{}", "One JSON line a request."),
        default("metrics", Type::Object(&METRICS), "{}", "Bounds on metrics."),
        default("shadows", Type::Object(&LIMITS), "{}", "Bounds on all shadows together."),
        optional("threads", Type::Integer { min: 1, max: 1024 }, "Worker threads; one a core if absent."),
        default("shutdown", Type::Object(&SHUTDOWN), "{}", "How the gateway stops."),
    ],
    rules: &[],
    later: &[],
};

pub static TRACEPARENT: Object = Object {
    title: "Traceparent",
    doc: "A valid `traceparent` is kept, whoever sends it, and its `tracestate` with it. Else a trace is started.",
    keys: &[default(
        "sampled",
        Type::Share,
        "100%",
        "Of the traces that are started here: how many ask to be recorded.",
    )],
    rules: &[],
    later: &[],
};

pub static ACCESS_LOG: Object = Object {
    title: "Access log",
    doc: "One JSON line a request. It never delays one: lines that find the queue full are dropped and counted.",
    keys: &[
        default("to", Type::Path, "stdout", "`stdout`, `off`, or a file, which is opened again on SIGUSR1."),
        default(
            "queue",
            Type::Integer { min: 1, max: 1_000_000 },
            "8192",
            "Lines that may wait to be written.",
        ),
        default(
            "targeting_key",
            Type::Choice(&["none", "hashed"]),
            "none",
            "Whether a keyed hash of the targeting key is written.",
        ),
    ],
    rules: &[],
    later: &[],
};

pub static METRICS: Object = Object {
    title: "Metrics",
    doc: "Bounds on metrics.",
    keys: &[default(
        "max_series",
        Type::Integer { min: 10, max: 1_000_000 },
        "2000",
        "Series that one metric may have; what comes later is counted as `other`.",
    )],
    rules: &[],
    later: &[],
};

pub static SHUTDOWN: Object = Object {
    title: "Shutdown",
    doc: "How the gateway stops.",
    keys: &[
        default(
            "grace",
            Type::Duration { zero: true },
            "20s",
            "From the signal to the exit at most; sooner if nothing is left to do.",
        ),
        optional(
            "delay",
            Type::Duration { zero: true },
            "Of that, how long connections are still accepted after readiness went off: as long as whoever sends traffic needs to notice; \
             if absent, 1 s, or a tenth of a grace under 10 s.",
        ),
    ],
    rules: &[],
    later: &[],
};

/// The whole configuration. None: a problem was reported.
pub fn file(root: &Node, decoder: &mut Decoder<'_>, hash: String) -> Option<Config> {
    let mut fields = decoder.fields(&Item::root(root, &FILE))?;
    let mut binds = Binds::default();
    let listeners = fields.get("listeners", decoder, |item, decoder| listeners(item, decoder, &mut binds));
    let limited = fields.get("limits", decoder, client_limits);
    let probes = fields.get("probes", decoder, |item, decoder| probes(item, decoder, &mut binds));
    let admin = fields.get("admin", decoder, |item, decoder| admin(item, decoder, &mut binds));
    let state_dir: Option<PathBuf> = fields.get("state_dir", decoder, path);
    let flags = fields.get("flags", decoder, flags);
    let context = fields.get("context", decoder, context);
    let injection = fields.get("injection", decoder, injection);
    let names = Names::collect(root.entry("services").map(|entry| &entry.value));
    let services = fields.get("services", decoder, services);
    let paths = fields.get("paths", decoder, |item, decoder| {
        choice(item, decoder, [("normalised", Paths::Normalised), ("as_received", Paths::AsReceived)])
    });
    let request_id = fields.get("request_id", decoder, |item, decoder| {
        let words =
            [("trusted", RequestIds::Trusted), ("keep", RequestIds::Keep), ("make", RequestIds::Make)];
        choice(item, decoder, words)
    });
    let sampled = fields.get("traceparent", decoder, |item, decoder| {
        let mut fields = decoder.fields(item)?;
        fields.get("sampled", decoder, share)
    });
    let access_log = fields.get("access_log", decoder, access_log);
    let metrics = fields.get("metrics", decoder, metrics);
    let shadows = fields.get("shadows", decoder, limits);
    let threads = fields.get("threads", decoder, integer);
    let shutdown = fields.get("shutdown", decoder, shutdown);
    // Routes are read even beside a broken injection, for their own problems.
    let assumed = injection.clone().unwrap_or_default();
    let around = Surroundings { names: &names, injection: &assumed, paths: paths.unwrap_or_default() };
    let routes = fields.get("routes", decoder, |item, decoder| routes(item, decoder, &around));
    // What routes have described.
    std::mem::take(&mut decoder.tokens).into_iter().for_each(|(_, problem)| decoder.report(problem));
    let (listeners, context) = (listeners?, context?);
    keys_fit(routes.as_deref().unwrap_or_default(), &context, decoder);
    let trusted = !context.trusted_proxies.is_empty();
    let tls = trusted || listeners.iter().any(|listener| listener.tls.is_some());
    for (elsewhere, problem) in std::mem::take(&mut decoder.unless) {
        let there = match elsewhere {
            Elsewhere::TrustedProxies => trusted,
            Elsewhere::Tls => tls,
            Elsewhere::Token => context.jwt.is_some(),
        };
        if !there {
            decoder.report(problem);
        }
    }
    Some(Config {
        listeners,
        limits: limited?,
        probes,
        admin,
        state_dir,
        flags: flags?,
        context,
        injection: injection?,
        services: services?,
        routes: routes?,
        paths: paths?,
        request_id: request_id?,
        sampled: sampled?,
        access_log: access_log?,
        metrics: metrics?,
        shadows: shadows?,
        threads,
        shutdown: shutdown?,
        hash,
        warnings: Vec::new(),
    })
}

fn access_log(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<AccessLog> {
    let mut fields = decoder.fields(item)?;
    let to = fields.get("to", decoder, |item, decoder| match item.node.text() {
        "stdout" => Some(LogTarget::Stdout),
        "off" => Some(LogTarget::Off),
        _ => path(item, decoder).map(LogTarget::File),
    });
    let queue = fields.get("queue", decoder, integer);
    let targeting_key_hash = fields.get("targeting_key", decoder, |item, decoder| {
        choice(item, decoder, [("none", false), ("hashed", true)])
    });
    Some(AccessLog { to: to?, queue: queue?, targeting_key_hash: targeting_key_hash? })
}

fn metrics(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<MetricsLimits> {
    let mut fields = decoder.fields(item)?;
    let max_series = fields.get("max_series", decoder, integer);
    Some(MetricsLimits { max_series: max_series? })
}

/// The pause when none is named, which leaves nearly all of the grace.
const DELAY: Duration = Duration::from_secs(1);

fn shutdown(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<Shutdown> {
    let mut fields = decoder.fields(item)?;
    let grace = fields.get("grace", decoder, duration);
    let delay = fields.get("delay", decoder, |item, decoder| {
        let delay = duration(item, decoder)?;
        if grace.is_some_and(|grace| delay > grace) {
            let problem = item.problem(format!("`{}` is longer than the whole grace", item.key));
            decoder.report(problem.with_expected("less than `shutdown.grace`, which it is a part of"));
        }
        Some(delay)
    });
    let grace = grace?;
    Some(Shutdown { grace, delay: delay.unwrap_or(DELAY.min(grace / 10)) })
}
