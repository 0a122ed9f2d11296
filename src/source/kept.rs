//! One source as it is kept: what it said last, what of that serves, and what is wrong with it.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use super::disk::Disk;
use super::last_good::LastGood;
use super::sight::{self, Sight};
use super::standing::SourceFile;
use super::{SourceState, SourceStatus};
use crate::config::{Config, Flags, Problem, ProblemKind, Source};
use crate::flag::{Document, Format};

#[derive(Debug)]
pub struct Kept {
    pub source: Source,
    pub good: LastGood,
    /// What the disk had kept when it was opened, until somebody takes it.
    pub found: LastGood,
    pub problems: Vec<Problem>,
    /// What was taken last, usable or not.
    seen: Sight,
    /// As the configuration names it: `flags.json`.
    name: Arc<str>,
    state: SourceState,
    fresh: Option<SystemTime>,
}

/// What became of what a source says now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// Its definitions stand; single flags may have kept their last good ones.
    Accepted,
    /// It changed nothing.
    Refused,
}

impl Kept {
    /// Reads a source for the first time. What the disk kept of it stands until it says something usable.
    pub fn open(source: &Source, index: usize, folder: &Path, flags: &Flags, disk: Option<&Disk>) -> Kept {
        let Source::File(path) = source;
        let kept = disk.and_then(|disk| disk.load(source, &flags.limits));
        let (good, fresh) = kept.map_or_else(Default::default, |(good, written)| (good, Some(written)));
        let state = if fresh.is_some() { SourceState::Stale } else { SourceState::Missing };
        let name = path.strip_prefix(folder).unwrap_or(path).to_string_lossy().into();
        let seen = sight::read_settled(path, flags.limits.document_bytes);
        let mut kept = Kept {
            source: source.clone(),
            found: good.clone(),
            good,
            problems: Vec::new(),
            seen: seen.clone(),
            name,
            state,
            fresh,
        };
        kept.take(seen, index, flags);
        kept
    }

    /// All sources of a configuration, those that stay taken over from `before`.
    pub fn all(config: &Config, folder: &Path, mut before: Vec<Kept>, disk: Option<&Disk>) -> Vec<Kept> {
        let sources = config.flags.sources.iter().enumerate();
        let kept = sources.map(|(index, source)| {
            match before.iter().position(|kept| kept.source == *source) {
                Some(at) => {
                    let mut kept = before.swap_remove(at);
                    // Limits, or what is allowed, may be others now.
                    let seen = kept.seen.clone();
                    kept.take(seen, index, &config.flags);
                    kept
                }
                None => Kept::open(source, index, folder, &config.flags, disk),
            }
        });
        kept.collect()
    }

    /// Whether this was taken already.
    pub fn knows(&self, sight: &Sight) -> bool {
        self.seen == *sight
    }

    /// Takes over what the source says now, as far as it is usable. `index` is its place in the configuration.
    pub fn take(&mut self, sight: Sight, index: usize, flags: &Flags) -> Taken {
        self.seen = sight;
        match self.document(index, flags) {
            Ok(problems) => {
                self.problems = problems;
                self.state = SourceState::Ready;
                self.confirmed();
                Taken::Accepted
            }
            Err(problems) => {
                self.problems = problems;
                // What it gave once, now or before a restart, goes on serving.
                if self.state == SourceState::Ready {
                    self.state = SourceState::Stale;
                }
                Taken::Refused
            }
        }
    }

    /// What was read last is still what it says.
    pub fn confirmed(&mut self) {
        if self.state == SourceState::Ready {
            self.fresh = Some(SystemTime::now());
        }
    }

    pub fn status(&self) -> SourceStatus {
        SourceStatus {
            name: format!("file:{}", self.name),
            state: self.state,
            fresh: self.fresh,
            flags: self.good.entries().len(),
        }
    }

    /// For [`super::last_good::merge`].
    pub fn said(&self) -> (&Arc<str>, &LastGood) {
        (&self.name, &self.good)
    }

    /// What the disk had kept, once, for the same.
    pub fn take_found(&mut self) -> (&Arc<str>, LastGood) {
        (&self.name, std::mem::take(&mut self.found))
    }

    /// As those see it who do not own it.
    pub fn file(&self) -> SourceFile {
        let Source::File(path) = &self.source;
        SourceFile { name: self.name.clone(), path: path.clone(), text: self.seen.clone() }
    }

    /// The problems beside which, or for which, the last sight was taken or refused.
    fn document(&mut self, index: usize, flags: &Flags) -> Result<Vec<Problem>, Vec<Problem>> {
        let Source::File(path) = &self.source;
        let key = format!("flags.sources[{index}]");
        let text = self.seen.as_ref().map_err(|why| {
            let found = format!("`{}`: {why}", path.display());
            let serves = if self.good.good() > 0 { "its last good flags serve" } else { "it gives no flags" };
            vec![
                Problem::error(ProblemKind::Source, key.clone(), found)
                    .with_expected(format!("a readable document of flags; until then {serves}")),
            ]
        })?;
        let file = path.to_string_lossy();
        let document = Document::parse(&file, &text.text, Format::of(path), &flags.limits)?;
        let taken = self.good.take(&document, flags.allow_empty);
        let broken = document.flags.into_values().filter_map(Result::err).flatten();
        let problems = document.warnings.into_iter().chain(broken);
        match taken {
            Ok(()) => Ok(problems.collect()),
            Err(would_go) => {
                let found = format!("`{file}` has no usable flag any more; {would_go} would go");
                let refused = Problem::error(ProblemKind::Document, key, found)
                    .with_expected("at least one flag; until then the last good ones serve")
                    .with_fix("if none are meant, set `flags.allow_empty: true`");
                Err(std::iter::once(refused).chain(problems).collect())
            }
        }
    }
}
