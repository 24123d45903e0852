//! Durations as clients write them: `expirationDuration` of presence-api 4.4.
//!
//! Two spellings are read: ISO 8601 (`PT1H`, `P1DT30M`, `P2W`), and what Python prints for a `timedelta`
//! (`1:00:00`, `1 day, 0:30:00`), which its Graph SDK sends. Which durations a call takes is not decided here, only
//! that a duration is something above nothing.

use std::time::Duration;

const SECOND: u128 = 1_000;
const MINUTE: u128 = 60 * SECOND;
const HOUR: u128 = 60 * MINUTE;
const DAY: u128 = 24 * HOUR;

/// The units before the `T` in the order they must come in, with their milliseconds.
const DATE_UNITS: [(char, u128); 4] = [('Y', 365 * DAY), ('M', 30 * DAY), ('W', 7 * DAY), ('D', DAY)];

/// The units after the `T`.
const TIME_UNITS: [(char, u128); 3] = [('H', HOUR), ('M', MINUTE), ('S', SECOND)];

/// Why a text gives no duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DurationError {
    /// It follows neither spelling, or has no component at all (`P`, `PT`).
    #[error("the text is not an ISO 8601 duration")]
    Unparsable,
    /// It is well-formed but negative, or less than one millisecond.
    #[error("the duration is not positive")]
    NotPositive,
    /// It is well-formed but has more milliseconds than a `u64` can count.
    #[error("the duration is too large")]
    TooLarge,
}

/// Reads a duration, in whole milliseconds (what is beyond them is cut off), at least one.
///
/// A year counts as 365 days, a month as 30. Letters may have any case. The number of every component may have any
/// length; of ISO 8601, only seconds may have a fraction.
///
/// Errors: `-PT5M` and `PT0S` are [`NotPositive`](DurationError::NotPositive), `P99999999999Y` is
/// [`TooLarge`](DurationError::TooLarge) (both are well-formed, and out of every range); all that cannot be read is
/// [`Unparsable`](DurationError::Unparsable).
pub(crate) fn parse(text: &str) -> Result<Duration, DurationError> {
    let (negative, millis) = match text.as_bytes().first() {
        Some(b'-') => (true, iso_or_clock(&text[1..])),
        Some(b'+') => (false, iso(&text[1..])),
        _ => (false, iso_or_clock(text)),
    };
    let millis = millis.ok_or(DurationError::Unparsable)?;
    if negative || millis == 0 {
        return Err(DurationError::NotPositive);
    }
    let millis = u64::try_from(millis).map_err(|_| DurationError::TooLarge)?;
    Ok(Duration::from_millis(millis))
}

/// The milliseconds of a duration in either spelling, without a sign.
fn iso_or_clock(text: &str) -> Option<u128> {
    iso(text).or_else(|| clock(text))
}

/// The milliseconds of `P[nY][nM][nW][nD][T[nH][nM][n[.f]S]]`.
fn iso(text: &str) -> Option<u128> {
    let text = text.strip_prefix(['P', 'p'])?;
    match text.split_once(['T', 't']) {
        None => components(text, &DATE_UNITS),
        Some(("", time)) => components(time, &TIME_UNITS),
        Some((date, time)) => Some(components(date, &DATE_UNITS)? + components(time, &TIME_UNITS)?),
    }
}

/// The sum, in milliseconds, of one or more numbers with a unit each, the units in the given order and none twice.
///
/// It cannot overflow: a number is at most `u64::MAX` and every unit far less than `u64::MAX`.
fn components(mut text: &str, mut units: &[(char, u128)]) -> Option<u128> {
    let mut sum = 0;
    loop {
        let (count, rest) = number(text)?;
        let fractional = rest.starts_with('.');
        let (millis, rest) = fraction(rest)?;
        let mut rest = rest.chars();
        let unit = rest.next()?.to_ascii_uppercase();
        if fractional && unit != 'S' {
            return None;
        }
        let at = units.iter().position(|(name, _)| *name == unit)?;
        sum += u128::from(count) * units[at].1 + millis;
        units = &units[at + 1..];
        text = rest.as_str();
        if text.is_empty() {
            return Some(sum);
        }
    }
}

/// The milliseconds of `[d day[s], ]h:mm:ss[.f]`.
fn clock(text: &str) -> Option<u128> {
    let (days, time) = match text.split_once(", ") {
        None => (0, text),
        Some((days, time)) => (days_of(days)?, time),
    };
    let (hours, rest) = number(time)?;
    let (minutes, rest) = sixtieths(rest)?;
    let (seconds, rest) = sixtieths(rest)?;
    let (millis, rest) = fraction(rest)?;
    let whole = [(days, DAY), (hours, HOUR), (minutes, MINUTE), (seconds, SECOND)];
    let sum: u128 = whole.iter().map(|(count, unit)| u128::from(*count) * unit).sum();
    rest.is_empty().then_some(sum + millis)
}

/// The number of `d day` or `d days`.
fn days_of(text: &str) -> Option<u64> {
    let (days, unit) = number(text)?;
    let known = unit.eq_ignore_ascii_case(" day") || unit.eq_ignore_ascii_case(" days");
    known.then_some(days)
}

/// The number of `:00` to `:59` at the start of `text`, and what follows.
fn sixtieths(text: &str) -> Option<(u64, &str)> {
    let text = text.strip_prefix(':')?;
    let (count, rest) = number(text)?;
    (text.len() - rest.len() == 2 && count < 60).then_some((count, rest))
}

/// The number at the start of `text` and what follows; one beyond the range of a `u64` is its largest value, which
/// in milliseconds is out of range as well, whatever the unit.
fn number(text: &str) -> Option<(u64, &str)> {
    let (digits, rest) = digits(text)?;
    let number = digits
        .bytes()
        .fold(0_u64, |number, digit| number.saturating_mul(10).saturating_add(u64::from(digit - b'0')));
    Some((number, rest))
}

/// The milliseconds of `.f` at the start of `text` and what follows; none of them when there is no point.
fn fraction(text: &str) -> Option<(u128, &str)> {
    let Some(text) = text.strip_prefix('.') else { return Some((0, text)) };
    let (digits, rest) = digits(text)?;
    let three = digits.bytes().chain(std::iter::repeat(b'0')).take(3);
    Some((three.fold(0, |millis, digit| millis * 10 + u128::from(digit - b'0')), rest))
}

/// The ASCII digits, at least one, at the start of `text`, and what follows.
fn digits(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::DurationError::{NotPositive, TooLarge, Unparsable};
    use super::*;

    const MINUTES: u64 = 60_000;
    const HOURS: u64 = 60 * MINUTES;
    const DAYS: u64 = 24 * HOURS;

    #[test]
    fn what_real_clients_send_is_read() {
        let table = [
            ("PT5M", 5 * MINUTES),
            ("PT1H", HOURS),
            ("pt1h", HOURS),
            ("PT240M", 4 * HOURS),
            ("P0DT1H", HOURS),
            ("P1D", DAYS),
            ("P1DT1H", DAYS + HOURS),
            ("PT5M0.5S", 5 * MINUTES + 500),
            ("PT3600S", HOURS),
            ("PT3600.000S", HOURS),
            ("P0Y0M0DT1H0M0S", HOURS),
            ("+PT5M", 5 * MINUTES),
            ("1:00:00", HOURS),
            ("0:05:00", 5 * MINUTES),
            ("00:05:00", 5 * MINUTES),
            ("0:05:00.250000", 5 * MINUTES + 250),
            ("1 day, 0:00:00", DAYS),
            ("7 days, 0:00:01", 7 * DAYS + 1_000),
            ("1 Days, 1:00:00", DAYS + HOURS),
        ];
        for (text, millis) in table {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn every_component_counts() {
        let table = [
            ("P1Y", 365 * DAYS),
            ("P1M", 30 * DAYS),
            ("P1W", 7 * DAYS),
            ("P1Y1M1W1DT1H1M1.001S", 403 * DAYS + HOURS + MINUTES + 1_001),
            ("p1y1m1w1dt1h1m1.001s", 403 * DAYS + HOURS + MINUTES + 1_001),
            ("PT1M", MINUTES),
            ("PT0.001S", 1),
            ("PT0.0019999999999999999999S", 1),
            ("PT1.5S", 1_500),
            ("PT1.05S", 1_050),
            ("PT00000000000000000000000000000001S", 1_000),
            ("100:00:00", 100 * HOURS),
            ("PT18446744073709551S", 18_446_744_073_709_551_000),
            ("PT18446744073709551.615S", u64::MAX),
        ];
        for (text, millis) in table {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn well_formed_durations_that_are_not_positive_say_so() {
        let table = [
            "PT0S",
            "P0D",
            "P0Y0M0DT0H0M0S",
            "PT0.0009S",
            "0:00:00",
            "0 days, 0:00:00",
            "+PT0S",
            "-PT5M",
            "-pt0s",
            "-1:00:00",
            "-1 day, 23:00:00",
            "-P99999999999999999999Y",
        ];
        for text in table {
            assert_eq!(parse(text), Err(NotPositive), "{text}");
        }
    }

    #[test]
    fn well_formed_durations_that_are_too_large_say_so() {
        let table = [
            "PT18446744073709551.616S",
            "P99999999999Y",
            "PT99999999999999999999999999999999999999999999S",
            "P99999999999999999999999999999999999999999999YT99999999999999999999999999999999999999999999H",
            "99999999999999999999999999 days, 99999999999999999999999999:59:59.999",
        ];
        for text in table {
            assert_eq!(parse(text), Err(TooLarge), "{text}");
        }
    }

    #[test]
    fn anything_else_is_unparsable() {
        let table = [
            "",
            " ",
            "P",
            "PT",
            "-P",
            "-PT",
            "+",
            "-",
            "1h",
            "300",
            "PT5",
            "5M",
            "T5M",
            "PT5M ",
            " PT5M",
            "P5H",
            "PT5D",
            "P1DT",
            "PT1M1H",
            "PT1M1M",
            "P1D1W",
            "PT1.S",
            "PT.5S",
            "PT0,5S",
            "PT0.5H",
            "P0.5D",
            "PT1S1",
            "PTS",
            "PT-5M",
            "+-PT5M",
            "-+PT5M",
            "--PT5M",
            "++PT5M",
            "PTT5M",
            "PT5MT5M",
            "PT5µ",
            "PT٥M",
            "1:00",
            "1:0:0",
            "1:60:00",
            "1:00:60",
            "1:000:00",
            "1:00:00.",
            "1:00:00 ",
            "+1:00:00",
            "1 day 0:00:00",
            "1 day,0:00:00",
            "1 week, 0:00:00",
            "1day, 0:00:00",
            " day, 0:00:00",
            "1 day, ",
            "1 day",
            "1 day, -1:00:00",
            "1 day, 1 day, 0:00:00",
            "1.00:00:00",
        ];
        for text in table {
            assert_eq!(parse(text), Err(Unparsable), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in any::<String>()) {
            let _ = parse(&text);
        }

        #[test]
        fn no_text_of_the_right_letters_makes_it_panic(text in "[-+]?[Pp]?[0-9YMWDTHS.:, days]{0,60}") {
            let _ = parse(&text);
        }

        #[test]
        fn hours_minutes_and_seconds_add_up(
            hours in 0..100_000_u64,
            minutes in 0..60_u64,
            millis in 1..60_000_u64,
        ) {
            let sum = Duration::from_millis(hours * HOURS + minutes * MINUTES + millis);
            let (seconds, millis) = (millis / 1_000, millis % 1_000);
            let iso = format!("PT{hours}H{minutes}M{seconds}.{millis:03}S");
            let clock = format!("{hours}:{minutes:02}:{seconds:02}.{millis:03}000");
            prop_assert_eq!(parse(&iso), Ok(sum));
            prop_assert_eq!(parse(&clock), Ok(sum));
        }
    }
}
