//! What the body of a request claims of whom it asks for.
//!
//! It is anybody's word: bounded by whoever read the body, no deeper than `serde_json` goes (128), and never an error but where it is no JSON.

use serde_json::{Map, Value as Json};

use crate::context::key::MAX_BYTES;

/// A context as the client gave it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Claims {
    /// Without `targetingKey` and `$flagd`.
    pub attributes: Map<String, Json>,
    /// 1 to 256 bytes.
    pub key: Option<String>,
}

impl Claims {
    /// Reads a body; an empty one claims nothing, and so does a context that is no object. `Err` says why it is no body.
    pub fn read(body: &[u8]) -> Result<Claims, String> {
        if body.trim_ascii().is_empty() {
            return Ok(Claims::default());
        }
        let mut body = match serde_json::from_slice(body) {
            Ok(Json::Object(body)) => body,
            Ok(_) => {
                return Err(
                    "the body is no object; expected such as {\"context\": {\"targetingKey\": \"..\"}}"
                        .to_owned(),
                );
            }
            Err(error) => return Err(format!("the body is no JSON: {error}")),
        };
        let Some(Json::Object(mut attributes)) = body.remove("context") else { return Ok(Claims::default()) };
        // What `$flagd` says is the evaluation's own.
        attributes.remove("$flagd");
        let key = match attributes.remove("targetingKey") {
            Some(Json::String(key)) if (1..=MAX_BYTES).contains(&key.len()) => Some(key),
            _ => None,
        };
        Ok(Claims { attributes, key })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claims(key: Option<&str>, attributes: Json) -> Result<Claims, String> {
        let Json::Object(attributes) = attributes else { panic!("{attributes}") };
        Ok(Claims { attributes, key: key.map(str::to_owned) })
    }

    #[test]
    fn a_body_claims_attributes_and_a_key() {
        let long = "k".repeat(257);
        for (body, expected) in [
            (
                json!({"context": {"targetingKey": "ada", "tier": "gold"}}),
                claims(Some("ada"), json!({"tier": "gold"})),
            ),
            (json!({"context": {"targetingKey": "k".repeat(256)}}), claims(Some(&long[..256]), json!({}))),
            (json!({"context": {"targetingKey": long}}), claims(None, json!({}))),
            (json!({"context": {"targetingKey": ""}}), claims(None, json!({}))),
            (json!({"context": {"targetingKey": 7, "a": 1}}), claims(None, json!({"a": 1}))),
            (json!({"context": {"$flagd": {"timestamp": 1}, "a": 1}}), claims(None, json!({"a": 1}))),
            (json!({"context": {}, "more": [1]}), claims(None, json!({}))),
            (json!({"context": "ada"}), claims(None, json!({}))),
            (json!({"context": null}), claims(None, json!({}))),
            (json!({}), claims(None, json!({}))),
        ] {
            assert_eq!(Claims::read(body.to_string().as_bytes()), expected, "{body}");
        }
        for empty in [&b""[..], b" \r\n\t"] {
            assert_eq!(Claims::read(empty), claims(None, json!({})));
        }
        let twice = br#"{"context": {"a": 1}, "context": {"a": 2, "a": 3}}"#;
        assert_eq!(Claims::read(twice), claims(None, json!({"a": 3})), "the last one counts");
    }

    #[test]
    fn what_is_no_body_is_told_why() {
        let deep = |open: &str, close: &str, times: usize| {
            format!("{{\"context\": {}1{}}}", open.repeat(times), close.repeat(times)).into_bytes()
        };
        for (body, words) in [
            (b"{".to_vec(), "line 1 column 1"),
            (b"\xff".to_vec(), "no JSON"),
            (b"{} {}".to_vec(), "trailing"),
            (b"[]".to_vec(), "no object"),
            (b"null".to_vec(), "no object"),
            (br#"{"context": {"n": 1e999}}"#.to_vec(), "out of range"),
            (br#"{"context": {"n": "\ud800"}}"#.to_vec(), "no JSON"),
            (deep("[", "]", 10_000), "recursion limit"),
            (deep("{\"a\":", "}", 10_000), "recursion limit"),
        ] {
            let told = Claims::read(&body).unwrap_err();
            assert!(told.contains(words), "{told}");
        }
    }
}
