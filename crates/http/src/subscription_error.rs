//! The errors of subscriptions: their table of status, code and message.
//!
//! Source: subscriptions-and-auth 8.2; the row numbers are its.

use std::borrow::Cow;

use http::StatusCode;
use porchlight_notify::{CertificateError, Invalid, UrlError, ValidationError};
use porchlight_presence::{ApplicationId, TenantId};
use uuid::Uuid;

use crate::auth::Permissions;
use crate::error::{Row, shown};

/// What is wrong with a subscription, or with what is to become one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum SubscriptionError {
    /// E2: the property that is not known, or whose value is of a wrong type.
    Payload(String),
    /// E3: the property.
    Missing(&'static str),
    /// Section 4.8.
    LifecycleUrlMissing,
    /// Sections 13.7 and 19.4: a property of Graph's that is not for presence here.
    PropertyNotSupported(&'static str),
    /// A value that is not supported, and those that are.
    ValueNotSupported { property: &'static str, supported: &'static str },
    /// E4: the property, and what is wrong with its value.
    BadUrl { property: &'static str, cause: UrlError },
    /// E5: the property and its limit.
    TooLong { property: &'static str, max: usize },
    /// E6: the value.
    ChangeType(String),
    /// E7: how many minutes ahead the end may lie.
    EndsTooLate { minutes: u64 },
    /// E8.
    EndsInThePast,
    /// E9.
    Workload,
    /// E10.
    FilterClause,
    /// E10 as well: nobody has this user principal name.
    NameUnknown,
    /// E11: how many users there may be.
    TooManyUsers(usize),
    /// E12.
    NotFound,
    /// E13: what the caller wanted, which permissions would do, and which there are.
    Forbidden { operation: Operation, required: Permissions, present: Permissions },
    /// E14.
    BadCertificate(CertificateError),
    /// E15.
    CertificateMissing,
    /// E16: the subscription that is there already.
    Duplicate(Uuid),
    /// E17.
    Another,
    /// E18: whose limit, and how many there may be.
    TooMany { application: ApplicationId, tenant: TenantId, max: usize },
    /// E19 to E21.
    Endpoint(ValidationError),
    /// E22.
    NothingToUpdate,
    /// Section 10.4: the property.
    Fixed(String),
}

/// What a caller wants to do with a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Create,
    Read,
    Update,
    Delete,
}

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Operation::Create => "Create",
            Operation::Read => "Read",
            Operation::Update => "Update",
            Operation::Delete => "Delete",
        }
    }
}

fn invalid(message: impl Into<Cow<'static, str>>) -> Row {
    Row::new(StatusCode::BAD_REQUEST, "InvalidRequest", message)
}

/// What the original's part for presence answers, in the words of the part that asked it.
fn workload(operation: Operation, status: StatusCode, reason: &str) -> Row {
    let (operation, name) =
        (operation.name(), status.canonical_reason().unwrap_or_default().replace(' ', ""));
    let message = format!("Operation: {operation}; Exception: [Status Code: {name}; Reason: {reason}]");
    Row::new(status, "ExtensionError", message)
}

impl SubscriptionError {
    /// The row of the table.
    pub(crate) fn row(&self) -> Row {
        use Operation::Create;
        const BAD: StatusCode = StatusCode::BAD_REQUEST;
        match self {
            SubscriptionError::Payload(property) => invalid(
                "Could not process subscription creation payload. Are all property names spelled and camelCased properly?",
            )
            .hint(format!("'{}' is not known, or its value is of a wrong type", shown(property))),
            SubscriptionError::Missing(property) => {
                invalid(format!("The '{property}' property is required for subscription creation."))
            }
            SubscriptionError::LifecycleUrlMissing => invalid(
                "The 'lifecycleNotificationUrl' property is required when the subscription expires more than 1 hour in the future.",
            ),
            SubscriptionError::PropertyNotSupported(property) => {
                invalid(format!("The '{property}' property is not supported for this resource."))
            }
            SubscriptionError::ValueNotSupported { property, supported } => {
                invalid(format!("The '{property}' value is not supported. Supported: {supported}."))
            }
            SubscriptionError::BadUrl { property, cause } => {
                invalid(format!("The '{property}' value must be an absolute HTTPS URL.")).hint(cause.to_string())
            }
            SubscriptionError::TooLong { property, max } => {
                invalid(format!("The '{property}' value exceeds the maximum length of {max} characters."))
            }
            SubscriptionError::ChangeType(value) => invalid(format!(
                "The changeType '{}' is not supported for this resource. Supported: updated.",
                shown(value)
            )),
            SubscriptionError::EndsTooLate { minutes } => Row::new(
                BAD,
                "ExtensionError",
                format!("Subscription expiration can only be {minutes} minutes in the future."),
            ),
            SubscriptionError::EndsInThePast => invalid("Subscription expiration must be in the future."),
            SubscriptionError::Workload => workload(Create, BAD, "Unsupported workload."),
            SubscriptionError::FilterClause => workload(Create, BAD, "Invalid filter clause.").hint(
                "write communications/presences/{id} or communications/presences?$filter=id in ('{id}','{id}')",
            ),
            SubscriptionError::NameUnknown => {
                workload(Create, BAD, "Invalid filter clause.").hint("nobody has this user principal name")
            }
            SubscriptionError::TooManyUsers(max) => workload(
                Create,
                BAD,
                &format!("A maximum of {max} users is allowed in one presence subscription."),
            ),
            SubscriptionError::NotFound => {
                Row::new(StatusCode::NOT_FOUND, "ResourceNotFound", "The object was not found.")
            }
            SubscriptionError::Forbidden { operation, .. } => workload(
                *operation,
                StatusCode::FORBIDDEN,
                "The request is not authorized for this user or application.",
            ),
            SubscriptionError::BadCertificate(cause) => {
                invalid("Certificate validation error: Cannot find the requested object.").hint(cause.to_string())
            }
            SubscriptionError::CertificateMissing => invalid(
                "The 'encryptionCertificate' and 'encryptionCertificateId' properties are required when 'includeResourceData' is true.",
            ),
            SubscriptionError::Duplicate(id) => Row::new(
                StatusCode::CONFLICT,
                "ObjectIdentifierInUse",
                format!("Subscription Id {id} already exists for the requested combination"),
            ),
            SubscriptionError::Another => workload(
                Create,
                StatusCode::CONFLICT,
                "A subscripton already exists. It must be deleted before a another can be made.",
            ),
            SubscriptionError::TooMany { application, tenant, max } => workload(
                Create,
                StatusCode::FORBIDDEN,
                &format!(
                    "App '{application}' has reached its limit of '{max}' 'PRESENCE' subscription on tenant '{tenant}'"
                ),
            ),
            SubscriptionError::Endpoint(error) => Row::new(BAD, "ValidationError", validation(error.check)),
            SubscriptionError::NothingToUpdate => invalid(
                "Subscription must contain either the 'expirationDateTime' or 'notificationUrl' property and its value.",
            ),
            SubscriptionError::Fixed(property) => {
                invalid(format!("The '{}' property cannot be updated.", shown(property)))
            }
        }
    }
}

/// E19 to E21.
fn validation(check: Invalid) -> &'static str {
    match check {
        Invalid::Timeout => "Subscription validation request timed out.",
        Invalid::Mismatch => {
            "Subscription validation request failed. Response must exactly match validationToken query parameter."
        }
        Invalid::Name
        | Invalid::Address
        | Invalid::Connection
        | Invalid::Tls
        | Invalid::Status
        | Invalid::ContentType => {
            "Subscription validation request failed. Notification endpoint must respond with 200 OK to validation request."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_the_originals_letter_by_letter() {
        let many = SubscriptionError::TooMany {
            application: ApplicationId(Uuid::nil()),
            tenant: TenantId(Uuid::nil()),
            max: 100,
        };
        let (nil, none) = (Uuid::nil(), Permissions::default());
        let table = [
            (
                SubscriptionError::EndsTooLate { minutes: 60 },
                400,
                "Subscription expiration can only be 60 minutes in the future.".to_owned(),
            ),
            (
                SubscriptionError::Workload,
                400,
                "Operation: Create; Exception: [Status Code: BadRequest; Reason: Unsupported workload.]".to_owned(),
            ),
            (
                SubscriptionError::Forbidden { operation: Operation::Update, required: none, present: none },
                403,
                "Operation: Update; Exception: [Status Code: Forbidden; Reason: The request is not authorized for this user or application.]".to_owned(),
            ),
            (
                SubscriptionError::Duplicate(nil),
                409,
                format!("Subscription Id {nil} already exists for the requested combination"),
            ),
            (
                SubscriptionError::Another,
                409,
                "Operation: Create; Exception: [Status Code: Conflict; Reason: A subscripton already exists. It must be deleted before a another can be made.]".to_owned(),
            ),
            (
                many,
                403,
                format!("Operation: Create; Exception: [Status Code: Forbidden; Reason: App '{nil}' has reached its limit of '100' 'PRESENCE' subscription on tenant '{nil}']"),
            ),
        ];
        for (error, status, message) in table {
            let row = error.row();
            assert_eq!((row.status.as_u16(), &*row.message), (status, message.as_str()));
        }
    }
}
