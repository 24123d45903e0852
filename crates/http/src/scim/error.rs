//! Every error of SCIM: the table of status, `scimType` and detail, and how an error is written.
//!
//! Source: RFC 7644 3.12, whose table 9 has the `scimType`s.

use http::StatusCode;
use porchlight_engine::PersonError;
use serde_json::{Map, Value};

use super::call;
use crate::audit::Failed;
use crate::error::{Error, Row, shown};
use crate::reply::{self, Reply};
use crate::settings::Profile;

/// Why a call of SCIM was not done.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ScimError {
    /// What any call of the server can be answered with.
    Call(Error),
    /// The directory did not take the person.
    Person(PersonError),
    /// Nobody has this id.
    UserNotFound(String),
    /// There is no schema or resource type of this id.
    DocumentNotFound(String),
    /// A part of SCIM that is not there, and that `ServiceProviderConfig` does not promise.
    NotImplemented(&'static str),
    /// The body is neither of SCIM's nor of plain JSON's type.
    UnsupportedMediaType,
    /// A filter where there is nothing to filter. Source: RFC 7644 4.
    FilterOfDiscovery,
    /// `If-Match` names another version than the one that is there.
    AnotherVersion,
    /// The body is not what the operation takes: what it must be.
    InvalidSyntax(&'static str),
    /// The filter is none, or compares what cannot be compared: what is wrong.
    InvalidFilter(&'static str),
    /// The path of an operation leads nowhere.
    InvalidPath(String),
    /// An operation has no target: why.
    NoTarget(&'static str),
    /// The attribute cannot be written, or not be removed.
    Mutability(&'static str),
    /// The attribute or parameter, and what it must be.
    InvalidValue { attribute: &'static str, expected: &'static str },
    /// More operations in one patch than are taken: how many are.
    TooMany(usize),
}

impl ScimError {
    /// The error as an answer.
    pub(crate) fn reply(&self, profile: Profile) -> Reply {
        let row = self.row(profile);
        let detail = match &row.hint {
            Some(hint) => format!("{} ({hint})", row.message),
            None => row.message.to_string(),
        };
        let mut body = Map::new();
        body.insert("schemas".to_owned(), vec!["urn:ietf:params:scim:api:messages:2.0:Error"].into());
        body.insert("status".to_owned(), row.status.as_str().into());
        body.extend(self.scim_type().map(|kind| ("scimType".to_owned(), kind.into())));
        body.insert("detail".to_owned(), detail.into());
        let mut reply = Reply { status: row.status, ..call::reply(&Value::Object(body)) };
        reply::add_headers(&mut reply, &row);
        reply
    }

    /// What went wrong, for the log: without names and values.
    pub(super) fn failed(&self, profile: Profile) -> Failed {
        let error = match self {
            ScimError::Call(error) => Some(error.clone()),
            ScimError::Person(PersonError::Write(error)) => Some(error.clone().into()),
            _ => None,
        };
        match error {
            Some(error) => Failed::of(&error, profile),
            None => Failed {
                status: self.row(profile).status,
                code: self.scim_type().unwrap_or_default(),
                reason: None,
                is_unknown: false,
            },
        }
    }

    /// The `scimType`, where the table of RFC 7644 has one that fits.
    fn scim_type(&self) -> Option<&'static str> {
        match self {
            ScimError::Call(Error::UnreadablePayload | Error::EmptyPayload) | ScimError::InvalidSyntax(_) => {
                Some("invalidSyntax")
            }
            ScimError::Call(Error::BadQuery(_)) | ScimError::InvalidValue { .. } => Some("invalidValue"),
            ScimError::Person(PersonError::NameTaken(_) | PersonError::IdTaken) => Some("uniqueness"),
            ScimError::InvalidFilter(_) => Some("invalidFilter"),
            ScimError::InvalidPath(_) => Some("invalidPath"),
            ScimError::NoTarget(_) => Some("noTarget"),
            ScimError::Mutability(_) => Some("mutability"),
            ScimError::TooMany(_) => Some("tooMany"),
            ScimError::Call(_)
            | ScimError::Person(PersonError::NotFound | PersonError::Deleted | PersonError::Write(_))
            | ScimError::UserNotFound(_)
            | ScimError::DocumentNotFound(_)
            | ScimError::NotImplemented(_)
            | ScimError::UnsupportedMediaType
            | ScimError::FilterOfDiscovery
            | ScimError::AnotherVersion => None,
        }
    }

    /// The row of the table. Its code is not sent: SCIM has `scimType` instead.
    fn row(&self, profile: Profile) -> Row {
        let row = |status, message: String| Row::new(status, "", message);
        let bad = |message: String| row(StatusCode::BAD_REQUEST, message);
        match self {
            ScimError::Call(error) => error.row(profile),
            ScimError::Person(error) => match error {
                PersonError::NameTaken(name) => {
                    row(StatusCode::CONFLICT, format!("The userName '{}' is somebody else's.", shown(name)))
                }
                PersonError::IdTaken => row(StatusCode::CONFLICT, "The id is somebody else's.".to_owned()),
                PersonError::NotFound | PersonError::Deleted => {
                    row(StatusCode::NOT_FOUND, "There is no such user.".to_owned())
                }
                PersonError::Write(error) => Error::from(error.clone()).row(profile),
            },
            ScimError::UserNotFound(id) => {
                row(StatusCode::NOT_FOUND, format!("There is no user '{}'.", shown(id)))
            }
            ScimError::DocumentNotFound(id) => {
                row(StatusCode::NOT_FOUND, format!("There is no '{}'.", shown(id)))
            }
            ScimError::NotImplemented(what) => {
                row(StatusCode::NOT_IMPLEMENTED, format!("{what} is not supported."))
            }
            ScimError::UnsupportedMediaType => row(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "The request content type must be application/scim+json or application/json.".to_owned(),
            ),
            ScimError::FilterOfDiscovery => {
                row(StatusCode::FORBIDDEN, "What describes the server cannot be filtered.".to_owned())
            }
            ScimError::AnotherVersion => row(
                StatusCode::PRECONDITION_FAILED,
                "The user has changed since the version that If-Match names.".to_owned(),
            ),
            ScimError::InvalidSyntax(expected) => bad(format!("The request body must be {expected}.")),
            ScimError::InvalidFilter(what) => bad(format!("The filter is not valid: {what}.")),
            ScimError::InvalidPath(path) => bad(format!("The path '{}' is not valid.", shown(path))),
            ScimError::NoTarget(why) => bad(format!("The operation has no target: {why}.")),
            ScimError::Mutability(attribute) => {
                bad(format!("The attribute '{attribute}' cannot be changed like this."))
            }
            ScimError::InvalidValue { attribute, expected } => {
                bad(format!("The value of '{attribute}' must be {expected}."))
            }
            ScimError::TooMany(max) => bad(format!("A patch can have at most {max} operations.")),
        }
    }
}

impl From<Error> for ScimError {
    fn from(error: Error) -> ScimError {
        ScimError::Call(error)
    }
}

impl From<PersonError> for ScimError {
    fn from(error: PersonError) -> ScimError {
        ScimError::Person(error)
    }
}

#[cfg(test)]
mod tests {
    use porchlight_engine::WriteError;
    use porchlight_store::AppendError;
    use serde_json::json;

    use super::*;

    fn body(error: &ScimError) -> Value {
        serde_json::from_slice(&error.reply(Profile::Open).body).unwrap()
    }

    #[test]
    fn an_error_has_the_shape_of_scim_and_its_status_is_a_string() {
        let taken = ScimError::Person(PersonError::NameTaken("ada@x.example".to_owned()));
        assert_eq!(
            body(&taken),
            json!({
                "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
                "status": "409",
                "scimType": "uniqueness",
                "detail": "The userName 'ada@x.example' is somebody else's.",
            })
        );
        let missing = ScimError::UserNotFound("x".to_owned());
        assert_eq!(body(&missing)["status"], "404");
        assert_eq!(body(&missing).get("scimType"), None);
    }

    #[test]
    fn the_headers_of_every_other_error_are_there() {
        let busy = PersonError::Write(WriteError::Log(AppendError::Busy));
        let busy = ScimError::Person(busy).reply(Profile::Open);
        assert_eq!(busy.status, 503);
        assert_eq!(busy.headers["retry-after"], "1");
        let method = ScimError::Call(Error::MethodNotAllowed(&["GET", "HEAD"])).reply(Profile::Open);
        assert_eq!(method.status, 405);
        assert_eq!(method.headers["allow"], "GET, HEAD");
    }

    #[test]
    fn the_log_learns_no_names() {
        let taken = ScimError::Person(PersonError::NameTaken("ada@x.example".to_owned()));
        let taken = taken.failed(Profile::Open);
        assert_eq!((taken.status.as_u16(), taken.code, taken.reason), (409, "uniqueness", None));
        let unknown = ScimError::UserNotFound("ada@x.example".to_owned()).failed(Profile::Open);
        assert_eq!((unknown.status.as_u16(), unknown.code, unknown.reason), (404, "", None));
    }
}
