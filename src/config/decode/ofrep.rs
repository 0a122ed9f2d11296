//! Decodes what OpenFeature clients may ask on a route.

use std::num::NonZeroU32;

use http::HeaderValue;

use super::headers::is_host;
use super::route::flag_names;
use super::scalar::{as_written, bad, boolean, choice, integer, name, shown, size, text, word};
use super::{Decoder, Item};
use crate::config::reference::{Object, Type, default};
use crate::config::route::{Ofrep, PathPattern, Rate, RouteMatch, Shown, Valueless};
use crate::config::{Name, Problem, Severity};

pub static OFREP: Object = Object {
    title: "OFREP",
    doc: "Answers what OpenFeature clients ask, at `ofrep/v1/` below the route's prefix; `docs/ofrep.md` tells how.",
    keys: &[
        default(
            "flags",
            Type::Either(&Type::Choice(&["all"]), &Type::List(&Type::FlagKey)),
            "[]",
            "Flags that are shown; any other is answered as one that does not exist.",
        ),
        default(
            "keys",
            Type::List(&Type::Name),
            "[]",
            "One of these must be sent, as `Authorization: Bearer` or `X-API-Key`. They tell applications apart and are no secrets.",
        ),
        default("origins", Type::List(&Type::Origin), "[]", "Whose pages may read the answers (CORS)."),
        default(
            "enrich",
            Type::Bool,
            "true",
            "Whether what the gateway knows of the request, its targeting key too, wins over what the body claims.",
        ),
        default("max_body", Type::Size { min: 256, max: 1 << 20 }, "64KiB", "Bytes of a request's body."),
        default(
            "rate",
            Type::Either(&Type::Choice(&["off"]), &Type::Object(&RATE)),
            "{}",
            "How often one client address may ask.",
        ),
        default(
            "streams",
            Type::Integer { min: 0, max: 100_000 },
            "10000",
            "Event streams that may be open at once; with 0 none are offered.",
        ),
        default(
            "valueless",
            Type::Choice(&["omit", "not_found"]),
            "omit",
            "How a flag without a value is answered when it is asked alone: 200 without `value`, or, for clients that stumble over that, 404.",
        ),
    ],
    rules: &[],
    later: &[],
};

pub static RATE: Object = Object {
    title: "Rate",
    doc: "A token bucket for each client address; of IPv6, for each /64.",
    keys: &[
        default(
            "per_second",
            Type::Integer { min: 1, max: 1_000_000 },
            "50",
            "Requests a second, over a time.",
        ),
        default("burst", Type::Integer { min: 1, max: 1_000_000 }, "100", "Requests at once, after a pause."),
    ],
    rules: &[],
    later: &[],
};

/// `matches`: of its route, if that is known.
pub fn ofrep(item: &Item<'_>, decoder: &mut Decoder<'_>, matches: Option<&RouteMatch>) -> Option<Ofrep> {
    if let Some(matches) = matches {
        fits(item, decoder, matches);
    }
    let mut fields = decoder.fields(item)?;
    let flags = fields.get("flags", decoder, flags);
    let keys = fields.get("keys", decoder, |item, decoder| decoder.list(item, name));
    let origins = fields.get("origins", decoder, |item, decoder| decoder.list(item, origin));
    let enrich = fields.get("enrich", decoder, boolean);
    let max_body = fields.get("max_body", decoder, size);
    let rate = fields.get("rate", decoder, rate);
    let streams = fields.get("streams", decoder, integer);
    let valueless = fields.get("valueless", decoder, |item, decoder| {
        choice(item, decoder, [("omit", Valueless::Omit), ("not_found", Valueless::NotFound)])
    });
    if flags == Some(Shown::Only(Vec::new())) {
        let problem = item.problem(format!("`{}` shows no flag", item.key));
        let problem = problem.with_expected("`flags`, with what may be asked");
        let problem = problem.with_fix("name each flag that clients may see, or write `flags: all`");
        decoder.report(Problem { severity: Severity::Warning, ..problem });
    }
    Some(Ofrep {
        flags: flags?,
        keys: keys?,
        origins: origins?,
        enrich: enrich?,
        max_body: max_body?,
        rate: rate?,
        streams: streams?,
        valueless: valueless?,
    })
}

/// Reports what a route matches that its clients could never all send.
fn fits(item: &Item<'_>, decoder: &mut Decoder<'_>, matches: &RouteMatch) {
    if !matches!(matches.path, PathPattern::Prefix(_)) {
        let problem = item.problem(format!("`{}` without a prefix below which it answers", item.key));
        decoder.report(problem.with_expected("a route that matches by `path_prefix`, or any path"));
    }
    if !matches.methods.is_empty() {
        let problem = item.problem(format!("`{}` beside `match.method`", item.key));
        let problem = problem.with_expected("a route of every method: clients use GET, POST and OPTIONS");
        decoder.report(problem.with_fix("remove `method`"));
    }
}

fn flags(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<Shown> {
    let form = item.form();
    if let Type::List(_) = form.is {
        return flag_names(&form, decoder).map(Shown::Only);
    }
    let fix = || format!("write `[{}]`", form.node.text());
    word(item, decoder, "all", as_written(item).then(fix)).then_some(Shown::All)
}

fn rate(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<Option<Rate>> {
    let form = item.form();
    if !matches!(form.is, Type::Object(_)) {
        return word(item, decoder, "off", None).then_some(None);
    }
    let mut fields = decoder.fields(&form)?;
    let per_second = fields.get("per_second", decoder, integer::<u32>);
    let burst = fields.get("burst", decoder, integer::<u32>);
    // The table's bounds begin at 1.
    Some(Some(Rate { per_second: NonZeroU32::new(per_second?)?, burst: NonZeroU32::new(burst?)? }))
}

/// An origin, letter by letter as browsers write it: it is compared as a whole.
fn origin(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<HeaderValue> {
    let written: Name = text(item, decoder)?;
    let (scheme, rest) = written.split_once("://").unwrap_or(("", &written));
    let default = match scheme {
        "https" => "443",
        "http" => "80",
        _ if &*written == "*" => {
            let fix = "name each origin: what anyone's page may read, anyone learns of its visitors";
            return bad(item, decoder, Some(fix.into()));
        }
        "" if is_host(rest) && rest != "null" && as_written(item) => {
            return bad(item, decoder, Some(format!("write `https://{rest}`")));
        }
        _ => return bad(item, decoder, None),
    };
    let authority = rest.trim_end_matches('/');
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let port_fits =
        port.is_none_or(|port| port.parse::<u16>().is_ok_and(|number| number.to_string() == port));
    if !is_host(host) || !port_fits {
        return bad(item, decoder, None);
    }
    let port = port.filter(|port| *port != default).map(|port| format!(":{port}")).unwrap_or_default();
    let meant = format!("{scheme}://{}{port}", host.to_ascii_lowercase());
    if meant != *written {
        let problem = item.problem(format!("{} is not how a browser writes it", shown(item)));
        let fix = as_written(item).then(|| format!("write `{meant}`"));
        decoder.report(Problem { fix, ..problem.with_expected(item.is.describe()) });
        return None;
    }
    HeaderValue::from_str(&meant).ok()
}
