//! Records as released programs wrote them, byte by byte. They must load for ever and mean what they meant.
//!
//! A format that was released is never edited here: a new format gets new records beside the old ones. The fields are in
//! postcard's encoding: unsigned numbers in groups of seven bits, the lowest first; signed ones zigzag, so that 2 is
//! written as 4 and -1 as 1; an option as 0, or 1 and its value; a text or a list with its length before it.

mod support;

use porchlight_presence::{
    Decider, Expiry, LayerKind, Limits, LocationSource, LocationType, OutOfOffice, Presence, Reason, Stamps,
    StatusView, User, WorkLocation,
};

use support::{after, clock, pair, reasons, rendered, session, written};

/// Format 1: a user of whom nothing is left, and nothing ever was.
const EMPTY_1: &str = "
    01                      # format
    00                      # as of: 1970
    00 00                   # changed at, state since: milliseconds after that
    00                      # not hidden
    00                      # no sessions
    00 00 00                # no preference, no status message, not out of office
    00 00                   # no manual location, no automatic one
";

/// Format 1: application A set Available/Available for an hour, at 12:00:00 on 2026-11-20.
const AVAILABLE_1: &str = "
    01
    80 d4 cf c6 9f 34       # as of 1795176000000
    00 00                   # changed and in this state since then
    00                      # not hidden
    01                      # one session
    00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 41
    00                      # named by its application's id
    00 00                   # Available/Available
    00                      # set at that instant
    01 c0 cf 24             # inactive after 300000
    01 80 9f 49             # away after 600000
    80 ba b7 03             # ends after 3600000
    00                      # not renewed late
    00 00 00
    00 00
";

/// Format 1: every field holds something.
const FULL_1: &str = "
    01
    80 d4 cf c6 9f 34       # as of 1795176000000
    04                      # changed 2 ms later: the last of three changes in one millisecond
    bf a9 07                # in this state since 60000 before
    00                      # not hidden
    02                      # two sessions
    00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 41
    00                      # named by its application's id
    00 00                   # Available/Available
    bf a9 07                # set 60000 before
    01 80 a6 1d             # inactive after 240000
    01 c0 f5 41             # away after 540000
    f0 fa b1 03             # ends after 3555000
    00                      # not renewed late
    00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 42
    01 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 32
    04 06                   # Busy/InACall
    00                      # set at that instant
    00 00                   # does not fade
    c0 cf 24                # ends after 300000
    01                      # renewed late
    01 06 0f                # preference: DoNotDisturb/UrgentInterruptionsOnly
    ff b9 b7 03             # set 3600000 before
    80 b6 fb 4e             # ends after 82800000
    01                      # stands without a session
    01 07 47 72 c3 bc c3 9f 65
    01                      # published 1 before
    01 80 dd db 01 d2 09    # ends after 1800000 and 1234 ticks
    01 01 0e 42 61 63 6b 20 6f 6e 20 4d 6f 6e 64 61 79
    01 01                   # manual location: office
    01 06 64 65 73 6b 2d 37
    01 80 b8 99 29          # ends after 43200000
    01 02 00 00             # automatic location: remote, no place, no end
";

/// Format 1: a hidden person who is out of office without a message.
const HIDDEN_1: &str = "
    01
    80 d4 cf c6 9f 34       # as of 1795176000000
    00 00
    01                      # hidden
    00
    00 00
    01 00                   # out of office, no message
    00 00
";

#[test]
fn a_record_of_format_1_without_anything_is_the_user_of_whom_nothing_is_known() {
    let user = decoded(EMPTY_1);
    assert_eq!(user, User::default());
    assert_eq!(user.presence(clock("12:00:00")), Presence::NOTHING);
}

#[test]
fn a_record_of_format_1_with_one_session_fades_and_ends() {
    let user = decoded(AVAILABLE_1);
    let noon = clock("12:00:00");
    assert_eq!(user.as_of(), noon);
    assert_eq!(user.stamps_at_write(), Stamps { changed_at: noon, state_since: noon });
    assert!(!user.is_hidden());
    let table = [
        ("12:00:00", "Available/Available"),
        ("12:05:00", "Available/AvailableInactive"),
        ("12:10:00", "Away/Away"),
        ("13:00:00", "Offline/Offline"),
    ];
    for ((at, seen), later) in table.into_iter().zip(["12:05:00", "12:10:00", "13:00:00", ""]) {
        assert_eq!(rendered(&user.presence(clock(at))), seen);
        assert_eq!(user.next_change(clock(at)), (!later.is_empty()).then(|| clock(later)));
    }
    let layers = user.explain(noon).layers;
    assert_eq!(layers.len(), 1);
    assert_eq!(layers[0].kind, LayerKind::Session(session("A")));
    assert_eq!(layers[0].set_at, Some(noon));
    assert!(!layers[0].renewed_late);
}

#[test]
fn a_full_record_of_format_1_has_every_layer() {
    let user = decoded(FULL_1);
    let noon = clock("12:00:00");
    assert_eq!(user.as_of(), noon);
    let stamps = Stamps { changed_at: clock("12:00:00.002"), state_since: clock("11:59:00") };
    assert_eq!(user.stamps_at_write(), stamps);
    assert_eq!(
        user.presence(noon),
        Presence {
            pair: pair("DoNotDisturb/UrgentInterruptionsOnly"),
            out_of_office: Some(&OutOfOffice { message: Some("Back on Monday".to_owned()) }),
            status_message: Some(StatusView {
                content: "Grüße",
                published_at: clock("11:59:59.999"),
                expiry: Some(Expiry { at: clock("12:30:00"), ticks: 1234 }),
            }),
            work_location: Some(WorkLocation {
                kind: LocationType::Office,
                place: Some("desk-7"),
                source: LocationSource::Manual,
            }),
            stamps,
        }
    );

    let [a, b] = user.sessions() else { panic!("not two sessions") };
    assert_eq!(a.pair_at(noon), Some(pair("Available/Available")));
    assert_eq!(a.next_change(noon), Some(clock("12:04:00")));
    assert_eq!(a.pair_at(clock("12:04:00")), Some(pair("Available/AvailableInactive")));
    assert_eq!(a.next_change(clock("12:04:00")), Some(clock("12:09:00")));
    assert_eq!(a.pair_at(clock("12:09:00")), Some(pair("Away/Away")));
    assert_eq!(a.next_change(clock("12:09:00")), Some(clock("12:59:15")));
    assert_eq!(a.pair_at(clock("12:59:15")), None);
    assert_eq!(b.pair_at(noon), Some(pair("Busy/InACall")));
    assert_eq!(b.next_change(noon), Some(clock("12:05:00")));
    assert_eq!(b.pair_at(clock("12:05:00")), None);

    let explanation = user.explain(noon);
    assert_eq!(explanation.decider, Decider::Preferred);
    assert_eq!(explanation.next_change, Some(clock("12:30:00")));
    let layers = [
        (LayerKind::Preferred, Reason::Stands, Some(clock("11:00:00")), Some(clock("35:00:00")), false),
        (
            LayerKind::Session(session("B2")),
            Reason::OutrankedByPreferred,
            Some(noon),
            Some(clock("12:05:00")),
            true,
        ),
        (
            LayerKind::Session(session("A")),
            Reason::OutrankedByPreferred,
            Some(clock("11:59:00")),
            Some(clock("12:59:15")),
            false,
        ),
        (LayerKind::OutOfOffice, Reason::ShowsBeside, None, None, false),
        (
            LayerKind::StatusMessage,
            Reason::ShowsBeside,
            Some(clock("11:59:59.999")),
            Some(clock("12:30:00")),
            false,
        ),
        (
            LayerKind::WorkLocation(LocationSource::Manual),
            Reason::ShowsBeside,
            None,
            Some(clock("24:00:00")),
            false,
        ),
        (LayerKind::WorkLocation(LocationSource::Automatic), Reason::OutrankedByManual, None, None, false),
    ];
    assert_eq!(explanation.layers.len(), layers.len());
    for (layer, expected) in explanation.layers.into_iter().zip(layers) {
        assert_eq!((layer.kind, layer.reason, layer.set_at, layer.ends_at, layer.renewed_late), expected);
    }

    let table = [
        ("12:30:00", "DoNotDisturb/UrgentInterruptionsOnly, out Back on Monday, manual office, desk-7"),
        ("24:00:00", "DoNotDisturb/UrgentInterruptionsOnly, out Back on Monday, automatic remote"),
        ("35:00:00", "Offline/OutOfOffice, out Back on Monday, automatic remote"),
        ("9999:00:00", "Offline/OutOfOffice, out Back on Monday, automatic remote"),
    ];
    for (at, seen) in table {
        assert_eq!(rendered(&user.presence(clock(at))), seen, "at {at}");
    }
}

#[test]
fn a_record_of_format_1_of_a_hidden_person_shows_nothing_until_they_are_shown_again() {
    let user = decoded(HIDDEN_1);
    let noon = clock("12:00:00");
    assert!(user.is_hidden());
    assert_eq!(rendered(&user.presence(noon)), "Offline/Offline");
    assert_eq!(reasons(&user, noon), "hidden Hidden, out of office Hidden");
    let shown = after(&user, "shows", noon, &Limits::default());
    assert_eq!(rendered(&shown.presence(noon)), "Offline/OutOfOffice, out");
}

#[test]
fn records_of_format_1_are_written_as_they_are_read() {
    for record in [EMPTY_1, AVAILABLE_1, FULL_1, HIDDEN_1] {
        assert_eq!(decoded(record).encode(), bytes(record));
    }
}

#[test]
fn a_first_session_is_written_in_format_1() {
    let user = written("A sets Available/Available for PT1H", clock("12:00:00"), &Limits::default());
    assert_eq!(user.encode(), bytes(AVAILABLE_1));
}

#[test]
fn a_record_that_lacks_its_last_byte_is_refused() {
    for record in [EMPTY_1, AVAILABLE_1, FULL_1, HIDDEN_1] {
        let bytes = bytes(record);
        assert!(User::decode(&bytes[..bytes.len() - 1]).is_err());
    }
}

fn decoded(record: &str) -> User {
    User::decode(&bytes(record)).expect("a released record")
}

/// Hexadecimal digits, two by two; what follows a `#` is for the reader.
fn bytes(record: &str) -> Vec<u8> {
    let digits = record.lines().flat_map(|line| line.split('#').next().unwrap_or("").split_whitespace());
    digits.map(|digits| u8::from_str_radix(digits, 16).expect("two hexadecimal digits")).collect()
}
