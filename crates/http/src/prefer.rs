//! `Prefer: wait=N`: how long a client would rather wait for news than be told the same again.
//!
//! Source: RFC 7240 2 and 4.3.

use std::time::Duration;

use crate::headers::Headers;

/// The name of the header.
pub(crate) const PREFER: &str = "prefer";

/// How many seconds the client would wait; the first preference of that name counts, and one that is no number
/// of seconds is none.
pub(crate) fn wait(headers: &Headers<'_>) -> Option<Duration> {
    headers.prefer.first?;
    let values = headers.all.get_all(PREFER).iter().filter_map(|value| value.to_str().ok());
    let seconds = values.flat_map(|value| value.split([',', ';'])).find_map(|preference| {
        let (name, value) = preference.split_once('=')?;
        name.trim().eq_ignore_ascii_case("wait").then(|| value.trim().trim_matches('"').parse().ok())
    });
    seconds.flatten().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    #[test]
    fn a_wait_is_found_among_preferences() {
        let table: [(&[&str], Option<u64>); 8] = [
            (&["wait=30"], Some(30)),
            (&["respond-async, Wait = \"5\""], Some(5)),
            (&["return=minimal", "wait=0"], Some(0)),
            (&["wait=1, wait=2"], Some(1)),
            (&["wait=-1"], None),
            (&["wait"], None),
            (&["wait=soon"], None),
            (&[], None),
        ];
        for (values, seconds) in table {
            let mut all = HeaderMap::new();
            for value in values {
                all.append(PREFER, value.parse().unwrap());
            }
            assert_eq!(wait(&Headers::of(&all)), seconds.map(Duration::from_secs), "{values:?}");
        }
    }
}
