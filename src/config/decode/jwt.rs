//! Decodes how a token is verified.

use http::{Uri, header};

use super::fields::Fields;
use super::headers::{cookie_name, header_name};
use super::scalar::{bad, choice, duration, secret, size, text, words};
use super::{Decoder, Elsewhere, Item};
use crate::config::Name;
use crate::config::jwt::{Algorithm, Carrier, Jwt, KeysFrom, PUBLIC, SECRET};
use crate::config::reference::{Key, Object, Rule, Type, default, optional};
use crate::config::secret::Secret;

const HEADER: Key =
    optional("header", Type::HeaderName, "The header that carries it; `authorization` if absent.");
const COOKIE: Key = optional("cookie", Type::CookieName, "The cookie that carries it.");
const JWKS: Key = optional(
    "jwks",
    Type::Text,
    "The public keys (a JWK set): a file, which is watched; an `https://` address; or the JSON itself.",
);
const SECRETS: Key = optional(
    "secrets",
    Type::List(&Type::Secret),
    "Secrets shared with whoever signs, for `HS256` and its like.",
);
const ISSUER: Key =
    optional("issuer", Type::OneOrMany(&Type::Text), "What `iss` must be; not looked at if absent.");
const AUDIENCE: Key =
    optional("audience", Type::OneOrMany(&Type::Text), "What `aud` must name; not looked at if absent.");
const ALGORITHMS: Key = optional(
    "algorithms",
    Type::List(&Type::Choice(&WORDS)),
    "The algorithms that are taken; all that fit `jwks`, or `secrets`, if absent.",
);
const LEEWAY: Key = default("leeway", Type::Duration { zero: true }, "30s", "What clocks may differ by.");
const MAX_BYTES: Key =
    default("max_bytes", Type::Size { min: 256, max: 64 << 10 }, "8KiB", "The longest token.");
const REFRESH: Key =
    default("refresh", Type::Duration { zero: false }, "10m", "How often an address is fetched.");

const DESCRIPTION: [&str; 8] =
    ["header", "cookie", "issuer", "audience", "algorithms", "leeway", "max_bytes", "refresh"];

pub static JWT: Object = Object {
    title: "Token",
    doc: "The signed token (JWT) that says who asks. One that is not signed by these keys, is over or is for someone else counts as none.",
    keys: &[HEADER, COOKIE, JWKS, SECRETS, ISSUER, AUDIENCE, ALGORITHMS, LEEWAY, MAX_BYTES, REFRESH],
    rules: &[Rule::ExactlyOne(&["jwks", "secrets"]), Rule::AtMostOne(&["header", "cookie"])],
    later: &[],
};

pub static JWT_SOURCE: Object = Object {
    title: "Token source",
    doc: "A claim of the token. Without keys the token is the one under `context.jwt`.",
    keys: &[
        default("claim", Type::Text, "sub", "The claim."),
        HEADER,
        COOKIE,
        JWKS,
        SECRETS,
        ISSUER,
        AUDIENCE,
        ALGORITHMS,
        LEEWAY,
        MAX_BYTES,
        REFRESH,
    ],
    rules: &[
        Rule::AtMostOne(&["jwks", "secrets"]),
        Rule::AtMostOne(&["header", "cookie"]),
        Rule::Only(&DESCRIPTION, &["jwks", "secrets"]),
    ],
    later: &[],
};

const WORDS: [&str; 12] = [
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA", "HS256", "HS384",
    "HS512",
];

/// The token of the file.
pub fn jwt(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<Jwt> {
    let mut fields = decoder.fields(item)?;
    described(&mut fields, decoder)
}

/// A claim that is read: its name, or the long form, which may describe the token as well.
pub fn claim_source(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<Name> {
    let form = item.form();
    let claim = if matches!(form.is, Type::Object(_)) {
        let mut fields = decoder.fields(&form)?;
        let claim = fields.get("claim", decoder, claim);
        if fields.given("jwks").is_some() || fields.given("secrets").is_some() {
            let problem = form.problem("a token is described twice, or in a route");
            let problem = problem
                .with_expected("one description in the file")
                .with_fix("describe it under `context.jwt`");
            let token = described(&mut fields, decoder)?;
            decoder.tokens.push((token, problem));
            return claim;
        }
        DESCRIPTION.iter().for_each(|name| drop(fields.given(name)));
        claim
    } else {
        self::claim(&form, decoder)
    };
    needs_token(item, decoder);
    claim
}

/// The name of a claim, of a token that is described elsewhere.
pub fn claim_of_token(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<Name> {
    needs_token(item, decoder);
    claim(item, decoder)
}

fn claim(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<Name> {
    words(item, decoder)
}

fn needs_token(item: &Item<'_>, decoder: &mut Decoder<'_>) {
    let problem = item.problem("a claim of a token that is described nowhere");
    let problem = problem.with_expected("`context.jwt`, with the keys that it is verified with");
    decoder.unless.push((Elsewhere::Token, problem.with_fix("add `jwt: {jwks: ..}` under `context`")));
}

fn described(fields: &mut Fields<'_>, decoder: &mut Decoder<'_>) -> Option<Jwt> {
    let header = fields.get("header", decoder, header_name);
    let cookie = fields.get("cookie", decoder, cookie_name);
    let refresh = fields.get("refresh", decoder, duration);
    let jwks = fields.get("jwks", decoder, |item, decoder| jwks(item, decoder, refresh?));
    let secrets = fields.get("secrets", decoder, secrets);
    let issuers = fields.get("issuer", decoder, |item, decoder| decoder.list(item, words));
    let audiences = fields.get("audience", decoder, |item, decoder| decoder.list(item, words));
    let leeway = fields.get("leeway", decoder, duration);
    let max_bytes = fields.get("max_bytes", decoder, size);
    let keys = jwks.or(secrets.map(KeysFrom::Secrets));
    let fitting: &[Algorithm] = if matches!(keys, Some(KeysFrom::Secrets(_))) { &SECRET } else { &PUBLIC };
    let known = keys.is_some();
    let algorithms = fields.get("algorithms", decoder, |item, decoder| {
        let listed = decoder.list(item, |item, decoder| {
            let algorithm = algorithm(item, decoder)?;
            if known && !fitting.contains(&algorithm) {
                let problem = item.problem(format!("`{algorithm:?}` does not fit the keys"));
                let expected = "with `jwks` an algorithm of public keys, with `secrets` one of `HS256`, `HS384`, `HS512`";
                decoder.report(problem.with_expected(expected));
            }
            Some(algorithm)
        })?;
        if listed.is_empty() {
            decoder.report(item.problem("no algorithm is taken").with_expected("at least one"));
        }
        Some(listed)
    });
    Some(Jwt {
        carrier: cookie
            .map_or_else(|| Carrier::Header(header.unwrap_or(header::AUTHORIZATION)), Carrier::Cookie),
        keys: keys?,
        issuers: issuers.unwrap_or_default(),
        audiences: audiences.unwrap_or_default(),
        algorithms: algorithms.unwrap_or_else(|| fitting.to_vec()),
        leeway: leeway?,
        max_bytes: max_bytes?,
    })
}

/// Secrets, at least one.
pub fn secrets(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<Vec<Secret>> {
    let secrets = decoder.list(item, secret)?;
    if item.node.list().is_some_and(<[_]>::is_empty) {
        decoder.report(item.problem("there is no secret").with_expected("at least one"));
    }
    if secrets.len() > MOST_SECRETS {
        let found = format!("{} secrets", secrets.len());
        decoder.report(item.problem(found).with_expected(format!("at most {MOST_SECRETS}: each is tried")));
    }
    Some(secrets)
}

/// Rotation needs two or three.
const MOST_SECRETS: usize = 8;

fn algorithm(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<Algorithm> {
    use Algorithm::*;
    let meanings = [RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA, HS256, HS384, HS512];
    let mut index = 0;
    choice(
        item,
        decoder,
        WORDS.map(|word| {
            (word, {
                index += 1;
                meanings[index - 1]
            })
        }),
    )
}

/// A file, an address or the set itself.
fn jwks(item: &Item<'_>, decoder: &mut Decoder<'_>, refresh: std::time::Duration) -> Option<KeysFrom> {
    let text = text(item, decoder)?;
    let start = text.trim_start();
    if start.starts_with('{') {
        let has_keys =
            serde_json::from_str::<serde_json::Value>(&text).is_ok_and(|set| set["keys"].is_array());
        if !has_keys {
            decoder.report(item.problem("this JSON is no JWK set").with_expected("`{\"keys\": [..]}`"));
        }
        return Some(KeysFrom::Inline(text));
    }
    if !start.contains("://") {
        return super::scalar::path_of(item, decoder, &text).map(KeysFrom::File);
    }
    let url = text.parse::<Uri>().ok().filter(|url| url.host().is_some_and(|host| !host.is_empty()));
    let Some(url) = url.filter(|url| matches!(url.scheme_str(), Some("https" | "http"))) else {
        return bad(item, decoder, None);
    };
    if url.scheme_str() == Some("http") && !url.host().is_some_and(is_loopback) {
        let problem = item.problem("keys over plain HTTP: whoever is on the way could give their own");
        decoder.report(problem.with_expected("an `https://` address, or one of this machine"));
    }
    Some(KeysFrom::Url { url, refresh })
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}
