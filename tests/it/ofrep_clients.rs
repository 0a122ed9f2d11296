//! OpenFeature's own clients ask the gateway: npm's providers for servers and for web pages, PyPI's, each with its SDK.
//!
//! They run as they are installed by `.ci/peers`. `docs/ofrep.md` tells what of their ways an operator should know; what it tells
//! is asserted here.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::peers::{installed, root};
use crate::support::{Gateway, Lines, Setup, Shop, eventually, flag, versions};

/// Which client.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    /// npm `@openfeature/ofrep-provider`: asks one flag at a time.
    Server,
    /// npm `@openfeature/ofrep-web-provider`: asks for all, and answers from that.
    Web,
    /// PyPI `openfeature-provider-ofrep`: asks one flag at a time.
    Python,
}

const ALL: [Kind; 3] = [Kind::Server, Kind::Web, Kind::Python];

/// A client in a process of its own; it ends when this is dropped.
struct Peer {
    child: Child,
    stdin: ChildStdin,
    answers: Lines,
    told: usize,
    kind: Kind,
}

impl Peer {
    /// A client of the gateway at an address; `more` are options of its script.
    fn new(kind: Kind, url: &str, more: Value) -> Peer {
        let mut peer = Peer::unstarted(kind);
        let started = peer.start(url, more);
        assert_eq!(started["status"], "READY", "{kind:?}: {started}");
        peer
    }

    fn unstarted(kind: Kind) -> Peer {
        let (program, script) = match kind {
            Kind::Server => ("node".into(), "ofrep_server.mjs"),
            Kind::Web => ("node".into(), "ofrep_web.mjs"),
            Kind::Python => (installed().join("venv/bin/python"), "ofrep_client.py"),
        };
        let mut child = Command::new(&program)
            .arg(root().join("tests/peers").join(script))
            .current_dir(installed())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let stdin = child.stdin.take().expect("it is piped");
        let answers = Lines::collect(child.stdout.take().expect("it is piped"));
        Peer { child, stdin, answers, told: 0, kind }
    }

    fn start(&mut self, url: &str, mut more: Value) -> Value {
        more["url"] = url.into();
        self.tell("start", more)
    }

    /// Gives a command and waits for its answer.
    #[track_caller]
    fn tell(&mut self, command: &str, mut with: Value) -> Value {
        with["do"] = command.into();
        writeln!(self.stdin, "{with}").unwrap();
        // A client starts slowly where many tests run.
        let answer = self.answers.find(self.told, Duration::from_secs(60), |_| true);
        self.told += 1;
        let answer = answer.unwrap_or_else(|| panic!("{:?} does not answer {with}", self.kind));
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error}: {answer}"))
    }

    /// What the client makes of a flag: value, reason and error code.
    #[track_caller]
    fn ask(&mut self, key: &str, default: Value, context: Value) -> (Value, String, Option<String>) {
        let details = self.details(key, default, context);
        let text = |name: &str| details[name].as_str().map(str::to_owned);
        (details["value"].clone(), text("reason").unwrap_or_default(), text("errorCode"))
    }

    /// All that the client tells of a flag, asked by the accessor that fits the default.
    #[track_caller]
    fn details(&mut self, key: &str, default: Value, context: Value) -> Value {
        let accessor = match &default {
            Value::Bool(_) => "boolean",
            Value::String(_) => "string",
            Value::Number(_) if self.kind != Kind::Python => "number",
            Value::Number(number) if number.is_f64() => "float",
            Value::Number(_) => "integer",
            _ => "object",
        };
        let mut with = json!({"type": accessor, "key": key, "default": default, "context": context});
        if self.kind == Kind::Web {
            // The context of a page is one for all flags.
            self.tell("context", json!({"context": context}));
            with["context"].take();
        }
        self.tell("ask", with)
    }

    /// The requests that a client sent since this was asked last, as `path status`.
    fn requests(&mut self) -> Vec<String> {
        let requests = self.tell("requests", json!({}));
        let line = |request: &Value| format!("{} {}", request["path"].as_str().unwrap(), request["status"]);
        requests.as_array().unwrap().iter().map(line).collect()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One flag of each type, and one of each way to have no value.
fn flags() -> Value {
    let by_plan = json!({"if": [{"==": [{"var": "plan"}, "pro"]}, "yes"]});
    let mut disabled = flag(json!({"it": true}), "it", json!({}));
    disabled["state"] = "DISABLED".into();
    let mut bare = flag(json!({"it": true}), "it", json!({}));
    bare["defaultVariant"].take();
    let mut described = flag(json!({"it": "text"}), "it", json!({}));
    described["metadata"] = json!({"owner": "shop", "expires": 2030, "public": true});
    json!({
        "bool": flag(json!({"yes": true, "no": false}), "no", by_plan.clone()),
        "text": flag(json!({"yes": "oui", "no": "non"}), "no", by_plan.clone()),
        "whole": flag(json!({"yes": 7, "no": 5}), "no", by_plan.clone()),
        "float": flag(json!({"yes": 1.0, "no": 0.5}), "no", by_plan.clone()),
        "object": flag(json!({"yes": {"a": [1, {"b": null}]}, "no": {}}), "no", by_plan),
        "described": described,
        "disabled": disabled,
        "bare": bare,
        "broken": flag(json!({"it": true}), "it", json!({"unheard-of": []})),
        "lost": flag(json!({"it": true}), "it", json!("nowhere")),
        "secret": flag(json!({"it": true}), "it", json!({})),
    })
}

const SHOWN: &str = "[bool, text, whole, float, object, described, disabled, bare, broken, lost, nobodys]";

/// A gateway with a door at `/flags`, and its address.
fn door(options: &str) -> (Gateway, String) {
    let gateway = Setup::new(&config(options)).flags(flags()).start();
    let url = format!("http://{}/flags", gateway.traffic());
    (gateway, url)
}

fn config(options: &str) -> String {
    format!(
        "routes: [{{name: flags, match: {{path_prefix: /flags}}, ofrep: {{flags: {SHOWN}, rate: off{options}}}}}]\n"
    )
}

#[test]
fn every_client_gets_values_of_every_type() {
    let (_gateway, url) = door("");
    for kind in ALL {
        let mut peer = Peer::new(kind, &url, json!({}));
        for (plan, reason, values) in [
            (
                "pro",
                "TARGETING_MATCH",
                [json!(true), json!("oui"), json!(7), json!(1.0), json!({"a": [1, {"b": null}]})],
            ),
            ("free", "DEFAULT", [json!(false), json!("non"), json!(5), json!(0.5), json!({})]),
        ] {
            let asked = [
                ("bool", json!(false)),
                ("text", json!("")),
                ("whole", json!(0)),
                ("float", json!(0.25)),
                ("object", json!({"none": true})),
            ];
            for ((key, default), value) in asked.into_iter().zip(values) {
                let (found, why, error) =
                    peer.ask(key, default, json!({"targetingKey": "ann", "plan": plan}));
                // JavaScript has one type of numbers.
                let same = found == value || found.is_number() && found.as_f64() == value.as_f64();
                assert!(
                    same && why == reason && error.is_none(),
                    "{kind:?} {key} {plan}: {found} {why} {error:?}"
                );
            }
        }
        let (value, _, error) = peer.ask("text", json!(false), json!({}));
        assert_eq!((value, error.as_deref()), (json!(false), Some("TYPE_MISMATCH")), "{kind:?}");
        let details = peer.details("described", json!(""), json!({}));
        assert_eq!(
            details["flagMetadata"],
            json!({"owner": "shop", "expires": 2030, "public": true}),
            "{kind:?}"
        );
        assert_eq!(details["variant"], "it", "{kind:?}");
    }
}

#[test]
fn whatever_is_wrong_is_the_callers_default_with_its_code() {
    let (_gateway, url) = door("");
    for kind in ALL {
        let mut peer = Peer::new(kind, &url, json!({}));
        for (key, code) in [
            ("nobodys", "FLAG_NOT_FOUND"),
            ("unheard-of", "FLAG_NOT_FOUND"),
            // It is there, and not shown.
            ("secret", "FLAG_NOT_FOUND"),
            ("broken", "PARSE_ERROR"),
            ("lost", "GENERAL"),
        ] {
            let answer = peer.ask(key, json!(false), json!({}));
            assert_eq!(answer, (json!(false), "ERROR".to_owned(), Some(code.to_owned())), "{kind:?} {key}");
        }
    }
}

#[test]
fn a_flag_without_a_value_is_the_callers_default_in_the_way_that_the_client_has() {
    for (options, single) in [("", "GENERAL"), (", valueless: not_found", "FLAG_NOT_FOUND")] {
        let (_gateway, url) = door(options);
        for kind in ALL {
            let mut peer = Peer::new(kind, &url, json!({}));
            for (key, reason) in [("disabled", "DISABLED"), ("bare", "DEFAULT")] {
                for default in [true, false] {
                    let (value, why, code) = peer.ask(key, json!(default), json!({}));
                    assert_eq!(value, json!(default), "{kind:?} {key}{options}");
                    let expected = match kind {
                        // In an answer about all flags they are understood.
                        Kind::Web => (reason, None),
                        Kind::Server | Kind::Python => ("ERROR", Some(single)),
                    };
                    assert_eq!((&*why, code.as_deref()), expected, "{kind:?} {key}{options}");
                }
            }
        }
    }
}

#[test]
fn a_page_asks_again_only_for_what_changed() {
    let (gateway, url) = door("");
    let mut peer = Peer::new(Kind::Web, &url, json!({"poll": 50}));
    peer.requests();
    // Some polls without news.
    let mut polled = Vec::new();
    eventually("three polls", || {
        polled.extend(peer.requests());
        polled.len() >= 3
    });
    assert!(polled.iter().all(|request| request == "/flags/ofrep/v1/evaluate/flags 304"), "{polled:?}");
    let mut flags = flags();
    flags["bool"]["defaultVariant"] = "yes".into();
    gateway.replace_flags(flags);
    let event = peer.tell("event", json!({}));
    assert_eq!((&event["event"], &event["flagsChanged"]), (&json!("ConfigurationChanged"), &json!(["bool"])));
    assert_eq!(peer.tell("ask", json!({"type": "boolean", "key": "bool", "default": false}))["value"], true);
}

#[test]
fn a_page_hears_of_changes_by_its_event_stream() {
    let (gateway, url) = door("");
    let mut peer = Peer::new(Kind::Web, &url, json!({"streams": true}));
    peer.requests();
    eventually("the stream is open", || gateway.metrics().sum("flagway_ofrep_streams", &[]) == 1.0);
    let mut flags = flags();
    flags["text"]["variants"]["no"] = "nein".into();
    gateway.replace_flags(flags);
    let event = peer.tell("event", json!({}));
    assert_eq!((&event["event"], &event["flagsChanged"]), (&json!("ConfigurationChanged"), &json!(["text"])));
    assert_eq!(peer.tell("ask", json!({"type": "string", "key": "text", "default": ""}))["value"], "nein");
    let requests = peer.requests();
    assert!(
        requests.iter().any(|request| request.contains("flagConfigEtag=") && request.ends_with(" 200")),
        "{requests:?}"
    );
}

/// The client keeps its ETag when only attributes change: an answer for another context must not be taken for the same.
#[test]
fn another_context_is_never_answered_with_a_304_of_the_one_before() {
    let (_gateway, url) = door("");
    let mut peer = Peer::new(Kind::Web, &url, json!({"context": {"targetingKey": "ann", "plan": "free"}}));
    for (plan, value) in [("pro", true), ("free", false), ("pro", true), ("max", false)] {
        let (found, _, error) = peer.ask("bool", json!(!value), json!({"targetingKey": "ann", "plan": plan}));
        assert_eq!((found, error), (json!(value), None), "{plan}");
    }
}

#[test]
fn a_page_of_a_listed_origin_may_read_and_another_may_not() {
    let (_gateway, url) = door(", origins: ['https://shop.example']");
    let mut page = Peer::new(Kind::Web, &url, json!({"origin": "https://shop.example", "poll": 50}));
    page.requests();
    // Only with an `ETag` that it may read can it ask whether there is news.
    eventually("a poll without news", || {
        page.requests().contains(&"/flags/ofrep/v1/evaluate/flags 304".to_owned())
    });
    for origin in ["https://shop.example.com", "http://shop.example", "null"] {
        let mut page = Peer::unstarted(Kind::Web);
        let started = page.start(&url, json!({"origin": origin}));
        assert!(started["thrown"].is_string(), "{origin}: {started}");
    }
}

#[test]
fn a_key_lets_clients_in_by_either_header() {
    let (_gateway, url) = door(", keys: [web-shop]");
    for kind in ALL {
        for header in [["Authorization", "Bearer web-shop"], ["X-API-Key", "web-shop"]] {
            let mut peer = Peer::new(kind, &url, json!({"headers": [header]}));
            let (value, _, error) = peer.ask("text", json!(""), json!({"plan": "pro"}));
            assert_eq!((value, error), (json!("oui"), None), "{kind:?} {header:?}");
        }
        let mut peer = Peer::unstarted(kind);
        let started = peer.start(&url, json!({"headers": [["X-API-Key", "web-shops"]]}));
        if kind == Kind::Web {
            assert!(started["thrown"].is_string(), "{started}");
        } else {
            let (value, reason, _) = peer.ask("text", json!("mine"), json!({}));
            assert_eq!((value, &*reason), (json!("mine"), "ERROR"), "{kind:?}");
        }
    }
}

#[test]
fn a_client_that_asks_too_often_uses_its_default_and_waits() {
    let config = config("").replace("rate: off", "rate: {per_second: 1, burst: 2}");
    let gateway = Setup::new(&config).flags(flags()).start();
    let url = format!("http://{}/flags", gateway.traffic());
    for kind in [Kind::Server, Kind::Python] {
        let mut peer = Peer::new(kind, &url, json!({}));
        eventually("it is told to wait", || {
            let details = peer.details("text", json!("mine"), json!({}));
            details["errorCode"] == "GENERAL" && details["value"] == "mine"
        });
        let details = peer.details("text", json!("mine"), json!({}));
        assert!(details["errorMessage"].as_str().unwrap().contains("paused"), "{kind:?}: {details}");
    }
}

#[test]
fn a_selector_narrows_what_a_client_sees() {
    let mut flags = flags();
    flags["bool"]["metadata"] = json!({"flagSetId": "shop"});
    let gateway = Setup::new(&config("")).flags(flags).start();
    let url = format!("http://{}/flags", gateway.traffic());
    for kind in ALL {
        let headers = json!([["Flagd-Selector", "flagSetId=shop"]]);
        let mut peer = Peer::new(kind, &url, json!({"headers": headers}));
        let (value, _, error) = peer.ask("bool", json!(true), json!({}));
        assert_eq!((value, error), (json!(false), None), "{kind:?}");
        let (_, _, error) = peer.ask("text", json!(""), json!({}));
        assert_eq!(error.as_deref(), Some("FLAG_NOT_FOUND"), "{kind:?}");
    }
}

#[test]
fn a_client_gets_the_decision_that_its_page_gets_whatever_its_body_claims() {
    let rule = json!({"if": [{"==": [{"var": "cookie.pin"}, "canary"]}, "canary",
        {"fractional": [["canary", 1], ["stable", 1]]}]});
    let rest = "context: {targeting_key: [{cookie: uid}]}
routes:
  - {name: page, match: {path_prefix: /}, service: shop, version: {flag: v}}
  - {name: flags, match: {path_prefix: /flags}, ofrep: {flags: [v], rate: off}}
";
    let shop = Shop::start();
    let gateway = shop.gateway(rest, json!({"v": versions(rule)}));
    let url = format!("http://{}/flags", gateway.traffic());
    let mut peers = ALL.map(Peer::unstarted);
    let mut seen = BTreeSet::new();
    for cookie in ["uid=user-0", "uid=user-1", "uid=user-2", "uid=user-3", "uid=user-0; pin=canary"] {
        let page = gateway.get_with("/", &[("cookie", cookie)]).text();
        for peer in &mut peers {
            peer.start(&url, json!({"headers": [["Cookie", cookie]]}));
            let claims =
                json!({"targetingKey": "somebody-else", "cookie": {"pin": "canary", "uid": "user-7"}});
            let (value, _, error) = peer.ask("v", json!("none"), claims);
            assert_eq!((value.as_str(), error), (Some(&*page), None), "{:?} {cookie}", peer.kind);
        }
        seen.insert(page);
    }
    assert_eq!(seen.len(), 2, "both versions are seen");
}

#[test]
fn python_takes_no_whole_number_for_a_float_and_a_boolean_for_a_whole_number() {
    let (_gateway, url) = door("");
    let mut peer = Peer::new(Kind::Python, &url, json!({}));
    for (key, default, value, code) in [
        ("whole", json!(0.25), json!(0.25), Some("TYPE_MISMATCH")),
        ("float", json!(1), json!(1), Some("TYPE_MISMATCH")),
        ("bool", json!(1), json!(false), None),
    ] {
        let (found, _, error) = peer.ask(key, default, json!({}));
        assert_eq!((found, error.as_deref()), (value, code), "{key}");
    }
}

#[test]
fn a_key_with_a_blank_or_a_slash_is_found_by_all_and_one_with_a_question_mark_by_pages_alone() {
    let config = "routes: [{name: flags, match: {path_prefix: /flags}, ofrep: {flags: all, rate: off}}]\n";
    let on = || flag(json!({"on": true}), "on", json!({}));
    let gateway = Setup::new(config).flags(json!({"of two": on(), "a/b": on(), "now?": on()})).start();
    let url = format!("http://{}/flags", gateway.traffic());
    for kind in ALL {
        let mut peer = Peer::new(kind, &url, json!({}));
        for (key, found) in [("of two", true), ("a/b", true), ("now?", kind == Kind::Web)] {
            let (value, _, _) = peer.ask(key, json!(false), json!({}));
            assert_eq!(value, json!(found), "{kind:?} {key}");
        }
    }
}

#[test]
fn the_operators_door_answers_about_every_flag() {
    let (gateway, _) = door("");
    for kind in ALL {
        let mut peer = Peer::new(kind, &format!("http://{}", gateway.admin()), json!({}));
        let (value, reason, error) = peer.ask("secret", json!(false), json!({}));
        assert_eq!((value, &*reason, error), (json!(true), "STATIC", None), "{kind:?}");
    }
}
