//! What a request asks, by its path and its header fields.
//!
//! It reads no body, and refuses what it does not understand rather than to guess.

use std::borrow::Cow;

use http::{HeaderMap, header};
use percent_encoding::percent_decode_str;

use crate::context::cookies::parameter;
use crate::flag::Selector;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked<'a> {
    /// One flag, by its key.
    Flag(Cow<'a, str>),
    /// Every flag that is shown.
    Bulk,
    /// To be told when something changes.
    Stream,
}

impl Asked<'_> {
    /// Reads a path as received; what stands before `/ofrep/v1/` is the route's. None: nothing is there.
    pub fn parse(path: &str) -> Option<Asked<'_>> {
        let (_, endpoint) = path.split_once("/ofrep/v1/")?;
        match endpoint {
            "stream" => return Some(Asked::Stream),
            "evaluate/flags" | "evaluate/flags/" => return Some(Asked::Bulk),
            _ => {}
        }
        // Not every client encodes a slash in a key.
        let key = endpoint.strip_prefix("evaluate/flags/")?;
        Some(Asked::Flag(percent_decode_str(key).decode_utf8_lossy()))
    }

    /// One word, for a metric.
    pub fn label(&self) -> &'static str {
        match self {
            Asked::Flag(_) => "flag",
            Asked::Bulk => "bulk",
            Asked::Stream => "stream",
        }
    }
}

/// Whether the body is declared as JSON, or not at all. A page of another origin cannot send `application/json` without being allowed to.
pub fn is_json(headers: &HeaderMap) -> bool {
    headers.get_all(header::CONTENT_TYPE).iter().all(|line| {
        let line = line.to_str().unwrap_or_default();
        let kind = line.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
    })
}

/// The selector of `Flagd-Selector`; `Err` says what is wrong with it.
pub fn selector(headers: &HeaderMap) -> Result<Selector, String> {
    let Some(line) = headers.get("flagd-selector") else { return Ok(Selector::All) };
    let text = std::str::from_utf8(line.as_bytes()).map_err(|_| "`Flagd-Selector` is no text".to_owned())?;
    Selector::parse(text.trim()).map_err(|key| {
        format!("`Flagd-Selector` selects by {key:?}; expected such as \"flagSetId=shop\" or \"source=flags.json\"")
    })
}

/// The revision that an event told the client of: `?flagConfigEtag=`, with or without an ETag's quotes.
pub fn revision(query: Option<&str>) -> Option<Cow<'_, str>> {
    let told = parameter(query, "flagConfigEtag")?;
    let bare = told.strip_prefix("W/").unwrap_or(&told).trim_matches('"');
    Some(if bare.len() == told.len() { told } else { Cow::Owned(bare.to_owned()) })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn sent(name: &'static str, lines: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(name, HeaderValue::from_static(line));
        }
        headers
    }

    #[test]
    fn a_path_says_what_is_asked() {
        let flag = |key: &'static str| Some(Asked::Flag(key.into()));
        for (path, asked) in [
            ("/ofrep/v1/evaluate/flags", Some(Asked::Bulk)),
            ("/ofrep/v1/evaluate/flags/", Some(Asked::Bulk)),
            ("/shop/eu/ofrep/v1/evaluate/flags", Some(Asked::Bulk)),
            ("/ofrep/v1/stream", Some(Asked::Stream)),
            ("/a/ofrep/v1/stream", Some(Asked::Stream)),
            ("/ofrep/v1/evaluate/flags/banner", flag("banner")),
            ("/ofrep/v1/evaluate/flags/a%2Fb%20c%C3%A9", flag("a/b cé")),
            ("/ofrep/v1/evaluate/flags/a/b", flag("a/b")),
            ("/ofrep/v1/evaluate/flags/%25", flag("%")),
            ("/ofrep/v1/evaluate/flags/%zz%", flag("%zz%")),
            ("/ofrep/v1/evaluate/flags/%ff", flag("\u{fffd}")),
            ("/ofrep/v1/evaluate/flags//", flag("/")),
            ("/ofrep/v1/evaluate/flags/ofrep/v1/x", flag("ofrep/v1/x")),
            ("/ofrep/v1/evaluate", None),
            ("/ofrep/v1/evaluate/flagsx", None),
            ("/ofrep/v1/stream/", None),
            ("/ofrep/v2/evaluate/flags", None),
            ("ofrep/v1/evaluate/flags", None),
            ("/", None),
            ("", None),
        ] {
            assert_eq!(Asked::parse(path), asked, "{path}");
        }
    }

    #[test]
    fn a_body_is_json_or_says_nothing() {
        for (lines, fits) in [
            (&[][..], true),
            (&["application/json"], true),
            (&["Application/JSON; charset=utf-8"], true),
            (&["application/vnd.a+json"], true),
            (&["text/plain"], false),
            (&["application/x-www-form-urlencoded"], false),
            (&["text/plain; application/json"], false),
            (&["application/json", "text/plain"], false),
            (&[""], false),
        ] {
            assert_eq!(is_json(&sent("content-type", lines)), fits, "{lines:?}");
        }
    }

    #[test]
    fn a_selector_is_read_and_what_is_none_is_refused() {
        let read = |line: &'static str| super::selector(&sent("flagd-selector", &[line]));
        assert_eq!(super::selector(&HeaderMap::new()), Ok(Selector::All));
        assert_eq!(read("  "), Ok(Selector::All));
        assert_eq!(read(" flagSetId=shop "), Ok(Selector::FlagSet("shop".into())));
        assert_eq!(read("flags.json"), Ok(Selector::Source("flags.json".into())));
        let told = read("team=a").unwrap_err();
        assert!(told.contains("\"team\"") && told.contains("flagSetId=shop"), "{told}");
        let mut odd = HeaderMap::new();
        odd.insert("flagd-selector", HeaderValue::from_bytes(b"\xff").unwrap());
        assert!(super::selector(&odd).is_err());
    }

    #[test]
    fn the_revision_that_an_event_told_is_read_with_or_without_quotes() {
        for (query, told) in [
            (None, None),
            (Some("a=b"), None),
            (Some("flagConfigEtag=4c1f"), Some("4c1f")),
            (Some("x=1&flagConfigEtag=%224c1f%22&y"), Some("4c1f")),
            (Some("flagConfigEtag=W/%224c1f%22"), Some("4c1f")),
            (Some("flagConfigEtag="), Some("")),
        ] {
            assert_eq!(revision(query).as_deref(), told, "{query:?}");
        }
    }
}
