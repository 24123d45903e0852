//! `$filter` on the collection of presences. Source: presence-api 6.3.
//!
//! ```text
//! or         = and *( "or" and )
//! and        = primary *( "and" primary )
//! primary    = "(" or ")" / comparison
//! comparison = "id" "eq" text / "id" "in" "(" text *( "," text ) ")"
//!            / "availability" "eq" text / "activity" "eq" text
//! text       = "'" *( char / "''" ) "'" / bare        ; bare for ids, in the open profile only
//! ```

use porchlight_presence::{Activity, Availability};

use crate::error::Error;
use crate::settings::Profile;

/// How deep parentheses may nest.
const DEPTH_MAX: usize = 32;

/// What a presence must be to be listed; `I` is how the users of an `id in (…)` are held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Filter<I = Vec<String>> {
    /// Its user is one of these: ids, user principal names or mail addresses as they were sent.
    IdIn(I),
    Availability(Availability),
    Activity(Activity),
    All(Vec<Filter<I>>),
    Any(Vec<Filter<I>>),
}

impl Filter {
    /// # Errors
    ///
    /// E28 for what is not in the grammar, E21 for more than `ids_max` ids.
    pub(crate) fn parse(text: &str, profile: Profile, ids_max: usize) -> Result<Filter, Error> {
        let mut parser = Parser { rest: text, profile, ids_max, ids: 0 };
        let filter = parser.any(0)?;
        if parser.rest.trim().is_empty() { Ok(filter) } else { Err(invalid()) }
    }
}

impl<I> Filter<I> {
    /// The same filter with its users held in another way.
    pub(crate) fn map<J>(&self, with: &impl Fn(&I) -> J) -> Filter<J> {
        let all = |parts: &[Filter<I>]| parts.iter().map(|part| part.map(with)).collect();
        match self {
            Filter::IdIn(ids) => Filter::IdIn(with(ids)),
            Filter::Availability(availability) => Filter::Availability(*availability),
            Filter::Activity(activity) => Filter::Activity(*activity),
            Filter::All(parts) => Filter::All(all(parts)),
            Filter::Any(parts) => Filter::Any(all(parts)),
        }
    }

    /// The only users that can match; `None` when anybody may.
    pub(crate) fn candidates(&self) -> Option<Vec<&I>> {
        match self {
            Filter::IdIn(ids) => Some(vec![ids]),
            Filter::Availability(_) | Filter::Activity(_) => None,
            Filter::All(parts) => parts.iter().find_map(Filter::candidates),
            Filter::Any(parts) => {
                let candidates: Option<Vec<_>> = parts.iter().map(Filter::candidates).collect();
                candidates.map(|candidates| candidates.concat())
            }
        }
    }
}

fn invalid() -> Error {
    Error::BadQuery("Invalid filter clause".to_owned())
}

struct Parser<'t> {
    rest: &'t str,
    profile: Profile,
    ids_max: usize,
    ids: usize,
}

impl<'t> Parser<'t> {
    fn any(&mut self, depth: usize) -> Result<Filter, Error> {
        let mut parts = vec![self.all(depth)?];
        while self.keyword("or") {
            parts.push(self.all(depth)?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Filter::Any(parts) })
    }

    fn all(&mut self, depth: usize) -> Result<Filter, Error> {
        let mut parts = vec![self.primary(depth)?];
        while self.keyword("and") {
            parts.push(self.primary(depth)?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Filter::All(parts) })
    }

    fn primary(&mut self, depth: usize) -> Result<Filter, Error> {
        if depth > DEPTH_MAX {
            return Err(invalid());
        }
        if !self.symbol('(') {
            return self.comparison();
        }
        let inner = self.any(depth + 1)?;
        if self.symbol(')') { Ok(inner) } else { Err(invalid()) }
    }

    fn comparison(&mut self) -> Result<Filter, Error> {
        let member = self.word();
        match member {
            "id" if self.keyword("eq") => Ok(Filter::IdIn(vec![self.id()?])),
            "id" if self.keyword("in") => self.id_list(),
            "availability" if self.keyword("eq") => {
                Availability::from_name(&self.quoted()?).map(Filter::Availability).ok_or_else(invalid)
            }
            "activity" if self.keyword("eq") => {
                Activity::from_name(&self.quoted()?).map(Filter::Activity).ok_or_else(invalid)
            }
            _ => Err(invalid()),
        }
    }

    fn id_list(&mut self) -> Result<Filter, Error> {
        if !self.symbol('(') {
            return Err(invalid());
        }
        let mut ids = vec![self.id()?];
        while self.symbol(',') {
            ids.push(self.id()?);
        }
        if self.symbol(')') { Ok(Filter::IdIn(ids)) } else { Err(invalid()) }
    }

    fn id(&mut self) -> Result<String, Error> {
        self.ids += 1;
        if self.ids > self.ids_max {
            let more = self.rest.matches(',').count();
            return Err(Error::TooManyIds { given: self.ids + more, max: self.ids_max });
        }
        self.rest = self.rest.trim_start();
        if self.rest.starts_with('\'') || self.profile == Profile::Strict {
            return self.quoted();
        }
        let end = self.rest.find([',', ')', ' ']).unwrap_or(self.rest.len());
        let (id, rest) = self.rest.split_at(end);
        self.rest = rest;
        if id.is_empty() { Err(invalid()) } else { Ok(id.to_owned()) }
    }

    fn quoted(&mut self) -> Result<String, Error> {
        let rest = self.rest.trim_start().strip_prefix('\'').ok_or_else(invalid)?;
        let mut from = 0;
        loop {
            let quote = from + rest[from..].find('\'').ok_or_else(invalid)?;
            if !rest[quote + 1..].starts_with('\'') {
                self.rest = &rest[quote + 1..];
                return Ok(rest[..quote].replace("''", "'"));
            }
            from = quote + 2;
        }
    }

    fn word(&mut self) -> &'t str {
        let rest = self.rest.trim_start();
        let end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        self.rest = &rest[end..];
        &rest[..end]
    }

    fn keyword(&mut self, keyword: &str) -> bool {
        let before = self.rest;
        let found = self.word() == keyword;
        if !found {
            self.rest = before;
        }
        found
    }

    fn symbol(&mut self, symbol: char) -> bool {
        match self.rest.trim_start().strip_prefix(symbol) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Filter, Error> {
        Filter::parse(text, Profile::Open, 650)
    }

    #[test]
    fn the_grammar_is_read() {
        let ids = |ids: &[&str]| Filter::IdIn(ids.iter().map(ToString::to_string).collect());
        assert_eq!(parse("id eq 'a'"), Ok(ids(&["a"])));
        assert_eq!(parse("id in ('a', 'b''c',d)"), Ok(ids(&["a", "b'c", "d"])));
        assert_eq!(
            parse("availability eq 'busy' and (activity eq 'InACall' or id eq x)"),
            Ok(Filter::All(vec![
                Filter::Availability(Availability::Busy),
                Filter::Any(vec![Filter::Activity(Activity::InACall), ids(&["x"])]),
            ]))
        );
        let both = parse("id eq a or id in (b,c)").unwrap();
        assert_eq!(both.candidates().map(|ids| ids.into_iter().flatten().count()), Some(3));
        assert_eq!(parse("id eq a or activity eq 'Busy'").unwrap().candidates(), None);
    }

    #[test]
    fn everything_else_is_an_invalid_clause() {
        let deep = format!("{}id eq 'a'{}", "(".repeat(10_000), ")".repeat(10_000));
        let bad = [
            "",
            "id",
            "id eq",
            "id eq 'a",
            "id in ()",
            "id in ('a'",
            "id ne 'a'",
            "name eq 'a'",
            "id eq 'a' and",
            "id eq 'a' x",
        ];
        for text in bad.into_iter().chain([deep.as_str(), "availability eq 'Nope'", "availability eq Busy"]) {
            assert_eq!(parse(text), Err(invalid()), "{}", &text[..text.len().min(40)]);
        }
        assert!(Filter::parse("id in (a)", Profile::Strict, 650).is_err(), "strict wants quotes");
        assert_eq!(
            Filter::parse("id in (a,b,c)", Profile::Open, 2),
            Err(Error::TooManyIds { given: 3, max: 2 })
        );
    }
}
