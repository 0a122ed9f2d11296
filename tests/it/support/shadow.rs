//! Shadows before a shop: the flag `v` says that stable serves, the flag `s` that the canary gets a copy.

use serde_json::{Value, json};

use super::flags::flag;
use super::gateway::Gateway;
use super::message::Recorded;
use super::shop::{Shop, one_route, versions};
use super::upstream::Answer;
use super::wait::{PATIENCE, eventually, within};

/// Stable serves everyone, and every request is copied to the canary.
pub fn dark() -> Value {
    json!({"v": versions(Value::Null), "s": always("canary")})
}

/// A flag that has one value for everyone.
pub fn always(value: &str) -> Value {
    flag(json!({ "it": value }), "it", Value::Null)
}

/// One route for everything with a shadow by the flag `s`; `options` are further keys of it, each with a comma in front.
pub fn shadowed(options: &str) -> String {
    one_route(&format!("inject: [v], shadows: [{{flag: s{options}}}],"))
}

/// What a copy lacks of its original and what it has besides, as sorted lines with their names in lower case; request line and body are
/// the same.
#[track_caller]
pub fn changes(original: &Recorded, copy: &Recorded) -> (Vec<String>, Vec<String>) {
    let lines = |request: &Recorded| -> Vec<String> {
        let mut lines: Vec<_> = request.text().lines().map(str::to_owned).collect();
        lines[1..].sort();
        lines
    };
    let (mut gone, mut new) = (lines(original), lines(copy));
    assert_eq!(gone.remove(0), new.remove(0), "the request line");
    assert!(
        original.body == copy.body,
        "a body of {} bytes became one of {}",
        original.body.len(),
        copy.body.len()
    );
    gone.retain(|line| match new.iter().position(|have| have == line) {
        Some(at) => {
            new.remove(at);
            false
        }
        None => true,
    });
    let lower = |line: String| match line.split_once(':') {
        Some((name, value)) => format!("{}:{value}", name.to_ascii_lowercase()),
        None => line,
    };
    (gone.into_iter().map(lower).collect(), new.into_iter().map(lower).collect())
}

/// The latest request of each version, once the canary has `count` of them.
#[track_caller]
pub fn original_and_copy(shop: &Shop, count: usize) -> (Recorded, Recorded) {
    let copy = shop.canary.wait_for(count).pop().expect("a copy");
    assert_eq!(shop.canary.count(), count, "one copy a request");
    (shop.stable.last(), copy)
}

/// A shadow whose answers are compared under these rules; each with a comma in front. Only where it says so is slow a difference.
pub fn comparing(rules: &str) -> String {
    shadowed(&format!(", compare: {{slower_by: 1m{rules}}}"))
}

pub fn json_answer(body: impl ToString) -> Answer {
    Answer::new(200, body.to_string()).header("content-type", "application/json")
}

/// Paths and kinds of a list of fields, in order of the paths.
pub fn named(list: &Value) -> Vec<(String, String)> {
    let text = |field: &Value, key: &str| field[key].as_str().expect("a text").to_owned();
    let list = list.as_array().expect("a list of fields");
    let mut fields: Vec<_> = list.iter().map(|field| (text(field, "path"), text(field, "kind"))).collect();
    fields.sort();
    fields
}

impl Gateway {
    /// What is told of every shadow.
    #[track_caller]
    pub fn shadows(&self) -> Vec<Value> {
        let response = self.api("/api/v1/shadows");
        assert_eq!(response.status, 200, "{}", response.text());
        response.json()["shadows"].as_array().expect("a list").clone()
    }

    /// What is told of the only shadow that a copy was decided for, once there is one.
    #[track_caller]
    pub fn shadow(&self) -> Value {
        let counted = |shadow: &Value| shadow["sent"] != 0 || shadow["dropped"] != json!({});
        within(PATIENCE, "a shadow is told of", || {
            let mut shadows: Vec<_> = self.shadows().into_iter().filter(counted).collect();
            assert!(shadows.len() <= 1, "one shadow: {shadows:#?}");
            shadows.pop()
        })
    }

    /// What is told of the only shadow once `count` requests were compared, and no more.
    #[track_caller]
    pub fn compared(&self, count: u64) -> Value {
        eventually("the answers are compared", || {
            self.shadows().first().is_some_and(|shadow| shadow["compared"].as_u64() >= Some(count))
        });
        let shadow = self.shadow();
        assert_eq!(shadow["compared"], count, "{shadow:#}");
        shadow
    }

    /// Copies with that result, of all shadows: `sent`, `answered`, `timeout`.
    pub fn copies(&self, result: &str) -> f64 {
        self.metrics().sum("flagway_shadow_copies_total", &[("result", result)])
    }

    /// Copies that were dropped for that reason, of all shadows.
    pub fn dropped(&self, reason: &str) -> f64 {
        self.metrics().sum("flagway_shadow_dropped_total", &[("reason", reason)])
    }

    /// Waits until so many copies were dropped for that reason; no more, and none for another one.
    #[track_caller]
    pub fn wait_for_drops(&self, reason: &str, count: usize) {
        eventually(&format!("{count} drops for {reason}"), || self.dropped(reason) >= count as f64);
        let all = self.metrics().sum("flagway_shadow_dropped_total", &[]);
        assert_eq!(
            (self.dropped(reason), all),
            (count as f64, count as f64),
            "drops for {reason} and at all"
        );
    }

    /// Waits until no copy waits or is under way and nothing is held for one.
    #[track_caller]
    pub fn wait_until_settled(&self) {
        for gauge in ["flagway_shadow_waiting", "flagway_shadow_in_flight", "flagway_shadow_bytes"] {
            eventually(&format!("{gauge} is 0 again"), || {
                let metrics = self.metrics();
                metrics.series(gauge, &[]) == 1 && metrics.sum(gauge, &[]) == 0.0
            });
        }
    }
}
