//! Whoever follows presences: by a stream, or by asking what has changed.

use std::sync::Arc;

use http::{Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use porchlight_presence::UserId;
use serde_json::Value;
use uuid::Uuid;

use crate::chronicle::Shown;
use crate::dice::Dice;
use crate::laws::Law;
use crate::talk::{Lost, Question};
use crate::town::{APPLICATIONS, Town};
use crate::watches::Number;

/// What is followed.
const PRESENCES: &str = "/v1.0/communications/presences";

/// Where one asks what has changed.
const DELTA: &str = "/v1.0/communications/presences/delta";

/// Reads a stream for ever; comes back with its last id whenever it ends.
pub(crate) async fn stream(town: Arc<Town>, number: usize, mut dice: Dice) {
    let watch = town.watches.follow(format!("stream {number}"), &town.people);
    let mut reader =
        Reader { town: Arc::clone(&town), watch, told_by: 0, last_id: None, unread: String::new() };
    let token = Town::token(town.people[number], APPLICATIONS[0]);
    loop {
        let mut question = Question::get(PRESENCES, &token).with("accept", "text/event-stream");
        if let Some(last_id) = &reader.last_id {
            question = question.with("last-event-id", last_id.clone());
        }
        reader.told_by += 1;
        reader.unread.clear();
        let (node, mut slow, reader) = (dice.place(town.doors.len()), dice.another(), &mut reader);
        // However it ends, it is begun again.
        let _ = town
            .begin(node, None, &question, |response| async move { reader.read(response, &mut slow).await })
            .await;
        tokio::time::sleep(dice.millis(10, 2_000)).await;
    }
}

struct Reader {
    town: Arc<Town>,
    watch: Number,
    /// Another one with every connection and every beginning.
    told_by: u64,
    last_id: Option<String>,
    unread: String,
}

impl Reader {
    async fn read(&mut self, response: Response<Incoming>, slow: &mut Dice) -> Result<(), Lost> {
        if response.status() == StatusCode::SERVICE_UNAVAILABLE {
            return Ok(());
        }
        if response.status() != StatusCode::OK {
            let how = format!("a stream is answered {}", response.status());
            self.town.chronicle.breaks(Law::Answered, None, how);
            return Ok(());
        }
        let mut body = response.into_body();
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|_| Lost)?.into_data() else { continue };
            self.unread.push_str(&String::from_utf8_lossy(&data));
            while let Some(end) = self.unread.find("\n\n") {
                let block: String = self.unread.drain(..end + 2).collect();
                self.take(&block);
            }
            if self.town.network.is_stormy() && slow.one_in(30) {
                tokio::time::sleep(slow.millis(100, 5_000)).await;
            }
        }
        Ok(())
    }

    /// Takes one event.
    fn take(&mut self, block: &str) {
        let (mut event, mut data) = ("", Value::Null);
        for (name, value) in block.lines().filter_map(|line| line.split_once(": ")) {
            match name {
                "event" => event = value,
                "data" => data = serde_json::from_str(value).unwrap_or_default(),
                "id" => self.last_id = Some(value.to_owned()),
                _ => {}
            }
        }
        match event {
            "snapshot" => {
                self.told_by += 1;
                self.town.watches.begins_anew(self.watch);
            }
            "presence" => told(&self.town, self.watch, self.told_by, &data),
            "removed" => forgotten(&self.town, self.watch, &data),
            _ => {}
        }
    }
}

/// Asks what has changed, again and again, for ever.
pub(crate) async fn delta(town: Arc<Town>, number: usize, mut dice: Dice) {
    let watch = town.watches.follow(format!("delta {number}"), &town.people);
    let token = Town::token(town.people[number], APPLICATIONS[1]);
    let (mut path, mut told_by) = (DELTA.to_owned(), 0);
    loop {
        tokio::time::sleep(dice.millis(200, 4_000)).await;
        let node = dice.place(town.doors.len());
        // Where time comes once more, so does what it makes: the link may be from before that.
        let by = told_by + town.chronicle.repeats();
        let Ok(answer) = town.ask(node, None, &Question::get(path.clone(), &token)).await else { continue };
        match answer.status {
            StatusCode::OK => {
                let page = answer.json();
                for one in page["value"].as_array().into_iter().flatten() {
                    if one.get("@removed").is_some() {
                        forgotten(&town, watch, one);
                    } else {
                        told(&town, watch, by, one);
                    }
                }
                let link = page["@odata.nextLink"].as_str().or(page["@odata.deltaLink"].as_str());
                path = below(link.unwrap_or(DELTA));
                // Another node may be behind.
                told_by += u64::from(town.doors.len() > 1);
            }
            StatusCode::GONE => {
                town.watches.begins_anew(watch);
                path = below(answer.header("location").unwrap_or(DELTA));
                told_by += 1;
            }
            StatusCode::SERVICE_UNAVAILABLE => {}
            status => {
                let how = format!("{path} is answered {status}: {}", answer.text());
                town.chronicle.breaks(Law::Answered, None, how);
            }
        }
    }
}

/// The path and query of a link.
fn below(link: &str) -> String {
    link.find("/v1.0").map_or(DELTA, |at| &link[at..]).to_owned()
}

fn forgotten(town: &Town, watch: Number, one: &Value) {
    let id = one["id"].as_str().and_then(|id| Uuid::parse_str(id).ok());
    id.inspect(|id| town.watches.forgets(watch, UserId(*id)));
}

fn told(town: &Town, watch: Number, by: u64, one: &Value) {
    let Some((user, shown)) = Shown::read(one) else {
        town.chronicle.breaks(Law::Answered, None, format!("this is no presence: {one}"));
        return;
    };
    town.watches.is_told(&town.chronicle, watch, by, user, &shown);
    town.watches.learns(watch, user, shown);
}
