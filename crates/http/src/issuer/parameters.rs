//! The parameters of a request to the issuer: `application/x-www-form-urlencoded`, in a query or a body.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::refusal::Refusal;
use super::{PARAMETER_BYTES_MAX, PARAMETERS_MAX};

/// Names and values, each name once. Not printable: secrets and codes are among the values.
pub(super) struct Parameters<'p>(Vec<(Cow<'p, str>, Cow<'p, str>)>);

impl<'p> Parameters<'p> {
    /// Reads a query or a form. A parameter without a value counts as left out. Source: RFC 6749 3.1.
    ///
    /// # Errors
    ///
    /// A parameter that is there twice, is too long, or is not UTF-8 once it is decoded; and too many of them.
    pub(super) fn read(text: &'p str) -> Result<Parameters<'p>, Refusal> {
        let mut parameters: Vec<(Cow<'p, str>, Cow<'p, str>)> = Vec::new();
        for part in text.split('&') {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            if value.is_empty() {
                continue;
            }
            let name = decode(name)?;
            if value.len() > PARAMETER_BYTES_MAX {
                return Err(Refusal::ParameterTooLong(name.into_owned()));
            }
            if parameters.iter().any(|(known, _)| *known == name) {
                return Err(Refusal::ParameterRepeated(name.into_owned()));
            }
            // Each is compared with all before it.
            if parameters.len() == PARAMETERS_MAX {
                return Err(Refusal::ParametersTooMany);
            }
            parameters.push((name, decode(value)?));
        }
        Ok(Parameters(parameters))
    }

    /// The value of a parameter that may be left out.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_ref())
    }

    /// The value of a parameter that must be there.
    ///
    /// # Errors
    ///
    /// [`Refusal::ParameterMissing`].
    pub(super) fn require(&self, name: &'static str) -> Result<&str, Refusal> {
        self.get(name).ok_or(Refusal::ParameterMissing(name))
    }

    /// All of them as a query, with one more.
    pub(super) fn and(&self, name: &str, value: &str) -> String {
        let mut all: Vec<(&str, &str)> =
            self.0.iter().map(|(name, value)| (name.as_ref(), value.as_ref())).collect();
        all.push((name, value));
        query(&all)
    }
}

/// Names and values as a query or a form.
pub(super) fn query(members: &[(&str, &str)]) -> String {
    let pairs = members.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value)));
    pairs.collect::<Vec<_>>().join("&")
}

fn encode(text: &str) -> impl std::fmt::Display {
    const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    utf8_percent_encode(text, KEPT)
}

/// What an encoded text says.
///
/// # Errors
///
/// [`Refusal::ParameterUnreadable`] when it is not UTF-8.
pub(super) fn decode(text: &str) -> Result<Cow<'_, str>, Refusal> {
    if !text.contains(['%', '+']) {
        return Ok(Cow::Borrowed(text));
    }
    let spaced = text.replace('+', " ");
    match percent_decode_str(&spaced).decode_utf8() {
        Ok(text) => Ok(Cow::Owned(text.into_owned())),
        Err(_) => Err(Refusal::ParameterUnreadable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> Refusal {
        Parameters::read(text).err().expect("it is refused")
    }

    #[test]
    fn parameters_come_encoded_and_each_once() {
        let parameters = Parameters::read("scope=a+b%2Bc&state=%C3%A4&empty=&bare&a%20b=1").unwrap();
        let table = [
            ("scope", Some("a b+c")),
            ("state", Some("ä")),
            ("a b", Some("1")),
            ("empty", None),
            ("bare", None),
        ];
        for (name, value) in table {
            assert_eq!(parameters.get(name), value, "{name}");
        }
        assert_eq!(parameters.and("x", "&="), "scope=a%20b%2Bc&state=%C3%A4&a%20b=1&x=%26%3D");
        assert_eq!(refusal("a=1&%61=1"), Refusal::ParameterRepeated("a".to_owned()));
        assert_eq!(refusal("a=%ff"), Refusal::ParameterUnreadable);
        let long = format!("a={}", "x".repeat(PARAMETER_BYTES_MAX + 1));
        assert_eq!(refusal(&long), Refusal::ParameterTooLong("a".to_owned()));
        assert!(Parameters::read(&long[..long.len() - 1]).is_ok());
        let many: Vec<String> = (0..=PARAMETERS_MAX).map(|number| format!("p{number}=1")).collect();
        assert_eq!(refusal(&many.join("&")), Refusal::ParametersTooMany);
        assert!(Parameters::read(&many[..PARAMETERS_MAX].join("&")).is_ok());
    }
}
