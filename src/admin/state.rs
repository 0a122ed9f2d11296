//! What the API's handlers look at. It changes nothing by itself.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::http::StatusCode;

use super::error::Error;
use super::events::Places;
use super::view::FlagDetail;
use crate::config::suggest;
use crate::gateway::live::Published;
use crate::source::hand::Refused;
use crate::source::{Hand, Status};

/// What the handlers look at.
#[derive(Clone)]
pub(super) struct Api {
    pub(super) live: Published,
    pub(super) status: Arc<Status>,
    pub(super) hand: Hand,
    pub(super) places: Places,
    /// When the gateway started.
    pub(super) since: SystemTime,
}

impl Api {
    /// All about one flag, if there is one.
    pub(super) fn flag(&self, key: &str) -> Option<FlagDetail> {
        // First: an ETag that is newer than what is shown with it would let a change be overwritten that nobody saw.
        let etag = self.hand.etag(key);
        let live = self.live.load_full();
        let id = live.snapshot.flags.find(key)?;
        Some(FlagDetail::new(&live, &self.status, &self.hand, etag, id))
    }

    /// That there is no such flag, and which one was perhaps meant.
    pub(super) fn no_flag(&self, key: &str) -> Error {
        let live = self.live.load();
        let known = live.snapshot.flags.iter().map(|(_, flag)| &*flag.key);
        let near = suggest(key, known).map(str::to_owned);
        let refused = Refused::NoFlag { flag: key.into(), near };
        Error::new(StatusCode::NOT_FOUND, refused.to_string())
    }
}

/// Unix seconds; a clock before 1970 is at 1970.
pub(super) fn unix() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
}
