//! Decodes when an endpoint is ejected for its failures.

use super::scalar::{choice, duration, integer, share};
use super::{Decoder, Item};
use crate::config::reference::{Object, Type, default};
use crate::config::service::Outliers;

pub static OUTLIERS: Object = Object {
    title: "Outliers",
    doc: "Ejects an endpoint that fails requests while the others of its version do better. A failure is: no connection, a connection that ends or says what is no answer before a head, a timeout, and the statuses 502, 503 and 504.",
    keys: &[
        default("consecutive", Type::Integer { min: 1, max: 10_000 }, "5", "Failures in a row."),
        default("failure_rate", Type::Share, "50%", "Or: the share of its requests that fail."),
        default(
            "at_least",
            Type::Integer { min: 1, max: 100_000 },
            "20",
            "Requests within `over` before their share counts.",
        ),
        default("over", Type::Duration { zero: false }, "10s", "The time that the share is of."),
        default(
            "for",
            Type::Duration { zero: false },
            "30s",
            "How long it gets no requests. Each ejection that follows soon lasts twice as long as the one before.",
        ),
        default("longest", Type::Duration { zero: false }, "5m", "The longest ejection."),
        default(
            "at_most",
            Type::Share,
            "50%",
            "Share of the version's endpoints that may be out at once, rounded down: a single endpoint never is.",
        ),
    ],
    rules: &[],
    later: &[],
};

/// None: it is off.
pub fn outliers(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<Option<Outliers>> {
    let form = item.form();
    if !matches!(form.is, Type::Object(_)) {
        return choice(&form, decoder, [("off", ())]).map(|()| None);
    }
    let mut fields = decoder.fields(&form)?;
    let consecutive = fields.get("consecutive", decoder, integer);
    let failure_rate = fields.get("failure_rate", decoder, share);
    let at_least = fields.get("at_least", decoder, integer);
    let over = fields.get("over", decoder, duration);
    let first = fields.get("for", decoder, duration);
    let longest = fields.get("longest", decoder, duration);
    let at_most = fields.get("at_most", decoder, share);
    Some(Some(Outliers {
        consecutive: consecutive?,
        failure_rate: failure_rate?,
        at_least: at_least?,
        over: over?,
        first: first?,
        longest: longest?,
        at_most: at_most?,
    }))
}
