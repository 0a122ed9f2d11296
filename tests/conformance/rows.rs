//! One small question for each ruling: what the other engine says, and what we say.
//!
//! The flag has the variants `on` (true) and `off` (false), no default; a row is its targeting, or the members of a flag that has
//! its own ideas. So `null` is the answer "default", with no variant.

use serde_json::{Value as Json, json};

use crate::peer::Peer::{self, Npm, PyPi};

/// Ruling, whose, targeting, what they say, what we say: a variant, a reason or an error code.
type Row = (&'static str, Peer, &'static str, &'static str, &'static str);

/// Conditions stand alone: on when they hold, else off.
const ROWS: &[Row] = &[
    ("errors while a rule runs", Npm, r#"{"==": [{"var": "five"}, "abc"]}"#, "GENERAL", "off"),
    ("errors while a rule runs", Npm, r#"{"max": [{"var": "absent"}, 5]}"#, "GENERAL", "on"),
    ("errors while a rule runs", PyPi, r#"{"/": [{"var": "five"}, 0]}"#, "GENERAL", "off"),
    (
        "constants worked out beforehand",
        Npm,
        r#"{"or": [{"var": "five"}, {"%": [1, 0]}]}"#,
        "PARSE_ERROR",
        "on",
    ),
    (
        "compiled other than interpreted",
        Npm,
        r#"{"==": [{"cat": [{"missing_some": [1, ["five", "zero", "two"]]}]}, "x"]}"#,
        "GENERAL",
        "off",
    ),
    ("== of unlike types", PyPi, r#"{"==": [null, false]}"#, "on", "off"),
    ("== of unlike types", Npm, r#"{"==": ["", {"var": "zero"}]}"#, "on", "off"),
    ("=== of unlike types", PyPi, r#"{"===": [0, false]}"#, "on", "off"),
    ("=== of lists and objects", Npm, r#"{"===": [{"var": "list"}, {"var": "list"}]}"#, "on", "off"),
    ("order of unlike types", PyPi, r#"{"<": ["abc", null]}"#, "on", "off"),
    ("order of unlike types", Npm, r#"{"<": ["", 1]}"#, "on", "off"),
    ("in of unlike types", Npm, r#"{"in": ["", ""]}"#, "off", "on"),
    ("in of unlike types", PyPi, r#"{"in": [1, [true]]}"#, "on", "off"),
    ("truth of the empty object", PyPi, r#"{"!!": {"var": "bare"}}"#, "on", "off"),
    ("text of null", PyPi, r#"{"===": [{"cat": ["a", {"var": "absent"}]}, "a"]}"#, "off", "on"),
    ("text of null and objects", Npm, r#"{"===": [{"cat": ["a", {"var": "absent"}]}, "a"]}"#, "off", "on"),
    ("text of booleans", PyPi, r#"{"===": [{"cat": [true]}, "true"]}"#, "off", "on"),
    (
        "text of numbers",
        PyPi,
        r#"{"===": [{"cat": [123456789.123456789]}, "123456789.12345679"]}"#,
        "off",
        "on",
    ),
    ("text of objects", PyPi, r#"{"===": [{"cat": [{"var": "bare"}]}, "{}"]}"#, "off", "on"),
    ("numbers of lists", PyPi, r#"{">": [{"var": "list"}, 4]}"#, "on", "off"),
    ("numbers of texts", PyPi, r#"{"==": ["1_0", 10]}"#, "on", "off"),
    ("whole numbers beyond 2^53", PyPi, r#"{"==": ["9007199254740993", 9007199254740993]}"#, "off", "on"),
    ("arithmetic without a number", Npm, r#"{"===": [{"+": ["", 1]}, 1]}"#, "on", "off"),
    ("arithmetic without a number", PyPi, r#"{">": [{"max": [5, "x"]}, 4]}"#, "on", "off"),
    ("- and / of three", PyPi, r#"{"===": [{"-": [5, 2, 1]}, 2]}"#, "off", "on"),
    ("sign of %", PyPi, r#"{"<": [{"%": [-7, 3]}, 0]}"#, "off", "on"),
    ("one list is one argument", Npm, r#"{"===": [{"+": {"var": "list"}}, 5]}"#, "on", "off"),
    ("items of what is no list", Npm, r#"{"all": [{"var": "absent"}, true]}"#, "on", "off"),
    ("missing of null and of the empty text", Npm, r#"{"missing": ["empty"]}"#, "off", "on"),
    ("paths into texts, length, and defaults of null", Npm, r#"{"var": "text.length"}"#, "on", "off"),
    ("paths into texts, length, and defaults of null", PyPi, r#"{"var": "text.0"}"#, "on", "off"),
    ("substr by code points", Npm, r#"{"===": [{"substr": ["🙂x", 1]}, "x"]}"#, "off", "on"),
    ("the start of reduce", PyPi, r#"{"reduce": [[], 1, {"-": [1, 1]}]}"#, "on", "off"),
    ("partial versions with a prerelease", PyPi, r#"{"sem_ver": ["1.2-a", "<", "1.2.0"]}"#, "on", "off"),
    ("versions with a space or two v", Npm, r#"{"sem_ver": ["vv1.2.3", "=", "1.2.3"]}"#, "on", "off"),
    ("versions in a list", Npm, r#"{"sem_ver": [{"var": "list"}, "=", "5.0.0"]}"#, "on", "off"),
];

/// Whole targetings.
const TARGETINGS: &[Row] = &[
    ("no number is null", PyPi, r#"{"+": ["x", 1]}"#, "GENERAL", "DEFAULT"),
    ("no number is null", Npm, r#"{"+": [{"var": "text"}, 1]}"#, "GENERAL", "DEFAULT"),
    ("lists name no variant", Npm, r#"{"merge": [[{"cat": ["o", "n"]}]]}"#, "on", "GENERAL"),
    ("weights like 50.0", PyPi, r#"{"fractional": [["on", 50.0]]}"#, "DEFAULT", "on"),
    ("variants that are no names", PyPi, r#"{"fractional": [[[1], 1]]}"#, "GENERAL", "DEFAULT"),
    ("a null unit is none (v2)", Npm, r#"{"fractional": [null, ["on", 1]]}"#, "DEFAULT", "on"),
    ("refused when it loads", PyPi, r#"{"if": [true, "on", {"nobody's": []}]}"#, "on", "PARSE_ERROR"),
];

fn question(targeting: Json) -> String {
    let context = json!({
        "targetingKey": "ann", "zero": 0, "two": 2, "five": 5, "text": "abc", "empty": "", "list": [5], "bare": {},
    });
    let flag = json!({"state": "ENABLED", "variants": {"on": true, "off": false}, "targeting": targeting});
    json!({"flags": {"flags": {"flag": flag}}, "flagKey": "flag", "type": "boolean", "context": context, "now": 1}).to_string()
}

fn said(answer: &Json) -> &str {
    ["variant", "errorCode", "reason"].iter().find_map(|member| answer[*member].as_str()).unwrap_or("nothing")
}

#[test]
fn rulings_by_their_smallest_questions() {
    for peer in Peer::ALL {
        let conditions = ROWS.iter().map(|row| (row, json!({"if": [parsed(row.2), "on", "off"]})));
        let rows: Vec<(&Row, Json)> = conditions
            .chain(TARGETINGS.iter().map(|row| (row, parsed(row.2))))
            .filter(|(row, _)| row.1 == peer)
            .collect();
        let lines: Vec<String> = rows.iter().map(|(_, targeting)| question(targeting.clone())).collect();
        let repaired: Vec<String> =
            lines.iter().map(|line| line.replacen('{', "{\"amended\":true,", 1)).collect();
        let (theirs, ours, repaired) = (peer.answers(&lines), peer.ours(&lines), peer.answers(&repaired));
        let mut wrong = Vec::new();
        for (at, (row, _)) in rows.iter().enumerate() {
            let found = (said(&theirs[at]), said(&ours[at]), said(&repaired[at]));
            let named = repaired[at]["rulings"].as_array().is_some_and(|names| names.contains(&json!(row.0)));
            if found != (row.3, row.4, row.4) || !named {
                wrong.push(format!("{row:?}: {found:?}, {}", repaired[at]["rulings"]));
            }
        }
        assert!(wrong.is_empty(), "(theirs, ours, repaired)\n{}", wrong.join("\n"));
    }
}

fn parsed(text: &str) -> Json {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}
