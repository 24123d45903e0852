//! Changes line by line: for pipes, files and programs.

use std::collections::HashMap;
use std::io::Write;

use jiff::Zoned;

use super::crowd::{Crowd, News, Somebody};
use super::poll::EVERY;
use super::source::Source;
use super::time::Time;
use crate::cli::WatchFlags;
use crate::client::Told;
use crate::complain;
use crate::exit::Failure;
use crate::table::harmless;

/// Prints a line for everybody, and then one for each change; in JSON what the server says, one object a line.
pub(super) async fn watch(
    mut source: Source,
    names: HashMap<String, String>,
    flags: &WatchFlags,
) -> Result<(), Failure> {
    let mut time = Time::of(source.remote()).await;
    let mut crowd = Crowd::new(names);
    let (mut is_away, mut is_current) = (false, false);
    loop {
        let event = match source.next().await? {
            Told::Event(event) => event,
            Told::Open => {
                if std::mem::take(&mut is_away) {
                    complain("connected again");
                }
                continue;
            }
            Told::Away(why) => {
                if !std::mem::replace(&mut is_away, true) {
                    complain(&format!("reconnecting: {why}"));
                }
                continue;
            }
            Told::NoStreams => {
                complain(&format!("the server has no streams: it is asked every {} s", EVERY.as_secs()));
                continue;
            }
            Told::Refused(failure) => return Err(failure),
        };
        let line = match crowd.take(&event) {
            News::Presence(somebody) => {
                if let Some(since) = somebody.since {
                    time.not_before(since);
                }
                if flags.server.json { event.data.clone() } else { line(somebody, &time.now()) }
            }
            News::Gone(_) if flags.server.json => event.data.clone(),
            News::Gone(name) => format!("{}  {}  gone", moment(&time.now()), harmless(&name)),
            News::Current => {
                is_current = true;
                String::new()
            }
            News::Nothing => String::new(),
        };
        // Whoever reads no more has seen enough.
        if !line.is_empty() && !print(&line) {
            return Ok(());
        }
        // Whoever has come since the start.
        let nameless = crowd.nameless();
        if is_current && !nameless.is_empty() && !flags.server.json {
            crowd.name(super::name(source.remote(), nameless).await);
        }
    }
}

fn line(somebody: &Somebody, now: &Zoned) -> String {
    let since = somebody.since.map(|since| since.to_zoned(now.time_zone().clone()));
    let moment = moment(since.as_ref().unwrap_or(now));
    let Somebody { name, look, availability, activity, says, .. } = somebody;
    let mut line = format!("{moment}  {name}  {} {availability}", look.mark);
    for more in [activity, says].into_iter().filter(|more| !more.is_empty() && *more != availability) {
        line.push_str("  ");
        line.push_str(more);
    }
    harmless(&line)
}

fn moment(at: &Zoned) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// Prints a line at once; `false`: nobody reads it.
fn print(line: &str) -> bool {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).is_ok()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use jiff::tz::TimeZone;
    use serde_json::json;

    use super::super::crowd::tests::{event, presence};
    use super::*;

    #[test]
    fn a_line_says_when_who_and_what() {
        let now = "2026-11-27T19:00:00Z".parse::<Timestamp>().unwrap().to_zoned(TimeZone::UTC);
        let mut crowd = Crowd::default();
        let mut ada = presence("1", "Busy", "InACall", 0);
        ada["statusMessage"] = json!({"message": {"content": "Reviewing\nit"}});
        let News::Presence(somebody) = crowd.take(&event("presence", &ada)) else { panic!("it is new") };
        assert_eq!(line(somebody, &now), "2026-11-27 18:24:18  1  ■ Busy  In a call  Reviewing it");
        let ben = event("presence", &presence("2", "Away", "Away", 1));
        let News::Presence(somebody) = crowd.take(&ben) else { panic!("it is new") };
        assert_eq!(line(somebody, &now), "2026-11-27 18:24:19  2  ◕ Away");
    }
}
