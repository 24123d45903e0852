//! The bytes of a request, made once for everybody.

use std::net::SocketAddr;

use memchr::memmem;

use crate::requests::{Ask, user_id};

/// The bytes of a request about a user who can be exchanged.
pub(super) struct Request {
    text: Vec<u8>,
    /// Where the user's id stands.
    places: Vec<usize>,
}

impl Request {
    /// The bytes of a request about the user of index 0, if it is about one.
    pub(super) fn of(ask: &Ask, server: SocketAddr) -> Request {
        let text = ask.wire(server);
        let places = memmem::find_iter(&text, &user_id(0)).collect();
        Request { text, places }
    }

    /// Writes it down, about this user; what was there before is gone.
    pub(super) fn write(&self, user: u32, out: &mut Vec<u8>) {
        out.clear();
        out.extend_from_slice(&self.text);
        let id = user_id(user);
        for &place in &self.places {
            out[place..place + id.len()].copy_from_slice(id.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_about_whom_it_is_written_for() {
        let server = SocketAddr::from(([127, 0, 0, 1], 80));
        let mut written = Vec::new();
        Request::of(&Ask::set_presence(0), server).write(7, &mut written);
        let of_seven = Request::of(&Ask::set_presence(7), server);
        assert_eq!(written, of_seven.text);
        assert!(of_seven.places.is_empty());
        let text = String::from_utf8(written).unwrap();
        assert!(text.starts_with("POST /v1.0/users/") && text.contains(&user_id(7)), "{text}");
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}", body.len())), "{head}");
    }
}
