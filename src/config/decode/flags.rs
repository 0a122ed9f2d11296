//! Decodes where flags come from and how much of them is accepted.

use super::scalar::{boolean, choice, integer, path, size};
use super::{Decoder, Item};
use crate::config::reference::{Object, Rule, Type, default, optional};
use crate::config::{FlagLimits, Flags, FractionalVersion, Source};

pub static FLAGS: Object = Object {
    title: "Flags",
    doc: "Where flag definitions come from.",
    keys: &[
        default(
            "fractional",
            Type::Choice(&["v2", "v3"]),
            "v3",
            "Which of flagd's bucket hashes `fractional` uses. Another one moves users.",
        ),
        default("sources", Type::List(&Type::Object(&SOURCE)), "[]", "Later ones win, key by key."),
        default(
            "allow_empty",
            Type::Bool,
            "false",
            "Whether a document without flags may replace one with flags.",
        ),
        default("limits", Type::Object(&LIMITS), "{}", "What definitions may cost."),
    ],
    rules: &[],
    later: &[],
};

pub static SOURCE: Object = Object {
    title: "Flag source",
    doc: "One place that flags come from.",
    keys: &[optional(
        "file",
        Type::Path,
        "A file in flagd's format: YAML if it ends with `.yaml` or `.yml`, else JSON. Watched.",
    )],
    rules: &[Rule::ExactlyOne(&["file"])],
    later: &["http", "flagd", "etcd"],
};

pub static LIMITS: Object = Object {
    title: "Flag limits",
    doc: "Bounds on what definitions may cost. What is beyond one when it loads is refused, and the last good stays; an evaluation beyond one gives no value.",
    keys: &[
        default("document", Type::Size { min: 1 << 10, max: 1 << 30 }, "16MiB", "Bytes of one document."),
        default("flags", Type::Integer { min: 1, max: 1_000_000 }, "50000", "Flags in one document."),
        default(
            "values",
            Type::Integer { min: 1, max: 20_000_000 },
            "2000000",
            "Scalars, lists and objects in one document; and in all its rules, with their references put in.",
        ),
        default(
            "rule_depth",
            Type::Integer { min: 1, max: 128 },
            "64",
            "Nesting of one rule, with its references put in.",
        ),
        default(
            "rule_nodes",
            Type::Integer { min: 1, max: 1_000_000 },
            "20000",
            "Nodes of one rule, with its references put in.",
        ),
        default(
            "steps",
            Type::Integer { min: 100, max: 1_000_000 },
            "10000",
            "Steps of one evaluation: an expression, an item of a list, 32 bytes of a text that is read.",
        ),
        default(
            "produced",
            Type::Size { min: 1 << 10, max: 16 << 20 },
            "64KiB",
            "Bytes of text and lists that one evaluation may make; an item of a list counts 32.",
        ),
    ],
    rules: &[],
    later: &[],
};

pub fn flags(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<Flags> {
    let mut fields = decoder.fields(item)?;
    let fractional = fields.get("fractional", decoder, |item, decoder| {
        choice(item, decoder, [("v2", FractionalVersion::V2), ("v3", FractionalVersion::V3)])
    });
    let sources = fields.get("sources", decoder, sources);
    let allow_empty = fields.get("allow_empty", decoder, boolean);
    let limits = fields.get("limits", decoder, limits);
    Some(Flags { fractional: fractional?, sources: sources?, allow_empty: allow_empty?, limits: limits? })
}

fn sources(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<Vec<Source>> {
    let mut seen: Vec<Source> = Vec::new();
    decoder.list(item, |item, decoder| {
        let source = source(item, decoder)?;
        if seen.contains(&source) {
            decoder.report(item.problem("this source stands twice").with_expected("each source once"));
        }
        seen.push(source.clone());
        Some(source)
    })
}

fn source(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<Source> {
    let mut fields = decoder.fields(item)?;
    fields.get("file", decoder, path).map(Source::File)
}

fn limits(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<FlagLimits> {
    let mut fields = decoder.fields(item)?;
    let document_bytes = fields.get("document", decoder, size);
    let flags = fields.get("flags", decoder, integer);
    let values = fields.get("values", decoder, integer);
    let rule_depth = fields.get("rule_depth", decoder, integer);
    let rule_nodes = fields.get("rule_nodes", decoder, integer);
    let steps = fields.get("steps", decoder, integer);
    let produced_bytes = fields.get("produced", decoder, size);
    Some(FlagLimits {
        document_bytes: document_bytes?,
        flags: flags?,
        values: values?,
        rule_depth: rule_depth?,
        rule_nodes: rule_nodes?,
        steps: steps?,
        produced_bytes: produced_bytes?,
    })
}
