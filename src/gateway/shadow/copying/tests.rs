//! The copies of a request, step by step, without a socket.

use super::super::fixture::*;
use super::*;
use crate::compare::Body;

const PIECE: Bytes = Bytes::from_static(b"0123456789");

fn counted(why: &str, count: u64) -> std::collections::BTreeMap<String, u64> {
    [(why.to_owned(), count)].into()
}

#[test]
fn a_request_without_a_body_is_handed_over_with_its_head_and_once() {
    let live = live("", &["max_body: 1KiB"]);
    let mut copying = begin(&live).unwrap();
    first(&mut copying, &head("GET", &[("host", "a.test")]), false);
    copying.piece(None, true);
    copying.again(false);
    copying.piece(None, true);
    copying.answered(StatusCode::OK, &HeaderMap::new());
    copying.end(true, true);
    let jobs = handed_over(&live);
    assert_eq!(jobs.len(), 1);
    assert_eq!(jobs[0].request.head.headers["host"], "a.test");
    assert_eq!((jobs[0].version, jobs[0].told.len(), jobs[0].request.length), (CANARY, 1, 0));
    assert_eq!(dropped(&live), [].into());
    drop(jobs);
    assert!(nothing_held(&live));
}

#[test]
fn a_body_is_shared_not_copied_and_handed_over_at_its_end() {
    let live = live("", &["max_body: 20B"]);
    let mut copying = begin(&live).unwrap();
    first(&mut copying, &head("POST", &[]), true);
    copying.piece(Some(&PIECE), false);
    copying.piece(Some(&Bytes::new()), false);
    assert!(handed_over(&live).is_empty());
    copying.piece(Some(&PIECE), true);
    let jobs = handed_over(&live);
    let request = &jobs[0].request;
    assert_eq!((request.length, request.body.len()), (20, 2));
    assert_eq!(request.body[1].as_ptr(), PIECE.as_ptr());
}

#[test]
fn what_is_not_complete_is_dropped_whole_and_frees_its_memory_at_once() {
    type Step = fn(&mut Copying);
    let table: [(&str, &str, Step); 5] = [
        ("max_body: 19B", "body_too_large", |copying| copying.piece(Some(&PIECE), true)),
        ("max_body: 1MiB", "memory", |copying| copying.piece(Some(&vec![0; 200 << 10].into()), true)),
        ("max_body: 1KiB", "retried", |copying| copying.again(true)),
        ("max_body: 1KiB", "retried", |copying| copying.again(false)),
        ("max_body: 1KiB", "unfinished", |copying| {
            copying.answered(StatusCode::PAYLOAD_TOO_LARGE, &HeaderMap::new());
        }),
    ];
    for (settings, why, step) in table {
        let live = live("shadows: {max_bytes: 100KiB}", &[settings]);
        let mut copying = begin(&live).unwrap();
        first(&mut copying, &head("POST", &[("content-length", "20")]), true);
        copying.piece(Some(&PIECE), false);
        assert!(!nothing_held(&live));
        step(&mut copying);
        assert!(nothing_held(&live), "{why}");
        copying.piece(Some(&PIECE), true);
        copying.end(true, true);
        assert_eq!(dropped(&live), counted(why, 1));
        assert!(handed_over(&live).is_empty());
    }
}

#[test]
fn a_request_that_never_was_sent_is_not_copied() {
    let live = live("", &["timeout: 1s"]);
    begin(&live).unwrap().end(false, false);
    assert_eq!(dropped(&live), counted("unfinished", 1));
}

#[test]
fn each_shadow_has_its_own_bound_on_bodies() {
    let live = live("", &["max_body: 5B", "max_body: 15B"]);
    let mut copying = begin(&live).unwrap();
    first(&mut copying, &head("POST", &[]), true);
    copying.piece(Some(&PIECE), true);
    let jobs = handed_over(&live);
    assert_eq!(jobs.iter().map(|job| job.shadow).collect::<Vec<_>>(), [1]);
    assert_eq!(dropped(&live), counted("body_too_large", 1));
}

#[test]
fn a_full_queue_drops() {
    let live = live("shadows: {queue: 2}", &["timeout: 1s"]);
    for _ in 0..3 {
        first(&mut begin(&live).unwrap(), &head("GET", &[]), false);
    }
    assert_eq!(dropped(&live), counted("queue", 1));
    let jobs = handed_over(&live);
    assert_eq!(jobs.len(), 2);
    drop(jobs);
    first(&mut begin(&live).unwrap(), &head("GET", &[]), false);
    assert_eq!(handed_over(&live).len(), 1, "there is room again");
}

#[test]
fn only_what_is_safe_to_repeat_is_copied() {
    let (keyed, dry) = ("writes: {keyed_by: idempotency-key}", "writes: {dry_run: {x-dry-run: '1'}}");
    let key = [("idempotency-key", "k")];
    type Fields<'a> = &'a [(&'a str, &'a str)];
    let table: [(&str, &str, Fields, bool, Option<&str>); 11] = [
        ("", "GET", &[], false, None),
        ("", "OPTIONS", &[], false, None),
        ("", "POST", &key, false, Some("method")),
        ("", "GET", &[], true, Some("upgrade")),
        ("", "CONNECT", &[], false, Some("upgrade")),
        (keyed, "POST", &key, false, None),
        (keyed, "POST", &[], false, Some("method")),
        (keyed, "HEAD", &[], false, None),
        (dry, "DELETE", &[], false, None),
        ("methods: [POST]", "POST", &[], false, None),
        ("methods: [POST]", "GET", &[], false, Some("method")),
    ];
    for (settings, method, fields, upgrade, why) in table {
        let live = live("", &[settings]);
        let asked = head(method, fields);
        let copying = Copying::begin(&live, &decision(&live, &[]), &asked.method, &asked.headers, upgrade);
        assert_eq!(copying.is_none(), why.is_some(), "{method} {settings}");
        assert_eq!(dropped(&live).into_keys().next().as_deref(), why, "{method} {settings}");
    }
}

#[test]
fn a_copy_that_is_not_asked_for_or_leads_nowhere_costs_nothing() {
    let live = live("", &["timeout: 1s"]);
    for asked in ["stable", "odd"] {
        let decision = decision(&live, &[("x-shadow", asked)]);
        assert!(Copying::begin(&live, &decision, &Method::GET, &HeaderMap::new(), false).is_none());
    }
    assert_eq!(dropped(&live), [].into(), "no line has to do with it");
}

#[test]
fn the_originals_answer_reaches_whoever_compares() {
    let live = live("", &["compare: {sample: 100%, headers: [x-a]}"]);
    let mut copying = begin(&live).unwrap();
    first(&mut copying, &head("GET", &[]), false);
    let mut job = handed_over(&live).remove(0);
    let answer = head("GET", &[("x-a", "1"), ("x-b", "2"), ("content-type", "text/plain")]);
    copying.answered(StatusCode::NOT_FOUND, &answer.headers);
    copying.answer_piece(&PIECE);
    copying.end(true, true);
    let kept = job.original.take().unwrap().try_recv().unwrap().unwrap();
    assert_eq!(kept.answer.status, StatusCode::NOT_FOUND);
    assert_eq!(kept.answer.body, Body::Whole(vec![PIECE]));
    let mut names: Vec<_> = kept.answer.headers.keys().map(|name| name.as_str()).collect();
    names.sort();
    assert_eq!(names, ["content-type", "x-a"], "what is not compared is not kept");
    drop((job, kept));
    assert!(nothing_held(&live));
}

#[test]
fn an_original_without_a_whole_answer_of_its_version_says_so() {
    let table = [
        (true, true, true, None),
        (true, false, true, Some(Uncompared::Original)),
        (false, true, true, Some(Uncompared::Original)),
        (true, true, false, Some(Uncompared::Fallback)),
    ];
    for (answers, complete, decided, expected) in table {
        let live = live("", &["timeout: 1s"]);
        let mut copying = begin(&live).unwrap();
        first(&mut copying, &head("GET", &[]), false);
        if answers {
            copying.answered(StatusCode::OK, &HeaderMap::new());
        }
        copying.end(complete, decided);
        let mut job = handed_over(&live).remove(0);
        assert_eq!(job.original.take().unwrap().try_recv().unwrap().err(), expected);
    }
}

#[test]
fn what_is_not_sampled_is_sent_and_nothing_of_it_kept() {
    let live = live("", &["compare: {sample: 0%, noise: 100%}"]);
    let mut copying = begin(&live).unwrap();
    first(&mut copying, &head("GET", &[]), false);
    let jobs = handed_over(&live);
    assert!(jobs[0].original.is_none() && !jobs[0].twin);
    drop(jobs);
    copying.answered(StatusCode::OK, &HeaderMap::new());
    copying.answer_piece(&PIECE);
    assert!(nothing_held(&live));
}

#[test]
fn only_safe_methods_are_asked_of_the_serving_version_again() {
    for (method, twin) in [("GET", true), ("HEAD", true), ("OPTIONS", true), ("POST", false)] {
        let live = live("", &["methods: [GET, HEAD, OPTIONS, POST], compare: {noise: 100%}"]);
        let asked = head(method, &[]);
        let begun = Copying::begin(&live, &decision(&live, &[]), &asked.method, &asked.headers, false);
        first(&mut begun.unwrap(), &asked, false);
        assert_eq!(handed_over(&live)[0].twin, twin, "{method}");
    }
}
