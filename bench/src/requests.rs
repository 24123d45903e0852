//! What is asked of a server: users, paths, headers and bodies.
//!
//! The load script gets its copy of these from [`crate::wrk`], so that its requests and those of
//! [`crate::client`] are the same.

use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;
use std::ops::Range;

use bytes::Bytes;
use hyper::Method;

/// The tenant of dev mode.
pub(crate) const TENANT: &str = "9a2f6c10-5b7e-4a55-8c1d-2f6d0c9f1e77";

/// The demo application, which all requests come from, its users' too. By Graph's documentation its id is its session
/// id as well.
pub(crate) const APPLICATION: &str = "5f0d3b8a-1c2e-4b6f-8a9d-7e6c5b4a3f21";

/// Stands in a path for a user's id.
pub(crate) const ID: &str = "@ID";

/// Where one presence is read.
pub(crate) const PRESENCE: &str = "/v1.0/users/@ID/presence";

/// Where a presence is set.
pub(crate) const SET_PRESENCE: &str = "/v1.0/users/@ID/presence/setPresence";

/// Where a session is ended.
const CLEAR_PRESENCE: &str = "/v1.0/users/@ID/presence/clearPresence";

/// Where the presences of several users are read.
pub(crate) const BULK: &str = "/v1.0/communications/getPresencesByUserId";

/// How many users a bulk read names: as many as it may.
pub(crate) const BULK_IDS: u32 = 650;

/// A keep-alive.
pub(crate) const SET_BODY: &str = r#"{"sessionId":"5f0d3b8a-1c2e-4b6f-8a9d-7e6c5b4a3f21","availability":"Available","activity":"Available","expirationDuration":"PT1H"}"#;

/// What the same session may say next, which shows another presence.
pub(crate) const SET_ANOTHER_BODY: &str = r#"{"sessionId":"5f0d3b8a-1c2e-4b6f-8a9d-7e6c5b4a3f21","availability":"Busy","activity":"InACall","expirationDuration":"PT1H"}"#;

/// Whom dev mode takes a request to come from: the demo application, of its own right.
pub(crate) const AUTHORIZATION: &str = "Bearer dev:5f0d3b8a-1c2e-4b6f-8a9d-7e6c5b4a3f21:";

/// What an SDK sends with every request beside its token, but without an encoding: the sizes of bodies must not depend
/// on a compressor.
pub(crate) const HEADERS: [(&str, &str); 4] = [
    ("Accept", "application/json"),
    ("Accept-Encoding", "identity"),
    ("SdkVersion", "graph-python-core/1.3.5 (featureUsage=0)"),
    ("User-Agent", "python-httpx/0.28.1"),
];

/// The id of the user of this index. The load script computes the same.
pub(crate) fn user_id(index: u32) -> String {
    let scattered = index.wrapping_mul(2_654_435_761);
    format!("{scattered:08x}-0000-4000-8000-{index:012x}")
}

/// The index of the user with this id; `None`: it is nobody's.
pub(crate) fn user_of(id: &str) -> Option<u32> {
    let number = |range: Range<usize>| u32::from_str_radix(id.get(range)?, 16).ok();
    let (scattered, index) = (number(0..8)?, number(28..36)?);
    let middle = id.get(8..28)?;
    let is_one = id.len() == 36 && middle == "-0000-4000-8000-0000";
    (is_one && scattered == index.wrapping_mul(2_654_435_761)).then_some(index)
}

/// Whose turn it is at this place of a round through so many people, which does not follow their indices.
/// Everybody has one turn in as many places as there are people, if that number has no factors but those of
/// ten.
pub(crate) fn scattered(place: u64, people: u32) -> u32 {
    /// It shares no factor with those numbers. The load script has the same.
    const STRIDE: u64 = 40_503;
    (place * STRIDE % u64::from(people)) as u32
}

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) method: Method,
    pub(crate) path: String,
    /// Who asks; `None`: nobody.
    pub(crate) authorization: Option<Cow<'static, str>>,
    pub(crate) headers: &'static [(&'static str, &'static str)],
    pub(crate) body: Bytes,
}

impl Ask {
    /// Reads the presence of one user.
    pub(crate) fn presence(user: u32) -> Ask {
        Ask {
            method: Method::GET,
            path: PRESENCE.replace(ID, &user_id(user)),
            authorization: Some(AUTHORIZATION.into()),
            headers: &HEADERS,
            body: Bytes::new(),
        }
    }

    /// Reads the presence of one user, with a token.
    pub(crate) fn presence_with(token: &str, user: u32) -> Ask {
        Ask { authorization: Some(format!("Bearer {token}").into()), ..Ask::presence(user) }
    }

    /// Reads the presences of the first users.
    pub(crate) fn bulk() -> Ask {
        Ask::bulk_of(0..BULK_IDS)
    }

    /// Reads the presences of these users, as many as one call may name at most.
    pub(crate) fn bulk_of(users: impl IntoIterator<Item = u32>) -> Ask {
        let ids: Vec<String> = users.into_iter().map(user_id).collect();
        let body = format!(r#"{{"ids":["{}"]}}"#, ids.join(r#"",""#));
        Ask {
            method: Method::POST,
            path: BULK.to_owned(),
            authorization: Some(AUTHORIZATION.into()),
            headers: &HEADERS,
            body: body.into(),
        }
    }

    /// Reads the presences of everybody, a page of them.
    pub(crate) fn everybody() -> Ask {
        Ask { path: "/v1.0/communications/presences".to_owned(), ..Ask::presence(0) }
    }

    /// As it goes over the wire.
    pub(crate) fn wire(&self, address: SocketAddr) -> Vec<u8> {
        let mut lines = vec![format!("{} {} HTTP/1.1", self.method, self.path), format!("Host: {address}")];
        lines.extend(self.authorization.iter().map(|value| format!("Authorization: {value}")));
        lines.extend(self.headers.iter().map(|(name, value)| format!("{name}: {value}")));
        if !self.body.is_empty() {
            lines.push("Content-Type: application/json".to_owned());
            lines.push(format!("Content-Length: {}", self.body.len()));
        }
        let head = lines.join("\r\n") + "\r\n\r\n";
        [head.as_bytes(), &self.body].concat()
    }

    /// Keeps a user's session alive.
    pub(crate) fn set_presence(user: u32) -> Ask {
        Ask {
            method: Method::POST,
            path: SET_PRESENCE.replace(ID, &user_id(user)),
            authorization: Some(AUTHORIZATION.into()),
            headers: &HEADERS,
            body: Bytes::from_static(SET_BODY.as_bytes()),
        }
    }

    /// Sets what a user says of themselves: plain text without quotes.
    pub(crate) fn say(user: u32, text: &str) -> Ask {
        let message = format!(r#"{{"message":{{"content":"{text}","contentType":"text"}}}}"#);
        Ask {
            method: Method::POST,
            path: format!("{}/setStatusMessage", PRESENCE.replace(ID, &user_id(user))),
            authorization: Some(AUTHORIZATION.into()),
            headers: &HEADERS,
            body: format!(r#"{{"statusMessage":{message}}}"#).into(),
        }
    }

    /// Keeps a user's session alive, with a token.
    pub(crate) fn set_presence_with(token: &str, user: u32) -> Ask {
        Ask { authorization: Some(format!("Bearer {token}").into()), ..Ask::set_presence(user) }
    }

    /// Keeps a user's session alive while they are in a call.
    pub(crate) fn set_in_a_call(user: u32) -> Ask {
        Ask { body: Bytes::from_static(SET_ANOTHER_BODY.as_bytes()), ..Ask::set_presence(user) }
    }

    /// Ends a user's session.
    pub(crate) fn clear_presence(user: u32) -> Ask {
        Ask {
            path: CLEAR_PRESENCE.replace(ID, &user_id(user)),
            body: format!(r#"{{"sessionId":"{APPLICATION}"}}"#).into(),
            ..Ask::set_presence(user)
        }
    }

    /// Reads the presence of one user, and waits for it to change.
    pub(crate) fn next_presence(user: u32) -> Ask {
        Ask { headers: &[("Prefer", "wait=30")], ..Ask::presence(user) }
    }

    /// Changes what a user shows, and is answered with it.
    pub(crate) fn patch(user: u32, busy: bool) -> Ask {
        let body: &[u8] = if busy {
            br#"{"availability":"Busy","activity":"Busy"}"#
        } else {
            br#"{"availability":"Away","activity":"Away"}"#
        };
        Ask {
            method: Method::PATCH,
            path: PRESENCE.replace(ID, &user_id(user)),
            authorization: Some(AUTHORIZATION.into()),
            headers: &HEADERS,
            body: Bytes::from_static(body),
        }
    }

    /// Asks the server whether it is ready.
    pub(crate) fn health() -> Ask {
        Ask { path: "/porchlight/health".to_owned(), ..Ask::metrics() }
    }

    /// Reads the server's metrics.
    pub(crate) fn metrics() -> Ask {
        Ask {
            method: Method::GET,
            path: "/porchlight/metrics".to_owned(),
            authorization: None,
            headers: &[],
            body: Bytes::new(),
        }
    }

    /// Moves the server's clock forward by an ISO 8601 duration.
    pub(crate) fn advance_clock(by: &str) -> Ask {
        Ask {
            method: Method::POST,
            path: "/porchlight/dev/clock".to_owned(),
            authorization: None,
            headers: &[],
            body: format!(r#"{{"advance":"{by}"}}"#).into(),
        }
    }
}

impl fmt::Display for Ask {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.method, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_those_of_the_load_script() {
        // Printed by string.format("%08x-0000-4000-8000-%012x", (i * 2654435761) % 4294967296, i) in LuaJIT.
        assert_eq!(user_id(1), "9e3779b1-0000-4000-8000-000000000001");
        assert_eq!(user_id(1_234_567), "5d6d2257-0000-4000-8000-00000012d687");
        assert_eq!(user_of(&user_id(1_234_567)), Some(1_234_567));
        assert_eq!(user_of("5d6d2257-0000-4000-8000-00000012d688"), None);
    }

    #[test]
    fn a_request_on_the_wire_has_its_token_and_its_length() {
        let wire = Ask::set_presence(1).wire(SocketAddr::from(([127, 0, 0, 1], 80)));
        let text = String::from_utf8(wire).unwrap();
        assert!(text.starts_with(
            "POST /v1.0/users/9e3779b1-0000-4000-8000-000000000001/presence/setPresence HTTP/1.1\r\n"
        ));
        assert!(text.contains(&format!("\r\nAuthorization: {AUTHORIZATION}\r\n")));
        assert!(text.ends_with(&format!("\r\nContent-Length: {}\r\n\r\n{SET_BODY}", SET_BODY.len())));
    }

    #[test]
    fn a_keep_alive_names_the_application_as_its_session() {
        assert!([SET_BODY, SET_ANOTHER_BODY, AUTHORIZATION].iter().all(|text| text.contains(APPLICATION)));
    }
}
