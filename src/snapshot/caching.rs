//! How a route's answers are kept out of shared caches that would mix variants.
//!
//! The inputs that a route's flags can read are a static set. If all of them are header fields or cookies, `Vary` names
//! them; if any is not, only the client's own cache may keep the answer.

use http::HeaderValue;

use crate::config::route::Caching;
use crate::context::{Input, KeyRules, Readers};
use crate::flag::Flag;

/// What to do to a route's answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CachePlan {
    /// The flags read nothing of the request, or the operator turned it off.
    Untouched,
    /// The ready value of a `Vary` line: `cookie, x-user-id`.
    Vary(HeaderValue),
    /// Only the client's own cache may keep the answer.
    Private,
}

impl CachePlan {
    /// For routes without flags.
    pub fn none() -> CachePlan {
        CachePlan::Untouched
    }

    /// Collects the inputs of a route's flags; `key` when one of them reads the targeting key.
    pub fn build<'a>(
        caching: Caching,
        flags: impl Iterator<Item = &'a Flag>,
        readers: &Readers,
        key: Option<&KeyRules>,
    ) -> CachePlan {
        if caching == Caching::Off {
            return CachePlan::Untouched;
        }
        let mut names: Vec<String> = Vec::new();
        let mut unseen = false;
        let mut add = |input: Input| match input {
            Input::Header(name) => names.push(name.as_str().to_owned()),
            Input::Cookie => names.push("cookie".to_owned()),
            Input::CacheKey | Input::Unseen => unseen = true,
        };
        for flag in flags {
            flag.reads.slots.iter().for_each(|slot| add(readers.input(*slot)));
            if flag.reads.timestamp || flag.reads.everything {
                add(Input::Unseen);
            }
        }
        if let Some(key) = key {
            key.inputs().for_each(&mut add);
        }
        if unseen {
            return CachePlan::Private;
        }
        names.sort();
        names.dedup();
        if names.is_empty() {
            return CachePlan::Untouched;
        }
        // Field names are tokens: their list is a valid value.
        HeaderValue::from_str(&names.join(", ")).map_or(CachePlan::Private, CachePlan::Vary)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::fixture::snapshot;

    fn plan(targeting: &str, caching: &str) -> CachePlan {
        let flag = format!(
            r#"{{"flags":{{"v":{{"state":"ENABLED","variants":{{"a":"canary","b":"stable"}},"defaultVariant":"b","targeting":{targeting}}}}}}}"#
        );
        snapshot("", &format!("    version: {{flag: v}}\n    caching: {caching}"), &flag).plans[0]
            .caching
            .clone()
    }

    fn vary(names: &'static str) -> CachePlan {
        CachePlan::Vary(HeaderValue::from_static(names))
    }

    #[test]
    fn inputs_that_a_cache_can_see_are_named_and_others_make_it_private() {
        let cases = [
            ("{}", CachePlan::Untouched),
            (r#"{"if":[{"==":[{"var":"header.x-b"},{"var":"header.X-A"}]},"a"]}"#, vary("x-a, x-b")),
            (r#"{"if":[{"var":"cookie.beta"},"a",{"var":"user_agent"},"b"]}"#, vary("cookie, user-agent")),
            (r#"{"fractional":[["a",1],["b",1]]}"#, vary("cookie, x-user")),
            (r#"{"if":[{"var":"client_ip"},"a",{"var":"header.x-a"},"b"]}"#, CachePlan::Private),
            (r#"{"if":[{"<":[{"var":"$flagd.timestamp"},5]},"a"]}"#, CachePlan::Private),
            (r#"{"if":[{"var":"path"},"a"]}"#, CachePlan::Private),
        ];
        for (targeting, expected) in cases {
            assert_eq!(plan(targeting, "auto"), expected, "{targeting}");
        }
    }

    #[test]
    fn off_is_off() {
        assert_eq!(plan(r#"{"if":[{"var":"client_ip"},"a"]}"#, "off"), CachePlan::Untouched);
    }
}
