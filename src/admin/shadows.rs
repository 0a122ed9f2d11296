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

/// Shadows, in the order of routes and of the shadows in them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shadows {
    /// One for each version that served originals and each one that got their copies.
    pub shadows: Vec<ShadowReport>,
}

impl Shadows {
    /// Every one that counted anything, and those of a service's default version: a shadow that is configured is seen, copies or not.
    pub fn of(live: &Live, route: Option<&str>) -> Shadows {
        let reports = lines(live, route).map(|line| line.ledger().report(line.is_resting()));
        let is_told =
            |report: &ShadowReport| has_counted(report) || is_expected(&live.snapshot.config, report);
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

/// Whether the originals are those of the version that serves when nobody says otherwise, and the copies are not.
fn is_expected(config: &Config, report: &ShadowReport) -> bool {
    let route = config.routes.iter().find(|route| *route.name == report.route);
    let Some(Action::Forward(forward)) = route.map(|route| &route.action) else { return false };
    let service = config.service(forward.service);
    let is_itself = report.version == report.original && *service.name == report.service;
    *config.version(forward.service, service.default).name == report.original && !is_itself
}
