//! The lines of a snapshot by its ids, and where those that did not change come from.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use super::line::Line;
use crate::compare::ledger::Subject;
use crate::compare::{Dropped, Ledger};
use crate::config::Config;
use crate::config::route::{Action, Forward, Route};
use crate::config::service::{Service, VersionId};
use crate::config::shadow::{CompareRules, ShadowRule};
use crate::route::RouteId;
use crate::telemetry::{Metrics, ShadowCounters};

/// Every line of a snapshot.
#[derive(Debug, Default)]
pub struct Book {
    /// By route and shadow.
    routes: Vec<Vec<Lines>>,
    /// As they are found again by the next snapshot.
    kept: HashMap<Subject, (CompareRules, Arc<Line>)>,
    /// In the order of routes and shadows.
    all: Vec<Arc<Line>>,
}

/// The lines of one shadow.
#[derive(Debug)]
struct Lines {
    /// By version that serves and version that gets copies; none where they are the same.
    by_pair: Vec<Vec<Option<Arc<Line>>>>,
    /// What is dropped before there is a line, by version that was named; the last one is of none.
    unlined: Vec<ShadowCounters>,
}

impl Book {
    /// The lines of a configuration; those of `before` are taken over if the answers are compared by the same rules.
    pub fn new(config: &Config, metrics: &Metrics, before: Option<&Book>) -> Book {
        let mut book = Book::default();
        for route in &config.routes {
            let lines = match &route.action {
                Action::Forward(forward) => book.route(config, metrics, before, route, forward),
                Action::Redirect(_) | Action::Respond(_) | Action::Ofrep(_) => Vec::new(),
            };
            book.routes.push(lines);
        }
        book
    }

    /// Every line, in the order of routes and shadows.
    pub fn all(&self) -> &[Arc<Line>] {
        &self.all
    }

    /// The line of a route's shadow; none: it would lead from a version to itself.
    pub fn line(
        &self,
        route: RouteId,
        shadow: usize,
        original: VersionId,
        version: VersionId,
    ) -> Option<&Arc<Line>> {
        self.lines(route, shadow)?.by_pair.get(original.0)?.get(version.0)?.as_ref()
    }

    /// Counts a copy that was dropped before it had a line.
    pub fn dropped(&self, route: RouteId, shadow: usize, version: Option<VersionId>, why: Dropped) {
        let Some(Lines { unlined, .. }) = self.lines(route, shadow) else { return };
        let counters = version.and_then(|version| unlined.get(version.0)).or(unlined.last());
        counters.into_iter().for_each(|counters| counters.dropped(why));
    }

    fn lines(&self, route: RouteId, shadow: usize) -> Option<&Lines> {
        self.routes.get(route.0)?.get(shadow)
    }

    fn route(
        &mut self,
        config: &Config,
        metrics: &Metrics,
        before: Option<&Book>,
        route: &Route,
        forward: &Forward,
    ) -> Vec<Lines> {
        let service = config.service(forward.service);
        let lines = |rule: &ShadowRule| {
            let to = config.service(rule.service);
            let counters = |version: &str| metrics.shadow(&route.name, &to.name, version);
            let mut unlined: Vec<_> = to.versions.iter().map(|version| counters(&version.name)).collect();
            let by_pair = named(service).map(|(original, from)| {
                let line = |(version, name): (VersionId, &str)| {
                    if rule.service == forward.service && version == original {
                        return None;
                    }
                    let subject = Subject {
                        route: route.name.to_string(),
                        flag: rule.flag.key.to_string(),
                        original: from.to_owned(),
                        service: to.name.to_string(),
                        version: name.to_owned(),
                    };
                    Some(self.open(subject, rule, config, &unlined[version.0], before))
                };
                named(to).map(line).collect()
            });
            let by_pair = by_pair.collect();
            unlined.push(counters(""));
            Lines { by_pair, unlined }
        };
        forward.shadows.iter().map(lines).collect()
    }

    fn open(
        &mut self,
        subject: Subject,
        rule: &ShadowRule,
        config: &Config,
        counters: &ShadowCounters,
        before: Option<&Book>,
    ) -> Arc<Line> {
        let same =
            |(rules, line): &(CompareRules, Arc<Line>)| (*rules == rule.compare).then(|| Arc::clone(line));
        let line = before.and_then(|before| before.kept.get(&subject).and_then(same)).unwrap_or_else(|| {
            let max_fields = config.shadows.max_fields;
            let ledger = Ledger::new(subject.clone(), &rule.compare, max_fields, SystemTime::now());
            Arc::new(Line::new(ledger, counters.clone()))
        });
        line.limit(rule);
        self.kept.insert(subject, (rule.compare.clone(), Arc::clone(&line)));
        self.all.push(Arc::clone(&line));
        line
    }
}

fn named(service: &Service) -> impl Iterator<Item = (VersionId, &str)> {
    service.versions.iter().enumerate().map(|(index, version)| (VersionId(index), &*version.name))
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{CANARY, STABLE, built};
    use super::*;

    const ROUTE: RouteId = RouteId(0);

    fn book(settings: &[&str], before: Option<&Book>) -> Book {
        Book::new(&built("", settings).config, &Metrics::new(1000), before)
    }

    fn line(book: &Book, shadow: usize) -> &Arc<Line> {
        book.line(ROUTE, shadow, STABLE, CANARY).unwrap()
    }

    #[test]
    fn a_line_leads_from_each_version_to_each_other_one() {
        let book = book(&["timeout: 1s"], None);
        let pairs: Vec<_> = book.all().iter().map(|line| line.ledger().subject()).collect();
        let pairs: Vec<_> = pairs.iter().map(|subject| (&*subject.original, &*subject.version)).collect();
        assert_eq!(pairs, [("stable", "canary"), ("canary", "stable")]);
        assert!(book.line(ROUTE, 0, CANARY, CANARY).is_none());
        assert!(book.line(ROUTE, 1, STABLE, CANARY).is_none());
        assert!(book.line(RouteId(7), 0, STABLE, CANARY).is_none());
    }

    #[test]
    fn a_line_outlives_reloads_until_answers_are_compared_otherwise() {
        let first = book(&["timeout: 1s"], None);
        line(&first, 0).dropped(Dropped::Queue);
        let second = book(&["timeout: 2s, max_in_flight: 7"], Some(&first));
        assert!(Arc::ptr_eq(line(&first, 0), line(&second, 0)));
        let third = book(&["compare: {ignore: [/a]}"], Some(&second));
        assert!(!Arc::ptr_eq(line(&second, 0), line(&third, 0)));
    }

    #[test]
    fn a_lines_limit_is_that_of_the_last_configuration() {
        let first = book(&["max_in_flight: 1"], None);
        let held = line(&first, 0).place();
        assert_eq!(line(&first, 0).refusal(), Some(Dropped::InFlight));
        let second = book(&["max_in_flight: 2"], Some(&first));
        assert_eq!(line(&second, 0).refusal(), None);
        drop(held);
    }
}
