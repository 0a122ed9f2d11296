//! The keeper: owns the configuration file, all sources and the overlay, and publishes a snapshot whenever what they say together has
//! changed.
//!
//! One thread does one thing after the other: a look at what changed on disk, a write that an operator asks for, an entry whose time is
//! over. So nothing is ever built of half of a change, and whoever is answered is answered by what is published.

mod operating;
mod resting;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel, sync_channel};
use std::thread;
use std::time::{Instant, SystemTime};

use tokio::sync::Semaphore;

use super::audit::Record;
use super::book::Book;
use super::claim::Claim;
use super::disk::Disk;
use super::events::{Event, Events, time};
use super::hand::{Ask, Hand, REFUSALS};
use super::journal::Journal;
use super::kept::{Kept, Taken};
use super::last_good::merge;
use super::sight::{self, Sight};
use super::standing::Standing;
use super::watch::{self, Look, Wake};
use super::{SourceState, SourceStatus, Status, configuration};
use crate::config::{Config, Problem, ProblemKind, Source};
use crate::overlay::Overlay;
use crate::snapshot::{Definitions, Snapshot};
use crate::telemetry::{Metrics, Reload};

/// Owns what is on disk.
pub struct Keeper {
    path: PathBuf,
    /// What it started with: listeners and the like stay so.
    config: Arc<Config>,
    /// What serves.
    current: Arc<Config>,
    /// The configuration file as it was taken last, usable or not.
    seen: Sight,
    /// Why the file on disk is not what serves.
    config_problems: Vec<Problem>,
    sources: Vec<Kept>,
    /// What all sources say together.
    definitions: Arc<Definitions>,
    /// What operators did above it.
    book: Book,
    disk: Option<Disk>,
    /// To the state folder.
    claim: Option<Claim>,
    snapshot: Arc<Snapshot>,
    /// It was published, and nobody told of it yet.
    news: bool,
    /// What released itself: to be told when it is true.
    released: Vec<Record>,
    status: Arc<Status>,
    journal: Journal,
    /// The other end of everyone's.
    hand: Hand,
    inbox: Receiver<Ask>,
    metrics: Option<Arc<Metrics>>,
}

/// Looks that may wait while a snapshot is built.
const LOOKS: usize = 4;

impl Keeper {
    /// Reads the configuration at `path` and every source once. `Err`: the configuration is wrong. Flags that cannot be read are not an
    /// error: last good ones from `state_dir` serve, or none.
    pub fn open(path: &Path) -> Result<(Keeper, Arc<Snapshot>), Vec<Problem>> {
        Keeper::open_by(path, |_| Ok(None))
    }

    /// The same; `claim` takes the state folder for this process, before anything there is read.
    pub fn open_by(
        path: &Path,
        claim: impl FnOnce(&Path) -> Result<Option<Claim>, Box<Problem>>,
    ) -> Result<(Keeper, Arc<Snapshot>), Vec<Problem>> {
        let begun = Instant::now();
        let seen = sight::read_settled(path, configuration::LIMIT);
        let config = Arc::new(configuration::parse(path, &seen)?);
        let claim = config.state_dir.as_deref().map(claim).transpose().map_err(|problem| vec![*problem])?;
        let disk = config.state_dir.as_deref().map(Disk::open);
        let sources = Kept::all(&config, configuration::folder(path), Vec::new(), disk.as_ref());
        let definitions = Arc::new(merge(sources.iter().map(Kept::said)));
        let book = Book::open(config.state_dir.as_deref()).map_err(|error| {
            let found = format!("what operators did by hand cannot be kept, not even in memory: {error}");
            vec![Problem::error(ProblemKind::Overlay, "state_dir", found)]
        })?;
        let snapshot = build(&config, &definitions, book.overlay());
        let (asks, inbox) = channel();
        let hand = Hand {
            asks,
            standing: Arc::default(),
            events: Events::default(),
            trail: book.trail(),
            durable: book.durable,
            refusals: Arc::new(Semaphore::new(REFUSALS)),
        };
        let mut keeper = Keeper {
            path: path.to_owned(),
            config: config.clone(),
            current: config,
            seen,
            config_problems: Vec::new(),
            sources,
            definitions,
            book,
            disk,
            claim: claim.flatten(),
            snapshot,
            news: false,
            released: Vec::new(),
            status: Arc::default(),
            journal: Journal::default(),
            hand,
            inbox,
            metrics: None,
        };
        keeper.stand();
        keeper.resume();
        keeper.sources.iter().for_each(|source| keeper.save(source));
        let problems = keeper.tell();
        let snapshot = keeper.snapshot.clone();
        let seconds = begun.elapsed().as_secs_f64();
        tracing::info!(revision = %snapshot.revision, flags = snapshot.flags.len(), problems, seconds, "loaded");
        Ok((keeper, snapshot))
    }

    /// The configuration it started with: listeners are taken from here.
    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// Shared with the admin API and the probes.
    pub fn status(&self) -> Arc<Status> {
        self.status.clone()
    }

    /// For whoever operates by hand.
    pub fn hand(&self) -> Hand {
        self.hand.clone()
    }

    /// Counts reloads there.
    pub fn counting(self, metrics: Arc<Metrics>) -> Keeper {
        Keeper { metrics: Some(metrics), ..self }
    }

    /// Starts watching and operating. `publish` is called with every new snapshot, on the keeper's own thread, which waits for it; the
    /// returned handle wakes the watch; dropping the handle does not stop it.
    pub fn watch(mut self, publish: impl Fn(Arc<Snapshot>) + Send + 'static) -> Wake {
        let (looks, seen) = sync_channel(LOOKS);
        let asks = self.hand.asks.clone();
        let wake =
            watch::start(self.paths(), move |look| looks.send(look).is_ok() && asks.send(Ask::Look).is_ok());
        let watching = wake.clone();
        thread::Builder::new()
            .name("keeper".to_owned())
            .spawn(move || self.run(&seen, &watching, &publish))
            .expect("at its start a process can start a thread, or it can do nothing at all");
        wake
    }

    fn run(&mut self, looks: &Receiver<Look>, wake: &Wake, publish: &impl Fn(Arc<Snapshot>)) {
        loop {
            // A clock that is set is noticed at the next poll.
            match self.inbox.recv_timeout(self.until_expiry(SystemTime::now())) {
                Ok(Ask::Rest(rests, woken)) if !self.rest(&rests, &woken, publish) => return,
                Ok(ask) => self.hear(ask, looks, wake, publish),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.expire(SystemTime::now(), publish);
        }
    }

    fn hear(&mut self, ask: Ask, looks: &Receiver<Look>, wake: &Wake, publish: &impl Fn(Arc<Snapshot>)) {
        match ask {
            Ask::Look => {
                if let Ok(look) = looks.try_recv() {
                    self.take(look, wake, publish);
                }
            }
            Ask::Write(write, answer) => {
                // Whoever asked may have gone: it is done all the same.
                let _ = answer.send(self.write(&write, publish));
                self.tell();
            }
            Ask::Refused(record, permit) => {
                self.book.refused(*record);
                drop(permit);
            }
            // It was done when it came.
            Ask::Rest(..) => {}
        }
    }

    /// Takes over what a look found, as far as it is usable, and publishes what came of it.
    fn take(&mut self, look: Look, wake: &Wake, publish: &impl Fn(Arc<Snapshot>)) {
        let begun = Instant::now();
        let (mut accepted, mut refused) = (false, false);
        let mut count = |taken| match taken {
            Taken::Accepted => accepted = true,
            Taken::Refused => refused = true,
        };
        // The configuration first: it says which sources there are.
        let configuration = look.changed.iter().find(|(path, seen)| *path == self.path && *seen != self.seen);
        if let Some((_, seen)) = configuration {
            count(self.configure(seen.clone(), wake));
        }
        for (path, seen) in &look.changed {
            for (index, source) in self.sources.iter_mut().enumerate() {
                let Source::File(file) = &source.source;
                if file == path && !source.knows(seen) {
                    count(source.take(seen.clone(), index, &self.current.flags));
                }
            }
        }
        self.sources.iter_mut().for_each(Kept::confirmed);
        let published = accepted && self.rebuild(publish);
        if refused {
            self.stand();
        }
        // Whoever sees a count sees the status that goes with it.
        let problems = self.tell();
        if refused {
            self.count(Reload::Refused);
        }
        let (revision, flags) = (&self.snapshot.revision, self.snapshot.flags.len());
        if published {
            let seconds = begun.elapsed().as_secs_f64();
            tracing::info!(%revision, flags, problems, seconds, "published");
            self.count(Reload::Published);
        } else if !refused && (accepted || look.asked) {
            tracing::info!(%revision, flags, problems, "unchanged");
            self.count(Reload::Unchanged);
        }
    }

    /// Takes over a new configuration, if it is one.
    fn configure(&mut self, seen: Sight, wake: &Wake) -> Taken {
        self.seen = seen;
        match configuration::parse(&self.path, &self.seen) {
            Ok(config) => {
                let later = configuration::needs_restart(&self.config, &config);
                if !later.is_empty() {
                    let keys = later.join(", ");
                    tracing::warn!(keys, "these parts of the configuration change only at a restart");
                }
                self.config_problems.clear();
                self.current = Arc::new(config);
                let before = std::mem::take(&mut self.sources);
                let folder = configuration::folder(&self.path);
                self.sources = Kept::all(&self.current, folder, before, self.disk.as_ref());
                wake.watch(self.paths());
                Taken::Accepted
            }
            Err(problems) => {
                self.config_problems = problems;
                Taken::Refused
            }
        }
    }

    /// Joins what the sources say now and publishes what came of it, if it differs from what serves.
    fn rebuild(&mut self, publish: &impl Fn(Arc<Snapshot>)) -> bool {
        let definitions = Arc::new(merge(self.sources.iter().map(Kept::said)));
        let before = std::mem::replace(&mut self.definitions, definitions);
        let snapshot = self.catch_up(&before);
        // What the overlay hides is kept, too.
        self.sources.iter().for_each(|source| self.save(source));
        self.serve(snapshot, publish)
    }

    /// Publishes a snapshot if it differs from the one that serves.
    fn serve(&mut self, snapshot: Arc<Snapshot>, publish: &impl Fn(Arc<Snapshot>)) -> bool {
        let same = snapshot.revision == self.snapshot.revision
            && snapshot.config.hash == self.snapshot.config.hash
            && snapshot.problems == self.snapshot.problems;
        if !same {
            self.snapshot = snapshot.clone();
            publish(snapshot);
            self.news = true;
        }
        // Second: with an ETag that is too old a write is refused; with one that is too new it would overwrite what nobody saw.
        self.stand();
        for record in self.released.drain(..) {
            self.hand.events.tell(Event::Overlay { record: Box::new(record) });
        }
        !same
    }

    /// Shows what stands to whoever reads it.
    fn stand(&self) {
        self.hand.standing.store(Arc::new(Standing {
            definitions: self.definitions.clone(),
            overlay: self.book.overlay().clone(),
            limits: self.current.flags.limits,
            files: self.sources.iter().map(Kept::file).collect(),
        }));
    }

    /// Brings status, log and listeners up to date; the number of all problems.
    fn tell(&mut self) -> usize {
        let configuration = self.config_problems.iter().chain(&self.current.warnings);
        let problems = configuration.chain(&self.book.problems);
        let problems: Vec<_> =
            problems.chain(self.sources.iter().flat_map(|source| &source.problems)).cloned().collect();
        let number = problems.len() + self.snapshot.problems.len();
        let problems = Arc::new(problems);
        self.status.problems.store(problems.clone());
        let sources: Vec<_> = self.sources.iter().map(Kept::status).collect();
        let before = self.status.sources.swap(Arc::new(sources.clone()));
        // Last: who reads of a problem in the log finds it in the status.
        let events = &self.hand.events;
        sources.iter().filter(|now| !before.iter().any(|before| alike(before, now))).for_each(|source| {
            events.tell(Event::Source {
                time: time(SystemTime::now()),
                name: source.name.clone(),
                state: source.state.as_str().to_owned(),
                flags: source.flags,
            });
        });
        self.journal.tell(problems.iter().chain(&self.snapshot.problems), events);
        if std::mem::take(&mut self.news) {
            events.tell(Event::Published {
                time: time(SystemTime::now()),
                revision: self.snapshot.revision.to_string(),
                flags: self.snapshot.flags.len(),
                problems: number,
            });
        }
        number
    }

    fn save(&self, source: &Kept) {
        let ready = source.status().state == SourceState::Ready;
        if let Some(disk) = self.disk.as_ref().filter(|_| ready) {
            disk.save(&source.source, &source.good);
        }
    }

    fn count(&self, result: Reload) {
        if let Some(metrics) = &self.metrics {
            metrics.reloaded(result);
        }
    }

    /// What to watch, and how many bytes of it to read.
    fn paths(&self) -> Vec<(PathBuf, usize)> {
        let sources = self.current.flags.sources.iter().map(|Source::File(path)| path.clone());
        let limit = self.current.flags.limits.document_bytes;
        let configuration = (self.path.clone(), configuration::LIMIT);
        std::iter::once(configuration).chain(sources.map(|path| (path, limit))).collect()
    }
}

fn build(config: &Arc<Config>, definitions: &Definitions, overlay: &Overlay) -> Arc<Snapshot> {
    let (running, problems) = overlay.apply_all(definitions.clone(), &config.flags.limits);
    let mut snapshot = Snapshot::build(config.clone(), &running);
    snapshot.problems.extend(problems);
    Arc::new(snapshot)
}

/// Its age is no event.
fn alike(before: &SourceStatus, now: &SourceStatus) -> bool {
    (&before.name, before.state, before.flags) == (&now.name, now.state, now.flags)
}
