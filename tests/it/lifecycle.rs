//! How the gateway stops: requests in flight finish, nothing new begins.

use std::time::Duration;

use serde_json::json;

use crate::support::{Answer, Client, Setup, Shop, eventually, one_route, opt_in};

#[test]
fn on_sigterm_a_request_in_flight_is_answered_and_the_exit_is_0() {
    let shop = Shop::start();
    shop.stable.answer(|_| Answer::new(200, "late but whole").after(Duration::from_millis(800)));
    let mut gateway = shop.gateway(&one_route(""), json!({"v": opt_in()}));
    let (address, probes) = (gateway.address("main"), gateway.probes());
    let request = std::thread::spawn(move || Client::new(address).get("/").send());
    shop.stable.wait_for(1);
    gateway.signal("TERM");
    eventually("readiness is off, or the probes are gone", || {
        let ready = Client::new(probes).get("/readyz").host("localhost").try_send();
        ready.map_or(true, |response| response.status == 503)
    });
    let response = request.join().expect("the request was answered");
    assert_eq!((response.status, response.text()), (200, "late but whole".to_owned()));
    assert_eq!(gateway.wait().code(), Some(0));
    assert!(Client::new(address).get("/").try_send().is_err());
    assert_eq!(gateway.stdout.json().len(), 1, "its access log line was written");
}

#[test]
fn the_drain_has_a_limit() {
    let shop = Shop::start();
    shop.stable.answer(|_| Answer::hang());
    let mut gateway = shop.gateway(&(one_route("") + "shutdown: {grace: 300ms}\n"), json!({"v": opt_in()}));
    let address = gateway.address("main");
    let request = std::thread::spawn(move || Client::new(address).get("/").try_send());
    shop.stable.wait_for(1);
    gateway.signal("TERM");
    assert_eq!(gateway.wait().code(), Some(0));
    let cut = request.join().expect("the client ends");
    assert!(cut.map_or(true, |response| response.status >= 500), "the hanging request is cut");
}

#[test]
fn an_idle_connection_does_not_keep_it_alive() {
    let shop = Shop::start();
    let mut gateway = shop.gateway(&one_route(""), json!({"v": opt_in()}));
    let mut idle = gateway.client();
    idle.get("/").send();
    gateway.signal("TERM");
    let begin = std::time::Instant::now();
    assert_eq!(gateway.wait().code(), Some(0));
    assert!(
        begin.elapsed() < Duration::from_secs(8),
        "nothing was in flight, but it took {:?}",
        begin.elapsed()
    );
}

#[test]
fn on_sigint_it_ends_at_once() {
    let shop = Shop::start();
    shop.stable.answer(|_| Answer::hang());
    let mut gateway = shop.gateway(&one_route(""), json!({"v": opt_in()}));
    let address = gateway.address("main");
    let request = std::thread::spawn(move || Client::new(address).get("/").try_send());
    shop.stable.wait_for(1);
    let begin = std::time::Instant::now();
    gateway.signal("INT");
    gateway.wait();
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    assert!(request.join().expect("the client ends").map_or(true, |response| response.status >= 500));
}

#[test]
fn a_signal_as_soon_as_it_is_ready_is_handled() {
    let shop = Shop::start();
    let mut setup = Some(Setup::new(&shop.config(&one_route(""))));
    for _ in 0..5 {
        // `stop` sends TERM and wants exit 0; a signal nobody handles would kill the process.
        setup = setup.take().map(|setup| setup.start().stop());
    }
}
