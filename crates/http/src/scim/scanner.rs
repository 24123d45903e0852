//! A text that is read from left to right: what filters and paths are made of. Source: RFC 7644 3.4.2.2, figure 1.

/// What of a text has not been read yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scanner<'t> {
    rest: &'t str,
}

impl<'t> Scanner<'t> {
    pub(super) fn new(text: &'t str) -> Scanner<'t> {
        Scanner { rest: text }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// Goes past spaces.
    pub(super) fn spaces(&mut self) {
        self.rest = self.rest.trim_start_matches(' ');
    }

    /// Goes past this character, if it comes next.
    pub(super) fn symbol(&mut self, symbol: char) -> bool {
        match self.rest.strip_prefix(symbol) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// A name with whatever qualifies it, an operator or a number; empty when none comes next.
    pub(super) fn word(&mut self) -> &'t str {
        let in_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '-' | '_' | '$' | '+');
        let end = self.rest.find(|c: char| !in_word(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    /// Goes past this word in any case, if it comes next.
    pub(super) fn keyword(&mut self, keyword: &str) -> bool {
        let before = *self;
        let found = self.word().eq_ignore_ascii_case(keyword);
        if !found {
            *self = before;
        }
        found
    }

    /// A string in double quotes with JSON's escapes; `None` when there is none, or one that does not end.
    pub(super) fn string(&mut self) -> Option<String> {
        let inner = self.rest.strip_prefix('"')?;
        let mut is_escaped = false;
        let end = inner.find(|c: char| {
            let ends = c == '"' && !is_escaped;
            is_escaped = c == '\\' && !is_escaped;
            ends
        })?;
        let (string, rest) = self.rest.split_at(end + 2);
        self.rest = rest;
        serde_json::from_str(string).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_have_the_escapes_of_json() {
        let table = [
            (r#""a b" eq"#, Some("a b"), " eq"),
            (r#""a\"b""#, Some("a\"b"), ""),
            (r#""a\\" x"#, Some("a\\"), " x"),
            (r#""\u00e9""#, Some("é"), ""),
            (r#""""#, Some(""), ""),
        ];
        for (text, string, rest) in table {
            let mut scanner = Scanner::new(text);
            assert_eq!((scanner.string().as_deref(), scanner.rest), (string, rest), "{text}");
        }
        for text in ["", "a", "'a'", "\"a", r#""a\""#, r#""\x""#, "\"\u{1}\""] {
            assert_eq!(Scanner::new(text).string(), None, "{text}");
        }
    }
}
