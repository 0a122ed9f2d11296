//! A make-believe version of a service: tells which one it is and what it was told about flags, or answers with carts.

use std::net::TcpListener;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::cart;

/// A version that serves in this process until it ends.
#[derive(Debug)]
pub struct Upstream {
    /// On 127.0.0.1.
    pub port: u16,
}

impl Upstream {
    /// Starts it on a free port of 127.0.0.1, on a thread of its own; with `carts`, they are what it answers.
    pub fn start(version: &'static str, carts: bool) -> std::io::Result<Upstream> {
        let socket = TcpListener::bind("127.0.0.1:0")?;
        socket.set_nonblocking(true)?;
        let port = socket.local_addr()?.port();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::Builder::new().name(format!("demo-{version}")).spawn(move || {
            runtime.block_on(async {
                match tokio::net::TcpListener::from_std(socket) {
                    Ok(socket) => axum::serve(socket, router(version, carts)).await,
                    Err(error) => Err(error),
                }
            })
        })?;
        Ok(Upstream { port })
    }
}

fn router(version: &'static str, carts: bool) -> Router {
    Router::new().fallback(async move |request: Request| match carts {
        true => ([("x-version", version)], axum::Json(cart::answer(version, request.uri().path())))
            .into_response(),
        false => answer(version, &request),
    })
}

/// Text for people, JSON for whoever accepts it.
fn answer(version: &str, request: &Request) -> Response {
    let flags: Vec<(&str, &str)> = flags(request.headers()).collect();
    let asked = format!("{} {}", request.method(), request.uri());
    let accepts =
        request.headers().get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    if accepts.contains("json") {
        let flags: serde_json::Map<_, _> =
            flags.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        return axum::Json(json!({"version": version, "request": asked, "flags": flags})).into_response();
    }
    let mut text = format!("This is the {version} version. You asked for {asked}, and I was told:\n");
    for (name, value) in flags {
        text.push_str(&format!("  {name}: {value}\n"));
    }
    text.into_response()
}

fn flags(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    headers
        .iter()
        .filter(|(name, _)| name.as_str().starts_with("x-flag-"))
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap_or("?")))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::cli::client::{Call, Url};

    #[test]
    fn it_tells_its_version_and_the_flags_it_saw() {
        let upstream = Upstream::start("canary", false).unwrap();
        let url = Url::parse(&format!("http://127.0.0.1:{}/a?b", upstream.port)).unwrap();
        let ask = |headers: &[(&str, &str)]| {
            url.send(&Call { method: "GET", headers, body: "" }, Duration::from_secs(10)).unwrap().body
        };
        assert_eq!(
            ask(&[("x-flag-a", "on"), ("x-other", "1")]),
            "This is the canary version. You asked for GET /a?b, and I was told:\n  x-flag-a: on\n"
        );
        assert!(ask(&[("accept", "application/json")]).contains("\"version\":\"canary\""));
    }
}
