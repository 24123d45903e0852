//! What the expressions of query options have in common: comparisons, joined by words for `and` and `or`.
//!
//! ```text
//! any     = all *( "or" all )
//! all     = primary *( "and" primary )
//! primary = "(" any ")" / comparison
//! ```

use crate::error::Error;

/// How deep parentheses may nest.
const DEPTH_MAX: usize = 32;

/// What comparisons are joined to.
pub(super) trait Joined: Sized {
    /// All of these hold.
    fn all(parts: Vec<Self>) -> Self;

    /// One of these holds at least.
    fn any(parts: Vec<Self>) -> Self;
}

/// What differs between the options that have such expressions.
#[derive(Clone, Copy)]
pub(super) struct Grammar {
    pub(super) and: &'static str,
    pub(super) or: &'static str,
    /// The message about whatever is not in the grammar.
    pub(super) invalid: &'static str,
}

impl Grammar {
    /// That of `$filter`.
    pub(super) const FILTER: Grammar = Grammar { and: "and", or: "or", invalid: "Invalid filter clause" };

    /// E28.
    pub(super) fn invalid(self) -> Error {
        Error::BadQuery(self.invalid.to_owned())
    }
}

/// Reads a comparison.
pub(super) type Comparison<'f, 't, C> = &'f mut dyn FnMut(&mut Reader<'t>) -> Result<C, Error>;

/// The rest of an expression.
pub(super) struct Reader<'t> {
    pub(super) rest: &'t str,
    grammar: Grammar,
}

/// Reads a whole expression; `comparison` reads what stands between the words that join.
///
/// # Errors
///
/// Whatever `comparison` answers; E28 for what is not in the grammar.
pub(super) fn read<'t, C: Joined>(
    text: &'t str,
    grammar: Grammar,
    comparison: Comparison<'_, 't, C>,
) -> Result<C, Error> {
    let mut reader = Reader { rest: text, grammar };
    let read = reader.any(comparison, 0)?;
    if reader.rest.trim().is_empty() { Ok(read) } else { Err(grammar.invalid()) }
}

impl<'t> Reader<'t> {
    fn any<C: Joined>(&mut self, comparison: Comparison<'_, 't, C>, depth: usize) -> Result<C, Error> {
        let mut parts = vec![self.all(comparison, depth)?];
        while self.keyword(self.grammar.or) {
            parts.push(self.all(comparison, depth)?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { C::any(parts) })
    }

    fn all<C: Joined>(&mut self, comparison: Comparison<'_, 't, C>, depth: usize) -> Result<C, Error> {
        let mut parts = vec![self.primary(comparison, depth)?];
        while self.keyword(self.grammar.and) {
            parts.push(self.primary(comparison, depth)?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { C::all(parts) })
    }

    fn primary<C: Joined>(&mut self, comparison: Comparison<'_, 't, C>, depth: usize) -> Result<C, Error> {
        if depth > DEPTH_MAX {
            return Err(self.invalid());
        }
        if !self.symbol('(') {
            return comparison(self);
        }
        let inner = self.any(comparison, depth + 1)?;
        if self.symbol(')') { Ok(inner) } else { Err(self.invalid()) }
    }

    /// E28.
    pub(super) fn invalid(&self) -> Error {
        self.grammar.invalid()
    }

    /// A text in these quotes; `escape` in front of one makes it part of the text.
    pub(super) fn quoted(&mut self, quote: char, escape: char) -> Result<String, Error> {
        let rest = self.rest.trim_start().strip_prefix(quote).ok_or_else(|| self.invalid())?;
        let mut text = String::new();
        let mut chars = rest.char_indices().peekable();
        while let Some((at, character)) = chars.next() {
            let escaped = chars.next_if(|(_, next)| {
                character == escape && (*next == quote || (escape != quote && *next == escape))
            });
            match escaped {
                Some((_, escaped)) => text.push(escaped),
                None if character == quote => {
                    self.rest = &rest[at + quote.len_utf8()..];
                    return Ok(text);
                }
                None => text.push(character),
            }
        }
        Err(self.invalid())
    }

    /// A text as `$filter` has it: in single quotes, of which two stand for one.
    pub(super) fn text(&mut self) -> Result<String, Error> {
        self.quoted('\'', '\'')
    }

    /// What `item` reads, once or several times, in parentheses and with commas in between.
    pub(super) fn list<T>(
        &mut self,
        mut item: impl FnMut(&mut Reader<'t>) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        if !self.symbol('(') {
            return Err(self.invalid());
        }
        let mut items = vec![item(self)?];
        while self.symbol(',') {
            items.push(item(self)?);
        }
        if self.symbol(')') { Ok(items) } else { Err(self.invalid()) }
    }

    /// The letters that come next, perhaps none.
    pub(super) fn word(&mut self) -> &'t str {
        let rest = self.rest.trim_start();
        let end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        self.rest = &rest[end..];
        &rest[..end]
    }

    /// Whether this word comes next; if so it is passed over.
    pub(super) fn keyword(&mut self, keyword: &str) -> bool {
        let before = self.rest;
        let found = self.word() == keyword;
        if !found {
            self.rest = before;
        }
        found
    }

    /// Whether this character comes next; if so it is passed over.
    pub(super) fn symbol(&mut self, symbol: char) -> bool {
        match self.rest.trim_start().strip_prefix(symbol) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }
}
