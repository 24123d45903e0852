//! Lists: what of them is asked for, and how they are sent. Source: RFC 7644 3.4.2 and 3.4.3.

use serde_json::{Value, json};

use super::ScimError;
use super::document::member;
use super::filter::Filter;
use super::parameters::Parameters;
use super::selection::Selection;

/// The most resources of one page; more is taken for as much.
pub(crate) const COUNT_MAX: usize = 1000;

/// The resources of a page for which no number is given.
const COUNT_USUAL: usize = 100;

/// What of a list is asked for. `sortBy` is of no consequence: `ServiceProviderConfig` promises no order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) filter: Option<Filter>,
    /// The place of the page's first resource, from one.
    pub(super) start: usize,
    /// How many resources there may be in the page.
    pub(super) count: usize,
    pub(super) selection: Selection,
}

impl Query {
    /// What a URL asks for.
    ///
    /// # Errors
    ///
    /// `invalidFilter`, and `invalidValue` for other parameters.
    pub(super) fn of(parameters: &Parameters<'_>) -> Result<Query, ScimError> {
        Query::read(
            parameters.get("filter"),
            parameters.get("startIndex"),
            parameters.get("count"),
            Selection::of(parameters)?,
        )
    }

    /// What the body of a search asks for.
    ///
    /// # Errors
    ///
    /// As [`Query::of`].
    pub(super) fn of_body(body: &Value) -> Result<Query, ScimError> {
        let filter = match member(body, "filter") {
            None | Some(Value::Null) => None,
            Some(filter) => Some(filter.as_str().ok_or(ScimError::InvalidFilter("it is no string"))?),
        };
        let number = |name: &str| match member(body, name) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text.clone()),
            Some(other) => Some(other.to_string()),
        };
        let names = |name: &str| match member(body, name) {
            Some(Value::Array(names)) => {
                Some(names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","))
            }
            Some(Value::String(names)) => Some(names.clone()),
            _ => None,
        };
        let selection =
            Selection::read(names("attributes").as_deref(), names("excludedAttributes").as_deref())?;
        Query::read(filter, number("startIndex").as_deref(), number("count").as_deref(), selection)
    }

    fn read(
        filter: Option<&str>,
        start: Option<&str>,
        count: Option<&str>,
        selection: Selection,
    ) -> Result<Query, ScimError> {
        let filter = filter.filter(|filter| !filter.trim().is_empty());
        Ok(Query {
            filter: filter.map(Filter::parse).transpose()?,
            start: number(start, "startIndex")?.unwrap_or(1).max(1),
            count: number(count, "count")?.unwrap_or(COUNT_USUAL).min(COUNT_MAX),
            selection,
        })
    }
}

/// A whole number; less than nothing is taken for nothing.
fn number(text: Option<&str>, attribute: &'static str) -> Result<Option<usize>, ScimError> {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else { return Ok(None) };
    let number: i64 =
        text.parse().map_err(|_| ScimError::InvalidValue { attribute, expected: "a whole number" })?;
    Ok(Some(usize::try_from(number).unwrap_or(0)))
}

/// A page of a list that has so many resources in all.
pub(super) fn response(total: usize, start: usize, resources: &[Value]) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": total,
        "startIndex": start,
        "itemsPerPage": resources.len(),
        "Resources": resources,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(query: &str) -> Result<(usize, usize), ScimError> {
        let query = Query::of(&Parameters::parse(query).unwrap())?;
        Ok((query.start, query.count))
    }

    #[test]
    fn numbers_out_of_range_are_taken_for_the_next_that_is_not() {
        let table = [
            ("", (1, 100)),
            ("startIndex=1&count=100", (1, 100)),
            ("STARTINDEX=0&count=-5", (1, 0)),
            ("startIndex=-7&count=1001", (1, 1000)),
            ("startIndex=11&count=", (11, 100)),
            ("count=10&count=20&sortBy=userName&aadOptscim062020", (1, 10)),
        ];
        for (query, expected) in table {
            assert_eq!(of(query), Ok(expected), "{query}");
        }
        for query in ["count=x", "startIndex=1.5", "count=99999999999999999999"] {
            assert!(matches!(of(query), Err(ScimError::InvalidValue { .. })), "{query}");
        }
    }

    #[test]
    fn a_search_is_what_a_url_with_the_same_parameters_is() {
        let body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
            "attributes": ["userName", "name.givenName"],
            "filter": "userName sw \"a\"",
            "startIndex": 2,
            "count": "10",
        });
        let url = "attributes=userName,name.givenName&filter=userName+sw+%22a%22&startIndex=2&count=10";
        assert_eq!(Query::of_body(&body), Query::of(&Parameters::parse(url).unwrap()));
        assert!(Query::of_body(&json!({"filter": 5})).is_err());
        assert!(Query::of_body(&json!({"count": true})).is_err());
    }
}
