//! How many connections each address has.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use parking_lot::Mutex;

/// The connections that are open, by the address that they come from, so that nobody takes the places of all others.
pub(crate) struct Addresses {
    /// How many one address may have; 0: any number.
    max: usize,
    /// By clients' choice, so with the standard library's hashing, which nobody can foresee.
    open: Arc<Open>,
}

/// A mutex, held for a look-up: it is taken when a connection comes and when it goes.
type Open = Mutex<HashMap<IpAddr, usize>>;

/// One connection of an address, for as long as this lives.
pub(crate) struct Guest {
    address: IpAddr,
    open: Arc<Open>,
}

impl Addresses {
    /// No connections; one address may have `max` of them, any number when that is 0.
    pub(crate) fn new(max: usize) -> Addresses {
        Addresses { max, open: Arc::default() }
    }

    /// One more connection from `address`; `None` when there are as many as there may be.
    pub(crate) fn admit(&self, address: IpAddr) -> Option<Guest> {
        let address = counted_as(address);
        let mut open = self.open.lock();
        let count = open.entry(address).or_insert(0);
        if self.max > 0 && *count >= self.max {
            return None;
        }
        *count += 1;
        Some(Guest { address, open: Arc::clone(&self.open) })
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        if let Entry::Occupied(mut count) = self.open.lock().entry(self.address) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

/// What an address counts as: IPv6 by its first 64 bits, since whoever has one address of a /64 has all of them.
fn counted_as(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_counts_as_itself_and_one_of_ipv6_as_its_network() {
        let table = [
            ("192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::"),
            ("2001:db8:1:3::", "2001:db8:1:3::"),
            ("::1", "::"),
        ];
        for (address, expected) in table {
            assert_eq!(counted_as(address.parse().unwrap()).to_string(), expected, "{address}");
        }
    }

    #[test]
    fn an_address_has_as_many_connections_as_it_may_and_others_do_not_count() {
        let [one, other] = ["192.0.2.1", "192.0.2.2"].map(|address| address.parse().unwrap());
        let addresses = Addresses::new(2);
        let first = addresses.admit(one);
        let second = addresses.admit(one);
        assert!(first.is_some() && second.is_some());
        assert!(addresses.admit(one).is_none());
        assert!(addresses.admit(other).is_some());
        drop(first);
        assert!(addresses.admit(one).is_some(), "one that is gone makes room");
        drop(second);
        assert!(addresses.open.lock().is_empty(), "nothing is kept of those who are gone");
    }

    #[test]
    fn zero_is_no_limit() {
        let addresses = Addresses::new(0);
        let address = "192.0.2.1".parse().unwrap();
        let guests: Vec<_> = (0..100).map_while(|_| addresses.admit(address)).collect();
        assert_eq!(guests.len(), 100);
    }
}
