//! The form in which a client likes to be told what went wrong: text or JSON, by its `Accept` (RFC 9110, 12.5.1).
//!
//! Text, unless JSON is liked better, or as much and named more exactly. A field that makes no sense likes nothing.

use bytes::Bytes;
use http::header::ACCEPT;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::json;

/// A form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Text,
    Json,
}

impl Form {
    /// The one that a request likes better.
    pub fn liked(headers: &HeaderMap) -> Form {
        Form::of(headers.get_all(ACCEPT).iter().filter_map(|line| line.to_str().ok()))
    }

    /// By the values of `Accept`.
    pub fn of<'a>(lines: impl Iterator<Item = &'a str>) -> Form {
        let (mut text, mut json) = (None, None);
        for range in lines.flat_map(|line| line.split(',')) {
            // The most exact range that fits counts, whatever its quality.
            text = text.max(liked(range, "text", "plain"));
            json = json.max(liked(range, "application", "json"));
        }
        // What is not wanted at all is not wanted exactly, either.
        let quality = |liking: Option<(u8, u16)>| match liking {
            Some((exact, quality)) if quality > 0 => (quality, exact),
            _ => (0, 0),
        };
        if quality(json) > quality(text) { Form::Json } else { Form::Text }
    }

    pub fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Form::Text => "text/plain; charset=utf-8",
            Form::Json => "application/json",
        })
    }

    /// The body. `id` is the request's: visible ASCII.
    pub fn tell(self, status: StatusCode, words: &str, id: &str) -> Bytes {
        match self {
            Form::Text => format!("{words} (request {id})\n").into(),
            Form::Json => {
                format!("{}\n", json!({"status": status.as_u16(), "error": words, "request_id": id})).into()
            }
        }
    }
}

/// How exactly a range names a type, from 1 to 3, and its quality in thousandths; none: it does not fit.
fn liked(range: &str, kind: &str, sub: &str) -> Option<(u8, u16)> {
    let mut parts = range.split(';').map(str::trim);
    let (sent_kind, sent_sub) = parts.next()?.split_once('/')?;
    let exact = match (sent_kind.eq_ignore_ascii_case(kind), sent_sub.eq_ignore_ascii_case(sub)) {
        (true, true) => 3,
        (true, false) if sent_sub == "*" => 2,
        _ if sent_kind == "*" && sent_sub == "*" => 1,
        _ => return None,
    };
    let quality = parts.find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("q").then_some(value.trim())
    });
    Some((exact, quality.map_or(Some(1000), thousandths)?))
}

/// `0.8`: 800.
fn thousandths(text: &str) -> Option<u16> {
    let number = text.parse::<f32>().ok().filter(|number| (0.0..=1.0).contains(number))?;
    Some((number * 1000.0).round() as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_for_who_likes_it_better() {
        for (lines, form) in [
            (&[][..], Form::Text),
            (&["*/*"], Form::Text),
            (&["application/json"], Form::Json),
            (&["Application/JSON;charset=utf-8"], Form::Json),
            (&["application/*"], Form::Json),
            (&["application/json, text/plain, */*"], Form::Text),
            (&["application/json, */*"], Form::Json),
            (&["application/json;q=0.5, */*;q=0.8"], Form::Text),
            (&["application/json;q=0.9, text/plain;q=0.8"], Form::Json),
            (&["text/*;q=0.5", "application/json;q=0.6"], Form::Json),
            (&["text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"], Form::Text),
            (&["application/json;q=0"], Form::Text),
            (&["application/json;q=0, */*"], Form::Text),
            (&["text/plain;q=0, */*;q=0.1"], Form::Json),
            (&["application/json;q=2"], Form::Text),
            (&["application/json;q=nan"], Form::Text),
            (&["json", ";;q=1,,/"], Form::Text),
            (&["application/jsonx, application/json-seq"], Form::Text),
        ] {
            let lines = lines.iter().map(|line| (ACCEPT, HeaderValue::from_static(line)));
            assert_eq!(
                Form::liked(&HeaderMap::from_iter(lines.clone())),
                form,
                "{:?}",
                lines.collect::<Vec<_>>()
            );
        }
    }

    #[test]
    fn no_id_breaks_the_form() {
        let id = "a\"b<c>\\";
        let told = Form::Json.tell(StatusCode::NOT_FOUND, "no route", id);
        let json: serde_json::Value = serde_json::from_slice(&told).unwrap();
        assert_eq!(json, json!({"status": 404, "error": "no route", "request_id": id}));
        assert_eq!(Form::Text.tell(StatusCode::NOT_FOUND, "no route", "r1"), "no route (request r1)\n");
    }
}
