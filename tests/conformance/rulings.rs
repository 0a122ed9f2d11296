//! Where the other engines answer differently on purpose of ours, each with its reason in a line.
//!
//! A name is what a peer tells in `rulings` when that repair was put to use; a difference is ruled on exactly when the repaired
//! engine answers as ours does. `docs/conformance.md` has this table for people.

use crate::peer::Peer;

/// A difference that we want.
pub struct Ruling {
    pub name: &'static str,
    /// Whose answers differ.
    pub of: &'static [Peer],
    /// What they do.
    pub theirs: &'static str,
    /// What we do instead.
    pub ours: &'static str,
}

/// An evaluation that went over `flags.limits`; peers have no limits. It is told by our own answer.
pub const OVER_LIMITS: &str = "over our limits";

use Peer::{Npm, PyPi};

/// All of them.
pub const RULINGS: &[Ruling] = &[
    ruling(OVER_LIMITS, &[Npm, PyPi], "run a rule to its end, whatever it takes", "GENERAL, with the limit"),
    ruling(
        "a default that is no variant",
        &[Npm, PyPi],
        "the whole document is refused (npm), the flag is GENERAL when its default is due (PyPI)",
        "that flag is PARSE_ERROR",
    ),
    ruling(
        "one flag's fault is its own",
        &[Npm, PyPi],
        "a bad `state` refuses the whole document",
        "that flag is PARSE_ERROR, the others serve",
    ),
    ruling(
        "refused when it loads",
        &[Npm, PyPi],
        "an unknown operator or reference counts when it is run",
        "that flag is PARSE_ERROR",
    ),
    ruling(
        "references as a tree",
        &[Npm, PyPi],
        "`$ref` is replaced in the text, in the order of names",
        "in the tree, nested as well, cycles refused",
    ),
    ruling("unknown members of a flag", &[PyPi], "refuse the whole document", "ignored"),
    ruling(
        "errors while a rule runs",
        &[Npm, PyPi],
        "a value of the wrong type ends the evaluation in GENERAL or PARSE_ERROR",
        "false, null or a number that compares with nothing",
    ),
    ruling(
        "compiled other than interpreted",
        &[Npm],
        "compiled rules share one variable and drop brackets: the engine's own interpreter says something else",
        "what the rule says",
    ),
    ruling(
        "constants worked out beforehand",
        &[Npm],
        "1 % 0 in a branch never taken ends the evaluation in an error",
        "what is not run does no harm",
    ),
    ruling(
        "no number is null",
        &[Npm, PyPi],
        "a result that is no number names a variant: GENERAL",
        "null: the default",
    ),
    ruling("lists name no variant", &[Npm], "a resulting list is joined and looked up", "GENERAL"),
    ruling("variants named by numbers", &[PyPi], "1.0 names the variant \"1.0\"", "the variant \"1\""),
    ruling(
        "== of unlike types",
        &[Npm, PyPi],
        "null equals false and 0; lists and objects equal their texts or themselves",
        "null equals null alone; lists and objects equal nothing",
    ),
    ruling(
        "=== of unlike types",
        &[PyPi],
        "0 === false, 1 === true; lists equal by their items",
        "types differ, so values do",
    ),
    ruling(
        "=== of lists and objects",
        &[Npm],
        "the same list equals itself",
        "lists and objects equal nothing",
    ),
    ruling(
        "order of unlike types",
        &[Npm, PyPi],
        "texts, lists and null are compared as texts; a third null is as good as none (PyPI); UTF-16 units (npm)",
        "by number unless both are texts; texts by code points",
    ),
    ruling(
        "in of unlike types",
        &[Npm, PyPi],
        "the needle becomes a text; \"\" is in nothing (npm); 1 is in [true], lists are in lists (PyPI)",
        "text in text, or strictly equal to an item",
    ),
    ruling("truth of the empty object", &[PyPi], "{} is true", "{} is false, as in flagd itself"),
    ruling(
        "text of null",
        &[PyPi],
        "\"null\" or \"None\"",
        "\"\": a missing cookie leaves no mark in a split key",
    ),
    ruling("text of null and objects", &[Npm], "\"null\", \"[object Object]\"", "\"\", compact JSON"),
    ruling("text of booleans", &[PyPi], "\"True\"", "\"true\""),
    ruling("text of numbers", &[PyPi], "15 digits", "the shortest text that reads back as the number"),
    ruling("text of objects", &[PyPi], "\"[object Object]\"", "compact JSON"),
    ruling("numbers of lists", &[PyPi], "[] is 0, [5] is 5", "no number"),
    ruling("numbers of texts", &[PyPi], "\"1_0\", \"Infinity\" are numbers", "decimal texts only"),
    ruling(
        "whole numbers beyond 2^53",
        &[PyPi],
        "texts become doubles; sums of any length",
        "whole numbers within 64 bits stay exact, else doubles",
    ),
    ruling(
        "arithmetic without a number",
        &[Npm, PyPi],
        "an error, or the smallest of what is left; \"\" is 0 (npm)",
        "no number: false, null",
    ),
    ruling("- and / of three", &[PyPi], "what follows the second is ignored", "the first less all others"),
    ruling("sign of %", &[PyPi], "the divisor's", "the dividend's"),
    ruling("max and min of texts", &[Npm], "an error, also for \"5\"", "by number"),
    ruling(
        "one list is one argument",
        &[Npm],
        "{\"+\": {\"var\": \"list\"}} adds up the list",
        "a list is one argument, and no number",
    ),
    ruling(
        "items of what is no list",
        &[Npm],
        "all over a missing list is true; a text has no items: an error",
        "no items: false",
    ),
    ruling("missing of null and of the empty text", &[Npm], "both are present", "both are missing"),
    ruling(
        "paths into texts, length, and defaults of null",
        &[Npm, PyPi],
        "{\"var\": \"text.0\"} is a character, `length` a number; null keeps npm's interpreter from the default",
        "null; the default also for null",
    ),
    ruling(
        "substr by code points",
        &[Npm],
        "UTF-16 units; no text is an error",
        "code points; anything has a text",
    ),
    ruling("the start of reduce", &[PyPi], "is not evaluated", "is evaluated"),
    ruling(
        "hash over UTF-16",
        &[Npm],
        "a unit beyond ASCII is hashed by UTF-16 units",
        "UTF-8, as in flagd itself",
    ),
    ruling(
        "a null unit is none (v2)",
        &[Npm],
        "null stands as a bucket: the result is null",
        "the targeting key is the unit, as in flagd itself",
    ),
    ruling("weights like 50.0", &[PyPi], "the result is null", "whole, so a weight"),
    ruling(
        "variants that are no names",
        &[PyPi],
        "a list in a bucket becomes a text: GENERAL",
        "the result is null",
    ),
    ruling("partial versions with a prerelease", &[PyPi], "1.2-alpha is 1.2.0-alpha", "no version"),
    ruling("versions with a space or two v", &[Npm], "are versions", "are none"),
    ruling("versions in a list", &[Npm], "[1] is the version 1", "is none"),
    ruling("booleans as numbers", &[PyPi], "true serves who asks for a number", "TYPE_MISMATCH"),
];

const fn ruling(name: &'static str, of: &'static [Peer], theirs: &'static str, ours: &'static str) -> Ruling {
    Ruling { name, of, theirs, ours }
}

/// As `docs/conformance.md` has them.
pub fn table() -> String {
    let mut table = "| ruling | of | they | we |\n|---|---|---|---|\n".to_owned();
    for Ruling { name, of, theirs, ours } in RULINGS {
        let of: Vec<&str> = of.iter().map(|peer| peer.name()).collect();
        table += &format!("| {name} | {} | {theirs} | {ours} |\n", of.join(", "));
    }
    table
}

/// The ruling of that name for that peer.
pub fn find(peer: Peer, name: &str) -> Option<&'static Ruling> {
    RULINGS.iter().find(|ruling| ruling.name == name && ruling.of.contains(&peer))
}
