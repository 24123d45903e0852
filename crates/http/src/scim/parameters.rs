//! The parameters of a URL's query. Source: RFC 7644 3.4.2 and 3.9.

use std::borrow::Cow;

use crate::error::Error;
use crate::odata::decode;

/// Names and values. Those that are not known are of no consequence: Entra ID is told to add some for itself.
#[derive(Debug)]
pub(super) struct Parameters<'q>(Vec<(Cow<'q, str>, Cow<'q, str>)>);

impl<'q> Parameters<'q> {
    /// # Errors
    ///
    /// What is not UTF-8 once it is decoded.
    pub(super) fn parse(query: &'q str) -> Result<Parameters<'q>, Error> {
        let mut parameters = Vec::new();
        for part in query.split('&') {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            parameters.push((decode(name)?, decode(value)?));
        }
        Ok(Parameters(parameters))
    }

    /// A parameter's value; the first, if it stands there more than once. Names have no case.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_ref())
    }
}
