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
