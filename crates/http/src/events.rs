//! Server-sent events as text. Source: WHATWG HTML 9.2, design 5.4.

use bytes::Bytes;

/// Some events that are sent together.
#[derive(Debug, Default)]
pub(crate) struct Piece(Vec<u8>);

/// The kinds of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// What was told before is void: now follows everything.
    Snapshot,
    /// What a user's presence is now.
    Presence,
    /// A user is gone from what was asked for.
    Removed,
    /// Everything up to here has been told; what follows are changes.
    Current,
    /// The reader may not go on with the token that they came with.
    Expired,
}

impl Piece {
    /// Bytes so far.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Appends an event; `data` writes a JSON text, which has no line breaks.
    pub(crate) fn event(&mut self, event: Event, data: impl FnOnce(&mut Vec<u8>)) {
        let name: &[u8] = match event {
            Event::Snapshot => b"event: snapshot\ndata: ",
            Event::Presence => b"event: presence\ndata: ",
            Event::Removed => b"event: removed\ndata: ",
            Event::Current => b"event: current\ndata: ",
            Event::Expired => b"event: expired\ndata: ",
        };
        self.0.extend_from_slice(name);
        data(&mut self.0);
        self.0.extend_from_slice(b"\n\n");
    }

    /// A comment, which keeps the connection from looking dead.
    pub(crate) fn heartbeat() -> Piece {
        Piece(b":\n\n".to_vec())
    }

    /// Takes back what was appended since there were this many bytes, if `same` is true of it.
    pub(crate) fn take_back_if(&mut self, since: usize, same: impl FnOnce(&[u8]) -> bool) {
        if same(&self.0[since..]) {
            self.0.truncate(since);
        }
    }

    /// Gives the last event this id: a reader that has got it says so when it comes back.
    pub(crate) fn mark(&mut self, id: &str) {
        // Before the empty line that ends it.
        self.0.pop();
        self.0.extend_from_slice(b"id: ");
        self.0.extend_from_slice(id.as_bytes());
        self.0.extend_from_slice(b"\n\n");
    }

    pub(crate) fn into_bytes(self) -> Bytes {
        self.0.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_event_of_a_piece_has_the_id() {
        let mut piece = Piece::default();
        piece.event(Event::Presence, |out| out.extend_from_slice(b"{}"));
        let before = piece.len();
        piece.event(Event::Removed, |out| out.extend_from_slice(b"1"));
        piece.take_back_if(before, |event| event == b"event: removed\ndata: 1\n\n");
        piece.event(Event::Current, |out| out.extend_from_slice(b"{}"));
        piece.mark("x");
        let text = "event: presence\ndata: {}\n\nevent: current\ndata: {}\nid: x\n\n";
        assert_eq!(piece.into_bytes(), text);
        let mut heartbeat = Piece::heartbeat();
        heartbeat.mark("y");
        assert_eq!(heartbeat.into_bytes(), ":\nid: y\n\n");
    }
}
