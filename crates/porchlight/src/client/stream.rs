//! A stream of server-sent events that outlives its connections.

use std::time::Duration;

use http::StatusCode;
use http::header::CONTENT_TYPE;
use http_body_util::BodyExt;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::events::{Event, Parser};
use super::remote::Remote;
use crate::exit::{Failure, UNAVAILABLE};

/// How long to wait before the first attempt to come back; then twice as long each time.
const PAUSE_MIN: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// After so long without a word the connection is dead: three times what Porchlight is ever silent for by itself.
const SILENCE_MAX: Duration = Duration::from_secs(45);

/// How much may wait to be read; then the server waits, and skips what is over.
const WAITING_MAX: usize = 256;

/// What a stream tells.
#[derive(Debug)]
pub(crate) enum Told {
    /// The connection stands, for the first time or again.
    Open,
    Event(Event),
    /// The connection is lost, and why. It will come back.
    Away(String),
    /// The server has no streams. Nothing more will come.
    NoStreams,
    /// The server refuses. Nothing more will come.
    Refused(Failure),
}

impl Remote {
    /// Follows the stream at this path, and goes on where it was cut when the connection breaks. It ends when the
    /// receiver is dropped. Must be called in [`super::Client::wait`].
    pub(crate) fn stream(&self, path: &str) -> mpsc::Receiver<Told> {
        let (told, heard) = mpsc::channel(WAITING_MAX);
        let (remote, path) = (self.clone(), path.to_owned());
        tokio::spawn(async move {
            // An error means that nobody listens any more.
            follow(&remote, &path, &told).await.ok();
        });
        heard
    }
}

type Heard<T> = Result<T, mpsc::error::SendError<Told>>;

async fn follow(remote: &Remote, path: &str, told: &mpsc::Sender<Told>) -> Heard<()> {
    let mut parser = Parser::default();
    let mut pause = PAUSE_MIN;
    loop {
        match listen(remote, path, &mut parser, told).await? {
            End::Broken { why, has_told } => {
                if has_told {
                    pause = PAUSE_MIN;
                }
                told.send(Told::Away(why)).await?;
            }
            End::ForGood(last) => return told.send(last).await,
        }
        sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// How a connection has ended.
enum End {
    /// It can come back. `has_told`: there was an event. That it stood is not enough: a server that ends every
    /// connection at once would be asked as often as can be.
    Broken {
        why: String,
        has_told: bool,
    },
    ForGood(Told),
}

/// Listens for as long as the connection stands.
async fn listen(remote: &Remote, path: &str, parser: &mut Parser, told: &mpsc::Sender<Told>) -> Heard<End> {
    parser.restart();
    let response = match remote.open(path, parser.last_id()).await {
        Ok(response) => response,
        Err(failure) => return Ok(End::Broken { why: failure.to_string(), has_told: false }),
    };
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    match response.status() {
        StatusCode::OK if kind.starts_with("text/event-stream") => {}
        StatusCode::OK
        | StatusCode::NOT_FOUND
        | StatusCode::METHOD_NOT_ALLOWED
        | StatusCode::NOT_ACCEPTABLE
        | StatusCode::NOT_IMPLEMENTED => return Ok(End::ForGood(Told::NoStreams)),
        _ => {
            let answer = remote.read(response).await;
            return Ok(match answer.and_then(|answer| remote.expect_success(answer)) {
                Err(failure) if failure.code == UNAVAILABLE => {
                    End::Broken { why: failure.to_string(), has_told: false }
                }
                Err(failure) => End::ForGood(Told::Refused(failure)),
                // Another success than 200, with nothing to listen to.
                Ok(_) => End::ForGood(Told::NoStreams),
            });
        }
    }
    told.send(Told::Open).await?;
    let (mut body, mut has_told) = (response.into_body(), false);
    let why = loop {
        let frame = match timeout(SILENCE_MAX, body.frame()).await {
            Ok(Some(Ok(frame))) => frame,
            Ok(Some(Err(error))) => break error.to_string(),
            Ok(None) => break format!("{} has ended the stream", remote.host()),
            Err(_) => break format!("nothing was heard for {} s", SILENCE_MAX.as_secs()),
        };
        let Ok(piece) = frame.into_data() else { continue };
        let mut events = Vec::new();
        let taken = parser.take(&piece, &mut events);
        has_told |= !events.is_empty();
        for event in events {
            told.send(Told::Event(event)).await?;
        }
        if taken.is_err() {
            break "an event is too long".to_owned();
        }
    };
    Ok(End::Broken { why, has_told })
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::client::scripted::Scripted;

    #[tokio::test]
    async fn a_server_that_ends_every_stream_at_once_is_asked_less_and_less_often() {
        let server = Scripted::start().await;
        let _heard = server.remote().stream("/communications/presences");
        let mut asked = Vec::new();
        for _ in 0..3 {
            server.answer("text/event-stream", ":\n\n").await;
            asked.push(Instant::now());
        }
        assert!(asked[2] - asked[1] > PAUSE_MIN * 3 / 2, "{asked:?}");
    }
}
