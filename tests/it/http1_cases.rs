//! Requests of HTTP/1 as they should not be, and as they may be (RFC 9110, RFC 9112): each is said as it stands here, byte for byte. What
//! Pingora by itself is known to take is shown to be taken by it.

mod bodies;
mod heads;

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;

use crate::support::{Shop, Upstream, bare, one_route, say_for, statuses};
use bodies::{bodies, chunks, rows};
use heads::{fields, hosts, request_lines};

/// What is said, and what may come of it.
struct Case {
    name: String,
    said: Vec<u8>,
    /// Of the answers, in order; nothing comes behind them.
    answers: Vec<&'static str>,
    /// What the upstream sees: method, target, body.
    seen: Vec<(&'static str, &'static str, &'static str)>,
    /// What no head that it sees has, in lower case.
    unseen: &'static [&'static str],
    /// Whether Pingora alone gets it wrong.
    bare: bool,
}

/// Characters up to U+00FF stand for their byte.
fn case(name: impl Into<String>, said: &str) -> Case {
    let said = said.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    Case { name: name.into(), said, answers: Vec::new(), seen: Vec::new(), unseen: &[], bare: false }
}

impl Case {
    fn refused(mut self, status: &'static str) -> Case {
        self.answers.push(status);
        self
    }

    /// One more request that is answered by the upstream.
    fn seen(mut self, method: &'static str, target: &'static str, body: &'static str) -> Case {
        self.answers.push("200");
        self.seen.push((method, target, body));
        self
    }

    fn without(self, unseen: &'static [&'static str]) -> Case {
        Case { unseen, ..self }
    }

    fn bare(self) -> Case {
        Case { bare: true, ..self }
    }

    /// What is wrong with how it went; none: nothing.
    fn run(&self, address: SocketAddr, upstream: &Upstream, patience: Duration) -> Option<String> {
        let before = upstream.count();
        let said = say_for(address, &self.said, patience);
        let seen = upstream.requests().split_off(before);
        let found: Vec<_> = seen.iter().map(|request| (request.method(), request.target())).collect();
        let bodies: Vec<_> = seen.iter().map(|request| String::from_utf8_lossy(&request.body)).collect();
        let heads: String = seen.iter().map(|request| request.text().to_ascii_lowercase()).collect();
        let as_expected = found.len() == self.seen.len()
            && self
                .seen
                .iter()
                .zip(&found)
                .zip(&bodies)
                .all(|((expected, (method, target)), body)| *expected == (&**method, &**target, &**body))
            && self.unseen.iter().all(|text| !heads.contains(text));
        let last: Vec<&str> = statuses(&said).into_iter().filter(|status| *status != "100").collect();
        (!as_expected || last != self.answers)
            .then(|| format!("{}: answered {said:?}; seen {found:?} {bodies:?} {heads:?}", self.name))
    }
}

const HOST: &str = "host: shop.test\r\n";
const CLOSE: &str = "connection: close\r\n";
const CHUNKS: &str = "5\r\nhello\r\n0\r\n\r\n";

/// A request that ends its connection.
fn get(line: &str, fields: &str) -> String {
    format!("{line}\r\n{HOST}{fields}{CLOSE}\r\n")
}

fn post(fields: &str, body: &str) -> String {
    format!("POST /p HTTP/1.1\r\n{HOST}{fields}{CLOSE}\r\n{body}")
}

fn all() -> Vec<Case> {
    [request_lines(), fields(), hosts(), bodies(), chunks(), rows()].into_iter().flatten().collect()
}

#[test]
fn each_request_is_served_or_refused_as_it_deserves() {
    let shop = Shop::start();
    let gateway = shop.gateway(&one_route(""), json!({}));
    let address = gateway.address("main");
    let cases = all();
    assert!(cases.len() > 200, "{}", cases.len());
    let wrong: Vec<String> =
        cases.iter().filter_map(|case| case.run(address, &shop.stable, Duration::from_secs(5))).collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn pingora_alone_takes_what_it_is_known_to_take() {
    let upstream = Upstream::start("bare");
    let address = bare(upstream.address);
    let known: Vec<Case> = all().into_iter().filter(|case| case.bare).collect();
    assert!(known.len() >= 15, "{}", known.len());
    for case in known {
        // It serves on, so that nothing but time ends what it says.
        assert!(case.run(address, &upstream, Duration::from_millis(200)).is_some(), "{}", case.name);
    }
}
