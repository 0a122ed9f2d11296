//! Documents of flags, short to write.

use serde_json::{Value, json};

/// A document in flagd's format.
pub fn flags(flags: Value) -> String {
    serde_json::to_string_pretty(
        &json!({"$schema": "https://flagd.dev/schema/v0/flags.json", "flags": flags}),
    )
    .unwrap()
}

/// An enabled flag. `variants` is an object; `targeting` null: none.
pub fn flag(variants: Value, default: &str, targeting: Value) -> Value {
    let mut flag = json!({"state": "ENABLED", "variants": variants, "defaultVariant": default});
    if !targeting.is_null() {
        flag["targeting"] = targeting;
    }
    flag
}

/// A flag that sends `percent` of the targeting keys to `canary`, everyone else to `stable`.
pub fn split(percent: u32) -> Value {
    let targeting = json!({"fractional": [["canary", percent], ["stable", 100 - percent]]});
    flag(json!({"stable": "stable", "canary": "canary"}), "stable", targeting)
}
