//! A request to explain: as a person or a program writes it, and as it would have arrived.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{SystemTime, UNIX_EPOCH};

use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use serde::{Deserialize, Serialize};

use super::Asked;
use crate::config::Config;
use crate::config::Injection;
use crate::config::listener::Listener;
use crate::context::{RawRequest, RequestFacts, Scheme, Secured};
use crate::gateway::tls::claimed;

/// A request to explain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Default `GET`.
    #[serde(default = "get")]
    pub method: String,
    /// A path with its query, or an absolute `http://` or `https://` address.
    pub url: String,
    /// Name and value of each field line, in order.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// The socket's peer; default 127.0.0.1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<IpAddr>,
    /// Default: the first one that speaks the address's scheme.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listener: Option<String>,
    /// The certificate that the client shows, PEM; taken for verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_cert: Option<String>,
    /// When it arrives; default now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<At>,
}

fn get() -> String {
    "GET".to_owned()
}

/// A point in time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum At {
    /// Unix seconds.
    Unix(i64),
    /// `2026-12-31T23:59:59Z`
    Rfc3339(String),
}

impl At {
    /// Unix seconds.
    pub fn seconds(&self) -> Result<i64, String> {
        let text = match self {
            At::Unix(seconds) => return Ok(*seconds),
            At::Rfc3339(text) => text,
        };
        let wrong =
            |_| format!("`{text}` is no time; expected Unix seconds or something like 2026-12-31T23:59:59Z");
        let time: SystemTime = humantime::parse_rfc3339_weak(text).map_err(wrong)?;
        Ok(time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64))
    }
}

/// A request as it would have come off the wire.
#[derive(Debug)]
pub struct Arrived {
    method: Method,
    path: String,
    query: Option<String>,
    headers: HeaderMap,
    tls: bool,
    secured: Option<Secured>,
    peer: IpAddr,
    listener: String,
    /// Unix seconds.
    pub at: i64,
    /// Names of fields that were dropped, as only Flagway may set them.
    pub dropped: Vec<String>,
}

impl Request {
    /// Reads it as a listener would. `Err` names what no client could have sent.
    pub fn arrive(&self, config: &Config, now: i64) -> Result<Arrived, String> {
        let method = Method::from_bytes(self.method.as_bytes())
            .map_err(|_| format!("`{}` is no method", self.method))?;
        let url = Parts::of(&self.url)?;
        let listener = self.listener(config, url.tls)?;
        let mut headers = HeaderMap::with_capacity(self.headers.len() + 1);
        for (name, value) in &self.headers {
            let field =
                HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("`{name}` is no header name"))?;
            let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| {
                format!("the value of the header `{name}` has characters that no header can have")
            })?;
            headers.append(field, value);
        }
        if let Some(authority) = url.authority.filter(|_| !headers.contains_key(header::HOST)) {
            let value = HeaderValue::from_str(authority).map_err(|_| format!("`{authority}` is no host"))?;
            headers.insert(header::HOST, value);
        }
        let peer = self.peer.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)).to_canonical();
        let kept = config.injection.accept_from_trusted_proxies
            && config.context.trusted_proxies.iter().any(|network| network.contains(&peer));
        let dropped = if kept { Vec::new() } else { drop_decisions(&mut headers, &config.injection) };
        let tls = url.tls.unwrap_or(listener.is_some_and(|listener| listener.tls.is_some()));
        Ok(Arrived {
            method,
            path: url.path.to_owned(),
            query: url.query.map(str::to_owned),
            headers,
            tls,
            secured: self.secured(tls, url.authority)?,
            peer,
            listener: listener.map(|listener| listener.name.to_string()).unwrap_or_default(),
            at: self.at.as_ref().map_or(Ok(now), At::seconds)?,
            dropped,
        })
    }

    /// What a handshake of today would have told.
    fn secured(&self, tls: bool, authority: Option<&str>) -> Result<Option<Secured>, String> {
        let client = match &self.client_cert {
            None => None,
            Some(_) if !tls => {
                return Err(
                    "a client shows no certificate in the clear; expected an https:// address".to_owned()
                );
            }
            Some(pem) => Some(
                claimed(pem)
                    .ok_or("the client's certificate is none; expected PEM, `-----BEGIN CERTIFICATE-----`")?,
            ),
        };
        let authority = authority.and_then(|authority| authority.parse::<Authority>().ok());
        let sni = authority.as_ref().map(Authority::host).filter(|host| is_name(host));
        let sni = sni.map(|name| name.to_ascii_lowercase().into_boxed_str());
        Ok(tls.then(|| Secured { version: "1.3", sni, client, asked: self.client_cert.is_some() }))
    }

    fn listener<'a>(&self, config: &'a Config, tls: Option<bool>) -> Result<Option<&'a Listener>, String> {
        let listeners = &config.listeners;
        let Some(name) = &self.listener else {
            let fits = |listener: &&Listener| tls.is_none_or(|tls| listener.tls.is_some() == tls);
            return Ok(listeners.iter().find(fits).or(listeners.first()));
        };
        let found = listeners.iter().find(|listener| *listener.name == **name);
        found.map(Some).ok_or_else(|| {
            let names: Vec<&str> = listeners.iter().map(|listener| &*listener.name).collect();
            format!("no listener is named `{name}`; there are: {}", names.join(", "))
        })
    }
}

/// Whether a client would ask for it by name: addresses are never asked for so.
fn is_name(host: &str) -> bool {
    !host.starts_with('[') && host.parse::<IpAddr>().is_err()
}

/// Takes out what only Flagway may set.
fn drop_decisions(headers: &mut HeaderMap, injection: &Injection) -> Vec<String> {
    let names: Vec<HeaderName> =
        headers.keys().filter(|name| injection.reserves(name.as_str())).cloned().collect();
    names.iter().for_each(|name| {
        headers.remove(name);
    });
    names.iter().map(HeaderName::to_string).collect()
}

/// An address, taken apart without judging its path: that is what is to be explained.
struct Parts<'a> {
    tls: Option<bool>,
    authority: Option<&'a str>,
    path: &'a str,
    query: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn of(url: &'a str) -> Result<Parts<'a>, String> {
        let (tls, rest) = match (url.strip_prefix("http://"), url.strip_prefix("https://")) {
            (Some(rest), _) => (Some(false), rest),
            (_, Some(rest)) => (Some(true), rest),
            _ if url.starts_with('/') => (None, url),
            _ => {
                return Err(format!(
                    "`{url}` is neither a path such as /checkout nor an http:// or https:// address"
                ));
            }
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let (authority, target) = match tls {
            None => (None, rest),
            Some(_) => {
                let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
                (Some(authority), target)
            }
        };
        if authority == Some("") {
            return Err(format!("`{url}` has no host"));
        }
        let (path, query) =
            target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        Ok(Parts { tls, authority, path: if path.is_empty() { "/" } else { path }, query })
    }
}

impl Arrived {
    /// Borrowed, as deciding takes it.
    pub fn raw(&self) -> RawRequest<'_> {
        RawRequest {
            method: &self.method,
            path: &self.path,
            query: self.query.as_deref(),
            headers: &self.headers,
            authority: None,
            tls: self.tls,
            secured: self.secured.as_ref(),
            peer: self.peer,
            listener: &self.listener,
        }
    }

    /// As it was understood; `facts` are none when it is refused.
    pub fn asked(&self, facts: Option<&RequestFacts<'_>>) -> Asked {
        let host = || {
            self.headers.get(header::HOST).map(|host| String::from_utf8_lossy(host.as_bytes()).into_owned())
        };
        let https = facts.map_or(self.tls, |facts| facts.scheme == Scheme::Https);
        Asked {
            method: self.method.to_string(),
            scheme: if https { "https" } else { "http" }.to_owned(),
            host: facts.map(|facts| facts.host.to_string()).or_else(host).unwrap_or_default(),
            path: facts.map_or(&*self.path, |facts| &*facts.path).to_owned(),
            listener: self.listener.clone(),
            client_ip: facts.map_or(self.peer, |facts| facts.client_ip).to_string(),
            trusted: facts.is_some_and(|facts| facts.trusted),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart_without_judging_the_path() {
        let cases = [
            ("/a/../b?x=1#top", None, None, "/a/../b", Some("x=1")),
            ("/a\\b", None, None, "/a\\b", None),
            ("http://shop.example", Some(false), Some("shop.example"), "/", None),
            ("https://shop.example:8443/a?b?c", Some(true), Some("shop.example:8443"), "/a", Some("b?c")),
            ("https://shop.example?q=1", Some(true), Some("shop.example"), "/", Some("q=1")),
        ];
        for (url, tls, authority, path, query) in cases {
            let parts = Parts::of(url).unwrap();
            assert_eq!(
                (parts.tls, parts.authority, parts.path, parts.query),
                (tls, authority, path, query),
                "{url}"
            );
        }
        for url in ["checkout", "ftp://x/", "http://", "https:///x", ""] {
            assert!(Parts::of(url).is_err(), "{url}");
        }
    }

    #[test]
    fn a_handshake_tells_the_name_and_nothing_is_told_in_the_clear() {
        let secured = |url: &str, cert: Option<&str>| {
            let request: Request =
                serde_json::from_value(serde_json::json!({"url": url, "client_cert": cert})).unwrap();
            let parts = Parts::of(url).unwrap();
            request.secured(parts.tls == Some(true), parts.authority)
        };
        let sni = |url: &str| secured(url, None).unwrap().and_then(|secured| secured.sni);
        assert_eq!(sni("https://Shop.Test:8443/").as_deref(), Some("shop.test"));
        for url in ["https://192.0.2.1/", "https://[::1]:443/", "http://shop.test/", "/"] {
            assert_eq!(sni(url), None, "{url}");
        }
        assert!(secured("http://shop.test/", Some("")).unwrap_err().contains("https://"));
        assert!(secured("https://shop.test/", Some("no PEM")).unwrap_err().contains("BEGIN CERTIFICATE"));
    }

    #[test]
    fn a_time_is_unix_seconds_or_a_date() {
        assert_eq!(At::Unix(-5).seconds(), Ok(-5));
        assert_eq!(At::Rfc3339("1970-01-02T00:00:00Z".to_owned()).seconds(), Ok(86_400));
        assert_eq!(At::Rfc3339("1970-01-02 00:00:01".to_owned()).seconds(), Ok(86_401));
        assert!(At::Rfc3339("tomorrow".to_owned()).seconds().is_err());
    }

    #[test]
    fn fields_that_only_flagway_may_set_are_dropped_in_every_spelling() {
        let mut headers = HeaderMap::new();
        for name in ["x-flag-a", "x_flag.b", "x-flagway-version", "flag_decisions", "x-flags", "accept"] {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static("1"));
        }
        let mut dropped = drop_decisions(&mut headers, &Injection::default());
        dropped.sort();
        assert_eq!(dropped, ["flag_decisions", "x-flag-a", "x-flagway-version", "x_flag.b"]);
        assert_eq!(headers.len(), 2);
    }

    #[test]
    fn the_json_form_has_defaults_and_knows_no_other_keys() {
        let request: Request = serde_json::from_str(r#"{"url": "/a"}"#).unwrap();
        assert_eq!((&*request.method, request.headers.len(), request.peer), ("GET", 0, None));
        let full = r#"{"method":"POST","url":"/a","headers":[["a","b"]],"peer":"::1","listener":"x","at":"2026-01-01T00:00:00Z"}"#;
        assert!(serde_json::from_str::<Request>(full).is_ok());
        assert!(serde_json::from_str::<Request>(r#"{"url": "/a", "header": []}"#).is_err());
    }
}
