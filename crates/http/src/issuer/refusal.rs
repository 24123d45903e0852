//! Why the issuer does not do what it was asked: the table of errors, their numbers and their texts.
//!
//! The shape is that of RFC 6749 5.2; members beyond it, the numbers and most of the first sentences are those that the
//! original's identity platform answers with, since programs look for them. What follows says what to change.

use std::borrow::Cow;

use http::StatusCode;
use http::header::{HeaderValue, WWW_AUTHENTICATE};
use porchlight_presence::{ApplicationId, TenantId, Timestamp};
use serde_json::json;

use super::{ACCESS_TOKEN_LIFE_MAX, PARAMETER_BYTES_MAX, PARAMETERS_MAX};
use crate::error::shown;
use crate::reply::{Reply, RequestIds};
use crate::wire::date_time;
use crate::wire::presence::instant;

/// Why the issuer refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    ParameterMissing(&'static str),
    ParameterRepeated(String),
    ParameterTooLong(String),
    ParameterUnreadable,
    ParametersTooMany,
    /// The body is something else than a form.
    NotAForm,
    /// What the path calls the tenant, and the one that there is.
    TenantUnknown {
        name: String,
        tenant: TenantId,
    },
    /// Only people of the tenant sign in here, and no personal accounts.
    PersonalAccounts,
    ApplicationNotGuid(String),
    /// The `Authorization` header cannot be read.
    BasicUnreadable,
    /// The `Authorization` header and the body name two applications.
    TwoApplications,
    SecretMissing,
    GrantUnsupported(String),
    PersonUnknown(String),
    PersonDisabled(String),
    /// There is nobody whom a device code could be for.
    NobodyThere,
    /// It was never issued, was redeemed, or has expired.
    CodeInvalid,
    /// It was issued to another application.
    CodeOfAnother(ApplicationId),
    RedirectDiffers {
        given: String,
        expected: String,
    },
    VerifierMissing,
    VerifierWrong,
    VerifierUnexpected,
    DeviceCodeInvalid,
    RefreshTokenInvalid,
    RefreshTokenExpired,
    LifeOutOfRange,
    ResponseTypeUnsupported(String),
    ResponseModeUnsupported(String),
    ChallengeMethod(String),
    ChallengeLength,
    RedirectUnusable(String),
    /// It was asked for without a page, and nobody is named.
    LoginRequired,
    /// Whoever was asked did not want to.
    Declined,
    InstanceUnknown(String),
}

/// What a refusal is on the wire.
struct Row {
    /// OAuth's name of the error.
    error: &'static str,
    /// The number behind `AADSTS`.
    number: u32,
    text: Cow<'static, str>,
}

fn row(error: &'static str, number: u32, text: impl Into<Cow<'static, str>>) -> Row {
    Row { error, number, text: text.into() }
}

impl Refusal {
    /// OAuth's name of the error.
    pub(super) fn error(&self) -> &'static str {
        self.row().error
    }

    /// Number and text.
    pub(super) fn description(&self) -> String {
        let row = self.row();
        format!("AADSTS{}: {}", row.number, row.text)
    }

    /// The refusal as an answer.
    pub(super) fn reply(&self, ids: &RequestIds, now: Timestamp) -> Reply {
        let client = ids.client.to_str().unwrap_or_default();
        let body = json!({
            "error": self.error(),
            "error_description": self.description(),
            "error_codes": [self.row().number],
            "timestamp": timestamp(now),
            "trace_id": ids.request.to_string(),
            "correlation_id": client,
        });
        let mut reply = Reply { status: self.status(), ..Reply::json(&body) };
        if *self == Refusal::BasicUnreadable {
            reply.headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(r#"Basic realm="""#));
        }
        reply
    }

    /// Source: RFC 6749 5.2.
    fn status(&self) -> StatusCode {
        if self.error() == "invalid_client" { StatusCode::UNAUTHORIZED } else { StatusCode::BAD_REQUEST }
    }

    #[expect(clippy::too_many_lines, reason = "one table, one row after another")]
    fn row(&self) -> Row {
        match self {
            Refusal::ParameterMissing(name) => row(
                "invalid_request",
                900_144,
                format!("The request must contain the following parameter: '{name}'."),
            ),
            Refusal::ParameterRepeated(name) => row(
                "invalid_request",
                9_000_411,
                format!(
                    "The request is not properly formatted. The parameter '{}' is duplicated.",
                    shown(name)
                ),
            ),
            Refusal::ParameterTooLong(name) => row(
                "invalid_request",
                90_015,
                format!("The parameter '{}' is longer than {PARAMETER_BYTES_MAX} bytes.", shown(name)),
            ),
            Refusal::ParameterUnreadable => {
                row("invalid_request", 90_013, "A parameter is not UTF-8 once it is decoded.")
            }
            Refusal::ParametersTooMany => row(
                "invalid_request",
                90_013,
                format!("A request can have at most {PARAMETERS_MAX} parameters."),
            ),
            Refusal::NotAForm => row(
                "invalid_request",
                900_144,
                "The request body must be a form: send the parameters as application/x-www-form-urlencoded.",
            ),
            Refusal::TenantUnknown { name, tenant } => row(
                "invalid_request",
                90_002,
                format!(
                    "Tenant '{}' not found. This development server has the tenant {tenant}; 'common', \
                     'organizations' and the domains of its people mean it too.",
                    shown(name)
                ),
            ),
            Refusal::PersonalAccounts => row(
                "invalid_request",
                9_002_332,
                "Personal accounts do not sign in here. Do not use the /consumers endpoint; use /common.",
            ),
            Refusal::ApplicationNotGuid(name) => row(
                "unauthorized_client",
                700_016,
                format!(
                    "Application with identifier '{}' was not found in the directory. The identifier of an \
                     application is a GUID; here any GUID will do.",
                    shown(name)
                ),
            ),
            Refusal::BasicUnreadable => row(
                "invalid_client",
                7_000_218,
                "The Authorization header must be 'Basic' and the base64 of 'client_id:client_secret'.",
            ),
            Refusal::TwoApplications => row(
                "invalid_request",
                90_013,
                "The Authorization header and the parameter 'client_id' name different applications.",
            ),
            Refusal::SecretMissing => row(
                "invalid_client",
                7_000_218,
                "The request body must contain the following parameter: 'client_assertion' or 'client_secret'. \
                 Here any value will do.",
            ),
            Refusal::GrantUnsupported(name) => row(
                "unsupported_grant_type",
                70_003,
                format!(
                    "The app requested an unsupported grant type '{}'. Supported: client_credentials, password, \
                     authorization_code, refresh_token, urn:ietf:params:oauth:grant-type:device_code.",
                    shown(name)
                ),
            ),
            Refusal::PersonUnknown(name) => row(
                "invalid_grant",
                50_034,
                format!(
                    "The user account '{}' does not exist in the directory. Name a person by their user principal \
                     name, by what stands before its @, or by their id.",
                    shown(name)
                ),
            ),
            Refusal::PersonDisabled(name) => {
                row("invalid_grant", 50_057, format!("The user account '{}' is disabled.", shown(name)))
            }
            Refusal::NobodyThere => row(
                "invalid_grant",
                50_034,
                "There is nobody in the directory for whom the device code could be approved.",
            ),
            Refusal::CodeInvalid => row(
                "invalid_grant",
                70_008,
                "The provided authorization code is not valid. A code is good once, for ten minutes, and until the \
                 server stops: begin again at the authorize endpoint.",
            ),
            Refusal::CodeOfAnother(application) => row(
                "invalid_grant",
                70_000,
                format!("The provided grant was issued to the application {application}."),
            ),
            Refusal::RedirectDiffers { given, expected } => row(
                "invalid_grant",
                500_112,
                format!(
                    "The reply address '{}' does not match the reply address '{}' provided when requesting the \
                     authorization code.",
                    shown(given),
                    shown(expected)
                ),
            ),
            Refusal::VerifierMissing => row(
                "invalid_grant",
                501_481,
                "The code was requested with a code_challenge: the request must contain its 'code_verifier'.",
            ),
            Refusal::VerifierWrong => row(
                "invalid_grant",
                501_481,
                "The code_verifier does not match the code_challenge supplied in the authorization request.",
            ),
            Refusal::VerifierUnexpected => row(
                "invalid_grant",
                501_481,
                "There is a code_verifier, but the code was requested without a code_challenge.",
            ),
            Refusal::DeviceCodeInvalid => row(
                "bad_verification_code",
                7_000_014,
                "The provided value for the input parameter 'device_code' is not valid. A code is good once, for \
                 fifteen minutes, and until the server stops.",
            ),
            Refusal::RefreshTokenInvalid => row(
                "invalid_grant",
                70_000,
                "The provided refresh token is malformed, or was issued by another server.",
            ),
            Refusal::RefreshTokenExpired => {
                row("invalid_grant", 700_082, "The refresh token has expired. It was good for 24 hours.")
            }
            Refusal::LifeOutOfRange => row(
                "invalid_request",
                90_013,
                format!(
                    "The parameter 'porchlight_expires_in' must be a whole number of seconds from 1 to {}.",
                    ACCESS_TOKEN_LIFE_MAX.as_secs()
                ),
            ),
            Refusal::ResponseTypeUnsupported(name) => row(
                "unsupported_response_type",
                70_005,
                format!("The response type '{}' is not supported. Supported: code.", shown(name)),
            ),
            Refusal::ResponseModeUnsupported(name) => row(
                "invalid_request",
                70_007,
                format!(
                    "The response mode '{}' is not supported. Supported: query, fragment, form_post.",
                    shown(name)
                ),
            ),
            Refusal::ChallengeMethod(name) => row(
                "invalid_request",
                501_491,
                format!(
                    "The code_challenge_method '{}' is not supported. Supported: S256, plain.",
                    shown(name)
                ),
            ),
            Refusal::ChallengeLength => {
                row("invalid_request", 501_491, "The code_challenge must have 43 to 128 characters.")
            }
            Refusal::RedirectUnusable(uri) => row(
                "invalid_request",
                50_011,
                format!(
                    "The redirect URI '{}' cannot be used. It must be absolute, without a fragment, percent-encoded \
                     where it is not ASCII, and no javascript, data or vbscript.",
                    shown(uri)
                ),
            ),
            Refusal::LoginRequired => row(
                "login_required",
                50_058,
                "A silent sign-in request was sent but no user is signed in. Name a person of the directory in \
                 'login_hint', or leave 'prompt' out.",
            ),
            Refusal::Declined => row("access_denied", 65_004, "User declined to consent to access the app."),
            Refusal::InstanceUnknown(url) => row(
                "invalid_instance",
                50_049,
                format!("Unknown or invalid instance '{}'. This server knows itself only.", shown(url)),
            ),
        }
    }
}

/// An instant as the original writes it here: `2027-01-15 09:57:12Z`.
fn timestamp(now: Timestamp) -> String {
    let mut text = Vec::new();
    date_time::write_local(instant(now), &mut text);
    text.truncate("2027-01-15T09:57:12".len());
    String::from_utf8_lossy(&text).replace('T', " ") + "Z"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_have_no_letter_between_date_and_time() {
        assert_eq!(timestamp(Timestamp::from_millis(1_700_000_000_123)), "2023-11-14 22:13:20Z");
    }
}
