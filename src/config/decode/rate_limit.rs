//! Decodes who may ask how often, and whose key a route demands.

use std::num::NonZeroU32;

use super::headers::header_name;
use super::scalar::{choice, integer};
use super::{Decoder, Item};
use crate::config::context::{Context, KeySource};
use crate::config::reference::{Object, Type, default, optional, required};
use crate::config::route::{Rate, RateBy, RateLimit, Route};
use crate::config::{Problem, ProblemKind, Severity};

pub static RATE_LIMIT: Object = Object {
    title: "Rate limit",
    doc: "A token bucket for each client. Buckets are a fixed table of 65,536: two clients can share one, and no flood costs memory.",
    keys: &[
        default(
            "by",
            Type::Either(&Type::Choice(&["client_ip", "targeting_key"]), &Type::Object(&RATE_BY)),
            "client_ip",
            "Who is one client: an address (of IPv6, the /64), a targeting key, or the value of a header. Who has no key or header is known by the address.",
        ),
        required("per_second", Type::Integer { min: 1, max: 1_000_000 }, "Requests a second, over a time."),
        optional(
            "burst",
            Type::Integer { min: 1, max: 1_000_000 },
            "Requests at once, after a pause; as many as in a second if absent.",
        ),
    ],
    rules: &[],
    later: &[],
};

pub static RATE_BY: Object = Object {
    title: "Rate limit by header",
    doc: "The value of a header. Of use where something before it vouches for the value: a client can make up another.",
    keys: &[required("header", Type::HeaderName, "The header.")],
    rules: &[],
    later: &[],
};

/// How often one client may ask.
pub fn rate_limit(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<RateLimit> {
    let mut fields = decoder.fields(item)?;
    let by = fields.get("by", decoder, |item, decoder| {
        let form = item.form();
        if matches!(form.is, Type::Object(_)) {
            let mut fields = decoder.fields(&form)?;
            return fields.get("header", decoder, header_name).map(RateBy::Header);
        }
        let words = [("client_ip", false), ("targeting_key", true)];
        choice(&form, decoder, words).map(|key| if key { RateBy::TargetingKey } else { RateBy::ClientIp })
    });
    let per_second = fields.get("per_second", decoder, integer::<u32>);
    let burst = fields.get("burst", decoder, integer::<u32>);
    // The table's bounds begin at 1.
    let per_second = NonZeroU32::new(per_second?)?;
    let burst = burst.and_then(NonZeroU32::new).unwrap_or(per_second);
    Some(RateLimit { by: by?, rate: Rate { per_second, burst } })
}

/// Reports what routes demand of keys that nobody has, or that anybody can make up.
pub fn keys_fit(routes: &[Route], context: &Context, decoder: &mut Decoder<'_>) {
    for (index, route) in routes.iter().enumerate() {
        let sources = route.targeting_key.as_ref().unwrap_or(&context.targeting_key);
        let by_key = route.rate_limit.as_ref().is_some_and(|limit| limit.by == RateBy::TargetingKey);
        let (key, open) = match (route.requires_key, by_key) {
            (true, _) => ("require_key", sources.iter().any(is_open)),
            (false, true) => ("rate_limit", false),
            (false, false) => continue,
        };
        let problem = |found: String| {
            let key = format!("routes[{index}].{key}");
            Problem::error(ProblemKind::Config, key, found).at(route.place.clone())
        };
        if sources.is_empty() {
            let problem =
                problem(format!("the route `{}` needs a targeting key, and nobody has one", route.name));
            decoder.report(
                problem.with_expected("a source under `targeting_key`, of the route or under `context`"),
            );
        } else if open {
            let problem =
                problem(format!("the route `{}` demands a key that anyone can make up", route.name));
            let problem = problem.with_expected(
                "sources that are verified: `jwt`, a signed `visitor_cookie`, a `trusted` header",
            );
            decoder.report(Problem { severity: Severity::Warning, ..problem });
        }
    }
}

/// Whether whoever asks can choose the key.
fn is_open(source: &KeySource) -> bool {
    match source {
        KeySource::Header { trusted, .. } => !trusted,
        KeySource::Cookie(_) | KeySource::Query(_) => true,
        KeySource::Visitor(cookie) => cookie.signed_by.is_empty() || cookie.adopt_unsigned,
        KeySource::Jwt(_) => false,
    }
}
