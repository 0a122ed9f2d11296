//! The audit as its keeper sees it, on real files: nothing lost, nothing twice, whatever happens to the last line.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::fixture::record;
use super::*;

/// Files small enough to be put aside often.
const SMALL: u64 = 2_000;

fn open(folder: &Path) -> Audit {
    Audit::open(Some(folder)).unwrap()
}

fn append(audit: &mut Audit, count: usize) {
    for _ in 0..count {
        audit.append(record(|_| ())).unwrap();
    }
}

/// The numbers of the records, newest first.
fn numbers(audit: &Audit, limit: usize) -> Vec<u64> {
    let query = Query { limit: Some(limit), ..Query::default() };
    audit.query(&query, SystemTime::now()).into_iter().map(|record| record.seq).collect()
}

#[test]
fn records_are_numbered_and_read_newest_first_over_restarts_and_in_memory() {
    let home = tempfile::tempdir().unwrap();
    let state = home.path().join("deep/state");
    append(&mut open(&state), 3);
    let mut audit = open(&state);
    append(&mut audit, 2);
    assert_eq!(numbers(&audit, 100), [5, 4, 3, 2, 1]);
    assert_eq!(numbers(&audit, 2), [5, 4]);
    let text = fs::read_to_string(state.join("audit.jsonl")).unwrap();
    assert_eq!((text.lines().count(), text.ends_with('\n')), (5, true));

    let mut audit = Audit::open(None).unwrap();
    append(&mut audit, 3);
    assert_eq!((numbers(&audit, 2), numbers(&audit, 9)), (vec![3, 2], vec![3, 2, 1]));
}

#[test]
fn a_last_line_torn_at_any_byte_is_cut_off_and_its_number_given_again() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("audit.jsonl");
    let mut audit = open(home.path());
    append(&mut audit, 2);
    let before = fs::read(&path).unwrap();
    audit.append(record(|record| record.why = "é".to_owned())).unwrap();
    let whole = fs::read(&path).unwrap();
    for end in before.len()..whole.len() {
        fs::write(&path, &whole[..end]).unwrap();
        let unopened = Trail::of(home.path()).query(&Query::default(), SystemTime::now());
        assert_eq!(unopened.len(), 2, "torn at {end}, not yet cut");
        let mut audit = open(home.path());
        assert_eq!(fs::read(&path).unwrap(), before, "torn at {end}");
        append(&mut audit, 1);
        assert_eq!(numbers(&audit, 9), [3, 2, 1], "torn at {end}");
    }
    fs::write(&path, &whole[..before.len() / 4]).unwrap();
    assert!(numbers(&open(home.path()), 9).is_empty(), "the only line");
}

#[test]
fn large_files_are_put_aside_and_the_numbers_go_on() {
    let home = tempfile::tempdir().unwrap();
    let mut audit = Audit::in_files_of(SMALL, Some(home.path())).unwrap();
    for count in 1..=200 {
        append(&mut audit, 1);
        let read = numbers(&audit, 1000);
        assert!(read.iter().copied().eq((count + 1 - read.len() as u64..=count).rev()), "{read:?}");
        assert!(read.len() as u64 >= count.min(40), "{read:?}");
    }
    let entries = fs::read_dir(home.path()).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let aside = (1..=8).map(|number| format!("audit.jsonl.{number}"));
    assert_eq!(names, std::iter::once("audit.jsonl".to_owned()).chain(aside).collect::<Vec<_>>());

    // Even where the newest file has no line yet.
    while fs::metadata(home.path().join("audit.jsonl")).unwrap().len() > 0 {
        append(&mut audit, 1);
    }
    let newest = numbers(&audit, 1)[0];
    append(&mut open(home.path()), 1);
    assert_eq!(numbers(&audit, 2), [newest + 1, newest]);
}

#[test]
fn a_gap_among_the_files_aside_is_filled_before_the_oldest_goes() {
    let home = tempfile::tempdir().unwrap();
    let mut audit = Audit::in_files_of(1, Some(home.path())).unwrap();
    append(&mut audit, 3);
    fs::rename(home.path().join("audit.jsonl.2"), home.path().join("audit.jsonl.8")).unwrap();
    append(&mut audit, 1);
    assert_eq!(numbers(&audit, 9), [4, 3, 1, 2]);
}

#[test]
fn a_file_that_was_moved_away_is_begun_anew() {
    let home = tempfile::tempdir().unwrap();
    let mut audit = open(home.path());
    append(&mut audit, 2);
    fs::rename(home.path().join("audit.jsonl"), home.path().join("old")).unwrap();
    append(&mut audit, 1);
    assert_eq!(numbers(&audit, 9), [3]);
}

#[test]
fn what_is_no_record_is_passed_over() {
    let home = tempfile::tempdir().unwrap();
    let mut audit = open(home.path());
    append(&mut audit, 1);
    let mut file = OpenOptions::new().append(true).open(home.path().join("audit.jsonl")).unwrap();
    file.write_all(b"\0\0\n{\"seq\": 70}\nnonsense\n\n").unwrap();
    let mut audit = open(home.path());
    append(&mut audit, 1);
    assert_eq!(numbers(&audit, 9), [2, 1]);
}

#[test]
fn what_a_client_sends_is_bounded_and_harmless() {
    let home = tempfile::tempdir().unwrap();
    let mut audit = open(home.path());
    let long = "\u{9b}".repeat(100_000);
    let sent = record(|record| {
        (record.flag, record.by, record.why) = (long.clone(), long.clone(), long.clone());
        (record.problem, record.idempotency_key) = (Some(long.clone()), Some(long.clone()));
        record.before = Some(serde_json::json!([long]));
    });
    let kept = audit.append(sent).unwrap();
    assert_eq!((kept.flag.len(), kept.why.len(), kept.problem.as_ref().unwrap().len()), (256, 2_000, 2_000));
    assert_eq!(kept.before, Some("200004 bytes, left out".into()));
    assert!(kept.after.as_ref().is_some_and(serde_json::Value::is_array));
    let text = fs::read_to_string(home.path().join("audit.jsonl")).unwrap();
    assert!(text.len() < 32_000 && !text.trim_end().contains(char::is_control));
    assert_eq!(audit.query(&Query::default(), SystemTime::now()), [kept]);
}

#[test]
fn an_answer_stops_at_what_was_asked_for() {
    let home = tempfile::tempdir().unwrap();
    let mut audit = open(home.path());
    for (at, time) in ["2026-11-20", "2026-11-24", "2026-11-23", "2026-11-24"].into_iter().enumerate() {
        let flag = ["a", "b"][at % 2].to_owned();
        audit
            .append(record(|record| (record.flag, record.time) = (flag, format!("{time}T10:00:00.000Z"))))
            .unwrap();
    }
    let asked = |flag: Option<&str>, since: &str| {
        let query =
            Query { flag: flag.map(str::to_owned), since: Some(since.to_owned()), ..Query::default() };
        let found = audit.query(&query, SystemTime::now());
        found.into_iter().map(|record| record.seq).collect::<Vec<_>>()
    };
    assert_eq!(asked(None, "2026-11-24T00:00:00Z"), [4, 2], "a clock that was set back hides nothing");
    assert_eq!(asked(Some("b"), "2026-11-24T00:00:00Z"), [4, 2]);
    assert_eq!(asked(Some("a"), "2026-11-19T00:00:00Z"), [3, 1]);
    assert!(asked(None, "nonsense").is_empty());
}

#[test]
fn a_record_that_a_crash_kept_from_the_audit_is_completed_once() {
    let home = tempfile::tempdir().unwrap();
    let made =
        |number| record(|record| (record.overlay, record.flag) = (Some(number), format!("flag-{number}")));
    let stored = |number| Stored { number, last: Some(made(number)), ..Stored::default() };
    let mut audit = open(home.path());
    assert_eq!(audit.complete(&mut Stored::default()).unwrap(), None);
    audit.append(made(1)).unwrap();
    audit.append(record(|record| record.accepted = false)).unwrap();
    assert_eq!(audit.complete(&mut stored(1)).unwrap(), None, "it is there, behind a refused one");
    let completed = audit.complete(&mut stored(2)).unwrap().unwrap();
    assert_eq!((completed.seq, &*completed.flag, completed.overlay), (3, "flag-2", Some(2)));
    assert_eq!(open(home.path()).complete(&mut stored(2)).unwrap(), None);

    let mut old = stored(1);
    assert_eq!(audit.complete(&mut old).unwrap(), None, "an overlay put back from a copy");
    assert_eq!(old.number, 2, "its next write gets a number of its own");
}

#[test]
fn readers_see_every_record_once_while_files_are_put_aside() {
    let home = tempfile::tempdir().unwrap();
    let mut audit = Audit::in_files_of(SMALL, Some(home.path())).unwrap();
    append(&mut audit, 30);
    let (trail, done) = (audit.trail(), AtomicBool::new(false));
    let filter = Query { limit: Some(30), ..Query::default() }.filter(SystemTime::now()).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            append(&mut audit, 150);
            done.store(true, Ordering::Release);
        });
        while !done.load(Ordering::Acquire) {
            let read: Vec<u64> = trail.read(&filter).unwrap().into_iter().map(|record| record.seq).collect();
            assert_eq!(read.len(), 30);
            assert!(read.windows(2).all(|pair| pair[0] == pair[1] + 1), "{read:?}");
        }
    });
}
