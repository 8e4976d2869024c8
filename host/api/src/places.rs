//! Places for connections: so many in all, and so many from one address or network, so that one that opens hundreds and says
//! nothing keeps nobody else out.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// Most connections from one address or network at once. This machine, where proxies and tools sit, has no share.
const OF_PEER_MAX: usize = 64;

/// How many each has.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// A place while it is held.
#[derive(Debug)]
pub(crate) struct Place {
    places: Places,
    network: Option<IpAddr>,
}

impl Places {
    /// A place for this peer; `None` when it has too many.
    pub(crate) fn take(&self, peer: IpAddr) -> Option<Place> {
        let network = geminus_access::network(peer);
        if network.is_loopback() || peer.is_loopback() {
            return Some(Place { places: self.clone(), network: None });
        }
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(network).or_default();
        if *count >= OF_PEER_MAX {
            return None;
        }
        *count += 1;
        Some(Place { places: self.clone(), network: Some(network) })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(network) = self.network else { return };
        let mut counts = self.places.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&network) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_network_cannot_take_all_places() {
        let places = Places::default();
        let address = |text: &str| text.parse::<IpAddr>().expect("address");
        let held: Vec<Place> = (0..OF_PEER_MAX)
            .map(|n| places.take(address(&format!("2001:db8::{n:x}"))).expect("a place"))
            .collect();
        assert!(places.take(address("2001:db8::ffff")).is_none(), "its /64 has its share");
        assert!(places.take(address("192.0.2.7")).is_some());
        for here in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            let many: Vec<_> = (0..2 * OF_PEER_MAX).map(|_| places.take(address(here))).collect();
            assert!(many.iter().all(Option::is_some), "{here}");
        }
        drop(held);
        assert!(places.take(address("2001:db8::ffff")).is_some());
        assert!(places.0.lock().expect("counts").is_empty());
    }
}
