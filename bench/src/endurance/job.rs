//! What one request is to be: of which kind, about whom, and when.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, ensure};
use memchr::memmem;

use super::request::Request;
use crate::requests::{Ask, BULK_IDS, scattered, user_id};

/// Bulk reads that take turns.
const BULK_READS: u32 = 500;

/// The fewest bytes that a presence takes in an answer.
const PRESENCE_BYTES_MIN: usize = 100;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// Reads somebody's presence.
    Read,
    /// Reads the presences of as many as one call may name; the user is the number of the call.
    Bulk,
    /// Says of somebody who is available that they still are.
    KeepAlive,
    /// Says of somebody that they are there, in the same words; it shows.
    Appear,
    /// Says that somebody is in a call.
    Call,
    /// Ends somebody's session.
    Leave,
    /// Chooses that somebody is shown as busy.
    Busy,
    /// Chooses that somebody is shown as away.
    Away,
}

/// One request to be made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Job {
    /// When, counted from the beginning; `None`: as soon as somebody is free for it.
    pub(super) due: Option<Duration>,
    pub(super) what: What,
    pub(super) user: u32,
}

/// The bytes of all requests to one server.
pub(super) struct Requests {
    read: Request,
    keep_alive: Request,
    call: Request,
    leave: Request,
    busy: Request,
    away: Request,
    bulk: Vec<Request>,
}

impl What {
    /// Whether it is a write.
    pub(super) fn is_write(self) -> bool {
        match self {
            What::Read | What::Bulk => false,
            What::KeepAlive | What::Appear | What::Call | What::Leave | What::Busy | What::Away => true,
        }
    }

    /// Whether those who watch the user are told of it.
    pub(super) fn shows(self) -> bool {
        matches!(self, What::Appear | What::Busy | What::Away)
    }
}

impl Job {
    /// Refuses an answer that is not one to this.
    pub(super) fn check(&self, body: &[u8]) -> Result<()> {
        match self.what {
            What::Read | What::Busy | What::Away => {
                let id = user_id(self.user);
                ensure!(memmem::find(body, id.as_bytes()).is_some(), "the answer is about somebody else");
            }
            What::Bulk => {
                let bytes_min = BULK_IDS as usize * PRESENCE_BYTES_MIN;
                ensure!(body.len() > bytes_min && body.ends_with(b"]}"), "the answer lacks somebody");
            }
            What::KeepAlive | What::Appear | What::Call | What::Leave => {
                ensure!(body.is_empty(), "the answer has a body");
            }
        }
        Ok(())
    }
}

impl fmt::Display for Job {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?} of user {}", self.what, self.user)
    }
}

impl Requests {
    /// Those to this server, without bulk reads.
    pub(super) fn to(server: SocketAddr) -> Requests {
        let of = |ask: &Ask| Request::of(ask, server);
        Requests {
            read: of(&Ask::presence(0)),
            keep_alive: of(&Ask::set_presence(0)),
            call: of(&Ask::set_in_a_call(0)),
            leave: of(&Ask::clear_presence(0)),
            busy: of(&Ask::patch(0, true)),
            away: of(&Ask::patch(0, false)),
            bulk: Vec::new(),
        }
    }

    /// The same with bulk reads of so many people, at least as many as one call names.
    pub(super) fn with_bulk(server: SocketAddr, people: u32) -> Requests {
        let call = |number: u32| {
            let at = |place: u32| scattered(u64::from(number * BULK_IDS + place), people);
            Request::of(&Ask::bulk_of((0..BULK_IDS).map(at)), server)
        };
        Requests { bulk: (0..BULK_READS).map(call).collect(), ..Requests::to(server) }
    }

    /// Writes down the request that a job is for.
    pub(super) fn write(&self, job: &Job, out: &mut Vec<u8>) {
        match job.what {
            What::Read => self.read.write(job.user, out),
            // Whoever stands in it stays.
            What::Bulk => self.bulk[job.user as usize % self.bulk.len()].write(0, out),
            What::KeepAlive | What::Appear => self.keep_alive.write(job.user, out),
            What::Call => self.call.write(job.user, out),
            What::Leave => self.leave.write(job.user, out),
            What::Busy => self.busy.write(job.user, out),
            What::Away => self.away.write(job.user, out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_about_somebody_else_is_refused() {
        let job = Job { due: None, what: What::Read, user: 7 };
        assert!(job.check(format!(r#"{{"id":"{}"}}"#, user_id(7)).as_bytes()).is_ok());
        assert!(job.check(format!(r#"{{"id":"{}"}}"#, user_id(8)).as_bytes()).is_err());
        let keep_alive = Job { what: What::KeepAlive, ..job };
        assert!(keep_alive.check(b"").is_ok() && keep_alive.check(b"{}").is_err());
    }

    #[test]
    fn a_bulk_read_names_everybody_once() {
        let requests = Requests::with_bulk(SocketAddr::from(([127, 0, 0, 1], 80)), 1_000);
        let mut written = Vec::new();
        requests.write(&Job { due: None, what: What::Bulk, user: 501 }, &mut written);
        let text = String::from_utf8(written).unwrap();
        let (_, body) = text.split_once("\r\n\r\n").unwrap();
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        let ids: std::collections::HashSet<_> =
            body["ids"].as_array().unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(ids.len(), BULK_IDS as usize);
    }
}
