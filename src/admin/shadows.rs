//! `/api/v1/shadows`: what is known of every shadow, and the one thing that can be done about it here: begin anew.
//!
//! It switches no shadow on or off: flags do.

use std::sync::Arc;
use std::time::SystemTime;

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use super::error::Error;
use crate::compare::ShadowReport;
use crate::config::Config;
use crate::config::route::Action;
use crate::gateway::Live;
use crate::gateway::live::Published;
use crate::gateway::shadow::Line;
use crate::route::RouteId;
use crate::snapshot::{ShadowPlan, Snapshot};

/// Shadows, in the order of routes and of the shadows in them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shadows {
    /// One for each version that served originals and each one that got their copies.
    pub shadows: Vec<ShadowReport>,
}

impl Shadows {
    /// Every one that counted anything, and those that a flag may ask for of what the default version serves: a shadow that is
    /// configured is seen, copies or not.
    pub fn of(live: &Live, route: Option<&str>) -> Shadows {
        let reports = lines(live, route).map(|line| line.ledger().report(line.is_resting()));
        let is_told = |report: &ShadowReport| has_counted(report) || is_expected(&live.snapshot, report);
        Shadows { shadows: reports.filter(is_told).collect() }
    }
}

/// The API's part under `/api/v1/shadows`.
pub fn router<S>(live: Published) -> Router<S> {
    Router::new()
        .route("/api/v1/shadows", get(all))
        .route("/api/v1/shadows/{route}", get(one))
        .route("/api/v1/shadows/{route}/examples", get(examples))
        .route("/api/v1/shadows/{route}/reset", post(reset))
        .with_state(live)
}

async fn all(State(live): State<Published>) -> Json<Shadows> {
    Json(Shadows::of(&live.load_full(), None))
}

async fn one(State(live): State<Published>, Path(route): Path<String>) -> Result<Json<Shadows>, Error> {
    let live = live.load_full();
    shadowed(&live.snapshot.config, &route)?;
    Ok(Json(Shadows::of(&live, Some(&route))))
}

async fn examples(State(live): State<Published>, Path(route): Path<String>) -> Result<Response, Error> {
    let live = live.load_full();
    shadowed(&live.snapshot.config, &route)?;
    let mut text = String::new();
    for example in lines(&live, Some(&route)).flat_map(|line| line.ledger().examples()) {
        // Texts and nothing else: that becomes JSON.
        text.push_str(&serde_json::to_string(&example).unwrap_or_default());
        text.push('\n');
    }
    Ok(([(header::CONTENT_TYPE, "application/jsonl")], text).into_response())
}

async fn reset(State(live): State<Published>, Path(route): Path<String>) -> Result<StatusCode, Error> {
    let live = live.load_full();
    shadowed(&live.snapshot.config, &route)?;
    let now = SystemTime::now();
    lines(&live, Some(&route)).for_each(|line| line.ledger().reset(now));
    Ok(StatusCode::NO_CONTENT)
}

/// The lines of one route, or all.
fn lines<'a>(live: &'a Live, route: Option<&'a str>) -> impl Iterator<Item = &'a Arc<Line>> {
    live.shadows.lines().filter(move |line| route.is_none_or(|route| line.ledger().subject().route == route))
}

/// Says of a route that is not there, or has no shadow, that it is so.
fn shadowed(config: &Config, name: &str) -> Result<(), Error> {
    let missing = |detail| Err(Error::new(StatusCode::NOT_FOUND, detail));
    let Some(route) = config.routes.iter().find(|route| *route.name == *name) else {
        let meant = crate::config::suggest(name, config.routes.iter().map(|route| &*route.name));
        let hint = meant.map(|known| format!("; did you mean `{known}`?")).unwrap_or_default();
        return missing(format!("there is no route `{name}`{hint}"));
    };
    match &route.action {
        Action::Forward(forward) if !forward.shadows.is_empty() => Ok(()),
        _ => missing(format!("the route `{name}` has no shadow; `shadows: [{{flag: ..}}]` gives it one")),
    }
}

fn has_counted(report: &ShadowReport) -> bool {
    let by_reason = report.dropped.values().chain(report.failed.values()).chain(report.uncompared.values());
    report.sent + report.answered + report.compared + by_reason.sum::<u64>() > 0
}

/// Whether the originals are those of the version that serves when nobody says otherwise, and a variant of the flag names the copies'.
fn is_expected(snapshot: &Snapshot, report: &ShadowReport) -> bool {
    let config = &snapshot.config;
    let Some(route) = config.routes.iter().position(|route| *route.name == report.route) else {
        return false;
    };
    let plan = snapshot.plan(RouteId(route));
    let Some(forward) = &plan.forward else { return false };
    let is_named = |shadow: &ShadowPlan| {
        let mut named = shadow.by_variant.iter().filter_map(|version| version.ok().flatten());
        *shadow.flag.key == report.flag
            && *config.service(shadow.service).name == report.service
            && named.any(|version| *config.version(shadow.service, version).name == report.version)
    };
    *config.version(forward.service, forward.default).name == report.original
        && plan.shadows.iter().any(is_named)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::super::fixture::Door;
    use super::*;
    use crate::compare::{Comparison, Difference, Dropped, Kind, Observation};

    const CONFIG: &str = r#"
listeners: [{bind: "127.0.0.1:8080"}]
flags: {sources: [{file: flags.json}]}
services:
  shop:
    default: stable
    versions:
      stable: {endpoints: ["127.0.0.1:1"]}
      v2: {endpoints: ["127.0.0.1:1"]}
      v3: {endpoints: ["127.0.0.1:1"]}
routes:
  - {name: checkout, match: {path_prefix: /checkout}, service: shop, shadows: [{flag: copy}]}
  - {name: search, match: {path_prefix: /search}, service: shop}
  - {name: robots, match: {path: /robots.txt}, respond: {status: 204}}
"#;
    const FLAGS: &str = r#"{"flags": {"copy": {"state": "ENABLED", "variants": {"v2": "v2", "none": "none"},
        "defaultVariant": "v2"}}}"#;

    fn door(token: Option<&str>) -> Door {
        Door::open(CONFIG, FLAGS, token)
    }

    async fn ask(door: &Door, method: &str, path: &str) -> (u16, String, String) {
        let told = door.ask(method, path, &[], "").await;
        (told.status, told.header("content-type").to_owned(), told.text)
    }

    async fn told(door: &Door, path: &str) -> Vec<ShadowReport> {
        let (status, kind, body) = ask(door, "GET", path).await;
        assert_eq!((status, &*kind), (200, "application/json"), "{body}");
        serde_json::from_str::<Shadows>(&body).unwrap().shadows
    }

    fn ledger(door: &Door, original: &str, version: &str, work: impl Fn(&crate::compare::Ledger)) {
        let live = door.live.load();
        let of = |line: &&Arc<Line>| {
            let subject = line.ledger().subject();
            subject.original == original && subject.version == version
        };
        work(live.shadows.lines().find(of).expect("there is such a line").ledger());
    }

    fn observation(path: &str) -> Observation {
        let difference = Difference {
            path: path.to_owned(),
            at: path.to_owned(),
            kind: Kind::Changed,
            original: Some("1".to_owned()),
            other: Some("2".to_owned()),
        };
        Observation {
            shadow: Comparison { differences: vec![difference] },
            twin: None,
            waited: (Duration::from_millis(1), Duration::from_millis(2)),
            at: UNIX_EPOCH,
            request_id: "r1".to_owned(),
            method: "GET".to_owned(),
            path: "/checkout".to_owned(),
        }
    }

    #[tokio::test]
    async fn a_shadow_without_traffic_is_told_and_what_nobody_asks_for_is_not() {
        let door = door(None);
        let all = told(&door, "/api/v1/shadows").await;
        let pairs = |all: &[ShadowReport]| -> Vec<(String, String, u64)> {
            all.iter().map(|one| (one.original.clone(), one.version.clone(), one.compared)).collect()
        };
        assert_eq!(pairs(&all), [("stable".to_owned(), "v2".to_owned(), 0)]);
        assert!(!all[0].verdict.is_empty());

        ledger(&door, "v3", "v2", |ledger| ledger.dropped(Dropped::Queue));
        ledger(&door, "stable", "v2", |ledger| ledger.observe(observation("/total")));
        let of_route = told(&door, "/api/v1/shadows/checkout").await;
        let expected = [("stable".to_owned(), "v2".to_owned(), 1), ("v3".to_owned(), "v2".to_owned(), 0)];
        assert_eq!(pairs(&of_route), expected);
        assert_eq!(of_route[0].differences[0].path, "/total");
        assert_eq!(of_route[1].dropped["queue"], 1);
        assert_eq!(told(&door, "/api/v1/shadows").await, of_route);
    }

    #[tokio::test]
    async fn examples_are_lines_of_json_until_a_reset_forgets_them() {
        let door = door(None);
        ledger(&door, "stable", "v2", |ledger| {
            ledger.sent();
            ledger.observe(observation("/total"));
            ledger.observe(observation("/tax"));
        });
        let path = "/api/v1/shadows/checkout/examples";
        let (status, kind, body) = ask(&door, "GET", path).await;
        assert_eq!((status, &*kind), (200, "application/jsonl"));
        let lines: Vec<serde_json::Value> =
            body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2, "{body}");
        assert!(lines.iter().all(|line| line["original"] == "1" && line["shadow"] == "2"), "{body}");

        let reset = ask(&door, "POST", "/api/v1/shadows/checkout/reset").await;
        assert_eq!(reset, (204, String::new(), String::new()));
        assert_eq!(ask(&door, "GET", path).await.2, "");
        assert_eq!(told(&door, "/api/v1/shadows").await[0].compared, 0);
    }

    #[tokio::test]
    async fn what_has_no_shadow_is_a_problem_that_says_so() {
        let door = door(None);
        let cases = [
            ("GET", "/api/v1/shadows/checkou", 404, "did you mean `checkout`?"),
            ("GET", "/api/v1/shadows/nothing/examples", 404, "there is no route `nothing`"),
            ("GET", "/api/v1/shadows/search", 404, "the route `search` has no shadow"),
            ("POST", "/api/v1/shadows/robots/reset", 404, "the route `robots` has no shadow"),
            ("POST", "/api/v1/shadows", 405, "GET"),
            ("GET", "/api/v1/shadows/checkout/reset", 405, "POST"),
        ];
        for (method, path, expected, words) in cases {
            let (status, kind, body) = ask(&door, method, path).await;
            assert_eq!((status, &*kind), (expected, "application/problem+json"), "{method} {path}");
            assert!(body.contains(words), "{body}");
        }
    }

    #[tokio::test]
    async fn nothing_is_told_or_forgotten_without_the_token() {
        let door = door(Some("secret"));
        ledger(&door, "stable", "v2", |ledger| ledger.observe(observation("/total")));
        for (method, path) in [("GET", "/api/v1/shadows"), ("POST", "/api/v1/shadows/checkout/reset")] {
            assert_eq!(ask(&door, method, path).await.0, 401, "{path}");
        }
        let known = door.ask("GET", "/api/v1/shadows", &[("authorization", "Bearer secret")], "").await;
        assert_eq!(known.good().json()["shadows"][0]["compared"], 1);
    }
}
