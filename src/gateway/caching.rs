//! Keeps shared caches honest: names in `Vary` what a decision read, or makes an answer private.
//!
//! The same for every status: a 304 updates what a cache has stored, a 206 and an error can be stored too.

use http::HeaderValue;
use http::header::{CACHE_CONTROL, HeaderName, VARY};

use super::fields::Fields;
use crate::snapshot::caching::CachePlan;

/// RFC 9213 fields that a CDN obeys instead of `Cache-Control`, and their forerunner.
const TARGETED: [HeaderName; 2] =
    [HeaderName::from_static("cdn-cache-control"), HeaderName::from_static("surrogate-control")];
const PRIVATE: HeaderValue = HeaderValue::from_static("private");

/// Applies a route's plan. `sets_cookie`: the answer carries a cookie of ours, which no two visitors may share.
pub fn apply(head: &mut impl Fields, plan: &CachePlan, sets_cookie: bool) {
    match plan {
        CachePlan::Vary(names) => vary(head, names),
        CachePlan::Private => private(head),
        CachePlan::Untouched => {}
    }
    if sets_cookie && *plan != CachePlan::Private {
        private(head);
    }
}

/// Adds the names that are not there yet; `*` says more than any name.
fn vary(head: &mut impl Fields, names: &HeaderValue) {
    if !head.all().contains_key(VARY) {
        return head.set(&VARY, names.clone());
    }
    let listed = |name: &str| {
        let lines = head.all().get_all(VARY).iter().filter_map(|line| line.to_str().ok());
        lines.flat_map(|line| line.split(',')).any(|listed| {
            let listed = listed.trim();
            listed == "*" || listed.eq_ignore_ascii_case(name)
        })
    };
    // The plan made it of field names: it is ASCII.
    let missing: Vec<&str> =
        names.to_str().unwrap_or_default().split(", ").filter(|name| !listed(name)).collect();
    if missing.len() == names.to_str().unwrap_or_default().split(", ").count() {
        head.add(&VARY, names.clone());
    } else if let Ok(value) = HeaderValue::try_from(missing.join(", "))
        && !missing.is_empty()
    {
        head.add(&VARY, value);
    }
}

/// `private` instead of `public` and `s-maxage`; `no-store` says more and stays as it is.
fn private(head: &mut impl Fields) {
    TARGETED.iter().for_each(|name| head.remove(name));
    if !head.all().contains_key(CACHE_CONTROL) {
        return head.set(&CACHE_CONTROL, PRIVATE);
    }
    let mut kept = String::new();
    for line in head.all().get_all(CACHE_CONTROL) {
        // A line that is no text says nothing that a cache understands.
        let Ok(line) = line.to_str() else { continue };
        for directive in directives(line) {
            let name = directive.split('=').next().unwrap_or_default().trim();
            let is = |known: &str| name.eq_ignore_ascii_case(known);
            if is("no-store") {
                return;
            }
            if !(is("public") || is("s-maxage") || is("private")) {
                kept.push_str(directive);
                kept.push_str(", ");
            }
        }
    }
    kept.push_str("private");
    head.set(&CACHE_CONTROL, HeaderValue::try_from(kept).unwrap_or(PRIVATE));
}

/// The directives of a line; a comma inside quotes separates nothing.
fn directives(line: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    let mut escaped = false;
    line.split(move |c: char| {
        let separates = c == ',' && !quoted;
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        separates
    })
    .map(str::trim)
    .filter(|directive| !directive.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use pingora::http::ResponseHeader;

    /// The lines of `field` after `plan` was applied to a response with these lines of it.
    fn after(plan: &CachePlan, cookie: bool, field: HeaderName, lines: &[&str]) -> Vec<String> {
        let mut head = ResponseHeader::build(200, None).unwrap();
        for line in lines {
            head.append_header(&field, *line).unwrap();
        }
        apply(&mut head, plan, cookie);
        head.headers.get_all(&field).iter().map(|line| line.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn vary_gets_the_missing_names() {
        let plan = CachePlan::Vary(HeaderValue::from_static("cookie, x-user"));
        let table: [(&[&str], &[&str]); 7] = [
            (&[], &["cookie, x-user"]),
            (&["accept-encoding"], &["accept-encoding", "cookie, x-user"]),
            (&["Cookie"], &["Cookie", "x-user"]),
            (&["a, X-User , b", "COOKIE"], &["a, X-User , b", "COOKIE"]),
            (&["*"], &["*"]),
            (&["a, *"], &["a, *"]),
            (&["x-users"], &["x-users", "cookie, x-user"]),
        ];
        for (lines, expected) in table {
            assert_eq!(after(&plan, false, VARY, lines), expected, "{lines:?}");
        }
        assert_eq!(after(&plan, false, CACHE_CONTROL, &["public"]), ["public"]);
        assert_eq!(after(&plan, true, CACHE_CONTROL, &["public"]), ["private"]);
        assert_eq!(after(&plan, true, VARY, &[]), ["cookie, x-user"]);
    }

    #[test]
    fn private_replaces_what_invites_shared_caches() {
        let table: [(&[&str], &[&str]); 10] = [
            (&[], &["private"]),
            (&["public, max-age=60, s-maxage=600"], &["max-age=60, private"]),
            (&["Public", "S-MaxAge=1, max-age=2"], &["max-age=2, private"]),
            (&["private"], &["private"]),
            (&["private=\"x-a, x-b\", max-age=1"], &["max-age=1, private"]),
            (&["no-cache=\"set-cookie, public\", public"], &["no-cache=\"set-cookie, public\", private"]),
            (&["public, no-store"], &["public, no-store"]),
            (&["max-age=1", "No-Store"], &["max-age=1", "No-Store"]),
            (&["a=\"\\\", public\", public"], &["a=\"\\\", public\", private"]),
            (&[", ,"], &["private"]),
        ];
        for (lines, expected) in table {
            assert_eq!(after(&CachePlan::Private, false, CACHE_CONTROL, lines), expected, "{lines:?}");
            assert_eq!(after(&CachePlan::Untouched, true, CACHE_CONTROL, lines), expected, "{lines:?}");
        }
        for field in TARGETED {
            assert!(after(&CachePlan::Private, false, field, &["max-age=600"]).is_empty());
        }
    }

    #[test]
    fn without_a_plan_nothing_changes() {
        for field in [VARY, CACHE_CONTROL] {
            assert_eq!(after(&CachePlan::Untouched, false, field, &["public"]), ["public"]);
        }
    }
}
