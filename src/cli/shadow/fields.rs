//! The fields of a report: which differ, which may, and which are noise that can be left out for good.

use std::fmt::Write;

use super::figures::{count, interval, share};
use super::render::WIDTH;
use crate::cli::output::text::{columns, cut, json};
use crate::cli::output::{BAD, FAINT, STRONG, WARN, paint, plural};
use crate::compare::ShadowReport;
use crate::compare::report::{Example, FieldReport};

/// Fields of one list that are shown; the JSON has them all.
const FIELDS: usize = 20;
/// Columns of a field's path, of its kind, and of an example's two values.
const PATH: usize = 34;
const KIND: usize = 8;
const VALUE: usize = 24;
/// Columns before the first path of what is to be ignored.
const INDENT: usize = 13;

/// What differs, and what may.
pub fn write_differences(report: &ShadowReport, out: &mut String) -> std::fmt::Result {
    let lists = [("differences", &report.differences, BAD), ("undecided", &report.unsettled, WARN)];
    for (title, fields, style) in lists.into_iter().filter(|(_, fields, _)| !fields.is_empty()) {
        heading(out, title, "95 % interval")?;
        for field in fields.iter().take(FIELDS) {
            row(out, style, field, &interval(field.interval))?;
            field.examples.first().map_or(Ok(()), |example| write_example(out, example))?;
        }
        write_rest(out, fields.len())?;
    }
    if report.twins == 0 && !report.differences.is_empty() {
        let original = cut(&report.original, 20);
        writeln!(
            out,
            "{}",
            paint(FAINT, "  none of it is known to be noise: `compare: {noise: 100%}` would also")
        )?;
        writeln!(out, "{}", paint(FAINT, format_args!("  compare {original} with itself")))?;
    }
    if report.other > 0 {
        writeln!(
            out,
            "\n{} more differences are in fields beyond `shadows.max_fields`",
            count(report.other)
        )?;
    }
    Ok(())
}

/// What is noise, and the line that leaves it out for good.
pub fn write_noise(report: &ShadowReport, out: &mut String) -> std::fmt::Result {
    if report.noisy.is_empty() {
        return Ok(());
    }
    heading(out, "noise", "against itself")?;
    for field in report.noisy.iter().take(FIELDS) {
        row(out, FAINT, field, &field.twin_rate.map(share).unwrap_or_default())?;
    }
    write_rest(out, report.noisy.len())?;
    let paths = pinnable(report);
    if paths.is_empty() {
        return Ok(());
    }
    writeln!(out, "  to leave it out for good, under the shadow's `compare`:")?;
    write_list(out, &paths)
}

fn heading(out: &mut String, title: &str, last: &str) -> std::fmt::Result {
    let heads = format!("{:<KIND$} {:>8} {:>8}  {last}", "how", "count", "rate");
    writeln!(out, "\n{} {}", paint(STRONG, format_args!("{title:<0$}", PATH + 2)), paint(FAINT, heads))
}

fn row(out: &mut String, style: anstyle::Style, field: &FieldReport, last: &str) -> std::fmt::Result {
    let path = cut(&field.path, WIDTH - 2);
    // A long one has a line of its own.
    let gap = match PATH.checked_sub(columns(&path)) {
        Some(gap) => " ".repeat(gap),
        None => format!("\n{:1$}", "", PATH + 2),
    };
    let kind = cut(&field.kind, KIND);
    let (n, rate) = (count(field.count), share(field.rate));
    writeln!(out, "  {}{gap} {kind:<KIND$} {n:>8} {rate:>8}  {last}", paint(style, path))
}

fn write_example(out: &mut String, example: &Example) -> std::fmt::Result {
    let values = match (&example.original, &example.shadow) {
        (None, None) => "not recorded".to_owned(),
        (original, shadow) => {
            let value = |value: &Option<String>| {
                value.as_deref().map_or("nothing".to_owned(), |text| cut(text, VALUE))
            };
            format!("{} -> {}", value(original), value(shadow))
        }
    };
    let left = WIDTH.saturating_sub(6 + columns(&values) + 2);
    let request = cut(&format!("{} {}", example.method, example.path), left);
    writeln!(out, "      {values}  {}", paint(FAINT, request))
}

fn write_rest(out: &mut String, fields: usize) -> std::fmt::Result {
    match fields.saturating_sub(FIELDS) {
        0 => Ok(()),
        more => writeln!(out, "  and {}; --json tells all", plural(more, "more field")),
    }
}

/// The paths of noise as YAML, each once, but for those that would hide a difference or what may be one, or take more than a line.
fn pinnable(report: &ShadowReport) -> Vec<String> {
    let mut paths: Vec<String> = Vec::new();
    for FieldReport { path, .. } in &report.noisy {
        let covers = |other: &FieldReport| {
            other.path.strip_prefix(&**path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let item = scalar(path);
        let fits = columns(&item) < WIDTH - INDENT && !paths.contains(&item);
        if fits && !report.differences.iter().chain(&report.unsettled).any(covers) {
            paths.push(item);
        }
    }
    paths
}

/// `ignore: [/a, "/b c"]`, broken between paths.
fn write_list(out: &mut String, paths: &[String]) -> std::fmt::Result {
    write!(out, "{:>INDENT$}", "ignore: [")?;
    let mut column = INDENT;
    for (index, path) in paths.iter().enumerate() {
        let last = index + 1 == paths.len();
        if index > 0 && column + columns(path) + 2 > WIDTH {
            write!(out, "\n{:INDENT$}", "")?;
            column = INDENT;
        } else if index > 0 {
            out.push(' ');
        }
        write!(out, "{path}{}", if last { "]\n" } else { "," })?;
        column += columns(path) + 2;
    }
    Ok(())
}

/// A path as YAML reads it back: JSON's quotes are YAML's, and a dollar stands for a variable unless it is doubled.
fn scalar(path: &str) -> String {
    let path = path.replace('$', "$$");
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/_-.~*".contains(c);
    if path.chars().all(is_plain) { path } else { json(&serde_json::Value::from(path).to_string()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_pinned_reads_back() {
        let paths = ["/a", "/items/*/id", "header:date", "/a, b]: \"c\"", "/${HOME}", "/\u{1b}"];
        let mut text = String::new();
        write_list(&mut text, &paths.map(scalar)).unwrap();
        assert_eq!(
            text,
            r#"    ignore: [/a, /items/*/id, "header:date", "/a, b]: \"c\"", "/$${HOME}",
             "/\u001b"]
"#
        );
    }
}
