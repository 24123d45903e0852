//! A JSON object that is being written.
//!
//! By hand rather than through a serializer: presences are written up to 650 times in one answer.

use serde_json::Value;

use crate::wire::date_time::{self, Instant100};

/// The name of a member, as it stands in front of the value. Made by [`member!`].
#[derive(Clone, Copy)]
pub(super) struct Member(pub(super) &'static str);

/// A member's name with the comma before and the colon behind it: one literal, which takes a few moves to write.
macro_rules! member {
    ($name:literal) => {
        $crate::wire::object::Member(concat!(",\"", $name, "\":"))
    };
}
pub(super) use member;

/// An object without its end, at the end of a buffer.
pub(super) struct Object<'o> {
    out: &'o mut Vec<u8>,
    start: usize,
}

#[expect(clippy::inline_always, reason = "a name of known length becomes a few moves instead of a call")]
impl Object<'_> {
    #[inline(always)]
    pub(super) fn open(out: &mut Vec<u8>) -> Object<'_> {
        let start = out.len();
        Object { out, start }
    }

    /// The comma before the first member becomes the brace.
    #[inline(always)]
    pub(super) fn close(self) {
        match self.out.get_mut(self.start) {
            Some(comma) => *comma = b'{',
            None => self.out.push(b'{'),
        }
        self.out.push(b'}');
    }

    /// A value that is JSON already.
    #[inline(always)]
    pub(super) fn raw(&mut self, member: Member, value: &'static str) {
        self.name(member);
        self.out.extend_from_slice(value.as_bytes());
    }

    #[inline(always)]
    pub(super) fn null(&mut self, member: Member) {
        self.raw(member, "null");
    }

    /// A string that needs no escapes.
    #[inline(always)]
    pub(super) fn plain(&mut self, member: Member, text: &str) {
        self.name(member);
        self.out.push(b'"');
        self.out.extend_from_slice(text.as_bytes());
        self.out.push(b'"');
    }

    /// A string of ASCII letters and digits, its length known to the compiler.
    #[inline(always)]
    pub(super) fn digits<const N: usize>(&mut self, member: Member, text: [u8; N]) {
        self.name(member);
        self.out.push(b'"');
        self.out.extend_from_slice(&text);
        self.out.push(b'"');
    }

    /// Any string.
    pub(super) fn text(&mut self, member: Member, text: &str) {
        self.pieces(member, &[text]);
    }

    /// Any string, in pieces.
    pub(super) fn pieces(&mut self, member: Member, pieces: &[&str]) {
        self.name(member);
        let start = self.out.len();
        self.out.push(b'"');
        for piece in pieces {
            self.out.extend_from_slice(piece.as_bytes());
        }
        if needs_no_escapes(&self.out[start + 1..]) {
            self.out.push(b'"');
        } else {
            self.out.truncate(start);
            serde_json::to_writer(&mut *self.out, &pieces.concat())
                .expect("a vector takes any number of bytes");
        }
    }

    pub(super) fn text_or_null(&mut self, member: Member, text: Option<&str>) {
        match text {
            Some(text) => self.text(member, text),
            None => self.null(member),
        }
    }

    #[inline(always)]
    pub(super) fn object(&mut self, member: Member) -> Object<'_> {
        self.name(member);
        Object::open(self.out)
    }

    /// Members as they stand in another object. They are handed back, to be changed where they now stand.
    #[inline(always)]
    pub(super) fn members(&mut self, members: &[u8]) -> &mut [u8] {
        let start = self.out.len();
        self.out.extend_from_slice(members);
        &mut self.out[start..]
    }

    /// Any member.
    pub(super) fn value(&mut self, name: &str, value: &Value) {
        self.out.extend_from_slice(format!(",{}:{value}", Value::from(name)).as_bytes());
    }

    pub(super) fn date_time(&mut self, member: Member, at: Instant100) {
        self.name(member);
        self.out.push(b'"');
        date_time::write_utc(at, self.out);
        self.out.push(b'"');
    }

    pub(super) fn local_date_time(&mut self, member: Member, at: Instant100) {
        self.name(member);
        self.out.push(b'"');
        date_time::write_local(at, self.out);
        self.out.push(b'"');
    }

    #[inline(always)]
    fn name(&mut self, member: Member) {
        self.out.extend_from_slice(member.0.as_bytes());
    }
}

/// Whether a text is the same in a JSON string. Looks at every byte rather than stopping early: that is one pass over
/// many at a time.
fn needs_no_escapes(text: &[u8]) -> bool {
    text.iter().fold(true, |so_far, byte| so_far & !matches!(byte, 0..0x20 | b'"' | b'\\'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_json_whether_empty_nested_or_escaped() {
        let mut out = b"[".to_vec();
        Object::open(&mut out).close();
        out.push(b',');
        let mut object = Object::open(&mut out);
        object.object(member!("a")).close();
        let mut inner = object.object(member!("b"));
        inner.null(member!("c"));
        inner.text(member!("d"), "\"\u{1}");
        inner.close();
        object.pieces(member!("e"), &["one", "\\", "two"]);
        object.pieces(member!("f"), &["one", "two"]);
        object.value("\"", &serde_json::json!([1]));
        object.close();
        out.push(b']');
        assert_eq!(
            str::from_utf8(&out).unwrap(),
            r#"[{},{"a":{},"b":{"c":null,"d":"\"\u0001"},"e":"one\\two","f":"onetwo","\"":[1]}]"#
        );
    }
}
