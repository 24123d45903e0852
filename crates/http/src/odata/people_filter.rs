//! `$filter` and `$search` on people.
//!
//! ```text
//! comparison = member "eq" text / member "in" "(" text *( "," text ) ")"
//!            / "startswith" "(" member "," text ")" / "accountEnabled" "eq" ( "true" / "false" )
//! clause     = '"' member ":" words '"'         ; of $search, joined by AND and OR
//! ```
//!
//! Texts are compared without ASCII case. A clause of a search holds when each of its words begins some word of the
//! member. Source: Graph, "Use the $search query parameter", directory object collections.

use std::borrow::Cow;

use porchlight_engine::{Directory, Person};
use porchlight_presence::UserId;
use uuid::Uuid;

use super::reader::{self, Grammar, Joined, Reader};
use crate::error::Error;

/// The grammar of `$search`.
const SEARCH: Grammar = Grammar { and: "AND", or: "OR", invalid: "Invalid search clause" };

/// What a person must be to be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PeopleFilter {
    /// The member is one of these texts.
    Is(Member, Vec<String>),
    /// The member begins with this text.
    StartsWith(Member, String),
    /// Each of these words, in lower case, begins some word of the member.
    HasWords(Member, Vec<String>),
    /// Whether the account is enabled.
    Enabled(bool),
    All(Vec<PeopleFilter>),
    Any(Vec<PeopleFilter>),
}

/// A member of a person that is compared as a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Member {
    Id,
    UserPrincipalName,
    DisplayName,
    Mail,
    GivenName,
    Surname,
    JobTitle,
    Department,
}

impl Member {
    const ALL: [(&str, Member); 8] = [
        ("id", Member::Id),
        ("userPrincipalName", Member::UserPrincipalName),
        ("displayName", Member::DisplayName),
        ("mail", Member::Mail),
        ("givenName", Member::GivenName),
        ("surname", Member::Surname),
        ("jobTitle", Member::JobTitle),
        ("department", Member::Department),
    ];

    fn named(name: &str) -> Option<Member> {
        Member::ALL.into_iter().find(|(known, _)| *known == name).map(|(_, member)| member)
    }

    fn of(self, person: &Person) -> Option<Cow<'_, str>> {
        match self {
            Member::Id => Some(person.id.to_string().into()),
            Member::UserPrincipalName => Some(person.user_principal_name.as_str().into()),
            Member::DisplayName => Some(person.display_name.as_str().into()),
            Member::Mail => person.mail.as_deref().map(Cow::from),
            Member::GivenName => person.given_name.as_deref().map(Cow::from),
            Member::Surname => person.surname.as_deref().map(Cow::from),
            Member::JobTitle => person.job_title.as_deref().map(Cow::from),
            Member::Department => person.department.as_deref().map(Cow::from),
        }
    }
}

impl Joined for PeopleFilter {
    fn all(parts: Vec<PeopleFilter>) -> PeopleFilter {
        PeopleFilter::All(parts)
    }

    fn any(parts: Vec<PeopleFilter>) -> PeopleFilter {
        PeopleFilter::Any(parts)
    }
}

/// Comparisons of one expression, here and with states of presences: each of them is made with everybody.
pub(crate) const COMPARISONS_MAX: usize = 100;

/// One more comparison.
///
/// # Errors
///
/// E28 when there are more than there may be.
pub(super) fn count(comparisons: &mut usize) -> Result<(), Error> {
    *comparisons += 1;
    if *comparisons <= COMPARISONS_MAX {
        Ok(())
    } else {
        Err(Error::BadQuery(format!("An expression can have at most {COMPARISONS_MAX} comparisons.")))
    }
}

impl PeopleFilter {
    /// Reads a `$filter`.
    ///
    /// # Errors
    ///
    /// E28 for what is not in the grammar, E21 for more than `texts_max` texts in lists.
    pub(crate) fn parse(text: &str, texts_max: usize) -> Result<PeopleFilter, Error> {
        let (mut texts, mut comparisons) = (0, 0);
        reader::read(text, Grammar::FILTER, &mut |reader| {
            count(&mut comparisons)?;
            comparison(reader, &mut texts, texts_max)
        })
    }

    /// Reads a `$search`.
    ///
    /// # Errors
    ///
    /// E28 for what is not in the grammar.
    pub(crate) fn parse_search(text: &str) -> Result<PeopleFilter, Error> {
        let mut comparisons = 0;
        reader::read(text, SEARCH, &mut |reader| {
            count(&mut comparisons)?;
            clause(reader)
        })
    }

    /// Whether it holds for a person.
    pub(crate) fn holds(&self, person: &Person) -> bool {
        match self {
            PeopleFilter::Is(member, texts) => member
                .of(person)
                .is_some_and(|value| texts.iter().any(|text| value.eq_ignore_ascii_case(text))),
            PeopleFilter::StartsWith(member, start) => member.of(person).is_some_and(|value| {
                value.get(..start.len()).is_some_and(|begun| begun.eq_ignore_ascii_case(start))
            }),
            PeopleFilter::HasWords(member, words) => member.of(person).is_some_and(|value| {
                let value = value.to_lowercase();
                words.iter().all(|word| words_of(&value).any(|other| other.starts_with(word)))
            }),
            PeopleFilter::Enabled(enabled) => person.account_enabled == *enabled,
            PeopleFilter::All(parts) => parts.iter().all(|part| part.holds(person)),
            PeopleFilter::Any(parts) => parts.iter().any(|part| part.holds(person)),
        }
    }

    /// The only people who can match, as far as the directory finds them without a search; `None` when anybody may.
    pub(crate) fn candidates(&self, directory: &Directory) -> Option<Vec<UserId>> {
        match self {
            PeopleFilter::Is(member, texts) => {
                let texts = texts.iter();
                match member {
                    Member::Id => Some(texts.filter_map(|id| Uuid::try_parse(id).ok()).map(UserId).collect()),
                    Member::UserPrincipalName => {
                        Some(texts.filter_map(|name| directory.named(name)).collect())
                    }
                    Member::Mail => Some(texts.flat_map(|mail| directory.with_mail(mail)).collect()),
                    Member::DisplayName
                    | Member::GivenName
                    | Member::Surname
                    | Member::JobTitle
                    | Member::Department => None,
                }
            }
            PeopleFilter::StartsWith(..) | PeopleFilter::HasWords(..) | PeopleFilter::Enabled(_) => None,
            PeopleFilter::All(parts) => parts.iter().find_map(|part| part.candidates(directory)),
            PeopleFilter::Any(parts) => {
                let candidates: Option<Vec<_>> =
                    parts.iter().map(|part| part.candidates(directory)).collect();
                candidates.map(|candidates| candidates.concat())
            }
        }
    }
}

/// A comparison of a `$filter`.
fn comparison(reader: &mut Reader<'_>, texts: &mut usize, texts_max: usize) -> Result<PeopleFilter, Error> {
    let name = reader.word();
    if name == "startswith" {
        if !reader.symbol('(') {
            return Err(reader.invalid());
        }
        let member = member(reader)?;
        if !reader.symbol(',') {
            return Err(reader.invalid());
        }
        let start = reader.text()?;
        return if reader.symbol(')') {
            Ok(PeopleFilter::StartsWith(member, start))
        } else {
            Err(reader.invalid())
        };
    }
    if name == "accountEnabled" && reader.keyword("eq") {
        return match reader.word() {
            "true" => Ok(PeopleFilter::Enabled(true)),
            "false" => Ok(PeopleFilter::Enabled(false)),
            _ => Err(reader.invalid()),
        };
    }
    let member = Member::named(name).ok_or_else(|| reader.invalid())?;
    if reader.keyword("eq") {
        Ok(PeopleFilter::Is(member, vec![text(reader, texts, texts_max)?]))
    } else if reader.keyword("in") {
        reader.list(|reader| text(reader, texts, texts_max)).map(|texts| PeopleFilter::Is(member, texts))
    } else {
        Err(reader.invalid())
    }
}

/// A text to compare with, which counts.
fn text(reader: &mut Reader<'_>, texts: &mut usize, texts_max: usize) -> Result<String, Error> {
    *texts += 1;
    if *texts > texts_max {
        let more = reader.rest.matches(',').count();
        return Err(Error::TooManyIds { given: *texts + more, max: texts_max });
    }
    reader.text()
}

fn member(reader: &mut Reader<'_>) -> Result<Member, Error> {
    Member::named(reader.word()).ok_or_else(|| reader.invalid())
}

/// A clause of a `$search`.
fn clause(reader: &mut Reader<'_>) -> Result<PeopleFilter, Error> {
    let clause = reader.quoted('"', '\\')?;
    let (name, text) = clause.split_once(':').ok_or_else(|| reader.invalid())?;
    let member = Member::named(name.trim()).ok_or_else(|| reader.invalid())?;
    let text = text.to_lowercase();
    let words: Vec<String> = words_of(&text).map(str::to_owned).collect();
    if words.is_empty() { Err(reader.invalid()) } else { Ok(PeopleFilter::HasWords(member, words)) }
}

/// The runs of letters and digits in a text.
fn words_of(text: &str) -> impl Iterator<Item = &str> {
    text.split(|character: char| !character.is_alphanumeric()).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ada() -> Person {
        let id = UserId(Uuid::from_u128(0xada));
        Person {
            display_name: "Ada Lovelace-Byron".to_owned(),
            mail: Some("ada.lovelace@x.example".to_owned()),
            given_name: Some("Ada".to_owned()),
            surname: Some("O'Élan".to_owned()),
            ..Person::new(id, "ada@x.example")
        }
    }

    fn holds(text: &str) -> bool {
        PeopleFilter::parse(text, 4).unwrap_or_else(|error| panic!("{text}: {error:?}")).holds(&ada())
    }

    fn finds(text: &str) -> bool {
        PeopleFilter::parse_search(text).unwrap_or_else(|error| panic!("{text}: {error:?}")).holds(&ada())
    }

    #[test]
    fn a_filter_holds_for_whom_it_says() {
        let table = [
            ("userPrincipalName eq 'ADA@x.example'", true),
            ("userPrincipalName eq 'ada'", false),
            ("mail in ('nobody@x.example', 'Ada.Lovelace@x.example')", true),
            ("id eq '00000000-0000-0000-0000-000000000ADA'", true),
            ("id eq 'ada'", false),
            ("surname eq 'o''Élan'", true),
            ("jobTitle eq ''", false),
            ("startswith(displayName,'ada l')", true),
            ("startswith( displayName , 'Lovelace' )", false),
            ("startswith(surname,'O''É')", true),
            ("startswith(department,'')", false),
            ("startswith(givenName,'Ada Lovelace')", false),
            ("accountEnabled eq true", true),
            ("accountEnabled eq false", false),
            ("startswith(mail,'b') or givenName eq 'ada' and accountEnabled eq true", true),
            ("(startswith(mail,'b') or givenName eq 'ada') and accountEnabled eq false", false),
        ];
        for (text, expected) in table {
            assert_eq!(holds(text), expected, "{text}");
        }
    }

    #[test]
    fn a_search_finds_words_by_how_they_begin() {
        let table = [
            (r#""displayName:lov""#, true),
            (r#""displayName:byron ada""#, true),
            (r#""displayName:ada-l""#, true),
            (r#""displayName:ovelace""#, false),
            (r#""displayName:ada x""#, false),
            (r#""mail:lovelace""#, true),
            (r#""surname:éla""#, true),
            (r#""surname:o\"ÉL""#, true),
            (r#""jobTitle:ada""#, false),
            (r#""displayName:x" OR "mail:ada""#, true),
            (r#""displayName:ada" AND "mail:q""#, false),
            (r#"("displayName:x" OR "mail:ada") AND "givenName:ad""#, true),
        ];
        for (text, expected) in table {
            assert_eq!(finds(text), expected, "{text}");
        }
    }

    #[test]
    fn an_expression_has_a_hundred_comparisons_at_most() {
        let filter = |count| vec!["startswith(mail,'x')"; count].join(" or ");
        let search = |count| vec![r#""mail:x""#; count].join(" OR ");
        assert!(
            PeopleFilter::parse(&filter(100), 650).is_ok()
                && PeopleFilter::parse_search(&search(100)).is_ok()
        );
        let refused = Err(Error::BadQuery("An expression can have at most 100 comparisons.".to_owned()));
        assert_eq!(PeopleFilter::parse(&filter(101), 650).map(drop), refused);
        assert_eq!(PeopleFilter::parse_search(&search(101)).map(drop), refused);
    }

    #[test]
    fn everything_else_is_an_invalid_clause() {
        let bad = [
            "",
            "displayName",
            "displayName eq",
            "displayName eq Ada",
            "displayName ne 'Ada'",
            "displayname eq 'Ada'",
            "startswith(displayName)",
            "startswith(displayName,'a'",
            "startswith(accountEnabled,'t')",
            "accountEnabled eq 'true'",
            "accountEnabled eq maybe",
            "endswith(mail,'x')",
            "mail in ()",
            "mail eq 'a' AND mail eq 'b'",
        ];
        for text in bad {
            let refused = Err(Error::BadQuery("Invalid filter clause".to_owned()));
            assert_eq!(PeopleFilter::parse(text, 4), refused, "{text}");
        }
        for text in
            ["", "ada", r#""ada""#, r#""displayName:""#, r#""displayName:-""#, r#""nope:a""#, r#""mail:a"#]
        {
            let refused = Err(Error::BadQuery("Invalid search clause".to_owned()));
            assert_eq!(PeopleFilter::parse_search(text), refused, "{text}");
        }
        assert_eq!(
            PeopleFilter::parse("id in ('1','2','3') or mail in ('4','5','6')", 4),
            Err(Error::TooManyIds { given: 6, max: 4 })
        );
    }
}
