//! URLs that a server in production is to send to.

use std::net::{Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

use crate::world::World;

/// The ports that a server in production sends to.
const PORTS: [u16; 2] = [443, 8443];

/// A notification URL: one that passes means no address that is not everybody's and no other port, as another reader
/// of URLs understands it.
///
/// # Panics
///
/// When a law is broken.
pub fn url(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let world = World::production();
    if !world.allows(text) {
        return;
    }
    let Ok(read) = Url::parse(text) else { return };
    assert_eq!(read.scheme(), "https", "only https passes: {text:?}");
    assert!(read.username().is_empty() && read.password().is_none(), "nobody is named: {text:?}");
    assert_eq!(read.fragment(), None, "there is no fragment: {text:?}");
    let port = read.port_or_known_default();
    assert!(port.is_some_and(|port| PORTS.contains(&port)), "the port is allowed: {text:?}");
    match read.host() {
        Some(Host::Domain(name)) => {
            assert!(
                text.to_ascii_lowercase().contains(name),
                "the name is the one that stands there: {text:?}"
            );
        }
        Some(Host::Ipv4(address)) => assert!(is_public(address), "the address is public: {text:?}"),
        Some(Host::Ipv6(address)) => assert!(is_public_v6(address), "the address is public: {text:?}"),
        None => panic!("a host is named: {text:?}"),
    }
    assert_eq!(world.connects(), 0, "no input makes this program open a connection");
}

/// Whether this is nobody's own address, by the standard library and what that leaves out.
fn is_public(address: Ipv4Addr) -> bool {
    let is_special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_broadcast()
        || address.is_documentation()
        || address.is_multicast()
        || address.is_unspecified();
    let is_shared_or_reserved = matches!(
        address.octets(),
        [0 | 240..=255, ..] | [100, 64..=127, ..] | [192, 0, 0, _] | [198, 18 | 19, ..] | [168, 63, 129, 16]
    );
    !is_special && !is_shared_or_reserved
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(inner) = address.to_ipv4_mapped() {
        return is_public(inner);
    }
    let is_special = address.is_loopback()
        || address.is_unspecified()
        || address.is_multicast()
        || address.is_unique_local()
        || address.is_unicast_link_local();
    // An IPv4 address inside of an IPv6 one, sites' own addresses and documentation.
    let is_disguised_or_reserved = matches!(
        address.segments(),
        [0, 0, 0, 0, 0, 0, ..]
            | [0x64, 0xff9b, ..]
            | [0x2002 | 0xfec0..=0xfeff, ..]
            | [0x2001, 0 | 0xdb8, ..]
    );
    !is_special && !is_disguised_or_reserved
}
