//! What is shown of endpoints: to operators, to metrics, to the log.

use std::sync::Arc;

use serde::Serialize;

use super::endpoint::Standing;
use super::{Pool, Upstreams};

/// One endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// `10.0.0.1:9001`
    pub address: String,
    /// The configured name; none where it is the address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// As configured.
    pub weight: u32,
    /// A label of `Standing`.
    pub state: &'static str,
    /// What took it out, while it is out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Requests under way.
    pub requests: u32,
}

/// The endpoints of a version, in their order.
pub fn endpoints(pool: &Pool) -> Vec<Shown> {
    let reach = pool.spots();
    let shown = |spot: &super::reach::Spot| {
        let endpoint = &spot.endpoint;
        let standing = pool.standing(endpoint);
        let why = if standing.is_out() { endpoint.why() } else { None };
        Shown {
            address: endpoint.address.to_string(),
            name: Some(&spot.host).filter(|host| **host != endpoint.address.ip().to_string()).cloned(),
            weight: spot.weight,
            state: standing.label(),
            why: why.map(|why| why.to_string()),
            requests: endpoint.live(),
        }
    };
    reach.spots.iter().map(shown).collect()
}

/// How many endpoints stand how: by service, version and label; of each version every label.
pub fn counts(upstreams: &Upstreams) -> impl Iterator<Item = ([&str; 3], usize)> {
    upstreams.pools().flat_map(|pool| {
        let mut counts = [0; Standing::LABELS.len()];
        pool.spots().spots.iter().for_each(|spot| counts[pool.standing(&spot.endpoint).index()] += 1);
        let (service, version) = pool.names_of();
        Standing::LABELS.into_iter().zip(counts).map(move |(state, count)| ([service, version, state], count))
    })
}

/// Tells the log of every endpoint of the pool that is out or back since the last time. That one rests or warms is no news.
pub fn tell(pool: &Arc<Pool>) {
    if !pool.is_traffic() {
        return;
    }
    let (service, version) = pool.names_of();
    for spot in &pool.spots().spots {
        let endpoint = &spot.endpoint;
        let standing = pool.standing(endpoint);
        let news = if standing.is_out() { standing } else { Standing::Serving };
        if !endpoint.is_news(news) {
            continue;
        }
        let (address, state) = (endpoint.address, news.label());
        if news.is_out() {
            let why = endpoint.why().unwrap_or_default();
            tracing::warn!(service, version, %address, state, why = why.as_str(), "an endpoint gets no requests");
        } else {
            tracing::info!(service, version, %address, state, "an endpoint gets requests again");
        }
    }
}
