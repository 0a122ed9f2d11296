//! The keeper on real files: what is written to disk is what is published.

mod by_hand;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use super::fixture::{CONFIG, Folder, flags};
use super::{Hand, Keeper, SourceState, Status, Wake, check};
use crate::config::{Problem, ProblemKind};
use crate::snapshot::Snapshot;
use crate::telemetry::Metrics;

/// Longer than anything here takes; only a failing test waits for it.
const PATIENCE: Duration = Duration::from_secs(10);

fn generation(snapshot: &Snapshot) -> Option<u64> {
    let (_, flag) = snapshot.flags.iter().next()?;
    flag.definition.as_ref()?.metadata["generation"].as_u64()
}

impl Folder {
    fn run(&self) -> Running {
        let (keeper, first) = self.open();
        let (status, hand, metrics) = (keeper.status(), keeper.hand(), Arc::new(Metrics::new(100)));
        let (publish, published) = channel();
        let wake = keeper
            .counting(metrics.clone())
            .watch(move |snapshot| publish.send(snapshot).unwrap_or_default());
        Running { first, published, status, hand, metrics, wake }
    }
}

struct Running {
    first: Arc<Snapshot>,
    published: Receiver<Arc<Snapshot>>,
    status: Arc<Status>,
    hand: Hand,
    metrics: Arc<Metrics>,
    wake: Wake,
}

impl Running {
    fn next(&self) -> Arc<Snapshot> {
        self.published.recv_timeout(PATIENCE).expect("a snapshot is published")
    }

    /// Waits until the status satisfies.
    fn until(&self, what: &str, satisfies: impl Fn(&Running) -> bool) {
        let begun = Instant::now();
        while !satisfies(self) {
            assert!(begun.elapsed() < PATIENCE, "{what}: {:?} {:?}", self.status, self.metrics.encode());
            std::thread::yield_now();
        }
    }

    fn reloads(&self, result: &str) -> u64 {
        let name = format!("flagway_reloads_total{{result=\"{result}\"}} ");
        let text = self.metrics.encode();
        text.lines().find_map(|line| line.strip_prefix(&name)).and_then(|count| count.parse().ok()).unwrap()
    }

    fn state(&self) -> SourceState {
        self.status.sources.load()[0].state
    }
}

/// Mounts flags.json as Kubernetes does: a link through `..data`, which is swapped.
fn mount(folder: &Folder, version: usize) {
    let real = format!("..{version}");
    fs::create_dir(folder.at(&real)).unwrap();
    folder.write(&format!("{real}/flags.json"), &flags(version));
    symlink(&real, folder.at("..tmp")).unwrap();
    fs::rename(folder.at("..tmp"), folder.at("..data")).unwrap();
    if !folder.at("flags.json").is_symlink() {
        fs::remove_file(folder.at("flags.json")).unwrap();
        symlink("..data/flags.json", folder.at("flags.json")).unwrap();
    }
}

fn problems(running: &Running, kind: ProblemKind) -> Vec<Problem> {
    running.status.problems.load().iter().filter(|problem| problem.kind == kind).cloned().collect()
}

#[test]
fn every_way_of_writing_is_published() {
    let folder = Folder::new();
    let running = folder.run();
    assert_eq!(generation(&running.first), Some(0));
    assert!(running.status.loaded());
    let ways: [(&str, &dyn Fn(usize)); 4] = [
        ("in place", &|g| folder.write("flags.json", &flags(g))),
        ("renamed into place", &|g| folder.replace("flags.json", &flags(g))),
        ("deleted and made again", &|g| {
            fs::remove_file(folder.at("flags.json")).unwrap();
            folder.write("flags.json", &flags(g));
        }),
        ("a link of the way swapped", &|g| mount(&folder, g)),
    ];
    let mut revisions = vec![running.first.revision.clone()];
    for (index, (name, write)) in ways.iter().chain(&ways).enumerate() {
        // The fifth deletes the link that the fourth made: a file in place again.
        if index == 4 {
            fs::remove_file(folder.at("flags.json")).unwrap();
        }
        write(index + 1);
        let snapshot = running.next();
        assert_eq!(generation(&snapshot), Some(index as u64 + 1), "{name}");
        assert!(!revisions.contains(&snapshot.revision));
        revisions.push(snapshot.revision.clone());
    }
    running.until("counted", |running| running.reloads("published") == 8);
    assert_eq!(running.reloads("refused"), 0);
}

#[test]
fn a_burst_is_published_file_by_file() {
    let folder = Folder::new();
    let running = folder.run();
    for generation in 1..=5 {
        mount(&folder, generation);
        running.next();
    }
    // The third of every four is broken.
    for g in (6..100).filter(|g| g % 4 != 3) {
        folder.replace("..data/flags.json", &flags(g)[..flags(g).len() - 1]);
        folder.replace("..data/flags.json", &flags(g));
        assert_eq!(generation(&running.next()), Some(g as u64));
    }
}

#[test]
fn a_bad_document_changes_nothing_until_it_is_mended() {
    let folder = Folder::new();
    let running = folder.run();
    folder.replace("flags.json", "{\"flags\": ");
    running.until("refused", |running| running.reloads("refused") == 1);
    running.until("stale", |running| running.state() == SourceState::Stale);
    let [problem] = &problems(&running, ProblemKind::Document)[..] else { panic!("{:?}", running.status) };
    assert!(problem.place.as_ref().unwrap().file.ends_with("flags.json"));
    assert!(running.published.try_recv().is_err());
    folder.replace("flags.json", &flags(1));
    assert_eq!(generation(&running.next()), Some(1));
    running.until("ready", |running| running.state() == SourceState::Ready);
    assert_eq!(problems(&running, ProblemKind::Document), []);
}

#[test]
fn a_deleted_file_or_one_without_flags_serves_its_last_good() {
    let folder = Folder::new();
    let running = folder.run();
    fs::remove_file(folder.at("flags.json")).unwrap();
    running.until("stale", |running| running.state() == SourceState::Stale);
    let [problem] = &problems(&running, ProblemKind::Source)[..] else { panic!("{:?}", running.status) };
    assert!(problem.found.contains("it cannot be read: No such file"), "{}", problem.found);
    folder.replace("flags.json", r#"{"flags": {}}"#);
    running.until("refused", |running| running.reloads("refused") == 2);
    running.until("told", |running| problems(running, ProblemKind::Document).len() == 1);
    assert!(problems(&running, ProblemKind::Document)[0].fix.as_ref().unwrap().contains("allow_empty: true"));
    assert!(running.published.try_recv().is_err(), "the flags of before serve");
    folder.replace("flagway.yaml", &CONFIG.replace("flags:\n", "flags:\n  allow_empty: true\n"));
    assert_eq!(running.next().flags.len(), 0);
    running.until("ready", |running| running.state() == SourceState::Ready);
}

#[test]
fn a_wrong_configuration_changes_nothing_and_a_right_one_is_published() {
    let folder = Folder::new();
    let running = folder.run();
    folder.replace("flagway.yaml", &CONFIG.replace("path_prefix", "path_prefex"));
    running.until("refused", |running| running.reloads("refused") == 1);
    running.until("told", |running| problems(running, ProblemKind::Config).len() == 1);
    folder.replace("flags.json", &flags(1));
    assert_eq!(generation(&running.next()), Some(1), "flags go on updating");
    folder.replace("flagway.yaml", &CONFIG.replace("path_prefix: /", "path_prefix: /new"));
    let snapshot = running.next();
    assert_ne!(snapshot.config.hash, running.first.config.hash);
    assert_eq!(snapshot.revision, folder.open().1.revision);
    running.until("mended", |running| problems(running, ProblemKind::Config).is_empty());
}

#[test]
fn a_source_that_the_configuration_adds_is_read_watched_and_wins() {
    let folder = Folder::new();
    folder.write("more.json", &flags(100));
    let running = folder.run();
    folder.replace(
        "flagway.yaml",
        &CONFIG.replace("{file: flags.json}", "{file: flags.json}, {file: more.json}"),
    );
    assert_eq!(generation(&running.next()), Some(100));
    running.until("both", |running| running.status.sources.load().len() == 2);
    assert_eq!(running.status.sources.load()[1].name, "file:more.json");
    folder.replace("more.json", &flags(101));
    assert_eq!(generation(&running.next()), Some(101));
}

#[test]
fn what_changes_nothing_is_not_published() {
    let folder = Folder::new();
    let running = folder.run();
    running.wake.now();
    running.until("answered", |running| running.reloads("unchanged") == 1);
    folder.replace("flags.json", &flags(0).replace(' ', "  "));
    running.until("laid out otherwise", |running| running.reloads("unchanged") == 2);
    folder.replace("flagway.yaml", &format!("# a comment\n{CONFIG}"));
    running.until("commented", |running| running.reloads("unchanged") == 3);
    assert!(running.published.try_recv().is_err());
    assert_eq!(running.reloads("published"), 0);
}

#[test]
fn a_replaced_folder_is_followed() {
    let folder = Folder::new();
    fs::create_dir(folder.at("conf")).unwrap();
    folder.write("conf/flags.json", &flags(1));
    folder.write("flagway.yaml", &CONFIG.replace("flags.json", "conf/flags.json"));
    let running = folder.run();
    for generation_now in 2..5 {
        fs::create_dir(folder.at("next")).unwrap();
        folder.write("next/flags.json", &flags(generation_now * 10));
        fs::rename(folder.at("conf"), folder.at(&format!("old-{generation_now}"))).unwrap();
        fs::rename(folder.at("next"), folder.at("conf")).unwrap();
        assert_eq!(generation(&running.next()), Some(generation_now as u64 * 10));
        folder.replace("conf/flags.json", &flags(generation_now * 10 + 1));
        assert_eq!(generation(&running.next()), Some(generation_now as u64 * 10 + 1), "it is watched");
    }
}

#[test]
fn after_a_restart_the_last_good_flags_serve() {
    let folder = Folder::new();
    let running = folder.run();
    folder.replace("flags.json", &flags(7));
    let revision = running.next().revision.clone();
    let is_kept = |path: &Path| {
        let whole = path.extension().is_some_and(|extension| extension == "json");
        whole && fs::read_to_string(path).is_ok_and(|text| text.contains("\"generation\":7"))
    };
    let files = || fs::read_dir(folder.at("state/flags")).into_iter().flatten().flatten();
    running.until("kept", |_| files().any(|file| is_kept(&file.path())));
    for broken in ["", "{", r#"{"flags": {}}"#, r#"{"flags": {"shop-version": {"state": "ENABLED"}}}"#] {
        folder.replace("flags.json", broken);
        let (keeper, snapshot) = folder.open();
        assert_eq!((generation(&snapshot), &snapshot.revision), (Some(7), &revision), "{broken}");
        assert!(keeper.status().loaded());
    }
    fs::remove_file(folder.at("flags.json")).unwrap();
    let (keeper, snapshot) = folder.open();
    assert_eq!(generation(&snapshot), Some(7));
    let source = keeper.status().sources.load()[0].clone();
    assert_eq!((source.state, source.flags), (SourceState::Stale, 1));
    assert!(source.fresh.is_some());
}

#[test]
fn without_anything_ever_good_there_are_no_flags_and_it_is_not_loaded() {
    let folder = Folder::new();
    fs::remove_file(folder.at("flags.json")).unwrap();
    let running = folder.run();
    assert_eq!(running.first.flags.len(), 0);
    assert_eq!(running.state(), SourceState::Missing);
    assert!(!running.status.loaded());
    folder.replace("flags.json", &flags(1));
    assert_eq!(generation(&running.next()), Some(1));
    running.until("loaded", |running| running.status.loaded());
}

#[test]
fn a_wrong_configuration_is_an_error_of_the_start() {
    let folder = Folder::new();
    let wrong = |config: &str| {
        folder.write("flagway.yaml", config);
        Keeper::open(&folder.at("flagway.yaml")).err().expect("it is wrong")
    };
    let route = CONFIG.lines().last().unwrap();
    let twice = format!("{CONFIG}{}", route.replace("name: shop", "name: again"));
    assert!(wrong(&twice)[0].to_string().contains("again"));
    assert!(wrong("nonsense: true")[0].to_string().contains("nonsense"));
    let missing = Keeper::open(Path::new("/nowhere/flagway.yaml")).err().expect("it is missing");
    assert_eq!(missing.len(), 1);
    assert!(missing[0].to_string().contains("/nowhere/flagway.yaml"));
}

#[test]
fn checking_reads_everything_once_and_writes_nothing() {
    let folder = Folder::new();
    folder.write("flags.json", r#"{"flags": {"other": {"state": "ENABLED"}}}"#);
    let checked = check(&folder.at("flagway.yaml")).unwrap();
    let kinds: Vec<_> = checked.problems.iter().map(|problem| problem.kind).collect();
    assert!(kinds.contains(&ProblemKind::Definition), "{kinds:?}");
    assert!(kinds.contains(&ProblemKind::MissingFlag), "{kinds:?}");
    assert_eq!(checked.sources[0].state, SourceState::Ready);
    assert!(!folder.at("state").exists());
}

#[test]
fn the_metrics_show_the_age_of_sources_and_the_problems() {
    let folder = Folder::new();
    folder.write("flags.json", r#"{"flags": {"other": {"state": "ENABLED"}}}"#);
    let running = folder.run();
    let fresh = running.status.sources.load()[0].fresh.unwrap();
    running.status.measure(
        &running.metrics,
        running.first.problems.iter().map(|problem| problem.kind),
        fresh + Duration::from_secs(5),
    );
    let text = running.metrics.encode();
    for line in [
        "flagway_source_age_seconds{source=\"file:flags.json\"} 5",
        "flagway_problems{kind=\"definition\"} 1",
        "flagway_problems{kind=\"missing_flag\"} 1",
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line}\n{text}");
    }
}
