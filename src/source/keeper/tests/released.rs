//! What becomes of entries when time passes and sources change.

use std::time::{Duration, SystemTime};

use super::super::super::overlay_file::OverlayFile;
use super::*;
use crate::config::ProblemKind;
use crate::overlay::Overlay;
use crate::source::Event;

fn later(seconds: u64) -> SystemTime {
    SystemTime::now() + Duration::from_secs(seconds)
}

fn in_an_hour() -> Option<i64> {
    Some(later(3600).duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() as i64)
}

#[test]
fn entries_stay_above_a_source_that_changes() {
    let mut gateway = Gateway::new();
    gateway.asks(weight("canary=50%"));
    gateway.asks(kill("stable"));
    gateway.says(&shop(2));
    assert_eq!((&*gateway.runs(), gateway.kinds().len()), ("ENABLED stable", 2));
    gateway.says(r#"{"flags": {"price": {"state": "ENABLED", "variants": {"on": true}}}}"#);
    assert_eq!(gateway.runs(), "ENABLED stable", "even a flag that went");
    let problem =
        gateway.keeper.snapshot.problems.iter().find(|problem| problem.kind == ProblemKind::Overlay);
    assert_eq!(problem.unwrap().key, "overlay.shop-version.weight");
    gateway.says(&shop(3));
    gateway.asks(Action::Release);
    assert_eq!(gateway.runs(), "ENABLED canary 50%");
}

#[test]
fn an_entry_that_a_source_caught_up_with_releases_itself_and_says_so() {
    let mut gateway = Gateway::new();
    let mut events = gateway.keeper.hand.events().listen();
    gateway.asks(weight("canary=5%"));
    gateway.ask(&write("price", kill("on"))).unwrap();
    gateway.says(&shop(2));
    assert_eq!(gateway.kinds(), [Kind::Kill, Kind::Weight], "of price, and of shop-version");
    gateway.published.try_iter().count();
    let revision = gateway.keeper.snapshot.revision.clone();
    gateway.says(&shop(5));
    assert_eq!(gateway.kinds(), [Kind::Kill]);
    assert_eq!(gateway.keeper.snapshot.revision, revision, "nothing changed for anybody");
    assert!(gateway.published.try_recv().is_err());
    let record = gateway.newest();
    let told = (&*record.action, &*record.by, &*record.role, &*record.flag, record.accepted);
    assert_eq!(told, ("caught_up", "flagway", "flagway", SHOP, true));
    assert_eq!((record.after, record.etag), (Some(json!([])), Some(gateway.newest_etag())));
    let told = std::iter::from_fn(|| events.try_recv().ok());
    let last = told.filter_map(|event| match event {
        Event::Overlay { record } => Some(record.action),
        _ => None,
    });
    assert_eq!(last.last().as_deref(), Some("caught_up"));
    gateway.says(&shop(6));
    assert_eq!(gateway.runs(), "ENABLED canary 6%");
}

#[test]
fn what_was_caught_up_with_while_nothing_ran_is_released_at_the_start() {
    let mut gateway = Gateway::new();
    gateway.asks(weight("canary=5%"));
    gateway.ask(&write("price", Action::Put(Change::State(FlagState::Enabled)))).unwrap();
    // The disk has what the source said before, soon.
    let files = || std::fs::read_dir(gateway.folder.at("state/flags")).into_iter().flatten().flatten();
    let begun = SystemTime::now();
    while !files().any(|file| file.path().extension().is_some_and(|extension| extension == "json")) {
        assert!(begun.elapsed().is_ok_and(|waited| waited.as_secs() < 10), "it is kept");
        std::thread::yield_now();
    }
    gateway.folder.write("flags.json", &shop(5));
    let gateway = gateway.restarted();
    assert_eq!(gateway.kinds(), [Kind::State], "a flag that did not change is pinned as before");
    assert_eq!(gateway.newest().action, "caught_up");
    assert_eq!(gateway.runs(), "ENABLED canary 5%");
}

#[test]
fn entries_whose_time_is_over_are_released_flag_by_flag() {
    let mut gateway = Gateway::new();
    let first = gateway.keeper.snapshot.revision.clone();
    let until = in_an_hour();
    gateway.ask(&Write { until, ..write(SHOP, weight("canary=5%")) }).unwrap();
    gateway.ask(&Write { until, ..write(SHOP, kill("canary")) }).unwrap();
    gateway.ask(&Write { until, ..write("price", kill("on")) }).unwrap();
    gateway.published.try_iter().count();
    gateway.passes(later(3500));
    assert_eq!((gateway.kinds().len(), gateway.published.try_iter().count()), (3, 0));
    gateway.passes(later(3601));
    assert_eq!((gateway.kinds().len(), gateway.published.try_iter().count()), (0, 1), "at once");
    assert_eq!(gateway.keeper.snapshot.revision, first);
    let released: Vec<_> =
        gateway.audit().into_iter().take(2).map(|record| (record.flag, record.action)).collect();
    assert_eq!(
        released,
        [(SHOP.to_owned(), "expired".to_owned()), ("price".to_owned(), "expired".to_owned())]
    );
}

#[test]
fn time_goes_on_while_nothing_runs() {
    let mut gateway = Gateway::new();
    gateway.asks(weight("canary=5%"));
    let record = gateway.newest();
    let text = |kind: Json| {
        let mut entry = json!({"flag": SHOP, "by": "ann", "at": "2026-01-01T00:00:00Z", "why": "", "until": "2026-01-01T01:00:00Z"});
        entry.as_object_mut().unwrap().extend(kind.as_object().unwrap().clone());
        serde_json::from_value(entry).unwrap()
    };
    let mut overlay = Overlay::clone(gateway.keeper.book.overlay());
    overlay.insert(text(json!({"kind": "kill", "variant": "canary", "value": "canary"})));
    let (mut file, _) = OverlayFile::open(Some(&gateway.folder.at("state"))).unwrap();
    file.write(&overlay, 1, &record).unwrap();
    let gateway = gateway.restarted();
    assert_eq!((gateway.kinds(), &*gateway.runs()), (vec![Kind::Weight], "ENABLED canary 5%"));
    assert_eq!(gateway.newest().action, "expired");
}
