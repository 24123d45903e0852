//! `porchlight watch`: people's presence as it changes, as a table in a terminal or line by line.

mod crowd;
mod lines;
mod poll;
mod screen;
mod source;
mod terminal;
mod time;

use std::collections::HashMap;
use std::io::IsTerminal;

use self::source::Source;
use super::people::{self, Person};
use crate::cli::WatchFlags;
use crate::client::{Client, Remote, literal, query};
use crate::exit::{Failure, NOT_PERMITTED};

/// How many people are watched by name: more do not fit into one request.
const NAMED_MAX: usize = 100;

/// How many people are looked up for their names.
const LOOKED_UP_MAX: usize = 100_000;

/// Watches until it is told to stop.
pub(crate) fn run(flags: &WatchFlags) -> Result<(), Failure> {
    if flags.who.len() > NAMED_MAX {
        let all = "watch everybody, or use --filter";
        return Err(Failure::usage(format!("at most {NAMED_MAX} people can be watched by name: {all}")));
    }
    let client = Client::of(&flags.server)?;
    let remote = client.remote();
    let in_table = !flags.server.json && std::io::stdout().is_terminal();
    client.wait(async {
        let people = whom(remote, &flags.who).await?;
        let source = Source::new(remote, &path(flags, &people), people.clone(), flags.filter.is_none());
        let names = people::names(people);
        if in_table { terminal::watch(source, names).await } else { lines::watch(source, names, flags).await }
    })
}

/// The people who are meant; everybody, as far as they may be looked up, when nobody is named.
async fn whom(remote: &Remote, who: &[String]) -> Result<Vec<Person>, Failure> {
    if !who.is_empty() {
        return people::find(remote, who).await;
    }
    let all = format!("/users?{}", query(&[("$select", people::MEMBERS), ("$top", "999")]));
    match remote.pages(&all, LOOKED_UP_MAX).await {
        Ok(users) => Ok(users.items.iter().filter_map(Person::of).collect()),
        // It is only for their names.
        Err(failure) if failure.code == NOT_PERMITTED => Ok(Vec::new()),
        Err(failure) => Err(failure),
    }
}

/// The path of the stream.
fn path(flags: &WatchFlags, people: &[Person]) -> String {
    const EVERYBODY: &str = "/communications/presences";
    let named = || {
        let ids: Vec<String> = people.iter().map(|person| literal(&person.id)).collect();
        format!("id in ({})", ids.join(","))
    };
    let filter = flags.filter.clone().or_else(|| (!flags.who.is_empty()).then(named));
    filter.map_or_else(
        || EVERYBODY.to_owned(),
        |filter| format!("{EVERYBODY}?{}", query(&[("$filter", filter.as_str())])),
    )
}

/// Learns what those are called who have no name yet.
async fn name(remote: &Remote, ids: Vec<String>) -> HashMap<String, String> {
    let found = people::find(remote, &ids).await;
    // Whoever cannot be looked up now is called by their id for good.
    let nameless = ids.into_iter().map(|id| (id.clone(), id));
    let mut names: HashMap<String, String> = nameless.collect();
    names.extend(people::names(found.unwrap_or_default()));
    names
}
