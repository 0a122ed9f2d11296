//! A snapshot's metric handles, by its ids: index arithmetic and atomics, no lookup by name.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::bounded::{Bounded, Cell};
use super::grpc::Calls;
use super::limiter::{Limiter, uptime};
use super::metrics::{CLASSES, FAILURES};
use super::{Attempted, Metrics, Outcome};
use crate::config::Name;
use crate::config::service::VersionId;
use crate::decide::{Decision, Resolved, Trouble};
use crate::flag::{ErrorCode, Flag, FlagId, Limit, Reason, Resolution};
use crate::snapshot::{NamedFlag, Plan, Snapshot};
use prometheus::Histogram;

/// Resolved once a snapshot is published.
#[derive(Debug)]
pub struct Handles {
    requests: Bounded<4>,
    pub(super) evaluations: Bounded<3>,
    pub(super) shadow_evaluations: Bounded<3>,
    limits: Bounded<2>,
    fallbacks: Bounded<3>,
    gateway_seconds: Histogram,
    upstream_seconds: Histogram,
    /// By route id.
    routes: Vec<RouteCells>,
    /// By flag id; made when a client first asks for the flag.
    asked: Vec<OnceLock<FlagCells>>,
    /// Requests that no route matches, or that are refused before.
    unmatched: RouteCells,
}

/// The counters of one route.
#[derive(Debug)]
struct RouteCells {
    name: Name,
    /// Empty when the route answers by itself.
    service: Name,
    /// By version id; the last, without a name, is of requests that no version served.
    versions: Vec<VersionCells>,
    /// As the plan's flags.
    flags: Vec<FlagCells>,
    /// As the plan's shadows.
    shadows: Vec<ShadowCells>,
    /// As [`Trouble::ALL`].
    troubles: Vec<(Cell, Arc<Limiter>)>,
    failure_lines: Arc<Limiter>,
}

#[derive(Debug)]
struct VersionCells {
    name: Name,
    /// As [`CLASSES`].
    requests: [Cell; CLASSES.len()],
    /// As [`FAILURES`].
    failures: [Cell; FAILURES.len()],
    calls: Calls,
}

#[derive(Debug)]
struct FlagCells {
    key: Name,
    /// By variant id; the last, without a name, is of resolutions without a variant. Each as [`Reason::ALL`].
    variants: Vec<(Name, [Cell; Reason::ALL.len()])>,
    /// As [`Limit::ALL`].
    limits: [Cell; Limit::ALL.len()],
}

/// A shadow's flag. Copies are counted by whoever sends them.
#[derive(Debug)]
struct ShadowCells {
    flag: FlagCells,
    trouble_lines: Arc<Limiter>,
}

/// The route of requests that have none.
const NO_ROUTE: &str = "none";

impl Handles {
    /// Resolves the handles of everything that the snapshot's routes can count, and shows its revision as the one that is live.
    pub fn resolve(metrics: &Metrics, snapshot: &Snapshot) -> Handles {
        metrics.set_revision(snapshot.revision.as_str());
        let routes = snapshot.config.routes.iter().zip(&snapshot.plans);
        Handles::of(
            metrics,
            routes.map(|(route, plan)| RouteCells::of(metrics, snapshot, &route.name, plan)).collect(),
            snapshot.flags.iter().map(|_| OnceLock::new()).collect(),
        )
    }

    fn of(metrics: &Metrics, routes: Vec<RouteCells>, asked: Vec<OnceLock<FlagCells>>) -> Handles {
        Handles {
            requests: metrics.requests.clone(),
            evaluations: metrics.evaluations.clone(),
            shadow_evaluations: metrics.shadows.evaluations.clone(),
            limits: metrics.limits.clone(),
            fallbacks: metrics.fallbacks.clone(),
            gateway_seconds: metrics.gateway_seconds.clone(),
            upstream_seconds: metrics.upstream_seconds.clone(),
            routes,
            asked,
            unmatched: RouteCells::new(metrics, NO_ROUTE.into(), "".into(), &[], Vec::new(), Vec::new()),
        }
    }

    /// Counts evaluations and flag trouble of a decision: once a request, when it was decided. Those of shadows count apart: no user is
    /// exposed to what they say.
    pub fn decided(&self, decision: &Decision) {
        let Some(route) = decision.route.and_then(|route| self.routes.get(route.0)) else { return };
        for (flag, resolved) in route.flags.iter().zip(&decision.resolved) {
            flag.count(&self.evaluations, &self.limits, resolved);
        }
        if let Some(trouble) = decision.target.and_then(|target| target.trouble) {
            route.trouble(&self.fallbacks, trouble);
        }
        for (shadow, shadowed) in route.shadows.iter().zip(&decision.shadows) {
            shadow.flag.count(&self.shadow_evaluations, &self.limits, &shadowed.resolved);
            if let Some(trouble) = shadowed.trouble {
                shadow.trouble(&route.name, trouble);
            }
        }
    }

    /// Counts an evaluation that a client asked for; `snapshot` is the one that these are the handles of.
    pub fn evaluated(&self, snapshot: &Snapshot, flag: FlagId, resolution: &Resolution) {
        let Some(cells) = self.asked.get(flag.0 as usize) else { return };
        let cells = cells.get_or_init(|| {
            let flag = snapshot.flags.get(flag);
            FlagCells::of(&self.evaluations, &self.limits, &flag.key, Some(flag))
        });
        cells.count(&self.evaluations, &self.limits, &(*resolution).into());
    }

    /// Counts the outcome: requests, seconds, fallbacks.
    pub fn finished(&self, decision: Option<&Decision>, outcome: &Outcome) {
        let route = decision.and_then(|decision| decision.route).and_then(|route| self.routes.get(route.0));
        let route = route.unwrap_or(&self.unmatched);
        route.request(&self.requests, outcome);
        self.gateway_seconds.observe(seconds(outcome.total.saturating_sub(outcome.upstream)));
        if outcome.version.is_some() {
            self.upstream_seconds.observe(seconds(outcome.upstream));
        }
        if let Some(failed) = &outcome.fallback {
            route.failure(&self.fallbacks, failed);
        }
    }
}

impl RouteCells {
    fn of(metrics: &Metrics, snapshot: &Snapshot, name: &Name, plan: &Plan) -> RouteCells {
        let service = plan.forward.as_ref().map(|forward| snapshot.config.service(forward.service));
        let versions: Vec<Name> = service
            .iter()
            .flat_map(|service| &service.versions)
            .map(|version| version.name.clone())
            .collect();
        let (evaluations, copies) = (&metrics.evaluations, &metrics.shadows.evaluations);
        let cells = |counters, flag| FlagCells::named(counters, &metrics.limits, snapshot, flag);
        let flags = plan.flags.iter().map(|flag| cells(evaluations, flag));
        let shadows = plan.shadows.iter().map(|shadow| ShadowCells {
            flag: cells(copies, &shadow.flag),
            trouble_lines: metrics.limiters.get(&format!("{name} {}", shadow.flag.key), "shadow"),
        });
        let service = service.map_or_else(|| "".into(), |service| service.name.clone());
        RouteCells::new(metrics, name.clone(), service, &versions, flags.collect(), shadows.collect())
    }

    fn new(
        metrics: &Metrics,
        name: Name,
        service: Name,
        versions: &[Name],
        flags: Vec<FlagCells>,
        shadows: Vec<ShadowCells>,
    ) -> RouteCells {
        let nobody: Name = "".into();
        let version = |version: &Name| VersionCells {
            requests: CLASSES.map(|class| Cell::new(&metrics.requests, [&name, &service, version, class])),
            failures: FAILURES.map(|why| Cell::new(&metrics.fallbacks, [&name, version, why])),
            calls: Calls::new(metrics, [&name, &service, version]),
            name: version.clone(),
        };
        let trouble = |trouble: Trouble| {
            let cell = Cell::new(&metrics.fallbacks, [&name, FROM_FLAG, trouble.label()]);
            (cell, metrics.limiters.get(&name, trouble.label()))
        };
        RouteCells {
            versions: versions.iter().chain([&nobody]).map(version).collect(),
            flags,
            shadows,
            troubles: Trouble::ALL.into_iter().map(trouble).collect(),
            failure_lines: metrics.limiters.get(&name, "version"),
            name,
            service,
        }
    }

    fn version(&self, id: Option<VersionId>) -> &VersionCells {
        let nobody = self.versions.len() - 1; // `new` puts one there.
        self.versions[..nobody].get(id.map_or(nobody, |id| id.0)).unwrap_or(&self.versions[nobody])
    }

    fn request(&self, counters: &Bounded<4>, outcome: &Outcome) {
        let version = self.version(outcome.version);
        let class = outcome.class();
        version.calls.count(outcome.grpc, [&self.name, &self.service, &version.name]);
        version.requests[class]
            .count(counters, || [&self.name, &self.service, &version.name, CLASSES[class]]);
    }

    fn trouble(&self, counters: &Bounded<3>, trouble: Trouble) {
        let (cell, lines) = &self.troubles[trouble as usize];
        cell.count(counters, || [&self.name, FROM_FLAG, trouble.label()]);
        if let Some(held_back) = lines.pass(uptime()) {
            let flag = self.flags.first().map_or("", |flag| &*flag.key);
            tracing::warn!(
                route = &*self.name,
                flag,
                why = trouble.label(),
                held_back,
                "flag trouble: the default version serves"
            );
        }
    }

    fn failure(&self, counters: &Bounded<3>, failed: &Attempted) {
        let version = self.version(Some(failed.version));
        let labels = || [&*self.name, &*version.name, failed.why];
        match FAILURES.iter().position(|why| *why == failed.why) {
            Some(why) => version.failures[why].count(counters, labels),
            None => counters.get(labels()).inc(),
        }
        if let Some(held_back) = self.failure_lines.pass(uptime()) {
            tracing::warn!(
                route = &*self.name,
                service = &*self.service,
                version = &*version.name,
                why = failed.why,
                held_back,
                "a version failed: the default version serves"
            );
        }
    }
}

/// The label `from` of a fallback that a flag is to blame for.
const FROM_FLAG: &str = "flag";

impl ShadowCells {
    fn trouble(&self, route: &str, trouble: Trouble) {
        if let Some(held_back) = self.trouble_lines.pass(uptime()) {
            let (flag, why) = (&*self.flag.key, trouble.label());
            tracing::warn!(route, flag, why, held_back, "flag trouble: nothing is copied");
        }
    }
}

impl FlagCells {
    fn named(counters: &Bounded<3>, limits: &Bounded<2>, snapshot: &Snapshot, flag: &NamedFlag) -> FlagCells {
        FlagCells::of(counters, limits, &flag.key, flag.of(&snapshot.flags))
    }

    fn of(counters: &Bounded<3>, limits: &Bounded<2>, key: &Name, flag: Option<&Flag>) -> FlagCells {
        let definition = flag.and_then(|flag| flag.definition.as_ref());
        let variants = definition.iter().flat_map(|definition| &definition.variants);
        let variants = variants.map(|(name, _)| name.clone()).chain(["".into()]).map(|variant| {
            let cells = Reason::ALL.map(|reason| Cell::new(counters, [key, &variant, reason.label()]));
            (variant, cells)
        });
        let limits = Limit::ALL.map(|limit| Cell::new(limits, [key, limit.as_str()]));
        FlagCells { variants: variants.collect(), limits, key: key.clone() }
    }

    fn count(&self, counters: &Bounded<3>, limits: &Bounded<2>, resolved: &Resolved) {
        let none = self.variants.len() - 1; // `of` puts one there.
        let index = resolved.variant.map_or(none, |variant| none.min(variant.0 as usize));
        let (variant, cells) = &self.variants[index];
        let reason = resolved.reason;
        cells[reason as usize].count(counters, || [&self.key, variant, reason.label()]);
        if let Some(limit) = resolved.error.and_then(ErrorCode::limit) {
            self.limits[limit as usize].count(limits, || [&self.key, limit.as_str()]);
        }
    }
}

fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{decided, outcome, samples, snapshot, version};
    use super::*;

    #[test]
    fn requests_are_counted_by_the_version_that_served() {
        let (metrics, snapshot) = (Metrics::new(100), snapshot());
        let handles = Handles::resolve(&metrics, &snapshot);
        let (stable, canary) = (version(&snapshot, "stable"), version(&snapshot, "canary"));
        let shop = decided(&snapshot, "/shop", "canary");
        assert_eq!(shop.target.unwrap().version, VersionId(canary));
        handles.finished(Some(&shop), &outcome(200, Some(canary)));
        handles.finished(Some(&shop), &outcome(204, Some(canary)));
        handles.finished(Some(&shop), &outcome(502, Some(stable)));
        handles.finished(Some(&shop), &outcome(503, None));
        handles.finished(Some(&shop), &outcome(0, Some(stable)));
        handles.finished(Some(&decided(&snapshot, "/hello", "")), &outcome(200, None));
        handles.finished(Some(&decided(&snapshot, "/nowhere", "")), &outcome(404, None));
        handles.finished(None, &outcome(400, None));
        handles.finished(Some(&shop), &outcome(999, Some(77)));
        assert_eq!(
            samples(&metrics, "flagway_requests_total"),
            [
                r#"{class="2xx",route="hello",service="",version=""} 1"#,
                r#"{class="2xx",route="shop",service="shop",version="canary"} 2"#,
                r#"{class="4xx",route="none",service="",version=""} 2"#,
                r#"{class="5xx",route="shop",service="shop",version=""} 1"#,
                r#"{class="5xx",route="shop",service="shop",version="stable"} 1"#,
                r#"{class="none",route="shop",service="shop",version=""} 1"#,
                r#"{class="none",route="shop",service="shop",version="stable"} 1"#,
            ]
        );
    }

    #[test]
    fn the_gateways_own_seconds_are_apart_from_the_upstreams() {
        let (metrics, snapshot) = (Metrics::new(100), snapshot());
        let handles = Handles::resolve(&metrics, &snapshot);
        let (total, upstream) = (Duration::from_millis(750), Duration::from_millis(500));
        handles.finished(None, &Outcome { total, upstream, ..outcome(200, Some(0)) });
        handles.finished(None, &Outcome { total, ..outcome(404, None) });
        assert_eq!(
            samples(&metrics, "flagway_request_seconds_count"),
            [r#"{part="gateway"} 2"#, r#"{part="upstream"} 1"#]
        );
        assert_eq!(
            samples(&metrics, "flagway_request_seconds_sum"),
            [r#"{part="gateway"} 1"#, r#"{part="upstream"} 0.5"#]
        );
    }

    #[test]
    fn evaluations_and_flag_trouble_are_counted_when_decided() {
        let (metrics, snapshot) = (Metrics::new(100), snapshot());
        let handles = Handles::resolve(&metrics, &snapshot);
        assert_eq!(samples(&metrics, "flagway_evaluations_total"), [""; 0], "nothing before the first");
        for (path, variant) in
            [("/shop", "canary"), ("/shop", "canary"), ("/shop", "odd"), ("/typo", ""), ("/no", "")]
        {
            handles.decided(&decided(&snapshot, path, variant));
        }
        assert_eq!(
            samples(&metrics, "flagway_evaluations_total"),
            [
                r#"{flag="absent",reason="error",variant=""} 1"#,
                r#"{flag="price",reason="disabled",variant=""} 3"#,
                r#"{flag="version",reason="targeting_match",variant="canary"} 2"#,
                r#"{flag="version",reason="targeting_match",variant="odd"} 1"#,
            ]
        );
        assert_eq!(
            samples(&metrics, "flagway_fallbacks_total"),
            [
                r#"{from="flag",route="shop",why="unknown_version"} 1"#,
                r#"{from="flag",route="typo",why="missing_flag"} 1"#,
            ]
        );
    }

    #[test]
    fn evaluations_over_a_limit_are_counted_by_the_limit() {
        let (metrics, snapshot) = (Metrics::new(100), snapshot());
        let handles = Handles::resolve(&metrics, &snapshot);
        for limit in [Limit::Steps, Limit::Bytes, Limit::Steps] {
            let mut decision = decided(&snapshot, "/copied", "canary");
            for resolved in [&mut decision.resolved[0], &mut decision.shadows[0].resolved] {
                (resolved.variant, resolved.reason) = (None, Reason::Error);
                resolved.error = Some(ErrorCode::OverLimit(limit));
            }
            handles.decided(&decision);
        }
        assert_eq!(
            samples(&metrics, "flagway_evaluation_limits_total"),
            [
                r#"{flag="copy",limit="bytes"} 1"#,
                r#"{flag="copy",limit="steps"} 2"#,
                r#"{flag="version",limit="bytes"} 1"#,
                r#"{flag="version",limit="steps"} 2"#,
            ]
        );
    }

    #[test]
    fn what_shadows_flags_say_is_counted_apart() {
        let (metrics, snapshot) = (Metrics::new(100), snapshot());
        let handles = Handles::resolve(&metrics, &snapshot);
        for variant in ["canary", "canary", "odd"] {
            handles.decided(&decided(&snapshot, "/copied", variant));
        }
        assert_eq!(
            samples(&metrics, "flagway_shadow_evaluations_total"),
            [
                r#"{flag="absent",reason="error",variant=""} 3"#,
                r#"{flag="copy",reason="targeting_match",variant="canary"} 2"#,
                r#"{flag="copy",reason="targeting_match",variant="odd"} 1"#,
            ]
        );
        assert_eq!(
            samples(&metrics, "flagway_evaluations_total"),
            [
                r#"{flag="version",reason="targeting_match",variant="canary"} 2"#,
                r#"{flag="version",reason="targeting_match",variant="odd"} 1"#,
            ]
        );
        let fallbacks = [r#"{from="flag",route="copied",why="unknown_version"} 1"#];
        assert_eq!(samples(&metrics, "flagway_fallbacks_total"), fallbacks, "a shadow's trouble is none");
    }

    #[test]
    fn a_version_that_failed_is_counted_with_why() {
        let (metrics, snapshot) = (Metrics::new(100), snapshot());
        let canary = VersionId(version(&snapshot, "canary"));
        let shop = decided(&snapshot, "/shop", "canary");
        // The next snapshot's handles go on with the same counters.
        for handles in [Handles::resolve(&metrics, &snapshot), Handles::resolve(&metrics, &snapshot)] {
            for why in ["connect", "something_new"] {
                let fallback = Some(Attempted { version: canary, why });
                handles.finished(Some(&shop), &Outcome { fallback, ..outcome(200, Some(0)) });
            }
        }
        assert_eq!(
            samples(&metrics, "flagway_fallbacks_total"),
            [
                r#"{from="canary",route="shop",why="connect"} 2"#,
                r#"{from="canary",route="shop",why="something_new"} 2"#,
            ]
        );
    }

    #[test]
    fn resolving_shows_the_revision() {
        let (metrics, snapshot) = (Metrics::new(100), snapshot());
        Handles::resolve(&metrics, &snapshot);
        let shown = format!("{{revision=\"{}\"}} 1", snapshot.revision);
        assert_eq!(samples(&metrics, "flagway_snapshot_info"), [shown]);
    }
}
