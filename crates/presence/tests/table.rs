//! What a user's presence is, step by step: tables to be read, in the order of the API's description.

mod support;

use std::time::Duration;

use jiff::tz::TimeZone;
use porchlight_presence::{
    Activity, Availability, Change, Command, Decider, Expiry, LayerKind, Limits, LocationSource,
    LocationType, Method, NewLocation, NewStatusMessage, OutOfOffice, Pair, Part, Patch, PreferredPair,
    Presence, Reason, Refusal, SessionId, SessionKey, SessionPair, SetPreferred, SetPresence, StandingPair,
    Text, Timestamp, User,
};
use uuid::Uuid;

use support::{
    DAY_0, after, application, clock, command, duration, message, number, out_of_office, pair, play, reasons,
    rendered, rows, session, winners, written,
};

const MILLISECOND: Duration = Duration::from_millis(1);

// Sessions over time: presence-api 7, 8 and 10.

#[test]
fn an_available_session_of_an_hour_fades_twice_and_ends() {
    play(
        &Limits::default(),
        "
        12:00:00     | A sets Available/Available for PT1H | Available/Available
        12:04:59     |                                     | Available/Available
        12:04:59.999 |                                     | Available/Available
        12:05:00     |                                     | Available/AvailableInactive
        12:09:59.999 |                                     | Available/AvailableInactive
        12:10:00     |                                     | Away/Away
        12:59:59     |                                     | Away/Away
        12:59:59.999 |                                     | Away/Away
        13:00:00     |                                     | Offline/Offline
        ",
    );
}

#[test]
fn an_available_session_of_the_default_life_ends_before_it_fades() {
    play(
        &Limits::default(),
        "
        12:00:00     | A sets Available/Available | Available/Available
        12:04:59     |                            | Available/Available
        12:04:59.999 |                            | Available/Available
        12:05:00     |                            | Offline/Offline
        ",
    );
}

#[test]
fn a_session_that_ends_at_its_second_fade_never_shows_it() {
    play(
        &Limits::default(),
        "
        12:00:00     | A sets Available/Available for PT10M | Available/Available
        12:09:59.999 |                                      | Available/AvailableInactive
        12:10:00     |                                      | Offline/Offline
        ",
    );
}

#[test]
fn a_busy_session_ends_without_fading() {
    play(
        &Limits::default(),
        "
        12:00:00     | A sets Busy/InACall for PT5M | Busy/InACall
        12:04:59     |                              | Busy/InACall
        12:05:00     |                              | Offline/Offline
        12:10:00     | A sets Busy/InACall for PT4H | Busy/InACall
        16:09:59.999 |                              | Busy/InACall
        16:10:00     |                              | Offline/Offline
        ",
    );
}

#[test]
fn only_available_fades() {
    for set in SessionPair::ALL.iter().filter(|set| set.availability != Availability::Available) {
        let user = written(&format!("A sets {set} for PT4H"), clock("12:00:00"), &Limits::default());
        assert_eq!(user.next_change(clock("12:00:00")), Some(clock("16:00:00")), "{set}");
    }
}

#[test]
fn a_keep_alive_every_four_minutes_keeps_a_user_available_for_ever() {
    let start = clock("12:00:00");
    let mut user = User::default();
    for renewal in 0..360 {
        let now = start.plus(duration("PT4M") * renewal);
        user = after(&user, "A sets Available/Available for PT5M", now, &Limits::default());
        for then in [now, now.plus(duration("PT4M"))] {
            let presence = user.presence(then);
            assert_eq!(rendered(&presence), "Available/Available");
            assert_eq!(presence.stamps.changed_at, start, "a keep-alive changes nothing");
        }
    }
}

#[test]
fn a_keep_alive_restarts_the_fade_and_the_life() {
    play(
        &Limits::default(),
        "
        12:00:00     | A sets Available/Available for PT1H | Available/Available
        12:04:00     | A sets Available/Available for PT1H | Available/Available
        12:08:59.999 |                                     | Available/Available
        12:09:00     |                                     | Available/AvailableInactive
        12:20:00     |                                     | Away/Away
        12:20:00     | A sets Available/Available for PT6M | Available/Available
        12:25:00     |                                     | Available/AvailableInactive
        12:26:00     |                                     | Offline/Offline
        ",
    );
}

#[test]
fn the_last_call_of_a_session_wins_whole() {
    play(
        &Limits::default(),
        "
        12:00:00 | A sets DoNotDisturb/Presenting for PT4H | DoNotDisturb/Presenting
        12:01:00 | A sets Away/Away                        | Away/Away
        12:06:00 |                                         | Offline/Offline
        ",
    );
}

#[test]
fn without_a_fade_an_available_session_stays_available() {
    play(
        &Limits { fade: None, ..Limits::default() },
        "
        12:00:00     | A sets Available/Available for PT1H | Available/Available
        12:59:59.999 |                                     | Available/Available
        13:00:00     |                                     | Offline/Offline
        ",
    );
}

#[test]
fn a_session_keeps_the_deadlines_that_it_was_set_with() {
    let no_fade = Limits { fade: None, expiry_grace: duration("PT15S"), ..Limits::default() };
    let user = written("A sets Available/Available for PT1H", clock("12:00:00"), &no_fade);
    let user = after(&user, "B sets Away/Away", clock("12:01:00"), &Limits::default());
    assert_eq!(user.next_change(clock("12:06:00")), Some(clock("13:00:15")));
}

#[test]
fn only_a_live_session_of_the_same_name_can_be_cleared() {
    play(
        &Limits::default(),
        "
        12:00:00 | A clears              | refused: SessionNotFound
        12:00:00 | A sets Busy/InACall   | Busy/InACall
        12:01:00 | A2 clears             | refused: SessionNotFound
        12:01:00 | A2 sets Away/Away     | Busy/InACall
        12:02:00 | B clears              | refused: SessionNotFound
        12:02:00 | A clears              | Away/Away
        12:02:00 | A clears              | refused: SessionNotFound
        12:06:00 | A2 clears             | refused: SessionNotFound
        12:06:00 |                       | Offline/Offline
        ",
    );
}

#[test]
fn applications_that_use_the_same_session_id_do_not_touch_each_other() {
    play(
        &Limits::default(),
        "
        12:00:00 | A2 sets Busy/InACall           | Busy/InACall
        12:01:00 | B2 sets Available/Available    | Busy/InACall
        12:02:00 | B2 clears                      | Busy/InACall
        12:02:00 | C2 clears                      | refused: SessionNotFound
        12:05:00 |                                | Offline/Offline
        ",
    );
}

#[test]
fn a_user_can_have_32_live_sessions_but_not_33() {
    let limits = Limits::default();
    let set = |number: u128| {
        let session =
            SessionKey { application: application('A'), session: SessionId(Uuid::from_u128(number)) };
        let pair = SessionPair::new(pair("Away/Away")).expect("a pair that can be set");
        Command::SetPresence(SetPresence { session, pair, duration: None })
    };
    let too_many = Err(Refusal::TooManySessions { max: 32 });
    let mut user = User::default();
    for number in 1..=32 {
        user = user.apply(&set(number), clock("12:00:00"), &limits).expect("there is room");
    }
    assert_eq!(user.sessions().len(), 32);
    assert_eq!(User::decode(&user.encode()), Ok(user.clone()));
    assert_eq!(user.apply(&set(33), clock("12:00:00"), &limits), too_many);
    // Renewing one of them is always possible, and so is a new one after one was cleared.
    user = user.apply(&set(7), clock("12:01:00"), &limits).expect("it is one of them");
    assert_eq!(user.apply(&set(33), clock("12:04:59.999"), &limits), too_many);
    let first = SessionKey { session: SessionId(Uuid::from_u128(1)), ..session("A") };
    let room = user.apply(&Command::ClearPresence(first), clock("12:02:00"), &limits).expect("it lives");
    assert!(room.apply(&set(33), clock("12:02:00"), &limits).is_ok());
    // What has ended does not count.
    let later = user.apply(&set(33), clock("12:05:00"), &limits).expect("31 have ended");
    let live = later.sessions().iter().filter(|session| session.pair_at(clock("12:05:00")).is_some());
    assert_eq!(live.count(), 2);
}

// Grace: design decision 10.

#[test]
fn with_a_grace_of_15_seconds_renewing_exactly_every_five_minutes_never_flaps() {
    let limits = Limits { expiry_grace: duration("PT15S"), ..Limits::default() };
    let start = clock("12:00:00");
    for set in SessionPair::ALL {
        let mut user = User::default();
        let mut now = start;
        for _ in 0..100 {
            user = after(&user, &format!("A sets {set}"), now, &limits);
            assert!(!renewed_late(&user, now));
            now = now.plus(duration("PT5M"));
            for then in [now.minus(MILLISECOND), now, now.plus(duration("PT15S")).minus(MILLISECOND)] {
                assert_eq!(user.presence(then).pair, *set);
                assert_eq!(user.presence(then).stamps.changed_at, start);
            }
        }
        assert_eq!(user.presence(now.plus(duration("PT15S"))).pair, Pair::OFFLINE);
    }
}

#[test]
fn without_a_grace_it_flaps() {
    let user = written("A sets Busy/InACall", clock("12:00:00"), &Limits::default());
    let renewed = after(&user, "A sets Busy/InACall", clock("12:05:00"), &Limits::default());
    assert_eq!(user.presence(clock("12:05:00")).pair, Pair::OFFLINE);
    assert_eq!(user.presence(clock("12:05:00")).stamps.changed_at, clock("12:05:00"));
    // The renewal came after the end, in the same millisecond: it is stamped after it.
    assert_eq!(renewed.presence(clock("12:05:00")).stamps.changed_at, clock("12:05:00.001"));
}

#[test]
fn a_grace_does_not_let_a_fade_show_that_would_not_without_it() {
    play(
        &Limits { expiry_grace: duration("PT10M"), ..Limits::default() },
        "
        12:00:00     | A sets Available/Available           | Available/Available
        12:14:59.999 |                                      | Available/Available
        12:15:00     |                                      | Offline/Offline
        12:20:00     | A sets Available/Available for PT10M | Available/Available
        12:25:00     |                                      | Available/AvailableInactive
        12:39:59.999 |                                      | Available/AvailableInactive
        12:40:00     |                                      | Offline/Offline
        ",
    );
}

#[test]
fn a_client_that_renews_within_15_seconds_after_the_end_is_told_so() {
    let table = "
        grace | renewed at   | late
        PT0S  | 12:04:59.999 | false
        PT0S  | 12:05:00     | true
        PT0S  | 12:05:15     | true
        PT0S  | 12:05:15.001 | false
        PT15S | 12:05:00     | false
        PT15S | 12:05:14.999 | false
        PT15S | 12:05:15     | true
        PT15S | 12:05:30     | true
        PT15S | 12:05:30.001 | false
    ";
    for [grace, renewed_at, late] in rows(table).into_iter().skip(1) {
        let limits = Limits { expiry_grace: duration(grace), ..Limits::default() };
        let user = written("A sets Away/Away", clock("12:00:00"), &limits);
        let user = after(&user, "A sets Away/Away", clock(renewed_at), &limits);
        assert_eq!(renewed_late(&user, clock(renewed_at)).to_string(), late, "{grace}, {renewed_at}");
    }
}

#[test]
fn a_session_that_was_cleared_is_not_renewed_late() {
    let limits = Limits::default();
    let user = written("A sets Away/Away; A clears; A sets Away/Away", clock("12:00:00"), &limits);
    assert!(!renewed_late(&user, clock("12:00:00")));
}

fn renewed_late(user: &User, now: Timestamp) -> bool {
    let layers = user.explain(now).layers;
    let layer = layers.iter().find(|layer| layer.kind == LayerKind::Session(session("A")));
    layer.expect("A has a live session").renewed_late
}

// Preferred presence and status message: presence-api 9.

#[test]
fn a_preference_shows_while_a_session_lives() {
    play(
        &Limits::default(),
        "
        12:00:00     | prefers Busy/Busy for PT8H    | Offline/Offline
        12:01:00     | A sets Available/Available    | Busy/Busy
        12:05:59.999 |                               | Busy/Busy
        12:06:00     |                               | Offline/Offline
        12:07:00     | A sets Away/Away for PT4H     | Busy/Busy
        16:00:00     | A sets Away/Away for PT4H     | Busy/Busy
        19:59:59.999 |                               | Busy/Busy
        20:00:00     |                               | Offline/Offline
        ",
    );
    play(
        &Limits::default(),
        "
        12:00:00     | A sets Away/Away for PT4H           | Away/Away
        12:01:00     | prefers Busy/Busy for PT1H          | Busy/Busy
        12:30:00     | prefers Available/Available for PT1H | Available/Available
        13:29:59.999 |                                     | Available/Available
        13:30:00     |                                     | Away/Away
        13:31:00     | prefers BeRightBack/BeRightBack     | BeRightBack/BeRightBack
        13:32:00     | clears preference                   | Away/Away
        13:32:00     | clears preference                   | Away/Away
        ",
    );
}

#[test]
fn a_preference_holds_for_as_long_as_its_availability_says() {
    let table = "
        Available/Available       | P7D
        Busy/Busy                 | P1D
        DoNotDisturb/DoNotDisturb | P1D
        BeRightBack/BeRightBack   | P7D
        Away/Away                 | P7D
        Offline/OffWork           | P7D
    ";
    let now = clock("12:00:00");
    let lives = rows(table);
    for [preferred, life] in &lives {
        let user = written(&format!("prefers {preferred}"), now, &Limits::default());
        assert_eq!(user.explain(now).layers[0].ends_at, Some(now.plus(duration(life))), "{preferred}");
    }
    let listed: Vec<Pair> = lives.iter().map(|[preferred, _]| pair(preferred)).collect();
    for any in every_pair() {
        let expected = if listed.contains(&any) {
            Ok(any)
        } else {
            let method = Method::SetUserPreferredPresence;
            Err(Refusal::PairNotSupported { pair: any, method, supported: PreferredPair::ALL })
        };
        assert_eq!(PreferredPair::new(any).map(PreferredPair::get), expected);
    }
}

#[test]
fn a_status_message_lives_apart_from_sessions_and_preference() {
    play(
        &Limits::default(),
        "
        12:00:00     | says Lunch until 13:30:00            | Offline/Offline, says Lunch
        12:01:00     | A sets Busy/InACall                  | Busy/InACall, says Lunch
        12:02:00     | clears preference                    | Busy/InACall, says Lunch
        12:03:00     | A clears                             | Offline/Offline, says Lunch
        13:29:59.999 |                                      | Offline/Offline, says Lunch
        13:30:00     |                                      | Offline/Offline
        13:31:00     | says Again until 13:31:00            | refused: ExpiryInThePast
        13:31:00     | says Again until 13:31:00.001        | Offline/Offline, says Again
        13:31:00     | says Always                          | Offline/Offline, says Always
        9999:00:00   |                                      | Offline/Offline, says Always
        9999:00:00   | says nothing                         | Offline/Offline
        ",
    );
}

#[test]
fn a_status_message_is_dated_and_kept_as_it_was_given() {
    let expiry = Some(Expiry { at: clock("13:00:00"), ticks: 1234 });
    let new = NewStatusMessage { content: " \tBack\nafter lunch ".to_owned(), expiry };
    let set = Command::SetStatusMessage(Some(new));
    let user = User::default().apply(&set, clock("12:00:00"), &Limits::default()).expect("nothing to refuse");
    let shown = user.presence(clock("12:30:00")).status_message.expect("it lives");
    assert_eq!(shown.content, " \tBack\nafter lunch ");
    assert_eq!(shown.published_at, clock("12:00:00"));
    assert_eq!(shown.expiry, expiry);
}

// Aggregation: presence-api 7.2 and 11.

#[test]
fn a_session_takes_five_pairs() {
    let listed = "
        Available: Available
        Busy: InACall, InAConferenceCall
        Away: Away
        DoNotDisturb: Presenting
    ";
    let listed = pairs(listed);
    for any in every_pair() {
        let expected = if listed.contains(&any) {
            Ok(any)
        } else {
            Err(Refusal::PairNotSupported {
                pair: any,
                method: Method::SetPresence,
                supported: SessionPair::ALL,
            })
        };
        assert_eq!(SessionPair::new(any).map(SessionPair::get), expected);
    }
}

#[test]
fn the_strongest_layer_decides() {
    let table = "
        sessions                                                     | preferred                 | result                      | decider   | who wins
        none                                                         | none                      | Offline/Offline             | Nothing   | nothing
        none                                                         | DoNotDisturb/DoNotDisturb | Offline/Offline             | Nothing   | nothing
        A: Available/Available                                       | none                      | Available/Available         | Sessions  | A
        A: Available/Available, B: Busy/InACall                      | none                      | Busy/InACall                | Sessions  | B
        A: Busy/InACall, B: DoNotDisturb/Presenting                  | none                      | DoNotDisturb/Presenting     | Sessions  | B
        A: Available/Available (12 minutes old), B: Away/Away        | none                      | Away/Away                   | Sessions  | B
        A: Available/Available (6 minutes old), B: Away/Away         | none                      | Available/AvailableInactive | Sessions  | A
        A: Away/Away, B: Available/Available                         | none                      | Available/Available         | Sessions  | B
        A: Busy/InACall                                              | Available/Available       | Available/Available         | Preferred | preferred
        A: Available/Available                                       | Offline/OffWork           | Offline/OffWork             | Preferred | preferred
        A: Available/Available, A: cleared                           | Busy/Busy                 | Offline/Offline             | Nothing   | nothing
        A: Busy/InACall, B: Busy/InAConferenceCall                   | none                      | Busy/InAConferenceCall      | Sessions  | B
        A: Busy/InAConferenceCall, B: Busy/InACall                   | none                      | Busy/InAConferenceCall      | Sessions  | A
        A: Available/Available (6 minutes old), B: Available/Available | none                    | Available/Available         | Sessions  | B
    ";
    let limits = Limits::default();
    let now = clock("12:00:00");
    for [sessions, preferred, result, decider, winner] in rows(table).into_iter().skip(1) {
        let mut user = User::default();
        for said in sessions.split(", ").filter(|said| *said != "none") {
            let (who, what) = said.split_once(": ").expect("an application and what it says");
            let (what, age) = what.split_once(" (").unwrap_or((what, "0"));
            let minutes = number(age.trim_end_matches(" minutes old)")).unsigned_abs();
            let step = if what == "cleared" {
                format!("{who} clears")
            } else {
                format!("{who} sets {what} for PT1H")
            };
            user = after(&user, &step, now.minus(Duration::from_secs(minutes * 60)), &limits);
        }
        if preferred != "none" {
            user = after(&user, &format!("prefers {preferred}"), now, &limits);
        }
        let explanation = user.explain(now);
        assert_eq!(user.presence(now).pair, pair(result), "{sessions}, {preferred}");
        assert_eq!(explanation.pair, pair(result), "{sessions}, {preferred}");
        assert_eq!(format!("{:?}", explanation.decider), decider, "{sessions}, {preferred}");
        assert_eq!(winners(&user, now), winner, "{sessions}, {preferred}");
    }
}

#[test]
fn offline_comes_in_three_kinds() {
    let table = "
        steps                                             | at       | pair
                                                          | 12:00:00 | Offline/Offline
        A sets Available/Available                        | 12:05:00 | Offline/Offline
        A sets Available/Available; A clears              | 12:00:00 | Offline/Offline
        prefers Offline/OffWork; A sets Busy/InACall      | 12:00:00 | Offline/OffWork
        prefers Offline/OffWork                           | 12:00:00 | Offline/Offline
        prefers Offline/OffWork; A sets Busy/InACall      | 12:05:00 | Offline/Offline
    ";
    for [steps, at, seen] in rows(table).into_iter().skip(1) {
        let user = written(steps, clock("12:00:00"), &Limits::default());
        assert_eq!(rendered(&user.presence(clock(at))), seen, "{steps}");
    }
}

#[test]
fn an_explanation_says_why_each_layer_shows_or_does_not() {
    let table = "
        A sets Away/Away; B sets Busy/InACall       | B Strongest, A OutrankedBySession
        A sets Away/Away; prefers Busy/Busy         | preferred Outranks, A OutrankedByPreferred
        A sets Away/Away; patches Busy/Busy         | preferred Stands, A OutrankedByPreferred
        prefers Busy/Busy                           | preferred WaitsForSession
        patches Busy/Busy                           | preferred Stands
        is out                                      | out of office ChangesPair
        A sets Away/Away; is out                    | A Strongest, out of office ChangesPair
        A sets Busy/InACall; is out                 | A Strongest, out of office ShowsBeside
        says Lunch; manual office                   | status message ShowsBeside, manual location ShowsBeside
        automatic remote                            | automatic location ShowsBeside
        manual office; automatic remote             | manual location ShowsBeside, automatic location OutrankedByManual
        A sets Away/Away; prefers Busy/Busy; hides  | hidden Hidden, preferred Hidden, A Hidden
        is out; says Lunch; manual office; hides    | hidden Hidden, out of office Hidden, status message Hidden, manual location Hidden
    ";
    let now = clock("12:00:00");
    for [steps, expected] in rows(table) {
        assert_eq!(reasons(&written(steps, now, &Limits::default()), now), expected, "{steps}");
    }
}

#[test]
fn an_explanation_leaves_out_what_has_ended() {
    let user = written("A sets Away/Away; says Lunch until 12:01:00", clock("12:00:00"), &Limits::default());
    assert_eq!(reasons(&user, clock("12:00:59.999")), "A Strongest, status message ShowsBeside");
    assert_eq!(reasons(&user, clock("12:01:00")), "A Strongest");
    assert_eq!(reasons(&user, clock("12:05:00")), "");
}

// Out of office: presence-api 12.

#[test]
fn out_of_office_changes_some_pairs() {
    let table = "
        steps                                                      | at       | in the office               | out of office          | decider
                                                                   | 12:00:00 | Offline/Offline             | Offline/OutOfOffice    | OutOfOffice
        A sets Available/Available for PT1H                        | 12:00:00 | Available/Available         | Available/OutOfOffice  | OutOfOffice
        A sets Available/Available for PT1H                        | 12:05:00 | Available/AvailableInactive | Available/OutOfOffice  | OutOfOffice
        A sets Available/Available for PT1H                        | 12:10:00 | Away/Away                   | Away/OutOfOffice       | OutOfOffice
        A sets Available/Available for PT1H                        | 13:00:00 | Offline/Offline             | Offline/OutOfOffice    | OutOfOffice
        A sets Away/Away                                           | 12:00:00 | Away/Away                   | Away/OutOfOffice       | OutOfOffice
        A sets Busy/InACall                                        | 12:00:00 | Busy/InACall                | Busy/InACall           | Sessions
        A sets Busy/InAConferenceCall                              | 12:00:00 | Busy/InAConferenceCall      | Busy/InAConferenceCall | Sessions
        A sets DoNotDisturb/Presenting                             | 12:00:00 | DoNotDisturb/Presenting     | DoNotDisturb/Presenting | Sessions
        A sets Away/Away; prefers Available/Available              | 12:00:00 | Available/Available         | Available/Available    | Preferred
        A sets Away/Away; prefers Away/Away                        | 12:00:00 | Away/Away                   | Away/Away              | Preferred
        prefers Available/Available                                | 12:00:00 | Offline/Offline             | Offline/OutOfOffice    | OutOfOffice
        patches Available/Available                                | 12:00:00 | Available/Available         | Available/Available    | Preferred
        patches Away/Away                                          | 12:00:00 | Away/Away                   | Away/Away              | Preferred
        patches Offline/Offline                                    | 12:00:00 | Offline/Offline             | Offline/Offline        | Preferred
    ";
    let limits = Limits::default();
    for [steps, at, inside, outside, decider] in rows(table).into_iter().skip(1) {
        let user = written(steps, clock("12:00:00"), &limits);
        assert_eq!(rendered(&user.presence(clock(at))), inside, "{steps}");
        let out = after(&user, "is out", clock("12:00:00"), &limits);
        assert_eq!(rendered(&out.presence(clock(at))), format!("{outside}, out"), "{steps}");
        assert_eq!(format!("{:?}", out.explain(clock(at)).decider), decider, "{steps}");
    }
}

#[test]
fn out_of_office_has_no_end_of_its_own() {
    play(
        &Limits::default(),
        "
        12:00:00   | is out Until-Monday | Offline/OutOfOffice, out Until-Monday
        12:01:00   | A sets Away/Away    | Away/OutOfOffice, out Until-Monday
        9999:00:00 |                     | Offline/OutOfOffice, out Until-Monday
        9999:00:00 | is out              | Offline/OutOfOffice, out
        9999:01:00 | is back             | Offline/Offline
        ",
    );
}

// PATCH and DELETE: presence-api 13.

/// presence-api 13: the pairs that PATCH takes.
const STANDING: &str = "
    Available: Available, OutOfOffice
    AvailableIdle: Inactive
    Away: Away, BeRightBack, OutOfOffice
    BeRightBack: BeRightBack
    Busy: Busy, InACall, InAConferenceCall, InAMeeting
    BusyIdle: Inactive
    DoNotDisturb: DoNotDisturb, Presenting, UrgentInterruptionsOnly
    Offline: Offline, OffWork, OutOfOffice
";

#[test]
fn a_patch_takes_a_closed_list_of_pairs() {
    let listed = pairs(STANDING);
    for any in every_pair() {
        let expected = if listed.contains(&any) {
            Ok(any)
        } else {
            Err(Refusal::PairNotSupported { pair: any, method: Method::Patch, supported: StandingPair::ALL })
        };
        assert_eq!(StandingPair::new(any).map(StandingPair::get), expected);
    }
}

#[test]
fn a_patched_pair_stands_without_a_session_and_does_not_fade() {
    let now = clock("12:00:00");
    let seven_days = ["Available", "BeRightBack", "Away", "Offline"];
    for listed in pairs(STANDING) {
        let user = written(&format!("patches {listed}"), now, &Limits::default());
        let days = if seven_days.contains(&listed.availability.name()) { 7 } else { 1 };
        let end = now.plus(duration("P1D") * days);
        assert_eq!(user.presence(now).pair, listed);
        assert_eq!(user.presence(end.minus(MILLISECOND)).pair, listed);
        assert_eq!(user.presence(end).pair, Pair::OFFLINE);
    }
}

#[test]
fn half_a_pair_implies_the_other_half() {
    let table = "
        Available               |                         | Available/Available
        AvailableIdle           |                         | AvailableIdle/Inactive
        Away                    |                         | Away/Away
        BeRightBack             |                         | BeRightBack/BeRightBack
        Busy                    |                         | Busy/Busy
        BusyIdle                |                         | BusyIdle/Inactive
        DoNotDisturb            |                         | DoNotDisturb/DoNotDisturb
        Offline                 |                         | Offline/Offline
        PresenceUnknown         |                         | refused
                                | Available               | Available/Available
                                | AvailableInactive       | refused
                                | Away                    | Away/Away
                                | BeRightBack             | BeRightBack/BeRightBack
                                | Busy                    | Busy/Busy
                                | DoNotDisturb            | DoNotDisturb/DoNotDisturb
                                | InACall                 | Busy/InACall
                                | InAConferenceCall       | Busy/InAConferenceCall
                                | Inactive                | AvailableIdle/Inactive
                                | InAMeeting              | Busy/InAMeeting
                                | Offline                 | Offline/Offline
                                | OffWork                 | Offline/OffWork
                                | OutOfOffice             | Available/OutOfOffice
                                | PresenceUnknown         | refused
                                | Presenting              | DoNotDisturb/Presenting
                                | UrgentInterruptionsOnly | DoNotDisturb/UrgentInterruptionsOnly
    ";
    let table = rows(table);
    assert_eq!(table.len(), Availability::ALL.len() + Activity::ALL.len());
    for [availability, activity, whole] in table {
        let implied = match (Availability::from_name(availability), Activity::from_name(activity)) {
            (Some(availability), None) => StandingPair::of_availability(availability),
            (None, Some(activity)) => StandingPair::of_activity(activity),
            _ => panic!("not half a pair: {availability} {activity}"),
        };
        let implied = implied.map_or("refused".to_owned(), |pair| pair.get().to_string());
        assert_eq!(implied, whole, "{availability}{activity}");
    }
}

#[test]
fn a_patch_and_a_preference_replace_each_other() {
    play(
        &Limits::default(),
        "
        12:00:00 | patches DoNotDisturb/DoNotDisturb       | DoNotDisturb/DoNotDisturb
        12:01:00 | prefers Busy/Busy                       | Offline/Offline
        12:02:00 | patches Busy/InAMeeting for PT1H        | Busy/InAMeeting
        12:03:00 | A sets DoNotDisturb/Presenting for PT4H | Busy/InAMeeting
        13:01:59 |                                         | Busy/InAMeeting
        13:02:00 |                                         | DoNotDisturb/Presenting
        13:03:00 | patches Away/BeRightBack                | Away/BeRightBack
        13:04:00 | A clears                                | Away/BeRightBack
        13:05:00 | clears preference                       | Offline/Offline
        ",
    );
}

#[test]
fn a_patch_writes_all_its_parts_at_once() {
    let limits = Limits::default();
    let now = clock("12:00:00");
    let user = User::default().apply(&Command::Patch(everything()), now, &limits).expect("nothing to refuse");
    assert_eq!(
        rendered(&user.presence(now)),
        "Busy/InAMeeting, out Back-soon, says Lunch, manual office, desk-7"
    );
    assert_eq!(user.presence(now).stamps.changed_at, now, "one change");

    let clear = Patch {
        preferred: Change::Clear,
        status_message: Change::Clear,
        out_of_office: Change::Clear,
        work_location: Change::Clear,
    };
    let user = after(&user, "automatic remote", now, &limits);
    let cleared = user.apply(&Command::Patch(clear), clock("12:01:00"), &limits).expect("nothing to refuse");
    assert_eq!(
        rendered(&cleared.presence(clock("12:01:00"))),
        "Offline/Offline",
        "the automatic location is gone too"
    );
    assert_eq!(cleared.presence(clock("12:01:00")).stamps.changed_at, clock("12:01:00"));

    let same =
        user.apply(&Command::Patch(Patch::default()), clock("12:01:00"), &limits).expect("nothing to refuse");
    assert_eq!(same.presence(clock("12:01:00")), user.presence(clock("12:01:00")), "no part, no change");
}

#[test]
fn a_patch_with_one_bad_part_is_refused_whole() {
    let bad = [
        Patch { preferred: Change::Set((standing("Busy/Busy"), Some(Duration::ZERO))), ..everything() },
        Patch { status_message: Change::Set(message("x", Some(clock("12:00:00")))), ..everything() },
        Patch {
            out_of_office: Change::Set(OutOfOffice { message: Some("\u{7}".to_owned()) }),
            ..everything()
        },
        Patch { work_location: Change::Set(place("\u{7}")), ..everything() },
    ];
    let expected = [
        Refusal::DurationOutOfRange { given: Duration::ZERO, min: MILLISECOND, max: duration("P365D") },
        Refusal::ExpiryInThePast,
        Refusal::ControlCharacter { text: Text::OutOfOfficeMessage },
        Refusal::ControlCharacter { text: Text::PlaceId },
    ];
    for (patch, refusal) in bad.into_iter().zip(expected) {
        let applied = User::default().apply(&Command::Patch(patch), clock("12:00:00"), &Limits::default());
        assert_eq!(applied, Err(refusal));
    }
}

#[test]
fn a_delete_clears_all_but_the_sessions_of_others() {
    play(
        &Limits::default(),
        "
        12:00:00 | A sets Busy/InACall             | Busy/InACall
        12:00:00 | A2 sets DoNotDisturb/Presenting | DoNotDisturb/Presenting
        12:00:00 | B sets Away/Away                | DoNotDisturb/Presenting
        12:00:00 | prefers Available/Available     | Available/Available
        12:00:00 | says Lunch                      | Available/Available, says Lunch
        12:00:00 | is out                          | Available/Available, out, says Lunch
        12:00:00 | automatic remote                | Available/Available, out, says Lunch, automatic remote
        12:00:00 | manual office                   | Available/Available, out, says Lunch, manual office
        12:01:00 | A deletes                       | Away/Away
        12:01:00 | A deletes                       | Away/Away
        12:05:00 |                                 | Offline/Offline
        ",
    );
}

// Work location: presence-api 14.

#[test]
fn a_manual_location_outranks_an_automatic_one_until_midnight() {
    play(
        &Limits::default(),
        "
        12:00:00     |                      | Offline/Offline
        12:00:00     | automatic remote     | Offline/Offline, automatic remote
        12:01:00     | manual office desk-7 | Offline/Offline, manual office, desk-7
        12:02:00     | automatic timeOff    | Offline/Offline, manual office, desk-7
        12:03:00     | clears automatic     | Offline/Offline, manual office, desk-7
        12:04:00     | automatic remote     | Offline/Offline, manual office, desk-7
        12:05:00     | clears location      | Offline/Offline
        12:06:00     | manual office        | Offline/Offline, manual office
        12:07:00     | automatic remote     | Offline/Offline, manual office
        12:08:00     | manual unspecified   | Offline/Offline, manual unspecified
        23:59:59.999 |                      | Offline/Offline, manual unspecified
        24:00:00     |                      | Offline/Offline
        24:00:00     | automatic office     | Offline/Offline, automatic office
        24:00:01     | clears automatic     | Offline/Offline
        24:00:02     | automatic office     | Offline/Offline, automatic office
        47:59:59.999 |                      | Offline/Offline, automatic office
        48:00:00     |                      | Offline/Offline
        ",
    );
}

#[test]
fn the_automatic_location_shows_again_when_the_manual_one_ends() {
    let today = Limits::default();
    let for_two_days = Limits { location_days: 2, ..Limits::default() };
    let user = written("manual office", clock("12:00:00"), &today);
    let user = after(&user, "automatic remote", clock("12:01:00"), &for_two_days);
    let seen = |at: &str| rendered(&user.presence(clock(at)));
    assert_eq!(seen("23:59:59.999"), "Offline/Offline, manual office");
    assert_eq!(seen("24:00:00"), "Offline/Offline, automatic remote");
    assert_eq!(seen("47:59:59.999"), "Offline/Offline, automatic remote");
    assert_eq!(seen("48:00:00"), "Offline/Offline");
}

#[test]
fn a_location_without_days_holds_until_it_is_cleared() {
    let limits = Limits { location_days: 0, ..Limits::default() };
    let user = written("manual office", clock("12:00:00"), &limits);
    assert_eq!(user.next_change(clock("12:00:00")), None);
    assert_eq!(rendered(&user.presence(Timestamp::MAX)), "Offline/Offline, manual office");
}

#[test]
fn a_location_ends_at_the_midnight_of_the_zone() {
    // Days since 1970: 20,777 is 2026-11-20, 20,541 is 2026-03-29 and 20,751 is 2026-10-25, on which Berlin changes its
    // clocks; 17,839 is 2018-11-04, which began at one o'clock in São Paulo.
    let table = "
        zone              | set on | at       | ends on | at
        UTC               | 20777  | 00:00:00 | 20778   | 00:00:00
        UTC               | 20777  | 23:59:59 | 20778   | 00:00:00
        Europe/Berlin     | 20777  | 22:59:59 | 20777   | 23:00:00
        Europe/Berlin     | 20777  | 23:00:00 | 20778   | 23:00:00
        America/New_York  | 20777  | 04:59:59 | 20777   | 05:00:00
        America/New_York  | 20777  | 05:00:00 | 20778   | 05:00:00
        Europe/Berlin     | 20540  | 23:30:00 | 20541   | 22:00:00
        Europe/Berlin     | 20750  | 22:30:00 | 20751   | 23:00:00
        America/Sao_Paulo | 17838  | 12:00:00 | 17839   | 03:00:00
    ";
    let instant = |day: &str, at: &str| {
        let of_day = clock(at).as_millis() - DAY_0;
        Timestamp::from_millis(number(day) * 86_400_000 + of_day)
    };
    for [zone, set_on, set_at, ends_on, ends_at] in rows(table).into_iter().skip(1) {
        let limits =
            Limits { zone: TimeZone::get(zone).expect("a zone of the database"), ..Limits::default() };
        let now = instant(set_on, set_at);
        let user = written("manual office", now, &limits);
        assert_eq!(user.next_change(now), Some(instant(ends_on, ends_at)), "{zone}, day {set_on} {set_at}");
    }
}

// Hidden: design section 5.

#[test]
fn a_hidden_person_shows_nothing_and_takes_no_writes() {
    play(
        &Limits::default(),
        "
        12:00:00 | A sets Busy/InACall for PT1H | Busy/InACall
        12:00:00 | says Lunch                   | Busy/InACall, says Lunch
        12:00:00 | is out                       | Busy/InACall, out, says Lunch
        12:00:00 | manual office                | Busy/InACall, out, says Lunch, manual office
        12:01:00 | hides                        | Offline/Offline
        12:01:00 | hides                        | Offline/Offline
        12:02:00 | A sets Available/Available   | refused: Hidden
        12:02:00 | A clears                     | refused: Hidden
        12:02:00 | prefers Busy/Busy            | refused: Hidden
        12:02:00 | clears preference            | refused: Hidden
        12:02:00 | says nothing                 | refused: Hidden
        12:02:00 | automatic remote             | refused: Hidden
        12:02:00 | clears location              | refused: Hidden
        12:02:00 | patches Busy/Busy            | refused: Hidden
        12:02:00 | A deletes                    | refused: Hidden
        12:03:00 | shows                        | Busy/InACall, out, says Lunch, manual office
        12:04:00 | hides                        | Offline/Offline
        13:00:00 |                              | Offline/Offline
        13:00:00 | shows                        | Offline/OutOfOffice, out, says Lunch, manual office
        ",
    );
}

#[test]
fn hiding_moves_the_stamps_and_nothing_moves_them_while_hidden() {
    let limits = Limits::default();
    let user = written("A sets Available/Available for PT1H; patches Busy/Busy", clock("12:00:00"), &limits);
    let hidden = after(&user, "hides", clock("12:01:00"), &limits);
    assert!(hidden.is_hidden());
    assert_eq!(hidden.next_change(clock("12:01:00")), None);
    let presence = hidden.presence(clock("24:00:00"));
    assert_eq!(presence.stamps.changed_at, clock("12:01:00"));
    assert_eq!(presence.stamps.state_since, clock("12:01:00"));
    let explanation = hidden.explain(clock("12:02:00"));
    assert_eq!(explanation.decider, Decider::Hidden);
    assert!(explanation.layers.iter().all(|layer| layer.reason == Reason::Hidden));
    assert_eq!(winners(&hidden, clock("12:02:00")), "hidden");
}

#[test]
fn hiding_is_a_change_even_of_a_person_who_shows_nothing() {
    let limits = Limits::default();
    let hidden = after(&User::default(), "hides", clock("12:01:00"), &limits);
    let stamps = hidden.presence(clock("12:02:00")).stamps;
    assert_eq!((stamps.changed_at, stamps.state_since), (clock("12:01:00"), Timestamp::ZERO));
    let again = after(&hidden, "hides", clock("12:02:00"), &limits);
    assert_eq!(again.presence(clock("12:03:00")).stamps, stamps);
    let shown = after(&again, "shows", clock("12:03:00"), &limits);
    assert_eq!(shown.presence(clock("12:04:00")).stamps.changed_at, clock("12:03:00"));
}

// Stamps: design section 1.

#[test]
fn each_change_of_one_millisecond_gets_a_stamp_of_its_own() {
    let table = "
        12:00:00     | A sets Away/Away           | 12:00:00     | 12:00:00
        12:00:00     | A sets Away/Away           | 12:00:00     | 12:00:00
        12:00:00     | says Lunch                 | 12:00:00.001 | 12:00:00
        12:00:00     | A sets Busy/InACall        | 12:00:00.002 | 12:00:00.002
        12:00:00     | prefers Away/Away          | 12:00:00.003 | 12:00:00.003
        12:00:00     | is out                     | 12:00:00.004 | 12:00:00.003
        12:00:00.001 | is back                    | 12:00:00.005 | 12:00:00.003
        12:00:01     | clears preference          | 12:00:01     | 12:00:01
        12:04:59.999 |                            | 12:00:01     | 12:00:01
        12:05:00     |                            | 12:05:00     | 12:05:00
        12:05:00     | A sets Available/Available | 12:05:00.001 | 12:05:00.001
        12:10:00     | A sets Available/Available | 12:10:00.001 | 12:10:00.001
    ";
    follow_stamps(&Limits::default(), table);
}

#[test]
fn a_write_is_stamped_after_the_changes_that_others_may_have_told_of() {
    let table = "
        12:00:00     | A sets Away/Away           | 12:00:00     | 12:00:00
        Too early to matter: without it the session would have ended at 12:05:00.
        12:04:49.999 | A sets Away/Away           | 12:00:00     | 12:00:00
        Others may see the end at 12:09:49.999.
        12:09:39.999 | A sets Away/Away           | 12:09:50     | 12:09:50
        12:09:40     | says Tea until 12:10:00    | 12:09:50.001 | 12:09:50
        The message ends all the same, and the write counts.
        12:09:55     | A sets Away/Away           | 12:10:00.001 | 12:09:50
        12:09:59.999 |                            | 12:10:00.001 | 12:09:50
        12:10:00     |                            | 12:10:00.002 | 12:09:50
        Others may see the end of the session at 12:14:55, and then that of the message.
        12:14:00     | says Tea until 12:14:58    | 12:14:00     | 12:09:50
        12:14:50     | manual office              | 12:14:58.001 | 12:14:58.001
        They may see both ends after this write too, at 12:14:58.002 and 12:14:58.003.
        12:14:51     | A sets Busy/InACall        | 12:14:58.004 | 12:14:58.004
        12:14:58     |                            | 12:14:58.005 | 12:14:58.004
    ";
    follow_stamps(&Limits { foresight: duration("PT10S"), ..Limits::default() }, table);
}

#[test]
fn who_has_told_of_a_fade_is_told_that_a_write_prevented_it_only_with_foresight() {
    let user = written("A sets Away/Away", clock("12:00:00"), &Limits::default());
    let told = user.presence(clock("12:05:00")).stamps;
    for (foresight, is_told) in [("PT0S", false), ("PT5S", true)] {
        let limits = Limits { foresight: duration(foresight), ..Limits::default() };
        let renewed = after(&user, "A sets Away/Away", clock("12:04:55"), &limits);
        let stamps = renewed.presence(clock("12:05:00")).stamps;
        assert_eq!(stamps.changed_at > told.changed_at, is_told, "{foresight}");
        assert_eq!(stamps.state_since > told.state_since, is_told, "{foresight}");
    }
}

#[test]
fn a_record_stamped_anew_has_changed_just_now() {
    let user = written("A sets Busy/InACall; says Tea until 12:01:00", clock("12:00:00"), &Limits::default());
    let anew = user.restamped(clock("12:02:00"), duration("PT0S"));
    assert_eq!(anew.as_of(), clock("12:02:00"));
    assert_eq!(rendered(&anew.presence(clock("12:02:00"))), "Busy/InACall");
    let stamps = anew.stamps_at_write();
    assert_eq!((stamps.changed_at, stamps.state_since), (clock("12:02:00"), clock("12:02:00")));
    assert_eq!(anew.next_change(clock("12:02:00")), Some(clock("12:05:00")));
    assert_eq!(reasons(&anew, clock("12:02:00")), "A Strongest");
}

/// Plays a table of `clock | step | changed at | in this state since` for one user, from nothing.
fn follow_stamps(limits: &Limits, table: &str) {
    let mut user = User::default();
    for [at, step, changed_at, state_since] in rows(table) {
        if !step.is_empty() {
            user = after(&user, step, clock(at), limits);
        }
        let stamps = user.presence(clock(at)).stamps;
        assert_eq!(stamps.changed_at, clock(changed_at), "{step:?} at {at}");
        assert_eq!(stamps.state_since, clock(state_since), "{step:?} at {at}");
    }
}

#[test]
fn a_change_beneath_a_preference_moves_no_stamp() {
    let limits = Limits::default();
    let user = written("patches Busy/Busy for PT8H", clock("12:00:00"), &limits);
    let user = after(&user, "A sets Available/Available for PT1H", clock("12:01:00"), &limits);
    assert_eq!(user.next_change(clock("12:01:00")), Some(clock("20:00:00")));
    assert_eq!(user.presence(clock("19:59:59.999")).stamps.changed_at, clock("12:00:00"));
}

#[test]
fn a_clock_that_steps_back_counts_as_the_instant_of_the_last_write() {
    let limits = Limits::default();
    let user = written("says Lunch", clock("12:00:00"), &limits);
    let user = after(&user, "A sets Away/Away", clock("11:00:00"), &limits);
    assert_eq!(user.as_of(), clock("12:00:00"));
    assert_eq!(rendered(&user.presence(clock("11:00:00"))), "Away/Away, says Lunch");
    assert_eq!(user.presence(clock("11:00:00")).stamps.changed_at, clock("12:00:00.001"));
    assert_eq!(user.next_change(clock("11:00:00")), Some(clock("12:05:00")));
}

#[test]
fn nobody_has_seen_anything_of_a_user_for_whom_nothing_was_written() {
    let user = User::default();
    assert_eq!(user.presence(clock("12:00:00")), Presence::NOTHING);
    assert_eq!(user.next_change(Timestamp::ZERO), None);
    assert!(user.explain(clock("12:00:00")).layers.is_empty());
}

// Refusals.

#[test]
fn a_duration_out_of_range_is_refused() {
    let milliseconds = Duration::from_millis;
    let (five_minutes, four_hours, year) = (duration("PT5M"), duration("PT4H"), duration("P365D"));
    let sessions = [
        (Duration::ZERO, false),
        (five_minutes.saturating_sub(milliseconds(1)), false),
        (five_minutes, true),
        (four_hours, true),
        (four_hours + milliseconds(1), false),
    ];
    for (given, accepted) in sessions {
        let refusal = Refusal::DurationOutOfRange { given, min: five_minutes, max: four_hours };
        check(&Command::SetPresence(presenting(Some(given))), (!accepted).then_some(refusal));
    }
    let preferences =
        [(Duration::ZERO, false), (milliseconds(1), true), (year, true), (year + milliseconds(1), false)];
    for (given, accepted) in preferences {
        let refusal = Refusal::DurationOutOfRange { given, min: milliseconds(1), max: year };
        let refusal = (!accepted).then_some(refusal);
        let preferred = PreferredPair::new(pair("Busy/Busy")).expect("a pair that can be preferred");
        let prefer = SetPreferred { pair: preferred, duration: Some(given) };
        check(&Command::SetPreferred(prefer), refusal.clone());
        let preferred = Change::Set((standing("Busy/Busy"), Some(given)));
        check(&Command::Patch(Patch { preferred, ..Patch::default() }), refusal);
    }
}

#[test]
fn a_text_that_is_too_long_is_refused() {
    let too_long = |text: Text, max: usize| Some(Refusal::TextTooLong { text, max });
    // Counted are Unicode scalar values, not bytes, and of a status message what is left after trimming.
    let letters = |count: usize| "é".repeat(count);
    let say = |content: &str| Command::SetStatusMessage(Some(message(content, None)));
    check(&say(&letters(280)), None);
    check(&say(&format!("  {}\n", letters(280))), None);
    check(&say(&letters(281)), too_long(Text::StatusMessage, 280));

    let out = |text: String| out_of_office(Change::Set(OutOfOffice { message: Some(text) }));
    check(&out(letters(2048)), None);
    check(&out(letters(2049)), too_long(Text::OutOfOfficeMessage, 2048));

    for source in [LocationSource::Manual, LocationSource::Automatic] {
        check(&Command::SetLocation(source, place(&letters(256))), None);
        check(&Command::SetLocation(source, place(&letters(257))), too_long(Text::PlaceId, 256));
    }
}

#[test]
fn a_control_character_is_refused_but_not_a_tab_or_a_line_break() {
    for (content, accepted) in [
        ("a\tb", true),
        ("a\nb", true),
        ("a\r\nb", true),
        ("a\rb", false),
        ("a\0b", false),
        ("a\u{1b}b", false),
        ("a\u{7f}b", false),
        ("a\u{85}b", false),
        ("a\u{200b}b", true),
        ("<b>a</b>", true),
    ] {
        let refusal = |text: Text| (!accepted).then_some(Refusal::ControlCharacter { text });
        let said = Command::SetStatusMessage(Some(message(content, None)));
        check(&said, refusal(Text::StatusMessage));
        let out = out_of_office(Change::Set(OutOfOffice { message: Some(content.to_owned()) }));
        check(&out, refusal(Text::OutOfOfficeMessage));
        let place = Command::SetLocation(LocationSource::Manual, place(content));
        check(&place, refusal(Text::PlaceId));
    }
}

// The parts that a write has changed.

#[test]
fn a_write_has_changed_the_parts_that_it_was_about_and_not_what_had_ended_before() {
    let mut user = User::default();
    for [at, step, parts] in rows(
        "
        12:00:00 | A sets Busy/InACall           | Sessions
        12:01:00 | A sets Busy/InACall           | Sessions
        12:01:00 | prefers Away/Away for PT1M    | Preferred
        12:01:30 | says Lunch until 12:03:00     | StatusMessage
        12:02:30 | is out                        | OutOfOffice
        12:03:30 | manual office                 | WorkLocation
        12:04:00 | automatic remote              | WorkLocation
        12:04:30 | clears preference             |
        12:04:30 | says nothing                  |
        12:05:00 | hides                         | Hidden
        12:05:10 | shows                         | Hidden
        12:05:20 | is back                       | OutOfOffice
        12:05:30 | A deletes                     | Sessions, WorkLocation
        ",
    ) {
        let now = clock(at);
        let next = after(&user, step, now, &Limits::default());
        let changed: Vec<String> = next.parts_changed(&user, now).map(|part| format!("{part:?}")).collect();
        assert_eq!(changed.join(", "), parts, "after {step:?} at {at}");
        user = next;
    }
}

#[test]
fn a_patch_of_every_part_has_changed_all_that_it_names() {
    let (user, now) = (User::default(), clock("12:00:00"));
    let patch = Command::Patch(everything());
    let next = user.apply(&patch, now, &Limits::default()).expect("it is not refused");
    let changed: Vec<Part> = next.parts_changed(&user, now).collect();
    assert_eq!(changed, [Part::Preferred, Part::StatusMessage, Part::OutOfOffice, Part::WorkLocation]);
}

/// Applies a command at noon, for a user of whom nothing is known.
fn check(command: &Command, refusal: impl Into<Option<Refusal>>) {
    let applied = User::default().apply(command, clock("12:00:00"), &Limits::default());
    assert_eq!(applied.err(), refusal.into(), "{command:?}");
}

fn presenting(duration: Option<Duration>) -> SetPresence {
    let Command::SetPresence(set) = command("A sets DoNotDisturb/Presenting") else {
        panic!("it sets a presence")
    };
    SetPresence { duration, ..set }
}

fn standing(text: &str) -> StandingPair {
    StandingPair::new(pair(text)).expect("a pair that can be patched")
}

fn place(id: &str) -> NewLocation {
    NewLocation { kind: LocationType::Office, place: Some(id.to_owned()) }
}

/// A patch of every part.
fn everything() -> Patch {
    Patch {
        preferred: Change::Set((standing("Busy/InAMeeting"), None)),
        status_message: Change::Set(message("Lunch", None)),
        out_of_office: Change::Set(OutOfOffice { message: Some("Back-soon".to_owned()) }),
        work_location: Change::Set(place("desk-7")),
    }
}

/// `Availability: Activity, Activity`, line by line.
fn pairs(list: &str) -> Vec<Pair> {
    let lines = list.lines().filter_map(|line| line.trim().split_once(": "));
    lines
        .flat_map(|(availability, activities)| {
            activities.split(", ").map(move |activity| pair(&format!("{availability}/{activity}")))
        })
        .collect()
}

fn every_pair() -> impl Iterator<Item = Pair> {
    Availability::ALL.into_iter().flat_map(|availability| {
        Activity::ALL.into_iter().map(move |activity| Pair { availability, activity })
    })
}
