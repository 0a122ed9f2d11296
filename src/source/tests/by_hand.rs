//! The hand on a running keeper: what was answered is published, on disk and told.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::super::audit::Query;
use super::super::hand::{Action, Condition, Operator, Refused, Write, Written};
use super::{CONFIG, Folder, PATIENCE, Running, flags, generation};
use crate::source::Event;

fn kill(variant: &str) -> Write {
    let from = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
    Write {
        flag: "shop-version".into(),
        action: Action::Kill(variant.to_owned()),
        by: Operator { name: "ann".to_owned(), role: "operator", from },
        why: "5xx".to_owned(),
        until: None,
        condition: Condition::Any,
        once: None,
    }
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(PATIENCE, future).await.expect("it ends") })
}

impl Running {
    fn ask(&self, write: Write) -> Result<Written, Refused> {
        wait(self.hand.write(write))
    }
}

#[test]
fn what_was_answered_is_published_and_stays_above_what_the_source_says() {
    let folder = Folder::new();
    let running = folder.run();
    let mut events = running.hand.events().listen();
    let written = running.ask(kill("canary")).unwrap();
    // It does not wait: the answer came after.
    let snapshot = running.published.try_recv().unwrap();
    assert_eq!(written.revision, snapshot.revision.to_string());
    assert_eq!((running.hand.durable(), written.durable), (true, true));
    assert_eq!((running.hand.etag("shop-version"), running.hand.overlay().len()), (written.etag.clone(), 1));
    let told = wait(async { [events.recv().await.unwrap(), events.recv().await.unwrap()] });
    let [Event::Overlay { record }, Event::Published { revision, .. }] = &told else { panic!("{told:?}") };
    assert_eq!((&*record.action, &*record.by, record.seq, revision), ("kill", "ann", 1, &written.revision));
    assert_eq!(running.hand.audit(&Query::default()), [(**record).clone()]);

    folder.replace("flags.json", &flags(1));
    let snapshot = running.next();
    assert_eq!(generation(&snapshot), Some(1));
    let (_, flag) = snapshot.flags.iter().next().unwrap();
    assert_eq!(flag.definition.as_ref().unwrap().to_json()["defaultVariant"], "canary");
}

#[test]
fn an_entry_is_released_when_its_time_is_over() {
    let folder = Folder::new();
    let running = folder.run();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let until = Some(now.as_secs() as i64 + 2);
    running.ask(Write { until, ..kill("canary") }).unwrap();
    running.next();
    assert_eq!(running.next().revision, running.first.revision);
    assert!(SystemTime::now() >= UNIX_EPOCH + Duration::from_secs(now.as_secs() + 2), "not before");
    let [newest, kill] = &running.hand.audit(&Query::default())[..] else { panic!("two records") };
    assert_eq!((&*newest.action, &*newest.by, &*newest.flag), ("expired", "flagway", "shop-version"));
    assert_eq!((&*kill.action, kill.seq + 1), ("kill", newest.seq));
}

#[test]
fn writers_at_once_are_answered_one_after_the_other() {
    let folder = Folder::new();
    let running = folder.run();
    let writers: Vec<_> = (0..4)
        .map(|_| {
            let hand = running.hand.clone();
            std::thread::spawn(move || {
                let mut done = 0;
                for _ in 0..25 {
                    let condition = Condition::Is(vec![hand.etag("shop-version")]);
                    let variant = if done % 2 == 0 { "canary" } else { "stable" };
                    match wait(hand.write(Write { condition, ..kill(variant) })) {
                        Ok(_) => done += 1,
                        Err(Refused::Stale(_)) => {}
                        Err(other) => panic!("{other}"),
                    }
                }
                done
            })
        })
        .collect();
    let done: usize = writers.into_iter().map(|writer| writer.join().unwrap()).sum();
    let mut records = running.hand.audit(&Query { limit: Some(1000), ..Query::default() });
    records.reverse();
    assert_eq!(records.iter().filter(|record| record.accepted).count(), done);
    assert!(records.iter().map(|record| record.seq).eq(1..=100));
    let last = records.iter().rfind(|record| record.accepted).unwrap();
    assert_eq!(last.etag, Some(running.hand.etag("shop-version")));
    // Each accepted one stands on the one before it.
    let accepted: Vec<_> = records.iter().filter(|record| record.accepted).collect();
    assert!(accepted.windows(2).all(|pair| pair[0].after == pair[1].before));
}

#[test]
fn a_refusal_from_elsewhere_is_written_down() {
    let folder = Folder::new();
    let running = folder.run();
    running.ask(kill("canary")).unwrap();
    let [record] = &running.hand.audit(&Query::default())[..] else { panic!("one record") };
    running.hand.refused(super::super::audit::Record { accepted: false, status: 403, ..record.clone() });
    running.until("written down", |running| running.hand.audit(&Query::default()).len() == 2);
    let newest = &running.hand.audit(&Query::default())[0];
    assert_eq!((newest.seq, newest.accepted, newest.status), (2, false, 403));
}

#[test]
fn without_a_state_folder_nothing_survives_and_all_the_rest_is_the_same() {
    let folder = Folder::new();
    folder.write("flagway.yaml", &CONFIG.replace("state_dir: state\n", ""));
    let running = folder.run();
    let written = running.ask(kill("canary")).unwrap();
    assert!(!written.durable && !running.hand.durable());
    assert_eq!(running.next().revision.to_string(), written.revision);
    assert_eq!(running.hand.audit(&Query::default()).len(), 1);
    assert!(!folder.at("state").exists());
}
