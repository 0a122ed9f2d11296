//! What an operator says of how endpoints are picked, checked and ejected, and what is wrong with it.

use super::*;
use crate::config::service::{Balance, Health, Outliers, Probe, UpstreamHttp, Version};
use crate::config::shadow::Share;

/// A version with these keys, and its text.
fn text(keys: &str) -> String {
    format!(
        "listeners: [{{bind: 127.0.0.1:0}}]
flags: {{sources: [{{file: flags.json}}]}}
services: {{shop: {{default: v, versions: {{v: {{endpoints: [a.test:1], {keys}}}}}}}}}
routes: [{{name: all, match: {{path_prefix: /}}, service: shop}}]"
    )
}

fn version(keys: &str) -> Version {
    parsed(&text(keys)).services.remove(0).versions.remove(0)
}

#[test]
fn what_is_not_said_is_safe() {
    let version = version("");
    assert_eq!(
        (version.balance, version.http, version.health),
        (Balance::RoundRobin, UpstreamHttp::H1, None)
    );
    assert_eq!((version.outliers, version.slow_start), (Some(Outliers::default()), Duration::ZERO));
    assert_eq!(self::version("outliers: off").outliers, None);
    let outliers = self::version("outliers: {consecutive: 2, for: 1s}").outliers.unwrap();
    let first = Duration::from_secs(1);
    assert_eq!(outliers, Outliers { consecutive: 2, first, failure_rate: Share(0.5), ..Outliers::default() });
}

#[test]
fn a_check_asks_one_thing() {
    let health = |keys: &str| version(&format!("http: h2, health: {{{keys}}}")).health.unwrap();
    let Health { probe, every, timeout, down_after, up_after } = health("tcp: true");
    assert_eq!((probe, down_after, up_after), (Probe::Tcp, 3, 2));
    assert_eq!((every, timeout), (Duration::from_secs(5), Duration::from_secs(1)));
    assert_eq!(health("grpc: true").probe, Probe::Grpc { service: String::new() });
    assert_eq!(health("grpc: {service: a.B}").probe, Probe::Grpc { service: "a.B".to_owned() });
    let one = Probe::Http { path: "/h".into(), host: None, statuses: vec![http::StatusCode::NO_CONTENT] };
    assert_eq!(health("http: {path: /h, status: 204}").probe, one);
}

#[test]
fn what_cannot_be_meant_is_said_so() {
    // keys, parts of what is told
    let table: [(&str, &[&str]); 8] = [
        ("health: {every: 1s}", &["none of `http`, `tcp` or `grpc` is there"]),
        (
            "health: {tcp: true, http: {path: /}}",
            &["stand side by side", "only one of `http`, `tcp` or `grpc`"],
        ),
        ("health: {tcp: false}", &["`false`", "fix: to check nothing, remove `health`"]),
        (
            "http: h1, health: {grpc: true}",
            &["does not speak HTTP/2 alone", "fix: add `http: h2` to the version"],
        ),
        ("health: {http: {path: healthz}}", &["fix: write `/healthz`"]),
        ("outliers: on", &["is no value of `services.shop.versions.v.outliers`", "`off`"]),
        ("outliers: {at_most: 50}", &["fix: add the percent sign: `50%`"]),
        ("balance: least_request", &["fix: write `least_requests`"]),
    ];
    for (keys, parts) in table {
        let Err(problems) = parse(&text(keys)) else { panic!("it parses: {keys}") };
        assert_eq!(problems.len(), 1, "{}", render(&problems));
        let told = render(&problems);
        assert!(parts.iter().all(|part| told.contains(part)), "{keys}:\n{told}");
        assert_eq!(problems[0].place.as_ref().map(|place| place.line), Some(3), "{told}");
    }
}
