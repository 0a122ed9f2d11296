//! Decodes how answers are compared, and the names of fields in them.

use super::headers::header_name;
use super::scalar::{as_written, bad, duration, integer, number, share, shown, size, text, words};
use super::{Decoder, Item};
use crate::config::field_path::{FieldPath, escape};
use crate::config::reference::{Object, Type, default};
use crate::config::shadow::CompareRules;
use crate::config::{Name, Problem, Severity, suggest};

pub static COMPARE: Object = Object {
    title: "Compare",
    doc: "How a copy's answer is compared with the original's. A rule for a field counts for everything below it.",
    keys: &[
        default("sample", Type::Share, "100%", "How many of the copies are compared; `0%` compares none."),
        default(
            "noise",
            Type::Share,
            "0%",
            "How many of the compared GET, HEAD and OPTIONS requests go once more to the version that served them: what differs there is noise.",
        ),
        default(
            "headers",
            Type::List(&Type::HeaderName),
            "[content-type, content-encoding, location, cache-control]",
            "The headers that are compared.",
        ),
        default(
            "max_body",
            Type::Size { min: 0, max: 1 << 30 },
            "256KiB",
            "Bytes of a body that are kept, encoded or decoded; longer ones are compared by length and hash.",
        ),
        default("ignore", Type::List(&Type::FieldPath), "[]", "What is not compared."),
        default(
            "arrays",
            Type::Map(&Type::Pointer, &Type::Text),
            "{}",
            "Arrays whose elements are matched by a field of theirs, in any order: `{/items: id}`.",
        ),
        default(
            "tolerance",
            Type::Map(&Type::Pointer, &Type::Number),
            "{}",
            "How far apart two numbers may lie and still be equal: `{/price/total: 0.01}`.",
        ),
        default(
            "slower_by",
            Type::Duration { zero: true },
            "100ms",
            "An answer that begins later than the original's by more than this differs.",
        ),
        default(
            "redact",
            Type::List(&Type::FieldPath),
            "[]",
            "What is compared, but whose values are never recorded.",
        ),
        default("examples", Type::Integer { min: 0, max: 100 }, "3", "Recorded examples of each difference."),
    ],
    rules: &[],
    later: &[],
};

pub fn compare(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<CompareRules> {
    let mut fields = decoder.fields(item)?;
    let sample = fields.get("sample", decoder, share);
    let noise = fields.get("noise", decoder, share);
    let headers = fields.get("headers", decoder, |item, decoder| decoder.list(item, header_name));
    let max_body = fields.get("max_body", decoder, size);
    let ignore = fields.get("ignore", decoder, |item, decoder| decoder.list(item, field_path));
    let arrays = fields.get("arrays", decoder, |item, decoder| {
        decoder.map(item, |path, key, decoder| {
            let (path, key) = (field_path(path, decoder), element_key(key, decoder));
            Some((path?, key?))
        })
    });
    let tolerance = fields.get("tolerance", decoder, |item, decoder| {
        decoder.map(item, |path, distance, decoder| {
            let (path, distance) = (field_path(path, decoder), number(distance, decoder));
            Some((path?, distance?))
        })
    });
    let slower_by = fields.get("slower_by", decoder, duration);
    let redact = fields.get("redact", decoder, |item, decoder| decoder.list(item, field_path));
    let examples = fields.get("examples", decoder, integer);
    let (sample, noise) = (sample?, noise?);
    if noise.0 > 0.0
        && sample.0 == 0.0
        && let Some(item) = fields.given("noise")
    {
        let problem = item.problem("no noise is ever learned: no answer is compared");
        let problem = problem.with_expected("a `sample` above `0%` beside it");
        decoder.report(Problem { severity: Severity::Warning, ..problem });
    }
    Some(CompareRules {
        sample,
        noise,
        headers: headers?,
        max_body: max_body?,
        ignore: ignore?,
        arrays: arrays?,
        tolerance: tolerance?,
        slower_by: slower_by?,
        redact: redact?,
        examples: examples?,
    })
}

/// What can differ; where the type is a pointer, a field of a JSON body.
fn field_path(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<FieldPath> {
    let text = text(item, decoder)?;
    match (item.is, FieldPath::parse(&text)) {
        (Type::Pointer, Some(path @ FieldPath::Json(_))) | (Type::FieldPath, Some(path)) => Some(path),
        (_, Some(_)) => bad(item, decoder, None),
        (is, None) => {
            let fix = meant(&text, matches!(is, Type::FieldPath)).filter(|_| as_written(item));
            bad(item, decoder, fix.map(|meant| format!("write `{meant}`")))
        }
    }
}

/// What a text was probably meant to be: a word, a header, a pointer without its slash, or the same in another notation (`$.a[0].b`, `#/a`).
fn meant(text: &str, any: bool) -> Option<String> {
    let text = text.trim();
    if any {
        let header = text
            .split_once(':')
            .and_then(|(word, name)| suggest(word, ["header"]).map(|word| format!("{word}:{}", name.trim())));
        let word = suggest(text, ["status", "latency", "body"]).map(str::to_owned);
        if let Some(meant) = header.or(word) {
            return FieldPath::parse(&meant).map(|_| meant);
        }
    }
    let text = text.trim_start_matches(['$', '#']);
    let steps: Vec<String> = if text.contains('/') {
        text.trim_start_matches('/').split('/').map(escape).collect()
    } else {
        text.split(['.', '[', ']']).filter(|step| !step.is_empty()).map(escape).collect()
    };
    (!steps.is_empty()).then(|| format!("/{}", steps.join("/")))
}

/// The name of a field, not a path to it.
fn element_key(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<Name> {
    let name = words(item, decoder)?;
    if let Some(bare) = name.strip_prefix('/').filter(|bare| !bare.is_empty()) {
        let problem = item.problem(format!("{} begins with a slash", shown(item)));
        let problem = problem.with_expected("the bare name of a field that each element has");
        let fix = as_written(item).then(|| format!("write `{bare}`"));
        decoder.report(Problem { severity: Severity::Warning, fix, ..problem });
    }
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_in_another_notation_is_understood() {
        let table = [
            ("price", "/price"),
            ("price/total", "/price/total"),
            ("price.total", "/price/total"),
            ("$.items[0].price", "/items/0/price"),
            ("$.items[*].price", "/items/*/price"),
            ("#/price", "/price"),
            ("/a~b", "/a~0b"),
            ("Status", "status"),
            ("latencey", "latency"),
            ("header: date", "header:date"),
            ("headers:date", "header:date"),
        ];
        for (text, expected) in table {
            assert_eq!(meant(text, true).as_deref(), Some(expected), "{text}");
            assert!(FieldPath::parse(expected).is_some(), "{expected}");
        }
        for (text, any) in [("", true), ("$", false), ("header:a b", true)] {
            assert_eq!(meant(text, any), None, "{text}");
        }
        assert_eq!(meant("Status", false).as_deref(), Some("/Status"));
    }
}
