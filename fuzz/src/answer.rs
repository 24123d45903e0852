//! What came back, and what every answer has to be.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::Value;

/// An answer, whole.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// The answer of a step of a batch.
    ///
    /// # Panics
    ///
    /// When the batch does not say what a step was answered.
    pub(crate) fn of_step(step: &Value) -> Answer {
        let status = step["status"].as_u64().and_then(|status| u16::try_from(status).ok());
        let status =
            status.and_then(|status| StatusCode::from_u16(status).ok()).expect("a step has a status");
        let named = step["headers"].as_object().into_iter().flatten();
        let header = |(name, value): (&String, &Value)| {
            Some((name.parse::<HeaderName>().ok()?, HeaderValue::from_str(value.as_str()?).ok()?))
        };
        let body = match &step["body"] {
            Value::Null => Bytes::new(),
            Value::String(text) => Bytes::copy_from_slice(text.as_bytes()),
            json => json.to_string().into(),
        };
        Answer { status, headers: named.filter_map(header).collect(), body }
    }

    /// The body as JSON.
    ///
    /// # Panics
    ///
    /// When it is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("not JSON ({error}): {self:?}"))
    }

    /// A header's text; empty when it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The same answer of Graph's surface: no fault of the server's, and an error has the documented form.
    ///
    /// # Panics
    ///
    /// When it breaks that law.
    pub(crate) fn checked(self) -> Answer {
        self.check_fault();
        if self.status.as_u16() >= 400 {
            let json = self.json();
            let (error, inner) = (&json["error"], &json["error"]["innerError"]);
            for (object, name) in [
                (error, "code"),
                (error, "message"),
                (inner, "date"),
                (inner, "request-id"),
                (inner, "client-request-id"),
            ] {
                let text = object[name].as_str().unwrap_or_default();
                assert!(!text.is_empty(), "an error says its {name}: {self:?}");
            }
            assert_eq!(
                json.as_object().map(serde_json::Map::len),
                Some(1),
                "an error is nothing else: {self:?}"
            );
        }
        self
    }

    /// The same answer of SCIM: no fault of the server's, and an error has the form of RFC 7644 3.12.
    ///
    /// # Panics
    ///
    /// When it breaks that law.
    pub(crate) fn checked_scim(self) -> Answer {
        self.check_fault();
        if self.status.as_u16() >= 400 {
            let json = self.json();
            let schema = "urn:ietf:params:scim:api:messages:2.0:Error";
            assert_eq!(json["schemas"][0].as_str(), Some(schema), "an error is one of SCIM's: {self:?}");
            assert_eq!(
                json["status"].as_str(),
                Some(self.status.as_str()),
                "an error has its status: {self:?}"
            );
            let detail = json["detail"].as_str().unwrap_or_default();
            assert!(!detail.is_empty(), "an error says what is wrong: {self:?}");
        }
        self
    }

    /// A panic is answered with 500, and no input is worth one. Of the server's own faults two are documented: what is
    /// not there, and what cannot be done now.
    ///
    /// # Panics
    ///
    /// When it is another.
    pub(crate) fn check_fault(&self) {
        let is_documented = [501, 503].contains(&self.status.as_u16());
        assert!(is_documented || self.status.as_u16() < 500, "no input is the server's fault: {self:?}");
    }
}
