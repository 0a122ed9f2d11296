//! What only the gateway may say, said by somebody else: nothing of it passes, in no spelling, over no protocol, in neither direction.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{
    Answer, Gateway, H2Lines as Lines, Recorded, Setup, Shop, flag, h2_plain, one_route, opt_in, split,
};

const FLAGS: usize = 100;
/// What a forger says, in every forged field.
const FORGED: &str = "forged";

/// A hundred flags, all injected; what the gateway says of them is `told`.
fn hundred() -> Value {
    let flags = (0..FLAGS).map(|n| (format!("Flag_{n}.x"), flag(json!({"it": "told"}), "it", Value::Null)));
    let mut all: serde_json::Map<String, Value> = flags.collect();
    all.insert("v".to_owned(), opt_in());
    Value::Object(all)
}

/// A shop that injects all of them, takes every name, and trusts nobody.
fn start(shop: &Shop, prefix: &str) -> Gateway {
    let inject: Vec<String> = (0..FLAGS).map(|n| format!("Flag_{n}.x")).collect();
    let config = one_route(&format!("inject: [v, {}],", inject.join(", ")))
        + &format!(
            "injection: {{prefix: {prefix}, as: [headers, dictionary, baggage], max_fields: 128, max_bytes: 32KiB}}\n"
        )
        + "limits: {underscores: allow, fields: 200}\n";
    shop.gateway(&config, hundred())
}

/// Spellings that fold to a name, each as HTTP/1 takes it.
fn spellings(name: &str) -> Vec<String> {
    let mut all = vec![name.to_owned(), name.to_uppercase(), mixed(name)];
    all.extend(
        ['_', '.', '~', '!', '*', '\'', '`', '|', '^', '+'].map(|odd| name.replace('-', &odd.to_string())),
    );
    all.push(name.replacen('-', "_", 1));
    all
}

fn mixed(name: &str) -> String {
    let turn = |(index, c): (usize, char)| if index % 2 == 0 { c.to_ascii_uppercase() } else { c };
    name.chars().enumerate().map(turn).collect()
}

/// Names that are the gateway's, of flag `n`.
fn names(prefix: &str, n: usize) -> Vec<String> {
    let mut names = vec![format!("{prefix}flag-{n}-x"), format!("{prefix}v")];
    match n % 4 {
        0 => names.push("flag-decisions".to_owned()),
        1 => names.push("x-flagway-version".to_owned()),
        2 => names.push(format!("x-flagway-{n}")),
        _ => names.push(format!("{prefix}of-no-flag-{n}")),
    }
    names
}

fn forged(names: &[String]) -> Lines {
    names.iter().flat_map(|name| spellings(name)).map(|name| (name, FORGED.to_owned())).collect()
}

/// The request tells what the gateway says, once each, and nothing that was forged.
#[track_caller]
fn is_clean(seen: &Recorded, prefix: &str, what: &str) {
    let text = seen.text();
    assert!(!text.contains(FORGED), "{what}: {text}");
    let told: Vec<(String, String)> =
        seen.fields().into_iter().filter(|(name, _)| name.to_lowercase().starts_with(prefix)).collect();
    assert_eq!(told.len(), FLAGS + 1, "{what}: {text}");
    assert!(told.iter().all(|(_, value)| value == "told" || value == "stable"), "{what}: {text}");
    assert_eq!(seen.all("flag-decisions").len(), 1, "{what}: {text}");
}

/// Everything that is answered until the gateway closes.
fn say(gateway: &Gateway, text: &str) -> String {
    let mut stream = TcpStream::connect(gateway.address("main")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(text.as_bytes()).unwrap();
    let mut answers = Vec::new();
    // A connection that is reset has said what it had to say.
    let _ = stream.read_to_end(&mut answers);
    String::from_utf8_lossy(&answers).into_owned()
}

#[test]
fn no_spelling_of_a_hundred_flags_gets_in_over_http_1() {
    let shop = Shop::start();
    for prefix in ["x-flag-", "x-shop-exp-"] {
        let gateway = start(&shop, prefix);
        let mut client = gateway.client();
        for n in 0..FLAGS {
            let lines = forged(&names(prefix, n));
            // In front of an honest one, behind it, and repeated.
            let request = lines
                .iter()
                .chain(&lines)
                .fold(client.get("/"), |request, (name, value)| request.header(name, value));
            assert_eq!(request.header("x-honest", "1").send().status, 200, "{n}");
            let seen = shop.stable.last();
            is_clean(&seen, prefix, &format!("{prefix}{n}"));
            assert_eq!(seen.header("x-honest").as_deref(), Some("1"));
        }
    }
}

#[test]
fn no_spelling_of_a_hundred_flags_gets_in_over_http_2() {
    let shop = Shop::start();
    for prefix in ["x-flag-", "x-shop-exp-"] {
        let gateway = start(&shop, prefix);
        for n in 0..FLAGS {
            // Upper case is no name in HTTP/2.
            let names: Lines = forged(&names(prefix, n))
                .into_iter()
                .map(|(name, value)| (name.to_lowercase(), value))
                .collect();
            let trailers = if n % 2 == 0 { Lines::new() } else { names.clone() };
            let (status, _) = h2_plain(gateway.address("main"), "/", &names, &trailers);
            assert_eq!(status, 200, "{n}");
            is_clean(&shop.stable.last(), prefix, &format!("{prefix}{n}"));
        }
    }
}

#[test]
fn nominating_trailing_folding_and_spacing_get_nothing_in() {
    let shop = Shop::start();
    let gateway = start(&shop, "x-flag-");
    let get = "GET / HTTP/1.1\r\nhost: shop.test\r\n";
    let close = "connection: close\r\n\r\n";
    let chunked = "POST / HTTP/1.1\r\nhost: shop.test\r\ntransfer-encoding: chunked\r\n";
    let honest = format!("{get}\r\n");
    let cases = [
        // Passed, but cleaned.
        (format!("{get}connection: x-flag-v, close\r\nx-flag-v: {FORGED}\r\n\r\n"), "200"),
        (format!("{get}connection: x-flag-flag-7-x\r\nconnection: close, flag-decisions\r\n\r\n"), "200"),
        (format!("{get}X-FLAG-V:{FORGED}\r\nx-flag-v:\t {FORGED} \t\r\nx-flag-v:\r\n{close}"), "200"),
        (
            format!(
                "{chunked}trailer: x-flag-v\r\nconnection: close\r\n\r\n4\r\nbody\r\n0\r\nX-Flag-V: {FORGED}\r\nx_flag_v: {FORGED}\r\n\r\n"
            ),
            "200",
        ),
        (format!("{honest}{get}x-flag-v: {FORGED}\r\n{close}"), "200 200"),
        (format!("{get}te: trailers, x-flag-v\r\nx-flag-v: {FORGED}\r\n{close}"), "200"),
        // Refused whole.
        (format!("{get}x-flag-v : {FORGED}\r\n{close}"), "400"),
        (format!("{get}x-flag-v\t: {FORGED}\r\n{close}"), "400"),
        (format!("{get} x-flag-v: {FORGED}\r\n{close}"), "400"),
        (format!("{get}x-a: 1\r\n x-flag-v: {FORGED}\r\n{close}"), "400"),
        (format!("{get}x-a: 1\nx-flag-v: {FORGED}\r\n{close}"), "400"),
        (format!("{get}x-a: 1\rx-flag-v: {FORGED}\r\n{close}"), "400"),
        (format!("{get}x-flag-v\0: {FORGED}\r\n{close}"), "400"),
        (format!("{get}x-flag\u{2010}v: {FORGED}\r\n{close}"), "400"),
        (format!("{get}: {FORGED}\r\n{close}"), "400"),
        (format!("{honest}{get}x-a: 1\nx-flag-v: {FORGED}\r\n{close}"), "200 400"),
        (format!("{chunked}\r\n4;x-flag-v={FORGED}\nbody\r\n0\r\n\r\n"), "400"),
    ];
    for (text, statuses) in &cases {
        let before = shop.stable.count();
        let answers = say(&gateway, text);
        let found: Vec<&str> =
            answers.split("HTTP/1.1 ").skip(1).filter_map(|answer| answer.get(..3)).collect();
        assert_eq!(found.join(" "), *statuses, "{text:?}: {answers}");
        let seen = shop.stable.requests().split_off(before);
        assert_eq!(seen.len(), statuses.matches("200").count(), "{text:?}");
        seen.iter().for_each(|seen| is_clean(seen, "x-flag-", text));
        assert!(
            seen.iter().all(|seen| seen.all("trailer").is_empty() && !seen.body.ends_with(b"forged")),
            "{text:?}"
        );
    }
}

#[test]
fn who_asked_is_the_gateways_to_say() {
    let shop = Shop::start();
    let fields = [
        ("X-Forwarded-For", "6.6.6.6"),
        ("x-forwarded-for", "6.6.6.7"),
        ("X-FORWARDED-PROTO", "https"),
        ("X-Forwarded-Host", "evil.test"),
        ("x-forwarded-port", "666"),
        ("X-Forwarded-Prefix", "/evil"),
        ("X-Forwarded-Client-Cert", "evil"),
        ("X_Forwarded_For", "6.6.6.6"),
        ("x.forwarded.proto", "evil"),
        ("X-Real-IP", "6.6.6.6"),
        ("x_real_ip", "6.6.6.6"),
        ("Forwarded", "for=6.6.6.6;host=evil.test"),
        ("connection", "x-forwarded-server"),
    ];
    let gateway = shop.gateway(&(one_route("") + "limits: {underscores: allow}\n"), json!({"v": opt_in()}));
    assert_eq!(gateway.get_with("/", &fields).status, 200);
    let told = |seen: &Recorded| {
        let mut told: Vec<_> =
            seen.fields().into_iter().map(|(name, value)| (name.to_lowercase(), value)).collect();
        told.retain(|(name, _)| name.contains("forwarded") || name.contains("real"));
        told.sort();
        told
    };
    let expected =
        [("x-forwarded-for", "127.0.0.1"), ("x-forwarded-host", "shop.test"), ("x-forwarded-proto", "http")];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(told(&shop.stable.last()), expected);
    let h2: Lines = fields[..fields.len() - 1]
        .iter()
        .map(|(name, value)| (name.to_lowercase(), (*value).to_owned()))
        .collect();
    assert_eq!(h2_plain(gateway.address("main"), "/", &h2, &Lines::new()).0, 200);
    assert_eq!(told(&shop.stable.last()), expected);
}

#[test]
fn the_flags_of_a_clients_baggage_go_and_the_rest_of_it_stays() {
    let shop = Shop::start();
    let gateway = start(&shop, "x-flag-");
    for (sent, kept) in [
        (&["flag.v=forged, user=7"][..], "user=7"),
        (&["user=7", "flag.v=forged;p=1"], "user=7"),
        (&["FLAG.v=forged, a=1"], "a=1"),
        (&[" flag.v =forged,a=1"], "a=1"),
        (&["flag.v%20=forged, a=1"], "a=1"),
        (&["a=1,,flag.v=forged"], ""),
        (&["no baggage flag.v=forged"], ""),
    ] {
        let lines: Vec<(&str, &str)> = sent.iter().map(|line| ("baggage", *line)).collect();
        gateway.get_with("/", &lines);
        let seen = shop.stable.last().all("baggage").join(",");
        assert!(!seen.contains(FORGED), "{sent:?}: {seen}");
        let first = seen.split(',').map(str::trim).next().unwrap_or_default();
        assert!(kept.is_empty() || first == kept, "{sent:?}: {seen}");
        assert_eq!(seen.matches("flag.v=stable").count(), 1, "{seen}");
    }
}

#[test]
fn a_compromised_version_tells_clients_nothing_that_is_not_its_to_tell() {
    let shop = Shop::start();
    shop.stable.answer(|_| {
        let names = ["X-Flag-V", "x_flag_v", "x.flagway.version", "X-Flagway-Shadow", "Flag_Decisions"];
        let forged = names.iter().fold(Answer::new(200, "body"), |answer, name| answer.header(name, FORGED));
        forged
            .header("connection", "x-hop, Set-Cookie2")
            .header("x-hop", FORGED)
            .header("set-cookie", format!("fw_vid={FORGED}; Path=/"))
            .header("set-cookie", "own=kept")
            .header("Set-Cookie", format!("__Host-fw_vid={FORGED}; Path=/; Secure"))
            .header("x-kept", "1")
    });
    let config = one_route("inject: [v],") + "context: {targeting_key: [{visitor_cookie: {}}]}\n";
    let gateway = shop.gateway(&config, json!({"v": split(0)}));
    for answer in [gateway.get("/"), gateway.get_with("/", &[("sec-fetch-mode", "navigate")])] {
        let text = format!("{:?}", answer.fields);
        assert!(!text.contains(FORGED), "{text}");
        assert_eq!((answer.header("x-kept").as_deref(), &*answer.text()), (Some("1"), "body"));
        assert_eq!(answer.all("set-cookie")[0], "own=kept");
    }
}

#[test]
fn a_client_that_is_trusted_by_nobody_has_no_address_but_its_own() {
    let shop = Shop::start();
    let by_ip =
        crate::support::versions(json!({"if": [{"==": [{"var": "client_ip"}, "6.6.6.6"]}, "canary"]}));
    let gateway = Setup::new(&shop.config(&one_route(""))).flags(json!({"v": by_ip})).start();
    for name in
        ["x-forwarded-for", "X-Forwarded-For", "forwarded", "x-real-ip", "true-client-ip", "cf-connecting-ip"]
    {
        assert_eq!(gateway.get_with("/", &[(name, "6.6.6.6")]).text(), "stable", "{name}");
    }
    assert_eq!(shop.canary.count(), 0);
}
