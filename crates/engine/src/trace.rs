//! Traces: which pieces of work belong together, over the borders of programs. Source: W3C Trace Context.
//!
//! Only what was chosen to be traced has a context at all. Who collects the pieces, and what becomes of them, is the
//! program's business.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

/// The name of a piece of work, and of the trace that it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    trace: [u8; 16],
    span: [u8; 8],
}

impl TraceContext {
    /// The first piece of a trace that has the name of this request, so that who knows the one finds the other.
    pub fn root(request: Uuid) -> TraceContext {
        TraceContext { trace: *request.as_bytes(), span: new_span() }
    }

    /// What the header `traceparent` names, and whether it is to be traced; `None` for what is no such header.
    pub fn parse(traceparent: &str) -> Option<(TraceContext, bool)> {
        let mut parts = traceparent.split('-');
        let [version] = hexadecimal(parts.next()?)?;
        let trace: [u8; 16] = hexadecimal(parts.next()?)?;
        let span: [u8; 8] = hexadecimal(parts.next()?)?;
        let [flags] = hexadecimal(parts.next()?)?;
        // Later versions may say more behind that.
        let is_whole = parts.next().is_none() || version > 0;
        let is_named = trace != [0; 16] && span != [0; 8];
        (version < 0xff && is_whole && is_named).then_some((TraceContext { trace, span }, flags & 1 == 1))
    }

    /// Another piece of the same trace.
    #[must_use]
    pub fn child(self) -> TraceContext {
        TraceContext { trace: self.trace, span: new_span() }
    }

    /// The header `traceparent` for what is asked of others in the course of this piece.
    pub fn traceparent(self) -> String {
        let (trace, span) = (u128::from_be_bytes(self.trace), u64::from_be_bytes(self.span));
        format!("00-{trace:032x}-{span:016x}-01")
    }

    /// The trace's name.
    pub fn trace(self) -> [u8; 16] {
        self.trace
    }

    /// The piece's own name.
    pub fn span(self) -> [u8; 8] {
        self.span
    }
}

/// A name for a piece of work: the random half of a GUID, which is never nothing but zeros.
fn new_span() -> [u8; 8] {
    let [_, _, _, _, _, _, _, _, span @ ..] = *Uuid::new_v4().as_bytes();
    span
}

/// Bytes in lower-case hexadecimal digits; `None` when it is anything else, or too long or too short.
fn hexadecimal<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    if text.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

/// A piece of work that is done.
#[derive(Clone, Debug)]
pub struct Span {
    /// Its name.
    pub context: TraceContext,
    /// The piece that it is a part of; `None` for the first of a trace.
    pub parent: Option<TraceContext>,
    /// Pieces that it is about as well, of whichever trace.
    pub links: Vec<TraceContext>,
    /// What kind of work it was.
    pub name: &'static str,
    /// On which side of which border it was done.
    pub side: Side,
    /// When it was begun.
    pub begun: Instant,
    /// How long it took.
    pub took: Duration,
    /// Whether it came to nothing.
    pub failed: bool,
    /// What else there is to say of it; nothing that names a person.
    pub facts: Vec<(&'static str, Fact)>,
}

/// On which side of which border work was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Somebody else has asked for it.
    Asked,
    /// It stayed within the program.
    Within,
    /// Somebody else was asked.
    Asks,
}

/// A fact about a piece of work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// In words.
    Text(Cow<'static, str>),
    /// In numbers.
    Number(i64),
}

/// Collects pieces of work that are done.
pub trait Spans: Send + Sync {
    /// Takes one more. It must not wait for anything.
    fn done(&self, span: Span);
}

/// A piece of work that is traced, and who is told of its parts.
#[derive(Clone)]
pub struct Traced {
    /// Its name.
    pub context: TraceContext,
    /// Who is told.
    pub spans: Arc<dyn Spans>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_as_it_is_written_and_anything_else_is_none() {
        let context = TraceContext::root(Uuid::new_v4());
        assert_eq!(TraceContext::parse(&context.traceparent()), Some((context, true)));
        let (trace, span) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
        let parse = |text: String| TraceContext::parse(&text).map(|(_, is_sampled)| is_sampled);
        let table = [
            (format!("00-{trace}-{span}-01"), Some(true)),
            (format!("00-{trace}-{span}-00"), Some(false)),
            (format!("00-{trace}-{span}-03"), Some(true)),
            (format!("01-{trace}-{span}-01-what-comes"), Some(true)),
            (format!("00-{trace}-{span}-01-what-comes"), None),
            (format!("ff-{trace}-{span}-01"), None),
            (format!("00-{}-{span}-01", "0".repeat(32)), None),
            (format!("00-{trace}-{}-01", "0".repeat(16)), None),
            (format!("00-{}-{span}-01", trace.to_uppercase()), None),
            (format!("00-{trace}-{span}"), None),
            (format!("00-{trace}-{span}-1"), None),
            (format!("00-{}-{span}-01", "é".repeat(16)), None),
            (String::new(), None),
        ];
        for (text, is_sampled) in table {
            assert_eq!(parse(text.clone()), is_sampled, "{text}");
        }
    }

    #[test]
    fn a_part_is_of_the_same_trace_under_a_name_of_its_own() {
        let whole = TraceContext::root(Uuid::new_v4());
        let part = whole.child();
        assert_eq!(whole.trace(), part.trace());
        assert_ne!(whole.span(), part.span());
    }
}
