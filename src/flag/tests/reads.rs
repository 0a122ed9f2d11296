//! What a rule can read, known before it runs: attributes, targeting key, time, or anything at all.

use serde_json::{Value as Json, json};

use super::{on_off, resolve, set, variant};
use crate::config::FractionalVersion::V3;

/// Attributes, and then what else: `key`, `time`, `everything`.
fn reads(rule: Json) -> String {
    let set = set(&on_off(rule), V3);
    let flag = set.get(set.find("flag").expect("it exists"));
    let attributes = flag.reads.slots.iter().map(|slot| &*set.paths()[slot.0 as usize]);
    let others = [
        (flag.reads.targeting_key, "key"),
        (flag.reads.timestamp, "time"),
        (flag.reads.everything, "everything"),
    ];
    let others = others.into_iter().filter(|(does, _)| *does).map(|(_, what)| what);
    attributes.chain(others).collect::<Vec<_>>().join(" ")
}

#[test]
fn what_a_rule_reads_is_known() {
    for (rule, what) in [
        (json!({"var": "a"}), "a"),
        (json!({"cat": [{"var": "b"}, {"var": "a"}, {"var": "b"}]}), "b a"),
        (json!({"var": ["a", {"var": "b"}]}), "a b"),
        (json!({"var": 1}), "1"),
        (json!({"var": "targetingKey"}), "key"),
        (json!({"var": "targetingKey.x"}), ""),
        (json!({"var": "$flagd.timestamp"}), "time"),
        (json!({"var": "$flagd.flagKey"}), ""),
        (json!({"var": "$flagd.x"}), ""),
        (json!({"var": "$flagd"}), "time"),
        (json!({"var": ""}), "key time everything"),
        (json!({"var": []}), "key time everything"),
        // Anything at all, the key and the time too.
        (json!({"var": {"var": "a"}}), "a everything"),
        (json!({"missing": ["a", "b.c", 3]}), "a b.c 3"),
        (json!({"missing": [["a", "b.c", 3]]}), "a b.c 3"),
        (json!({"missing": {"var": "a"}}), "a everything"),
        (json!({"missing_some": [{"var": "n"}, ["a"]]}), "n a"),
        (json!({"map": [{"var": "l"}, {"var": "a"}]}), "l"),
        (json!({"map": [{"var": "l"}, {"var": {"var": "a"}}]}), "l"),
        (json!({"reduce": [{"var": "l"}, {"var": "current"}, {"var": "i"}]}), "l i"),
        (json!({"fractional": [["on", 1]]}), "key"),
        (json!({"fractional": [{"var": "a"}, ["on", {"var": "w"}]]}), "a w"),
    ] {
        assert_eq!(reads(rule.clone()), what, "{rule}");
    }
}

#[test]
fn what_a_caller_says_of_flagd_is_not_believed() {
    let attributes =
        json!({"$flagd": {"flagKey": "other", "timestamp": 1, "mine": "x"}, "targetingKey": "u"});
    for (rule, expected) in [
        (json!({"if": [{"==": [{"var": "$flagd.flagKey"}, "flag"]}, "on"]}), "on"),
        (json!({"if": [{"==": [{"var": "$flagd.timestamp"}, 1_800_000_000]}, "on"]}), "on"),
        (json!({"if": [{"var": "$flagd.mine"}, "on"]}), "off"),
        (json!({"if": [{"var": {"cat": ["$flagd.", "mine"]}}, "on"]}), "off"),
        (json!({"if": [{"==": [{"var": {"cat": ["$flagd.", "flagKey"]}}, "flag"]}, "on"]}), "on"),
        (json!({"if": [{"var": "$flagd"}, "on"]}), "on"),
        (json!({"if": [{"in": ["other", {"cat": {"var": "$flagd"}}]}, "on"]}), "off"),
        (json!({"if": [{"in": ["mine", {"cat": {"var": ""}}]}, "on"]}), "off"),
        (json!({"if": [{"in": ["timestamp", {"cat": {"var": {"cat": ["", ""]}}}]}, "on"]}), "on"),
        (json!({"if": [{"in": ["mine", {"cat": {"var": {"cat": ["", ""]}}}]}, "on"]}), "off"),
        (json!({"if": [{"var": "targetingKey.x"}, "on"]}), "off"),
        (json!({"if": [{"==": [{"var": {"cat": ["targeting", "Key"]}}, "u"]}, "on"]}), "on"),
    ] {
        let set = set(&on_off(rule.clone()), V3);
        assert_eq!(variant(&set, "flag", &attributes), expected, "{rule}");
        assert!(resolve(&set, "flag", &attributes).error.is_none(), "{rule}");
    }
}

#[test]
fn every_name_is_looked_for_also_when_some_are_computed() {
    let attributes = json!({"here": 1, "name": "here", "names": ["gone", "here"]});
    for (rule, missing) in [
        (json!({"missing": [{"var": "name"}, "gone", "here", "far"]}), "gone,far"),
        (json!({"missing": [{"var": "names"}, "far"]}), "gone"),
        (json!({"missing": ["far", {"var": "name"}]}), "far"),
        (json!({"missing_some": [1, {"var": "names"}]}), ""),
        (json!({"missing_some": [2, {"var": "names"}]}), "gone"),
        (json!({"missing_some": [2, [{"var": "name"}, "gone", "far"]]}), "gone,far"),
    ] {
        let holds = json!({"if": [{"==": [{"cat": [rule]}, missing]}, "on"]});
        assert_eq!(variant(&set(&on_off(holds), V3), "flag", &attributes), "on", "{rule}");
    }
}

#[test]
fn bodies_see_every_item_until_the_answer_is_known() {
    let attributes = json!({"list": [0, 1, 2], "ones": [1, 1], "noughts": [0, 0], "empty": []});
    let above = |list: &str| json!([{"var": list}, {">": [{"var": ""}, 0]}]);
    for (rule, text) in [
        (json!({"all": above("list")}), "false"),
        (json!({"all": above("ones")}), "true"),
        (json!({"all": above("empty")}), "false"),
        (json!({"some": above("list")}), "true"),
        (json!({"some": above("noughts")}), "false"),
        (json!({"some": above("empty")}), "false"),
        (json!({"none": above("list")}), "false"),
        (json!({"none": above("noughts")}), "true"),
        (json!({"none": above("empty")}), "true"),
        (json!({"filter": above("list")}), "1,2"),
        (json!({"map": above("list")}), "false,true,true"),
    ] {
        let holds = json!({"if": [{"==": [{"cat": [rule]}, text]}, "on"]});
        assert_eq!(variant(&set(&on_off(holds), V3), "flag", &attributes), "on", "{rule}");
    }
}
