//! The people who are watched, as far as the server has told of them.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use serde_json::Value;

use crate::client::Event;
use crate::commands::look::{self, Look, RANKS, look, words};
use crate::commands::when;

/// Everybody whose presence is known.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    /// By ids in lower case.
    names: HashMap<String, String>,
    /// The ids of those who have none.
    nameless: BTreeSet<String>,
    people: HashMap<String, Somebody>,
    /// While the server tells of everybody anew: those whom it has told of.
    arriving: Option<HashMap<String, Somebody>>,
}

/// Somebody whose presence is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Somebody {
    pub(super) name: String,
    /// The same for sorting.
    folded: String,
    pub(super) look: Look,
    pub(super) availability: String,
    pub(super) activity: String,
    pub(super) since: Option<Timestamp>,
    pub(super) says: String,
    sequence: String,
}

/// What an event was about.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum News<'a> {
    /// Nothing that was not known.
    Nothing,
    Presence(&'a Somebody),
    /// Somebody, by name, is not there any more, or not among those who are meant.
    Gone(String),
    /// Everybody has been told of.
    Current,
}

impl Crowd {
    /// Nobody yet, who have these names.
    pub(super) fn new(names: HashMap<String, String>) -> Crowd {
        Crowd { names, ..Crowd::default() }
    }

    /// Takes what the server tells, and says what of it is new.
    pub(super) fn take(&mut self, event: &Event) -> News<'_> {
        match event.name.as_str() {
            "snapshot" => {
                self.arriving = Some(HashMap::new());
                News::Nothing
            }
            "presence" => self.take_presence(&event.data),
            "removed" => {
                let data: Value = serde_json::from_str(&event.data).unwrap_or_default();
                let id = id(&data);
                let arrived = self.arriving.as_mut().and_then(|arriving| arriving.remove(&id));
                let gone = self.people.remove(&id).or(arrived);
                gone.map_or(News::Nothing, |gone| News::Gone(gone.name))
            }
            "current" => {
                if let Some(arrived) = self.arriving.take() {
                    self.people = arrived;
                }
                News::Current
            }
            _ => News::Nothing,
        }
    }

    fn take_presence(&mut self, data: &str) -> News<'_> {
        let Ok(presence) = serde_json::from_str::<Value>(data) else { return News::Nothing };
        let id = id(&presence);
        if !self.names.contains_key(&id) && !self.nameless.contains(&id) {
            self.nameless.insert(id.clone());
        }
        let name = self.names.get(&id).unwrap_or(&id);
        let somebody = Somebody::new(name, &presence);
        let is_known = self.people.get(&id) == Some(&somebody);
        let people = self.arriving.as_mut().unwrap_or(&mut self.people);
        let is_told = people.get(&id) == Some(&somebody);
        let entry = people.entry(id).insert_entry(somebody);
        if is_known || is_told { News::Nothing } else { News::Presence(entry.into_mut()) }
    }

    /// The ids of those who have no name yet: as many as are looked up at once.
    pub(super) fn nameless(&self) -> Vec<String> {
        const LOOKED_UP_MAX: usize = 100;
        self.nameless.iter().take(LOOKED_UP_MAX).cloned().collect()
    }

    /// Learns what people are called.
    pub(super) fn name(&mut self, names: HashMap<String, String>) {
        for people in [Some(&mut self.people), self.arriving.as_mut()].into_iter().flatten() {
            for (id, name) in &names {
                if let Some(somebody) = people.get_mut(id) {
                    somebody.folded = name.to_lowercase();
                    somebody.name.clone_from(name);
                }
            }
        }
        self.nameless.retain(|id| !names.contains_key(id));
        self.names.extend(names);
    }

    /// How many there are of each rank.
    pub(super) fn counts(&self) -> [usize; RANKS] {
        let mut counts = [0; RANKS];
        for somebody in self.people.values() {
            counts[somebody.look.rank] += 1;
        }
        counts
    }

    /// Those of whom this text stands in what is shown: who can be reached first, then by name. Everybody has an empty
    /// text.
    pub(super) fn sorted(&self, text: &str) -> Vec<&Somebody> {
        let text = text.to_lowercase();
        let mut found: Vec<&Somebody> = self.people.values().filter(|one| one.has(&text)).collect();
        found.sort_unstable_by_key(|&one| one.place());
        found
    }
}

impl Somebody {
    fn new(name: &str, presence: &Value) -> Somebody {
        let text = |member: &str| presence[member].as_str().unwrap_or_default();
        let place = look::place(presence);
        let message = look::message(presence);
        let says = [message, place].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>();
        Somebody {
            name: name.to_owned(),
            folded: name.to_lowercase(),
            look: look(text("availability"), text("activity")),
            availability: words(text("availability")),
            activity: words(text("activity")),
            since: when::of_sequence(text("sequenceNumber")),
            says: says.join("; "),
            sequence: text("sequenceNumber").to_owned(),
        }
    }

    fn has(&self, text: &str) -> bool {
        let shown = [&self.availability, &self.activity, &self.says];
        self.folded.contains(text) || shown.iter().any(|shown| shown.to_lowercase().contains(text))
    }

    fn place(&self) -> (usize, &str, &str) {
        (self.look.rank, &self.folded, &self.sequence)
    }
}

fn id(presence: &Value) -> String {
    presence["id"].as_str().unwrap_or_default().to_lowercase()
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    pub(in super::super) fn event(name: &str, data: &Value) -> Event {
        Event { name: name.to_owned(), data: data.to_string() }
    }

    pub(in super::super) fn presence(id: &str, availability: &str, activity: &str, second: u32) -> Value {
        json!({"id": id, "availability": availability, "activity": activity,
               "sequenceNumber": format!("A{:014}", 1_795_803_858_000_u64 + u64::from(second) * 1_000)})
    }

    /// Ada is busy, Ben available, and of Cleo nobody knows the name.
    pub(in super::super) fn crowd() -> Crowd {
        let names = [("1", "Ada Lovelace"), ("2", "Ben Okafor")];
        let mut crowd = Crowd::new(names.map(|(id, name)| (id.to_owned(), name.to_owned())).into());
        crowd.take(&event("snapshot", &json!({})));
        crowd.take(&event("presence", &presence("1", "Busy", "InACall", 0)));
        crowd.take(&event("presence", &presence("2", "Available", "Available", 0)));
        crowd.take(&event("presence", &presence("3", "Offline", "Offline", 0)));
        crowd.take(&event("current", &json!({})));
        crowd
    }

    fn names(crowd: &Crowd, text: &str) -> Vec<String> {
        crowd.sorted(text).into_iter().map(|one| one.name.clone()).collect()
    }

    #[test]
    fn who_can_be_reached_comes_first() {
        let mut crowd = crowd();
        assert_eq!(names(&crowd, ""), ["Ben Okafor", "Ada Lovelace", "3"]);
        assert_eq!(names(&crowd, "CALL"), ["Ada Lovelace"]);
        assert_eq!(names(&crowd, "okaf"), ["Ben Okafor"]);
        assert_eq!(crowd.counts(), [1, 0, 1, 0, 0, 0, 0, 1, 0]);
        assert_eq!(crowd.nameless(), ["3"]);
        crowd.name([("3".to_owned(), "Cleo Martin".to_owned())].into());
        assert!(crowd.nameless().is_empty());
        assert_eq!(names(&crowd, ""), ["Ben Okafor", "Ada Lovelace", "Cleo Martin"]);
    }

    #[test]
    fn what_is_told_twice_is_no_news() {
        let mut crowd = crowd();
        let same = event("presence", &presence("1", "Busy", "InACall", 0));
        assert_eq!(crowd.take(&same), News::Nothing);
        let other = event("presence", &presence("1", "Away", "Away", 1));
        assert!(matches!(crowd.take(&other), News::Presence(somebody) if somebody.availability == "Away"));
        let gone = event("removed", &json!({"@removed": {"reason": "changed"}, "id": "1"}));
        assert_eq!(crowd.take(&gone), News::Gone("Ada Lovelace".to_owned()));
        assert_eq!(crowd.take(&gone), News::Nothing);
        assert_eq!(crowd.take(&event("current", &json!({}))), News::Current);
        assert_eq!(names(&crowd, ""), ["Ben Okafor", "3"]);
    }

    #[test]
    fn whoever_is_told_anew_forgets_those_who_are_not() {
        let mut crowd = crowd();
        crowd.take(&event("snapshot", &json!({})));
        assert_eq!(
            crowd.take(&event("presence", &presence("2", "Available", "Available", 0))),
            News::Nothing
        );
        assert_eq!(names(&crowd, "").len(), 3, "until everybody was told of");
        crowd.take(&event("current", &json!({})));
        assert_eq!(names(&crowd, ""), ["Ben Okafor"]);
    }
}
