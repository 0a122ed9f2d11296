//! A thousand rewrites of the flags while requests pour in: each request shows one generation of flags, never an older one
//! than before, never a broken one, and none fails.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Answer, Gateway, Recorded, Setup, Upstream, field_lines, flag, flags, within};

const FLAGS: usize = 100;
const REWRITES: u32 = 1_000;
const APART: Duration = Duration::from_millis(20);
const REQUESTS: usize = 50_000;
const CLIENTS: usize = 6;

/// All flags, each with the generation as its value.
fn generation(number: u32) -> String {
    let one = |index: usize| (format!("g{index:02}"), flag(json!({ "it": number }), "it", Value::Null));
    flags(Value::Object((0..FLAGS).map(one).collect()))
}

/// A document that must never be applied, of one of five kinds.
fn broken(number: u32) -> String {
    let whole = generation(number);
    match number % 5 {
        0 => String::new(),
        1 => whole[..whole.len() / 2].to_owned(),
        2 => whole + "}",
        3 => "{\"flags\": {}}".to_owned(),
        _ => "{\"flags\": [1]}".to_owned(),
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Way {
    Rename,
    InPlace,
    Swap,
}

/// How rewrite `number` is done, and whether what it writes is good. The ways take turns, and of each a third is broken.
fn plan(number: u32) -> (Way, bool) {
    let way = [Way::Rename, Way::InPlace, Way::Swap][number as usize % 3];
    let good = (number / 3) % 3 != 1;
    (way, good || number == REWRITES)
}

fn rewrite(gateway: &Gateway, number: u32, way: Way, text: &str) {
    let file = gateway.path("mount/flags.json");
    match way {
        Way::Rename => gateway.replace("mount/flags.json", text),
        Way::InPlace => std::fs::write(file, text).unwrap(),
        Way::Swap => {
            let folder = gateway.path(&format!("mount/..{number}"));
            std::fs::create_dir(&folder).unwrap();
            std::fs::write(folder.join("flags.json"), text).unwrap();
            swap(gateway, &format!("..{number}"), "mount/..data");
            if !file.is_symlink() {
                swap(gateway, "..data/flags.json", "mount/flags.json");
            }
        }
    }
}

/// Puts a symbolic link in the place of whatever is there, in one step.
fn swap(gateway: &Gateway, target: &str, link: &str) {
    let aside = gateway.path("mount/..tmp");
    std::os::unix::fs::symlink(target, &aside).unwrap();
    std::fs::rename(aside, gateway.path(link)).unwrap();
}

/// Answers `<flags seen> <revision> <generation>...`, each distinct generation once.
fn told(request: &Recorded) -> Answer {
    let (mut seen, mut generations, mut revision) = (0, BTreeSet::new(), String::new());
    for (name, value) in field_lines(&request.head) {
        let (name, value) = (name.to_ascii_lowercase(), String::from_utf8_lossy(value));
        if name.starts_with(b"x-flag-g") {
            seen += 1;
            generations.insert(value.into_owned());
        } else if name == b"flag-decisions" {
            let last =
                value.rsplit_once("*rev=\"").map(|(_, rest)| rest.split('"').next().unwrap_or_default());
            revision = last.unwrap_or_default().to_owned();
        }
    }
    let generations: Vec<String> = generations.into_iter().collect();
    Answer::new(200, format!("{seen} {revision} {}", generations.join(" ")))
}

/// What one client has seen: generations by revision.
fn visit(
    gateway: &Gateway,
    done: &AtomicBool,
    count: &AtomicUsize,
    newest: &AtomicUsize,
) -> BTreeMap<String, u32> {
    let mut client = gateway.client();
    let mut seen = BTreeMap::new();
    let mut last = 0;
    while !done.load(Ordering::Relaxed) {
        let response = client.get("/").send();
        let text = response.text();
        assert_eq!(response.status, 200, "{text}");
        let [flags, revision, generation] = text.split(' ').collect::<Vec<_>>()[..] else {
            panic!("a request saw more than one generation: {text}");
        };
        assert_eq!(flags, FLAGS.to_string(), "{text}");
        let generation: u32 = generation.parse().unwrap_or_else(|error| panic!("{error}: {text}"));
        assert!(generation >= last, "from generation {last} back to {generation}");
        if generation != last || seen.is_empty() {
            let before = seen.insert(revision.to_owned(), generation);
            assert!(before.is_none(), "revision {revision} stood for {before:?} and for {generation}");
        } else {
            assert_eq!(seen.get(revision), Some(&generation), "one generation, two revisions: {text}");
        }
        last = generation;
        newest.fetch_max(generation as usize, Ordering::Relaxed);
        count.fetch_add(1, Ordering::Relaxed);
    }
    seen
}

#[test]
fn every_request_sees_one_generation_of_flags_and_none_fails() {
    let upstream = Upstream::start("only");
    upstream.forget();
    upstream.answer(told);
    let inject: Vec<String> = (0..FLAGS).map(|index| format!("g{index:02}")).collect();
    let config = format!(
        "flags: {{sources: [{{file: mount/flags.json}}]}}
access_log: {{to: 'off'}}
injection: {{as: [headers, dictionary], max_fields: 200, max_bytes: 64KiB}}
services: {{only: {{default: one, versions: {{one: {{endpoints: ['{}']}}}}}}}}
routes: [{{name: all, match: {{path_prefix: /}}, service: only, inject: [{}]}}]\n",
        upstream.address,
        inject.join(", ")
    );
    let gateway = Setup::new(&config).file("mount/flags.json", &generation(0)).start();
    let (done, count, newest) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));

    let (valid, seen) = std::thread::scope(|scope| {
        let visitors: Vec<_> =
            (0..CLIENTS).map(|_| scope.spawn(|| visit(&gateway, &done, &count, &newest))).collect();
        let stop = StopOnDrop(&done);
        let mut valid = BTreeSet::from([0]);
        let begin = Instant::now();
        for number in 1..=REWRITES {
            let (way, good) = plan(number);
            rewrite(&gateway, number, way, &if good { generation(number) } else { broken(number) });
            valid.extend(good.then_some(number));
            let next = begin + APART * number;
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
        }
        within(Duration::from_secs(1), "the last generation serves", || {
            (newest.load(Ordering::Relaxed) == REWRITES as usize).then_some(())
        });
        let enough =
            || count.load(Ordering::Relaxed) >= REQUESTS || visitors.iter().any(|one| one.is_finished());
        within(Duration::from_secs(90), "enough requests", || enough().then_some(()));
        drop(stop);
        let mut seen: BTreeMap<String, u32> = BTreeMap::new();
        for visitor in visitors {
            for (revision, generation) in visitor.join().expect("no request failed") {
                let known = *seen.entry(revision.clone()).or_insert(generation);
                assert_eq!(known, generation, "clients disagree about revision {revision}");
            }
        }
        (valid, seen)
    });

    let generations: BTreeSet<u32> = seen.values().copied().collect();
    assert_eq!(generations.len(), seen.len(), "one revision for each generation");
    assert!(generations.is_subset(&valid), "a broken document was applied: {:?}", &generations - &valid);
    let share = generations.len() as f64 / valid.len() as f64;
    let (made, broken) = (count.load(Ordering::Relaxed), REWRITES as usize + 1 - valid.len());
    assert!((300..=370).contains(&broken), "a third was broken: {broken}");
    assert!(made >= REQUESTS, "{made} requests");
    eprintln!("{made} requests, {} of {} generations seen", generations.len(), valid.len());
    assert!(share >= 0.9, "{} of {} generations were seen", generations.len(), valid.len());
}

/// Lets the clients end also when the test fails between them.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
