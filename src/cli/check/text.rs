//! A report for people.

use std::fmt::Write;
use std::path::Path;

use super::report::{Report, Routed, Served, ShadowedBy};
use crate::cli::output::{BAD, FAINT, GOOD, STRONG, WARN, count, paint, plural, problems};
use crate::config::{Problem, Severity};

/// Problems first; then, if the configuration is good, what would run; the verdict last.
pub fn render(file: &Path, report: Option<&Report>, found: &[Problem]) -> String {
    let mut out = problems(found);
    // Writing to a String cannot fail.
    let _ = write(file, report, found, &mut out);
    out
}

fn write(file: &Path, report: Option<&Report>, found: &[Problem], out: &mut String) -> std::fmt::Result {
    if let Some(report) = report {
        runs(report, out)?;
    }
    let file = file.display();
    let errors = found.iter().any(|problem| problem.severity == Severity::Error);
    match (errors, found.is_empty()) {
        (true, _) => writeln!(out, "{}", paint(BAD.bold(), format_args!("{file}: {}", count(found)))),
        (false, false) => {
            writeln!(out, "{}", paint(WARN.bold(), format_args!("{file} would run, with {}", count(found))))
        }
        (false, true) => writeln!(out, "{}", paint(GOOD.bold(), format_args!("{file} is good"))),
    }
}

fn runs(report: &Report, out: &mut String) -> std::fmt::Result {
    heading(out, "listeners")?;
    for listener in &report.listeners {
        let tls = if listener.tls { ", TLS" } else { "" };
        let named = if listener.name == listener.address || listener.name == listener.kind {
            String::new()
        } else {
            format!(" {}", listener.name)
        };
        writeln!(out, "  {:<21} {}{named}{tls}", listener.address, listener.kind)?;
    }
    heading(out, "flags")?;
    for source in &report.sources {
        match source.flags {
            Some(flags) => writeln!(out, "  {}  {}", source.name, plural(flags, "flag"))?,
            None => writeln!(out, "  {}  {}", source.name, paint(BAD, "cannot be used"))?,
        }
    }
    heading(out, "services")?;
    for service in &report.services {
        write_service(service, out)?;
    }
    heading(out, "routes, in the order in which they are tried")?;
    let width = report.routes.iter().map(|route| route.matches.chars().count()).max().unwrap_or(0).min(48);
    for (index, route) in report.routes.iter().enumerate() {
        write_route(index + 1, route, width, out)?;
    }
    writeln!(out)?;
    let hashes = format!(
        "revision {}, config {}, fractional {}",
        report.revision, report.config_hash, report.fractional
    );
    writeln!(out, "{}\n", paint(FAINT, hashes))
}

fn heading(out: &mut String, text: &str) -> std::fmt::Result {
    if !out.is_empty() && !out.ends_with("\n\n") {
        writeln!(out)?;
    }
    writeln!(out, "{}", paint(STRONG, text))
}

fn write_service(service: &Served, out: &mut String) -> std::fmt::Result {
    writeln!(out, "  {}", service.name)?;
    let width = service.versions.iter().map(|version| version.name.chars().count()).max().unwrap_or(0);
    for version in &service.versions {
        let default = if version.name == service.default { ", the default" } else { "" };
        let tls = if version.tls { ", TLS" } else { "" };
        let http = if version.http == "h1" { "" } else { ", HTTP/2" };
        let endpoints = version.endpoints.join(", ");
        writeln!(out, "    {:<width$}  {endpoints}{tls}{http}{}", version.name, paint(FAINT, default))?;
    }
    Ok(())
}

fn write_route(number: usize, route: &Routed, width: usize, out: &mut String) -> std::fmt::Result {
    write!(out, "  {number}. {:<width$}  {} {}", route.matches, paint(FAINT, "->"), route.to)?;
    match &route.version_flag {
        Some(flag) if route.values.is_empty() => write!(out, ", version by {}", paint(STRONG, flag))?,
        Some(flag) => write!(out, ", version by {} ({})", paint(STRONG, flag), route.values.join(", "))?,
        None => {}
    }
    if !route.inject.is_empty() {
        write!(out, ", injects {}", route.inject.join(", "))?;
    }
    for ShadowedBy { flag, service, values } in &route.shadows {
        let service = if *service == route.to { String::new() } else { format!(" to {service}") };
        write!(out, ", copies{service} by {}", paint(STRONG, flag))?;
        if !values.is_empty() {
            write!(out, " ({})", values.join(", "))?;
        }
    }
    writeln!(out, " {}", paint(FAINT, format_args!("[{}]", route.name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_tells_its_flags_and_its_shadows() {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let shadow = |flag: &str, service: &str, values: &[&str]| ShadowedBy {
            flag: flag.to_owned(),
            service: service.to_owned(),
            values: texts(values),
        };
        let route = Routed {
            name: "checkout".to_owned(),
            matches: "/checkout/*".to_owned(),
            to: "shop".to_owned(),
            version_flag: Some("v".to_owned()),
            values: Vec::new(),
            inject: texts(&["v", "price"]),
            shadows: vec![shadow("copy", "shop", &[]), shadow("next", "rewrite", &["true=v2", "false=none"])],
        };
        let mut out = String::new();
        write_route(1, &route, 0, &mut out).unwrap();
        assert_eq!(
            anstream::adapter::strip_str(&out).to_string(),
            "  1. /checkout/*  -> shop, version by v, injects v, price, copies by copy, \
             copies to rewrite by next (true=v2, false=none) [checkout]\n"
        );
    }
}
