//! The head of a copy: the original's, as its first attempt was sent, but for the mark, the decision fields and what is configured.

use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, HOST, PROXY_AUTHORIZATION, TE,
    TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderName, HeaderValue, Uri, Version};
use pingora::http::RequestHeader;

use super::job::{Request, Told};
use crate::config::Injection;
use crate::config::shadow::{SafeWrites, ShadowRule};
use crate::gateway::fields::Fields;

/// Names the version that a copy is for. It is in the decision namespace: nobody else can say it.
const MARK: HeaderName = HeaderName::from_static("x-flagway-shadow");

/// The head of a copy for a shadow. `mark` is its version's name.
pub fn of_copy(request: &Request, rule: &ShadowRule, told: &Told, mark: &HeaderValue) -> RequestHeader {
    let injection = &request.live.snapshot.config.injection;
    let mut head = request.head.clone();
    if !rule.credentials {
        head.remove(&AUTHORIZATION);
        head.remove(&PROXY_AUTHORIZATION);
    }
    if !rule.cookies {
        head.remove(&COOKIE);
    }
    if let Some(SafeWrites::DryRun(fields)) = &rule.writes
        && !rule.methods.contains(&head.method)
    {
        set_open(&mut head, fields, injection);
    }
    head.edit(&rule.request_headers, injection);
    if let Some(host) = &rule.host
        && let Ok(host) = HeaderValue::from_str(host)
    {
        head.set(&HOST, host);
    }
    for (name, value) in told {
        head.set(name, value.clone());
    }
    finish(head, request, mark)
}

/// The head of a twin: the original's but for the mark.
pub fn of_twin(request: &Request, mark: &HeaderValue) -> RequestHeader {
    finish(request.head.clone(), request, mark)
}

/// Makes a head valid for the protocol that is spoken. Err: it cannot be.
pub fn speak(head: &mut RequestHeader, version: Version, tls: bool) -> Result<(), ()> {
    for name in [CONNECTION, UPGRADE, TRANSFER_ENCODING] {
        head.remove(&name);
    }
    if version == Version::HTTP_2 {
        let authority = head.remove_header(&HOST);
        let mut parts = head.uri.clone().into_parts();
        if let Some(authority) = authority {
            parts.authority = Some(authority.as_bytes().try_into().map_err(drop)?);
        }
        if parts.authority.is_none() || !head.raw_path_is_utf8() {
            return Err(());
        }
        let scheme = if tls { http::uri::Scheme::HTTPS } else { http::uri::Scheme::HTTP };
        parts.scheme = Some(scheme);
        head.set_uri(Uri::from_parts(parts).map_err(drop)?);
    } else {
        head.remove(&TE);
        if let Some(authority) = head.uri.authority()
            && !head.headers.contains_key(HOST)
            && let Ok(host) = HeaderValue::from_str(authority.as_str())
        {
            head.set(&HOST, host);
        }
    }
    head.set_version(version);
    Ok(())
}

/// What nothing configured can cover.
fn finish(mut head: RequestHeader, request: &Request, mark: &HeaderValue) -> RequestHeader {
    // There is nobody to answer it with 100: the body is there.
    head.remove(&EXPECT);
    head.remove(&TRANSFER_ENCODING);
    let declared = request.head.headers.contains_key(CONTENT_LENGTH);
    if request.length > 0 || declared || (request.has_body && !head.method.is_safe()) {
        let length = HeaderValue::from(request.length);
        // What is right stays as it was spelt.
        if head.headers.get(CONTENT_LENGTH) != Some(&length) {
            head.set(&CONTENT_LENGTH, length);
        }
    } else {
        head.remove(&CONTENT_LENGTH);
    }
    head.set(&MARK, mark.clone());
    head
}

fn set_open(head: &mut RequestHeader, fields: &[(HeaderName, HeaderValue)], injection: &Injection) {
    for (name, value) in fields.iter().filter(|(name, _)| !injection.reserves(name.as_str())) {
        head.set(name, value.clone());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::fixture::{begin, first, handed_over, head, live};
    use super::*;
    use bytes::Bytes;

    const VERSION: HeaderValue = HeaderValue::from_static("canary");

    /// The copy of a request, and its twin, as lines.
    fn copied(
        settings: &str,
        method: &str,
        fields: &[(&str, &str)],
        body: Option<&'static [u8]>,
    ) -> [Vec<String>; 2] {
        let live = live("", &[&format!("methods: [GET, HEAD, POST, PUT], {settings}")]);
        let mut copying = begin(&live).unwrap();
        first(&mut copying, &head(method, fields), body.is_some());
        if let Some(body) = body {
            copying.piece(Some(&Bytes::from_static(body)), true);
        }
        let job = handed_over(&live).remove(0);
        let request = Arc::clone(&job.request);
        let copy = of_copy(&request, request.rule(0).unwrap(), &job.told, &VERSION);
        [copy, of_twin(&request, &HeaderValue::from_static("stable"))].map(|head| lines(&head))
    }

    fn lines(head: &RequestHeader) -> Vec<String> {
        let line =
            |(name, value): (&HeaderName, &HeaderValue)| format!("{name}: {}", value.to_str().unwrap());
        let mut lines: Vec<_> = head.headers.iter().map(line).collect();
        lines.sort();
        lines
    }

    #[test]
    fn a_copy_is_its_original_but_for_the_mark_and_the_version_told() {
        let fields =
            [("host", "a.test"), ("x-flag-v", "stable"), ("cookie", "a=1"), ("x-a", "1"), ("x-a", "2")];
        let [copy, twin] = copied("timeout: 1s", "GET", &fields, None);
        let shared = ["cookie: a=1", "host: a.test", "x-a: 1", "x-a: 2"];
        assert_eq!(copy[..4], shared);
        assert_eq!(copy[4..], ["x-flag-v: canary", "x-flagway-shadow: canary"]);
        assert_eq!(twin[..4], shared);
        assert_eq!(twin[4..], ["x-flag-v: stable", "x-flagway-shadow: stable"]);
    }

    #[test]
    fn a_body_that_is_there_is_framed_by_its_length() {
        type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], Option<&'static [u8]>, Option<&'a str>);
        let table: [Case; 9] = [
            ("GET", &[], None, None),
            ("HEAD", &[], None, None),
            ("GET", &[("content-length", "0")], None, Some("0")),
            ("POST", &[("content-length", "3"), ("expect", "100-continue")], Some(b"abc"), Some("3")),
            ("POST", &[("transfer-encoding", "chunked")], Some(b"abc"), Some("3")),
            ("POST", &[], Some(b"abc"), Some("3")),
            ("POST", &[], Some(b""), Some("0")),
            ("GET", &[], Some(b""), None),
            ("GET", &[], Some(b"abc"), Some("3")),
        ];
        for (method, fields, body, length) in table {
            for lines in copied("timeout: 1s", method, fields, body) {
                let found = lines.iter().find_map(|line| line.strip_prefix("content-length: "));
                assert_eq!(found, length, "{method} {fields:?}");
                let hop = |line: &String| line.starts_with("transfer-encoding") || line.starts_with("expect");
                assert!(!lines.iter().any(hop), "{lines:?}");
            }
        }
    }

    #[test]
    fn configured_changes_are_made_to_the_copy_alone_and_cover_nothing_of_ours() {
        let settings = "host: next.test, cookies: drop, writes: {dry_run: {x-dry-run: '1'}}, \
            request_headers: {rename: {authorization: x-original}, set: {x-b: '2'}}";
        let fields = [("host", "a.test"), ("authorization", "secret"), ("cookie", "a=1")];
        let [copy, twin] = copied(settings, "GET", &fields, None);
        assert_eq!(
            copy,
            [
                "host: next.test",
                "x-b: 2",
                "x-flag-v: canary",
                "x-flagway-shadow: canary",
                "x-original: secret"
            ]
        );
        assert_eq!(twin[..3], ["authorization: secret", "cookie: a=1", "host: a.test"]);
        let [copy, _] = copied("credentials: drop", "GET", &fields, None);
        assert!(!copy.iter().any(|line| line.contains("secret")) && copy.contains(&"cookie: a=1".to_owned()));
    }

    #[test]
    fn a_dry_run_is_said_only_of_writes() {
        let settings = "writes: {dry_run: {x-dry-run: '1'}}";
        let live = live("", &[settings]);
        for (method, dry) in [("GET", false), ("DELETE", true)] {
            let asked = head(method, &[]);
            let decision = super::super::fixture::decision(&live, &[]);
            let copying =
                super::super::copying::Copying::begin(&live, &decision, &asked.method, &asked.headers, false);
            first(&mut copying.unwrap(), &asked, false);
            let job = handed_over(&live).remove(0);
            let copy = of_copy(&job.request, job.request.rule(0).unwrap(), &job.told, &VERSION);
            assert_eq!(copy.headers.contains_key("x-dry-run"), dry, "{method}");
        }
    }

    #[test]
    fn a_head_becomes_valid_for_what_is_spoken() {
        let fields = [("host", "a.test:81"), ("te", "trailers"), ("connection", "close")];
        let mut spoken = head("GET", &fields);
        speak(&mut spoken, Version::HTTP_2, true).unwrap();
        assert_eq!(spoken.uri.to_string(), "https://a.test:81/a?b=c");
        assert_eq!(lines(&spoken), ["te: trailers"]);
        speak(&mut spoken, Version::HTTP_11, false).unwrap();
        assert_eq!((lines(&spoken), spoken.raw_path()), (vec!["host: a.test:81".to_owned()], &b"/a?b=c"[..]));
        assert_eq!(speak(&mut head("GET", &[]), Version::HTTP_2, false), Err(()), "whom to ask is not known");
        assert_eq!(speak(&mut head("GET", &[("host", "a b")]), Version::HTTP_2, false), Err(()));
    }
}
