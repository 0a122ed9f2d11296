//! Texts that are hardly documents.

use super::{Dice, document};

type Text = fn(&mut Dice) -> String;

/// Each kind with whether it is YAML.
pub const KINDS: [(&str, Text, bool); 10] = [
    ("brackets without end", brackets, false),
    ("numbers without end", numbers, false),
    ("one key, many times", repeated, false),
    ("names that break lines", names, false),
    ("halves of characters", surrogates, false),
    ("more flags than anyone has", many, false),
    ("everything of the wrong type", types, false),
    ("a document cut or changed", changed, false),
    ("aliases that double", aliases, true),
    ("YAML that nests", yaml_nested, true),
];

fn flag(name: &str, rest: &str) -> String {
    format!(
        r#"{name}: {{"state": "ENABLED", "variants": {{"on": true, "off": false}}, "defaultVariant": "off"{rest}}}"#
    )
}

fn one(rest: &str) -> String {
    format!(r#"{{"flags": {{{}}}}}"#, flag("\"flag\"", rest))
}

fn brackets(dice: &mut Dice) -> String {
    let depth = dice.size(100, 60_000);
    let (open, close) = *dice.pick(&[("[", "]"), ("{\"a\":", "}"), ("{\"!\":[", "]}")]);
    let close = if dice.roll().is_multiple_of(2) { close.repeat(depth) } else { String::new() };
    let nested = format!("{}1{close}", open.repeat(depth));
    match dice.roll() % 3 {
        0 => nested,
        1 => one(&format!(r#", "targeting": {nested}"#)),
        _ => format!(r#"{{"$evaluators": {{"a": {nested}}}, "flags": {{}}}}"#),
    }
}

fn numbers(dice: &mut Dice) -> String {
    let digits = "9".repeat(dice.size(1, 20_000));
    let number = match dice.roll() % 5 {
        0 => digits,
        1 => format!("-{digits}.{digits}"),
        2 => format!("0.{}1", "0".repeat(dice.size(1, 20_000))),
        3 => format!("1e{}", dice.size(1, 1_000_000)),
        _ => format!("{digits}e-{}", dice.size(1, 30_000)),
    };
    let text = format!(r#"{{"+": [{number}, "{number}"]}}"#);
    one(&format!(
        r#", "targeting": {{"if": [{{"fractional": [{number}, ["on", {number}]]}}, {{"cat": [{text}]}}, {text}]}}"#
    ))
}

fn repeated(dice: &mut Dice) -> String {
    let rule = r#", "targeting": {"if": [true, "on"], "if": [false, "off"]}, "targeting": {"var": "a"}"#;
    let flags = vec![flag("\"flag\"", rule); dice.size(2, 400)];
    format!(r#"{{"flags": {{{}}}, "flags": {{{}}}}}"#, flags.join(","), flags[0])
}

fn names(dice: &mut Dice) -> String {
    let piece = *dice.pick(&["\\u0000", "\\n", "a", "\\u202e", "%00", "é", "\\\"", ".", "{{", "\\u001b[2J"]);
    let name = piece.repeat(dice.size(1, 20_000));
    let variants = format!(r#", "variants": {{"{name}": 1}}, "targeting": {{"{name}": ["{name}"]}}"#);
    format!(
        r#"{{"flags": {{{}, {}}}}}"#,
        flag("\"flag\"", &variants),
        flag(&format!("\"{name}\""), r#", "targeting": {"var": "text"}"#)
    )
}

fn surrogates(dice: &mut Dice) -> String {
    let half = *dice.pick(&[
        "\\ud800",
        "\\udfff",
        "\\ud83d\\ud83d",
        "\\udc00\\ud800",
        "\\uD83D\\uDE00",
        "\\u12",
        "\\x00",
        "\u{feff}",
    ]);
    one(&format!(r#", "targeting": {{"if": [{{"==": ["{half}", {{"substr": ["{half}", -1]}}]}}, "on"]}}"#))
}

fn many(dice: &mut Dice) -> String {
    let flags =
        (0..dice.size(1, 3_000)).map(|at| flag(&format!("\"flag{at}\""), r#", "targeting": {"$ref": "e"}"#));
    let flags: Vec<String> = flags.collect();
    let wide = vec!["{\"var\": \"list\"}"; dice.size(1, 2_000)].join(",");
    format!(r#"{{"$evaluators": {{"e": {{"merge": [{wide}]}}}}, "flags": {{{}}}}}"#, flags.join(","))
}

fn types(dice: &mut Dice) -> String {
    let any = ["null", "true", "0", "\"\"", "[]", "{}", "[[]]", "{\"a\": 1}", "-1e9", "\"on\""];
    let mut any = || *dice.pick(&any);
    let flag = format!(
        r#"{{"key": {}, "state": {}, "variants": {}, "defaultVariant": {}, "targeting": {}, "metadata": {}}}"#,
        any(),
        any(),
        any(),
        any(),
        any(),
        any()
    );
    let flags = match dice.roll() % 3 {
        0 => format!("[{flag}, {flag}]"),
        1 => format!(r#"{{"flag": {flag}}}"#),
        _ => flag,
    };
    format!(r#"{{"flags": {flags}, "$evaluators": {flags}, "metadata": {flags}}}"#)
}

/// Another hostile document with one byte changed, or the end gone.
fn changed(dice: &mut Dice) -> String {
    let other = loop {
        let other = document(dice.roll() % 1_000_000);
        if other.kind != "a document cut or changed" && !other.yaml {
            break other.text;
        }
    };
    let mut bytes = other.into_bytes();
    let at = dice.roll() as usize % bytes.len();
    match dice.roll() % 3 {
        0 => bytes.truncate(at),
        1 => bytes[at] = *dice.pick(b"[]{}\",:\\0-e\n\0"),
        _ => drop(bytes.remove(at)),
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn aliases(dice: &mut Dice) -> String {
    let (levels, width) = (dice.size(2, 30), dice.size(2, 10));
    let mut text = "x0: &x0 [a, b, c]\n".to_owned();
    for at in 1..levels {
        let below = vec![format!("*x{}", at - 1); width].join(", ");
        text.push_str(&format!("x{at}: &x{at} [{below}]\n"));
    }
    text.push_str(
        "flags:\n  flag: {state: ENABLED, variants: {on: true}, defaultVariant: on, targeting: {in: [a, ",
    );
    text.push_str(&format!("*x{}]}}}}\n", levels - 1));
    text
}

fn yaml_nested(dice: &mut Dice) -> String {
    let depth = dice.size(10, 3_000);
    match dice.roll() % 4 {
        0 => format!("flags: {}1{}", "[".repeat(depth), "]".repeat(depth)),
        1 => (0..depth.min(400)).map(|at| format!("{}a:\n", " ".repeat(at))).collect(),
        2 => format!("flags: {}x", "- ".repeat(depth)),
        _ => format!(
            "flags: {{flag: {{state: ENABLED, variants: {{on: {}}}, <<: *nobody}}}}\n",
            "!!int ".repeat(depth)
        ),
    }
}
