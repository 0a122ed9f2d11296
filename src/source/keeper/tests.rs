//! What operators do by hand, on real files and without threads: each test says when time passes and when a source changes.

mod durable;
mod released;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::SystemTime;

use serde_json::{Value as Json, json};

use super::super::audit::{Query, Record};
use super::super::fixture::Folder;
use super::super::hand::{Action, Condition, Operator, Refused, Write, Written};
use super::super::sight;
use super::super::watch::{Look, Wake};
use super::Keeper;
use crate::flag::FlagState;
use crate::overlay::{Change, Kind, shares};
use crate::snapshot::Snapshot;

const SHOP: &str = "shop-version";

/// `shop-version`, of which the canary gets so many percent, and `price` without a rule.
fn shop(canary: u32) -> String {
    let versions = json!({"stable": "stable", "canary": "canary"});
    let split = json!({"fractional": [["canary", canary], ["stable", 100 - canary]]});
    json!({"flags": {
        SHOP: {"state": "ENABLED", "variants": versions, "defaultVariant": "stable", "targeting": split},
        "price": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off"},
    }})
    .to_string()
}

/// A keeper without its threads.
struct Gateway {
    folder: Folder,
    keeper: Keeper,
    publish: Sender<Arc<Snapshot>>,
    published: Receiver<Arc<Snapshot>>,
}

impl Gateway {
    fn new() -> Gateway {
        let folder = Folder::new();
        folder.write("flags.json", &shop(1));
        Gateway::start(folder)
    }

    fn start(folder: Folder) -> Gateway {
        let (publish, published) = channel();
        Gateway { keeper: folder.open().0, folder, publish, published }
    }

    fn restarted(self) -> Gateway {
        Gateway::start(self.folder)
    }

    fn ask(&mut self, write: &Write) -> Result<Written, Refused> {
        let publish = self.publish.clone();
        self.keeper.write(write, &move |snapshot| publish.send(snapshot).unwrap())
    }

    fn asks(&mut self, action: Action) -> Written {
        self.ask(&write(SHOP, action)).unwrap()
    }

    /// The source says something else.
    fn says(&mut self, flags: &str) {
        self.folder.write("flags.json", flags);
        let path = self.folder.at("flags.json");
        let changed = vec![(path.clone(), sight::read(&path, 1 << 20).0)];
        let publish = self.publish.clone();
        let publish = move |snapshot| publish.send(snapshot).unwrap();
        self.keeper.take(Look { changed, asked: false }, &Wake::default(), &publish);
    }

    fn passes(&mut self, until: SystemTime) {
        let publish = self.publish.clone();
        self.keeper.expire(until, &move |snapshot| publish.send(snapshot).unwrap());
    }

    /// What serves of the flag.
    fn runs(&self) -> String {
        let snapshot = &self.keeper.snapshot;
        let Some(id) = snapshot.flags.find(SHOP) else { return "nothing".to_owned() };
        let definition = snapshot.flags.get(id).definition.clone().unwrap().to_json();
        let text = |key: &str| definition[key].as_str().unwrap_or("-").to_owned();
        match &definition["targeting"]["fractional"][0][1] {
            Json::Null => format!("{} {}", text("state"), text("defaultVariant")),
            canary => format!("{} canary {canary}%", text("state")),
        }
    }

    fn kinds(&self) -> Vec<Kind> {
        self.keeper.book.overlay().iter().map(|entry| entry.kind()).collect()
    }

    fn newest(&self) -> Record {
        self.audit().remove(0)
    }

    /// Newest first.
    fn audit(&self) -> Vec<Record> {
        self.keeper.hand.audit(&Query { limit: Some(1000), ..Query::default() })
    }
}

fn write(flag: &str, action: Action) -> Write {
    Write {
        flag: flag.into(),
        action,
        by: Operator { name: "ann".to_owned(), role: "operator", from: None },
        why: "5xx".to_owned(),
        until: None,
        condition: Condition::Any,
        once: None,
    }
}

fn kill(variant: &str) -> Action {
    Action::Kill(variant.to_owned())
}

fn weight(asked: &str) -> Action {
    Action::Put(Change::Weight(shares(asked).unwrap()))
}

fn set(definition: Json) -> Action {
    Action::Put(Change::Set(definition))
}

#[test]
fn what_was_answered_serves_and_a_release_leads_back() {
    let mut gateway = Gateway::new();
    let first = gateway.keeper.snapshot.revision.to_string();
    let state = |state| Action::Put(Change::State(state));
    let replaced = set(json!({"state": "ENABLED", "variants": {"c": "canary"}, "defaultVariant": "c"}));
    let Action::Put(replaced) = replaced else { unreachable!() };
    for (action, name, runs, entries) in [
        (weight("canary=5%"), "weight", "ENABLED canary 5%", 1),
        (weight("canary=10%"), "weight", "ENABLED canary 10%", 1),
        (state(FlagState::Disabled), "disable", "DISABLED canary 10%", 2),
        (kill("stable"), "kill", "ENABLED stable", 3),
        (kill("canary"), "kill", "ENABLED canary", 3),
        (Action::Release, "release", "DISABLED canary 10%", 2),
        (state(FlagState::Enabled), "enable", "ENABLED canary 10%", 2),
        (Action::Release, "release", "ENABLED canary 1%", 0),
        (kill("canary"), "kill", "ENABLED canary", 1),
        (Action::Replace(vec![replaced]), "replace", "ENABLED c", 1),
        (Action::ReleaseAll, "release", "ENABLED canary 1%", 0),
    ] {
        let before = gateway.newest_etag();
        let written = gateway.asks(action);
        assert_eq!((&*gateway.runs(), written.entries.len()), (runs, entries), "{name}");
        let snapshot = gateway.published.try_recv().unwrap();
        assert_eq!(snapshot.revision.to_string(), written.revision);
        assert_ne!(written.etag, before, "{name}");
        let record = gateway.newest();
        let told = (&*record.action, &*record.by, &*record.why, record.accepted, record.seq);
        assert_eq!(told, (name, "ann", "5xx", true, written.seq));
        assert_eq!(record.after, Some(serde_json::to_value(&written.entries).unwrap()));
        assert_eq!((record.revision, record.etag), (Some(written.revision), Some(written.etag)));
    }
    assert_eq!(gateway.keeper.snapshot.revision.to_string(), first);
}

impl Gateway {
    fn newest_etag(&self) -> String {
        self.keeper.hand.etag(SHOP)
    }
}

#[test]
fn the_same_change_again_is_done_again_and_publishes_nothing() {
    let mut gateway = Gateway::new();
    let once = gateway.asks(kill("canary"));
    let again = gateway.asks(kill("canary"));
    assert_eq!((once.revision, once.seq + 1), (again.revision, again.seq));
    assert_eq!((gateway.published.try_iter().count(), gateway.audit().len()), (1, 2));
}

#[test]
fn what_is_refused_changes_nothing_and_is_in_the_audit() {
    let mut gateway = Gateway::new();
    gateway.asks(weight("canary=5%"));
    let (_, revision) = (gateway.published.recv(), gateway.keeper.snapshot.revision.clone());
    let (overlay, etag) = (gateway.keeper.book.overlay().clone(), gateway.newest_etag());
    let of = |variants: Json, rule: Json| {
        set(json!({"state": "ENABLED", "variants": variants, "defaultVariant": "stable", "targeting": rule}))
    };
    let split = json!({"fractional": [["stable", 1], ["canary", 1]]});
    let two = json!({"stable": "stable", "canary": "canary"});
    let unknown = json!({"if": [{"==": [{"var": "contry"}, "AT"]}, "stable", split]});
    let plain = |flag: &str, action| write(flag, action);
    for (write, status, told) in [
        (
            plain("shop-versoin", kill("stable")),
            404,
            "no source defines the flag `shop-versoin`; did you mean `shop-version`?",
        ),
        (plain("other", Action::Release), 404, "no source defines the flag `other`"),
        (plain(SHOP, kill("stabel")), 422, "`shop-version` has no variant `stabel`; did you mean `stable`?"),
        (plain("price", weight("on=5%")), 422, "`price` has no rule, so there is no split to change; "),
        (plain("price", Action::Release), 409, "there is nothing to release"),
        (plain("price", Action::ReleaseAll), 409, "there is nothing to release"),
        (plain(SHOP, set(json!({"state": "ON"}))), 422, "the definition of `shop-version` is wrong: "),
        (
            plain(SHOP, of(json!({"stable": "stable", "canary": "v42"}), split.clone())),
            422,
            "the variant `canary` has the value \"v42\", which names no version of the service `shop`",
        ),
        (plain(SHOP, of(two.clone(), unknown)), 422, "a targeting reads `contry`, which nothing provides"),
        (
            plain(SHOP, of(two, json!({"if": [true, "canary"]}))),
            422,
            "the weight of `shop-version` by ann does not apply: the rule of `shop-version` has no split",
        ),
        (Write { until: Some(1), ..plain(SHOP, kill("stable")) }, 422, "`until` is not after `at`"),
        (
            Write { why: "a\nb".to_owned(), ..plain(SHOP, kill("stable")) },
            422,
            "`why` has a control character",
        ),
        (
            Write {
                condition: Condition::Is(vec!["0123456789abcdef".to_owned()]),
                ..plain(SHOP, kill("stable"))
            },
            412,
            "the flag was changed meanwhile: its ETag is ",
        ),
    ] {
        let refused = gateway.ask(&write).expect_err(told);
        assert!(refused.to_string().starts_with(told), "{refused}, not: {told}");
        assert_eq!(refused.status(), status, "{told}");
        let record = gateway.newest();
        let audited = (record.accepted, record.status, record.problem, record.after, record.overlay);
        assert_eq!(audited, (false, status, Some(refused.to_string()), None, None));
    }
    assert!(gateway.published.try_recv().is_err());
    assert_eq!(gateway.keeper.snapshot.revision, revision);
    assert_eq!((gateway.keeper.book.overlay(), gateway.newest_etag()), (&overlay, etag));
}

#[test]
fn problems_of_before_refuse_nothing() {
    let mut gateway = Gateway::new();
    let odd = |rule: Json| json!({"state": "ENABLED", "variants": {"stable": "stable", "v": "v42"}, "defaultVariant": "stable", "targeting": rule});
    let reads = |flag: &str| json!({"==": [{"var": "contry"}, flag]});
    let rule = |flag: &str| json!({"if": [reads(flag), "stable", "v"]});
    gateway.says(&json!({"flags": {"a": odd(rule("AT")), SHOP: odd(rule("DE"))}}).to_string());
    let problems = gateway.keeper.snapshot.problems.len();
    assert!(problems >= 2, "{:?}", gateway.keeper.snapshot.problems);
    gateway.asks(set(odd(rule("CH"))));
    // The first flag that reads it is told of: now that is another one, which is not worse for it.
    gateway.ask(&write("a", set(odd(json!({"if": [true, "stable", "v"]}))))).unwrap();
    gateway.asks(kill("v"));
    gateway.asks(Action::ReleaseAll);
    // Its source reads that, too.
    gateway.ask(&write("a", set(odd(rule("AT"))))).unwrap();
    let other = json!({"if": [{"==": [{"var": "land"}, "AT"]}, "stable", "v"]});
    let refused = gateway.ask(&write("a", set(odd(other)))).unwrap_err();
    assert!(
        matches!(&refused, Refused::Worse(problems) if problems[0].key == "flags.a.targeting"),
        "{refused}"
    );
}

#[test]
fn a_condition_is_the_etag_of_definition_and_entries() {
    let mut gateway = Gateway::new();
    let when = |etag: &str, action| Write {
        condition: Condition::Is(vec!["other".to_owned(), etag.to_owned()]),
        ..write(SHOP, action)
    };
    let first = gateway.newest_etag();
    let second = gateway.ask(&when(&first, kill("canary"))).unwrap().etag;
    let Err(Refused::Stale(now)) = gateway.ask(&when(&first, kill("stable"))) else { panic!("it is stale") };
    assert_eq!(now, second);
    // Another flag's writes do not matter, the source's do.
    gateway.ask(&write("price", kill("on"))).unwrap();
    assert_eq!(gateway.newest_etag(), second);
    gateway.says(&shop(2));
    assert!(matches!(gateway.ask(&when(&second, kill("stable"))), Err(Refused::Stale(_))));
    let third = gateway.newest_etag();
    gateway.ask(&when(&third, Action::Release)).unwrap();
    assert_eq!(gateway.runs(), "ENABLED canary 2%");
}

#[test]
fn a_flag_that_no_source_has_is_made_by_its_definition_only() {
    let mut gateway = Gateway::new();
    let new = json!({"state": "ENABLED", "variants": {"a": 1, "b": 2}, "defaultVariant": "a"});
    gateway.ask(&write("new", set(new))).unwrap();
    gateway.ask(&write("new", kill("b"))).unwrap();
    let snapshot = gateway.keeper.snapshot.clone();
    let id = snapshot.flags.find("new").unwrap();
    assert_eq!(snapshot.flags.get(id).definition.as_ref().unwrap().to_json()["defaultVariant"], "b");
    gateway.ask(&write("new", Action::ReleaseAll)).unwrap();
    assert_eq!(gateway.keeper.snapshot.flags.find("new"), None);
}
