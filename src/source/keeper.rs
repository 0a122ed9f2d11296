//! The keeper: owns the configuration file and all sources, and publishes a snapshot whenever what they say has changed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Instant;

use super::disk::Disk;
use super::journal::Journal;
use super::kept::{Kept, Taken};
use super::last_good::merge;
use super::sight::{self, Sight};
use super::watch::{self, Look, Wake};
use super::{SourceState, Status, configuration};
use crate::config::{Config, Problem, Source};
use crate::snapshot::Snapshot;
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
    disk: Option<Disk>,
    snapshot: Arc<Snapshot>,
    status: Arc<Status>,
    journal: Journal,
    metrics: Option<Arc<Metrics>>,
}

/// Looks that may wait while a snapshot is built.
const LOOKS: usize = 4;

impl Keeper {
    /// Reads the configuration at `path` and every source once. `Err`: the configuration is wrong. Flags that cannot be read are not an
    /// error: last good ones from `state_dir` serve, or none.
    pub fn open(path: &Path) -> Result<(Keeper, Arc<Snapshot>), Vec<Problem>> {
        let begun = Instant::now();
        let seen = sight::read_settled(path, configuration::LIMIT);
        let config = Arc::new(configuration::parse(path, &seen)?);
        let disk = config.state_dir.as_deref().map(Disk::open);
        let sources = Kept::all(&config, configuration::folder(path), Vec::new(), disk.as_ref());
        let snapshot = build(&config, &sources);
        let mut keeper = Keeper {
            path: path.to_owned(),
            config: config.clone(),
            current: config,
            seen,
            config_problems: Vec::new(),
            sources,
            disk,
            snapshot: snapshot.clone(),
            status: Arc::default(),
            journal: Journal::default(),
            metrics: None,
        };
        keeper.sources.iter().for_each(|source| keeper.save(source));
        let problems = keeper.tell();
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

    /// Counts reloads there.
    pub fn counting(self, metrics: Arc<Metrics>) -> Keeper {
        Keeper { metrics: Some(metrics), ..self }
    }

    /// Starts the watching thread. `publish` is called on it with every new snapshot; the returned handle wakes it; dropping the handle does not stop it.
    pub fn watch(mut self, publish: impl Fn(Arc<Snapshot>) + Send + 'static) -> Wake {
        let (looks, inbox) = sync_channel(LOOKS);
        let wake = watch::start(self.paths(), looks);
        let watching = wake.clone();
        thread::Builder::new()
            .name("keeper".to_owned())
            .spawn(move || {
                while let Ok(look) = inbox.recv() {
                    self.take(look, &watching, &publish);
                }
            })
            .expect("at its start a process can start a thread, or it can do nothing at all");
        wake
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

    /// Builds a snapshot of what stands now, and publishes it if it differs from the one that serves.
    fn rebuild(&mut self, publish: &impl Fn(Arc<Snapshot>)) -> bool {
        let snapshot = build(&self.current, &self.sources);
        let same = snapshot.revision == self.snapshot.revision
            && snapshot.config.hash == self.snapshot.config.hash
            && snapshot.problems == self.snapshot.problems;
        if same {
            return false;
        }
        self.snapshot = snapshot.clone();
        publish(snapshot);
        self.sources.iter().for_each(|source| self.save(source));
        true
    }

    /// Brings status and log up to date; the number of all problems.
    fn tell(&mut self) -> usize {
        let configuration = self.config_problems.iter().chain(&self.current.warnings);
        let problems: Vec<_> =
            configuration.chain(self.sources.iter().flat_map(|source| &source.problems)).cloned().collect();
        let number = problems.len() + self.snapshot.problems.len();
        let problems = Arc::new(problems);
        self.status.problems.store(problems.clone());
        self.status.sources.store(Arc::new(self.sources.iter().map(Kept::status).collect()));
        // Last: who reads of a problem in the log finds it in the status.
        self.journal.tell(problems.iter().chain(&self.snapshot.problems));
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

fn build(config: &Arc<Config>, sources: &[Kept]) -> Arc<Snapshot> {
    Arc::new(Snapshot::build(config.clone(), &merge(sources.iter().map(|source| &source.good))))
}
