//! The gateway dies at every step of a write, twenty times at each: what it acknowledged is there afterwards, what it did not is wholly
//! there or not at all, and the audit agrees with the overlay.

// A release has no fail points.
#![cfg(debug_assertions)]

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Client, DEAD, Gateway, Setup, one_route, services, split};

/// Times that the gateway dies at one point.
const KILLS: usize = 20;

/// What the system sends to a process that aborts.
const ABORT: i32 = 6;

#[test]
fn a_write_that_dies_with_its_temporary_file_is_not_there() {
    Story::begin().dies_again_and_again("overlay.temp", false);
}

#[test]
fn a_write_that_dies_before_its_file_has_its_name_is_not_there() {
    Story::begin().dies_again_and_again("overlay.fsync", false);
}

#[test]
fn a_write_that_dies_with_its_file_in_place_is_there() {
    Story::begin().dies_again_and_again("overlay.rename", true);
}

#[test]
fn a_write_that_dies_between_overlay_and_audit_is_there() {
    Story::begin().dies_again_and_again("overlay.folder", true);
}

#[test]
fn a_write_that_dies_with_its_line_in_the_audit_is_there() {
    Story::begin().dies_again_and_again("audit.append", true);
}

#[test]
fn a_write_that_dies_before_its_answer_is_there() {
    Story::begin().dies_again_and_again("audit.fsync", true);
}

#[test]
fn a_start_that_dies_while_it_completes_the_audit_completes_it_once() {
    for point in ["audit.append", "audit.fsync"] {
        let mut story = Story::begin();
        let home = story.dies("overlay.folder:3", true);
        let (home, status) = home.unready().env("FLAGWAY_FAIL_AT", point).start().ended();
        assert_eq!(status.signal(), Some(ABORT), "{status}");
        story.home = Some(home);
        story.lives(true);
    }
}

#[test]
fn a_record_that_a_power_cut_tore_is_completed_from_the_overlay() {
    let mut story = Story::begin();
    let mut home = story.dies("audit.append:2", true);
    let audit = home.path("state/audit.jsonl");
    let whole = fs::read(&audit).unwrap();
    let last = whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    for end in [last, last + 1, (last + whole.len()) / 2, whole.len() - 1] {
        fs::write(&audit, &whole[..end]).unwrap();
        home = home.start().stop();
        assert_eq!(text(&fs::read(&audit).unwrap()), text(&whole), "torn at {end} of {}", whole.len());
    }
    story.home = Some(home);
    story.lives(true);
}

/// What one client wrote, over many lives of the gateway.
struct Story {
    home: Option<Setup>,
    /// Writes that were begun.
    begun: usize,
    /// Why each write was made that has to be in the audit, and the status of its answer; in order.
    told: Vec<(String, u64)>,
    /// The write that was not answered.
    unanswered: Option<Write>,
}

/// One write of the flag `v`.
#[derive(Clone)]
struct Write {
    verb: &'static str,
    body: Value,
    condition: &'static str,
}

impl Story {
    fn begin() -> Story {
        let address = format!("['{DEAD}']");
        let setup =
            Setup::new(&(services(&address, &address) + &one_route(""))).flags(json!({"v": split(5)}));
        Story { home: Some(setup), begun: 0, told: Vec::new(), unanswered: None }
    }

    fn dies_again_and_again(mut self, point: &str, survives: bool) {
        for kill in 0..KILLS {
            // Each sort of write dies at some time.
            let home = self.dies(&format!("{point}:{}", 1 + kill % 4), survives);
            self.home = Some(home);
        }
        self.lives(survives);
    }

    /// Starts, looks, and writes until the gateway dies.
    #[track_caller]
    fn dies(&mut self, fail_at: &str, survives: bool) -> Setup {
        let gateway = self.start(fail_at);
        self.look(&gateway, survives);
        // A client that got no answer asks again.
        let mut next = self.unanswered.take().unwrap_or_else(|| self.next());
        let mut client = Client::new(gateway.admin());
        while self.write(&mut client, &next) {
            next = self.next();
        }
        self.unanswered = Some(next);
        let (home, status) = gateway.ended();
        assert_eq!(status.signal(), Some(ABORT), "{status}");
        home
    }

    /// Starts, looks, and writes on.
    #[track_caller]
    fn lives(&mut self, survives: bool) {
        let gateway = self.start("no.point");
        self.look(&gateway, survives);
        self.unanswered = None;
        let mut client = Client::new(gateway.admin());
        for _ in 0..5 {
            let next = self.next();
            assert!(self.write(&mut client, &next));
        }
        self.look(&gateway, survives);
    }

    #[track_caller]
    fn start(&mut self, fail_at: &str) -> Gateway {
        self.home.take().expect("it does not run").env("FLAGWAY_FAIL_AT", fail_at).start()
    }

    fn next(&mut self) -> Write {
        self.begun += 1;
        let (verb, mut body, condition) = match self.begun % 5 {
            1 => ("kill", json!({"variant": (["stable", "canary"][self.begun % 2])}), "*"),
            3 => ("release", json!({}), "*"),
            4 => ("disable", json!({}), "\"0\""),
            _ => ("weight", json!({"shares": {"canary": format!("{}%", 1 + self.begun % 50)}}), "*"),
        };
        body["why"] = format!("write {}", self.begun).into();
        Write { verb, body, condition }
    }

    /// Whether it was answered.
    #[track_caller]
    fn write(&mut self, client: &mut Client, Write { verb, body, condition }: &Write) -> bool {
        let why = body["why"].as_str().unwrap().to_owned();
        let request = client.post(&format!("/api/v1/flags/v/{verb}"), body.to_string()).host("127.0.0.1");
        let request = request.header("content-type", "application/json").header("if-match", condition);
        let Ok(answer) = request.header("idempotency-key", why.replace(' ', "-")).try_send() else {
            return false;
        };
        let status = u64::from(answer.status);
        assert!(matches!(status, 200 | 409 | 412), "{why}: {}", answer.text());
        if answer.json()["again"] == true {
            assert_eq!(self.told.last(), Some(&(why, 200)), "it is done once");
        } else {
            self.told.push((why, status));
        }
        true
    }

    /// The audit has every write once and in order, the overlay is that of the last accepted one, and nothing lies about.
    #[track_caller]
    fn look(&mut self, gateway: &Gateway, survives: bool) {
        let mut records = gateway.api("/api/v1/audit?limit=10000").json()["records"].take();
        let records = records.as_array_mut().expect("records");
        records.reverse();
        let numbers: Vec<_> = records.iter().map(|record| record["seq"].as_u64().unwrap()).collect();
        assert!(numbers.iter().copied().eq(1..=records.len() as u64), "{numbers:?}");
        let in_audit = |record: &Value| {
            (record["why"].as_str().unwrap_or_default().to_owned(), record["status"].as_u64().unwrap())
        };
        if let Some(Write { body, .. }) = self.unanswered.as_ref().filter(|_| survives) {
            let last = in_audit(records.last().expect("the write that was not answered"));
            assert_eq!(body["why"], last.0, "the write that was not answered");
            if last.1 != 200 {
                self.unanswered = None;
            }
            self.told.push(last);
        }
        assert_eq!(records.iter().map(in_audit).collect::<Vec<_>>(), self.told);

        let accepted = records.iter().rfind(|record| record["accepted"] == true);
        let stands = accepted.map_or(json!([]), |record| record["after"].clone());
        let overlay = gateway.api("/api/v1/overlay").json();
        assert_eq!((&overlay["entries"], &overlay["durable"]), (&stands, &json!(true)));
        let state = gateway.path("state");
        let file: Value =
            serde_json::from_slice(&fs::read(state.join("overlay.json")).unwrap_or(b"{}".into())).unwrap();
        assert_eq!(file["entries"].as_array().map_or(0, Vec::len), stands.as_array().unwrap().len());
        assert_eq!(names(&state, ".new"), Vec::<String>::new());
    }
}

/// The files of a folder whose names end so.
fn names(folder: &Path, end: &str) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(end)).collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
