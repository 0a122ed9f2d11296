//! What is left after a restart, a crash between two files, and on a disk that takes nothing.

use std::fs;
use std::time::Duration;

use super::*;
use crate::config::ProblemKind;

#[test]
fn what_was_answered_stands_after_a_restart_without_any_source() {
    let mut gateway = Gateway::new();
    gateway.asks(weight("canary=5%"));
    let written = gateway.asks(kill("canary"));
    let (overlay, audit) = (gateway.keeper.book.overlay().clone(), gateway.audit());
    fs::remove_file(gateway.folder.at("flags.json")).unwrap();
    let mut gateway = gateway.restarted();
    assert_eq!((gateway.keeper.book.overlay(), gateway.audit()), (&overlay, audit));
    assert_eq!(gateway.runs(), "ENABLED canary");
    assert!(written.durable);
    let released = gateway.asks(Action::ReleaseAll);
    assert_eq!(released.seq, written.seq + 1);
    assert_eq!(gateway.restarted().kinds(), []);
}

#[test]
fn a_request_that_is_repeated_has_its_answer_again_and_does_nothing() {
    let mut gateway = Gateway::new();
    let once = |hash, action| Write { once: Some(("key".to_owned(), hash)), ..write(SHOP, action) };
    let etag = gateway.newest_etag();
    let first = Write { condition: Condition::Is(vec![etag]), ..once(1, kill("canary")) };
    let written = gateway.ask(&first).unwrap();
    gateway.asks(kill("stable"));
    let same = |again: Written| {
        assert_eq!((again.again, again.seq), (true, written.seq));
        assert_eq!(
            (again.etag, again.revision, again.entries),
            (written.etag.clone(), written.revision.clone(), written.entries.clone())
        );
    };
    same(gateway.ask(&first).unwrap());
    assert!(matches!(gateway.ask(&once(2, kill("stable"))), Err(Refused::Reused)));
    assert_eq!(gateway.runs(), "ENABLED stable");
    let bob = Operator { name: "bob".to_owned(), role: "operator", from: None };
    assert!(!gateway.ask(&Write { by: bob, ..once(3, kill("stable")) }).unwrap().again, "his own key");

    let mut gateway = gateway.restarted();
    same(gateway.ask(&first).unwrap());
    assert!(matches!(gateway.ask(&once(1, Action::Release)), Err(Refused::Reused)));
    let accepted = gateway.audit().into_iter().filter(|record| record.accepted);
    assert_eq!(accepted.count(), 3);
}

#[test]
fn a_crash_between_overlay_and_audit_is_completed() {
    let mut gateway = Gateway::new();
    gateway.asks(weight("canary=5%"));
    let audit = fs::read(gateway.folder.at("state/audit.jsonl")).unwrap();
    gateway.asks(kill("canary"));
    let records = gateway.audit();
    fs::write(gateway.folder.at("state/audit.jsonl"), audit).unwrap();
    let mut gateway = gateway.restarted();
    assert_eq!((&*gateway.runs(), gateway.audit()), ("ENABLED canary", records));
    gateway.asks(Action::Release);
    let gateway = gateway.restarted();
    assert!(gateway.audit().iter().map(|record| record.seq).eq([3, 2, 1]));
}

#[test]
fn a_write_that_the_disk_does_not_take_changes_nothing() {
    let mut gateway = Gateway::new();
    let revision = gateway.keeper.snapshot.revision.clone();
    // Nothing can be renamed onto a folder that has something in it.
    let blocked = gateway.folder.at("state/overlay.json");
    fs::create_dir_all(blocked.join("x")).unwrap();
    let Err(Refused::Disk(why)) = gateway.ask(&write(SHOP, kill("canary"))) else { panic!("it is kept") };
    assert!(!why.is_empty());
    assert_eq!((gateway.kinds(), gateway.published.try_iter().count()), (vec![], 0));
    assert_eq!(gateway.keeper.snapshot.revision, revision);
    let record = gateway.newest();
    assert_eq!((record.accepted, record.status, record.overlay), (false, 500, None));
    fs::remove_dir_all(blocked).unwrap();
    gateway.asks(kill("canary"));
    assert_eq!(gateway.restarted().runs(), "ENABLED canary");
}

#[test]
fn what_is_over_is_released_whatever_becomes_of_the_disk() {
    let mut gateway = Gateway::new();
    let first = gateway.keeper.snapshot.revision.clone();
    let hour = Duration::from_secs(3600);
    let until = (SystemTime::now() + hour).duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    gateway.ask(&Write { until: Some(until as i64), ..write(SHOP, kill("canary")) }).unwrap();
    let (state, aside) = (gateway.folder.at("state"), gateway.folder.at("aside"));
    fs::rename(&state, &aside).unwrap();
    fs::write(&state, "no folder").unwrap();
    gateway.passes(SystemTime::now() + hour);
    assert_eq!((gateway.kinds(), &gateway.keeper.snapshot.revision), (vec![], &first));
    fs::remove_file(&state).unwrap();
    fs::rename(&aside, &state).unwrap();
    gateway.ask(&write("price", kill("on"))).unwrap();
    assert_eq!(gateway.restarted().kinds(), [Kind::Kill], "the next write kept it");
}

#[test]
fn a_file_that_makes_no_sense_is_set_aside_and_told() {
    let mut gateway = Gateway::new();
    gateway.asks(kill("canary"));
    gateway.folder.write("state/overlay.json", "{\"version\":");
    let mut gateway = gateway.restarted();
    assert_eq!((gateway.kinds(), &*gateway.runs()), (vec![], "ENABLED canary 1%"));
    let problems = gateway.keeper.status.problems.load_full();
    let problem = problems.iter().find(|problem| problem.kind == ProblemKind::Overlay).unwrap();
    assert!(
        problem.found.contains("overlay.json")
            && problem.fix.as_ref().unwrap().contains("overlay.json.broken")
    );
    assert_eq!(fs::read_to_string(gateway.folder.at("state/overlay.json.broken")).unwrap(), "{\"version\":");
    let written = gateway.asks(kill("canary"));
    assert!(written.durable);
    let gateway = gateway.restarted();
    assert_eq!(gateway.runs(), "ENABLED canary");
    assert!(gateway.audit().iter().map(|record| record.seq).eq([2, 1]), "each once");
}

#[test]
fn a_state_folder_that_cannot_be_used_stops_neither_start_nor_kill() {
    let folder = Folder::new();
    folder.write("flags.json", &shop(1));
    folder.write("state", "a file");
    let mut gateway = Gateway::start(folder);
    let problems = gateway.keeper.status.problems.load_full();
    assert!(problems.iter().any(|problem| problem.kind == ProblemKind::Overlay), "{problems:?}");
    let written = gateway.asks(kill("canary"));
    assert!(!written.durable && !gateway.keeper.hand().durable());
    assert_eq!(gateway.runs(), "ENABLED canary");
}
