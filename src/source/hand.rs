//! The operator's hand: asks the keeper to write an entry of the overlay, and reads what stands.
//!
//! A write is answered when it is on disk, in the audit and published: every decision after the answer is by the new rule. Who may
//! write is asked elsewhere.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::audit::{Query, Record, Trail};
use super::events::Events;
use super::standing::Standing;
use crate::config::Problem;
use crate::flag::{self, Definition, FlagState};
use crate::overlay::{Change, Entry, Overlay, Refusal};

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// The token's name; `anonymous` where none is needed; `flagway` for what the gateway does by itself.
    pub name: String,
    /// The token's role: `operator`, `admin`.
    pub role: &'static str,
    /// The other end of the connection; none for the gateway itself.
    pub from: Option<IpAddr>,
}

/// One write of one flag.
#[derive(Debug, Clone)]
pub struct Write {
    /// Its key.
    pub flag: Arc<str>,
    /// What is done.
    pub action: Action,
    /// Who does it.
    pub by: Operator,
    /// In their words; may be empty.
    pub why: String,
    /// When it releases itself, in Unix seconds.
    pub until: Option<i64>,
    /// What the flag's ETag has to be.
    pub condition: Condition,
    /// The client's idempotency key, with a hash of its request.
    pub once: Option<(String, u64)>,
}

/// What a write does.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Everyone gets this variant. Its value is looked up by the keeper.
    Kill(String),
    /// Puts one entry in place of the one of its kind.
    Put(Change),
    /// Takes the kill out, or, where there is none, every entry.
    Release,
    /// Takes every entry out.
    ReleaseAll,
    /// Makes these all entries of the flag.
    Replace(Vec<Change>),
}

/// What the flag's ETag has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// Anything.
    Any,
    /// One of these.
    Is(Vec<String>),
}

/// A write that was done.
#[derive(Debug, Clone)]
pub struct Written {
    /// Of the audit.
    pub seq: u64,
    /// The flag's, now.
    pub etag: String,
    /// That is published now.
    pub revision: String,
    /// Whether it survives the process: there is a `state_dir`.
    pub durable: bool,
    /// The flag's entries, now.
    pub entries: Vec<Entry>,
    /// Whether it was done before, by the same idempotency key.
    pub again: bool,
}

/// Why a write was not done. Nothing changed.
#[derive(Debug, Clone)]
pub enum Refused {
    /// No source and no entry defines the flag; the one that was perhaps meant.
    NoFlag {
        /// That was asked for.
        flag: Arc<str>,
        /// One that there is, of nearly that name.
        near: Option<String>,
    },
    /// The flag's ETag is this one.
    Stale(String),
    /// It does not apply.
    Change(Refusal),
    /// There is nothing to release.
    Nothing,
    /// The flag, or what depends on it, would have these problems, which it has not now.
    Worse(Vec<Problem>),
    /// The idempotency key was used for another request.
    Reused,
    /// It could not be kept on disk.
    Disk(String),
    /// The gateway is stopping.
    Stopping,
}

/// Shared by everyone who asks.
#[derive(Clone)]
pub struct Hand {
    pub(super) asks: Sender<Ask>,
    pub(super) standing: Arc<ArcSwap<Standing>>,
    pub(super) events: Events,
    pub(super) trail: Trail,
    pub(super) durable: bool,
    /// One permit for each refusal that may wait to be written down.
    pub(super) refusals: Arc<Semaphore>,
}

/// What the keeper is asked.
pub(super) enum Ask {
    /// A look waits for it.
    Look,
    /// To do a write. As many wait as there are callers who wait for the answer.
    Write(Box<Write>, oneshot::Sender<Result<Written, Refused>>),
    /// To write down that something was refused elsewhere.
    Refused(Box<Record>, OwnedSemaphorePermit),
    /// To keep still: everything is on disk, and the state folder another's, when the first is told. It goes on when the second says so,
    /// and ends when nobody can.
    Rest(Sender<()>, Receiver<()>),
}

/// Refusals that may wait to be written down; whoever makes more of them has no claim on an audit.
pub(super) const REFUSALS: usize = 64;

impl Hand {
    /// Does a write, or tells why not. Accepted or refused, it is in the audit when this answers.
    pub async fn write(&self, write: Write) -> Result<Written, Refused> {
        let (answer, answered) = oneshot::channel();
        self.asks.send(Ask::Write(Box::new(write), answer)).map_err(|_| Refused::Stopping)?;
        answered.await.unwrap_or(Err(Refused::Stopping))
    }

    /// Writes down, soon, that something was refused before it came this far: without the right, or not understood. It never waits: of
    /// a flood some are only in the log.
    pub fn refused(&self, record: Record) {
        let permit = Arc::clone(&self.refusals).try_acquire_owned();
        let untold = match permit {
            Ok(permit) => self.asks.send(Ask::Refused(Box::new(record), permit)).is_err(),
            Err(_) => true,
        };
        if untold {
            tracing::warn!("a refused write is not in the audit: too many wait, or the gateway is stopping");
        }
    }

    /// Has the keeper keep still, with everything on disk and the state folder free for another process. Writes wait meanwhile. It blocks.
    pub fn rest(&self) -> Resting {
        let ((rests, resting), (wake, woken)) = (channel(), channel());
        if self.asks.send(Ask::Rest(rests, woken)).is_ok() {
            // Otherwise it has ended, which is as still.
            let _ = resting.recv();
        }
        Resting { wake }
    }

    /// What stands now.
    pub fn overlay(&self) -> Arc<Overlay> {
        Arc::clone(&self.standing.load().overlay)
    }

    /// The flag's ETag now, without quotes; of what no one defines, too.
    pub fn etag(&self, flag: &str) -> String {
        self.standing.load().etag(flag)
    }

    /// What the sources together say of a flag; none: none defines it, or none well.
    pub fn source(&self, flag: &str) -> Option<Arc<Definition>> {
        match self.standing.load().definitions.get(flag) {
            Some(flag::Entry::Good(definition)) => Some(Arc::clone(definition)),
            Some(flag::Entry::Broken(_)) | None => None,
        }
    }

    /// Whether writes survive the process.
    pub fn durable(&self) -> bool {
        self.durable
    }

    /// The audit, newest first. It blocks on the disk.
    pub fn audit(&self, query: &Query) -> Vec<Record> {
        self.trail.query(query, SystemTime::now())
    }

    /// The audit, to be read in other ways.
    pub fn trail(&self) -> &Trail {
        &self.trail
    }

    /// What happens from now on.
    pub fn events(&self) -> &Events {
        &self.events
    }

    /// For each file that defines flags with entries, the patch that makes it say what runs; and each flag for which there is none, with
    /// why. It parses whole documents: not for a thread that serves requests.
    pub fn diff(&self) -> Vec<SourceDiff> {
        self.standing.load().diff()
    }
}

/// A keeper that keeps still. Dropped, it never goes on: writes are refused, who listens for events is told the end.
#[must_use]
pub struct Resting {
    wake: Sender<()>,
}

impl Resting {
    /// It goes on with what is on disk, and does the writes that waited.
    pub fn goes_on(self) {
        // It waits for nothing else.
        let _ = self.wake.send(());
    }
}

impl Action {
    /// As the audit calls it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Action::Kill(_) | Action::Put(Change::Kill { .. }) => "kill",
            Action::Put(Change::Weight(_)) => "weight",
            Action::Put(Change::State(FlagState::Enabled)) => "enable",
            Action::Put(Change::State(FlagState::Disabled)) => "disable",
            Action::Put(Change::Set(_)) => "set",
            Action::Release | Action::ReleaseAll => "release",
            Action::Replace(_) => "replace",
        }
    }
}

impl Refused {
    /// The HTTP status that says so.
    pub fn status(&self) -> u16 {
        match self {
            Refused::NoFlag { .. } => 404,
            Refused::Nothing => 409,
            Refused::Stale(_) => 412,
            Refused::Change(_) | Refused::Worse(_) | Refused::Reused => 422,
            Refused::Disk(_) => 500,
            Refused::Stopping => 503,
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::NoFlag { flag, near } => {
                write!(f, "no source defines the flag `{flag}`")?;
                near.as_ref().map_or(Ok(()), |near| write!(f, "; did you mean `{near}`?"))
            }
            Refused::Stale(etag) => {
                write!(f, "the flag was changed meanwhile: its ETag is \"{etag}\"; look at it and ask again")
            }
            Refused::Change(refusal) => refusal.fmt(f),
            Refused::Nothing => f.write_str("there is nothing to release"),
            Refused::Worse(problems) => {
                let found: Vec<_> = problems.iter().map(|problem| &*problem.found).collect();
                f.write_str(&found.join("; "))
            }
            Refused::Reused => f.write_str("the idempotency key was used for another request; use a new one"),
            Refused::Disk(why) => write!(f, "nothing was changed, as it cannot be kept on disk: {why}"),
            Refused::Stopping => f.write_str("the gateway is stopping"),
        }
    }
}

impl std::error::Error for Refused {}

/// What a source would have to say.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct SourceDiff {
    /// The flag; of several in one file, all of them, separated by `, `.
    pub flag: String,
    /// The file that defines it, as seen from the configuration's folder; none: no source does.
    pub file: Option<String>,
    /// `unified`: as `patch -p0` takes it; `json-patch`: RFC 6902, where the text cannot be edited in place; `none`: with why.
    pub form: String,
    /// The patch.
    pub patch: String,
}
