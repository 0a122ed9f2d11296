//! An explanation for people: the outcome first, then what led to it, then what would have to change.

use std::fmt::Write;

use crate::admin::explain::{ExplainedFlag, ExplainedStep, Explanation};
use crate::cli::output::{BAD, FAINT, GOOD, STRONG, WARN, paint};

/// The whole text.
pub fn render(told: &Explanation) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write(told, &mut out);
    out
}

fn write(told: &Explanation, out: &mut String) -> std::fmt::Result {
    let style = match (told.trouble.as_ref().or(told.held_out.as_ref()), told.status) {
        (Some(_), _) => WARN,
        (None, Some(400..)) => BAD,
        _ => GOOD,
    };
    writeln!(out, "{}\n", paint(style.bold(), &told.why))?;
    let asked = &told.request;
    let proxy = if asked.trusted { ", by a trusted proxy" } else { "" };
    let origin = match &*asked.host {
        "" => String::new(),
        host => format!("{}://{host}", asked.scheme),
    };
    let target = format!("{} {origin}{}", asked.method, asked.path);
    line(out, "request", &format!("{target} from {} through {}{proxy}", asked.client_ip, asked.listener))?;
    for (what, value) in [("route", &told.route), ("service", &told.service), ("version", &told.version)] {
        if let Some(value) = value {
            line(out, what, value)?;
        }
    }
    if let Some(status) = told.status {
        line(out, "answer", &format!("{status}, by the gateway itself"))?;
    }
    if let Some(key) = &told.targeting_key {
        let text = match (&key.source, key.minted) {
            (Some(source), true) => {
                format!("{source}, minted for a new visitor: the next one may be decided otherwise")
            }
            (Some(source), false) => source.clone(),
            (None, _) if key.sources.is_empty() => "none: no source is configured".to_owned(),
            (None, _) => format!("none in {}", key.sources.join(", ")),
        };
        line(out, "key", &text)?;
    }
    for shadow in &told.shadows {
        line(out, "shadow", &shadow.why)?;
    }
    line(out, "revision", &told.revision)?;
    for flag in &told.flags {
        write_flag(flag, if flag.decides_version { Some("decides the version") } else { None }, out)?;
    }
    for shadow in &told.shadows {
        write_flag(&shadow.flag, Some("decides a copy"), out)?;
    }
    if !told.headers.is_empty() {
        writeln!(out, "\n{}", paint(STRONG, "sent to the version"))?;
        for (name, value) in &told.headers {
            writeln!(out, "  {name}: {value}")?;
        }
    }
    let response = [("set-cookie", &told.set_cookie), ("caches", &told.caching)];
    if response.iter().any(|(_, value)| value.is_some()) {
        writeln!(out, "\n{}", paint(STRONG, "on the response"))?;
        for (what, value) in response {
            match value {
                Some(value) if what == "set-cookie" => writeln!(out, "  set-cookie: {value}")?,
                Some(value) => {
                    writeln!(out, "  {value} {}", paint(FAINT, "(unless the service already says so)"))?
                }
                None => {}
            }
        }
    }
    if !told.dropped.is_empty() {
        let names = told.dropped.join(", ");
        writeln!(
            out,
            "\n{}: {names} (only Flagway may set them)",
            paint(WARN.bold(), "dropped from the request")
        )?;
    }
    Ok(())
}

fn line(out: &mut String, what: &str, value: &str) -> std::fmt::Result {
    writeln!(out, "  {} {value}", paint(FAINT, format_args!("{what:<9}")))
}

fn write_flag(flag: &ExplainedFlag, decides: Option<&str>, out: &mut String) -> std::fmt::Result {
    let value = flag.value.as_ref().map_or("no value".to_owned(), ToString::to_string);
    let mut facts: Vec<String> = flag.variant.iter().map(|variant| format!("variant {variant}")).collect();
    facts.push(flag.reason.clone());
    facts.extend(flag.error.clone());
    facts.extend(flag.limit.iter().map(|limit| format!("limit: {limit}")));
    facts.extend(decides.map(str::to_owned));
    let style = if flag.error.is_some() { WARN } else { GOOD };
    let (key, value) = (paint(STRONG, &flag.key), paint(style, value));
    writeln!(out, "\n{key} = {value} {}", paint(FAINT, format_args!("({})", facts.join(", "))))?;
    let indented = |step: &ExplainedStep| cut(&format!("{:1$}{2}", "", 2 * step.depth, step.what));
    let whats: Vec<String> = flag.steps.iter().map(indented).collect();
    let width = whats.iter().map(|what| what.chars().count()).max().unwrap_or(0);
    for (what, step) in whats.iter().zip(&flag.steps) {
        writeln!(out, "  {what:<width$}  {} {}", paint(FAINT, "->"), step.result)?;
    }
    for change in &flag.otherwise {
        writeln!(out, "  {} {change}", paint(FAINT, "otherwise:"))?;
    }
    Ok(())
}

/// Columns that an expression may take; all of a longer one is in the JSON.
const WIDTH: usize = 64;

fn cut(text: &str) -> String {
    match text.char_indices().nth(WIDTH) {
        Some(_) => text.chars().take(WIDTH - 1).chain(['…']).collect(),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_explanation_reads_from_the_outcome_to_its_reasons() {
        let told: Explanation = serde_json::from_value(json!({
            "revision": "0123456789ab", "at": 0, "why": "the version `canary` serves", "status": null,
            "request": {"method": "GET", "scheme": "http", "host": "shop", "path": "/a", "listener": "main",
                "client_ip": "127.0.0.1", "trusted": false},
            "route": "checkout", "service": "shop", "version": "canary", "trouble": null,
            "targeting_key": {"source": "cookie uid", "minted": false, "sources": ["cookie uid"]},
            "flags": [{"key": "v", "decides_version": true, "variant": "canary", "value": "canary",
                "reason": "TARGETING_MATCH", "error": null,
                "steps": [{"depth": 0, "what": "if", "result": "\"canary\""}, {"depth": 1, "what": "a == b", "result": "true"}],
                "otherwise": ["`a == b` would have to be false"]}],
            "shadows": [{"service": "shop", "version": "next", "why": "the version `next` of `shop` gets a copy", "trouble": null,
                "flag": {"key": "s", "decides_version": false, "variant": "on", "value": "next", "reason": "STATIC", "error": null,
                    "steps": [], "otherwise": []}}],
            "headers": [["x-flag-v", "canary"]], "set_cookie": null, "caching": "Vary: cookie", "dropped": ["x-flag-z"]
        }))
        .unwrap();
        let plain = anstream::adapter::strip_str(&render(&told)).to_string();
        assert_eq!(
            plain,
            "the version `canary` serves\n\
             \n\
             \x20 request   GET http://shop/a from 127.0.0.1 through main\n\
             \x20 route     checkout\n\
             \x20 service   shop\n\
             \x20 version   canary\n\
             \x20 key       cookie uid\n\
             \x20 shadow    the version `next` of `shop` gets a copy\n\
             \x20 revision  0123456789ab\n\
             \n\
             v = \"canary\" (variant canary, TARGETING_MATCH, decides the version)\n\
             \x20 if        -> \"canary\"\n\
             \x20   a == b  -> true\n\
             \x20 otherwise: `a == b` would have to be false\n\
             \n\
             s = \"next\" (variant on, STATIC, decides a copy)\n\
             \n\
             sent to the version\n\
             \x20 x-flag-v: canary\n\
             \n\
             on the response\n\
             \x20 Vary: cookie (unless the service already says so)\n\
             \n\
             dropped from the request: x-flag-z (only Flagway may set them)\n"
        );
    }
}
