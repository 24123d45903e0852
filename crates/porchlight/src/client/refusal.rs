//! What a server has refused, for whoever asked: what it says, and what to do.

use std::fmt::Write;

use http::StatusCode;
use serde_json::Value;

use super::remote::{Answer, Remote};
use crate::exit::{Failure, NO_SUCH, NOT_PERMITTED, UNAVAILABLE, USAGE};

/// The failure of a command whose request was answered so. Its text has a line for what the server says, and one for each
/// thing that helps.
pub(super) fn failure(answer: &Answer, remote: &Remote) -> Failure {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let error = &body["error"];
    let host = remote.host();
    let status = answer.status.as_u16();
    // SCIM's errors have a form of their own.
    let mut text = match error["message"].as_str().or(body["detail"].as_str()) {
        Some(message) => message.trim().to_owned(),
        None => format!("{host} has answered {}", answer.status),
    };
    let hint = error["innerError"]["hint"].as_str().map(str::to_owned);
    for advice in [hint, advice(answer, remote)].into_iter().flatten() {
        write!(text, "\n  {advice}").ok();
    }
    let code = error["code"].as_str().unwrap_or_default();
    let request = answer.header("request-id").or(error["innerError"]["request-id"].as_str());
    let request = request.map_or_else(String::new, |id| format!(", request {id}"));
    let what = format!("{status} {code}");
    write!(text, "\n  ({host}: {}{request})", what.trim_end()).ok();
    Failure::new(exit_code(answer.status), anyhow::Error::msg(text))
}

fn exit_code(status: StatusCode) -> u8 {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => NOT_PERMITTED,
        StatusCode::NOT_FOUND => NO_SUCH,
        status if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS => USAGE,
        _ => UNAVAILABLE,
    }
}

/// What to do about it, where the server's own words do not say.
fn advice(answer: &Answer, remote: &Remote) -> Option<String> {
    let wait = answer.header("retry-after").and_then(|seconds| seconds.trim().parse::<u64>().ok());
    let again = || match wait {
        Some(seconds) => format!("try again in {seconds} s"),
        None => "try again later".to_owned(),
    };
    match answer.status {
        StatusCode::UNAUTHORIZED => Some(match remote.made_up_for() {
            Some(who) => format!(
                "--as {who} works with a development server (porchlight serve --dev) whose directory has that person"
            ),
            None => {
                "get a new access token; of a development server by porchlight token, or use --as".to_owned()
            }
        }),
        StatusCode::FORBIDDEN => Some(
            "use a token that has the permission; docs/PERMISSIONS.md says which calls need which".to_owned(),
        ),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => Some(again()),
        status if status.is_redirection() => answer.header("location").map(|place| {
            format!("redirects are not followed: name the server by --url; it points to {place}")
        }),
        status if status.is_server_error() => {
            Some("the log of the server says more, under the id of the request".to_owned())
        }
        _ => None,
    }
}
