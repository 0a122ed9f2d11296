//! The keeper keeps still while another process takes its place: what it knows is on disk, the state folder is free, and nothing is
//! written by it. If the other one fails, it goes on where that one may have left the folder.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::time::SystemTime;

use super::super::book::Book;
use super::super::claim::Claim;
use super::super::disk::Disk;
use super::{Keeper, build};
use crate::snapshot::Snapshot;

impl Keeper {
    /// Keeps still from when `rests` is told until `woken` is. False: it never goes on.
    pub(super) fn rest(
        &mut self,
        rests: &Sender<()>,
        woken: &Receiver<()>,
        publish: &impl Fn(Arc<Snapshot>),
    ) -> bool {
        // It writes what waits before it is gone.
        self.disk = None;
        self.claim = None;
        // Whoever waits may be gone: then so is the one who would wake it.
        let _ = rests.send(());
        if woken.recv().is_err() {
            self.hand.events.end();
            return false;
        }
        self.take_back(publish);
        true
    }

    /// Goes on with what is on disk now: the other process may have released entries there.
    fn take_back(&mut self, publish: &impl Fn(Arc<Snapshot>)) {
        let state_dir = self.config.state_dir.as_deref();
        self.claim = state_dir.and_then(|folder| Claim::take(folder).unwrap_or_default());
        self.disk = state_dir.map(Disk::open);
        if self.book.durable {
            match Book::open(state_dir) {
                Ok(book) => self.book = book,
                Err(error) => {
                    tracing::error!(%error, "what operators did by hand cannot be read again; what was known stands");
                }
            }
        }
        let snapshot = build(&self.current, &self.definitions, self.book.overlay());
        self.serve(snapshot, publish);
        self.expire(SystemTime::now(), publish);
        self.tell();
    }
}
