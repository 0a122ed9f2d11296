//! Entries over keys that stand in several flag sets.

use serde_json::{Value as Json, json};

use crate::config::{FlagLimits, Severity};
use crate::flag::{self, Definitions, Document, Format, Stated};
use crate::overlay::fixture::flag;
use crate::overlay::{Change, Entry, Kind, Overlay, shares};

const LIMITS: fn() -> FlagLimits = FlagLimits::default;

/// Flags of one key, each of a set of its own; the last one counts.
fn stated(flags: &[(&str, Json)]) -> Definitions {
    let flags = flags.iter().map(|(set, flag)| {
        let mut flag = flag.clone();
        flag["key"] = "f".into();
        flag["metadata"] = json!({"flagSetId": set});
        flag
    });
    let text = json!({"flags": flags.collect::<Vec<_>>()}).to_string();
    let document = Document::parse("flags.json", &text, Format::Json, &LIMITS()).expect("it is a document");
    let flags = document.flags.into_iter().map(|(identity, flag)| {
        let flag = flag.map_or_else(|_| flag::Entry::Broken("why".into()), flag::Entry::Good);
        Stated { identity, source: "flags.json".into(), flag }
    });
    flags.collect()
}

fn overlay(changes: &[Change]) -> Overlay {
    let entry =
        |change: &Change| Entry::new("f", change.clone(), "ann", 100, "", None).expect("it is an entry");
    changes.iter().map(entry).collect::<Vec<_>>().into()
}

fn kill() -> Change {
    Change::Kill { variant: "stable".to_owned(), value: "stable".into() }
}

fn split() -> Json {
    flag(json!({"targeting": {"fractional": [["canary", 1], ["stable", 99]]}}))
}

/// `set: what runs`, in order of precedence: `split`, or the default variant's value of one without a rule.
fn running(definitions: &Definitions) -> Vec<String> {
    let told = definitions.of("f").iter().map(|stated| {
        assert_eq!(&*stated.source, "flags.json");
        let what = match &stated.flag {
            flag::Entry::Broken(_) => "broken".to_owned(),
            flag::Entry::Good(flag) if flag.targeting.is_some() => "split".to_owned(),
            flag::Entry::Good(flag) => flag
                .default_variant
                .map_or(Json::Null, |id| flag.variants[id.0 as usize].1.clone())
                .to_string(),
        };
        format!("{}: {what}", stated.identity.set)
    });
    told.collect()
}

#[test]
fn a_kill_reaches_every_flag_of_its_key_that_has_the_variant_and_tells_the_others() {
    let numbers = flag(json!({"variants": {"stable": 1, "canary": 2}, "targeting": {"var": "x"}}));
    let without = flag(json!({"variants": {"on": 1}, "defaultVariant": "on"}));
    let sources = stated(&[("a", numbers), ("b", without), ("c", json!({"state": "ON"})), ("d", split())]);
    let (killed, problems) = overlay(&[kill()]).apply_all(sources.clone(), &LIMITS());
    assert_eq!(running(&killed), ["a: 1", "b: 1", "c: broken", "d: \"stable\""], "each with its own value");
    let [problem] = &problems[..] else { panic!("one: {problems:?}") };
    assert_eq!(
        (&*problem.key, &*problem.found, problem.severity),
        (
            "overlay.f.kill",
            "the kill of `f` does not reach the flag of that key in the flag set \"b\": it has no such variant",
            Severity::Warning
        )
    );
    let (released, problems) = overlay(&[]).apply_all(sources, &LIMITS());
    assert_eq!((running(&released)[0].as_str(), problems.len()), ("a: split", 0));
}

#[test]
fn all_else_is_done_to_the_flag_that_counts_alone() {
    let sources = stated(&[("a", split()), ("b", split())]);
    let weight = Change::Weight(shares("canary=100%").expect("they are shares"));
    for change in [Change::State(flag::FlagState::Disabled), weight, Change::Set(flag(json!({})))] {
        let (running, problems) = overlay(&[change]).apply_all(sources.clone(), &LIMITS());
        assert_eq!(problems, []);
        let changed: Vec<_> = running
            .of("f")
            .iter()
            .zip(sources.of("f"))
            .map(|(now, before)| {
                let canonical = |stated: &Stated<flag::Entry>| match &stated.flag {
                    flag::Entry::Good(definition) => definition.canonical(),
                    flag::Entry::Broken(why) => why.to_string(),
                };
                canonical(now) != canonical(before)
            })
            .collect();
        assert_eq!(changed, [false, true]);
    }
}

#[test]
fn a_definition_set_into_another_flag_set_takes_the_place_of_both() {
    let set = |id: &str| Change::Set(flag(json!({"metadata": {"flagSetId": id}})));
    let sources = stated(&[("a", split()), ("b", split()), ("c", split())]);
    for (id, expected) in
        [("a", vec!["b: split", "a: \"stable\""]), ("new", vec!["a: split", "b: split", "new: \"stable\""])]
    {
        let (now, _) = overlay(&[set(id)]).apply_all(sources.clone(), &LIMITS());
        assert_eq!(running(&now), expected);
    }
}

#[test]
fn a_kill_is_caught_up_with_when_every_flag_of_its_key_is() {
    let overlay = overlay(&[kill()]);
    let caught_up = |before: &[(&str, Json)], after: &[(&str, Json)]| {
        overlay.caught_up("f", stated(before).of("f"), stated(after).of("f"), &LIMITS())
    };
    let plain = || flag(json!({}));
    let both = [("a", split()), ("b", split())];
    assert_eq!(caught_up(&both, &[("a", split()), ("b", plain())]), [], "it still holds the other one");
    assert_eq!(caught_up(&both, &[("a", plain()), ("b", plain())]), [Kind::Kill]);
    assert_eq!(caught_up(&[("a", split()), ("b", plain())], &[("a", plain()), ("b", plain())]), [Kind::Kill]);
    assert_eq!(caught_up(&[("a", plain()), ("b", plain())], &[("a", plain()), ("b", plain())]), [], "a pin");
}
