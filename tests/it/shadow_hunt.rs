//! A bug hunt: two versions of a service differ in a dozen ways among noise, and the report has to name them all and no noise.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::support::{Gateway, Recorded, Service, Shop, Side, dark, within};

const SEEDS: u64 = 20;
/// For each seed.
const REQUESTS: usize = 300;
const CLIENTS: usize = 8;
/// Copies that may be behind their originals: a shadow that has too much to do is slow without being so.
const BEHIND: usize = 16;

/// The seeds: the same on every run, unless another first one is given to hunt elsewhere.
fn seeds() -> std::ops::Range<u64> {
    let first = std::env::var("HUNT_SEED").map_or(1, |text| text.parse().expect("HUNT_SEED is a number"));
    first..first + SEEDS
}

#[test]
fn a_dozen_bugs_are_found_among_three_kinds_of_noise() {
    let services: BTreeMap<u64, Service> = seeds().map(|seed| (seed, Service::new(seed))).collect();
    let services = Arc::new(services);
    let shop = Shop::start();
    let arrived = Arc::new(AtomicUsize::new(0));
    for (upstream, side) in [(&shop.stable, Side::Old), (&shop.canary, Side::New)] {
        let (services, arrived) = (Arc::clone(&services), Arc::clone(&arrived));
        upstream.forget();
        upstream.answer(move |request: &Recorded| {
            if request.header("x-flagway-shadow").as_deref() == Some("canary") {
                arrived.fetch_add(1, Ordering::SeqCst);
            }
            let target = request.target();
            let seed: u64 = target.split('/').nth(1).and_then(|seed| seed.parse().ok()).expect("a seed");
            services[&seed].answer(side, &target)
        });
    }
    let route = |seed: &u64| {
        format!(
            "  - {{name: seed-{seed}, match: {{path_prefix: /{seed}/}}, service: shop, version: {{flag: v}}, \
             shadows: [{{flag: s, max_in_flight: 256, compare: {{noise: 100%, slower_by: 100ms}}}}]}}\n"
        )
    };
    let routes: String = services.keys().map(route).collect();
    let gateway = shop.gateway(&format!("access_log: {{to: 'off'}}\nroutes:\n{routes}"), dark());

    let report =
        |seed: u64| gateway.api(&format!("/api/v1/shadows/seed-{seed}")).json()["shadows"][0].clone();
    let mut failed = Vec::new();
    for (seed, service) in &*services {
        arrived.store(0, Ordering::SeqCst);
        send(&gateway, &service.targets(REQUESTS), &arrived);
        let report: Value = within(Duration::from_secs(30), "every request is compared", || {
            Some(report(*seed)).filter(|report| report["compared"] == REQUESTS as u64)
        });
        let wrong = service.judge(&report);
        if !wrong.is_empty() {
            eprintln!("seed {seed}: {wrong:#?}\n{report:#}");
            failed.push((seed, wrong));
        }
    }
    assert!(failed.len() <= 1, "{} of {SEEDS} seeds failed: {failed:#?}", failed.len());
}

/// Asks for everything, several at a time.
fn send(gateway: &Gateway, targets: &[String], arrived: &AtomicUsize) {
    let next = AtomicUsize::new(0);
    let visit = || {
        let mut client = gateway.client();
        loop {
            let number = next.fetch_add(1, Ordering::SeqCst);
            let Some(target) = targets.get(number) else { return };
            within(Duration::from_secs(30), "the copies keep up", || {
                (number < arrived.load(Ordering::SeqCst) + BEHIND).then_some(())
            });
            client.get(target).send();
        }
    };
    std::thread::scope(|scope| (0..CLIENTS).for_each(|_| drop(scope.spawn(visit))));
}

#[test]
fn the_two_versions_differ_by_their_bugs_and_their_noise_alone() {
    // The hunt proves nothing unless the service is what it says: the same seed says the same, another one something else.
    let answer =
        |seed: u64, side: Side, target: &str| format!("{:?}", Service::new(seed).answer(side, target));
    let mut same = 0;
    let targets = Service::new(1).targets(300);
    for target in &targets {
        same += usize::from(answer(1, Side::Old, target) == answer(1, Side::Old, target));
        assert!(answer(1, Side::Old, target).contains("200"), "{target}");
    }
    assert!(same < targets.len(), "there is noise");
    assert_ne!(targets, Service::new(2).targets(300));
    let judged =
        Service::new(1).judge(&serde_json::json!({"differences": [{"path": "/no", "kind": "changed"}]}));
    assert_eq!(judged.len(), 13, "twelve bugs are missed, and one is none: {judged:#?}");
}
