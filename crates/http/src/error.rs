//! Every error that a caller can be answered with: the table of status, code and message. Those of subscriptions alone
//! are in `subscription_error.rs`.
//!
//! Source: presence-api 16.3 (the row numbers are its), subscriptions-and-auth 23.2 for 401.

use std::borrow::Cow;
use std::time::Duration;

use http::StatusCode;
use porchlight_engine::{Person, PersonError, WriteError};
use porchlight_presence::Method as PresenceMethod;
use porchlight_presence::{Pair, Refusal, Text};
use porchlight_store::Revision;

use crate::auth::{AuthError, Permissions, TokenError};
use crate::settings::Profile;
use crate::subscription_error::SubscriptionError;

/// Why a request was not done.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Error {
    /// E1 to E3.
    Token(TokenError),
    /// subscriptions-and-auth 23.4.
    PersonalAccount,
    /// E4.
    MissingPermission { required: Permissions, present: Permissions },
    /// E5.
    AnotherUser,
    /// Only administrators and applications write people.
    NotAdministrator,
    /// E6.
    MeNeedsUser,
    /// E7.
    UserNotFound(String),
    /// E8.
    UnknownSegment(String),
    /// E9, with the methods that are allowed.
    MethodNotAllowed(&'static [&'static str]),
    /// E10.
    EmptyPayload,
    /// E11.
    UnreadablePayload,
    /// E12: the member, and what it must be.
    WrongType { member: &'static str, expected: &'static str },
    /// E13.
    SessionIdMissing,
    /// Strict only: see presence-api 7.4.
    SessionIdNotCaller,
    /// E14: the member.
    ValueMissing(&'static str),
    /// E15: the member and its value.
    ValueUnknown { member: &'static str, value: String },
    /// An activity with a null availability: a sort of E16.
    ActivityWithoutAvailability(String),
    /// E17, for the clock: it only goes ahead, and not beyond the year 9999.
    DurationOutOfRange(&'static str),
    /// E18.
    DurationUnreadable(&'static str),
    /// E20.
    IdsMissing,
    /// E21: how many there are, and how many may be.
    TooManyIds { given: usize, max: usize },
    /// E22.
    BadId(usize),
    /// E24.
    ContentType,
    /// E25.
    UnknownTimeZone(String),
    /// E26.
    BadExpiry,
    /// E27.
    BadLocationType,
    /// E28.
    BadQuery(String),
    /// E29: how long to wait.
    TooManyRequests(Duration),
    /// E30.
    UnsupportedMediaType,
    /// A content encoding other than gzip: E30 as well, so that clients repeat without it.
    UnsupportedEncoding,
    /// E31.
    NotAcceptable,
    /// E32, with the limit.
    BodyTooLarge(usize),
    /// The body did not come in time.
    BodyTimeout,
    /// E35.
    SessionIdNotGuid,
    /// E36, with the limit.
    HeadersTooLarge(usize),
    /// E37.
    NothingToWrite,
    /// E38.
    AnotherId,
    /// E40.
    InvalidVersion(String),
    /// The request target cannot be read.
    BadPath(&'static str),
    /// E41.
    StatusMessageMissing,
    /// E42: the option and its range.
    OptionOutOfRange { option: &'static str, min: usize, max: usize },
    /// E42, for a person: the member, which has no such text or a longer one.
    BadText(&'static str),
    /// E42, for a person: this is no user principal name.
    BadUserPrincipalName,
    /// The id of somebody who is to be put in.
    IdGiven,
    /// A person cannot have another id.
    IdChanged,
    /// Graph's own: somebody else has the user principal name.
    NameTaken,
    /// Refused by the domain: E16, E17, E19, E23, E26, E39, E42 and a disabled person.
    Refused(Refusal),
    /// E33.
    Internal,
    /// E34.
    Unavailable { message: &'static str, retry_after: Duration },
    /// E34, of a write that may be done all the same.
    Unconfirmed,
    /// Design 4: the caller has seen this revision on another node, and this one has not come to it in time.
    RevisionNotSeen(Revision),
    /// The header `porchlight-revision` is no revision.
    BadRevision,
    /// Section 17: the batch itself is wrong.
    BadBatch(Cow<'static, str>),
    /// Section 17: too many steps.
    TooManySteps(usize),
    /// Section 17: a step that this one depends on failed.
    FailedDependency,
    /// A lever of development that somebody else's page pulls, perhaps.
    LeverFromElsewhere,
    /// A path under `/porchlight/` that is not there.
    NotFound,
    /// Design 3: nobody can go on from this token; with the link to begin anew.
    SyncStateNotFound(String),
    /// What is wrong with a subscription.
    Subscription(SubscriptionError),
}

/// Every code that each status can have, in Graph's form, those of subscriptions too.
pub(crate) const CODES: [(u16, &[&str]); 16] = [
    (
        400,
        &[
            "BadRequest",
            "ExtensionError",
            "InvalidArgument",
            "InvalidRequest",
            "MaximumValueExceeded",
            "Request_BadRequest",
            "ValidationError",
        ],
    ),
    (401, &["InvalidAuthenticationToken", "Unauthorized"]),
    (403, &["ExtensionError", "Forbidden"]),
    (404, &["NotFound", "Request_ResourceNotFound", "ResourceNotFound"]),
    (405, &["Request_BadRequest"]),
    (406, &["NotAcceptable"]),
    (408, &["RequestTimeout"]),
    (409, &["ExtensionError", "ObjectIdentifierInUse"]),
    (410, &["SyncStateNotFound"]),
    (413, &["RequestEntityTooLarge"]),
    (415, &["UnsupportedMediaType"]),
    (424, &["FailedDependency"]),
    (429, &["TooManyRequests"]),
    (431, &["RequestHeaderFieldsTooLarge"]),
    (500, &["InternalServerError"]),
    (503, &["ServiceUnavailable"]),
];

/// What an error is on the wire.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: Cow<'static, str>,
    /// One sentence that says how to put it right.
    pub(crate) hint: Option<Cow<'static, str>>,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) allow: Option<&'static [&'static str]>,
}

impl Row {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<Cow<'static, str>>) -> Row {
        Row { status, code, message: message.into(), hint: None, retry_after: None, allow: None }
    }

    pub(crate) fn hint(self, hint: impl Into<Cow<'static, str>>) -> Row {
        Row { hint: Some(hint.into()), ..self }
    }

    /// Whether [`CODES`] has it.
    pub(crate) fn is_listed(&self) -> bool {
        CODES.iter().any(|(status, codes)| self.status == *status && codes.contains(&self.code))
    }
}

fn argument(message: impl Into<Cow<'static, str>>) -> Row {
    Row::new(StatusCode::BAD_REQUEST, "InvalidArgument", message)
}

fn bad_request(message: impl Into<Cow<'static, str>>) -> Row {
    Row::new(StatusCode::BAD_REQUEST, "BadRequest", message)
}

impl Error {
    /// The row of the table.
    #[expect(clippy::too_many_lines, reason = "one table, one row after another")]
    pub(crate) fn row(&self, profile: Profile) -> Row {
        match self {
            Error::Token(error) => {
                Row::new(StatusCode::UNAUTHORIZED, "InvalidAuthenticationToken", error.message()).hint(error.hint())
            }
            Error::PersonalAccount => {
                Row::new(StatusCode::FORBIDDEN, "Forbidden", "Personal accounts have no presence here.")
                    .hint("sign in with the account of an organization")
            }
            Error::MissingPermission { required, .. } => Row::new(
                StatusCode::FORBIDDEN,
                "Forbidden",
                format!("The token lacks a permission this call needs. Any one of: {required}."),
            ),
            Error::AnotherUser => {
                let (status, code) = match profile {
                    Profile::Open => (StatusCode::FORBIDDEN, "Forbidden"),
                    Profile::Strict => (StatusCode::UNAUTHORIZED, "Unauthorized"),
                };
                Row::new(status, code, "Cannot set the presence of another user.")
                    .hint("a delegated token writes its own user's presence only; an application token with Presence.ReadWrite.All writes anybody's")
            }
            Error::NotAdministrator => Row::new(
                StatusCode::FORBIDDEN,
                "Forbidden",
                "Only a Global Administrator's delegate can write people.",
            )
            .hint("use an administrator's token (see auth.administrators), or an application's own"),
            Error::MeNeedsUser => Row::new(
                StatusCode::BAD_REQUEST,
                "Request_BadRequest",
                "/me request is only valid with delegated authentication flow.",
            )
            .hint("name the user: /users/{id}/presence"),
            Error::UserNotFound(key) => Row::new(
                StatusCode::NOT_FOUND,
                "Request_ResourceNotFound",
                format!("Resource '{}' does not exist or one of its queried reference-property objects are not present.", shown(key)),
            ),
            Error::UnknownSegment(segment) => bad_request(format!("Resource not found for the segment '{}'.", shown(segment))),
            Error::MethodNotAllowed(allow) => Row {
                allow: Some(allow),
                ..Row::new(
                    StatusCode::METHOD_NOT_ALLOWED,
                    "Request_BadRequest",
                    "Specified HTTP method is not allowed for the request target.",
                )
            },
            Error::EmptyPayload => bad_request("Empty Payload. JSON content expected."),
            Error::UnreadablePayload => bad_request(
                "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format.",
            ),
            Error::WrongType { member, expected } => bad_request(format!("Property '{member}' must be {expected}.")),
            Error::SessionIdMissing => argument("[SessionId]: The SessionId field is required.")
                .hint("use your application (client) id as sessionId"),
            Error::SessionIdNotCaller => {
                argument("The provided [SessionId] must be the ID of the calling application.")
            }
            Error::ValueMissing(member) => argument(format!("[{member}]: The {member} field is required.")),
            Error::ValueUnknown { member, value } => {
                argument(format!("The provided [{member}] value '{}' is invalid.", shown(value)))
            }
            Error::ActivityWithoutAvailability(activity) => argument(format!(
                "The provided [Availability] and [Activity] combination 'null/{activity}' is not supported by PATCH. Supported: {}.",
                list(porchlight_presence::StandingPair::ALL)
            )),
            Error::DurationOutOfRange(member) => argument(format!("The provided [{member}] is out of range.")),
            Error::DurationUnreadable(member) => {
                argument(format!("The provided [{member}] is not a valid ISO 8601 duration."))
                    .hint("write one hour as PT1H")
            }
            Error::IdsMissing => argument("[Ids]: The Ids field is required."),
            Error::TooManyIds { given, max } => {
                argument(format!("The provided [Ids] has {given} entries; at most {max} are allowed."))
            }
            Error::BadId(index) => argument(format!("The provided [Ids] entry at index {index} is invalid.")),
            Error::ContentType => argument("The provided [ContentType] is not supported; use 'text'."),
            Error::UnknownTimeZone(zone) => argument(format!("The provided [TimeZone] '{}' is not known.", shown(zone)))
                .hint("use a Windows name such as 'Pacific Standard Time', an IANA name such as 'Europe/Berlin', or 'UTC'"),
            Error::BadExpiry => argument("The provided [ExpiryDateTime] is invalid."),
            Error::BadLocationType => argument("The provided [WorkLocationType] is invalid.")
                .hint("use unspecified, office, remote or timeOff"),
            Error::BadQuery(message) => bad_request(message.clone()),
            Error::TooManyRequests(wait) => Row {
                retry_after: Some(*wait),
                ..Row::new(
                    StatusCode::TOO_MANY_REQUESTS,
                    "TooManyRequests",
                    "Please retry again later.",
                )
            }
            .hint("wait for as many seconds as Retry-After says"),
            Error::UnsupportedMediaType => Row::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "UnsupportedMediaType",
                "The request content type must be application/json.",
            ),
            Error::UnsupportedEncoding => Row::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "UnsupportedMediaType",
                "The request content encoding must be gzip or identity.",
            ),
            Error::NotAcceptable => {
                Row::new(StatusCode::NOT_ACCEPTABLE, "NotAcceptable", "Only application/json can be produced.")
            }
            Error::BodyTooLarge(max) => Row::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "RequestEntityTooLarge",
                format!("The request body is larger than {max} bytes."),
            ),
            Error::BodyTimeout => {
                Row::new(StatusCode::REQUEST_TIMEOUT, "RequestTimeout", "The request body did not arrive in time.")
            }
            Error::SessionIdNotGuid => argument("The provided [SessionId] is not a GUID.")
                .hint("use your application (client) id as sessionId"),
            Error::HeadersTooLarge(max) => Row::new(
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "RequestHeaderFieldsTooLarge",
                format!("The request headers are larger than {max} bytes."),
            ),
            Error::NothingToWrite => argument(
                "Supply at least one of: availability, activity, statusMessage, outOfOfficeSettings, workLocation.",
            ),
            Error::AnotherId => argument("The provided [Id] is not the id of this presence."),
            Error::InvalidVersion(version) => bad_request(format!("Invalid version: {}.", shown(version)))
                .hint("begin the path with /v1.0 or /beta"),
            Error::BadPath(what) => bad_request(*what),
            Error::StatusMessageMissing => argument("[StatusMessage]: The StatusMessage field is required.")
                .hint("to remove the message send \"statusMessage\": null"),
            Error::OptionOutOfRange { option, min, max } => {
                argument(format!("The provided [{option}] must be a whole number from {min} to {max}."))
            }
            Error::BadText(member) => argument(format!(
                "The provided [{member}] must have 1 to {} characters, none of them a control character.",
                Person::TEXT_CHARS_MAX
            )),
            Error::BadUserPrincipalName => argument(format!(
                "The provided [UserPrincipalName] must be of the form local@domain, with at most {} characters, none of them whitespace or a control character.",
                Person::NAME_CHARS_MAX
            )),
            Error::IdGiven => argument("The provided [Id] cannot be set: the server gives a user their id."),
            Error::IdChanged => argument("The provided [Id] is not the id of this user."),
            Error::NameTaken => Row::new(
                StatusCode::BAD_REQUEST,
                "Request_BadRequest",
                "Another object with the same value for property userPrincipalName already exists.",
            ),
            Error::Refused(refusal) => refused(refusal),
            Error::Internal => {
                Row::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", "An internal error occurred.")
            }
            Error::Unavailable { message, retry_after } => Row {
                retry_after: Some(*retry_after),
                ..Row::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", *message)
            },
            Error::Unconfirmed => Row {
                retry_after: Some(Duration::from_secs(2)),
                ..Row::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "ServiceUnavailable",
                    "The storage did not confirm the write; it may have been written.",
                )
            },
            Error::RevisionNotSeen(revision) => Row {
                retry_after: Some(Duration::from_secs(1)),
                ..Row::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "ServiceUnavailable",
                    format!("This node has not seen revision {revision} yet; nothing was done."),
                )
            }
            .hint("send it again, here or to another node; after a restore, without what was answered before it"),
            Error::BadRevision => bad_request(
                "The header porchlight-revision must be one number, as the answer to a write has it.",
            ),
            Error::BadBatch(message) => bad_request(message.clone()),
            Error::TooManySteps(max) => Row::new(
                StatusCode::BAD_REQUEST,
                "MaximumValueExceeded",
                format!("Number of batch request steps exceeds the maximum value of {max}."),
            ),
            Error::FailedDependency => Row::new(
                StatusCode::FAILED_DEPENDENCY,
                "FailedDependency",
                "A request this one depends on failed.",
            ),
            Error::SyncStateNotFound(_) => Row::new(
                StatusCode::GONE,
                "SyncStateNotFound",
                "The sync state is not known, or is too old to go on from.",
            )
            .hint("begin anew with the link in the Location header, and forget what was told before"),
            Error::LeverFromElsewhere => {
                Row::new(StatusCode::FORBIDDEN, "Forbidden", "The levers of development are for this machine alone.")
                    .hint("call them by localhost or 127.0.0.1, and not from a page of another origin")
            }
            Error::NotFound => Row::new(StatusCode::NOT_FOUND, "NotFound", "There is nothing here."),
            Error::Subscription(error) => error.row(),
        }
    }
}

fn refused(refusal: &Refusal) -> Row {
    match refusal {
        Refusal::PairNotSupported { pair, method, supported } => {
            let (method, hint) = match method {
                PresenceMethod::SetPresence => ("setPresence", origin(*pair)),
                PresenceMethod::SetUserPreferredPresence => ("setUserPreferredPresence", None),
                PresenceMethod::Patch => ("PATCH", None),
            };
            let row = argument(format!(
                "The provided [Availability] and [Activity] combination '{pair}' is not supported by {method}. Supported: {}.",
                list(supported)
            ));
            match hint {
                Some(hint) => row.hint(hint),
                None => row,
            }
        }
        Refusal::DurationOutOfRange { min, max, .. } => argument(
            "The provided [ExpirationDuration] is out of range.",
        )
        .hint(format!("it must be at least {} and at most {}", duration(*min), duration(*max))),
        Refusal::SessionNotFound => Row::new(
            StatusCode::NOT_FOUND,
            "NotFound",
            "The presence session does not exist or has already ended.",
        )
        .hint("there is nothing left to clear: treat this as success"),
        Refusal::TooManySessions { max } => argument(format!(
            "A user can have at most {max} presence sessions."
        ))
        .hint("use your application (client) id as sessionId, so that a new call replaces the one before"),
        Refusal::ExpiryInThePast => argument("The provided [ExpiryDateTime] is in the past."),
        Refusal::TextTooLong { text: Text::StatusMessage, max } => {
            argument(format!("The provided [StatusMessage] is longer than {max} characters."))
        }
        Refusal::TextTooLong { text, max } => {
            argument(format!("The provided [{}] is longer than {max} characters.", name(*text)))
        }
        Refusal::ControlCharacter { text } => argument(format!(
            "The provided [{}] has control characters; only tab and line break are allowed.",
            name(*text)
        )),
        Refusal::Hidden => Row::new(StatusCode::FORBIDDEN, "Forbidden", "The person's account is disabled."),
    }
}

/// Where a state comes from that setPresence does not take. Source: presence-api 7.2.
fn origin(pair: Pair) -> Option<Cow<'static, str>> {
    use porchlight_presence::Activity;
    match pair.activity {
        Activity::OutOfOffice => {
            Some("OutOfOffice comes from outOfOfficeSettings, which PATCH writes".into())
        }
        Activity::InAMeeting => Some("InAMeeting can be written by PATCH".into()),
        _ => None,
    }
}

fn name(text: Text) -> &'static str {
    match text {
        Text::StatusMessage => "StatusMessage",
        Text::OutOfOfficeMessage => "OutOfOfficeSettings/Message",
        Text::PlaceId => "PlaceId",
    }
}

/// A client's own text in a message: as much of it as helps.
pub(crate) fn shown(text: &str) -> Cow<'_, str> {
    const CHARS_MAX: usize = 256;
    match text.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

fn list(pairs: &[Pair]) -> String {
    pairs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// A duration as a client would write it, such as `P1DT30M`.
pub(crate) fn duration(duration: Duration) -> String {
    let (seconds, millis) = (duration.as_secs(), duration.subsec_millis());
    let unit = |count: u64, letter: &str| if count > 0 { format!("{count}{letter}") } else { String::new() };
    let day = unit(seconds / 86_400, "D");
    let rest = match (seconds % 60, millis) {
        (seconds, 0) => unit(seconds, "S"),
        (seconds, millis) => format!("{seconds}.{millis:03}S"),
    };
    let time = unit(seconds % 86_400 / 3_600, "H") + &unit(seconds % 3_600 / 60, "M") + &rest;
    match (day.as_str(), time.as_str()) {
        ("", "") => "PT0S".to_owned(),
        (day, "") => format!("P{day}"),
        (day, time) => format!("P{day}T{time}"),
    }
}

impl From<AuthError> for Error {
    fn from(error: AuthError) -> Error {
        match error {
            AuthError::Token(error) => Error::Token(error),
            AuthError::Write(error) => error.into(),
            AuthError::Personal => Error::PersonalAccount,
            AuthError::KeysUnavailable => Error::Unavailable {
                message: "The token cannot be checked: its issuer's keys could not be fetched yet.",
                retry_after: Duration::from_secs(5),
            },
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Error {
        Error::Refused(refusal)
    }
}

impl From<SubscriptionError> for Error {
    fn from(error: SubscriptionError) -> Error {
        Error::Subscription(error)
    }
}

impl From<WriteError> for Error {
    fn from(error: WriteError) -> Error {
        use porchlight_store::AppendError;
        match error {
            WriteError::Refused(refusal) => Error::Refused(refusal),
            WriteError::Deleted(user) => Error::UserNotFound(user.to_string()),
            WriteError::Log(AppendError::Busy) => Error::Unavailable {
                message: "Too many writes are waiting; nothing was written.",
                retry_after: Duration::from_secs(1),
            },
            WriteError::Log(AppendError::Conflict { .. }) => Error::Unavailable {
                message: "Another node has written the same at the same time; nothing was written.",
                retry_after: Duration::from_secs(1),
            },
            WriteError::Log(AppendError::Unavailable) => Error::Unavailable {
                message: "The storage takes no writes at the moment; nothing was written.",
                retry_after: Duration::from_secs(2),
            },
            WriteError::Log(AppendError::Unknown) => Error::Unconfirmed,
        }
    }
}

impl From<PersonError> for Error {
    /// Whoever has looked somebody up by a key answers [`Error::UserNotFound`] with that by themselves.
    fn from(error: PersonError) -> Error {
        match error {
            PersonError::NameTaken(_) => Error::NameTaken,
            PersonError::Write(error) => error.into(),
            PersonError::IdTaken | PersonError::NotFound | PersonError::Deleted => Error::Internal,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_clients_write_them() {
        let table = [
            (0, "PT0S"),
            (300, "PT5M"),
            (14_400, "PT4H"),
            (176_400, "P2DT1H"),
            (86_400, "P1D"),
            (61, "PT1M1S"),
        ];
        for (seconds, text) in table {
            assert_eq!(duration(Duration::from_secs(seconds)), text);
        }
        assert_eq!(duration(Duration::from_millis(1)), "PT0.001S");
    }
}
