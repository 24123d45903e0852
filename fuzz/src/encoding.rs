//! Texts inside of URLs.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// The text as a value of a query string.
pub(crate) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}
