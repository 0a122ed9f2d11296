//! A record to write in tests.

use super::Record;

/// One that was accepted, at noon, changed as a test likes it.
pub fn record(change: impl FnOnce(&mut Record)) -> Record {
    let mut record = Record {
        seq: 0,
        time: "2026-11-24T12:00:00.000Z".to_owned(),
        action: "kill".to_owned(),
        flag: "a".to_owned(),
        by: "ann".to_owned(),
        role: "operator".to_owned(),
        from: Some("127.0.0.1".to_owned()),
        why: "errors".to_owned(),
        until: None,
        accepted: true,
        status: 200,
        problem: None,
        before: Some(serde_json::json!([])),
        after: Some(serde_json::json!([{"kind": "kill", "variant": "stable"}])),
        overlay: None,
        revision: None,
        etag: None,
        idempotency_key: None,
    };
    change(&mut record);
    record
}
