//! Entries upon each other, and upon sources that change below them.

use serde_json::{Value as Json, json};

use crate::config::{FlagLimits, ProblemKind, Severity};
use crate::flag;
use crate::overlay::fixture::{definitions, flag};
use crate::overlay::{Change, Entry, Kind, Overlay, shares};

fn entry(flag: &str, change: Change) -> Entry {
    Entry::new(flag, change, "ann", 100, "", None).expect("it is an entry")
}

fn until(flag: &str, change: Change, until: i64) -> Entry {
    Entry::new(flag, change, "ann", 100, "", Some(until)).expect("it is an entry")
}

fn kill(variant: &str) -> Change {
    Change::Kill { variant: variant.to_owned(), value: variant.into() }
}

fn disabled() -> Change {
    Change::State(flag::FlagState::Disabled)
}

fn weight(text: &str) -> Change {
    Change::Weight(shares(text).expect("they are shares"))
}

fn split(canary: u32) -> Json {
    flag(json!({"targeting": {"fractional": [["canary", canary], ["stable", 100 - canary]]}}))
}

fn overlay(entries: impl IntoIterator<Item = Entry>) -> Overlay {
    entries.into_iter().collect::<Vec<_>>().into()
}

/// What runs of these flags, and what is told.
fn run(overlay: &Overlay, sources: &Json) -> (Json, Vec<String>) {
    let (running, problems) = overlay.apply_all(definitions(sources), &FlagLimits::default());
    let running = running.into_iter().map(|(key, entry)| match entry {
        flag::Entry::Good(definition) => (key.key.to_string(), definition.to_json()),
        flag::Entry::Broken(_) => (key.key.to_string(), Json::Null),
    });
    (
        Json::Object(running.collect()),
        problems.iter().map(|problem| format!("{}: {}", problem.key, problem.found)).collect(),
    )
}

#[test]
fn an_overlay_has_one_entry_of_a_kind_a_flag() {
    let mut overlay = Overlay::default();
    assert_eq!(overlay.insert(entry("b", kill("stable"))), None);
    assert_eq!(overlay.insert(entry("b", disabled())), None);
    assert_eq!(overlay.insert(entry("a", kill("stable"))), None);
    assert_eq!(overlay.insert(entry("b", kill("canary"))), Some(entry("b", kill("stable"))));
    let all: Vec<_> = overlay.iter().map(|entry| (&**entry.flag(), entry.kind())).collect();
    assert_eq!(all, [("a", Kind::Kill), ("b", Kind::State), ("b", Kind::Kill)]);
    assert_eq!(overlay.of("b"), [entry("b", disabled()), entry("b", kill("canary"))]);
    assert!(overlay.of("aa").is_empty() && overlay.of("c").is_empty());
    assert_eq!(overlay.get("b", Kind::Kill), Some(&entry("b", kill("canary"))));

    let json = serde_json::to_string(&overlay).expect("it is JSON");
    assert_eq!(serde_json::from_str::<Overlay>(&json).expect("it is an overlay"), overlay);

    assert_eq!(overlay.remove("b", Kind::Weight), None);
    assert_eq!(overlay.remove("b", Kind::Kill), Some(entry("b", kill("canary"))));
    assert_eq!(overlay.remove_all("a"), [entry("a", kill("stable"))]);
    assert_eq!(overlay.len(), 1);
}

#[test]
fn entries_run_out_one_by_one() {
    let mut overlay = overlay([
        until("a", kill("stable"), 300),
        until("a", disabled(), 200),
        until("b", disabled(), 400),
        entry("c", disabled()),
    ]);
    assert_eq!(overlay.next_expiry(), Some(200));
    assert_eq!(
        (overlay.expired(199).count(), overlay.expired(200).count(), overlay.expired(1000).count()),
        (0, 1, 3)
    );
    assert_eq!(overlay.remove_expired(300), [until("a", disabled(), 200), until("a", kill("stable"), 300)]);
    assert_eq!(overlay.next_expiry(), Some(400));
    overlay.remove_expired(400);
    assert_eq!((overlay.next_expiry(), overlay.len()), (None, 1));
}

#[test]
fn changes_apply_in_their_order_and_releasing_leads_back() {
    let set = Change::Set(flag(json!({"targeting": {"fractional": [["canary", 0], ["stable", 200]]}})));
    let mut overlay = overlay([
        entry("f", kill("stable")),
        entry("f", weight("canary=5%")),
        entry("f", disabled()),
        entry("f", set),
    ]);
    let sources = json!({"f": split(1), "g": split(2)});
    let weighed = |sum: u32, state: &str| {
        let parts = json!([["canary", sum / 20], ["stable", sum - sum / 20]]);
        json!({"f": flag(json!({"state": state, "targeting": {"fractional": parts}})), "g": split(2)})
    };
    assert_eq!(run(&overlay, &sources), (json!({"f": flag(json!({})), "g": split(2)}), vec![]));
    overlay.remove("f", Kind::Kill);
    assert_eq!(run(&overlay, &sources), (weighed(200, "DISABLED"), vec![]));
    overlay.remove("f", Kind::Set);
    assert_eq!(run(&overlay, &sources), (weighed(100, "DISABLED"), vec![]));
    overlay.remove("f", Kind::State);
    assert_eq!(run(&overlay, &sources), (weighed(100, "ENABLED"), vec![]));
    overlay.remove("f", Kind::Weight);
    assert_eq!(run(&overlay, &sources), (sources, vec![]));
}

#[test]
fn a_kill_stands_when_the_flag_is_gone_or_broken() {
    let overlay = overlay([entry("f", kill("stable")), entry("g", kill("stable"))]);
    let alone = json!({"state": "ENABLED", "variants": {"stable": "stable"}, "defaultVariant": "stable"});
    assert_eq!(run(&overlay, &json!({"g": null})), (json!({"f": alone, "g": alone}), vec![]));
}

#[test]
fn what_does_not_apply_is_told_and_the_rest_applies() {
    let broken = Change::Set(json!({"state": "ENABLED"}));
    let overlay = overlay([
        entry("f", weight("canary=5%")),
        entry("f", disabled()),
        entry("g", disabled()),
        entry("h", disabled()),
        entry("i", broken),
    ]);
    let (running, problems) = run(&overlay, &json!({"f": flag(json!({})), "h": null, "i": split(1)}));
    assert_eq!(running, json!({"f": flag(json!({"state": "DISABLED"})), "h": null, "i": split(1)}));
    assert_eq!(
        problems,
        [
            "overlay.f.weight: the weight of `f` by ann does not apply: `f` has no rule, so there is no split to change",
            "overlay.g.state: the state of `g` by ann does not apply: there is no usable definition of `g`",
            "overlay.h.state: the state of `h` by ann does not apply: there is no usable definition of `h`",
            "overlay.i.set: the set of `i` by ann does not apply: the definition of `i` is wrong: the flag has no `variants`",
        ]
    );
    let (_, problems) = overlay.apply_all(definitions(&json!({})), &FlagLimits::default());
    assert!(
        problems
            .iter()
            .all(|problem| problem.kind == ProblemKind::Overlay && problem.severity == Severity::Error)
    );
    assert_eq!(
        problems[2].fix.as_deref(),
        Some(
            "mend the flag in its source, or give it a definition with `flags set`; or release it with `flags release g`"
        )
    );
}

/// The kinds that release themselves when the source of `f` changes so; null: it has no such flag.
fn caught_up(entries: &[Change], before: Json, after: Json) -> Vec<Kind> {
    let overlay = overlay(entries.iter().map(|change| entry("f", change.clone())));
    let one = |json: Json| definitions(&if json.is_null() { json!({}) } else { json!({"f": json}) });
    overlay.caught_up("f", one(before).of("f"), one(after).of("f"), &FlagLimits::default())
}

#[test]
fn an_entry_that_its_source_has_caught_up_with_is_found() {
    let (plain, off) = (flag(json!({})), flag(json!({"state": "DISABLED"})));
    let with_owner = flag(json!({"metadata": {"owner": "ann"}}));
    let split_off = |canary: u32| {
        let mut split = split(canary);
        split["state"] = "DISABLED".into();
        split
    };
    let set = || Change::Set(split(7));
    /// Entries, the source before and after, which release themselves, why.
    type Row<'t> = (&'t [Change], Json, Json, &'t [Kind], &'t str);
    let table: [Row; 16] = [
        (&[weight("canary=5%")], split(1), split(5), &[Kind::Weight], "the source says so itself"),
        (&[weight("canary=5%")], split(1), split(2), &[], "the source went elsewhere"),
        (&[weight("canary=5%")], split(5), split(5), &[], "nothing changed"),
        (&[weight("canary=5%")], split(5), split_off(5), &[], "it had no effect before: a pin"),
        (&[weight("canary=5%")], plain.clone(), split(5), &[Kind::Weight], "it did not even apply before"),
        (
            &[weight("canary=5%")],
            split(1),
            plain.clone(),
            &[],
            "it does not apply any more: a problem, no release",
        ),
        (&[disabled()], plain.clone(), off.clone(), &[Kind::State], "disabled there, too"),
        (&[kill("stable")], split(1), plain.clone(), &[Kind::Kill], "everyone gets it anyway"),
        (&[kill("stable")], split(1), with_owner.clone(), &[Kind::Kill], "whatever else it says"),
        (&[kill("stable")], split(1), Json::Null, &[], "the flag went, the kill stands"),
        (&[kill("stable")], Json::Null, plain.clone(), &[Kind::Kill], "the flag came back as it runs"),
        (
            &[weight("canary=5%"), kill("stable")],
            split(1),
            split(2),
            &[],
            "a weight that a kill covers is not superfluous",
        ),
        (
            &[weight("canary=5%"), kill("stable")],
            split(1),
            split(5),
            &[Kind::Weight],
            "one below a kill is found",
        ),
        (
            &[disabled(), weight("canary=5%")],
            split(1),
            split_off(5),
            &[Kind::State, Kind::Weight],
            "several at once",
        ),
        (&[set()], split(1), split(7), &[Kind::Set], "a whole definition"),
        (&[set(), weight("canary=5%")], split(1), split(7), &[Kind::Set], "and what stands above it goes on"),
    ];
    for (entries, before, after, expected, what) in table {
        assert_eq!(caught_up(entries, before, after), expected, "{what}");
    }
}

#[test]
fn metadata_of_the_source_keeps_no_set_from_being_caught_up_with() {
    let owned = |canary| {
        let mut split = split(canary);
        split["metadata"] = json!({"owner": "ann"});
        split
    };
    assert_eq!(caught_up(&[Change::Set(split(7))], owned(1), owned(7)), [Kind::Set]);
}

#[test]
fn of_all_flags_those_that_were_caught_up_with_are_found() {
    let overlay = overlay([entry("f", weight("canary=5%")), entry("g", disabled()), entry("h", disabled())]);
    let before = definitions(&json!({"f": split(1), "g": split(1), "h": null}));
    let after = definitions(&json!({"f": split(5), "g": split(2), "h": null}));
    let found = overlay.all_caught_up(&before, &after, &FlagLimits::default());
    assert_eq!(found, [("f", vec![Kind::Weight])]);
}
