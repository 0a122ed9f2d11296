//! What a version's pool does, from its configuration.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use super::outliers::Outcome;
use super::*;

const STABLE: VersionId = VersionId(0);
const CANARY: VersionId = VersionId(1);

/// A service with two versions of these settings.
fn config(stable: &str, canary: &str) -> Config {
    let text = format!(
        "listeners: [{{bind: 127.0.0.1:0}}]
flags: {{sources: [{{file: flags.json}}]}}
services: {{shop: {{default: stable, versions: {{stable: {{{stable}}}, canary: {{{canary}}}}}}}}}
routes: [{{name: all, match: {{path_prefix: /}}, service: shop}}]"
    );
    Config::parse("flagway.yaml", &text, Path::new("/nowhere"), &|_| None).unwrap()
}

fn upstreams(config: &Config, before: Option<&Upstreams>) -> Upstreams {
    let mut problems = Vec::new();
    let upstreams = Upstreams::new(config, &Metrics::new(100), before, &mut problems);
    assert_eq!(problems, []);
    upstreams
}

/// Both versions have these settings.
fn both(settings: &str) -> Upstreams {
    upstreams(&config(settings, settings), None)
}

fn pool(upstreams: &Upstreams, version: VersionId) -> &Arc<Pool> {
    upstreams.pool(ServiceId(0), version)
}

fn peer(pool: &Pool, asked: Asked<'_>) -> Box<pingora::upstreams::peer::HttpPeer> {
    pool.pick(&asked).unwrap().1.peer
}

/// The ports that are picked.
fn ports(pool: &Pool) -> Vec<u16> {
    ports_but(pool, &[])
}

fn ports_but(pool: &Pool, tried: &[SocketAddr]) -> Vec<u16> {
    let asked = Asked { tried, ..Asked::default() };
    let mut ports: Vec<u16> = (0..60).filter_map(|_| Some(pool.pick(&asked)?.0.port())).collect();
    ports.sort();
    ports.dedup();
    ports
}

fn at(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}

fn check(pool: &Pool, port: u16, result: Result<(), &str>) {
    pool.checked(&pool.spots().find(at(port)).unwrap().endpoint, result.map_err(str::to_owned));
}

const THREE: &str = "endpoints: ['127.0.0.1:1', '127.0.0.1:2', '127.0.0.1:3']";

#[test]
fn what_did_not_change_survives_a_reload() {
    let first = upstreams(&config("endpoints: ['127.0.0.1:1']", "endpoints: ['127.0.0.1:2']"), None);
    let second = upstreams(&config("endpoints: ['127.0.0.1:1']", "endpoints: ['127.0.0.1:3']"), Some(&first));
    assert!(Arc::ptr_eq(pool(&first, STABLE), pool(&second, STABLE)));
    assert_eq!((ports(pool(&first, CANARY)), ports(pool(&second, CANARY))), (vec![2], vec![3]));
    assert_eq!([STABLE, CANARY].map(|version| pool(&first, version).is_retired()), [false, true]);
    // The endpoints moved, the connections to those that stay need not.
    let key = |upstreams| peer(pool(upstreams, CANARY), Asked::default()).group_key;
    assert_eq!(key(&first), key(&second));
}

#[test]
fn what_is_known_of_an_endpoint_survives_as_long_as_its_address() {
    let health = "health: {tcp: true, down_after: 1}";
    let of = |endpoints: &str, more: &str| {
        config(&format!("endpoints: [{endpoints}], {more}"), "endpoints: ['127.0.0.1:9']")
    };
    let first = upstreams(&of("'127.0.0.1:1', '127.0.0.1:2', 'a.test:3'", health), None);
    pool(&first, STABLE).found(0, vec![at(3), at(4)]);
    check(pool(&first, STABLE), 1, Err("no"));
    check(pool(&first, STABLE), 3, Err("no"));
    let (address, _held) = pool(&first, STABLE).pick(&Asked { tried: &[at(4)], ..Asked::default() }).unwrap();
    assert_eq!(address, at(2));
    let second = upstreams(
        &of("{address: '127.0.0.1:1', weight: 2}, '127.0.0.1:2', 'a.test:3'", health),
        Some(&first),
    );
    assert_eq!(ports(pool(&second, STABLE)), [2, 4], "names keep their addresses, too");
    assert_eq!(view::endpoints(pool(&second, STABLE))[1].requests, 1, "its request is under way still");
    pool(&second, STABLE).found(0, vec![at(3)]);
    assert_eq!(ports(pool(&second, STABLE)), [2]);
    let unchecked =
        upstreams(&of("'127.0.0.1:1', '127.0.0.1:2', 'a.test:3'", "balance: hash"), Some(&second));
    assert_eq!(ports(pool(&unchecked, STABLE)), [1, 2, 3], "nobody checks them: they are well");
}

#[test]
fn no_two_versions_share_connections_and_no_two_ways_of_tls() {
    let plain = both("endpoints: ['127.0.0.1:1']");
    let key = |upstreams, version| peer(pool(upstreams, version), Asked::default()).group_key;
    assert_ne!(key(&plain, STABLE), key(&plain, CANARY));
    let secret = both("endpoints: ['127.0.0.1:1'], tls: {sni: a.test}");
    assert_ne!(key(&plain, STABLE), key(&secret, STABLE));
}

#[test]
fn every_timeout_is_set_and_streams_may_pause() {
    let timeouts = "timeouts: {connect: 1s, first_byte: 2s, between: 3s, idle: 4s}";
    let live = both(&format!("endpoints: ['127.0.0.1:1'], http: h2, {timeouts}"));
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    let options = peer(pool(&live, STABLE), Asked::default()).options;
    assert_eq!([options.connection_timeout, options.total_connection_timeout], [seconds(1); 2]);
    assert_eq!((options.idle_timeout, options.write_timeout), (seconds(4), seconds(3)));
    assert_eq!(options.read_timeout, seconds(2));
    assert!(options.max_h2_streams > 1);
    let stream = Asked { stream: true, ..Asked::default() };
    assert_eq!(peer(pool(&live, STABLE), stream).options.read_timeout, seconds(3));
}

#[test]
fn what_is_spoken_is_as_configured() {
    // settings, versions of HTTP from and to, of a request to upgrade
    let table = [
        ("", (1, 1), (1, 1)),
        ("tls: {},", (1, 1), (1, 1)),
        ("http: h2,", (2, 2), (2, 2)),
        ("http: auto,", (1, 1), (1, 1)),
        ("http: auto, tls: {},", (1, 2), (1, 1)),
    ];
    for (settings, common, upgrade) in table {
        let live = both(&format!("{settings} endpoints: ['127.0.0.1:1']"));
        let spoken = |upgrade| {
            let alpn = peer(pool(&live, STABLE), Asked { upgrade, ..Asked::default() }).options.alpn;
            (alpn.get_min_http_version(), alpn.get_max_http_version())
        };
        assert_eq!((spoken(false), spoken(true)), (common, upgrade), "{settings}");
    }
}

#[test]
fn an_address_is_verified_too() {
    let live = upstreams(
        &config("endpoints: ['127.0.0.1:1'], tls: {}", "endpoints: ['127.0.0.1:2'], tls: {verify: false}"),
        None,
    );
    let peer = |version| peer(pool(&live, version), Asked::default());
    assert_eq!((peer(STABLE).sni.as_str(), peer(STABLE).options.verify_cert), ("127.0.0.1", true));
    assert!(!peer(CANARY).options.verify_cert);
}

#[test]
fn names_have_addresses_once_found_and_keep_them_when_they_are_not() {
    let config = config("endpoints: ['127.0.0.1:1', 'a.test:2']", "endpoints: ['b.test:3']");
    let live = upstreams(&config, None);
    let stable = pool(&live, STABLE);
    assert_eq!(stable.names().collect::<Vec<_>>(), [("a.test", 2)]);
    assert_eq!((ports(stable), ports(pool(&live, CANARY))), (vec![1], vec![]));
    stable.found(0, vec!["127.0.0.2:2".parse().unwrap(), "127.0.0.3:22".parse().unwrap()]);
    assert_eq!(ports(stable), [1, 2, 22]);
    stable.found(0, Vec::new());
    stable.not_found(0, "no answer");
    assert_eq!(ports(stable), [1, 2, 22]);
    let problems =
        |config: &Config| live.problems(config).into_iter().map(|problem| problem.found).collect::<Vec<_>>();
    let told = "`a.test` cannot be resolved, the addresses that it had serve on: no answer";
    assert_eq!(problems(&config), [told]);
    assert_eq!(live.problems(&config)[0].key, "services.shop.versions.stable.endpoints");
    stable.found(0, vec!["127.0.0.3:22".parse().unwrap()]);
    assert_eq!((ports(stable), problems(&config)), (vec![1, 22], vec![]));
}

#[test]
fn files_that_cannot_be_used_are_a_problem_of_one_version_alone() {
    let config = config("endpoints: ['127.0.0.1:1'], tls: {ca: ca.pem}", "endpoints: ['127.0.0.1:2']");
    let mut problems = Vec::new();
    let live = Upstreams::new(&config, &Metrics::new(100), None, &mut problems);
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].key, "services.shop.versions.stable.tls.ca");
    assert!(problems[0].found.contains("/nowhere/ca.pem"), "{}", problems[0].found);
    assert_eq!((ports(pool(&live, STABLE)), ports(pool(&live, CANARY))), (vec![], vec![2]));
    // It is tried again with the next reload.
    Upstreams::new(&config, &Metrics::new(100), Some(&live), &mut problems);
    assert_eq!(problems.len(), 2);
}

#[test]
fn one_that_was_tried_is_not_picked_again_and_one_that_rests_last() {
    let live = both(THREE);
    let stable = pool(&live, STABLE);
    assert_eq!(ports_but(stable, &[at(1)]), [2, 3]);
    stable.rest(at(2));
    assert_eq!(ports(stable), [1, 3]);
    assert_eq!(ports_but(stable, &[at(1), at(3)]), [2], "better one that rests than none");
    assert_eq!(ports_but(stable, &[at(1), at(2), at(3)]), [0; 0]);
}

#[test]
fn where_all_are_out_the_default_version_asks_all_and_another_has_none() {
    let live = both(&format!("{THREE}, health: {{tcp: true}}"));
    for version in [STABLE, CANARY] {
        check(pool(&live, version), 1, Err("connection refused"));
        check(pool(&live, version), 2, Err("connection refused"));
        assert_eq!(ports(pool(&live, version)), [3]);
        assert_eq!(
            ports_but(pool(&live, version), &[at(3)]),
            [0; 0],
            "those that are out are not asked while one is in"
        );
        check(pool(&live, version), 3, Err("status 503"));
    }
    assert_eq!((ports(pool(&live, STABLE)), ports(pool(&live, CANARY))), (vec![1, 2, 3], vec![]));
    let shown = &view::endpoints(pool(&live, CANARY))[2];
    assert_eq!((shown.state, shown.why.as_deref()), ("down", Some("status 503")));
    (0..2).for_each(|_| check(pool(&live, CANARY), 2, Ok(())));
    assert_eq!(ports(pool(&live, CANARY)), [2]);
}

#[test]
fn an_endpoint_that_fails_is_ejected_and_no_more_than_half_of_them() {
    let live = both(THREE);
    let stable = pool(&live, STABLE);
    let report =
        |port, outcome: Outcome, times: usize| (0..times).for_each(|_| stable.report(at(port), outcome));
    report(1, Outcome::Refused, 4);
    report(1, Outcome::Answered, 1);
    report(1, Outcome::Status, 4);
    assert_eq!(ports(stable), [1, 2, 3]);
    report(1, Outcome::TimedOut, 1);
    assert_eq!(ports(stable), [2, 3]);
    let shown = &view::endpoints(stable)[0];
    assert_eq!((shown.state, shown.why.as_deref()), ("ejected", Some("5 failures in a row")));
    report(2, Outcome::Reset, 20);
    assert_eq!(ports(stable), [2, 3], "one of three is the most");
    assert_eq!(ports(pool(&live, CANARY)), [1, 2, 3], "what another version finds is its own");
}

#[test]
fn where_all_fail_alike_nobody_is_ejected() {
    let live = both(THREE);
    let stable = pool(&live, STABLE);
    for _ in 0..50 {
        for port in 1..=3 {
            stable.report(at(port), Outcome::Status);
        }
    }
    // The first to fail five times in a row is not alone: the others have failed four times.
    assert_eq!(ports(stable), [1, 2, 3]);
}

#[test]
fn ejection_can_be_switched_off() {
    let live = both(&format!("{THREE}, outliers: off"));
    (0..100).for_each(|_| pool(&live, STABLE).report(at(1), Outcome::Refused));
    assert_eq!(ports(pool(&live, STABLE)), [1, 2, 3]);
}

#[test]
fn one_that_is_new_among_others_starts_slowly() {
    let of = |endpoints: &str| {
        config(&format!("endpoints: [{endpoints}], slow_start: 1h"), "endpoints: ['127.0.0.1:9']")
    };
    let first = upstreams(&of("'127.0.0.1:1'"), None);
    assert_eq!(view::endpoints(pool(&first, STABLE))[0].state, "serving");
    let second = upstreams(&of("'127.0.0.1:1', '127.0.0.1:2'"), Some(&first));
    let stable = pool(&second, STABLE);
    assert_eq!(view::endpoints(stable)[1].state, "warming");
    let new = (0..1000).filter(|_| stable.pick(&Asked::default()).unwrap().0 == at(2)).count();
    assert!((10..150).contains(&new), "{new} of 1000");
}

#[test]
fn a_key_stays_with_its_endpoint_and_requests_without_one_are_spread() {
    let live = both(&format!("{THREE}, balance: hash"));
    let picked = |key| pool(&live, STABLE).pick(&Asked { key, ..Asked::default() }).unwrap().0;
    for key in 0..50 {
        let key = Some(hash(format!("user-{key}").as_bytes()));
        assert_eq!(picked(key), picked(key));
    }
    assert_eq!(ports(pool(&live, STABLE)), [1, 2, 3]);
    assert!(live.hashes(ServiceId(0)));
}

#[test]
fn the_least_loaded_of_two_gets_the_request() {
    let live = both("endpoints: ['127.0.0.1:1', '127.0.0.1:2'], balance: least_requests");
    let pick = || pool(&live, STABLE).pick(&Asked::default()).unwrap();
    let held: Vec<_> = (0..20).map(|_| pick()).collect();
    assert_eq!(held.iter().filter(|(address, _)| *address == at(1)).count(), 10);
    // Those of the first end: it gets the next ones, until it has as many.
    let (first, rest): (Vec<_>, Vec<_>) = held.into_iter().partition(|(address, _)| *address == at(1));
    drop(first);
    let next: Vec<_> = (0..10).map(|_| pick()).collect();
    assert!(
        next.iter().all(|(address, _)| *address == at(1)),
        "{:?}",
        next.iter().map(|(address, _)| address).collect::<Vec<_>>()
    );
    drop(rest);
}
