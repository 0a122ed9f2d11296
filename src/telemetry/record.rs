//! One line of the access log as JSON.
//!
//! Every text is escaped so that no terminal and no line-reader can be fooled, and cut so that no line is long without
//! end. It holds no header, no query, no address and no attribute value.

use std::time::SystemTime;

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::bounded::cut;
use super::harmless;
use super::{Outcome, access_log::Line};
use crate::context::Refused;
use crate::decide::{Decision, Resolved, Shadowed};
use crate::snapshot::{Plan, Snapshot};

/// Bytes of the texts that a client chooses.
const METHOD_BYTES: usize = 32;
const HOST_BYTES: usize = 255;
const PATH_BYTES: usize = 4096;
const ID_BYTES: usize = 128;
const ERROR_BYTES: usize = 512;

/// Room that most lines fit into.
const USUAL_BYTES: usize = 640;

/// What one line is made of.
pub(super) struct Record<'a> {
    pub(super) time: SystemTime,
    pub(super) line: Line<'a>,
    pub(super) snapshot: &'a Snapshot,
    pub(super) decision: Option<&'a Decision>,
    pub(super) outcome: &'a Outcome,
    /// The keyed hash of the targeting key.
    pub(super) key_hash: Option<u64>,
}

impl Record<'_> {
    /// The line, with its line break.
    pub(super) fn to_line(&self) -> Vec<u8> {
        harmless::line(self, USUAL_BYTES)
    }
}

impl Serialize for Record<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Record { line, snapshot, outcome, .. } = *self;
        let config = &snapshot.config;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("time", &Display(humantime::format_rfc3339_millis(self.time)))?;
        map.serialize_entry("request_id", cut(line.request_id, ID_BYTES))?;
        if let Some(trace) = line.trace_id {
            map.serialize_entry("trace_id", trace)?;
        }
        map.serialize_entry("listener", line.listener)?;
        map.serialize_entry("method", cut(line.method, METHOD_BYTES))?;
        map.serialize_entry("host", cut(line.host, HOST_BYTES))?;
        map.serialize_entry("path", cut(line.path, PATH_BYTES))?;
        map.serialize_entry("status", &outcome.status)?;
        if let Some(status) = outcome.grpc {
            map.serialize_entry("grpc_status", status.name())?;
        }
        if let Some(route) = self.decision.and_then(|decision| decision.route) {
            map.serialize_entry("route", &*config.routes[route.0].name)?;
        }
        let target = self.decision.and_then(|decision| decision.target);
        if let Some(target) = target {
            let service = config.service(target.service);
            map.serialize_entry("service", &*service.name)?;
            if let Some(version) = outcome.version.and_then(|version| service.versions.get(version.0)) {
                map.serialize_entry("version", &*version.name)?;
            }
        }
        let trouble = || target.and_then(|target| target.trouble).map(|trouble| trouble.label());
        if let Some(why) = outcome.fallback.map(|failed| failed.why).or_else(trouble) {
            map.serialize_entry("fallback", why)?;
        }
        if let Some((decision, plan)) = self.planned() {
            if !decision.resolved.is_empty() {
                map.serialize_entry("flags", &Flags { snapshot, plan, resolved: &decision.resolved })?;
            }
            if decision.shadows.iter().any(|shadow| shadow.version.is_some()) {
                map.serialize_entry("shadows", &Shadows { snapshot, plan, decided: &decision.shadows })?;
            }
        }
        map.serialize_entry("revision", snapshot.revision.as_str())?;
        if let Some(hash) = self.key_hash {
            map.serialize_entry("targeting_key", &Display(format_args!("{hash:016x}")))?;
        }
        // A request without a token is no news.
        if let Some(why) =
            self.decision.and_then(|decision| decision.token?.err()).filter(|why| *why != Refused::Absent)
        {
            map.serialize_entry("jwt", why.label())?;
        }
        map.serialize_entry("bytes_in", &outcome.bytes_in)?;
        map.serialize_entry("bytes_out", &outcome.bytes_out)?;
        map.serialize_entry("seconds", &micros(outcome.total))?;
        if outcome.attempts > 0 {
            map.serialize_entry("upstream_seconds", &micros(outcome.upstream))?;
            map.serialize_entry("attempts", &outcome.attempts)?;
        }
        if let Some(error) = &outcome.error {
            map.serialize_entry("error", cut(error, ERROR_BYTES))?;
        }
        map.end()
    }
}

impl Record<'_> {
    /// The decision and its route's plan.
    fn planned(&self) -> Option<(&Decision, &Plan)> {
        let decision = self.decision?;
        Some((decision, self.snapshot.plan(decision.route?)))
    }
}

/// `{"<key>": {"variant": .., "reason": ..}}`
struct Flags<'a> {
    snapshot: &'a Snapshot,
    plan: &'a Plan,
    resolved: &'a [Resolved],
}

impl Serialize for Flags<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (flag, resolved) in self.plan.flags.iter().zip(self.resolved) {
            let named = resolved.flag.zip(resolved.variant);
            let variant =
                named.and_then(|(flag, variant)| self.snapshot.flags.get(flag).variant_name(variant));
            map.serialize_entry(
                &*flag.key,
                &Flag { variant: variant.map(|name| &**name), reason: resolved.reason.label() },
            )?;
        }
        map.end()
    }
}

#[derive(serde::Serialize)]
struct Flag<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    variant: Option<&'a str>,
    reason: &'static str,
}

/// `["<version>"]`: what copies were asked for, sent or not.
struct Shadows<'a> {
    snapshot: &'a Snapshot,
    plan: &'a Plan,
    decided: &'a [Shadowed],
}

impl Serialize for Shadows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let named = self.plan.shadows.iter().zip(self.decided).filter_map(|(shadow, decided)| {
            Some(&*self.snapshot.config.version(shadow.service, decided.version?).name)
        });
        serializer.collect_seq(named)
    }
}

/// Text that is made while it is written.
struct Display<T>(T);

impl<T: std::fmt::Display> Serialize for Display<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// Seconds, to the microsecond.
fn micros(duration: std::time::Duration) -> f64 {
    duration.as_micros() as f64 / 1e6
}
