//! TLS towards clients: certificates by name, kept fresh from their files, and who clients are.
//!
//! Whatever cannot be used changes nothing: the last good certificates are shown on, and what is wrong is told. It decides nothing about
//! requests. Handshakes are the gate's to begin, within its limits.

#![expect(
    clippy::disallowed_types,
    reason = "locked by a reload, a scrape, an operator's question; never by a request"
)]

mod by_name;
mod identity;
mod pair;
mod secured;
mod shelf;
mod terms;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::SystemTime;

use crate::config::{Config, Name, Problem};
use crate::source::files::{Files, Seen};
use crate::telemetry::Metrics;
pub use identity::claimed;
pub use secured::{SecuredStream, told};
use shelf::Shelf;
pub use terms::{Failed, Terms};

/// The certificates of all listeners. The default one has none.
#[derive(Debug, Default)]
pub struct Certificates {
    listeners: Vec<(Name, Arc<Terms>)>,
    /// In the same order.
    shelves: Mutex<Shelves>,
    files: OnceLock<Files>,
}

#[derive(Debug, Default)]
struct Shelves {
    all: Vec<Shelf>,
    logged: Vec<Problem>,
}

/// What `check` says of the certificates of a configuration.
pub fn check(config: &Config, now: SystemTime) -> Vec<Problem> {
    load(config).iter().flat_map(|shelf| shelf.problems(now)).collect()
}

fn load(config: &Config) -> Vec<Shelf> {
    let listeners = config.listeners.iter().enumerate();
    listeners.filter_map(|(index, listener)| Shelf::load(index, listener)).collect()
}

impl Certificates {
    /// Reads every file. At a start all of them have to be usable: there is nothing else to show.
    pub fn load(config: &Config) -> Result<Arc<Certificates>, Vec<Problem>> {
        let shelves = load(config);
        if !shelves.iter().all(Shelf::is_whole) {
            return Err(shelves.iter().flat_map(|shelf| shelf.problems(SystemTime::now())).collect());
        }
        let mut listeners = Vec::with_capacity(shelves.len());
        for shelf in &shelves {
            let terms = shelf.terms().map_err(|why| {
                let found = format!("the listener `{}` cannot speak TLS: {why}", shelf.listener);
                vec![Problem::error(crate::config::ProblemKind::Certificate, "listeners", found)]
            })?;
            listeners.push((shelf.listener.clone(), Arc::new(terms)));
        }
        let shelves = Mutex::new(Shelves { all: shelves, logged: Vec::new() });
        let certificates = Arc::new(Certificates { listeners, shelves, files: OnceLock::new() });
        certificates.log();
        Ok(certificates)
    }

    /// Follows the files from now on, where there are any.
    pub fn watch(self: &Arc<Certificates>) {
        if self.listeners.is_empty() {
            return;
        }
        let watched: Weak<Certificates> = Arc::downgrade(self);
        let told = move |changed: Vec<(PathBuf, Seen)>| {
            if let Some(certificates) = watched.upgrade() {
                certificates.take(&changed);
            }
        };
        // Once a process; a second watch would only tell the same.
        let _ = self.files.set(Files::watch(&self.paths(), told));
    }

    /// Takes over what another configuration says of the listeners that there are.
    pub fn follow(&self, config: &Config) {
        let mut shelves = self.shelves();
        for (shelf, (name, terms)) in shelves.all.iter_mut().zip(&self.listeners) {
            let found = config.listeners.iter().enumerate().find(|(_, listener)| listener.name == *name);
            if let Some((index, listener)) = found {
                shelf.follow(index, listener, terms);
            }
        }
        drop(shelves);
        if let Some(files) = self.files.get() {
            files.follow(&self.paths());
        }
        self.log();
    }

    /// The terms of a listener; none: it speaks no TLS.
    pub fn terms(&self, listener: &str) -> Option<Arc<Terms>> {
        self.listeners.iter().find(|(name, _)| **name == *listener).map(|(_, terms)| terms.clone())
    }

    /// What is wrong now.
    pub fn problems(&self) -> Vec<Problem> {
        let now = SystemTime::now();
        self.shelves().all.iter().flat_map(|shelf| shelf.problems(now)).collect()
    }

    /// Brings the metric about ends up to date, for a scrape.
    pub fn measure(&self, metrics: &Metrics, now: SystemTime) {
        let shelves = self.shelves();
        let all = shelves.all.iter();
        metrics.set_certificates(
            all.flat_map(|shelf| shelf.left(now).map(|(name, seconds)| (&*shelf.listener, name, seconds))),
        );
    }

    fn take(&self, changed: &[(PathBuf, Seen)]) {
        let mut shelves = self.shelves();
        for (shelf, (name, terms)) in shelves.all.iter_mut().zip(&self.listeners) {
            if !changed.is_empty() && shelf.take(changed, terms) && shelf.is_whole() {
                tracing::info!(listener = &**name, "certificates were read again");
            }
        }
        drop(shelves);
        self.log();
    }

    /// Says once what is wrong.
    fn log(&self) {
        let problems = self.problems();
        let mut shelves = self.shelves();
        for problem in problems.iter().filter(|problem| !shelves.logged.contains(problem)) {
            tracing::warn!(key = problem.key, "{}", problem.found);
        }
        shelves.logged = problems;
    }

    fn paths(&self) -> Vec<PathBuf> {
        let shelves = self.shelves();
        let paths: BTreeSet<_> = shelves.all.iter().flat_map(Shelf::paths).collect();
        paths.into_iter().map(PathBuf::from).collect()
    }

    fn shelves(&self) -> MutexGuard<'_, Shelves> {
        // No holder panics half way through a change.
        self.shelves.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
