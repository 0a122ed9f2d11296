//! What clients are told, byte for byte where they could notice.

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;
use crate::config::Place;
use crate::config::route::FlagName;
use crate::flag::Reason;
use crate::snapshot::fixture::{facts, headers, snapshot};

const FLAGS: &str = r#"{"flags": {
    "banner": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "on", "metadata": {"flagSetId": "shop", "owner": "a\"b"}},
    "colour": {"state": "ENABLED", "variants": {"red": {"r": 1.5, "n": null}, "blue": "é\n"}, "defaultVariant": "blue",
        "targeting": {"if": [{"==": [{"var": "tier"}, "gold"]}, "red", {"==": [{"var": "tier"}, "odd"]}, "none"]}},
    "ends": {"state": "ENABLED", "variants": {"before": 1, "after": 2}, "defaultVariant": "before",
        "targeting": {"if": [{">": [{"var": "$flagd.timestamp"}, 100]}, "after"]}},
    "free": {"state": "ENABLED", "variants": {"on": true}},
    "off": {"state": "DISABLED", "variants": {"on": true}, "defaultVariant": "on", "metadata": {"flagSetId": "shop"}},
    "who": {"state": "ENABLED", "variants": {"ada": "ada", "eve": "eve"}, "targeting": {"var": "targetingKey"}},
    "wrong": {"state": "ENABLED", "variants": {"on": true}, "targeting": {"nonsense": []}},
    "a/b c": {"state": "ENABLED", "variants": {"on": 1}, "defaultVariant": "on"}
}}"#;

const BULK: &str = "/ofrep/v1/evaluate/flags";

fn door(flags: Shown) -> Door {
    Door { flags, valueless: Valueless::Omit, streams: None }
}

fn catalog_of(flags: &str, door: &Door) -> Catalog {
    Catalog::new(Arc::new(snapshot("", "    version: {flag: banner}", flags)), door)
}

fn catalog() -> Catalog {
    catalog_of(FLAGS, &door(Shown::All))
}

/// A question, to be changed by what a test is about.
#[derive(Clone)]
struct Question<'a> {
    path: &'a str,
    query: Option<&'a str>,
    fields: Vec<(&'a str, &'a str)>,
    body: Json,
    now: i64,
}

fn question(path: &str) -> Question<'_> {
    Question { path, query: None, fields: vec![], body: json!({}), now: 0 }
}

fn ask(catalog: &Catalog, question: &Question) -> Answer {
    let Question { path, query, fields, body, now } = question;
    let (headers, body) = (headers(fields), body.to_string());
    let request =
        Request { method: &Method::POST, path, query: *query, headers: &headers, body: body.as_bytes() };
    catalog.answer(&request, None, *now, |_, _| {})
}

fn field(answer: &Answer, name: &HeaderName) -> Option<String> {
    let found = answer.headers.iter().find(|(known, _)| known == name)?;
    Some(found.1.to_str().unwrap().to_owned())
}

fn json(answer: &Answer) -> Json {
    assert_eq!(field(answer, &header::CONTENT_TYPE).as_deref(), Some("application/json"));
    serde_json::from_slice(&answer.body).unwrap_or_else(|error| panic!("{error}: {:?}", answer.body))
}

fn one(catalog: &Catalog, key: &str, context: Json) -> (u16, Json) {
    let path = format!("{BULK}/{key}");
    let answer = ask(catalog, &Question { body: json!({"context": context}), ..question(&path) });
    (answer.status.as_u16(), json(&answer))
}

fn keys(bulk: &Json) -> Vec<&str> {
    bulk["flags"].as_array().unwrap().iter().map(|flag| flag["key"].as_str().unwrap()).collect()
}

#[test]
fn one_flag_is_answered_by_what_it_resolved_to() {
    let catalog = catalog();
    let shop = json!({"flagSetId": "shop", "owner": "a\"b"});
    for (key, context, status, expected) in [
        (
            "banner",
            json!({}),
            200,
            json!({"key": "banner", "reason": "STATIC", "variant": "on", "value": true, "metadata": shop}),
        ),
        (
            "colour",
            json!({}),
            200,
            json!({"key": "colour", "reason": "DEFAULT", "variant": "blue", "value": "é\n"}),
        ),
        (
            "colour",
            json!({"tier": "gold"}),
            200,
            json!({"key": "colour", "reason": "TARGETING_MATCH", "variant": "red", "value": {"r": 1.5, "n": null}}),
        ),
        (
            "colour",
            json!({"tier": "odd"}),
            400,
            json!({"key": "colour", "errorCode": "GENERAL", "errorDetails": "the targeting named no variant"}),
        ),
        ("free", json!({}), 200, json!({"key": "free", "reason": "DEFAULT"})),
        (
            "off",
            json!({}),
            200,
            json!({"key": "off", "reason": "DISABLED", "metadata": {"flagSetId": "shop"}}),
        ),
        (
            "who",
            json!({"targetingKey": "ada"}),
            200,
            json!({"key": "who", "reason": "TARGETING_MATCH", "variant": "ada", "value": "ada"}),
        ),
        (
            "wrong",
            json!({}),
            400,
            json!({"key": "wrong", "errorCode": "PARSE_ERROR", "errorDetails": "the flag has no usable definition"}),
        ),
        (
            "a%2Fb%20c",
            json!({}),
            200,
            json!({"key": "a/b c", "reason": "STATIC", "variant": "on", "value": 1}),
        ),
        (
            "g%22one",
            json!({}),
            404,
            json!({"key": "g\"one", "errorCode": "FLAG_NOT_FOUND", "errorDetails": "there is no such flag"}),
        ),
    ] {
        assert_eq!(one(&catalog, key, context), (status, expected), "{key}");
    }
}

#[test]
fn all_flags_are_answered_in_one_list_with_a_tag() {
    let catalog = catalog();
    let answer = ask(&catalog, &question(BULK));
    let bulk = json(&answer);
    assert_eq!(answer.status, 200);
    assert_eq!(keys(&bulk).len(), 8);
    for flag in bulk["flags"].as_array().unwrap() {
        let key = flag["key"].as_str().unwrap().replace('/', "%2F");
        assert_eq!(one(&catalog, &key, json!({})).1, *flag, "alone and among all");
    }
    assert_eq!(bulk.as_object().unwrap().len(), 1, "no metadata, no streams");
    assert_eq!(field(&answer, &header::CACHE_CONTROL).as_deref(), Some("private, no-cache"));
    assert_eq!(field(&answer, &header::ETAG).unwrap().len(), 34);

    let nothing = catalog_of(r#"{"flags": {}}"#, &door(Shown::All));
    assert_eq!(json(&ask(&nothing, &question(BULK))), json!({"flags": []}));
}

#[test]
fn what_is_not_shown_is_answered_as_what_is_not_there() {
    let place = Place { file: "flagway.yaml".into(), line: 1, column: 1, text: "".into(), width: 1 };
    let named = |key: &str| FlagName { key: key.into(), place: place.clone() };
    let catalog = catalog_of(FLAGS, &door(Shown::Only(["colour", "gone", "banner"].map(named).into())));
    assert_eq!(keys(&json(&ask(&catalog, &question(BULK)))).len(), 2);
    let strangers = ["off", "gone", "never"].map(|key| {
        let (status, body) = one(&catalog, key, json!({}));
        (status, body.to_string().replace(key, "KEY"))
    });
    assert!(strangers.iter().all(|answer| *answer == strangers[0] && answer.0 == 404), "{strangers:?}");
    let none = catalog_of(FLAGS, &door(Shown::Only(vec![])));
    assert_eq!(json(&ask(&none, &question(BULK))), json!({"flags": []}));
}

#[test]
fn a_selector_selects_and_is_told() {
    let catalog = catalog();
    let asked = |selector, path| {
        let answer =
            ask(&catalog, &Question { fields: vec![("Flagd-Selector", selector)], ..question(path) });
        (answer.status.as_u16(), json(&answer))
    };
    let (_, shop) = asked("flagSetId=shop", BULK);
    assert_eq!((keys(&shop), &shop["metadata"]), (vec!["banner", "off"], &json!({"flagSetId": "shop"})));
    let (_, none) = asked("flagSetId=", BULK);
    assert_eq!((keys(&none).len(), none.get("metadata")), (6, None));
    let (_, nobodys) = asked("flagSetId=\"x", BULK);
    assert_eq!(nobodys, json!({"flags": [], "metadata": {"flagSetId": "\"x"}}));

    let (status, banner) = asked("flagSetId=shop", "/ofrep/v1/evaluate/flags/banner");
    assert_eq!((status, &banner["metadata"]["flagSetId"]), (200, &json!("shop")));
    let (status, stranger) = asked("flagSetId=other", "/ofrep/v1/evaluate/flags/banner");
    assert_eq!((status, &stranger["metadata"]), (404, &json!({"flagSetId": "other"})));

    let (status, refused) = asked("team=a", BULK);
    assert_eq!((status, refused["errorCode"].as_str(), refused.get("key")), (400, Some("GENERAL"), None));
    let (status, refused) = asked("team=a", "/ofrep/v1/evaluate/flags/banner");
    assert_eq!((status, refused["key"].as_str()), (400, Some("banner")));
}

#[test]
fn of_equal_keys_in_different_sets_one_is_answered() {
    let flags = ["a", "b", "z"].map(|set| {
        let metadata = json!({"flagSetId": set});
        json!({"key": "k", "state": "ENABLED", "variants": {"v": set}, "defaultVariant": "v", "metadata": metadata})
    });
    let [a, b, z] = flags;
    let catalog = catalog_of(&json!({"flags": [z, a, b]}).to_string(), &door(Shown::All));
    let values = |selector: &str, path: &str| {
        let fields = vec![("flagd-selector", selector)];
        let told = json(&ask(&catalog, &Question { fields, ..question(path) }));
        let flags = told.get("flags").map_or(vec![told.clone()], |flags| flags.as_array().unwrap().clone());
        flags.iter().map(|flag| flag["value"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    for (selector, value) in [("", "b"), ("flagSetId=a", "a"), ("flagSetId=z", "z")] {
        assert_eq!(values(selector, BULK), [value], "{selector}");
        assert_eq!(values(selector, "/ofrep/v1/evaluate/flags/k"), [value], "{selector}");
    }
}

#[test]
fn the_metadata_of_one_flag_has_what_the_selector_adds() {
    let catalog = catalog();
    let selector = Selector::Source("a\"b".into());
    for (key, expected) in [
        ("banner", json!({"flagSetId": "shop", "owner": "a\"b", "source": "a\"b"})),
        ("free", json!({"source": "a\"b"})),
        ("wrong", json!({"source": "a\"b"})),
    ] {
        let flags = &catalog.snapshot.flags;
        let id = flags.find(key).unwrap();
        let resolution = Resolution { flag: id, variant: None, reason: Reason::Disabled, error: None };
        let parts = catalog.written.parts(catalog.positions[&id], &resolution);
        let told: Json = serde_json::from_slice(&told::one(parts, flags.get(id), &selector)).unwrap();
        assert_eq!(told, json!({"key": key, "reason": "DISABLED", "metadata": expected}));
    }
}

#[test]
fn clients_that_need_a_value_are_told_that_there_is_no_flag() {
    let omit = catalog();
    let not_found = catalog_of(FLAGS, &Door { valueless: Valueless::NotFound, ..door(Shown::All) });
    for key in ["off", "free", "who"] {
        assert_eq!(one(&omit, key, json!({})).0, 200, "{key}");
        let (status, told) = one(&not_found, key, json!({}));
        assert_eq!((status, told["errorCode"].as_str()), (404, Some("FLAG_NOT_FOUND")), "{key}");
    }
    assert_eq!(one(&not_found, "wrong", json!({})).0, 400);
    assert_eq!(one(&not_found, "who", json!({"targetingKey": "ada"})).0, 200);
    let bulk = |catalog| json(&ask(catalog, &question(BULK)));
    assert_eq!(bulk(&omit), bulk(&not_found), "among all flags it is told");
}

#[test]
fn streams_are_offered_where_there_are_any() {
    let streams = Some("/eu/ofrep/v1/stream".into());
    let catalog = catalog_of(FLAGS, &Door { streams, ..door(Shown::All) });
    let offered = json!([{"type": "sse", "endpoint": {"requestUri": "/eu/ofrep/v1/stream"}}]);
    assert_eq!(json(&ask(&catalog, &question(BULK)))["eventStreams"], offered);
    let fields = vec![("flagd-selector", "flagSetId=shop")];
    let selected = json(&ask(&catalog, &Question { fields, ..question(BULK) }));
    assert_eq!((&selected["eventStreams"], &selected["metadata"]), (&offered, &json!({"flagSetId": "shop"})));
}

#[test]
fn what_is_asked_wrongly_is_refused_with_a_reason() {
    let offering = catalog_of(FLAGS, &Door { streams: Some("/ofrep/v1/stream".into()), ..door(Shown::All) });
    let catalog = catalog();
    let asked = |catalog: &Catalog, method: Method, path: &str, kind: &str, body: &[u8]| {
        let headers = headers(&[("content-type", kind)]);
        let request = Request { method: &method, path, query: None, headers: &headers, body };
        catalog.answer(&request, None, 0, |_, _| panic!("nothing is evaluated"))
    };
    let flag = "/ofrep/v1/evaluate/flags/banner";
    let kind = "application/json";
    for (method, path, kind, body, status) in [
        (Method::GET, BULK, kind, &b""[..], 405),
        (Method::PUT, flag, kind, b"{}", 405),
        (Method::POST, "/ofrep/v1/configuration", kind, b"{}", 404),
        (Method::POST, "/ofrep/v1/stream", kind, b"{}", 404),
        (Method::POST, BULK, "text/plain", b"{}", 415),
        (Method::POST, BULK, kind, b"{", 400),
        (Method::POST, BULK, kind, b"[]", 400),
        (Method::POST, flag, kind, b"\xff", 400),
    ] {
        let answer = asked(&catalog, method.clone(), path, kind, body);
        let told = json(&answer);
        assert_eq!(answer.status, status, "{method} {path}");
        assert!(!told["errorDetails"].as_str().unwrap().is_empty());
        let code = (status == 400).then_some("INVALID_CONTEXT");
        assert_eq!(told["errorCode"].as_str(), code, "{method} {path}");
        let key = (status == 400 && path == flag).then_some("banner");
        assert_eq!(told["key"].as_str(), key, "{method} {path}");
        let allow = (status == 405).then(|| "POST".to_owned());
        assert_eq!(field(&answer, &header::ALLOW), allow, "{method} {path}");
    }
    let answer = asked(&offering, Method::POST, "/ofrep/v1/stream", kind, b"");
    assert_eq!((answer.status.as_u16(), field(&answer, &header::ALLOW).as_deref()), (405, Some("GET")));
    let silent =
        Request { method: &Method::POST, path: BULK, query: None, headers: &HeaderMap::new(), body: b"" };
    assert_eq!(
        catalog.answer(&silent, None, 0, |_, _| {}).status,
        200,
        "no body, no type: nothing is claimed"
    );
}

#[test]
fn an_unchanged_answer_is_not_sent_again() {
    let catalog = catalog();
    let revision = catalog.snapshot.revision.to_string();
    let first = ask(&catalog, &question(BULK));
    let tag = field(&first, &header::ETAG).unwrap();
    let again = |query: Option<&str>, context: Json, now: i64, more: &[(&'static str, &'static str)]| {
        let mut fields = vec![("if-none-match", tag.as_str())];
        fields.extend(more);
        ask(&catalog, &Question { path: BULK, query, fields, body: json!({"context": context}), now })
            .status
            .as_u16()
    };
    let same = format!("flagConfigEtag=%22{revision}%22&flagConfigLastModified=1");
    for (what, status, expected) in [
        ("the same", again(None, json!({}), 0, &[]), 304),
        ("what no rule reads", again(None, json!({"x": 1}), 50, &[]), 304),
        ("an event told of this revision", again(Some(&same), json!({}), 0, &[]), 304),
        ("an event told of another revision", again(Some("flagConfigEtag=4c1f"), json!({}), 0, &[]), 200),
        ("another attribute", again(None, json!({"tier": "gold"}), 0, &[]), 200),
        ("another key", again(None, json!({"targetingKey": "ada"}), 0, &[]), 200),
        ("another time", again(None, json!({}), 101, &[]), 200),
        ("a selector", again(None, json!({}), 0, &[("flagd-selector", "flagSetId=shop")]), 200),
    ] {
        assert_eq!(status, expected, "{what}");
    }
    let fields = vec![("if-none-match", tag.as_str())];
    let known = ask(&catalog, &Question { fields: fields.clone(), ..question(BULK) });
    assert_eq!((known.body.len(), field(&known, &header::ETAG)), (0, Some(tag.clone())));
    assert_eq!(field(&known, &header::CONTENT_TYPE), None);
    let one = ask(&catalog, &Question { fields, ..question("/ofrep/v1/evaluate/flags/banner") });
    assert_eq!(one.status, 200, "one flag has no tag");
}

#[test]
fn every_evaluation_is_heard_of_and_nothing_else() {
    let catalog = catalog();
    let heard = |path: &str, fields: &[(&str, &str)]| {
        let headers = headers(fields);
        let request = Request { method: &Method::POST, path, query: None, headers: &headers, body: b"" };
        let mut heard = Vec::new();
        catalog.answer(&request, None, 0, |id, resolution| {
            assert_eq!(resolution.flag, id);
            heard.push(catalog.snapshot.flags.get(id).key.to_string());
        });
        heard
    };
    assert_eq!(heard(BULK, &[]).len(), 8);
    assert_eq!(heard(BULK, &[("if-none-match", "*")]).len(), 8, "also when nothing is sent");
    assert_eq!(heard(BULK, &[("flagd-selector", "flagSetId=shop")]), ["banner", "off"]);
    assert_eq!(heard("/ofrep/v1/evaluate/flags/off", &[]), ["off"]);
    assert_eq!(heard("/ofrep/v1/evaluate/flags/gone", &[]), [""; 0]);
}

#[test]
fn the_edge_gives_the_key_unless_it_has_none() {
    let catalog = catalog();
    let headers = HeaderMap::new();
    let facts = facts(&catalog.snapshot, BULK, &headers);
    for (edge, claimed, variant) in
        [(Some("ada"), json!("eve"), "ada"), (None, json!("eve"), "eve"), (Some("ada"), json!(null), "ada")]
    {
        let edge = RequestContext::new(&facts, &catalog.snapshot.readers, edge, "r", 0);
        let body = json!({"context": {"targetingKey": claimed}}).to_string();
        let path = "/ofrep/v1/evaluate/flags/who";
        let request =
            Request { method: &Method::POST, path, query: None, headers: &headers, body: body.as_bytes() };
        let answer = catalog.answer(&request, Some(&edge), 0, |_, _| {});
        assert_eq!(json(&answer)["variant"], variant);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Two answers with one tag have one body, whatever was asked, of whichever flags.
    #[test]
    fn one_tag_never_stands_for_two_answers(
        asked in prop::collection::vec((0..3usize, 0..3usize, 0..2i64, 0..3usize), 2),
    ) {
        let told = asked.iter().map(|(flags, tier, time, selector)| {
            let flags = [FLAGS.to_owned(), FLAGS.replace("\"owner\"", "\"owners\""), FLAGS.replace("\"gold\"", "\"odd\"")][*flags].clone();
            let tier = ["gold", "odd", ""][*tier];
            let body = json!({"context": {"tier": tier}});
            let fields = vec![("flagd-selector", ["", "flagSetId=shop", "flagSetId="][*selector])];
            let answer = ask(&catalog_of(&flags, &door(Shown::All)), &Question { body, fields, now: time * 200, ..question(BULK) });
            (field(&answer, &header::ETAG), answer.body)
        });
        let told: Vec<_> = told.collect();
        let (same_tag, same_body) = (told[0].0 == told[1].0, told[0].1 == told[1].1);
        prop_assert!(same_body || !same_tag);
        // Flags that were not selected may make another tag of the same body.
        prop_assert!(same_tag || !same_body || asked[0].0 != asked[1].0);
    }

    /// Whatever arrives, there is an answer, and it is JSON or nothing.
    #[test]
    fn no_request_is_too_odd_to_be_answered(
        path in prop_oneof![Just(BULK.to_owned()), "/ofrep/v1/evaluate/flags/[a-z%/\"é]{0,8}", "[ -~]{0,24}"],
        body in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..64),
            "[\\[\\]{}\":,0-9a-z]{0,32}".prop_map(String::into_bytes),
            "[\\[\\]{}\":,0-9a-z]{0,16}".prop_map(|text| format!("{{\"context\": {text}}}").into_bytes()),
        ],
        selector in "[a-zA-Z=\"]{0,12}",
        known in "[ -~]{0,24}",
    ) {
        let selector = selector.replace("source=", "");
        prop_assume!(selector.is_empty() || selector.contains('='));
        let headers = headers(&[("flagd-selector", &selector), ("if-none-match", &known)]);
        let catalog = catalog();
        let request = Request { method: &Method::POST, path: &path, query: None, headers: &headers, body: &body };
        let answer = catalog.answer(&request, None, 0, |_, _| {});
        if answer.status != 304 {
            json(&answer);
        }
    }
}
