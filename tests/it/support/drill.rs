//! A fault drill: something goes wrong many times, and then everything is as it was before.

use serde_json::Value;

use super::gateway::{Gateway, Setup};
use super::process::Held;
use super::shop::{one_route, opt_in, services};
use super::wait::eventually;
use super::{DEAD, client::Response};

/// A gateway with one version that serves, `stable`.
pub struct Drill {
    pub gateway: Gateway,
    before: Option<Held>,
}

impl Drill {
    /// Before an upstream at `address`; `version` are further keys of the version, each ending in a comma, `more` is all that follows in the file.
    #[track_caller]
    pub fn before(address: impl ToString, version: &str, more: &str) -> Drill {
        let address = address.to_string();
        let services = services(&format!("['{address}']"), &format!("['{DEAD}']"));
        let services = services.replace("stable: {", &format!("stable: {{{version} "));
        let config = services + &one_route("") + more;
        let gateway = Setup::new(&config).flags(serde_json::json!({"v": opt_in()})).start();
        Drill { gateway, before: None }
    }

    /// What is held now is normal.
    #[track_caller]
    pub fn normal(&mut self) {
        self.gateway.metrics();
        self.before = Some(self.gateway.held());
    }

    /// What is held once this is so is normal.
    #[track_caller]
    pub fn normal_after(&mut self, settled: impl Fn(Held) -> bool) {
        eventually("it has settled", || settled(self.gateway.held()));
        self.normal();
    }

    /// One request on a connection of its own; none: the answer was cut.
    #[track_caller]
    pub fn asks(&self, path: &str) -> Option<Response> {
        self.gateway.client().get(path).try_send().ok()
    }

    /// The access log's line of a path; its status and error are these.
    #[track_caller]
    pub fn logged(&self, path: &str, status: u16, error: Option<&str>) -> Value {
        let line = self.gateway.access(path, |line| line["path"] == path);
        assert_eq!((line["status"].as_u64(), line["error"].as_str()), (Some(status.into()), error), "{line}");
        line
    }

    /// Requests of a class of status.
    #[track_caller]
    pub fn counted(&self, class: &str) -> f64 {
        self.gateway.metrics().sum("flagway_requests_total", &[("class", class)])
    }

    /// What is held when all is well.
    pub fn normally(&self) -> Held {
        self.before.expect("what is normal was told")
    }

    /// Memory and open files are what they were.
    #[track_caller]
    pub fn is_over(&self) {
        self.gateway.is_back_at(self.normally());
    }
}
