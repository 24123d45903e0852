//! A naive model of a user.
//!
//! It keeps every write ever made and drops nothing. Whatever it is asked, it looks through the whole history again:
//! at every instant at which anything written could make a difference, and once more after every write.
//! Time is a plain number of milliseconds here. The simulation of the whole server has the same model.

use std::collections::BTreeSet;
use std::time::Duration;

use porchlight_presence::{
    Activity, ApplicationId, Availability, Change, Command, Expiry, Limits, LocationSource, LocationType,
    NewLocation, NewStatusMessage, OutOfOffice, Pair, Presence, Refusal, SessionKey, Stamps, Text, Timestamp,
};

const DAY: i64 = 86_400_000;

const fn pair(availability: Availability, activity: Activity) -> Pair {
    Pair { availability, activity }
}

/// presence-api 11.1 and 11.2, for the pairs that a session can show.
const STRONGEST_FIRST: [Pair; 6] = [
    pair(Availability::DoNotDisturb, Activity::Presenting),
    pair(Availability::Busy, Activity::InAConferenceCall),
    pair(Availability::Busy, Activity::InACall),
    pair(Availability::Available, Activity::Available),
    pair(Availability::Available, Activity::AvailableInactive),
    pair(Availability::Away, Activity::Away),
];

/// presence-api 12: the pairs that out of office changes, and into what.
const OUT_OF_OFFICE: [(Pair, Pair); 4] = [
    (
        pair(Availability::Available, Activity::Available),
        pair(Availability::Available, Activity::OutOfOffice),
    ),
    (
        pair(Availability::Available, Activity::AvailableInactive),
        pair(Availability::Available, Activity::OutOfOffice),
    ),
    (pair(Availability::Away, Activity::Away), pair(Availability::Away, Activity::OutOfOffice)),
    (pair(Availability::Offline, Activity::Offline), pair(Availability::Offline, Activity::OutOfOffice)),
];

/// What an observer sees, since when aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) pair: Pair,
    out_of_office: Option<OutOfOffice>,
    status_message: Option<(String, i64, Option<Expiry>)>,
    work_location: Option<(LocationType, Option<String>, LocationSource)>,
}

impl View {
    const NOTHING: View = View {
        pair: pair(Availability::Offline, Activity::Offline),
        out_of_office: None,
        status_message: None,
        work_location: None,
    };

    pub(crate) fn of(presence: &Presence<'_>) -> View {
        View {
            pair: presence.pair,
            out_of_office: presence.out_of_office.cloned(),
            status_message: presence.status_message.map(|message| {
                (message.content.to_owned(), message.published_at.as_millis(), message.expiry)
            }),
            work_location: presence
                .work_location
                .map(|location| (location.kind, location.place.map(str::to_owned), location.source)),
        }
    }
}

/// Everything that was ever written for a user.
pub(crate) struct Model {
    limits: Limits,
    writes: Vec<Write>,
}

/// One write: its instant, and all that it says.
struct Write {
    at: i64,
    facts: Vec<Fact>,
}

/// One thing that a write says.
#[derive(Debug)]
enum Fact {
    /// A session says this pair for so many milliseconds, the grace not counted.
    Says {
        session: SessionKey,
        pair: Pair,
        life: i64,
    },
    /// A session has ended.
    Silent(SessionKey),
    /// All sessions of an application have ended.
    Left(ApplicationId),
    /// This pair is preferred, perhaps without any session, until an instant.
    Prefers(Option<(Pair, bool, i64)>),
    Message(Option<NewStatusMessage>),
    Out(Option<OutOfOffice>),
    WorksAt(LocationSource, Option<NewLocation>),
    Hidden(bool),
}

impl Fact {
    fn ends(&self, session: SessionKey) -> bool {
        match self {
            Fact::Says { session: other, .. } | Fact::Silent(other) => *other == session,
            Fact::Left(application) => *application == session.application,
            Fact::Prefers(_) | Fact::Message(_) | Fact::Out(_) | Fact::WorksAt(..) | Fact::Hidden(_) => false,
        }
    }
}

/// A view, and since when; it holds until the next one of its timeline.
#[derive(Debug)]
pub(crate) struct Moment {
    /// In Unix milliseconds; the first moment lies before all time.
    pub(crate) at: i64,
    pub(crate) view: View,
    /// Whether the person is hidden, which is a change like any other.
    hidden: bool,
    pub(crate) stamps: Stamps,
}

impl Moment {
    pub(crate) fn is_hidden(&self) -> bool {
        self.hidden
    }
}

/// Every change that a history has seen, and those that it will see if nothing more is written.
pub(crate) struct Timeline(Vec<Moment>);

impl Timeline {
    /// All of them, in their order.
    pub(crate) fn moments(&self) -> &[Moment] {
        &self.0
    }

    pub(crate) fn at(&self, now: Timestamp) -> &Moment {
        self.0
            .iter()
            .rev()
            .find(|moment| moment.at <= now.as_millis())
            .expect("there is a moment before all others")
    }

    pub(crate) fn next_change(&self, now: Timestamp) -> Option<Timestamp> {
        let later = self.0.iter().find(|moment| moment.at > now.as_millis())?;
        Some(Timestamp::from_millis(later.at))
    }
}

impl Model {
    pub(crate) fn new(limits: &Limits) -> Model {
        Model { limits: limits.clone(), writes: Vec::new() }
    }

    /// The instant of the last write.
    pub(crate) fn as_of(&self) -> Timestamp {
        Timestamp::from_millis(self.writes.last().map_or(0, |write| write.at))
    }

    /// Adds a write that has not been refused.
    pub(crate) fn write(&mut self, command: &Command, now: Timestamp) {
        let at = now.max(self.as_of()).as_millis();
        let facts = self.facts_of(command, at);
        self.writes.push(Write { at, facts });
    }

    /// Why a command must be refused, if it must.
    pub(crate) fn refusal(&self, command: &Command, now: Timestamp) -> Option<Refusal> {
        let at = now.max(self.as_of()).as_millis();
        let sessions = self.sessions(self.writes.len(), at);
        match command {
            Command::SetHidden(_) => None,
            _ if self.hidden(self.writes.len()) => Some(Refusal::Hidden),
            Command::SetPresence(set) => {
                let (min, max) = (self.limits.session_duration_min, self.limits.session_duration_max);
                let others = sessions.iter().filter(|(key, _)| *key != set.session).count();
                let too_many = others >= self.limits.sessions_max;
                out_of_range(set.duration, min, max)
                    .or(too_many.then_some(Refusal::TooManySessions { max: self.limits.sessions_max }))
            }
            Command::ClearPresence(key) => {
                sessions.iter().all(|(live, _)| live != key).then_some(Refusal::SessionNotFound)
            }
            Command::SetPreferred(set) => self.preference_refused(set.duration),
            Command::SetStatusMessage(Some(message)) => self.message_refused(message, at),
            Command::SetLocation(_, location) => self.location_refused(location),
            Command::Patch(patch) => {
                let preference = match &patch.preferred {
                    Change::Set((_, life)) => self.preference_refused(*life),
                    Change::Keep | Change::Clear => None,
                };
                let message = match &patch.status_message {
                    Change::Set(message) => self.message_refused(message, at),
                    Change::Keep | Change::Clear => None,
                };
                let out_of_office = match &patch.out_of_office {
                    Change::Set(OutOfOffice { message: Some(text) }) => {
                        text_refused(text, Text::OutOfOfficeMessage, self.limits.out_of_office_chars_max)
                    }
                    Change::Set(OutOfOffice { message: None }) | Change::Keep | Change::Clear => None,
                };
                let location = match &patch.work_location {
                    Change::Set(location) => self.location_refused(location),
                    Change::Keep | Change::Clear => None,
                };
                preference.or(message).or(out_of_office).or(location)
            }
            Command::ClearPreferred
            | Command::SetStatusMessage(None)
            | Command::ClearLocation { .. }
            | Command::Clear(_) => None,
        }
    }

    /// Replays the whole history, event by event.
    pub(crate) fn replay(&self) -> Timeline {
        let instants: BTreeSet<i64> = self.writes.iter().flat_map(|write| self.instants_of(write)).collect();
        let beginning =
            Moment { at: i64::MIN, view: View::NOTHING, hidden: false, stamps: Stamps::default() };
        let mut moments = vec![beginning];
        for at in instants {
            let earlier = self.writes.iter().filter(|write| write.at < at).count();
            let until_then = self.writes.iter().filter(|write| write.at <= at).count();
            // First what happens by itself at this instant, then the writes of this instant one after the other.
            for count in earlier..=until_then {
                let (view, hidden) = (self.view(count, at), self.hidden(count));
                let last = moments.last().expect("there is a moment before all others");
                let before =
                    if count > earlier { self.foreseen(count - 1, at, last.stamps) } else { last.stamps };
                if view == last.view && hidden == last.hidden && before == last.stamps {
                    continue;
                }
                let same_pair = view.pair == last.view.pair && before.state_since == last.stamps.state_since;
                moments.push(Moment { at, view, hidden, stamps: stamped(at, before, same_pair) });
            }
        }
        Timeline(moments)
    }

    /// The stamps that others may have told of by the time at which they learn of a write at `at`, the first
    /// `count` writes being all that they know until then.
    fn foreseen(&self, count: usize, at: i64, mut stamps: Stamps) -> Stamps {
        let instants: BTreeSet<i64> =
            self.writes[..count].iter().flat_map(|write| self.instants_of(write)).collect();
        let mut view = self.view(count, at);
        for later in instants.range(at..=at + millis(self.limits.foresight)) {
            let next = self.view(count, *later);
            if next != view {
                stamps = stamped(*later, stamps, next.pair == view.pair);
                view = next;
            }
        }
        stamps
    }

    /// Every instant, from just before the last write on, at which a mistake could show.
    pub(crate) fn probes(&self) -> BTreeSet<Timestamp> {
        let first = self.as_of().as_millis() - 1;
        let instants = self.writes.iter().flat_map(|write| self.instants_of(write));
        let near = instants.flat_map(|at| [at - 1, at, at + 1]).filter(|at| *at >= first);
        near.map(Timestamp::from_millis).chain([Timestamp::MAX]).collect()
    }

    /// What is seen at an instant after the first `count` writes.
    fn view(&self, count: usize, at: i64) -> View {
        if self.hidden(count) {
            return View::NOTHING;
        }
        let message =
            self.newest(count, |fact| if let Fact::Message(said) = fact { Some(said) } else { None });
        let out = self.newest(count, |fact| if let Fact::Out(said) = fact { Some(said) } else { None });
        let out_of_office = out.and_then(|(_, said)| said.clone());
        View {
            pair: self.pair(count, at, out_of_office.is_some()),
            out_of_office,
            status_message: message
                .and_then(|(set_at, said)| said.as_ref().map(|message| (set_at, message)))
                .filter(|(_, message)| message.expiry.is_none_or(|expiry| at < expiry.at.as_millis()))
                .map(|(set_at, message)| (message.content.clone(), set_at, message.expiry)),
            work_location: [LocationSource::Manual, LocationSource::Automatic]
                .into_iter()
                .find_map(|layer| self.location(count, at, layer)),
        }
    }

    /// presence-api 11.3.
    fn pair(&self, count: usize, at: i64, out_of_office: bool) -> Pair {
        let sessions = self.sessions(count, at);
        let preferred = self
            .newest(count, |fact| if let Fact::Prefers(said) = fact { Some(*said) } else { None })
            .and_then(|(_, said)| said)
            .filter(|(_, _, until)| at < *until);
        if let Some((pair, standing, _)) = preferred
            && (standing || !sessions.is_empty())
        {
            return pair;
        }
        let strongest =
            STRONGEST_FIRST.into_iter().find(|pair| sessions.iter().any(|(_, says)| says == pair));
        let base = strongest.unwrap_or(View::NOTHING.pair);
        let changed = OUT_OF_OFFICE.into_iter().find(|(from, _)| out_of_office && *from == base);
        changed.map_or(base, |(_, into)| into)
    }

    /// The live sessions, each as faded by then: presence-api 10.1.
    fn sessions(&self, count: usize, at: i64) -> Vec<(SessionKey, Pair)> {
        let grace = millis(self.limits.expiry_grace);
        let facts: Vec<(i64, &Fact)> = self.facts(count).collect();
        let mut live = Vec::new();
        for (index, (set_at, fact)) in facts.iter().enumerate() {
            let Fact::Says { session, pair, life } = fact else { continue };
            let age = at - set_at;
            let overwritten = facts[index + 1..].iter().any(|(_, later)| later.ends(*session));
            if age < life + grace && !overwritten {
                // In its grace a session goes on saying what it said last.
                live.push((*session, self.faded(*pair, age.min(life - 1))));
            }
        }
        live
    }

    fn faded(&self, set: Pair, age: i64) -> Pair {
        match self.limits.fade.filter(|_| set.availability == Availability::Available) {
            Some(fade) if age >= millis(fade.away_after) => pair(Availability::Away, Activity::Away),
            Some(fade) if age >= millis(fade.inactive_after) => {
                pair(Availability::Available, Activity::AvailableInactive)
            }
            Some(_) | None => set,
        }
    }

    fn location(
        &self,
        count: usize,
        at: i64,
        layer: LocationSource,
    ) -> Option<(LocationType, Option<String>, LocationSource)> {
        let (set_at, said) = self.newest(count, |fact| match fact {
            Fact::WorksAt(source, said) if *source == layer => Some(said),
            _ => None,
        })?;
        let location = said.as_ref()?;
        let live = self.midnight(set_at).is_none_or(|midnight| at < midnight);
        live.then(|| (location.kind, location.place.clone(), layer))
    }

    fn hidden(&self, count: usize) -> bool {
        let said =
            self.newest(count, |fact| if let Fact::Hidden(hidden) = fact { Some(*hidden) } else { None });
        said.is_some_and(|(_, hidden)| hidden)
    }

    /// What the first `count` writes say, in order.
    fn facts(&self, count: usize) -> impl DoubleEndedIterator<Item = (i64, &Fact)> {
        self.writes[..count].iter().flat_map(|write| write.facts.iter().map(move |fact| (write.at, fact)))
    }

    /// The newest fact of one kind, and when it was written.
    fn newest<'m, T>(&'m self, count: usize, says: impl Fn(&'m Fact) -> Option<T>) -> Option<(i64, T)> {
        self.facts(count).rev().find_map(|(at, fact)| says(fact).map(|said| (at, said)))
    }

    fn facts_of(&self, command: &Command, at: i64) -> Vec<Fact> {
        match command {
            Command::SetPresence(set) => {
                let life = millis(set.duration.unwrap_or(self.limits.session_duration_default));
                vec![Fact::Says { session: set.session, pair: set.pair.get(), life }]
            }
            Command::ClearPresence(key) => vec![Fact::Silent(*key)],
            Command::SetPreferred(set) => {
                let until = at + preference_life(set.pair.get(), set.duration);
                vec![Fact::Prefers(Some((set.pair.get(), false, until)))]
            }
            Command::ClearPreferred => vec![Fact::Prefers(None)],
            Command::SetStatusMessage(message) => vec![Fact::Message(message.clone())],
            Command::SetLocation(source, location) => vec![Fact::WorksAt(*source, Some(location.clone()))],
            Command::ClearLocation { manual_too: false } => {
                vec![Fact::WorksAt(LocationSource::Automatic, None)]
            }
            Command::ClearLocation { manual_too: true } => nowhere(),
            Command::Patch(patch) => {
                let mut facts = Vec::new();
                match &patch.preferred {
                    Change::Keep => {}
                    Change::Clear => facts.push(Fact::Prefers(None)),
                    Change::Set((pair, life)) => {
                        let until = at + preference_life(pair.get(), *life);
                        facts.push(Fact::Prefers(Some((pair.get(), true, until))));
                    }
                }
                match &patch.status_message {
                    Change::Keep => {}
                    Change::Clear => facts.push(Fact::Message(None)),
                    Change::Set(message) => facts.push(Fact::Message(Some(message.clone()))),
                }
                match &patch.out_of_office {
                    Change::Keep => {}
                    Change::Clear => facts.push(Fact::Out(None)),
                    Change::Set(out_of_office) => facts.push(Fact::Out(Some(out_of_office.clone()))),
                }
                match &patch.work_location {
                    Change::Keep => {}
                    Change::Clear => facts.extend(nowhere()),
                    Change::Set(place) => {
                        facts.push(Fact::WorksAt(LocationSource::Manual, Some(place.clone())));
                    }
                }
                facts
            }
            Command::Clear(application) => {
                let mut facts =
                    vec![Fact::Left(*application), Fact::Prefers(None), Fact::Message(None), Fact::Out(None)];
                facts.extend(nowhere());
                facts
            }
            Command::SetHidden(hidden) => vec![Fact::Hidden(*hidden)],
        }
    }

    /// The instant of a write, and every instant at which something that it says could come to an end or fade.
    fn instants_of(&self, write: &Write) -> Vec<i64> {
        let mut instants = vec![write.at];
        for fact in &write.facts {
            match fact {
                Fact::Says { life, .. } => {
                    let fades = self.limits.fade.map(|fade| [fade.inactive_after, fade.away_after]);
                    instants.extend(fades.into_iter().flatten().map(|after| write.at + millis(after)));
                    instants.extend([write.at + life, write.at + life + millis(self.limits.expiry_grace)]);
                }
                Fact::Prefers(said) => instants.extend(said.map(|(_, _, until)| until)),
                Fact::Message(said) => {
                    let expiry = said.as_ref().and_then(|message| message.expiry);
                    instants.extend(expiry.map(|expiry| expiry.at.as_millis()));
                }
                Fact::WorksAt(..) => instants.extend(self.midnight(write.at)),
                Fact::Silent(_) | Fact::Left(_) | Fact::Out(_) | Fact::Hidden(_) => {}
            }
        }
        instants
    }

    /// The midnight at which a location set at `at` ends. The model knows zones without daylight saving only.
    fn midnight(&self, at: i64) -> Option<i64> {
        if self.limits.location_days == 0 {
            return None;
        }
        let east = i64::from(self.limits.zone.to_offset(jiff::Timestamp::UNIX_EPOCH).seconds()) * 1000;
        let today = (at + east).div_euclid(DAY);
        Some((today + i64::from(self.limits.location_days)) * DAY - east)
    }

    fn preference_refused(&self, life: Option<Duration>) -> Option<Refusal> {
        out_of_range(life, Duration::from_millis(1), self.limits.preferred_duration_max)
    }

    fn message_refused(&self, message: &NewStatusMessage, at: i64) -> Option<Refusal> {
        let past = message.expiry.is_some_and(|expiry| expiry.at.as_millis() <= at);
        text_refused(message.content.trim(), Text::StatusMessage, self.limits.status_chars_max)
            .or(past.then_some(Refusal::ExpiryInThePast))
    }

    fn location_refused(&self, location: &NewLocation) -> Option<Refusal> {
        text_refused(location.place.as_deref()?, Text::PlaceId, self.limits.place_chars_max)
    }
}

/// The stamps of a change at `at` that follows on others.
fn stamped(at: i64, last: Stamps, same_pair: bool) -> Stamps {
    let changed_at = Timestamp::from_millis(at.max(last.changed_at.as_millis() + 1));
    Stamps { changed_at, state_since: if same_pair { last.state_since } else { changed_at } }
}

/// No location in either layer.
fn nowhere() -> Vec<Fact> {
    vec![Fact::WorksAt(LocationSource::Manual, None), Fact::WorksAt(LocationSource::Automatic, None)]
}

/// presence-api 9.1 and 13: how long a preference holds.
fn preference_life(pair: Pair, given: Option<Duration>) -> i64 {
    let days = match pair.availability.name() {
        "Available" | "BeRightBack" | "Away" | "Offline" => 7,
        _ => 1,
    };
    given.map_or(days * DAY, millis)
}

/// A duration of which nothing was said is never refused.
fn out_of_range(given: Option<Duration>, min: Duration, max: Duration) -> Option<Refusal> {
    let given = given.filter(|given| *given < min || *given > max)?;
    Some(Refusal::DurationOutOfRange { given, min, max })
}

fn text_refused(content: &str, text: Text, max: usize) -> Option<Refusal> {
    let strange = content.chars().any(|letter| letter.is_control() && !['\t', '\n'].contains(&letter));
    if content.chars().count() > max {
        Some(Refusal::TextTooLong { text, max })
    } else {
        strange.then_some(Refusal::ControlCharacter { text })
    }
}

fn millis(duration: Duration) -> i64 {
    duration.as_millis().try_into().expect("a duration of less than a few million years")
}
