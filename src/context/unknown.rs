//! What an operator is told of an attribute path that nothing provides.

use super::Fact;
use super::reader::{PREFIXES, Reader, SINGLE};
use crate::config::context::Context;
use crate::config::suggest;
use crate::config::{Problem, ProblemKind, Severity};

/// The problem of such a path. It has no place: the caller knows which flags read it.
pub(super) fn unknown(path: &str, config: &Context) -> Problem {
    let mapped: Vec<&str> = config.attributes.iter().map(|mapped| &*mapped.name).collect();
    Problem {
        kind: ProblemKind::UnknownAttribute,
        severity: Severity::Warning,
        place: None,
        key: format!("context.attributes.{path}"),
        found: format!("a targeting reads `{path}`, which nothing provides; it is always null"),
        expected: Some(format!(
            "a name under `context.attributes`{}, one of {}, or `header.`, `cookie.` or `query.` with a name without dots",
            if mapped.is_empty() { String::new() } else { format!(" ({})", list(&mapped)) },
            list(&SINGLE),
        )),
        fix: Some(fix(path, &mapped)),
    }
}

fn fix(path: &str, mapped: &[&str]) -> String {
    match path.split_once('.') {
        None if PREFIXES.contains(&path) => {
            format!("read one of its members: `{path}.<name>`")
        }
        Some((source, name)) if PREFIXES.contains(&source) && name.contains('.') => {
            let short: String =
                name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
            format!(
                "a name with a dot needs a mapping: `context: {{attributes: {{{short}: {{{source}: {name}}}}}}}`, \
                 and the targeting reads `{short}`"
            )
        }
        _ => match nearest(path, mapped) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("map it: `context: {{attributes: {{{path}: {{header: <name>}}}}}}`"),
        },
    }
}

/// The known path that a typing error turned into this one.
fn nearest(path: &str, mapped: &[&str]) -> Option<String> {
    let known = mapped.iter().chain(&SINGLE).chain(&["targetingKey"]).copied();
    let whole = suggest(path, known.chain(Fact::ALL.map(|(path, _)| path))).map(str::to_owned);
    whole.or_else(|| {
        let (source, name) = path.split_once('.')?;
        let meant = format!("{}.{name}", suggest(source, PREFIXES.into_iter())?);
        Reader::built_in(&meant).map(|_| meant)
    })
}

fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;
    use crate::config::Place;
    use crate::config::context::{Attribute, AttributeSource, AttributeType};

    #[test]
    fn the_likely_fix_is_named() {
        let from = AttributeSource::Header { name: HeaderName::from_static("cf-ipcountry"), trusted: false };
        let place = Place { file: "f".into(), line: 1, column: 1, text: "".into(), width: 1 };
        let country = Attribute { name: "country".into(), from, kind: AttributeType::String, place };
        let config = Context { attributes: vec![country], ..Context::default() };
        for (path, fix) in [
            ("contry", "did you mean `country`?"),
            ("targeting_key", "did you mean `targetingKey`?"),
            ("userAgent", "did you mean `user_agent`?"),
            ("headers.x-a", "did you mean `header.x-a`?"),
            ("tls.client.sans", "did you mean `tls.client.san`?"),
            ("header", "read one of its members: `header.<name>`"),
            (
                "cookie.connect.sid",
                "a name with a dot needs a mapping: `context: {attributes: {connect_sid: {cookie: connect.sid}}}`, \
                 and the targeting reads `connect_sid`",
            ),
            ("tier", "map it: `context: {attributes: {tier: {header: <name>}}}`"),
        ] {
            let problem = unknown(path, &config);
            assert_eq!(problem.fix.as_deref(), Some(fix), "{path}");
            assert!(problem.found.contains(path) && problem.severity == Severity::Warning);
        }
    }
}
