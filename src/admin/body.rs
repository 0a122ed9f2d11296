//! What a write of a flag asks for: its verb from the path, the rest from a JSON body.
//!
//! Bodies are strict, as a misspelt `for` would make a change for ever of one for an hour. Whether the change applies to the flag, the
//! keeper says.

use std::time::Duration;

use axum::http::Method;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value as Json};

use super::error::Error;
use crate::config::suggest;
use crate::flag::{Definition, FlagState};
use crate::overlay::change::{check_name, take_text};
use crate::overlay::{Change, Entry, Invalid};
use crate::source::hand::Action;

/// Bytes of a body that has definitions.
pub const MAX_DEFINITIONS: usize = 1 << 20;

/// Bytes of every other body.
pub const MAX_BODY: usize = 64 << 10;

/// Streams of a killed version may go on so long at most.
const MAX_DRAIN: Duration = Duration::from_secs(60 * 60);

/// What a write does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Everyone gets one variant.
    Kill,
    /// Takes the kill out, or all.
    Release,
    /// Changes shares.
    Weight,
    /// State ENABLED.
    Enable,
    /// State DISABLED.
    Disable,
    /// A whole definition.
    Set,
    /// `PUT` of all entries.
    Replace,
    /// `DELETE` of all entries.
    Clear,
}

/// A body that was understood.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// For the keeper.
    pub action: Action,
    /// May be empty.
    pub why: String,
    /// Unix seconds.
    pub until: Option<i64>,
    /// How long streams of a killed version may go on; none: as long as they like.
    pub drain: Option<Duration>,
}

/// What a body is read with.
#[derive(Debug, Clone, Copy)]
pub struct Around<'a> {
    /// The flag's key.
    pub flag: &'a str,
    /// What runs of it.
    pub running: Option<&'a Definition>,
    /// Who asks.
    pub by: &'a str,
    /// Unix seconds.
    pub now: i64,
}

impl Verb {
    /// Those that are the last segment of a path, by it.
    pub const NAMED: [(&'static str, Verb); 6] = [
        ("kill", Verb::Kill),
        ("release", Verb::Release),
        ("weight", Verb::Weight),
        ("enable", Verb::Enable),
        ("disable", Verb::Disable),
        ("set", Verb::Set),
    ];

    /// By the last segment of a path.
    pub fn named(name: &str) -> Option<Verb> {
        Verb::NAMED.into_iter().find_map(|(known, verb)| (known == name).then_some(verb))
    }

    /// The write that a request asks for, and of which flag; none: it is no write of a flag.
    pub fn of(method: &Method, path: &str) -> Option<(Verb, String)> {
        let segments: Vec<&str> = path.strip_prefix("/api/v1/")?.split('/').collect();
        let (verb, flag) = match (method, &segments[..]) {
            (&Method::POST, ["flags", flag, name]) => (Verb::named(name)?, flag),
            (&Method::PUT, ["overlay", flag]) => (Verb::Replace, flag),
            (&Method::DELETE, ["overlay", flag]) => (Verb::Clear, flag),
            _ => return None,
        };
        Some((verb, percent_decode_str(flag).decode_utf8_lossy().into_owned()))
    }

    /// As the audit has it.
    pub fn action(self) -> &'static str {
        match self {
            Verb::Kill => "kill",
            Verb::Release | Verb::Clear => "release",
            Verb::Weight => "weight",
            Verb::Enable => "enable",
            Verb::Disable => "disable",
            Verb::Set => "set",
            Verb::Replace => "replace",
        }
    }

    /// Bytes that its body may have.
    pub fn max_body(self) -> usize {
        if matches!(self, Verb::Set | Verb::Replace) { MAX_DEFINITIONS } else { MAX_BODY }
    }

    fn fields(self) -> &'static [&'static str] {
        match self {
            Verb::Kill => &["variant", "why", "for", "drain"],
            Verb::Release => &["what", "why"],
            Verb::Weight => &["shares", "why", "for"],
            Verb::Enable | Verb::Disable => &["why", "for"],
            Verb::Set => &["definition", "why", "for"],
            Verb::Replace => &["entries", "why", "for"],
            Verb::Clear => &["why"],
        }
    }

    fn example(self) -> &'static str {
        match self {
            Verb::Kill => r#"{"variant": "stable", "why": "p99 is up", "for": "2h", "drain": "10s"}"#,
            Verb::Release => r#"{"what": "kill", "why": "fixed"}"#,
            Verb::Weight => r#"{"shares": {"canary": "5%"}, "why": "looks good"}"#,
            Verb::Enable | Verb::Disable => r#"{"why": "not today", "for": "2h"}"#,
            Verb::Set => {
                r#"{"definition": {"state": "ENABLED", "variants": {"on": true}, "defaultVariant": "on"}}"#
            }
            Verb::Replace => r#"{"entries": [{"kind": "kill", "variant": "stable"}], "why": "p99 is up"}"#,
            Verb::Clear => r#"{"why": "fixed"}"#,
        }
    }

    /// Reads a body; an empty one is `{}`.
    pub fn read(self, body: &[u8], around: Around<'_>) -> Result<Asked, Error> {
        let wrong = |error: String| {
            Error::bad(format!(
                "the body is no {}: {error}; expected such as {}",
                self.action(),
                self.example()
            ))
        };
        if body.len() > self.max_body() {
            return Err(too_long(self.max_body()));
        }
        let mut fields: Map<String, Json> = match body.trim_ascii().is_empty() {
            true => Map::new(),
            false => serde_json::from_slice(body).map_err(|error| wrong(error.to_string()))?,
        };
        self.asked(&mut fields, around).map_err(|error| wrong(error.to_string()))
    }

    fn asked(self, fields: &mut Map<String, Json>, around: Around<'_>) -> Result<Asked, Invalid> {
        let known = self.fields();
        if let Some(name) = fields.keys().find(|name| !known.contains(&name.as_str())) {
            let near = suggest(name, known.iter().copied()).map(|near| format!("; did you mean `{near}`?"));
            let near = near.unwrap_or_else(|| format!(", only {}", known.join(", ")));
            return Err(Invalid::new(format!("there is no field `{}`{near}", name.escape_debug())));
        }
        let why = optional_text(fields, "why")?.unwrap_or_default();
        let until = duration(fields, "for")?.map(|lasts| {
            let seconds = lasts.as_secs() + u64::from(lasts.subsec_nanos() > 0);
            around.now.saturating_add(i64::try_from(seconds).unwrap_or(i64::MAX))
        });
        let drain = duration(fields, "drain")?;
        if drain.is_some_and(|drain| drain > MAX_DRAIN) {
            return Err(Invalid::new(
                "`drain` is longer than an hour; without it, streams go on as long as they like",
            ));
        }
        // Whatever the change is: who, when, why and until when have their bounds.
        Entry::new(around.flag, Change::State(FlagState::Enabled), around.by, around.now, &why, until)?;
        Ok(Asked { action: self.act(fields, around)?, why, until, drain })
    }

    fn act(self, fields: &mut Map<String, Json>, around: Around<'_>) -> Result<Action, Invalid> {
        let mut put = |kind: &str| {
            fields.insert("kind".to_owned(), kind.into());
            Change::take(fields).map(Action::Put)
        };
        match self {
            Verb::Kill => {
                let variant = take_text(fields, "variant")?;
                check_name("variant", &variant)?;
                Ok(Action::Kill(variant))
            }
            Verb::Release => match optional_text(fields, "what")?.as_deref() {
                None | Some("kill") => Ok(Action::Release),
                Some("all") => Ok(Action::ReleaseAll),
                Some(other) => {
                    Err(Invalid::new(format!("`what` is {other:?}, neither \"kill\" nor \"all\"")))
                }
            },
            Verb::Weight => put("weight"),
            Verb::Set => put("set"),
            Verb::Enable => Ok(Action::Put(Change::State(FlagState::Enabled))),
            Verb::Disable => Ok(Action::Put(Change::State(FlagState::Disabled))),
            Verb::Clear => Ok(Action::ReleaseAll),
            Verb::Replace => match fields.remove("entries") {
                Some(Json::Array(entries)) => {
                    let mut changes: Vec<Change> = Vec::new();
                    for entry in entries {
                        let change = change(entry, around)?;
                        if changes.iter().any(|before| before.kind() == change.kind()) {
                            return Err(Invalid::new(format!(
                                "`entries` has two of the kind {}",
                                change.kind()
                            )));
                        }
                        changes.push(change);
                    }
                    Ok(Action::Replace(changes))
                }
                _ => Err(Invalid::new("there is no list `entries`")),
            },
        }
    }
}

/// A body that is longer than it may be.
pub fn too_long(max: usize) -> Error {
    let detail = format!("the body is longer than {} KiB", max >> 10);
    Error::new(axum::http::StatusCode::PAYLOAD_TOO_LARGE, detail)
}

/// An element of `entries`, as `GET` shows them, too: who and when are this write's own, why and until stand beside the list.
fn change(entry: Json, around: Around<'_>) -> Result<Change, Invalid> {
    let Json::Object(mut entry) = entry else {
        return Err(Invalid::new("`entries` has an element that is no object"));
    };
    let is_kill = entry.get("kind").is_some_and(|kind| kind == "kill");
    if is_kill && !entry.contains_key("value") {
        let variant = entry.get("variant").and_then(Json::as_str).unwrap_or_default();
        let kill = Change::kill(around.flag, around.running, variant);
        if let Change::Kill { value, .. } = kill.map_err(|refusal| Invalid::new(refusal.to_string()))? {
            entry.insert("value".to_owned(), value);
        }
    }
    let change = Change::take(&mut entry)?;
    for (name, value) in entry {
        match (&*name, value) {
            ("by" | "at" | "why", _) | ("until", Json::Null) => {}
            ("flag", Json::String(flag)) if flag == around.flag => {}
            ("until", _) => {
                return Err(Invalid::new("an entry has `until`; `for` beside `entries` is for all of them"));
            }
            ("flag", _) => return Err(Invalid::new("an entry is of another flag than the path")),
            _ => {
                return Err(Invalid::new(format!(
                    "`{}` is no field of a {}",
                    name.escape_debug(),
                    change.kind()
                )));
            }
        }
    }
    Ok(change)
}

fn optional_text(fields: &mut Map<String, Json>, name: &str) -> Result<Option<String>, Invalid> {
    match fields.get(name) {
        None | Some(Json::Null) => Ok(None),
        Some(_) => take_text(fields, name).map(Some),
    }
}

/// `10s`, `1h 30m`
fn duration(fields: &mut Map<String, Json>, name: &str) -> Result<Option<Duration>, Invalid> {
    let Some(text) = optional_text(fields, name)? else { return Ok(None) };
    let duration = humantime::parse_duration(&text);
    duration
        .map(Some)
        .map_err(|error| Invalid::new(format!("`{name}` is {text:?}: {error}; expected such as \"2h\"")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const AROUND: Around<'static> = Around { flag: "v", running: None, by: "ann", now: 1000 };

    fn read(verb: Verb, body: &Json) -> Result<Asked, String> {
        verb.read(body.to_string().as_bytes(), AROUND).map_err(|error| error.detail)
    }

    #[test]
    fn a_body_is_read_as_what_it_asks() {
        let asked = |action| Asked { action, why: String::new(), until: None, drain: None };
        let state = |state| Action::Put(Change::State(state));
        let shares = crate::overlay::shares("canary=5%").unwrap();
        let definition = json!({"state": "ENABLED", "variants": {"on": true}});
        for (verb, body, expected) in [
            (Verb::Kill, json!({"variant": "stable"}), asked(Action::Kill("stable".to_owned()))),
            (
                Verb::Kill,
                json!({"variant": "stable", "why": "p99", "for": "1m 500ms", "drain": "10s"}),
                Asked {
                    why: "p99".to_owned(),
                    until: Some(1061),
                    drain: Some(Duration::from_secs(10)),
                    ..asked(Action::Kill("stable".to_owned()))
                },
            ),
            (Verb::Release, json!({}), asked(Action::Release)),
            (Verb::Release, json!({"what": "kill"}), asked(Action::Release)),
            (Verb::Release, json!({"what": "all", "why": null}), asked(Action::ReleaseAll)),
            (
                Verb::Weight,
                json!({"shares": {"canary": "5%"}}),
                asked(Action::Put(Change::Weight(shares.clone()))),
            ),
            (Verb::Enable, json!({}), asked(state(FlagState::Enabled))),
            (Verb::Disable, json!({"for": null}), asked(state(FlagState::Disabled))),
            (
                Verb::Set,
                json!({"definition": definition}),
                asked(Action::Put(Change::Set(definition.clone()))),
            ),
            (Verb::Clear, json!({}), asked(Action::ReleaseAll)),
            (Verb::Replace, json!({"entries": []}), asked(Action::Replace(Vec::new()))),
            (
                Verb::Replace,
                json!({"entries": [
                    {"kind": "state", "state": "DISABLED", "flag": "v", "by": "bob", "at": "", "why": "x", "until": null},
                    {"kind": "kill", "variant": "a", "value": 1},
                ]}),
                asked(Action::Replace(vec![
                    Change::State(FlagState::Disabled),
                    Change::Kill { variant: "a".to_owned(), value: json!(1) },
                ])),
            ),
        ] {
            assert_eq!(read(verb, &body), Ok(expected), "{body}");
        }
        assert_eq!(Verb::Release.read(b" ", AROUND).map(|asked| asked.action), Ok(Action::Release));
    }

    #[test]
    fn what_is_no_body_is_told_with_what_is() {
        let long = "w".repeat(501);
        for (verb, body, words) in [
            (Verb::Kill, json!({}), "there is no `variant`"),
            (Verb::Kill, json!({"variant": ""}), "`variant`"),
            (Verb::Kill, json!({"variant": 1}), "`variant` is no text"),
            (Verb::Kill, json!({"variant": "a", "fro": "2h"}), "did you mean `for`?"),
            (Verb::Kill, json!({"variant": "a", "for": "soon"}), "`for` is \"soon\""),
            (Verb::Kill, json!({"variant": "a", "for": 5}), "`for` is no text"),
            (Verb::Kill, json!({"variant": "a", "for": "0s"}), "`until` is not after `at`"),
            (Verb::Kill, json!({"variant": "a", "for": "9999y"}), "9999"),
            (Verb::Kill, json!({"variant": "a", "drain": "2h"}), "longer than an hour"),
            (Verb::Kill, json!({"variant": "a", "why": long}), "`why`"),
            (Verb::Kill, json!({"variant": "a", "why": "a\nb"}), "`why`"),
            (Verb::Kill, json!([]), "expected such as {\"variant\""),
            (Verb::Release, json!({"what": "weight"}), "neither \"kill\" nor \"all\""),
            (Verb::Release, json!({"for": "2h"}), "there is no field `for`"),
            (Verb::Weight, json!({"shares": {"canary": "5"}}), "has no `%`"),
            (Verb::Weight, json!({"kind": "set", "shares": {}}), "there is no field `kind`"),
            (Verb::Set, json!({"definition": 1}), "`definition`"),
            (Verb::Replace, json!({}), "`entries`"),
            (Verb::Replace, json!({"entries": [1]}), "no object"),
            (Verb::Replace, json!({"entries": [{"kind": "kil"}]}), "did you mean \"kill\"?"),
            (
                Verb::Replace,
                json!({"entries": [{"kind": "state", "state": "ENABLED", "until": "x"}]}),
                "`for`",
            ),
            (
                Verb::Replace,
                json!({"entries": [{"kind": "state", "state": "ENABLED", "flag": "w"}]}),
                "another flag",
            ),
            (
                Verb::Replace,
                json!({"entries": [{"kind": "state", "state": "ENABLED", "x": 1}]}),
                "`x` is no field",
            ),
            (
                Verb::Replace,
                json!({"entries": [{"kind": "state", "state": "ENABLED"}, {"kind": "state", "state": "DISABLED"}]}),
                "two of the kind state",
            ),
        ] {
            let told = read(verb, &body).unwrap_err();
            assert!(told.contains(words), "{body}: {told}");
        }
        for broken in [&b"{"[..], b"\xff", b"null", b"{\"variant\": \"a\"} x"] {
            assert_eq!(Verb::Kill.read(broken, AROUND).unwrap_err().status.as_u16(), 400);
        }
        let long = vec![b' '; MAX_BODY + 1];
        assert_eq!(Verb::Kill.read(&long, AROUND).unwrap_err().status.as_u16(), 413);
        assert!(Verb::Replace.read(&long, AROUND).is_err_and(|error| error.status.as_u16() == 400));
    }

    #[test]
    fn a_path_says_which_flag_is_written_and_how() {
        for (method, path, expected) in [
            (Method::POST, "/api/v1/flags/v/kill", Some((Verb::Kill, "v"))),
            (Method::POST, "/api/v1/flags/a%2Fb/set", Some((Verb::Set, "a/b"))),
            (Method::PUT, "/api/v1/overlay/v", Some((Verb::Replace, "v"))),
            (Method::DELETE, "/api/v1/overlay/v", Some((Verb::Clear, "v"))),
            (Method::GET, "/api/v1/overlay/v", None),
            (Method::POST, "/api/v1/flags/v/kil", None),
            (Method::POST, "/api/v1/flags/v", None),
            (Method::POST, "/api/v1/explain", None),
            (Method::POST, "/api/v1/shadows/v/reset", None),
        ] {
            let found = Verb::of(&method, path);
            assert_eq!(found.as_ref().map(|(verb, flag)| (*verb, &**flag)), expected, "{method} {path}");
        }
    }
}
