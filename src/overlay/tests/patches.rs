//! Patches: what they touch, what they yield, what they leave.

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use crate::config::FlagLimits;
use crate::flag::{Definition, Document, FlagState, Format};
use crate::overlay::diff::{Patch, patch, unified};
use crate::overlay::fixture::definition;
use crate::overlay::{Change, apply, shares};

const SHOP: &str = r#"{
  "$schema": "https://flagd.dev/schema/v0/flags.json",
  "flags": {
    "checkout-version": {
      "state": "ENABLED",
      "variants": {"stable": "stable", "canary": "canary"},
      "defaultVariant": "stable",
      "targeting": {
        "if": [
          {"==": [{"var": "header.x-canary"}, "always"]}, "canary",
          {"$ref": "staff"}, "canary",
          {"fractional": [["canary", 10], ["stable", 90]]}
        ]
      },
      "metadata": {"owner": "team-checkout"}
    },
    "search": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off"}
  },
  "$evaluators": {"staff": {"ends_with": [{"var": "email"}, "@example.com"]}},
  "metadata": {"team": "shop"}
}
"#;

fn parsed(text: &str, format: Format, key: &str) -> Definition {
    let document =
        Document::parse("flags.json", text, format, &FlagLimits::default()).expect("it is a document");
    Definition::clone(document.flags[key].as_ref().expect("the flag is good"))
}

fn kill(variant: &str) -> Change {
    Change::Kill { variant: variant.to_owned(), value: variant.into() }
}

fn weight(text: &str) -> Change {
    Change::Weight(shares(text).expect("they are shares"))
}

/// What runs when this was done to a flag of a document.
fn running(text: &str, key: &str, changes: &[Change]) -> Definition {
    let document =
        Document::parse("flags.json", text, Format::Json, &FlagLimits::default()).expect("it is a document");
    let below =
        document.flags.get(key).and_then(|flag| flag.as_ref().ok()).map(|flag| Definition::clone(flag));
    let running = changes.iter().fold(below, |below, change| {
        Some(apply(change, key, below.as_ref(), &FlagLimits::default()).expect("it applies").definition)
    });
    running.expect("there is such a flag")
}

fn patched(text: &str, running: &Definition) -> String {
    match patch("flags.json", text, Format::Json, running, &FlagLimits::default()) {
        Ok(Patch::Text(new)) => {
            let again = patch("flags.json", &new, Format::Json, running, &FlagLimits::default());
            assert_eq!(again, Ok(Patch::None));
            new
        }
        other => panic!("{other:?}"),
    }
}

/// The lines that go and come when this is done to a flag of the shop.
fn difference(text: &str, key: &str, changes: &[Change]) -> String {
    let difference = unified(text, &patched(text, &running(text, key, changes)), "flags.json");
    let changed =
        |line: &&str| line.starts_with(['+', '-']) && !line.starts_with("+++") && !line.starts_with("---");
    difference.lines().filter(changed).map(|line| format!("{line}\n")).collect()
}

#[test]
fn a_patch_touches_what_changed_and_nothing_else() {
    let own = json!({"state": "ENABLED", "variants": {"on": true, "off": false, "auto": null}, "targeting": {"if": [{"var": "new"}, "on", "auto"]}, "metadata": {"owner": "ann"}});
    for (key, changes, expected) in [
        (
            "checkout-version",
            &[weight("canary=25%")] as &[Change],
            r#"
-          {"fractional": [["canary", 10], ["stable", 90]]}
+          {"fractional": [["canary", 25], ["stable", 75]]}
"#,
        ),
        (
            "checkout-version",
            &[Change::State(FlagState::Disabled)],
            r#"
-      "state": "ENABLED",
+      "state": "DISABLED",
"#,
        ),
        (
            "checkout-version",
            &[kill("canary")],
            r#"
-      "defaultVariant": "stable",
-      "targeting": {
-        "if": [
-          {"==": [{"var": "header.x-canary"}, "always"]}, "canary",
-          {"$ref": "staff"}, "canary",
-          {"fractional": [["canary", 10], ["stable", 90]]}
-        ]
-      },
+      "defaultVariant": "canary",
"#,
        ),
        (
            "checkout-version",
            &[kill("old")],
            r#"
-      "variants": {"stable": "stable", "canary": "canary"},
-      "defaultVariant": "stable",
-      "targeting": {
-        "if": [
-          {"==": [{"var": "header.x-canary"}, "always"]}, "canary",
-          {"$ref": "staff"}, "canary",
-          {"fractional": [["canary", 10], ["stable", 90]]}
-        ]
-      },
+      "variants": {"stable": "stable", "canary": "canary", "old": "old"},
+      "defaultVariant": "old",
"#,
        ),
        (
            "search",
            &[Change::Set(own)],
            r#"
-    "search": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off"}
+    "search": {"state": "ENABLED", "variants": {"on": true, "off": false, "auto": null}, "targeting": {"if": [{"var": "new"}, "on", "auto"]}, "metadata": {"owner": "ann"}}
"#,
        ),
        (
            "gone",
            &[kill("stable")],
            r#"
-    "search": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off"}
+    "search": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off"},
+    "gone": {"defaultVariant": "stable", "state": "ENABLED", "variants": {"stable": "stable"}}
"#,
        ),
    ] {
        assert_eq!(difference(SHOP, key, changes), expected.trim_start_matches('\n'), "{key}: {changes:?}");
    }
}

#[test]
fn what_means_the_same_stays_as_it_is_written() {
    // A reference stays though a part beside it changes; what it stands for is put in only where it has to differ.
    let behind =
        SHOP.replace(r#"{"$ref": "staff"}, "canary","#, r#"{"var": "staff"}, {"$ref": "split"},"#).replace(
            r#""$evaluators": {"#,
            r#""$evaluators": {"split": {"fractional": [["canary", 1], ["stable", 1]]}, "#,
        );
    let behind = behind.replace(r#"{"fractional": [["canary", 10], ["stable", 90]]}"#, "null");
    assert_eq!(
        difference(&behind, "checkout-version", &[weight("canary=75%")]),
        r#"-          {"var": "staff"}, {"$ref": "split"},
+          {"var": "staff"}, {"fractional": [["canary", 3], ["stable", 1]]},
"#
    );
    // Metadata of the document is not repeated in the flag; what the flag has of its own stays.
    let text = r#"{"flags": {"f": {"$comment": "keep", "state": "ENABLED", "variants": {"a": 1}, "targeting": {}, "defaultVariant": null}}, "metadata": {"team": "shop"}}"#;
    let expected = r#"{"flags": {"f": {"$comment": "keep", "state": "ENABLED", "variants": {"a": 1, "b": "b"}, "targeting": {}, "defaultVariant": "b"}}, "metadata": {"team": "shop"}}"#;
    assert_eq!(patched(text, &running(text, "f", &[kill("b")])), expected);
}

#[test]
fn a_patch_is_laid_out_as_its_surroundings() {
    let rule = json!({"if": [{"in": [{"var": "country"}, ["AT", "CH", "DE"]]}, "on", {"==": [{"var": "header.x-canary"}, "always"]}, "on", "off"]});
    let set =
        Change::Set(json!({"state": "ENABLED", "variants": {"on": true, "off": false}, "targeting": rule}));
    for (text, expected) in [
        // One line.
        (
            r#"{"flags":{"f":{"state":"ENABLED","variants":{"on":true,"off":false}}}}"#,
            r#"{"flags":{"f":{"state":"ENABLED","variants":{"on":true,"off":false},"targeting":{"if":[{"in":[{"var":"country"},["AT","CH","DE"]]},"on",{"==":[{"var":"header.x-canary"},"always"]},"on","off"]}}}}"#,
        ),
        // Broken where it is too long, by tabs, with the line ends of Windows.
        (
            "\u{feff}{\r\n\t\"flags\": {\r\n\t\t\"f\": {\r\n\t\t\t\"state\": \"ENABLED\",\r\n\t\t\t\"variants\": {\"on\": true, \"off\": false}\r\n\t\t}\r\n\t}\r\n}\r\n",
            "\u{feff}{\r\n\t\"flags\": {\r\n\t\t\"f\": {\r\n\t\t\t\"state\": \"ENABLED\",\r\n\t\t\t\"variants\": {\"on\": true, \"off\": false},\r\n\t\t\t\"targeting\": {\r\n\t\t\t\t\"if\": [\r\n\t\t\t\t\t{\"in\": [{\"var\": \"country\"}, [\"AT\", \"CH\", \"DE\"]]},\r\n\t\t\t\t\t\"on\",\r\n\t\t\t\t\t{\"==\": [{\"var\": \"header.x-canary\"}, \"always\"]},\r\n\t\t\t\t\t\"on\",\r\n\t\t\t\t\t\"off\"\r\n\t\t\t\t]\r\n\t\t\t}\r\n\t\t}\r\n\t}\r\n}\r\n",
        ),
    ] {
        assert_eq!(patched(text, &running(text, "f", std::slice::from_ref(&set))), expected);
    }
    // Everything broken, as tools write it.
    let pretty = |json: &Json| serde_json::to_string_pretty(json).expect("it is JSON") + "\n";
    let flag = |targeting: &Json| json!({"flags": {"f": {"state": "ENABLED", "targeting": targeting, "variants": {"off": false, "on": true}}}});
    let text = pretty(&flag(&json!({"if": [true, "on"]})));
    assert_eq!(patched(&text, &running(&text, "f", &[set])), pretty(&flag(&rule)));
}

#[test]
fn flags_of_a_list_are_patched_in_the_list() {
    let text = "{\"flags\": [\n  {\"key\": \"f\", \"state\": \"ENABLED\", \"variants\": {\"a\": 1}},\n  {\"key\": \"g\", \"state\": \"ENABLED\", \"variants\": {\"a\": 1}}\n]}";
    let killed = |key, value: i32| {
        running(text, key, &[Change::Kill { variant: "a".to_owned(), value: value.into() }])
    };
    assert_eq!(
        patched(text, &killed("g", 1)),
        text.replace("\"variants\": {\"a\": 1}}\n", "\"variants\": {\"a\": 1}, \"defaultVariant\": \"a\"}\n")
    );
    assert_eq!(
        patched(text, &killed("h", 1)),
        text.replace("\n]", ",\n  {\"defaultVariant\": \"a\", \"key\": \"h\", \"state\": \"ENABLED\", \"variants\": {\"a\": 1}}\n]")
    );
    let mut empty = "{\"flags\": []}".to_owned();
    for key in ["h", "i"] {
        empty = patched(&empty, &killed(key, 1));
    }
    assert_eq!(
        empty,
        r#"{"flags": [{"defaultVariant": "a", "key": "h", "state": "ENABLED", "variants": {"a": 1}}, {"defaultVariant": "a", "key": "i", "state": "ENABLED", "variants": {"a": 1}}]}"#
    );
}

#[test]
fn of_what_stands_twice_the_last_one_is_patched() {
    let text = r#"{"flags": {"f": {}}, "flags": {"f": 1, "f": {"state": "ENABLED", "variants": {}, "variants": {"a": 1, "a": 2}, "defaultVariant": 1, "defaultVariant": "a", "targeting": {"if": []}, "targeting": {"if": [1, "a"]}}}}"#;
    assert_eq!(
        patched(text, &running(text, "f", &[Change::Kill { variant: "a".to_owned(), value: 3.into() }])),
        r#"{"flags": {"f": {}}, "flags": {"f": 1, "f": {"state": "ENABLED", "variants": {}, "variants": {"a": 1, "a": 3}, "defaultVariant": 1, "defaultVariant": "a"}}}"#
    );
}

#[test]
fn a_broken_flag_is_replaced_and_what_is_said_already_needs_no_patch() {
    let text = "{\"flags\": {\n  \"f\": {\"state\": \"ON\"},\n  \"g\": {\"state\": \"ENABLED\", \"variants\": {\"a\": 1}, \"defaultVariant\": \"a\"}\n}}";
    let killed = |key: &str| running(text, key, &[Change::Kill { variant: "a".to_owned(), value: 1.into() }]);
    assert_eq!(
        difference(text, "f", &[Change::Kill { variant: "a".to_owned(), value: 1.into() }]),
        "-  \"f\": {\"state\": \"ON\"},\n+  \"f\": {\"defaultVariant\": \"a\", \"state\": \"ENABLED\", \"variants\": {\"a\": 1}},\n"
    );
    let limits = FlagLimits::default();
    assert_eq!(patch("flags.json", text, Format::Json, &killed("g"), &limits), Ok(Patch::None));
    assert_eq!(unified(text, text, "flags.json"), "");
    assert!(patch("flags.json", "{", Format::Json, &killed("g"), &limits).is_err());
}

#[test]
fn metadata_of_the_document_may_come_along() {
    let text =
        r#"{"flags": {"f": {"state": "ENABLED", "variants": {"a": 1}}}, "metadata": {"team": "shop"}}"#;
    let patched = |json: Json| {
        let running = definition("f", &json);
        match patch("flags.json", text, Format::Json, &running, &FlagLimits::default()) {
            Ok(Patch::Text(text)) => Some(parsed(&text, Format::Json, "f").to_json()["metadata"].take()),
            Ok(Patch::None) => None,
            other => panic!("{other:?}"),
        }
    };
    let with = |metadata: Json| json!({"state": "ENABLED", "variants": {"a": 1}, "metadata": metadata});
    assert_eq!(patched(with(json!({}))), None);
    assert_eq!(patched(with(json!({"team": "shop"}))), None);
    assert_eq!(patched(with(json!({"owner": "ann"}))), Some(json!({"team": "shop", "owner": "ann"})));
    assert_eq!(patched(with(json!({"team": "search"}))), Some(json!({"team": "search"})));
}

#[test]
fn a_document_that_cannot_be_edited_is_told() {
    let (open, close) = ("[".repeat(130), "]".repeat(130));
    let text = format!(r#"{{"flags": {{"deep": {open}{close}}}}}"#);
    let problems = patch(
        "flags.json",
        &text,
        Format::Json,
        &running("{\"flags\":{}}", "f", &[kill("a")]),
        &FlagLimits::default(),
    )
    .expect_err("it is too deep");
    assert_eq!(problems[0].key, "flags.f");
    assert_eq!(problems[0].found, "`flags.json` has values that are nested too deeply to be edited");
}

#[test]
fn yaml_gets_operations_instead() {
    let text = "flags:\n  a/b~c: # why\n    state: ENABLED\n    variants: {stable: stable, canary: canary}\n    defaultVariant: stable\n    targeting: {fractional: [[canary, 1], [stable, 99]]}\n";
    let below = parsed(text, Format::Yaml, "a/b~c");
    let patch = |change: Change, key: &str| {
        let below = Some(&below).filter(|_| key == "a/b~c");
        let running = apply(&change, key, below, &FlagLimits::default()).expect("it applies").definition;
        match patch("flags.yaml", text, Format::Yaml, &running, &FlagLimits::default()) {
            Ok(Patch::Operations(operations)) => Json::Array(operations),
            other => panic!("{other:?}"),
        }
    };
    let split = "/flags/a~1b~0c/targeting/fractional";
    assert_eq!(
        patch(weight("canary=5%"), "a/b~c"),
        json!([
            {"op": "replace", "path": format!("{split}/0/1"), "value": 5},
            {"op": "replace", "path": format!("{split}/1/1"), "value": 95},
        ])
    );
    assert_eq!(
        patch(kill("old"), "a/b~c"),
        json!([
            {"op": "add", "path": "/flags/a~1b~0c/variants/old", "value": "old"},
            {"op": "replace", "path": "/flags/a~1b~0c/defaultVariant", "value": "old"},
            {"op": "remove", "path": "/flags/a~1b~0c/targeting"},
        ])
    );
    let new = json!({"state": "ENABLED", "variants": {"x": "x"}, "defaultVariant": "x"});
    assert_eq!(patch(kill("x"), "new"), json!([{"op": "add", "path": "/flags/new", "value": new}]));
}

#[test]
fn a_difference_is_one_that_patch_takes() {
    let new = patched(SHOP, &running(SHOP, "checkout-version", &[weight("canary=25%")]));
    assert_eq!(
        unified(SHOP, &new, "conf/flags.json"),
        r#"--- conf/flags.json
+++ conf/flags.json
@@ -9,7 +9,7 @@
         "if": [
           {"==": [{"var": "header.x-canary"}, "always"]}, "canary",
           {"$ref": "staff"}, "canary",
-          {"fractional": [["canary", 10], ["stable", 90]]}
+          {"fractional": [["canary", 25], ["stable", 75]]}
         ]
       },
       "metadata": {"owner": "team-checkout"}
"#
    );
    assert_eq!(unified("a", "b\n", "f"), "--- f\n+++ f\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+b\n");
}

/// Any flag over a few names, so that two of them often have much in common.
fn any_flag() -> impl Strategy<Value = Json> {
    let value = prop_oneof![
        any::<bool>().prop_map(Json::from),
        any::<i8>().prop_map(Json::from),
        "[a-c\"{\\\\]{0,3}".prop_map(Json::from),
        Just(Json::Null)
    ];
    let leaf = prop_oneof![value.clone(), Just(json!({"var": "x"})), Just(json!({"$ref": "shared"}))];
    let rule = leaf.prop_recursive(4, 20, 3, |inner| {
        let args = prop::collection::vec(inner, 0..4);
        let name = prop::sample::select(vec!["if", "and", "==", "cat", "fractional"]);
        prop_oneof![
            (name, args.clone()).prop_map(|(name, args)| json!({name: args})),
            args.prop_map(Json::Array),
        ]
    });
    let variants = prop::collection::btree_map("[a-d\"}]", value.clone(), 1..4);
    let metadata = prop::collection::btree_map("[a-c]", "[x-z]", 0..3);
    let rule = prop_oneof![1 => Just(Json::Null), 1 => Just(json!({})), 6 => rule.prop_map(|rule| json!({"if": [rule]}))];
    (any::<bool>(), variants, any::<Option<prop::sample::Index>>(), rule, prop::option::of(metadata))
        .prop_map(|(on, variants, default, rule, metadata)| {
            let names: Vec<_> = variants.keys().cloned().collect();
            let mut flag = json!({"state": if on { "ENABLED" } else { "DISABLED" }, "variants": variants});
            if let Some(at) = default {
                flag["defaultVariant"] = names[at.index(names.len())].clone().into();
            }
            for (member, json) in
                [("targeting", Some(rule)), ("metadata", metadata.map(|metadata| json!(metadata)))]
            {
                if let Some(json) = json {
                    flag[member] = json;
                }
            }
            flag
        })
}

/// JSON with any blanks; each byte of `dice` decides about a place, round and round.
fn scribble(json: &Json, dice: &mut impl Iterator<Item = u8>, text: &mut String) {
    let mut blank = |text: &mut String| {
        text.push_str(["", "", " ", "\n", "\n  ", "\r\n\t", "  "][usize::from(dice.next().unwrap_or(0)) % 7]);
    };
    blank(text);
    match json {
        Json::Object(map) => {
            text.push('{');
            for (at, (key, value)) in map.iter().enumerate() {
                text.push_str(if at > 0 { "," } else { "" });
                scribble(&Json::from(key.as_str()), dice, text);
                text.push(':');
                scribble(value, dice, text);
            }
            text.push('}');
        }
        Json::Array(items) => {
            text.push('[');
            for (at, item) in items.iter().enumerate() {
                text.push_str(if at > 0 { "," } else { "" });
                scribble(item, dice, text);
            }
            text.push(']');
        }
        scalar => text.push_str(&scalar.to_string()),
    }
    text.push_str([" ", "", "\n"][usize::from(dice.next().unwrap_or(0)) % 3]);
}

proptest! {
    #[test]
    fn a_patched_document_says_what_runs_and_keeps_all_else(
        before in any_flag(), after in any_flag(), dice in prop::collection::vec(any::<u8>(), 1..40),
    ) {
        let shared = json!({"==": [{"var": "y"}, 1]});
        let document = |flag: &Json| json!({"flags": {"f": flag}, "$evaluators": {"shared": shared}}).to_string();
        let mut written = String::new();
        scribble(&before, &mut dice.iter().copied().cycle(), &mut written);
        let head = "{\n  \"flags\": {\n    \"a\" : { },\n    \"f\":";
        let tail = format!(", \"z\": {{\"state\": \"on\"}}}}, \"$evaluators\": {{\"shared\": {shared}}} }}");
        let text = format!("{head}{written}{tail}");
        let parse = |text: &str| {
            let document = Document::parse("f", text, Format::Json, &FlagLimits::default()).expect("it is a document");
            document.flags["f"].clone()
        };
        let Ok(running) = parse(&document(&after)) else { return Ok(()) };
        let new = match patch("f", &text, Format::Json, &running, &FlagLimits::default()) {
            Ok(Patch::Text(new)) => new,
            Ok(Patch::None) => text.clone(),
            other => panic!("{other:?}"),
        };
        prop_assert!(new.starts_with(head) && new.ends_with(&tail), "{}", new);
        prop_assert_eq!(parse(&new).expect("it is good").canonical(), running.canonical());
        let again = patch("f", &new, Format::Json, &running, &FlagLimits::default());
        prop_assert_eq!(again, Ok(Patch::None));
        // And as operations: YAML is a superset of JSON.
        let operations = patch("f.yaml", &document(&before), Format::Yaml, &running, &FlagLimits::default());
        prop_assert!(matches!(operations, Ok(Patch::Operations(_) | Patch::None)), "{:?}", operations);
    }
}
