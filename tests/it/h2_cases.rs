//! Frames of HTTP/2 as they should not be, and as they may be (RFC 9113, RFC 7541), over plain connections and over TLS.

mod connection;
mod requests;

use std::time::Duration;

use serde_json::json;

use crate::support::h2_raw::*;
use crate::support::{Authority, Gateway, Setup, Shop, Upstream, bare, one_route};
use connection::connection;
use requests::{bodies, heads};

/// What must come of it.
#[derive(Debug, Clone, Copy)]
enum Want {
    /// The upstream sees this method, target and body, and answers.
    Seen(&'static str, &'static str, &'static str),
    /// The gateway answers so.
    Status(u16),
    /// The request is refused: by a status, a reset, or with the connection.
    Malformed,
    /// The stream is reset with this code, or the connection ends.
    Reset(u32),
    /// The connection ends for an error; of its code the crate makes PROTOCOL_ERROR where the RFC has a closer one.
    Goaway,
    /// Nothing: the connection goes on.
    Nothing,
}
use Want::*;

const PROTOCOL_ERROR: u32 = 1;
const FLOW_CONTROL_ERROR: u32 = 3;
const STREAM_CLOSED: u32 = 5;

struct Case {
    name: String,
    want: Want,
    said: Vec<u8>,
    /// What no head that the upstream sees has, in lower case, and what each has.
    unseen: &'static [&'static str],
    has: &'static [&'static str],
    /// Whether Pingora alone gets it wrong.
    bare: bool,
    /// Whether nothing behind us tells: named where it is known.
    missed: bool,
}

fn case(name: impl Into<String>, want: Want, said: &[&[u8]]) -> Case {
    let name = name.into();
    Case { name, want, said: said.concat(), unseen: &[], has: &[], bare: false, missed: false }
}

impl Case {
    fn bare(self) -> Case {
        Case { bare: true, ..self }
    }

    /// What is wrong with how it went; none: nothing.
    fn run(&self, way: &Way, upstream: &Upstream) -> Option<String> {
        const PATIENCE: Duration = Duration::from_millis(1500);
        let before = upstream.count();
        let mut raw = H2Raw::open(way);
        // Asks for a word behind whatever is answered.
        raw.say(&self.said);
        let (mut frames, mut closed, mut alive) = (Vec::new(), false, false);
        let ends = |frame: &Frame| {
            frame.stream != 0 && (frame.ends() || frame.kind == RST_STREAM) || frame.kind == GOAWAY
        };
        if !matches!(self.want, Nothing) {
            loop {
                match raw.next(PATIENCE) {
                    Ok(frame) => {
                        let last = ends(&frame);
                        frames.push(frame);
                        if last {
                            break;
                        }
                    }
                    Err(error) => {
                        closed = error.kind() != std::io::ErrorKind::WouldBlock;
                        break;
                    }
                }
            }
        }
        if !closed {
            raw.say(&frame(PING, 0, 0, b"still up"));
            alive = raw.until(PATIENCE, |frame| frame.kind == PING && frame.payload == b"still up").is_ok();
        }
        let status = frames.iter().map(Frame::status).find(|status| *status > 0);
        let reset = frames.iter().find(|frame| frame.kind == RST_STREAM).map(Frame::code);
        let goaway = frames.iter().find(|frame| frame.kind == GOAWAY).map(Frame::code);
        let seen = upstream.requests().split_off(before);
        let found: Vec<_> = seen
            .iter()
            .map(|request| {
                (request.method(), request.target(), String::from_utf8_lossy(&request.body).into_owned())
            })
            .collect();
        let heads: String = seen.iter().map(|request| request.text().to_ascii_lowercase()).collect();
        let refused = reset.is_some() || goaway.is_some_and(|code| code != 0) || closed;
        let right = match self.want {
            Seen(method, target, body) => {
                status == Some(200)
                    && alive
                    && found == [(method.to_owned(), target.to_owned(), body.to_owned())]
                    && self.unseen.iter().all(|text| !heads.contains(text))
                    && self.has.iter().all(|text| heads.contains(text))
            }
            Status(wanted) => status == Some(wanted) && found.is_empty(),
            Malformed => {
                (refused || status.is_some_and(|status| (400..500).contains(&status))) && found.is_empty()
            }
            Reset(code) => reset == Some(code) || goaway.is_some_and(|code| code != 0),
            Goaway => (goaway.is_some_and(|code| code != 0) || goaway.is_none() && closed) && !alive,
            Nothing => alive,
        };
        (!right).then(|| {
            format!(
                "{}: wanted {:?}; status {status:?} reset {reset:?} goaway {goaway:?} closed {closed} alive {alive}; seen {found:?} {heads:?}",
                self.name, self.want
            )
        })
    }
}

/// A request for `/` whose head is all of it, with these fields more.
fn head(lines: &[(&str, &str)]) -> Vec<u8> {
    let first = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "shop.test")];
    fields(&[&first, lines].concat())
}

fn get(lines: &[(&str, &str)]) -> Vec<u8> {
    frame(HEADERS, WHOLE, 1, head(lines))
}

/// A request that a body follows.
fn post(lines: &[(&str, &str)]) -> Vec<u8> {
    let first = [(":method", "POST"), (":scheme", "http"), (":path", "/p"), (":authority", "shop.test")];
    frame(HEADERS, END_HEADERS, 1, fields(&[&first, lines].concat()))
}

fn whole(lines: &[(&str, &str)]) -> Vec<u8> {
    frame(HEADERS, WHOLE, 1, fields(lines))
}

fn all() -> Vec<Case> {
    [connection(), heads(), bodies()].into_iter().flatten().collect()
}

fn gateway(shop: &Shop) -> (Gateway, Authority) {
    let authority = Authority::new();
    let issued = authority.issue(&["shop.test"]);
    let listeners = "listeners:
  - {name: main, bind: '127.0.0.1:0'}
  - {name: tls, bind: '127.0.0.1:0', tls: {certificates: [{cert: it.pem, key: it.key}]}}
";
    let setup = Setup::new(&shop.config(&(one_route("") + listeners))).flags(json!({}));
    (setup.file("it.pem", &issued.cert).file("it.key", &issued.key).start(), authority)
}

#[test]
fn each_frame_is_served_or_refused_as_it_deserves() {
    let shop = Shop::start();
    let (gateway, authority) = gateway(&shop);
    let ways = [Way::Plain(gateway.address("main")), Way::Tls(gateway.address("tls"), authority.client())];
    let cases = all();
    assert!(cases.len() > 130, "{}", cases.len());
    for way in &ways {
        let known: Vec<_> = cases.iter().filter(|case| case.missed).map(|case| case.name.clone()).collect();
        let wrong: Vec<_> =
            cases.iter().filter_map(|case| Some((case.name.clone(), case.run(way, &shop.stable)?))).collect();
        let (missed, wrong): (Vec<_>, Vec<_>) = wrong.into_iter().partition(|(name, _)| known.contains(name));
        let wrong: Vec<_> = wrong.into_iter().map(|(_, wrong)| wrong).collect();
        assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
        assert_eq!(missed.len(), known.len(), "what is not missed any more should be said");
    }
}

#[test]
fn pingora_alone_takes_what_it_is_known_to_take() {
    let upstream = Upstream::start("bare");
    let way = Way::Plain(bare(upstream.address));
    let known: Vec<Case> = all().into_iter().filter(|case| case.bare).collect();
    assert!(known.len() >= 8, "{}", known.len());
    let right: Vec<_> =
        known.iter().filter(|case| case.run(&way, &upstream).is_none()).map(|case| &*case.name).collect();
    assert!(right.is_empty(), "{right:?}");
}
