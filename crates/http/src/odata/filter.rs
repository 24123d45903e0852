//! `$filter` on the collection of presences. Source: presence-api 6.3.
//!
//! ```text
//! comparison = "id" "eq" text / "id" "in" "(" text *( "," text ) ")"
//!            / "availability" "eq" text / "activity" "eq" text
//! text       = "'" *( char / "''" ) "'" / bare        ; bare for ids, in the open profile only
//! ```

use porchlight_presence::{Activity, Availability};

use super::people_filter;
use super::reader::{self, Grammar, Joined, Reader};
use crate::error::Error;
use crate::settings::Profile;

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
    /// E28 for what is not in the grammar or has more comparisons with states than people have with members, E21 for
    /// more than `ids_max` ids.
    pub(crate) fn parse(text: &str, profile: Profile, ids_max: usize) -> Result<Filter, Error> {
        let mut comparisons = Comparisons { profile, ids_max, ids: 0, states: 0 };
        reader::read(text, Grammar::FILTER, &mut |reader| comparisons.read(reader))
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

impl Joined for Filter {
    fn all(parts: Vec<Filter>) -> Filter {
        Filter::All(parts)
    }

    fn any(parts: Vec<Filter>) -> Filter {
        Filter::Any(parts)
    }
}

/// Reads comparisons, and counts what is in them.
struct Comparisons {
    profile: Profile,
    ids_max: usize,
    ids: usize,
    /// Comparisons with an availability or an activity.
    states: usize,
}

impl Comparisons {
    fn read(&mut self, reader: &mut Reader<'_>) -> Result<Filter, Error> {
        match reader.word() {
            "id" if reader.keyword("eq") => Ok(Filter::IdIn(vec![self.id(reader)?])),
            "id" if reader.keyword("in") => reader.list(|reader| self.id(reader)).map(Filter::IdIn),
            "availability" if reader.keyword("eq") => {
                people_filter::count(&mut self.states)?;
                let availability = Availability::from_name(&reader.text()?);
                availability.map(Filter::Availability).ok_or_else(|| reader.invalid())
            }
            "activity" if reader.keyword("eq") => {
                people_filter::count(&mut self.states)?;
                let activity = Activity::from_name(&reader.text()?);
                activity.map(Filter::Activity).ok_or_else(|| reader.invalid())
            }
            _ => Err(reader.invalid()),
        }
    }

    fn id(&mut self, reader: &mut Reader<'_>) -> Result<String, Error> {
        self.ids += 1;
        if self.ids > self.ids_max {
            let more = reader.rest.matches(',').count();
            return Err(Error::TooManyIds { given: self.ids + more, max: self.ids_max });
        }
        reader.rest = reader.rest.trim_start();
        if reader.rest.starts_with('\'') || self.profile == Profile::Strict {
            return reader.text();
        }
        let end = reader.rest.find([',', ')', ' ']).unwrap_or(reader.rest.len());
        let (id, rest) = reader.rest.split_at(end);
        reader.rest = rest;
        if id.is_empty() { Err(reader.invalid()) } else { Ok(id.to_owned()) }
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
    fn a_filter_has_a_hundred_comparisons_with_states_at_most() {
        let filter = |count| vec!["availability eq 'Busy' or activity eq 'Away'"; count].join(" or ");
        assert!(parse(&filter(50)).is_ok());
        let refused = Err(Error::BadQuery("An expression can have at most 100 comparisons.".to_owned()));
        assert_eq!(parse(&filter(51)), refused);
        assert_eq!(
            parse(&vec!["id eq a"; 650].join(" or ")).map(drop),
            Ok(()),
            "ids have a limit of their own"
        );
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
            assert_eq!(parse(text), Err(Grammar::FILTER.invalid()), "{}", &text[..text.len().min(40)]);
        }
        assert!(Filter::parse("id in (a)", Profile::Strict, 650).is_err(), "strict wants quotes");
        assert_eq!(
            Filter::parse("id in (a,b,c)", Profile::Open, 2),
            Err(Error::TooManyIds { given: 3, max: 2 })
        );
    }
}
