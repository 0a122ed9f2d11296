//! What is written while a client waits: errors, and what stands around the flags of an answer.

use serde_json::{Map, Value as Json, json};

use super::written::Parts;
use crate::flag::{ErrorCode, Flag, Selector};

/// `{"errorDetails": ".."}`
pub fn details(details: &str) -> Vec<u8> {
    json!({"errorDetails": details}).to_string().into_bytes()
}

/// An error about one flag, or about the question for all of them.
pub fn error(key: Option<&str>, code: ErrorCode, details: &str, selector: Option<&Selector>) -> Vec<u8> {
    let mut error = Map::new();
    if let Some(key) = key {
        error.insert("key".to_owned(), key.into());
    }
    error.insert("errorCode".to_owned(), code.as_str().into());
    error.insert("errorDetails".to_owned(), details.into());
    if let Some((name, value)) = selector.and_then(Selector::metadata) {
        error.insert("metadata".to_owned(), json!({name: value}));
    }
    Json::Object(error).to_string().into_bytes()
}

/// One flag's answer; its metadata has what the selector adds, unless the flag says it itself.
pub fn one(parts: Parts<'_>, flag: &Flag, selector: &Selector) -> Vec<u8> {
    let own = flag.definition.as_ref().map(|definition| &definition.metadata);
    let added = selector.metadata().filter(|(name, _)| !own.is_some_and(|own| own.contains_key(*name)));
    let Some((name, value)) = added else { return parts.object(0) };
    let pair = format!("{}:{}", Json::from(name), Json::from(value));
    let mut object = parts.object(pair.len() + 16);
    // The last brace is the answer's, the one before it the metadata's, if there is any.
    object.pop();
    if own.is_some_and(|own| !own.is_empty()) {
        object.pop();
        object.push(b',');
    } else {
        object.extend(br#","metadata":{"#);
    }
    object.extend(pair.as_bytes());
    object.extend(b"}}");
    object
}

/// What stands behind the last flag of an answer about all.
pub fn rest(selector: &Selector, streams: Option<&str>) -> Vec<u8> {
    let mut rest = vec![b']'];
    if let Some((name, value)) = selector.metadata() {
        rest.extend(format!(r#","metadata":{}"#, json!({name: value})).as_bytes());
    }
    if let Some(path) = streams {
        let streams = json!([{"type": "sse", "endpoint": {"requestUri": path}}]);
        rest.extend(format!(r#","eventStreams":{streams}"#).as_bytes());
    }
    rest.push(b'}');
    rest
}
