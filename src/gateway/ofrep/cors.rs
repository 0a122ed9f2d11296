//! Which pages may read the answers (CORS): those of exact origins, letter by letter.
//!
//! Nobody is turned away here: what a browser does not show a page, the page does not learn.

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use smallvec::SmallVec;

use super::super::answer::Answer;

/// Fields of an answer.
pub type Fields = SmallVec<[(HeaderName, HeaderValue); 4]>;

/// An hour, in seconds: so long a browser remembers what it may send.
const REMEMBERED: HeaderValue = HeaderValue::from_static("3600");
const METHODS: HeaderValue = HeaderValue::from_static("GET, POST");
const EXPOSED: HeaderValue = HeaderValue::from_static("etag, retry-after");
const TRUE: HeaderValue = HeaderValue::from_static("true");

/// What every answer of a door with such origins has. Cookies may come: by them a page is decided like the request that loaded it.
pub fn fields(origins: &[HeaderValue], asked: &HeaderMap) -> Fields {
    let mut fields = Fields::new();
    if origins.is_empty() {
        return fields;
    }
    fields.push((VARY, HeaderValue::from_static("origin")));
    if let Some(origin) = allowed(origins, asked) {
        fields.push((ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone()));
        fields.push((ACCESS_CONTROL_ALLOW_CREDENTIALS, TRUE));
        fields.push((ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED));
    }
    fields
}

/// The answer to OPTIONS. A page may send any header: targetings read them, and whoever is no page sends them anyway.
pub fn preflight(origins: &[HeaderValue], asked: &HeaderMap) -> Answer {
    let answer = Answer::empty(StatusCode::NO_CONTENT);
    if !asked.contains_key(ACCESS_CONTROL_REQUEST_METHOD) || allowed(origins, asked).is_none() {
        return answer;
    }
    let answer = answer.with(ACCESS_CONTROL_ALLOW_METHODS, METHODS).with(ACCESS_CONTROL_MAX_AGE, REMEMBERED);
    match asked.get(ACCESS_CONTROL_REQUEST_HEADERS) {
        Some(names) => answer.with(ACCESS_CONTROL_ALLOW_HEADERS, names.clone()),
        None => answer,
    }
}

fn allowed<'o>(origins: &'o [HeaderValue], asked: &HeaderMap) -> Option<&'o HeaderValue> {
    let mut lines = asked.get_all(ORIGIN).iter();
    let origin = lines.next().filter(|_| lines.next().is_none())?;
    origins.iter().find(|allowed| *allowed == origin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exact_origins_are_told_that_they_may_read() {
        let origins = ["https://shop.test", "http://localhost:3000"].map(HeaderValue::from_static);
        let table: [(&[&'static str], Option<&str>); 9] = [
            (&["https://shop.test"], Some("https://shop.test")),
            (&["http://localhost:3000"], Some("http://localhost:3000")),
            (&[], None),
            (&["null"], None),
            (&["http://shop.test"], None),
            (&["https://shop.test:8443"], None),
            (&["https://shop.test.evil.test"], None),
            (&["https://evil.shop.test"], None),
            (&["https://shop.test", "https://evil.test"], None),
        ];
        for (sent, told) in table {
            let sent: HeaderMap =
                sent.iter().map(|origin| (ORIGIN, HeaderValue::from_static(origin))).collect();
            let fields = fields(&origins, &sent);
            let value = |name| {
                fields.iter().find(|(other, _)| *other == name).map(|(_, value)| value.to_str().unwrap())
            };
            assert_eq!(value(ACCESS_CONTROL_ALLOW_ORIGIN), told, "{sent:?}");
            assert_eq!(value(VARY), Some("origin"));
        }
        assert!(
            fields(&[], &HeaderMap::from_iter([(ORIGIN, HeaderValue::from_static("https://a.test"))]))
                .is_empty()
        );
    }
}
