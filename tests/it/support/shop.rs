//! A service `shop` with two versions, `stable` (the default) and `canary`, each a recording upstream.

use serde_json::{Value, json};

use super::flags::flag;
use super::gateway::{Gateway, Setup};
use super::upstream::Upstream;

pub struct Shop {
    pub stable: Upstream,
    pub canary: Upstream,
}

impl Shop {
    pub fn start() -> Shop {
        Shop { stable: Upstream::start("stable"), canary: Upstream::start("canary") }
    }

    /// The section `services` followed by `rest`.
    pub fn config(&self, rest: &str) -> String {
        let (stable, canary) = (self.stable.address, self.canary.address);
        services(&format!("['{stable}']"), &format!("['{canary}']")) + rest
    }

    /// A gateway before the shop; `rest` is all of its configuration but the services.
    #[track_caller]
    pub fn gateway(&self, rest: &str, flags: Value) -> Gateway {
        self.setup(rest, flags).start()
    }

    pub fn setup(&self, rest: &str, flags: Value) -> Setup {
        Setup::new(&self.config(rest)).flags(flags)
    }
}

/// The section `services` with the endpoints of both versions, as YAML lists.
pub fn services(stable: &str, canary: &str) -> String {
    format!(
        "services:\n  shop:\n    default: stable\n    versions:\n      \
         stable: {{endpoints: {stable}}}\n      canary: {{endpoints: {canary}}}\n"
    )
}

/// One route for everything, whose version the flag `v` names; `more` are further keys, each ending in a comma.
pub fn one_route(more: &str) -> String {
    format!(
        "routes:\n  - {{name: all, match: {{path_prefix: /}}, {more} service: shop, version: {{flag: v}}}}\n"
    )
}

/// The flag of [`one_route`]: `canary` where the header `x-canary` says `always`.
pub fn opt_in() -> Value {
    versions(json!({"if": [{"==": [{"var": "header.x-canary"}, "always"]}, "canary"]}))
}

/// A flag whose variants are the shop's versions.
pub fn versions(targeting: Value) -> Value {
    flag(json!({"stable": "stable", "canary": "canary"}), "stable", targeting)
}
