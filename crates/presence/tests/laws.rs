//! What holds for every history of every user.

mod support;

use std::time::Duration;

use porchlight_presence::{
    ApplicationId, Change, Command, Decider, Limits, OutOfOffice, Pair, Patch, PreferredPair, SessionId,
    SessionKey, SessionPair, SetPreferred, SetPresence, Stamps, StandingPair, Timestamp, User,
};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::FileFailurePersistence;
use uuid::Uuid;

use support::histories::{cluster_histories, histories};
use support::model::{Model, View};
use support::{DAY_0, command, out_of_office};

const MILLISECOND: Duration = Duration::from_millis(1);
const MINUTE: Duration = Duration::from_secs(60);

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 512,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("proptest-regressions"))),
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_record_shows_what_its_complete_history_says(
        history in prop_oneof![histories(MILLISECOND), cluster_histories(MILLISECOND)],
    ) {
        let mut user = User::default();
        let mut model = Model::new(&history.limits);
        for (now, command) in &history.writes {
            let expected = model.refusal(command, *now);
            match user.apply(command, *now, &history.limits) {
                Err(refusal) => prop_assert_eq!(Some(refusal), expected, "for {:?}", command),
                Ok(next) => {
                    prop_assert_eq!(None, expected, "for {:?}", command);
                    model.write(command, *now);
                    user = next;
                    agree(&user, &model)?;
                }
            }
        }
    }

    #[test]
    fn nothing_changes_before_the_next_change(
        history in prop_oneof![histories(MILLISECOND), histories(MINUTE), cluster_histories(MINUTE)],
        moments in proptest::collection::vec(0..40_000_u32, 1..6),
    ) {
        let user = history.user();
        for moment in moments {
            let now = history.start.plus(history.unit * moment / 1000);
            let here = user.presence(now);
            let next = user.next_change(now);
            let last = next.map_or(Timestamp::MAX, |next| next.minus(MILLISECOND));
            let middle = now.plus(last.since(now) / 2);
            for then in [now, now.next(), middle, last.minus(MILLISECOND), last] {
                if (now..=last).contains(&then) {
                    prop_assert_eq!(user.presence(then), here.clone(), "at {:?}, next is {:?}", then, next);
                }
            }
            if let Some(next) = next {
                let there = user.presence(next);
                prop_assert!(next > now);
                prop_assert!(next > user.as_of());
                prop_assert_ne!(View::of(&there), View::of(&here));
                prop_assert!(there.stamps.changed_at >= next);
            }
        }
    }

    #[test]
    fn every_change_gets_a_larger_stamp_and_nothing_else_does(history in histories(MILLISECOND)) {
        let mut user = User::default();
        let mut clock = history.start;
        let mut seen = Seen::of(&user, clock);
        for (now, command) in &history.writes {
            while clock < *now {
                clock = clock.next();
                seen = seen.followed_by(&user, clock)?;
            }
            if let Ok(next) = user.apply(command, clock, &history.limits) {
                user = next;
                seen = seen.followed_by(&user, clock)?;
            }
        }
        for _ in 0..20 {
            clock = clock.next();
            seen = seen.followed_by(&user, clock)?;
        }
    }

    #[test]
    fn who_learns_of_writes_late_sees_every_change_with_a_larger_stamp(
        history in cluster_histories(MILLISECOND),
        delays in proptest::collection::vec(0..=4_u32, 12),
    ) {
        let mut user = User::default();
        let mut clock = history.writes.iter().map(|(now, _)| *now).min().expect("at least one write");
        let mut seen = Seen::of(&user, clock);
        for ((now, command), delay) in history.writes.iter().zip(delays) {
            let Ok(next) = user.apply(command, *now, &history.limits) else { continue };
            let learns = next.as_of().plus(history.limits.foresight.min(history.unit * delay));
            // Until then, and in that very millisecond, the old record is all there is to see.
            while clock < learns {
                clock = clock.next();
                seen = seen.overtaken_by(&user, clock)?;
            }
            user = next;
            seen = seen.overtaken_by(&user, clock)?;
        }
        for _ in 0..20 {
            clock = clock.next();
            seen = seen.overtaken_by(&user, clock)?;
        }
    }

    #[test]
    fn a_record_that_is_stamped_anew_shows_the_same_with_larger_stamps(
        history in prop_oneof![histories(MILLISECOND), cluster_histories(MINUTE)],
        moment in 0..40_u32,
        ahead in 0..5_u32,
    ) {
        let user = history.user();
        let now = history.start.plus(history.unit * moment);
        let ahead = history.unit * ahead;
        let anew = user.restamped(now, ahead);
        let stamps = anew.stamps_at_write();
        prop_assert_eq!(anew.as_of(), now.max(user.as_of()));
        prop_assert_eq!(anew.is_hidden(), user.is_hidden());
        prop_assert!(stamps.changed_at >= anew.as_of().plus(ahead));
        prop_assert!(stamps.changed_at > user.presence(now).stamps.changed_at);
        prop_assert_eq!(stamps.state_since, stamps.changed_at);
        prop_assert_eq!(User::decode(&anew.encode()), Ok(anew.clone()));
        let mut next = Some(now);
        while let Some(then) = next {
            let (old, new) = (user.presence(then), anew.presence(then));
            prop_assert_eq!(View::of(&new), View::of(&old), "at {:?}", then);
            prop_assert!(new.stamps.changed_at >= old.stamps.changed_at, "at {:?}", then);
            prop_assert_eq!(anew.next_change(then), user.next_change(then));
            next = user.next_change(then);
        }
    }

    #[test]
    fn the_pair_is_the_one_that_the_algorithm_of_the_api_finds(
        mut sessions in proptest::collection::vec(
            (select(SessionPair::ALL), 0..=12_u32, select(vec![5_u32, 10, 60])),
            0..=4,
        ),
        preferred in prop::option::of(prop_oneof![
            select(PreferredPair::ALL).prop_map(|pair| (pair, false)),
            select(StandingPair::ALL).prop_map(|pair| (pair, true)),
        ]),
        out in any::<bool>(),
    ) {
        sessions.sort_by_key(|(_, age, _)| std::cmp::Reverse(*age));
        let now = Timestamp::from_millis(DAY_0);
        let mut commands = Vec::new();
        for (number, (pair, age, life)) in sessions.iter().enumerate() {
            let set = Command::SetPresence(SetPresence {
                session: own_session(number as u128),
                pair: SessionPair::new(*pair).expect("one of all"),
                duration: Some(MINUTE * *life),
            });
            commands.push((now.minus(MINUTE * *age), set));
        }
        commands.extend(preferred.map(|(pair, standing)| (now, prefer(pair, standing))));
        commands.extend(out.then(|| (now, out_of_office(Change::Set(OutOfOffice { message: None })))));
        let mut user = User::default();
        for (at, command) in &commands {
            user = user.apply(command, *at, &Limits::default()).expect("nothing to refuse");
        }
        prop_assert_eq!(user.presence(now).pair.to_string(), algorithm(&sessions, preferred, out));
    }

    #[test]
    fn an_explanation_tells_what_is_seen(
        history in prop_oneof![histories(MILLISECOND), cluster_histories(MILLISECOND)],
        moments in proptest::collection::vec(0..40_u32, 1..6),
    ) {
        let user = history.user();
        for moment in moments {
            let now = history.start.plus(history.unit * moment);
            let (explanation, seen) = (user.explain(now), user.presence(now));
            prop_assert_eq!(explanation.pair, seen.pair);
            prop_assert_eq!(explanation.stamps, seen.stamps);
            prop_assert_eq!(explanation.next_change, user.next_change(now));
            let winners = explanation.layers.iter().filter(|layer| layer.wins);
            let pairs: Vec<Pair> = winners.filter_map(|layer| layer.pair).collect();
            match explanation.decider {
                Decider::Preferred | Decider::Sessions => prop_assert_eq!(pairs, vec![seen.pair]),
                Decider::OutOfOffice => prop_assert!(pairs.len() <= 1 && !pairs.contains(&seen.pair)),
                Decider::Hidden | Decider::Nothing => prop_assert!(pairs.is_empty()),
            }
            let now = now.max(user.as_of());
            for layer in &explanation.layers {
                prop_assert!(layer.ends_at.is_none_or(|end| end > now), "{layer:?} has ended");
                prop_assert!(layer.next_change.is_none_or(|next| next > now), "{layer:?} is late");
            }
        }
    }

    #[test]
    fn a_record_is_read_as_it_was_written(
        history in prop_oneof![histories(MILLISECOND), histories(MINUTE), cluster_histories(MINUTE)],
    ) {
        let mut user = User::default();
        for (now, command) in &history.writes {
            user = user.apply(command, *now, &history.limits).unwrap_or(user);
            prop_assert_eq!(User::decode(&user.encode()), Ok(user.clone()));
        }
    }

    #[test]
    fn a_record_of_one_session_has_at_most_64_bytes(
        pair in select(SessionPair::ALL),
        life in prop::option::of(300_000..=14_400_000_u64),
        id in any::<u128>(),
        now in 0..=Timestamp::MAX.as_millis(),
    ) {
        let set = Command::SetPresence(SetPresence {
            session: own_session(id),
            pair: SessionPair::new(pair).expect("one of all"),
            duration: life.map(Duration::from_millis),
        });
        let now = Timestamp::from_millis(now);
        let user = User::default().apply(&set, now, &Limits::default()).expect("nothing to refuse");
        prop_assert!(user.encode().len() <= 64, "{} bytes", user.encode().len());
    }

    #[test]
    fn any_bytes_are_refused_or_read_but_never_cause_a_panic(
        version in prop_oneof![4 => Just(1_u8), 1 => any::<u8>()],
        fields in proptest::collection::vec(prop_oneof![any::<u8>(), 0..=2_u8], 0..200),
    ) {
        let mut bytes = vec![version];
        bytes.extend(fields);
        use_if_read(&bytes)?;
        use_if_read(&bytes[1..])?;
    }

    #[test]
    fn a_damaged_record_is_refused_or_read_but_never_causes_a_panic(
        history in histories(MINUTE),
        hits in proptest::collection::vec((any::<Index>(), any::<u8>()), 0..4),
        cut in prop::option::of(any::<Index>()),
        tail in proptest::collection::vec(any::<u8>(), 0..4),
    ) {
        let mut bytes = history.user().encode();
        for (place, byte) in hits {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        bytes.extend(tail);
        use_if_read(&bytes)?;
    }
}

/// The record and the model of everything ever written must show the same, at every instant that matters.
fn agree(user: &User, model: &Model) -> Result<(), TestCaseError> {
    let timeline = model.replay();
    prop_assert_eq!(user.as_of(), model.as_of());
    prop_assert_eq!(user.stamps_at_write(), timeline.at(model.as_of()).stamps);
    for probe in model.probes() {
        let now = probe.max(model.as_of());
        let presence = user.presence(probe);
        let (seen, expected) = (View::of(&presence), timeline.at(now));
        prop_assert_eq!(&seen, &expected.view, "at {:?}", probe);
        prop_assert_eq!(presence.stamps, expected.stamps, "at {:?}", probe);
        prop_assert_eq!(user.next_change(probe), timeline.next_change(now), "after {:?}", probe);
    }
    Ok(())
}

/// What somebody saw who looks every millisecond, and after every write.
struct Seen {
    view: View,
    hidden: bool,
    stamps: Stamps,
}

impl Seen {
    fn of(user: &User, now: Timestamp) -> Seen {
        let presence = user.presence(now);
        Seen { view: View::of(&presence), hidden: user.is_hidden(), stamps: presence.stamps }
    }

    fn followed_by(self, user: &User, now: Timestamp) -> Result<Seen, TestCaseError> {
        let next = Seen::of(user, now);
        let expected = Stamps {
            changed_at: if next.view == self.view && next.hidden == self.hidden {
                self.stamps.changed_at
            } else {
                now.max(self.stamps.changed_at.next())
            },
            state_since: if next.view.pair == self.view.pair {
                self.stamps.state_since
            } else {
                now.max(self.stamps.changed_at.next())
            },
        };
        prop_assert_eq!(next.stamps, expected, "at {:?}", now);
        Ok(next)
    }

    /// The same for somebody who learns of writes late: a stamp need not say when, but what came later has a
    /// larger one.
    fn overtaken_by(self, user: &User, now: Timestamp) -> Result<Seen, TestCaseError> {
        let next = Seen::of(user, now);
        let (earlier, later) = (self.stamps, next.stamps);
        prop_assert!(later.changed_at >= earlier.changed_at, "at {:?}", now);
        prop_assert!(later.state_since >= earlier.state_since, "at {:?}", now);
        if next.view != self.view || next.hidden != self.hidden {
            prop_assert!(later.changed_at > earlier.changed_at, "at {:?}", now);
        }
        if next.view.pair != self.view.pair {
            prop_assert!(later.state_since > earlier.state_since, "at {:?}", now);
        }
        Ok(next)
    }
}

/// presence-api 11.3, for sessions given as pair, age and life in minutes.
fn algorithm(sessions: &[(Pair, u32, u32)], preferred: Option<(Pair, bool)>, out: bool) -> String {
    const RANKING: [&str; 6] = [
        "DoNotDisturb/Presenting",
        "Busy/InAConferenceCall",
        "Busy/InACall",
        "Available/Available",
        "Available/AvailableInactive",
        "Away/Away",
    ];
    let mut says = Vec::new();
    for (pair, age, life) in sessions {
        let pair = pair.to_string();
        let said = match (pair.as_str(), age) {
            (_, age) if age >= life => continue,
            ("Available/Available", 5..=9) => "Available/AvailableInactive",
            ("Available/Available", 10..) => "Away/Away",
            (as_set, _) => as_set,
        };
        says.push(said.to_owned());
    }
    if let Some((pair, standing)) = preferred
        && (standing || !says.is_empty())
    {
        return pair.to_string();
    }
    let strongest = RANKING.into_iter().find(|pair| says.iter().any(|said| said == pair));
    let base = strongest.unwrap_or("Offline/Offline");
    let shown = match base {
        "Available/Available" | "Available/AvailableInactive" if out => "Available/OutOfOffice",
        "Away/Away" if out => "Away/OutOfOffice",
        "Offline/Offline" if out => "Offline/OutOfOffice",
        _ => base,
    };
    shown.to_owned()
}

/// The session that an application names with its own id.
fn own_session(id: u128) -> SessionKey {
    let id = Uuid::from_u128(id);
    SessionKey { application: ApplicationId(id), session: SessionId(id) }
}

fn prefer(pair: Pair, standing: bool) -> Command {
    if standing {
        let pair = StandingPair::new(pair).expect("one of all");
        Command::Patch(Patch { preferred: Change::Set((pair, None)), ..Patch::default() })
    } else {
        let pair = PreferredPair::new(pair).expect("one of all");
        Command::SetPreferred(SetPreferred { pair, duration: None })
    }
}

/// A record that can be read can be evaluated at any time, and written again.
fn use_if_read(bytes: &[u8]) -> Result<(), TestCaseError> {
    let Ok(user) = User::decode(bytes) else { return Ok(()) };
    let limits = Limits { foresight: MINUTE, ..Limits::default() };
    for now in [Timestamp::ZERO, user.as_of(), Timestamp::from_millis(DAY_0), Timestamp::MAX] {
        let explanation = user.explain(now);
        prop_assert_eq!(explanation.pair, user.presence(now).pair);
        prop_assert_eq!(explanation.next_change, user.next_change(now));
        let _ = user.apply(&command("manual remote"), now, &limits);
    }
    prop_assert_eq!(User::decode(&user.encode()), Ok(user));
    Ok(())
}
