//! Two operators at once: on one flag they never overwrite each other, on two flags they never meet, and what is sent twice is done once.

use std::collections::BTreeMap;
use std::sync::{Barrier, Mutex};

use serde_json::{Value, json};

use crate::support::{Gateway, Shop, one_route, split};

/// Each is one read and one write of each client.
const ROUNDS: usize = 500;

fn start() -> (Shop, Gateway) {
    let shop = Shop::start();
    let rest = format!("{}context: {{targeting_key: [{{cookie: uid}}]}}\n", one_route(""));
    let gateway = shop.gateway(&rest, json!({"v": split(10), "w": split(10)}));
    (shop, gateway)
}

/// A share that no other write gives.
fn share(write: usize) -> String {
    format!("{}.{:02}%", write / 100, write % 100)
}

#[test]
fn of_two_writes_on_what_both_saw_one_is_refused_and_every_other_one_is_in_the_audit_once() {
    let (_shop, gateway) = start();
    let (both_read, both_wrote) = (Barrier::new(2), Barrier::new(2));
    let accepted = Mutex::new(BTreeMap::new());
    let refused = Mutex::new(0);
    let client = |number: usize| {
        let mut operator = gateway.operator();
        for round in 0..ROUNDS {
            let etag = operator.etag("v");
            both_read.wait();
            let share = share(2 * round + number);
            let body = json!({"shares": {"canary": share}, "why": share});
            let answer = operator.ask("POST", "/api/v1/flags/v/weight", &[("if-match", &etag)], &body);
            match answer.status {
                200 => {
                    let seq = answer.json()["seq"].as_u64().expect("a number");
                    let etag = answer.header("etag").expect("an ETag");
                    let before = accepted.lock().unwrap().insert(seq, (share, etag));
                    assert!(before.is_none(), "two writes have the number {seq}");
                }
                412 => {
                    assert_ne!(answer.header("etag"), Some(etag), "it tells what the flag is now");
                    *refused.lock().unwrap() += 1;
                }
                _ => panic!("{}: {}", answer.status, answer.text()),
            }
            both_wrote.wait();
        }
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(|| client(1));
        client(0);
        other.join().expect("the other client ends well");
    });
    let (accepted, refused) = (accepted.into_inner().unwrap(), refused.into_inner().unwrap());
    assert_eq!((accepted.len(), refused), (ROUNDS, ROUNDS), "of two that saw the same, one is done");

    let mut operator = gateway.operator();
    let audit = operator.audit("flag=v&outcome=accepted&limit=10000");
    let told: Vec<(u64, &str)> = audit
        .iter()
        .map(|record| (record["seq"].as_u64().unwrap(), record["why"].as_str().unwrap()))
        .collect();
    let done: Vec<(u64, &str)> = accepted.iter().map(|(seq, (share, _))| (*seq, share.as_str())).collect();
    assert_eq!(told, done, "each exactly once, in order");
    for pair in audit.windows(2) {
        assert_eq!(pair[0]["after"], pair[1]["before"], "each begins where the one before ended");
    }
    assert_eq!(operator.audit("flag=v&outcome=refused&limit=10000").len(), ROUNDS);

    let (last, etag) = accepted.into_values().next_back().expect("the last one");
    let runs = operator.flag("v");
    assert_eq!(runs["entries"][0]["why"], last.as_str());
    assert_eq!(format!("\"{}\"", runs["etag"].as_str().unwrap()), etag);
    let weights = runs["definition"]["targeting"]["fractional"].as_array().expect("a split");
    let weight = |index: usize| weights[index][1].as_f64().expect("a weight");
    let wanted: f64 = last.trim_end_matches('%').parse().unwrap();
    let given = 100.0 * weight(0) / (weight(0) + weight(1));
    assert!((given - wanted).abs() < 1e-9, "{last} was accepted last, {given} % runs");
}

#[test]
fn two_operators_on_two_flags_never_meet() {
    let (_shop, gateway) = start();
    let begin = Barrier::new(2);
    let write = |key: &str| {
        let mut operator = gateway.operator();
        let mut etag = operator.etag(key);
        begin.wait();
        for number in 0..50 {
            let body = json!({"shares": {"canary": share(number)}});
            let target = format!("/api/v1/flags/{key}/weight");
            let answer = operator.ask("POST", &target, &[("if-match", &etag)], &body);
            assert_eq!(answer.status, 200, "{key}: {}", answer.text());
            etag = answer.header("etag").expect("an ETag");
        }
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(|| write("w"));
        write("v");
        other.join().expect("the other one ends well");
    });
}

#[test]
fn what_is_sent_twice_with_one_idempotency_key_is_done_once() {
    let (_shop, gateway) = start();
    let begin = Barrier::new(2);
    let send = |body: &Value| {
        let lines = [("if-match", "*"), ("idempotency-key", "a-key")];
        gateway.operator().ask("POST", "/api/v1/flags/v/weight", &lines, body)
    };
    let body = json!({"shares": {"canary": "20%"}});
    let answers = std::thread::scope(|scope| {
        let both = [0, 1].map(|_| {
            scope.spawn(|| {
                begin.wait();
                send(&body)
            })
        });
        both.map(|one| one.join().expect("it is answered"))
    });
    let told = answers.each_ref().map(|answer| (answer.status, answer.json()["seq"].clone()));
    assert_eq!((told[0].0, &told[0]), (200, &told[1]), "both get the same answer");
    let again = answers.iter().filter(|answer| answer.json()["again"] == true).count();
    assert_eq!(again, 1);

    let mut operator = gateway.operator();
    operator.kill("v", "stable");
    let late = send(&body);
    assert_eq!((late.status, &late.json()["seq"]), (200, &told[0].1), "also when more was done since");
    assert_eq!(operator.kinds("v"), ["weight", "kill"]);
    let other = send(&json!({"shares": {"canary": "30%"}}));
    assert_eq!(other.status, 422, "{}", other.text());
    let weights = operator.audit("flag=v&outcome=accepted");
    let weights = weights.iter().filter(|record| record["action"] == "weight").count();
    assert_eq!(weights, 1);
}
