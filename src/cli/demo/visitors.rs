//! Make-believe visitors: each comes again and again, keeps its cookies as a browser does, and lives in some country.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::cart::CARTS;
use crate::cli::client::{Call, Url};

/// How many different visitors there are.
const VISITORS: usize = 500;
/// Requests a second that one thread sends.
const PER_THREAD: u32 = 250;
const COUNTRIES: [&str; 8] = ["AT", "CH", "DE", "FR", "GB", "JP", "PL", "US"];

/// Sends `rate` requests a second, on threads of their own, until `ended`; with `carts`, each looks at some cart.
pub fn send(gateway: SocketAddr, rate: u32, carts: bool, ended: &Arc<AtomicBool>) {
    let threads = rate.div_ceil(PER_THREAD);
    for thread in 0..threads {
        let ended = Arc::clone(ended);
        // Divided so that the parts add up to the whole.
        let share = rate / threads + u32::from(thread < rate % threads);
        std::thread::spawn(move || crowd(gateway, share.max(1), carts, &ended));
    }
}

/// Some of the visitors, one request after the other.
#[expect(clippy::disallowed_methods, reason = "a thread of make-believe visitors serves no request")]
fn crowd(gateway: SocketAddr, rate: u32, carts: bool, ended: &AtomicBool) {
    let Ok(mut url) = Url::parse(&format!("http://{gateway}/checkout")) else { return };
    let mut visitors: Vec<Visitor> = (0..VISITORS).map(|_| Visitor::new()).collect();
    let pause = Duration::from_secs(1) / rate;
    let mut next = Instant::now();
    while !ended.load(Ordering::Relaxed) {
        let index = rand::random_range(0..visitors.len());
        if carts {
            url.path = format!("/checkout/carts/{}", rand::random_range(1..=CARTS));
        }
        visitors[index].come(&url);
        // Whoever is late does not hurry: the gateway would get it all at once.
        next = (next + pause).max(Instant::now());
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
}

/// One visitor.
struct Visitor {
    country: &'static str,
    /// `name=value`, as last set.
    cookie: Option<String>,
}

impl Visitor {
    /// Every other one is logged in and has a `uid`; the others get a visitor cookie with their first page.
    fn new() -> Visitor {
        let logged_in = rand::random_bool(0.5);
        Visitor {
            country: COUNTRIES[rand::random_range(0..COUNTRIES.len())],
            cookie: logged_in.then(|| format!("uid=u{:06}", rand::random_range(0..1_000_000))),
        }
    }

    fn come(&mut self, url: &Url) {
        let mut headers =
            vec![("cf-ipcountry", self.country), ("sec-fetch-mode", "navigate"), ("accept", "text/html")];
        headers.extend(self.cookie.as_deref().map(|cookie| ("cookie", cookie)));
        let answer = url.send(&Call { method: "GET", headers: &headers, body: "" }, Duration::from_secs(5));
        // What fails is seen in the gateway's own numbers.
        let Ok(answer) = answer else { return };
        if let Some(cookie) = answer.header("set-cookie").and_then(|cookie| cookie.split(';').next()) {
            self.cookie = Some(cookie.to_owned());
        }
    }
}
