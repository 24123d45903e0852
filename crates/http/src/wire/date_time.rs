//! Date-times as Graph's clients write and read them: presence-api 4.5 and 9.4.
//!
//! What comes in is a local time and the name of its zone, by Windows or by IANA; what goes out is UTC with the seven
//! fraction digits of a tick. The rules of the zones are those that the program was built with, so that every node
//! of a cluster reads a text alike and no request makes the server open a file.

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};

use super::windows_zones;

const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);

const FIRST: Instant100 = Instant100 { unix_ms: 0, ticks: 0 };

/// The last tick of the year 9999, beyond which the year has no four digits.
const LAST: Instant100 = Instant100 { unix_ms: 253_402_300_799_999, ticks: 9_999 };

const DAY_MS: u64 = 86_400_000;

/// An instant as fine as Graph's clients write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Instant100 {
    /// Whole milliseconds since 1970-01-01T00:00:00Z, rounded down; negative before it.
    pub(crate) unix_ms: i64,
    /// Hundreds of nanoseconds beyond the millisecond: 0 to 9,999.
    pub(crate) ticks: u16,
}

/// Why a date-time names no instant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DateTimeError {
    /// No zone has this name.
    #[error("the time zone {0:?} is not known")]
    UnknownZone(String),
    /// The text is not a date-time, or names a day or a time of day that does not exist.
    #[error("the text is not a date-time")]
    Unreadable,
}

/// Reads `YYYY-MM-DDTHH:MM[:SS[.f]]`, at most to the end of the year 9999 in UTC (later instants become its last).
///
/// Fraction digits beyond the seventh are cut off. `Z`, `+HH`, `+HHMM` or `+HH:MM` at the end wins over `time_zone`,
/// which is then not even looked at. `time_zone` is a Windows name (`Pacific Standard Time`), an IANA name or link
/// (`Europe/Berlin`, `US/Pacific`), in any case; `None` is UTC.
///
/// A time that a zone skips is moved forward by the gap; of a time that comes twice, the first is meant.
pub(crate) fn parse(date_time: &str, time_zone: Option<&str>) -> Result<Instant100, DateTimeError> {
    let Reading { local, fraction, offset } = read(date_time).ok_or(DateTimeError::Unreadable)?;
    let offset = match (offset, time_zone) {
        (Some(offset), _) => offset,
        (None, Some(name)) => {
            let zone = zone(name).ok_or_else(|| DateTimeError::UnknownZone(name.to_owned()))?;
            offset_in(&zone, local)
        }
        (None, None) => 0,
    };
    Ok(at_offset(local, fraction, offset))
}

/// Reads the same, but only with an offset at its end: an `Edm.DateTimeOffset`.
pub(crate) fn parse_with_offset(date_time: &str) -> Result<Instant100, DateTimeError> {
    let Reading { local, fraction, offset } = read(date_time).ok_or(DateTimeError::Unreadable)?;
    Ok(at_offset(local, fraction, offset.ok_or(DateTimeError::Unreadable)?))
}

/// The instant of a local time so many seconds east of UTC.
fn at_offset(local: DateTime, fraction: u32, offset: i64) -> Instant100 {
    let seconds = local.duration_since(EPOCH).as_secs() - offset;
    let unix_ms = seconds * 1_000 + i64::from(fraction / 10_000);
    Instant100 { unix_ms, ticks: (fraction % 10_000) as u16 }.min(LAST)
}

/// Appends the instant in UTC as `YYYY-MM-DDTHH:MM:SS.fffffff`, without a zone: a `dateTime` beside a `timeZone`.
///
/// An instant outside of the years 1970 to 9999 is written as the nearest one inside.
pub(crate) fn write_local(instant: Instant100, out: &mut Vec<u8>) {
    out.extend_from_slice(&text(instant)[..27]);
}

/// Appends the instant as `YYYY-MM-DDTHH:MM:SS.fffffffZ`: an `Edm.DateTimeOffset`.
///
/// An instant outside of the years 1970 to 9999 is written as the nearest one inside.
pub(crate) fn write_utc(instant: Instant100, out: &mut Vec<u8>) {
    out.extend_from_slice(&text(instant));
}

/// What a date-time says before its zone is known.
struct Reading {
    /// Whole seconds.
    local: DateTime,
    /// Hundreds of nanoseconds beyond the second: 0 to 9,999,999.
    fraction: u32,
    /// Seconds east of UTC, when the text says so itself.
    offset: Option<i64>,
}

fn read(text: &str) -> Option<Reading> {
    let mut rest = Rest(text.as_bytes());
    let year = rest.number(4)?;
    rest.take(b"-")?;
    let month = rest.two()?;
    rest.take(b"-")?;
    let day = rest.two()?;
    rest.take(b"Tt")?;
    let hour = rest.two()?;
    rest.take(b":")?;
    let minute = rest.two()?;
    let (second, fraction) = rest.seconds()?;
    let local = DateTime::new(year, month, day, hour, minute, second, 0).ok()?;
    let offset = if rest.0.is_empty() { None } else { Some(rest.offset()?) };
    Some(Reading { local, fraction, offset })
}

/// What of a text is still to be read.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    /// Takes the next byte if it is one of `wanted`.
    fn take(&mut self, wanted: &[u8]) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        if !wanted.contains(first) {
            return None;
        }
        self.0 = rest;
        Some(*first)
    }

    /// Takes a number of exactly so many digits, at most four.
    fn number(&mut self, digits: usize) -> Option<i16> {
        let (number, rest) = self.0.split_at_checked(digits)?;
        self.0 = rest;
        number
            .iter()
            .try_fold(0_i16, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + i16::from(digit - b'0')))
    }

    fn two(&mut self) -> Option<i8> {
        i8::try_from(self.number(2)?).ok()
    }

    /// Takes `[:SS[.f]]`: the second, and what is beyond it in hundreds of nanoseconds.
    fn seconds(&mut self) -> Option<(i8, u32)> {
        if self.take(b":").is_none() {
            return Some((0, 0));
        }
        let second = self.two()?;
        let fraction = if self.take(b".").is_some() { self.fraction()? } else { 0 };
        Some((second, fraction))
    }

    /// Takes all digits, at least one, and makes seven of them.
    fn fraction(&mut self) -> Option<u32> {
        let end = self.0.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(self.0.len());
        let (digits, rest) = self.0.split_at(end);
        if digits.is_empty() {
            return None;
        }
        self.0 = rest;
        let seven = digits.iter().copied().chain(std::iter::repeat(b'0')).take(7);
        Some(seven.fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0')))
    }

    /// Reads all that is left as an offset, in seconds east of UTC.
    fn offset(mut self) -> Option<i64> {
        let east = match self.take(b"Zz+-")? {
            b'+' => 1,
            b'-' => -1,
            _ => return self.0.is_empty().then_some(0),
        };
        let hours = self.two()?;
        let minutes = if self.0.is_empty() { 0 } else { self.minutes()? };
        let valid = hours < 24 && minutes < 60 && self.0.is_empty();
        valid.then_some(east * (i64::from(hours) * 3_600 + i64::from(minutes) * 60))
    }

    /// Takes `MM` or `:MM`.
    fn minutes(&mut self) -> Option<i8> {
        self.take(b":");
        self.two()
    }
}

/// The zone of this Windows or IANA name, in any case.
fn zone(name: &str) -> Option<TimeZone> {
    let iana = windows_zones::to_iana(name).unwrap_or(name);
    let zone = TimeZoneDatabase::bundled().get(iana).ok()?;
    // `Etc/Unknown` has no rules; jiff would take it for UTC.
    (!zone.is_unknown()).then_some(zone)
}

/// How far `zone` is from UTC at this local time, in seconds east.
fn offset_in(zone: &TimeZone, local: DateTime) -> i64 {
    let offset = match zone.to_ambiguous_timestamp(local).offset() {
        AmbiguousOffset::Unambiguous { offset } => offset,
        // In a gap, the offset that held before it leads past it by its length; of a time that comes twice, it names
        // the first. This is jiff's "compatible" choice, which jiff itself can't make in the last day of 9999.
        AmbiguousOffset::Gap { before, .. } | AmbiguousOffset::Fold { before, .. } => before,
    };
    i64::from(offset.seconds())
}

/// The instant, brought into the years 1970 to 9999, as `YYYY-MM-DDTHH:MM:SS.fffffffZ`.
fn text(instant: Instant100) -> [u8; 28] {
    let Instant100 { unix_ms, ticks } = instant.clamp(FIRST, LAST);
    let millis = unix_ms as u64;
    let (year, month, day) = civil(millis / DAY_MS);
    let second = millis % DAY_MS / 1_000;
    let mut text = *b"0000-00-00T00:00:00.0000000Z";
    put(&mut text[0..4], year);
    put(&mut text[5..7], month);
    put(&mut text[8..10], day);
    put(&mut text[11..13], second / 3_600);
    put(&mut text[14..16], second / 60 % 60);
    put(&mut text[17..19], second % 60);
    put(&mut text[20..27], millis % 1_000 * 10_000 + u64::from(ticks.min(9_999)));
    text
}

/// Fills `place` with the last decimal digits of `number`.
fn put(place: &mut [u8], mut number: u64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// The year, month and day that begin so many days after 1970-01-01.
///
/// Years are counted from March, so that a leap day is the last of its year, and in eras of 400 years, which all
/// have 146,097 days. Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
fn civil(days: u64) -> (u64, u64, u64) {
    // From 0000-03-01.
    let days = days + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let months_since_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * months_since_march + 2) / 5 + 1;
    let month = if months_since_march < 10 { months_since_march + 3 } else { months_since_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;

    fn local(instant: Instant100) -> String {
        let mut out = Vec::new();
        write_local(instant, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn utc(instant: Instant100) -> String {
        let mut out = Vec::new();
        write_utc(instant, &mut out);
        String::from_utf8(out).unwrap()
    }

    /// Reads `date_time` in `zone` and writes it again, without the zeros at the end.
    fn read_back(date_time: &str, zone: &str) -> String {
        let instant = parse(date_time, Some(zone)).unwrap();
        local(instant).trim_end_matches('0').trim_end_matches('.').to_owned()
    }

    #[test]
    fn local_times_are_read_in_their_zone() {
        let table = [
            ("2026-10-20T17:05:33.2079781", "Pacific Standard Time", "2026-10-21T00:05:33.2079781"),
            ("2026-12-31T17:05:33.2079781", "pacific standard time", "2027-01-01T01:05:33.2079781"),
            ("2026-11-20T13:30:01", "W. Europe Standard Time", "2026-11-20T12:30:01"),
            ("2026-11-20T17:00:01", "Europe/Berlin", "2026-11-20T16:00:01"),
            ("2026-07-20T17:00:01", "EUROPE/berlin", "2026-07-20T15:00:01"),
            ("2026-11-20T12:00:01", "US/Pacific", "2026-11-20T20:00:01"),
            ("2026-11-20T12:00:01", "Asia/Calcutta", "2026-11-20T06:30:01"),
            ("2026-11-20T12:00:01", "Asia/Kolkata", "2026-11-20T06:30:01"),
            ("2026-11-20T12:00:01", "India Standard Time", "2026-11-20T06:30:01"),
            ("2026-11-20T12:00:01", "UTC-08", "2026-11-20T20:00:01"),
            ("2026-11-20T12:00:01", "utc", "2026-11-20T12:00:01"),
            ("2026-11-20T12:00:01", "Etc/UTC", "2026-11-20T12:00:01"),
        ];
        for (date_time, zone, expected) in table {
            assert_eq!(read_back(date_time, zone), expected, "{date_time} {zone}");
        }
    }

    #[test]
    fn a_skipped_time_moves_forward_by_the_gap() {
        let table = [
            ("2026-03-29T01:59:59", "Europe/Berlin", "2026-03-29T00:59:59"),
            ("2026-03-29T02:30:01", "Europe/Berlin", "2026-03-29T01:30:01"),
            ("2026-03-29T03:30:01", "Europe/Berlin", "2026-03-29T01:30:01"),
            ("2026-03-08T02:30:01", "Pacific Standard Time", "2026-03-08T10:30:01"),
            ("2026-10-04T02:15:01", "Australia/Lord_Howe", "2026-10-03T15:45:01"),
        ];
        for (date_time, zone, expected) in table {
            assert_eq!(read_back(date_time, zone), expected, "{date_time} {zone}");
        }
    }

    #[test]
    fn of_a_time_that_comes_twice_the_first_is_meant() {
        let table = [
            ("2026-10-25T02:30:01", "Europe/Berlin", "2026-10-25T00:30:01"),
            ("2026-10-25T03:00:01", "Europe/Berlin", "2026-10-25T02:00:01"),
            ("2026-11-01T01:30:01", "Pacific Standard Time", "2026-11-01T08:30:01"),
        ];
        for (date_time, zone, expected) in table {
            assert_eq!(read_back(date_time, zone), expected, "{date_time} {zone}");
        }
    }

    #[test]
    fn an_offset_wins_over_the_zone() {
        let table = [
            ("2026-11-20T12:00:01Z", "2026-11-20T12:00:01"),
            ("2026-11-20t12:00:01z", "2026-11-20T12:00:01"),
            ("2026-11-20T12:01Z", "2026-11-20T12:01"),
            ("2026-11-20T12:00:01.5+01:00", "2026-11-20T11:00:01.5"),
            ("2026-11-20T12:00:01-0530", "2026-11-20T17:30:01"),
            ("2026-11-20T12:01+14", "2026-11-19T22:01"),
            ("2026-11-20T12:00:01-00:00", "2026-11-20T12:00:01"),
        ];
        for (date_time, expected) in table {
            for zone in ["Pacific Standard Time", "Nowhere/None"] {
                assert_eq!(parse(date_time, Some(zone)), parse(expected, None), "{date_time} {zone}");
            }
        }
    }

    #[test]
    fn an_offset_can_be_asked_for() {
        for date_time in ["2026-11-20T12:00:01.2Z", "2026-11-20T12:00+01:00"] {
            assert_eq!(parse_with_offset(date_time), parse(date_time, None), "{date_time}");
        }
        for date_time in ["2026-11-20T12:00:01", "", "Z", "tomorrow"] {
            assert_eq!(parse_with_offset(date_time), Err(DateTimeError::Unreadable), "{date_time}");
        }
    }

    #[test]
    fn seconds_and_fractions_may_be_short_or_missing() {
        let noon = 1_795_176_000_000;
        let table = [
            ("2026-11-20T12:00", 0, 0),
            ("2026-11-20T12:00:07", 7_000, 0),
            ("2026-11-20T12:00:00.5", 500, 0),
            ("2026-11-20T12:00:00.0001", 0, 1_000),
            ("2026-11-20T12:00:00.1234567", 123, 4_567),
            ("2026-11-20T12:00:00.12345678999999999999", 123, 4_567),
            ("2026-11-20T12:00:00.9999999", 999, 9_999),
        ];
        for (date_time, millis, ticks) in table {
            let expected = Instant100 { unix_ms: noon + millis, ticks };
            assert_eq!(parse(date_time, None), Ok(expected), "{date_time}");
        }
    }

    #[test]
    fn the_ends_of_time_are_read() {
        let before_the_epoch = Instant100 { unix_ms: -500, ticks: 1 };
        let minimum = Instant100 { unix_ms: -62_135_596_800_000, ticks: 0 };
        assert_eq!(parse("1969-12-31T23:59:59.5000001", None), Ok(before_the_epoch));
        assert_eq!(parse("0001-01-01T00:00:00", None), Ok(minimum));
        assert_eq!(parse("9999-12-31T23:59:59.9999999", None), Ok(LAST));
        assert_eq!(parse("9999-12-31T23:59:59.9999999", Some("Pacific Standard Time")), Ok(LAST));
        assert_eq!(parse("9999-12-31T23:59:59-23:59", None), Ok(LAST));
        assert_eq!(read_back("9999-12-31T23:59:59", "Europe/Berlin"), "9999-12-31T22:59:59");
    }

    #[test]
    fn what_is_no_date_time_is_unreadable() {
        let table = [
            "",
            "2026",
            "2026-11-20",
            "2026-11-20T",
            "2026-11-20T12",
            "2026-11-20T12:",
            "2026-11-20T12:0",
            "2026-11-20T12:00:",
            "2026-11-20T12:00:0",
            "2026-11-20T12:00:00.",
            "2026-11-20T12:00.5",
            "2026-11-20T12:00:00,5",
            "2026-11-20 12:00:00",
            " 2026-11-20T12:00:00",
            "2026-11-20T12:00:00 ",
            "2026-11-20T24:00:00",
            "2026-11-20T12:60:00",
            "2026-11-20T12:00:60",
            "2026-02-29T12:00:00",
            "2026-13-01T12:00:00",
            "2026-00-01T12:00:00",
            "2026-11-00T12:00:00",
            "26-11-20T12:00:00",
            "02026-11-20T12:00:00",
            "-2026-11-20T12:00:00",
            "2026-1-20T12:00:00",
            "2026-11-20T12:00:00ZZ",
            "2026-11-20T12:00:00Z0",
            "2026-11-20T12:00:00+",
            "2026-11-20T12:00:00+1",
            "2026-11-20T12:00:00+01:",
            "2026-11-20T12:00:00+01:0",
            "2026-11-20T12:00:00+24:00",
            "2026-11-20T12:00:00+01:60",
            "2026-11-20T12:00:00+01:00:00",
            "2026-11-20T12:00:00[Europe/Berlin]",
            "٢٠26-11-20T12:00:00",
            "never",
        ];
        for text in table {
            assert_eq!(parse(text, Some("Europe/Berlin")), Err(DateTimeError::Unreadable), "{text:?}");
        }
    }

    #[test]
    fn unknown_zones_are_named() {
        let names = [
            "",
            "Nowhere/None",
            "Pacific",
            "Europe/Berlin ",
            "../Europe/Berlin",
            "localtime",
            "Etc/Unknown",
            "+01:00",
        ];
        for name in names {
            let unknown = DateTimeError::UnknownZone(name.to_owned());
            assert_eq!(parse("2026-11-20T12:00:00", Some(name)), Err(unknown));
        }
    }

    #[test]
    fn instants_are_written_with_seven_digits() {
        let table = [
            (0, 0, "1970-01-01T00:00:00.0000000"),
            (0, 1, "1970-01-01T00:00:00.0000001"),
            (951_782_400_000, 0, "2000-02-29T00:00:00.0000000"),
            (1_795_176_000_123, 4_567, "2026-11-20T12:00:00.1234567"),
            (4_107_542_399_999, 9_999, "2100-02-28T23:59:59.9999999"),
            (4_107_542_400_000, 0, "2100-03-01T00:00:00.0000000"),
            (253_402_300_799_999, 9_999, "9999-12-31T23:59:59.9999999"),
        ];
        for (unix_ms, ticks, expected) in table {
            let instant = Instant100 { unix_ms, ticks };
            assert_eq!(local(instant), expected);
            assert_eq!(utc(instant), format!("{expected}Z"));
        }
    }

    #[test]
    fn instants_out_of_range_are_written_as_the_nearest_one_inside() {
        let ticks = 9_999;
        for unix_ms in [i64::MIN, -1] {
            assert_eq!(local(Instant100 { unix_ms, ticks }), "1970-01-01T00:00:00.0000000");
        }
        for unix_ms in [253_402_300_800_000, i64::MAX] {
            assert_eq!(local(Instant100 { unix_ms, ticks }), "9999-12-31T23:59:59.9999999");
        }
        assert_eq!(local(Instant100 { unix_ms: 0, ticks: u16::MAX }), "1970-01-01T00:00:00.0009999");
    }

    #[test]
    fn days_are_written_as_jiff_writes_them() {
        // A little more than 91 days, so that all months, days and times of day are met.
        for unix_ms in (0..253_402_200_000_000).step_by(7_877_777_777) {
            let expected = format!("{:.7}", Timestamp::from_millisecond(unix_ms).unwrap());
            assert_eq!(utc(Instant100 { unix_ms, ticks: 0 }), expected);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(unix_ms in 0..=LAST.unix_ms, ticks in 0..10_000_u16) {
            let instant = Instant100 { unix_ms, ticks };
            prop_assert_eq!(parse(&local(instant), None), Ok(instant));
            prop_assert_eq!(parse(&utc(instant), Some("Europe/Berlin")), Ok(instant));
        }

        #[test]
        fn no_text_makes_it_panic(date_time in any::<String>(), zone in any::<Option<String>>()) {
            let _ = parse(&date_time, zone.as_deref());
        }

        #[test]
        fn no_local_time_makes_it_panic(
            date_time in "[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9](:[0-5][0-9])?",
            zone in "Pacific Standard Time|Europe/Dublin|Africa/Casablanca|Pacific/Apia|Etc/GMT\\+12",
        ) {
            let _ = parse(&date_time, Some(&zone));
        }
    }
}
