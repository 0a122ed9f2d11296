//! What one listener shows and whom it believes: kept from its files, each replaced only by what can be used.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::pair::{Flaw, Pair};
use super::terms::{Clients, Terms};
use crate::config::listener::{CertificateFiles, Listener, ListenerTls};
use crate::config::{Name, Place, Problem, ProblemKind, Severity};
use crate::source::files::{self, Seen};

/// A certificate and its key are replaced one after the other: so long nothing is said of two that do not fit.
const PATIENCE: Duration = Duration::from_secs(1);

/// Of one listener.
#[derive(Debug)]
pub struct Shelf {
    pub listener: Name,
    index: usize,
    place: Place,
    config: ListenerTls,
    pairs: Vec<Kept<Pair>>,
    clients: Option<Kept<Arc<RootCertStore>>>,
}

/// Something that is made of files.
#[derive(Debug)]
struct Kept<T> {
    files: Vec<(PathBuf, Seen)>,
    /// The last that could be used.
    good: Option<T>,
    wrong: Option<Wrong>,
}

/// How it is made of them.
type Read<T> = fn(&[(PathBuf, Seen)]) -> Result<T, String>;

/// Why what the files say now cannot be used.
#[derive(Debug)]
struct Wrong {
    why: String,
    since: Instant,
    /// Whether it is said at once.
    now: bool,
}

impl Shelf {
    /// Reads all files of a listener. It may wait a second for one that is being written. None: it speaks no TLS.
    pub fn load(index: usize, listener: &Listener) -> Option<Shelf> {
        let config = listener.tls.clone()?;
        let (pairs, clients) = kept(&config, Vec::new(), None);
        let (listener, place) = (listener.name.clone(), listener.place.clone());
        Some(Shelf { listener, index, place, config, pairs, clients })
    }

    /// Whether all of it can be used.
    pub fn is_whole(&self) -> bool {
        self.pairs.iter().all(|pair| pair.wrong.is_none())
            && self.clients.iter().all(|clients| clients.wrong.is_none())
    }

    /// Terms made of it.
    pub fn terms(&self) -> Result<Terms, String> {
        let terms = Terms::new(self.config.min_version, self.clients()?.as_ref())?;
        terms.names.show(self.shown());
        Ok(terms)
    }

    /// Takes over another configuration of the listener and brings its terms up to date, as far as it can be used.
    pub fn follow(&mut self, index: usize, listener: &Listener, terms: &Terms) {
        let Some(config) = &listener.tls else { return };
        (self.index, self.place) = (index, listener.place.clone());
        if *config == self.config {
            return;
        }
        let (pairs, clients) = (std::mem::take(&mut self.pairs), self.clients.take());
        (self.pairs, self.clients) = kept(config, pairs, clients);
        self.config = config.clone();
        self.apply(true, terms);
    }

    /// Takes over what files say now; whether any of it is about this listener.
    pub fn take(&mut self, changed: &[(PathBuf, Seen)], terms: &Terms) -> bool {
        let mut pairs = false;
        for pair in &mut self.pairs {
            pairs |= pair.take(changed, read_pair);
        }
        let clients = self.clients.as_mut().is_some_and(|clients| clients.take(changed, read_roots));
        if pairs || clients {
            self.apply(clients, terms);
        }
        pairs || clients
    }

    /// The files to watch.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        let pairs = self.pairs.iter().flat_map(|pair| &pair.files);
        pairs.chain(self.clients.iter().flat_map(|clients| &clients.files)).map(|(path, _)| &**path)
    }

    /// What is wrong at a time.
    pub fn problems(&self, now: SystemTime) -> Vec<Problem> {
        let mut problems = Vec::new();
        let tls = format!("listeners[{}].tls", self.index);
        for (index, pair) in self.pairs.iter().enumerate() {
            let key = format!("{tls}.certificates[{index}]");
            let files = &self.config.certificates[index];
            let (cert, with) = (files.cert.display(), files.key.display());
            if let Some(why) = pair.why() {
                let serves = if pair.good.is_some() { "; the one before is shown" } else { "" };
                let found = format!("{cert} with {with}: {why}{serves}");
                problems.push(self.problem(&key, Severity::Error, found).with_expected(
                    "PEM: the server's certificate followed by its chain, and the private key that belongs to it",
                ));
            }
            let flaws = pair.good.iter().flat_map(|pair| pair.flaws(now));
            problems.extend(flaws.map(|Flaw { useless, found }| {
                let severity = if useless { Severity::Error } else { Severity::Warning };
                self.problem(&key, severity, format!("the certificate {cert} {found}"))
            }));
        }
        if let Some(clients) = &self.clients
            && let Some(why) = clients.why()
        {
            let file = &clients.files[0].0;
            let found = format!("{}: {why}", file.display());
            let problem = self.problem(&format!("{tls}.client_certificates.ca"), Severity::Error, found);
            problems.push(problem.with_expected("PEM with at least one certificate of an authority"));
        }
        problems.extend(
            self.hidden().into_iter().map(|(key, found)| self.problem(&key, Severity::Warning, found)),
        );
        problems
    }

    /// Seconds until each certificate that is shown expires, by its first name.
    pub fn left(&self, now: SystemTime) -> impl Iterator<Item = (&str, i64)> {
        self.shown().map(move |pair| (pair.names.first().map_or("", |name| name), pair.left(now)))
    }

    fn shown(&self) -> impl Iterator<Item = &Pair> {
        self.pairs.iter().filter_map(|pair| pair.good.as_ref())
    }

    fn clients(&self) -> Result<Option<Clients>, String> {
        let Some(kept) = &self.clients else { return Ok(None) };
        let required = self.config.client_certificates.as_ref().is_none_or(|asked| asked.required);
        let roots = kept.good.clone().ok_or("nobody could be believed")?;
        Ok(Some(Clients { roots, required }))
    }

    /// What cannot be used changes nothing: whoever has to show a certificate must never be let in without one.
    fn apply(&self, all: bool, terms: &Terms) {
        if all && let Ok(clients) = self.clients() {
            // Material that was read makes terms; if it does not, the old ones hold.
            if let Err(error) = terms.change(self.config.min_version, clients.as_ref()) {
                tracing::error!(listener = &*self.listener, error, "TLS stays as it was");
            }
        }
        if self.shown().next().is_some() {
            terms.names.show(self.shown());
        }
    }

    /// Pairs that no client ever sees: all of their names are taken by one before, with the same kind of key.
    fn hidden(&self) -> Vec<(String, String)> {
        let pairs: Vec<_> = self.pairs.iter().map(|pair| pair.good.as_ref()).collect();
        let tls = format!("listeners[{}].tls", self.index);
        let seen = |at: usize, name: &String, pair: &Pair| {
            pairs[..at].iter().flatten().any(|before| {
                before.names.contains(name) && before.key.key.algorithm() == pair.key.key.algorithm()
            })
        };
        let hidden = pairs.iter().enumerate().filter_map(|(at, pair)| {
            let pair = pair.filter(|pair| !pair.names.is_empty())?;
            let all = pair.names.iter().all(|name| seen(at, name, pair));
            let found =
                format!("certificate {} is never shown: each of its names stands in one before", at + 1);
            all.then(|| (format!("{tls}.certificates[{at}]"), found))
        });
        hidden.collect()
    }

    fn problem(&self, key: &str, severity: Severity, found: String) -> Problem {
        let place = Some(self.place.clone());
        Problem { severity, place, ..Problem::error(ProblemKind::Certificate, key, found) }
    }
}

/// What a configuration names; what was kept of the same files before is taken over.
fn kept(
    config: &ListenerTls,
    mut before: Vec<Kept<Pair>>,
    clients: Option<Kept<Arc<RootCertStore>>>,
) -> (Vec<Kept<Pair>>, Option<Kept<Arc<RootCertStore>>>) {
    let pairs = config.certificates.iter().map(|CertificateFiles { cert, key }| {
        match before.iter().position(|kept| kept.is_of(&[cert, key])) {
            Some(at) => before.swap_remove(at),
            None => Kept::read(&[cert, key], read_pair),
        }
    });
    let pairs = pairs.collect();
    let asked = config.client_certificates.as_ref();
    let clients = asked.map(|asked| match clients {
        Some(kept) if kept.is_of(&[&asked.ca]) => kept,
        _ => Kept::read(&[&asked.ca], read_roots),
    });
    (pairs, clients)
}

impl<T> Kept<T> {
    fn read(paths: &[&PathBuf], read: Read<T>) -> Kept<T> {
        let files = paths.iter().map(|path| ((*path).clone(), files::read(path))).collect();
        let mut kept = Kept { files, good: None, wrong: None };
        kept.refresh(read, true);
        kept
    }

    fn is_of(&self, paths: &[&PathBuf]) -> bool {
        self.files.iter().map(|(path, _)| path).eq(paths.iter().copied())
    }

    /// Whether any of its files has changed.
    fn take(&mut self, changed: &[(PathBuf, Seen)], read: Read<T>) -> bool {
        let mut news = false;
        for (path, seen) in &mut self.files {
            // The newest stands last.
            if let Some((_, now)) = changed.iter().rev().find(|(of, now)| of == path && now != seen) {
                *seen = now.clone();
                news = true;
            }
        }
        if news {
            self.refresh(read, false);
        }
        news
    }

    fn refresh(&mut self, read: Read<T>, now: bool) {
        match read(&self.files) {
            Ok(good) => (self.good, self.wrong) = (Some(good), None),
            Err(why) => {
                // What is told already stays so, whatever it is now.
                let since = self.wrong.as_ref().map_or_else(Instant::now, |wrong| wrong.since);
                self.wrong = Some(Wrong { why, since, now });
            }
        }
    }

    /// What is wrong, once it is worth saying.
    fn why(&self) -> Option<&str> {
        let wrong = self.wrong.as_ref()?;
        (wrong.now || wrong.since.elapsed() >= PATIENCE).then_some(&*wrong.why)
    }
}

fn text((path, seen): &(PathBuf, Seen)) -> Result<&str, String> {
    seen.as_deref().map_err(|why| format!("{}: {why}", path.display()))
}

fn read_pair(files: &[(PathBuf, Seen)]) -> Result<Pair, String> {
    let [cert, key] = files else { return Err("a pair is two files".to_owned()) };
    Pair::read(text(cert)?, text(key)?)
}

fn read_roots(files: &[(PathBuf, Seen)]) -> Result<Arc<RootCertStore>, String> {
    let [file] = files else { return Err("authorities are one file".to_owned()) };
    let mut roots = RootCertStore::empty();
    for (index, der) in CertificateDer::pem_slice_iter(text(file)?.as_bytes()).enumerate() {
        let added = der.map_err(|error| error.to_string());
        let added = added.and_then(|der| roots.add(der).map_err(|error| error.to_string()));
        added.map_err(|error| format!("certificate {} in it cannot be used: {error}", index + 1))?;
    }
    if roots.is_empty() { Err("there is no certificate in it".to_owned()) } else { Ok(Arc::new(roots)) }
}
