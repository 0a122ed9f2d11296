//! A hundred thousand requests through a sticky shadow of 10 %: no client sees a byte of difference, the sample is the flag's,
//! and each copy is its original.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hasher};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{
    Answer, Gateway, Recorded, Setup, Shop, eventually, field_lines, flag, one_route, versions, within,
};

const REQUESTS: usize = 100_000;
const USERS: usize = 20_000;
const CLIENTS: usize = 4;
/// What differs between a copy and its original.
const OWN: [&[u8]; 2] = [b"x-flag-v", b"x-flagway-shadow"];

/// What the upstreams saw of each request, by its number.
struct Seen {
    originals: Vec<AtomicU64>,
    copies: Vec<AtomicU64>,
    counts: Vec<AtomicU32>,
}

impl Seen {
    fn new() -> Arc<Seen> {
        Arc::new(Seen {
            originals: (0..REQUESTS).map(|_| AtomicU64::new(0)).collect(),
            copies: (0..REQUESTS).map(|_| AtomicU64::new(0)).collect(),
            counts: (0..REQUESTS).map(|_| AtomicU32::new(0)).collect(),
        })
    }

    /// Remembers a request and answers by what it says, so that a client sees also what its version got.
    fn take(&self, request: &Recorded) -> Answer {
        let (mut number, mut all, mut told, mut shadow) = (None, 0_u64, 0_u64, false);
        let request_line = request.head.split(|&byte| byte == b'\r').next().unwrap_or_default();
        for (name, value) in field_lines(&request.head).chain([(request_line, &request.body[..])]) {
            let name = name.to_ascii_lowercase();
            if name == b"x-number" {
                number = std::str::from_utf8(value).ok().and_then(|text| text.parse::<usize>().ok());
            }
            shadow |= name == b"x-flagway-shadow";
            if OWN.contains(&&*name) {
                continue;
            }
            // A sum: the order of fields with different names means nothing.
            let hash = hash(&name).wrapping_mul(31).wrapping_add(hash(value));
            all = all.wrapping_add(hash);
            // The gateway makes up a new one for each request.
            let is_new = [&b"x-request-id"[..], b"traceparent"].contains(&&name[..]);
            told = told.wrapping_add(if is_new { 0 } else { hash });
        }
        let number = number.expect("each request has a number");
        if shadow {
            self.copies[number].store(all, Ordering::SeqCst);
            self.counts[number].fetch_add(1, Ordering::SeqCst);
        } else {
            self.originals[number].store(all, Ordering::SeqCst);
        }
        let body = format!("{{\"number\": {number}, \"request\": {told}}}");
        Answer::new(200 + (number % 3) as u16, body)
            .header("content-type", "application/json")
            .header("etag", format!("\"{told}\""))
    }

    fn copied(&self) -> usize {
        self.counts.iter().map(|count| count.load(Ordering::SeqCst) as usize).sum()
    }
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}

fn user(number: usize) -> usize {
    number % USERS
}

/// The bytes of a request: reads, heads alone, writes with a body.
fn request(number: usize, target: &str) -> Vec<u8> {
    let (method, body) = match number % 10 {
        3 => ("HEAD", String::new()),
        7 => ("POST", "buy ".repeat(number % 200 + 1)),
        _ => ("GET", String::new()),
    };
    let length = if method == "POST" { format!("content-length: {}\r\n", body.len()) } else { String::new() };
    format!(
        "{method} {target}?page={} HTTP/1.1\r\nHost: shop.test\r\nX-User: user-{}\r\nx-number: {number}\r\n\
         cookie: theme=dark; lang=de\r\n{length}\r\n{body}",
        number % 7,
        user(number)
    )
    .into_bytes()
}

/// Sends these requests one after another on one connection; each answer as it came, without its date.
fn converse(address: SocketAddr, target: &str, numbers: impl Iterator<Item = usize>) -> Vec<Vec<u8>> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut bytes = [0; 4096];
    numbers
        .map(|number| {
            stream.write_all(&request(number, target)).unwrap();
            let mut have = 0;
            loop {
                let read = stream.read(&mut bytes[have..]).unwrap();
                assert!(
                    read > 0,
                    "request {number}: closed after {:?}",
                    String::from_utf8_lossy(&bytes[..have])
                );
                have += read;
                if let Some(answer) = whole(&bytes[..have], number % 10 == 3) {
                    return answer;
                }
            }
        })
        .collect()
}

/// The answer without its date, once it is complete.
fn whole(bytes: &[u8], head_only: bool) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(bytes).expect("an answer is ASCII");
    let (head, body) = text.split_once("\r\n\r\n")?;
    let line = |name: &str| {
        head.split("\r\n")
            .find(|line| line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name)))
    };
    let length: usize = line("content-length: ").and_then(|line| line[16..].parse().ok()).expect("a length");
    if !head_only && body.len() < length {
        return None;
    }
    assert_eq!(body.len(), if head_only { 0 } else { length }, "{text}");
    Some(match line("date: ") {
        Some(date) => text.replacen(date, "", 1).into_bytes(),
        None => bytes.to_vec(),
    })
}

/// All answers to the first `count` requests, by their numbers.
fn answers(gateway: &Gateway, target: &str, count: usize) -> Vec<Vec<u8>> {
    let address = gateway.address("main");
    let mut answers = vec![Vec::new(); count];
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| scope.spawn(move || converse(address, target, (client..count).step_by(CLIENTS))))
            .collect();
        for (client, own) in clients.into_iter().enumerate() {
            let own = own.join().expect("no request failed");
            for (number, answer) in (client..count).step_by(CLIENTS).zip(own) {
                answers[number] = answer;
            }
        }
    });
    answers
}

/// A flag by which `percent` of the users are in the sample.
fn sample(percent: u32) -> Value {
    let targeting = json!({"fractional": [["canary", percent], ["none", 100 - percent]]});
    flag(json!({"canary": "canary", "none": "none"}), "none", targeting)
}

/// Whom the flag takes where it decides about a version: the same flag, the same keys, no shadow.
fn taken(percent: u32) -> BTreeSet<usize> {
    let shop = Shop::start();
    for (upstream, taken) in [(&shop.stable, "no"), (&shop.canary, "yes")] {
        upstream.forget();
        upstream.answer(move |_| Answer::new(200, taken));
    }
    let rest = "access_log: {to: 'off'}\ncontext: {targeting_key: [{header: {name: x-user}}]}\nroutes:\n  \
        - {name: all, match: {path_prefix: /}, service: shop, version: {flag: s, values: {canary: canary, none: stable}}}\n";
    let gateway = shop.gateway(rest, json!({"s": sample(percent)}));
    let answers = answers(&gateway, "/", USERS);
    let yes = |answer: &Vec<u8>, number: usize| match number % 10 {
        // Heads have no body; its length tells as well.
        3 => String::from_utf8_lossy(answer).to_lowercase().contains("content-length: 3"),
        _ => answer.ends_with(b"yes"),
    };
    (0..USERS).filter(|number| yes(&answers[*number], *number)).collect()
}

#[test]
fn under_load_a_sticky_shadow_is_exactly_its_flags_sample_and_no_client_notices() {
    let shop = Shop::start();
    let rest = |shadows: &str| {
        format!(
            "access_log: {{to: 'off'}}\ncontext: {{targeting_key: [{{header: {{name: x-user}}}}]}}\n\
             shadows: {{queue: 100000, max_in_flight: 10000, max_bytes: 1GiB}}\n{}",
            one_route(&format!("inject: [v],{shadows}"))
        )
    };
    let shadow = "shadows: [{flag: s, methods: [GET, HEAD, POST], max_in_flight: 10000, timeout: 60s, compare: {slower_by: 60s}}],";
    let flags = json!({"v": versions(Value::Null), "s": sample(10)});

    let start = |rest: &str| -> (Arc<Seen>, Gateway) {
        let seen = Seen::new();
        for upstream in [&shop.stable, &shop.canary] {
            let seen = Arc::clone(&seen);
            upstream.forget();
            upstream.answer(move |request| seen.take(request));
        }
        (seen, Setup::new(&shop.config(rest)).flags(flags.clone()).start())
    };
    let (_, without) = start(&rest(""));
    let expected = answers(&without, "/cart/items", REQUESTS);
    let _ = without.stop();

    let (seen, with) = start(&rest(shadow));
    let answered = answers(&with, "/cart/items", REQUESTS);
    for (number, (have, wanted)) in answered.iter().zip(&expected).enumerate() {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert_eq!(text(have), text(wanted), "request {number}");
    }

    let decided =
        || with.metrics().sum("flagway_shadow_evaluations_total", &[("variant", "canary")]) as usize;
    let sample = taken(10);
    let wanted: Vec<usize> = (0..REQUESTS).filter(|number| sample.contains(&user(*number))).collect();
    assert!((USERS / 11..=USERS / 9).contains(&sample.len()), "{} of {USERS} users", sample.len());
    eventually("each decision is counted", || decided() == wanted.len());
    within(Duration::from_secs(60), "every copy arrives", || (seen.copied() >= wanted.len()).then_some(()));
    let copied: Vec<usize> =
        (0..REQUESTS).filter(|number| seen.counts[*number].load(Ordering::SeqCst) > 0).collect();
    assert!(copied == wanted, "{} copies of {} are the flag's", copied.len(), wanted.len());
    for number in &copied {
        let of = |list: &[AtomicU64]| list[*number].load(Ordering::SeqCst);
        assert_eq!(of(&seen.copies), of(&seen.originals), "the copy of request {number}");
        assert_eq!(seen.counts[*number].load(Ordering::SeqCst), 1, "request {number} is copied once");
    }

    within(Duration::from_secs(60), "every copy is compared", || {
        with.shadows().first().filter(|shadow| shadow["compared"] == wanted.len() as u64).map(drop)
    });
    with.wait_until_settled();
    let metrics = with.metrics();
    assert_eq!(metrics.sum("flagway_shadow_evaluations_total", &[]), REQUESTS as f64);
    assert_eq!(metrics.sum("flagway_shadow_dropped_total", &[]), 0.0);
    assert_eq!((with.copies("sent"), with.copies("answered")), (wanted.len() as f64, wanted.len() as f64));
    let report = with.shadow();
    assert_eq!(report["equal"], wanted.len() as u64, "{report:#}");

    let fewer = taken(5);
    assert!(fewer.is_subset(&sample), "a wider sample keeps everyone");
    assert!((USERS / 22..=USERS / 18).contains(&fewer.len()), "{} of {USERS} users at 5 %", fewer.len());
}
