//! Server-sent events, read from pieces of a body as they come. Source: WHATWG HTML 9.2.6.

/// The longest event that is read, in bytes; a presence has some thousand.
const EVENT_BYTES_MAX: usize = 1024 * 1024;

/// An event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// `message` when the stream gives none.
    pub(crate) name: String,
    pub(crate) data: String,
}

/// Takes pieces, and gives events.
#[derive(Debug, Default)]
pub(super) struct Parser {
    /// What has come of a line that has not ended.
    rest: Vec<u8>,
    /// Whether a line feed that comes first belongs to the carriage return before it.
    after_return: bool,
    name: String,
    data: Option<String>,
    /// The id of the event that is being read.
    own_id: Option<String>,
    /// The id of the newest event that has ended and had one.
    last_id: Option<String>,
}

/// An event is longer than any that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLong;

impl Parser {
    /// The id of the newest event that had one: where to go on from.
    pub(super) fn last_id(&self) -> Option<&str> {
        self.last_id.as_deref()
    }

    /// Forgets what has come of an event that will not come to its end; the stream begins anew, behind the last id.
    pub(super) fn restart(&mut self) {
        *self = Parser { last_id: self.last_id.take(), ..Parser::default() };
    }

    /// Takes a piece of the body, and puts the events that end in it into `events`.
    ///
    /// # Errors
    ///
    /// When what has no end yet becomes too long. What has ended before counts all the same: it does not come again.
    pub(super) fn take(&mut self, piece: &[u8], events: &mut Vec<Event>) -> Result<(), TooLong> {
        for &byte in piece {
            let continues = std::mem::replace(&mut self.after_return, byte == b'\r');
            match byte {
                b'\n' if continues => {}
                b'\n' | b'\r' => {
                    let line = std::mem::take(&mut self.rest);
                    events.extend(self.line(&String::from_utf8_lossy(&line)));
                }
                _ => self.rest.push(byte),
            }
        }
        let length = self.rest.len() + self.data.as_ref().map_or(0, String::len);
        if length > EVENT_BYTES_MAX { Err(TooLong) } else { Ok(()) }
    }

    /// Takes a line, and gives the event that ends with it.
    fn line(&mut self, line: &str) -> Option<Event> {
        if line.is_empty() {
            // Not before the event has ended: one that is cut off is told again.
            self.last_id = self.own_id.take().or(self.last_id.take());
            let name = std::mem::take(&mut self.name);
            let name = if name.is_empty() { "message".to_owned() } else { name };
            return self.data.take().map(|data| Event { name, data });
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.name),
            "id" if !value.contains('\0') => self.own_id = Some(value.to_owned()),
            "data" => match &mut self.data {
                None => self.data = Some(value.to_owned()),
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
            },
            // A comment, or what nobody knows.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(name: &str, data: &str) -> Event {
        Event { name: name.to_owned(), data: data.to_owned() }
    }

    #[test]
    fn events_are_the_same_wherever_the_pieces_are_cut() {
        let text = "event: snapshot\ndata: {}\n\n:\n\nevent: presence\r\ndata: {\"id\":\"ä\"}\r\n\r\n\
                    event: current\rdata: {}\rid: x\r\rdata:a\ndata\ndata: b\n\n";
        let expected = [
            event("snapshot", "{}"),
            event("presence", "{\"id\":\"ä\"}"),
            event("current", "{}"),
            event("message", "a\n\nb"),
        ];
        for size in [1, 2, 3, 7, text.len()] {
            let mut parser = Parser::default();
            let mut events = Vec::new();
            for piece in text.as_bytes().chunks(size) {
                parser.take(piece, &mut events).unwrap();
            }
            assert_eq!(events, expected, "{size}");
            assert_eq!(parser.last_id(), Some("x"));
        }
    }

    #[test]
    fn what_was_cut_off_is_forgotten_but_not_where_to_go_on_from() {
        let (mut parser, mut events) = (Parser::default(), Vec::new());
        parser.take(b"id: 7\ndata: 1\n\ndata: 2\nid: 8\nda", &mut events).unwrap();
        parser.restart();
        parser.take(b"data: 3\n\n", &mut events).unwrap();
        assert_eq!(events, [event("message", "1"), event("message", "3")]);
        assert_eq!(parser.last_id(), Some("7"));
    }

    #[test]
    fn an_event_without_an_end_is_not_read_for_ever() {
        let (mut parser, mut events) = (Parser::default(), Vec::new());
        let piece = vec![b'x'; 64 * 1024];
        let taken = (0..17).map(|_| parser.take(&piece, &mut events)).find(Result::is_err);
        assert_eq!(taken, Some(Err(TooLong)));
        let mut parser = Parser::default();
        let line = format!("data: {}\n", "x".repeat(64 * 1024));
        assert!((0..17).any(|_| parser.take(line.as_bytes(), &mut events).is_err()));
        assert_eq!(events, []);
    }

    #[test]
    fn what_ends_before_an_event_that_is_too_long_is_told() {
        let (mut parser, mut events) = (Parser::default(), Vec::new());
        let piece = format!("id: 7\ndata: 1\n\ndata: {}", "x".repeat(EVENT_BYTES_MAX + 1));
        assert_eq!(parser.take(piece.as_bytes(), &mut events), Err(TooLong));
        assert_eq!((events.as_slice(), parser.last_id()), (&[event("message", "1")][..], Some("7")));
    }
}
