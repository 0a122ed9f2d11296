//! What the keeper does to the overlay: the writes that operators ask for, and what releases itself.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value as Json;

use super::super::audit::Record;
use super::super::events::{Event, time};
use super::super::hand::{Condition, Refused, Write, Written};
use super::super::kept::Kept;
use super::super::last_good::merge;
use super::super::standing::etag;
use super::super::worse::worse;
use super::super::writes;
use super::{Keeper, build};
use crate::overlay::{Entry, Overlay, entry::rfc3339};
use crate::snapshot::{Definitions, Snapshot};

/// Who does what the gateway does by itself.
const GATEWAY: &str = "flagway";

impl Keeper {
    /// Does a write, or writes down why not. What is answered is published.
    pub(super) fn write(
        &mut self,
        write: &Write,
        publish: &impl Fn(Arc<Snapshot>),
    ) -> Result<Written, Refused> {
        let (begun, now) = (Instant::now(), SystemTime::now());
        let before = self.book.overlay().clone();
        let asked = Record {
            from: write.by.from.map(|address| address.to_string()),
            why: write.why.clone(),
            until: write.until.map(|until| rfc3339(until).to_string()),
            before: Some(entries(&before, &write.flag)),
            idempotency_key: write.once.as_ref().map(|(key, _)| key.clone()),
            ..record(now, write.action.as_str(), &write.flag, &write.by.name, write.by.role)
        };
        let done = self.attempt(write, now, asked.clone(), publish);
        let (action, flag, by) = (asked.action.clone(), asked.flag.clone(), asked.by.clone());
        match &done {
            Ok(written) => {
                let Written { seq, revision, again, .. } = written;
                let seconds = begun.elapsed().as_secs_f64();
                tracing::info!(action, flag, by, seq, revision, again, seconds, "written by hand");
            }
            Err(refused) => {
                let problem = Some(refused.to_string());
                tracing::warn!(action, flag, by, problem, "a write by hand was refused");
                self.book.refused(Record { accepted: false, status: refused.status(), problem, ..asked });
            }
        }
        done
    }

    fn attempt(
        &mut self,
        write: &Write,
        now: SystemTime,
        asked: Record,
        publish: &impl Fn(Arc<Snapshot>),
    ) -> Result<Written, Refused> {
        // First: who repeats a write does not know the ETag that it led to.
        if let Some(answer) = self.book.once.find(write) {
            return answer;
        }
        let standing = self.hand.standing.load_full();
        if let Condition::Is(etags) = &write.condition {
            let etag = standing.etag(&write.flag);
            if !etags.contains(&etag) {
                return Err(Refused::Stale(etag));
            }
        }
        let next = writes::next(write, unix(now), &standing)?;
        let snapshot = build(&self.current, &self.definitions, &next);
        if writes::is_judged(&write.action) {
            let mut worse_now = worse(&write.flag, &self.snapshot, &snapshot);
            if !worse_now.is_empty() {
                // What the source brings along is not the write's doing: a flag that was disabled can be enabled again.
                let mut bare = next.clone();
                bare.remove_all(&write.flag);
                let bare = build(&self.current, &self.definitions, &bare);
                let by_write = worse(&write.flag, &bare, &snapshot);
                worse_now.retain(|problem| by_write.contains(problem));
            }
            if !worse_now.is_empty() {
                return Err(Refused::Worse(worse_now));
            }
        }
        let of_flag = next.of(&write.flag).to_vec();
        let (etag, revision) =
            (etag(self.definitions.of(&write.flag), &of_flag), snapshot.revision.to_string());
        let record = Record {
            after: Some(entries(&next, &write.flag)),
            revision: Some(revision.clone()),
            etag: Some(etag.clone()),
            ..asked
        };
        let record = self.book.commit(next, record).map_err(|error| Refused::Disk(error.to_string()))?;
        self.serve(snapshot, publish);
        let (seq, durable) = (record.seq, self.book.durable);
        let written = Written { seq, etag, revision, durable, entries: of_flag, again: false };
        self.book.once.remember(write, &written);
        self.hand.events.tell(Event::Overlay { record: Box::new(record) });
        Ok(written)
    }

    /// How long the entry that is over next still stands.
    pub(super) fn until_expiry(&self, now: SystemTime) -> Duration {
        let Some(at) = self.book.overlay().next_expiry() else { return Duration::MAX };
        // Not before 1970; an entry's time is within the years that are written with four digits.
        let at = UNIX_EPOCH + Duration::from_secs(at.unsigned_abs());
        at.duration_since(now).unwrap_or_default()
    }

    /// Releases entries whose time is over.
    pub(super) fn expire(&mut self, now: SystemTime, publish: &impl Fn(Arc<Snapshot>)) {
        if self.until_expiry(now) > Duration::ZERO {
            return;
        }
        let over = self.book.overlay().expired(unix(now)).cloned().collect();
        let snapshot = self.without(over, now, "expired", "its time is over");
        self.serve(snapshot, publish);
        self.tell();
    }

    /// Releases the entries that sources caught up with since they said what they did `before`; what runs then.
    pub(super) fn catch_up(&mut self, before: &Definitions) -> Arc<Snapshot> {
        let overlay = self.book.overlay();
        let superfluous = overlay.all_caught_up(before, &self.definitions, &self.current.flags.limits);
        let entries = superfluous
            .iter()
            .flat_map(|(flag, kinds)| kinds.iter().filter_map(|kind| overlay.get(flag, *kind)));
        let entries = entries.cloned().collect();
        self.without(entries, SystemTime::now(), "caught_up", "the sources say the same by now")
    }

    /// At a start: releases what the sources caught up with, and what was over, while nothing ran.
    pub(super) fn resume(&mut self) {
        let found: Vec<_> = self.sources.iter_mut().map(Kept::take_found).collect();
        if self.book.overlay().is_empty() {
            return;
        }
        let mut before = merge(found.iter().map(|(name, good)| (*name, good)));
        // Of what nothing is known it is not known that it changed.
        for key in self.definitions.keys() {
            if before.get(key).is_none() {
                before.replace(key, self.definitions.of(key).to_vec());
            }
        }
        let snapshot = self.catch_up(&before);
        self.serve(snapshot, &|_| {});
        self.expire(SystemTime::now(), &|_| {});
        self.news = false;
    }

    /// Takes entries out, flag by flag, as the gateway does by itself; what runs without them. The disk has no say in it.
    fn without(&mut self, gone: Vec<Entry>, now: SystemTime, action: &str, why: &str) -> Arc<Snapshot> {
        let mut rest = Overlay::clone(self.book.overlay());
        for entry in &gone {
            rest.remove(entry.flag(), entry.kind());
        }
        let snapshot = build(&self.current, &self.definitions, &rest);
        for gone in gone.chunk_by(|one, next| one.flag() == next.flag()) {
            let Some(flag) = gone.first().map(Entry::flag) else { continue };
            let before = self.book.overlay().clone();
            let mut next = Overlay::clone(&before);
            for entry in gone {
                next.remove(flag, entry.kind());
            }
            let record = Record {
                why: why.to_owned(),
                before: Some(entries(&before, flag)),
                after: Some(entries(&next, flag)),
                revision: Some(snapshot.revision.to_string()),
                etag: Some(etag(self.definitions.of(flag), next.of(flag))),
                ..record(now, action, flag, GATEWAY, GATEWAY)
            };
            match self.book.commit(next.clone(), record) {
                Ok(record) => {
                    let kinds: Vec<_> = gone.iter().map(|entry| entry.kind().as_str()).collect();
                    let kinds = kinds.join(", ");
                    tracing::info!(action, %flag, kinds, seq = record.seq, "released: {why}");
                    self.released.push(record);
                }
                Err(error) => {
                    tracing::error!(action, %flag, %error, "released, but it cannot be kept on disk");
                    self.book.impose(next);
                }
            }
        }
        snapshot
    }
}

/// Of something that was done; the rest is filled in.
fn record(now: SystemTime, action: &str, flag: &str, by: &str, role: &str) -> Record {
    Record {
        seq: 0,
        time: time(now),
        action: action.to_owned(),
        flag: flag.to_owned(),
        by: by.to_owned(),
        role: role.to_owned(),
        from: None,
        why: String::new(),
        until: None,
        accepted: true,
        status: 200,
        problem: None,
        before: None,
        after: None,
        overlay: None,
        revision: None,
        etag: None,
        idempotency_key: None,
    }
}

/// A flag's entries, as JSON.
fn entries(overlay: &Overlay, flag: &str) -> Json {
    // All keys are texts: it is JSON.
    serde_json::to_value(overlay.of(flag)).unwrap_or_default()
}

/// Seconds since 1970; before, there are none.
fn unix(now: SystemTime) -> i64 {
    now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
}
