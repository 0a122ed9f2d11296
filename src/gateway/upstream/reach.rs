//! What a version can reach just now: its addresses, with a ready peer for each. Never changed, only replaced.

use std::net::SocketAddr;
use std::sync::Arc;

use pingora::upstreams::peer::HttpPeer;

use super::balance::Order;
use super::endpoint::Endpoint;

/// The addresses that are known now.
#[derive(Debug, Default)]
pub struct Reach {
    /// For each endpoint, in the order configured.
    pub known: Vec<Vec<SocketAddr>>,
    /// Each address once.
    pub spots: Vec<Spot>,
    /// Of `spots`.
    pub order: Order,
}

/// One address.
#[derive(Debug)]
pub struct Spot {
    /// What is known of it.
    pub endpoint: Arc<Endpoint>,
    /// The configured name or address.
    pub host: String,
    /// As configured.
    pub weight: u32,
    /// Ready to be connected to.
    pub peer: HttpPeer,
}

impl Reach {
    /// `spots` of `known`.
    pub fn new(known: Vec<Vec<SocketAddr>>, spots: Vec<Spot>) -> Reach {
        let names: Vec<String> = spots.iter().map(|spot| spot.endpoint.address.to_string()).collect();
        let weights = spots.iter().map(|spot| spot.weight);
        let order = Order::new(names.iter().map(String::as_str).zip(weights));
        Reach { known, spots, order }
    }

    /// The one of that address.
    pub fn find(&self, address: SocketAddr) -> Option<&Spot> {
        self.spots.iter().find(|spot| spot.endpoint.address == address)
    }
}
