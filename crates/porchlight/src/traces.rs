//! The configuration of traces.

use http::Uri;
use serde::Deserialize;

use crate::exit::Failure;

/// The share of requests that is traced unless the configuration says otherwise.
const SAMPLE: f64 = 0.01;

/// `[traces]`: where traces go, and how many.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TracesSection {
    endpoint: Option<String>,
    sample: Option<f64>,
}

/// Where traces go, and how many.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TracesSettings {
    /// Where a collector takes OpenTelemetry's protocol over HTTP.
    pub(crate) endpoint: String,
    /// The share of requests that is traced, of those whose clients do not say whether they are; from 0 to 1.
    pub(crate) sample: f64,
}

impl TracesSettings {
    /// The endpoint without what in it may be a secret: whoever comes by a name and a password, or with a key in the query.
    pub(crate) fn shown(&self) -> String {
        let (place, has_query) = match self.endpoint.split_once('?') {
            Some((place, _)) => (place, true),
            None => (self.endpoint.as_str(), false),
        };
        let query = if has_query { "?(hidden)" } else { "" };
        let (scheme, rest) = place.split_once("://").unwrap_or(("", place));
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        match authority.rsplit_once('@') {
            Some((_, host)) => format!("{scheme}://(hidden)@{host}{path}{query}"),
            None => format!("{place}{query}"),
        }
    }
}

impl TracesSection {
    /// The settings; `endpoint` wins over that of the file. `None`: nothing is traced.
    ///
    /// # Errors
    ///
    /// [`crate::exit::USAGE`], naming the key.
    pub(crate) fn settings(&self, endpoint: Option<&str>) -> Result<Option<TracesSettings>, Failure> {
        let sample = self.sample.unwrap_or(SAMPLE);
        if !(0.0..=1.0).contains(&sample) {
            return Err(Failure::usage("traces.sample must be from 0 to 1"));
        }
        let Some(endpoint) = endpoint.or(self.endpoint.as_deref()) else { return Ok(None) };
        let is_one = endpoint.parse::<Uri>().is_ok_and(|url| {
            matches!(url.scheme_str(), Some("http" | "https"))
                && url.host().is_some_and(|host| !host.is_empty())
        });
        if !is_one {
            return Err(Failure::usage(format!(
                "traces.endpoint must be a URL such as http://127.0.0.1:4318/v1/traces, not '{endpoint}'"
            )));
        }
        Ok(Some(TracesSettings { endpoint: endpoint.to_owned(), sample }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(section: &str, endpoint: Option<&str>) -> Result<Option<TracesSettings>, String> {
        let section: TracesSection = toml::from_str(section).unwrap();
        section.settings(endpoint).map_err(|failure| failure.cause.to_string())
    }

    #[test]
    fn the_endpoint_is_shown_without_what_nobody_else_should_know() {
        let shown = |endpoint: &str| TracesSettings { endpoint: endpoint.to_owned(), sample: 1.0 }.shown();
        assert_eq!(shown("http://a:4318/v1/traces"), "http://a:4318/v1/traces");
        assert_eq!(shown("https://me:word@a/v1/traces?key=x@y"), "https://(hidden)@a/v1/traces?(hidden)");
        assert_eq!(shown("https://a/v1@2"), "https://a/v1@2");
    }

    #[test]
    fn nothing_is_traced_without_an_endpoint_and_what_is_wrong_is_named() {
        let traced =
            |endpoint: &str, sample| Ok(Some(TracesSettings { endpoint: endpoint.to_owned(), sample }));
        let (file, flag) = ("http://a:4318/v1/traces", "https://b/v1/traces");
        let with = format!("endpoint = \"{file}\"\nsample = 0.5");
        assert_eq!(settings("", None), Ok(None));
        assert_eq!(settings("sample = 1.0", None), Ok(None));
        assert_eq!(settings("", Some(flag)), traced(flag, 0.01));
        assert_eq!(settings(&with, None), traced(file, 0.5));
        assert_eq!(settings(&with, Some(flag)), traced(flag, 0.5));
        for (section, key) in [
            ("sample = 1.5", "traces.sample"),
            ("sample = nan", "traces.sample"),
            ("endpoint = \"collector:4318\"", "traces.endpoint"),
            ("endpoint = \"grpc://collector:4317\"", "traces.endpoint"),
            ("endpoint = \"\"", "traces.endpoint"),
        ] {
            let error = settings(section, None).unwrap_err();
            assert!(error.starts_with(key), "{section}: {error}");
        }
    }
}
