//! `porchlight set`, `clear`, `prefer`, `status-message` and `out-of-office`: changing a presence.

use std::time::Duration;

use anyhow::anyhow;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{Method, StatusCode};
use jiff::Timestamp;
use porchlight_http::Development;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{look, people, say_json, when};
use crate::cli::{ClearFlags, OutOfOfficeFlags, PreferFlags, SetFlags, StatusMessageFlags};
use crate::client::{Answer, Client, Remote, ServerFlags};
use crate::exit::{Failure, USAGE};
use crate::say;

/// The presence that is changed, and how what comes of it is shown.
struct Presence {
    client: Client,
    /// Below the version.
    path: String,
    json: bool,
}

/// `porchlight set`
pub(crate) fn set(flags: &SetFlags) -> Result<(), Failure> {
    let presence = Presence::of(&flags.server, flags.user.as_deref())?;
    let mut body = json!({
        "sessionId": presence.session(flags.session, flags.user.is_some())?,
        "availability": flags.pair.availability.name(),
        "activity": flags.pair.activity.name(),
    });
    if let Some(life) = flags.life {
        body["expirationDuration"] = when::iso(life).into();
    }
    let end = flags.life.map(|life| presence.after(life)).transpose()?;
    let answer = presence.post("setPresence", &body)?;
    presence.say(&answer, &presence.with_end(&format!("set {}", flags.pair), end))
}

/// `porchlight clear`
pub(crate) fn clear(flags: &ClearFlags) -> Result<(), Failure> {
    let presence = Presence::of(&flags.server, flags.user.as_deref())?;
    let session = presence.session(flags.session, flags.user.is_some())?;
    let answer = presence.post("clearPresence", &json!({"sessionId": session}))?;
    presence.say(&answer, &format!("the session {session} is cleared"))
}

/// `porchlight prefer`
pub(crate) fn prefer(flags: &PreferFlags) -> Result<(), Failure> {
    let presence = Presence::of(&flags.server, flags.user.as_deref())?;
    let Some(pair) = flags.pair.filter(|_| !flags.clear) else {
        let answer = presence.post("clearUserPreferredPresence", &json!({}))?;
        return presence.say(&answer, "nothing is preferred any more");
    };
    let mut body = json!({"availability": pair.availability.name(), "activity": pair.activity.name()});
    if let Some(life) = flags.life {
        body["expirationDuration"] = when::iso(life).into();
    }
    let end = flags.life.map(|life| presence.after(life)).transpose()?;
    let answer = presence.post("setUserPreferredPresence", &body)?;
    presence.say(&answer, &presence.with_end(&format!("preferred is {pair}"), end))
}

/// `porchlight status-message`
pub(crate) fn status_message(flags: &StatusMessageFlags) -> Result<(), Failure> {
    let presence = Presence::of(&flags.server, flags.user.as_deref())?;
    let until = |until: when::Until| {
        until.after(&when::here(presence.client.now())).map_err(|error| Failure::new(USAGE, error))
    };
    let end = match flags.life {
        Some(life) => Some(presence.after(life)?),
        None => flags.until.map(until).transpose()?,
    };
    // Nothing is how a message is taken back.
    let text = flags.text.as_deref().filter(|_| !flags.clear).unwrap_or_default();
    let mut message = json!({"message": {"content": text, "contentType": "text"}});
    if let Some(end) = end {
        let utc = end.strftime("%Y-%m-%dT%H:%M:%S").to_string();
        message["expiryDateTime"] = json!({"dateTime": utc, "timeZone": "UTC"});
    }
    let answer = presence.post("setStatusMessage", &json!({"statusMessage": message}))?;
    if text.is_empty() {
        return presence.say(&answer, "the status message is cleared");
    }
    presence.say(&answer, &presence.with_end("the status message is set", end))
}

/// `porchlight out-of-office`
pub(crate) fn out_of_office(flags: &OutOfOfficeFlags) -> Result<(), Failure> {
    let presence = Presence::of(&flags.server, flags.user.as_deref())?;
    let settings = if flags.off {
        json!({"isOutOfOffice": false})
    } else {
        json!({"isOutOfOffice": true, "message": flags.message})
    };
    let body = json!({"outOfOfficeSettings": settings});
    let answer = presence.client.ask(Method::PATCH, &presence.path, Some(&body))?;
    let is_unheard_of =
        [StatusCode::METHOD_NOT_ALLOWED, StatusCode::NOT_IMPLEMENTED].contains(&answer.status);
    if is_unheard_of {
        let host = presence.client.host();
        return Err(Failure::new(
            USAGE,
            anyhow!(
                "{host} takes no out-of-office settings\n  \
                 the original has them from the mailbox: set automatic replies there"
            ),
        ));
    }
    let answer = presence.client.remote().expect_success(answer)?;
    presence.say(&answer, if flags.off { "not out of office any more" } else { "out of office" })
}

impl Presence {
    fn of(flags: &ServerFlags, user: Option<&str>) -> Result<Presence, Failure> {
        let client = Client::of(flags)?;
        let path = client.wait(people::path_of(client.remote(), user))?;
        Ok(Presence { client, path, json: flags.json })
    }

    fn post(&self, action: &str, body: &Value) -> Result<Answer, Failure> {
        self.client.call(Method::POST, &format!("{}/{action}", self.path), Some(body))
    }

    /// When something ends that begins now.
    fn after(&self, life: Duration) -> Result<Timestamp, Failure> {
        self.client.now().checked_add(life).map_err(|error| Failure::new(USAGE, error))
    }

    /// What was done, and until when it holds.
    fn with_end(&self, what: &str, end: Option<Timestamp>) -> String {
        let until = |end| format!("{what} until {}", when::at(end, &when::here(self.client.now())));
        end.map_or_else(|| what.to_owned(), until)
    }

    /// The session that is meant: unless another is named, the application's own.
    fn session(&self, given: Option<Uuid>, is_for_another: bool) -> Result<Uuid, Failure> {
        let own = || application(self.client.remote(), is_for_another);
        given.or_else(own).ok_or_else(|| {
            Failure::usage("the token does not say which application it is for: name its id by --session")
        })
    }

    /// Says what was done, and what others see now; in JSON the presence as it is now.
    fn say(&self, answer: &Answer, what: &str) -> Result<(), Failure> {
        if self.json {
            let now = self.client.call(Method::GET, &self.path, None)?;
            say_json(&now.json()?);
            return Ok(());
        }
        say(what);
        if let Some((pair, decider)) = answer.header("porchlight-effective").and_then(effective) {
            say(&format!("shown is {}, {decider}", look::pair(&pair)));
        }
        Ok(())
    }
}

/// What others see after a write, as `Busy/InACall; by=sessions` says it, and why.
fn effective(header: &str) -> Option<(Value, &'static str)> {
    let (pair, decider) = header.split_once("; by=")?;
    let (availability, activity) = pair.split_once('/')?;
    let why = match decider {
        "hidden" => "since the account is disabled",
        "preferred" => "since that is preferred",
        "sessions" => "by the strongest session",
        "outOfOffice" => "since that is set",
        "nothing" => "since no session lives",
        _ => return None,
    };
    Some((json!({"availability": availability, "activity": activity}), why))
}

/// The application that the token was issued to, as far as that can be read.
fn application(remote: &Remote, is_for_another: bool) -> Option<Uuid> {
    let token = remote.token()?;
    match token.strip_prefix("dev:") {
        Some(rest) => Some(development_application(rest, is_for_another)),
        None => issued_to(token),
    }
}

/// The application of development's `WHO:PERMISSIONS`: the one behind an @, one that is itself who asks, or the demo one.
fn development_application(rest: &str, is_for_another: bool) -> Uuid {
    let who = rest.split(':').next().unwrap_or_default();
    let named = who.rsplit('@').next().and_then(|id| Uuid::try_parse(id).ok());
    // An id alone may be a person's as well; but people write their own presence only.
    let named = named.filter(|_| is_for_another || who.contains('@'));
    named.unwrap_or(Development::APPLICATION.0)
}

/// The application in the claims of a signed token.
fn issued_to(token: &str) -> Option<Uuid> {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    ["azp", "appid", "client_id"].iter().find_map(|claim| Uuid::try_parse(claims[*claim].as_str()?).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const APP: &str = "aaaaaaaa-0000-4000-8000-00000000000a";

    #[test]
    fn the_application_is_read_from_its_token() {
        let token = |claims: &Value| format!("e30.{}.x", URL_SAFE_NO_PAD.encode(claims.to_string()));
        let app = Uuid::try_parse(APP).ok();
        assert_eq!(issued_to(&token(&json!({"azp": APP}))), app);
        assert_eq!(issued_to(&token(&json!({"appid": APP, "oid": "x"}))), app);
        assert_eq!(issued_to(&token(&json!({"oid": APP}))), None);
        for token in ["", "plk_x", "a.b.c", "e30.e30"] {
            assert_eq!(issued_to(token), None, "{token}");
        }
    }

    #[test]
    fn development_tokens_name_an_application_or_mean_the_demo_one() {
        let demo = Development::APPLICATION.0.to_string();
        let (through_app, app) = (format!("ada@{APP}:"), format!("{APP}:"));
        let table: [(&str, bool, &str); 5] = [
            ("ada:", false, &demo),
            ("ada@porchlight.example:Presence.Read", false, &demo),
            (&through_app, false, APP),
            (&app, true, APP),
            (&app, false, &demo),
        ];
        for (rest, is_for_another, expected) in table {
            assert_eq!(development_application(rest, is_for_another).to_string(), expected, "{rest}");
        }
    }

    #[test]
    fn what_others_see_is_told_with_the_reason() {
        let (pair, why) = effective("DoNotDisturb/Presenting; by=sessions").unwrap();
        assert_eq!(
            (look::pair(&pair).as_str(), why),
            ("Do not disturb, presenting", "by the strongest session")
        );
        for other in ["", "Busy", "Busy/Busy", "Busy; by=sessions", "Busy/Busy; by=magic"] {
            assert!(effective(other).is_none(), "{other}");
        }
    }
}
