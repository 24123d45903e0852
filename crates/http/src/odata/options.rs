//! The query string, split into options.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::error::Error;
use crate::settings::Profile;

/// More options than there are.
pub(crate) const OPTIONS_MAX: usize = 32;

/// The system query options of one request: those whose name begins with `$`. Others are ignored.
#[derive(Debug, Default)]
pub(crate) struct Options<'q> {
    options: Vec<(Cow<'q, str>, Cow<'q, str>)>,
}

impl<'q> Options<'q> {
    /// # Errors
    ///
    /// An option that cannot be decoded or is given twice.
    pub(crate) fn parse(query: &'q str) -> Result<Options<'q>, Error> {
        let mut options: Vec<(Cow<'q, str>, Cow<'q, str>)> = Vec::new();
        for part in query.split('&').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let name = decode(name)?;
            if !name.starts_with('$') {
                continue;
            }
            if options.len() == OPTIONS_MAX {
                return Err(Error::BadQuery(format!(
                    "At most {OPTIONS_MAX} query options can be specified."
                )));
            }
            if options.iter().any(|(known, _)| known.eq_ignore_ascii_case(&name)) {
                return Err(Error::BadQuery(format!("Query option '{name}' was specified more than once.")));
            }
            options.push((name, decode(value)?));
        }
        Ok(Options { options })
    }

    /// The value of an option; its name is compared without case.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.options
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_ref())
    }

    /// Those of these options that were given, encoded for a link, each with an `&` behind it.
    pub(crate) fn carried(&self, names: &[&str]) -> String {
        let given = names.iter().filter_map(|name| Some((name, self.get(name)?)));
        given.fold(String::new(), |all, (name, value)| all + name + "=" + &encode(value) + "&")
    }

    /// Refuses options that a route does not know: `refused` ones always, others under the strict profile.
    ///
    /// # Errors
    ///
    /// Names the option.
    pub(crate) fn check(&self, known: &[&str], refused: &[&str], profile: Profile) -> Result<(), Error> {
        let among = |name: &str, names: &[&str]| names.iter().any(|other| other.eq_ignore_ascii_case(name));
        for (name, _) in &self.options {
            let unknown = !among(name, known) && profile == Profile::Strict;
            if among(name, refused) || unknown {
                return Err(Error::BadQuery(format!("Query option '{name}' is not supported here.")));
            }
        }
        Ok(())
    }

    /// A whole number within a range.
    ///
    /// # Errors
    ///
    /// E42 for anything else.
    pub(crate) fn number(
        &self,
        option: &'static str,
        min: usize,
        max: usize,
    ) -> Result<Option<usize>, Error> {
        let Some(text) = self.get(option) else { return Ok(None) };
        let number = text.trim().parse().ok().filter(|number| (min..=max).contains(number));
        number.map(Some).ok_or(Error::OptionOutOfRange { option, min, max })
    }

    /// `true` or `false`.
    ///
    /// # Errors
    ///
    /// Anything else.
    pub(crate) fn flag(&self, option: &'static str) -> Result<bool, Error> {
        match self.get(option) {
            None => Ok(false),
            Some(text) if text.eq_ignore_ascii_case("true") => Ok(true),
            Some(text) if text.eq_ignore_ascii_case("false") => Ok(false),
            Some(_) => Err(Error::BadQuery(format!("Query option '{option}' must be true or false."))),
        }
    }
}

/// Percent-encodes a value of a query string.
fn encode(value: &str) -> String {
    const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    utf8_percent_encode(value, KEPT).to_string()
}

/// The text of a percent-encoded part of a query string, in which a `+` is a space.
///
/// # Errors
///
/// What is not UTF-8 then.
pub(crate) fn decode(raw: &str) -> Result<Cow<'_, str>, Error> {
    if !raw.contains(['%', '+']) {
        return Ok(Cow::Borrowed(raw));
    }
    let spaced = raw.replace('+', " ");
    match percent_decode_str(&spaced).decode_utf8() {
        Ok(text) => Ok(Cow::Owned(text.into_owned())),
        Err(_) => Err(Error::BadQuery("The query string is not UTF-8 once it is decoded.".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_come_encoded_or_not() {
        for query in ["$select=a,b&x=1", "%24select=a%2Cb", "$SELECT=a%2cb&$top=5"] {
            assert_eq!(Options::parse(query).unwrap().get("$select"), Some("a,b"), "{query}");
        }
        assert_eq!(Options::parse("$filter=id+eq+'x'").unwrap().get("$filter"), Some("id eq 'x'"));
        assert!(Options::parse("$top=1&%24top=2").is_err());
        assert!(Options::parse("$filter=%ff").is_err());
        assert!(Options::parse("$top=651").unwrap().number("$top", 1, 650).is_err());
        assert!(Options::parse("$top=-1").unwrap().number("$top", 1, 650).is_err());
    }
}
