//! Decodes what protects a service from a version that fails.

use super::scalar::{duration, integer, share, word};
use super::{Decoder, Item};
use crate::config::protection::{HoldOut, Retries, VersionLimits};
use crate::config::reference::{Object, Type, default, optional};

/// More live requests than any machine has.
const ANY: Type = Type::Integer { min: 0, max: 10_000_000 };

pub static RETRIES: Object = Object {
    title: "Retries",
    doc: "When a request is sent to another endpoint of its version. What was sent already is repeated only where that is safe.",
    keys: &[
        default(
            "attempts",
            Type::Integer { min: 0, max: 3 },
            "2",
            "Further endpoints of a version that one request may try.",
        ),
        default(
            "budget",
            Type::Share,
            "20%",
            "The share of a version's live requests that may be at another than their first endpoint.",
        ),
        default(
            "min",
            Type::Integer { min: 0, max: 10_000_000 },
            "3",
            "So many may be, however few are live.",
        ),
    ],
    rules: &[],
    later: &[],
};

pub static HOLD_OUT: Object = Object {
    title: "Hold out",
    doc: "When a version is held out: its requests go to the default version at once. The default version itself never is.",
    keys: &[
        default(
            "failures",
            Type::Integer { min: 1, max: 100_000 },
            "10",
            "Failures within `over`, at least.",
        ),
        default("over", Type::Duration { zero: false }, "10s", "How far back failures count."),
        default("share", Type::Share, "50%", "The part of the requests within `over` that failed, at least."),
        default("for", Type::Duration { zero: false }, "5s", "For how long; then one request tries."),
    ],
    rules: &[],
    later: &[],
};

pub static VERSION_LIMITS: Object = Object {
    title: "Version limits",
    doc: "What the requests of a version may hold at once. What is beyond goes to the default version; there, it is answered 503 with `Retry-After`.",
    keys: &[
        optional("requests", ANY, "Live requests; 5000 if absent, of the default version any number."),
        optional(
            "unanswered",
            ANY,
            "Requests that have no answer yet; 1000 if absent, of the default version any number.",
        ),
        optional("pending", ANY, "Connections that are being made; any number if absent."),
        default(
            "waiting_bodies",
            ANY,
            "1000",
            "Connections that wait for the rest of a client's body. Small bodies wait in the gateway and hold none.",
        ),
    ],
    rules: &[],
    later: &[],
};

pub fn retries(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<Retries> {
    let mut fields = decoder.fields(item)?;
    let attempts = fields.get("attempts", decoder, integer);
    let budget = fields.get("budget", decoder, share);
    let min = fields.get("min", decoder, integer);
    Some(Retries { attempts: attempts?, budget: budget?, min: min? })
}

/// None inside: the version is never held out.
pub fn hold_out(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<Option<HoldOut>> {
    let form = item.form();
    if !matches!(form.is, Type::Object(_)) {
        return word(item, decoder, "off", None).then_some(None);
    }
    let mut fields = decoder.fields(&form)?;
    let failures = fields.get("failures", decoder, integer);
    let over = fields.get("over", decoder, duration);
    let share = fields.get("share", decoder, share);
    let rest = fields.get("for", decoder, duration);
    Some(Some(HoldOut { failures: failures?, over: over?, share: share?, rest: rest? }))
}

pub fn version_limits(item: &Item<'_>, decoder: &mut Decoder<'_>, is_default: bool) -> Option<VersionLimits> {
    let usual = VersionLimits::of(is_default);
    let mut fields = decoder.fields(item)?;
    let requests = fields.get("requests", decoder, integer);
    let unanswered = fields.get("unanswered", decoder, integer);
    let pending = fields.get("pending", decoder, integer);
    let waiting_bodies = fields.get("waiting_bodies", decoder, integer);
    Some(VersionLimits {
        requests: requests.or(usual.requests),
        unanswered: unanswered.or(usual.unanswered),
        pending: pending.or(usual.pending),
        waiting_bodies: Some(waiting_bodies?),
    })
}
