//! The status of a gRPC call: what became of it, whatever HTTP says.

use http::HeaderMap;

use super::Metrics;
use super::bounded::{Bounded, Cell};

/// A status of gRPC, as its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GrpcStatus(u8);

/// By number: its name, and the status of HTTP that says the same.
const STATUSES: [(&str, u16); 17] = [
    ("ok", 200),
    ("cancelled", 499),
    ("unknown", 500),
    ("invalid_argument", 400),
    ("deadline_exceeded", 504),
    ("not_found", 404),
    ("already_exists", 409),
    ("permission_denied", 403),
    ("resource_exhausted", 429),
    ("failed_precondition", 400),
    ("aborted", 409),
    ("out_of_range", 400),
    ("unimplemented", 501),
    ("internal", 500),
    ("unavailable", 503),
    ("data_loss", 500),
    ("unauthenticated", 401),
];

impl GrpcStatus {
    /// What a call has whose server says nothing, or nothing that is known.
    pub const UNKNOWN: GrpcStatus = GrpcStatus(2);

    /// What fields or trailers say; none: nothing.
    pub fn of(fields: &HeaderMap) -> Option<GrpcStatus> {
        let text = fields.get("grpc-status")?.to_str().ok();
        let number = text.and_then(|text| text.parse().ok());
        Some(
            number
                .filter(|number| usize::from(*number) < STATUSES.len())
                .map_or(GrpcStatus::UNKNOWN, GrpcStatus),
        )
    }

    /// In lower case.
    pub fn name(self) -> &'static str {
        STATUSES[usize::from(self.0)].0
    }

    /// The status of HTTP that says the same.
    pub fn as_http(self) -> u16 {
        STATUSES[usize::from(self.0)].1
    }
}

/// The calls of one route and version.
#[derive(Debug)]
pub(super) struct Calls {
    counters: Bounded<4>,
    cells: [Cell; STATUSES.len()],
}

impl Calls {
    pub(super) fn new(metrics: &Metrics, [route, service, version]: [&str; 3]) -> Calls {
        let counters = metrics.calls.clone();
        let cells = STATUSES.map(|(name, _)| Cell::new(&counters, [route, service, version, name]));
        Calls { counters, cells }
    }

    /// None: it was no call.
    pub(super) fn count(&self, status: Option<GrpcStatus>, [route, service, version]: [&str; 3]) {
        let Some(status) = status else { return };
        self.cells[usize::from(status.0)].count(&self.counters, || [route, service, version, status.name()]);
    }
}

/// How many there are.
pub(super) const COUNT: usize = STATUSES.len();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read_and_what_is_none_is_unknown() {
        let of = |text: &str| {
            let fields =
                HeaderMap::from_iter([(http::HeaderName::from_static("grpc-status"), text.parse().unwrap())]);
            GrpcStatus::of(&fields).map(|status| (status.name(), status.as_http()))
        };
        assert_eq!(GrpcStatus::of(&HeaderMap::new()), None);
        assert_eq!(of("0"), Some(("ok", 200)));
        assert_eq!(of("14"), Some(("unavailable", 503)));
        assert_eq!(of("16"), Some(("unauthenticated", 401)));
        for text in ["17", "999", "-1", "", "ok", "\u{e4}"] {
            assert_eq!(of(text), Some(("unknown", 500)), "{text}");
        }
    }
}
