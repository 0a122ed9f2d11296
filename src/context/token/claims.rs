//! What a verified token says.

use std::borrow::Cow;

use serde_json::{Map, Value as Json};

/// The claims of a token that counts.
#[derive(Debug, Clone, PartialEq)]
pub struct Claims(Map<String, Json>);

impl Claims {
    pub(super) fn new(claims: Map<String, Json>) -> Claims {
        Claims(claims)
    }

    /// The claim of that name; else what a path of dots leads to (`org.plan`), or a JSON pointer (`/https:~1~1a.example~1roles/0`).
    pub fn get(&self, path: &str) -> Option<&Json> {
        if let Some(claim) = self.0.get(path) {
            return Some(claim);
        }
        match path.strip_prefix('/') {
            Some(pointer) => pointed(&self.0, pointer),
            None => dotted(&self.0, path),
        }
    }

    /// A claim as a targeting key: text, or a whole number as text.
    pub fn key(&self, path: &str) -> Option<Cow<'_, str>> {
        match self.get(path)? {
            Json::String(text) => Some(Cow::Borrowed(text)),
            Json::Number(number) if !number.is_f64() => Some(Cow::Owned(number.to_string())),
            _ => None,
        }
    }
}

/// A scalar claim as text, to be typed as a header's text is.
pub fn text_of(claim: &Json) -> Option<Cow<'_, str>> {
    match claim {
        Json::String(text) => Some(Cow::Borrowed(text)),
        Json::Number(_) | Json::Bool(_) => Some(Cow::Owned(claim.to_string())),
        _ => None,
    }
}

fn dotted<'a>(claims: &'a Map<String, Json>, path: &str) -> Option<&'a Json> {
    let (first, rest) = path.split_once('.')?;
    let Json::Object(inner) = claims.get(first)? else { return None };
    inner.get(rest).or_else(|| dotted(inner, rest))
}

fn pointed<'a>(claims: &'a Map<String, Json>, pointer: &str) -> Option<&'a Json> {
    let (first, rest) = pointer.split_once('/').map_or((pointer, None), |(first, rest)| (first, Some(rest)));
    let claim = claims.get(&first.replace("~1", "/").replace("~0", "~"))?;
    match rest {
        Some(rest) => claim.pointer(&format!("/{rest}")),
        None => Some(claim),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn claims_are_found_by_name_by_path_and_by_pointer() {
        let Json::Object(map) = json!({
            "sub": "ada", "n": 7, "f": 1.5, "a.b": "whole", "org": {"plan": "pro", "x.y": 1, "deep": {"er": true}},
            "https://a.example/roles": ["beta", "staff"], "/odd": 1, "none": null,
        }) else {
            unreachable!()
        };
        let claims = Claims::new(map);
        for (path, found) in [
            ("sub", Some(json!("ada"))),
            ("a.b", Some(json!("whole"))),
            ("org.plan", Some(json!("pro"))),
            ("org.x.y", Some(json!(1))),
            ("org.deep.er", Some(json!(true))),
            ("org.nothing", None),
            ("sub.x", None),
            ("https://a.example/roles", Some(json!(["beta", "staff"]))),
            ("/https:~1~1a.example~1roles/1", Some(json!("staff"))),
            ("/org/deep/er", Some(json!(true))),
            ("/sub", Some(json!("ada"))),
            ("/odd", Some(json!(1))),
            ("", None),
            ("/", None),
            (".", None),
        ] {
            assert_eq!(claims.get(path), found.as_ref(), "{path}");
        }
        let key = |path| claims.key(path).map(Cow::into_owned);
        assert_eq!([key("sub"), key("n")], [Some("ada".to_owned()), Some("7".to_owned())]);
        assert_eq!([key("f"), key("org"), key("none")], [None, None, None]);
    }
}
