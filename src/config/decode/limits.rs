//! Decodes what clients may cost.

use super::scalar::{choice, duration, integer, size};
use super::{Decoder, Item};
use crate::config::limits::{ClientLimits, H2Limits, Underscores};
use crate::config::reference::{Object, Type, default, optional};

pub static CLIENT_LIMITS: Object = Object {
    title: "Limits",
    doc: "What clients may cost. What is beyond is refused, counted in `flagway_refused_total` and told in the access log.",
    keys: &[
        default(
            "head",
            Type::Size { min: 1 << 10, max: 256 << 10 },
            "32KiB",
            "A request's head; 431 beyond.",
        ),
        default("fields", Type::Integer { min: 1, max: 250 }, "100", "Field lines of a head; 431 beyond."),
        default(
            "target",
            Type::Size { min: 64, max: 64 << 10 },
            "8KiB",
            "A request's path and query; 414 beyond.",
        ),
        default(
            "underscores",
            Type::Choice(&["drop", "reject", "allow"]),
            "drop",
            "Fields with `_` in their names, which many servers take for the same name with `-`.",
        ),
        optional(
            "body",
            Type::Size { min: 0, max: 1 << 50 },
            "A request's body; 413 beyond. Any size if absent.",
        ),
        default(
            "buffered_body",
            Type::Size { min: 0, max: 64 << 10 },
            "64KiB",
            "Bodies up to this, with a length, are awaited before an upstream is asked.",
        ),
        default(
            "head_time",
            Type::Duration { zero: false },
            "10s",
            "How long a head may take to come, whatever its pace.",
        ),
        default(
            "handshake_time",
            Type::Duration { zero: false },
            "10s",
            "How long a TLS handshake may take, and a head of the PROXY protocol before it.",
        ),
        default(
            "idle",
            Type::Duration { zero: false },
            "60s",
            "How long a connection may wait for its next request.",
        ),
        default(
            "body_idle",
            Type::Duration { zero: false },
            "30s",
            "The longest pause within a body, and in taking an answer.",
        ),
        default(
            "body_rate",
            Type::Integer { min: 0, max: 1 << 30 },
            "500",
            "Bytes a second that a body has to come with, on the average, after its first ten seconds.",
        ),
        optional(
            "requests",
            Type::Integer { min: 1, max: 1 << 31 },
            "Requests of one connection; any number if absent.",
        ),
        default(
            "connections",
            Type::Integer { min: 1, max: 10_000_000 },
            "50000",
            "Connections of all clients together.",
        ),
        default(
            "connections_per_address",
            Type::Integer { min: 1, max: 10_000_000 },
            "1000",
            "Connections of one address; of IPv6, of one /64.",
        ),
        optional(
            "request_time",
            Type::Duration { zero: false },
            "From a request's head to the end of its answer; streams are answers, tunnels are not. Any time if absent.",
        ),
        default("h2", Type::Object(&H2_LIMITS), "{}", "Connections in HTTP/2."),
    ],
    rules: &[],
    later: &[],
};

pub static H2_LIMITS: Object = Object {
    title: "H2 limits",
    doc: "What a connection in HTTP/2 may cost. Over the last two it is closed by GOAWAY with `ENHANCE_YOUR_CALM`.",
    keys: &[
        default("streams", Type::Integer { min: 1, max: 10_000 }, "100", "Requests at once."),
        default(
            "header_list",
            Type::Size { min: 1 << 10, max: 1 << 20 },
            "64KiB",
            "A request's fields as HTTP/2 counts them, with 32 bytes more for each; 431 beyond.",
        ),
        default(
            "resets",
            Type::Integer { min: 1, max: 1_000_000 },
            "200",
            "Requests given up within 30 seconds, where they are more than half of what is asked.",
        ),
        default(
            "control_frames",
            Type::Integer { min: 100, max: 10_000_000 },
            "2000",
            "Frames within 30 seconds that carry nothing of a request, beside one for each KiB of bodies.",
        ),
    ],
    rules: &[],
    later: &[],
};

pub fn client_limits(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<ClientLimits> {
    let mut fields = decoder.fields(item)?;
    let head_bytes = fields.get("head", decoder, size);
    let count = fields.get("fields", decoder, integer);
    let target_bytes = fields.get("target", decoder, size);
    let underscores = fields.get("underscores", decoder, |item, decoder| {
        let known =
            [("drop", Underscores::Drop), ("reject", Underscores::Reject), ("allow", Underscores::Allow)];
        choice(item, decoder, known)
    });
    let body_bytes = fields.get("body", decoder, size);
    let buffered_body = fields.get("buffered_body", decoder, size);
    let head_time = fields.get("head_time", decoder, duration);
    let handshake_time = fields.get("handshake_time", decoder, duration);
    let idle = fields.get("idle", decoder, duration);
    let body_idle = fields.get("body_idle", decoder, duration);
    let body_rate = fields.get("body_rate", decoder, integer::<i64>);
    let requests = fields.get("requests", decoder, integer);
    let connections = fields.get("connections", decoder, integer);
    let connections_per_address = fields.get("connections_per_address", decoder, integer);
    let request_time = fields.get("request_time", decoder, duration);
    let h2 = fields.get("h2", decoder, h2_limits);
    Some(ClientLimits {
        head_bytes: head_bytes?,
        fields: count?,
        target_bytes: target_bytes?,
        underscores: underscores?,
        body_bytes,
        buffered_body: buffered_body?,
        head_time: head_time?,
        handshake_time: handshake_time?,
        idle: idle?,
        body_idle: body_idle?,
        body_rate: body_rate?.unsigned_abs(),
        requests,
        connections: connections?,
        connections_per_address: connections_per_address?,
        request_time,
        h2: h2?,
    })
}

fn h2_limits(item: &Item<'_>, decoder: &mut Decoder<'_>) -> Option<H2Limits> {
    let mut fields = decoder.fields(item)?;
    let streams = fields.get("streams", decoder, integer);
    let header_list = fields.get("header_list", decoder, size::<u32>);
    let resets = fields.get("resets", decoder, integer::<u32>);
    let control_frames = fields.get("control_frames", decoder, integer::<u32>);
    Some(H2Limits {
        streams: streams?,
        header_list: header_list?,
        resets: resets?.into(),
        control_frames: control_frames?.into(),
    })
}
