//! A door over a folder of its own, asked without a socket: for the tests of this room.

use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, Response};
use serde_json::Value;
use tower::ServiceExt;

use super::api;
use crate::gateway::Live;
use crate::gateway::live::Published;
use crate::source::{Keeper, Wake};
use crate::telemetry::Metrics;

pub struct Door {
    pub folder: tempfile::TempDir,
    pub live: Published,
    router: Router,
    _wake: Wake,
}

pub struct Told {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Door {
    /// `config` without `state_dir`, which is added.
    pub fn open(config: &str, flags: &str, token: Option<&str>) -> Door {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("flagway.yaml");
        std::fs::write(&file, format!("state_dir: state\n{config}")).unwrap();
        std::fs::write(folder.path().join("flags.json"), flags).unwrap();
        let (keeper, snapshot) = Keeper::open(&file).expect("they are good");
        let metrics = Metrics::new(100);
        let live = Arc::new(ArcSwap::from_pointee(Live::new(snapshot, &metrics, None)));
        let (status, hand) = (keeper.status(), keeper.hand());
        let state_dir = keeper.config().state_dir.clone();
        let published = Arc::clone(&live);
        let wake = keeper.watch(move |snapshot| {
            let next = Live::new(snapshot, &metrics, Some(&published.load()));
            published.store(Arc::new(next));
        });
        let token = token.map(str::to_owned);
        let router = api::router(Arc::clone(&live), status, hand, token, state_dir);
        Door { folder, live, router, _wake: wake }
    }

    pub async fn ask(&self, method: &str, path: &str, lines: &[(&str, &str)], body: &str) -> Told {
        let request = Request::builder().method(method).uri(path);
        let is_there = lines.iter().any(|(name, _)| *name == "host");
        let host = (!is_there).then_some(("host", "localhost:9901"));
        let lines = lines.iter().chain(&host);
        let request = lines.fold(request, |request, (name, value)| request.header(*name, *value));
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        assert_eq!(headers["cache-control"], "no-store", "{method} {path}");
        let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let told = Told { status, headers, text: String::from_utf8(bytes.to_vec()).unwrap() };
        assert_eq!(told.header("content-type") == "application/problem+json", status >= 400, "{}", told.text);
        told
    }

    /// A listener that was let in or not.
    pub async fn listen(&self) -> Response<Body> {
        let request = Request::builder().uri("/api/v1/events").header("host", "localhost:9901");
        self.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    }

    pub async fn get(&self, path: &str) -> Told {
        self.ask("GET", path, &[], "").await
    }
}

impl Told {
    /// Empty: there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// The sentence of a problem.
    #[track_caller]
    pub fn problem(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", self.text);
        let json = self.json();
        assert_eq!(json["status"], status);
        json["detail"].as_str().expect("a problem has a sentence").to_owned()
    }

    #[track_caller]
    pub fn good(self) -> Told {
        assert_eq!(self.status, 200, "{}", self.text);
        self
    }
}
