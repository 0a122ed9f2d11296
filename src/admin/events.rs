//! `GET /api/v1/events`: what happens, as server-sent events, and, if asked, each second who got what.
//!
//! It begins now and repeats nothing: whoever was away asks for the status. Who reads too slowly is told how many events were missed. It
//! ends with the listener or with the gateway.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::sse::{Event as Sent, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::error::Error;
use super::state::Api;
use crate::gateway::live::Published;
use crate::source::{Event, Events};
use crate::telemetry::Evaluations;

/// Listeners at once.
const LISTENERS: usize = 64;

/// A comment that often, so that nobody between the two thinks that the connection is dead.
const ALIVE: Duration = Duration::from_secs(15);

/// Between two splits.
const EVERY: Duration = Duration::from_secs(1);

/// Places for listeners.
#[derive(Debug, Clone)]
pub struct Places(Arc<Semaphore>);

impl Default for Places {
    fn default() -> Places {
        Places(Arc::new(Semaphore::new(LISTENERS)))
    }
}

/// What is asked.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    #[serde(default)]
    split: bool,
}

/// The handler.
pub(super) async fn events(
    State(api): State<Api>,
    wanted: Result<Query<Wanted>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Error> {
    let Query(wanted) = wanted.map_err(|_| Error::bad("the query is not empty and not `split=true`"))?;
    let place = Arc::clone(&api.places.0).try_acquire_owned().map_err(|_| {
        let detail = format!("{LISTENERS} listen already; end one, or try again later");
        Error::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    })?;
    let listener = Listener {
        events: api.hand.events().listen(),
        all: api.hand.events().clone(),
        splits: wanted.split.then(|| Splits::new(api.live)),
        told: 0,
        _place: place,
    };
    Ok(Sse::new(listener.stream()).keep_alive(KeepAlive::new().interval(ALIVE)).into_response())
}

struct Listener {
    events: Receiver<Event>,
    all: Events,
    splits: Option<Splits>,
    /// Events told so far: each has its number as its id.
    told: u64,
    _place: OwnedSemaphorePermit,
}

impl Listener {
    fn stream(self) -> impl Stream<Item = Result<Sent, Infallible>> {
        stream::unfold(self, |mut listener| async {
            let (name, data) = listener.next().await?;
            listener.told += 1;
            let sent = Sent::default().event(name).id(listener.told.to_string()).data(data);
            Some((Ok(sent), listener))
        })
    }

    /// The name and the JSON of the next one; none: there will be none.
    async fn next(&mut self) -> Option<(&'static str, String)> {
        let split = async {
            match &mut self.splits {
                Some(splits) => splits.next().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            // What happened before the end is told before the end.
            biased;
            event = self.events.recv() => match event {
                // Texts and numbers: that becomes JSON.
                Ok(event) => Some((name(&event), serde_json::to_string(&event).unwrap_or_default())),
                Err(RecvError::Lagged(missed)) => {
                    Some(("lagged", json!({"event": "lagged", "missed": missed}).to_string()))
                }
                Err(RecvError::Closed) => None,
            },
            () = self.all.ended() => None,
            split = split => Some(("split", serde_json::to_string(&split).unwrap_or_default())),
        }
    }
}

fn name(event: &Event) -> &'static str {
    match event {
        Event::Published { .. } => "published",
        Event::Problem { .. } => "problem",
        Event::Source { .. } => "source",
        Event::Overlay { .. } => "overlay",
    }
}

/// Evaluations of the last second.
#[derive(Debug, PartialEq, Serialize)]
struct Split {
    event: &'static str,
    time: String,
    flags: Counts,
}

/// By flag, then variant; an empty one: it had no value.
type Counts = BTreeMap<String, BTreeMap<String, u64>>;

struct Splits {
    live: Published,
    ticks: Interval,
    before: Counts,
}

impl Splits {
    fn new(live: Published) -> Splits {
        let before = counts(live.load().handles.evaluations());
        let mut ticks = interval_at(Instant::now() + EVERY, EVERY);
        // A second that was missed is in the next one.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Splits { live, ticks, before }
    }

    async fn next(&mut self) -> Split {
        self.ticks.tick().await;
        let now = counts(self.live.load().handles.evaluations());
        let flags = since(&self.before, &now);
        self.before = now;
        Split { event: "split", time: humantime::format_rfc3339_millis(SystemTime::now()).to_string(), flags }
    }
}

fn counts(evaluations: Vec<Evaluations>) -> Counts {
    let mut counts = Counts::new();
    for Evaluations { flag, variant, count, .. } in evaluations {
        *counts.entry(flag).or_default().entry(variant).or_default() += count;
    }
    counts
}

/// What came since.
fn since(before: &Counts, now: &Counts) -> Counts {
    let mut new = Counts::new();
    for (flag, variants) in now {
        for (variant, count) in variants {
            let had =
                before.get(flag).and_then(|variants| variants.get(variant)).copied().unwrap_or_default();
            if *count > had {
                new.entry(flag.clone()).or_default().insert(variant.clone(), count - had);
            }
        }
    }
    new
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listener(events: &Events) -> Listener {
        let place = Arc::clone(&Places::default().0).try_acquire_owned().unwrap();
        Listener { events: events.listen(), all: events.clone(), splits: None, told: 0, _place: place }
    }

    fn published(flags: usize) -> Event {
        Event::Published { time: String::new(), revision: "r".to_owned(), flags, problems: 0 }
    }

    #[tokio::test]
    async fn a_listener_is_told_what_happens_from_now_on() {
        let events = Events::default();
        events.tell(published(1));
        let mut listener = listener(&events);
        events.tell(published(2));
        let (name, data) = listener.next().await.unwrap();
        let data: serde_json::Value = serde_json::from_str(&data).unwrap();
        assert_eq!((name, &data["event"], &data["flags"]), ("published", &json!("published"), &json!(2)));
        events.end();
        assert_eq!(listener.next().await, None);
    }

    #[tokio::test]
    async fn who_is_too_slow_is_told_how_many_were_missed() {
        let events = Events::default();
        let mut listener = listener(&events);
        for number in 0..5000 {
            events.tell(published(number));
        }
        let (name, data) = listener.next().await.unwrap();
        let missed = serde_json::from_str::<serde_json::Value>(&data).unwrap()["missed"].as_u64().unwrap();
        assert_eq!(name, "lagged");
        let mut heard = 0;
        while heard + missed < 5000 {
            assert_eq!(listener.next().await.unwrap().0, "published");
            heard += 1;
        }
        assert!(heard > 0 && missed > 0);
    }

    #[test]
    fn a_split_is_what_came_since_the_last_one() {
        let of = |counted: &[(&str, &str, u64)]| {
            let evaluations = counted.iter().map(|(flag, variant, count)| Evaluations {
                flag: (*flag).to_owned(),
                variant: (*variant).to_owned(),
                reason: String::new(),
                shadow: false,
                count: *count,
            });
            counts(evaluations.collect())
        };
        let before = of(&[("a", "on", 5), ("a", "off", 1), ("b", "on", 2)]);
        // Two reasons of one variant are one.
        let now = of(&[("a", "on", 5), ("a", "on", 3), ("a", "off", 1), ("b", "on", 2), ("c", "", 1)]);
        assert_eq!(since(&before, &now), of(&[("a", "on", 3), ("c", "", 1)]));
        assert_eq!(since(&now, &now), Counts::new());
    }
}
