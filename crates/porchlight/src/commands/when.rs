//! Times: as people write them, and as they read them.

use std::str::FromStr;
use std::time::Duration;

use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};
use serde_json::Value;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Reads how long something is to be: `90s`, `30m`, `1h30m`, `2d`, or ISO 8601 such as `PT1H`.
///
/// # Errors
///
/// A lower-case fragment that says what is wrong.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    match units(text) {
        Some(Duration::ZERO) => Err("the duration is not positive".to_owned()),
        Some(duration) => Ok(duration),
        None => porchlight_http::parse_duration(text)
            .map_err(|wrong| format!("{wrong}; write it as 90s, 30m, 1h30m or PT1H")),
    }
}

/// One or more numbers with a unit each.
fn units(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut sum = 0_u64;
    while !rest.is_empty() {
        let (count, after) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
        let seconds = match after.as_bytes().first()? {
            b's' => 1,
            b'm' => MINUTE,
            b'h' => HOUR,
            b'd' => DAY,
            _ => return None,
        };
        sum = sum.checked_add(count.parse::<u64>().ok()?.checked_mul(seconds)?)?;
        rest = &after[1..];
    }
    (!text.is_empty()).then_some(Duration::from_secs(sum))
}

/// A duration in ISO 8601.
pub(crate) fn iso(duration: Duration) -> String {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX).to_string()
}

/// An end, as it was given: a moment of everybody's, or of this machine's zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    Instant(Timestamp),
    Local(DateTime),
    /// The next time that clocks show this.
    Time(Time),
}

impl FromStr for Until {
    type Err = String;

    fn from_str(text: &str) -> Result<Until, String> {
        if let Ok(instant) = text.parse() {
            return Ok(Until::Instant(instant));
        }
        if let Ok(local) = text.parse() {
            return Ok(Until::Local(local));
        }
        // Other spellings of a time could as well be a year.
        let time = text.contains(':').then(|| text.parse().ok()).flatten();
        time.map(Until::Time)
            .ok_or_else(|| "write it as 17:00, 2026-11-30T17:00 or 2026-11-30T17:00:00Z".to_owned())
    }
}

impl Until {
    /// The moment that is meant.
    ///
    /// # Errors
    ///
    /// Out of what a calendar has.
    pub(crate) fn after(self, now: &Zoned) -> Result<Timestamp, jiff::Error> {
        let zone = now.time_zone();
        match self {
            Until::Instant(instant) => Ok(instant),
            Until::Local(local) => Ok(local.to_zoned(zone.clone())?.timestamp()),
            Until::Time(time) => {
                let today = now.date().to_datetime(time).to_zoned(zone.clone())?.timestamp();
                if today > now.timestamp() {
                    return Ok(today);
                }
                Ok(now.date().tomorrow()?.to_datetime(time).to_zoned(zone.clone())?.timestamp())
            }
        }
    }
}

/// An instant where this machine is.
pub(crate) fn here(at: Timestamp) -> Zoned {
    at.to_zoned(TimeZone::system())
}

/// When the view of a presence with this sequence number began, if the number says so: Porchlight's does.
pub(crate) fn of_sequence(number: &str) -> Option<Timestamp> {
    let digits = number.strip_prefix('A').filter(|digits| digits.len() == 14)?;
    // Nobody has changed anything at the beginning of time.
    let millis = digits.parse().ok().filter(|millis| *millis > 0)?;
    Timestamp::from_millisecond(millis).ok()
}

/// The instant in a member of the API's.
pub(crate) fn of_json(member: &Value) -> Option<Timestamp> {
    member.as_str()?.parse().ok()
}

/// What clocks show at an instant, with the day if that is another one.
pub(crate) fn clock(at: Timestamp, now: &Zoned) -> String {
    let at = at.to_zoned(now.time_zone().clone());
    let pattern = if at.date() == now.date() {
        "%H:%M"
    } else if at.year() == now.year() {
        "%-d %b %H:%M"
    } else {
        "%Y-%m-%d %H:%M"
    };
    at.strftime(pattern).to_string()
}

/// An instant and how far away it is: `14:30 (5 min ago)`, `15:30 (in 1 h)`.
pub(crate) fn at(at: Timestamp, now: &Zoned) -> String {
    let away = at.duration_since(now.timestamp());
    let span = span(away.unsigned_abs());
    let clock = clock(at, now);
    if away.is_positive() { format!("{clock} (in {span})") } else { format!("{clock} ({span} ago)") }
}

/// About how long something is, in one or two units.
pub(crate) fn span(duration: Duration) -> String {
    const HOUR: u64 = 60;
    const DAY: u64 = 24 * HOUR;
    const DAYS: u64 = 2 * DAY;
    let seconds = (duration + Duration::from_millis(500)).as_secs();
    if seconds < 60 {
        return format!("{seconds} s");
    }
    let minutes = (seconds + 30) / 60;
    match minutes {
        ..HOUR => format!("{minutes} min"),
        HOUR..DAY if !minutes.is_multiple_of(HOUR) => format!("{} h {} min", minutes / HOUR, minutes % HOUR),
        HOUR..DAY => format!("{} h", minutes / HOUR),
        DAY..DAYS => "1 day".to_owned(),
        DAYS.. => format!("{} days", minutes / DAY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Zoned {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        "2026-11-27T18:24:18Z".parse::<Timestamp>().unwrap().to_zoned(zone)
    }

    fn instant(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn durations_are_read_in_two_ways() {
        let table = [
            ("90s", 90, "PT1M30S"),
            ("1h30m", 5_400, "PT1H30M"),
            ("1h", 3_600, "PT1H"),
            ("2d", 172_800, "PT48H"),
            ("PT1H", 3_600, "PT1H"),
            ("p1d", 86_400, "PT24H"),
        ];
        for (text, seconds, written) in table {
            let read = duration(text).unwrap();
            assert_eq!((read, iso(read).as_str()), (Duration::from_secs(seconds), written), "{text}");
        }
        for text in
            ["", "h", "1", "0s", "-1h", "1.5h", "1 h", "1hä", "99999999999999999999h", "9999999999999999999h"]
        {
            let wrong = duration(text).unwrap_err();
            assert!(
                text == "0s" || wrong.ends_with("; write it as 90s, 30m, 1h30m or PT1H"),
                "{text}: {wrong}"
            );
        }
    }

    #[test]
    fn an_end_is_a_time_of_day_a_day_or_an_instant() {
        let table = [
            ("20:00", "2026-11-27T19:00:00Z"),
            ("19:00", "2026-11-28T18:00:00Z"),
            ("2026-12-01", "2026-11-30T23:00:00Z"),
            ("2026-12-01T09:30", "2026-12-01T08:30:00Z"),
            ("2026-12-01 09:30", "2026-12-01T08:30:00Z"),
            ("2026-12-01T09:30:00Z", "2026-12-01T09:30:00Z"),
            ("2026-12-01T09:30:00-05:00", "2026-12-01T14:30:00Z"),
        ];
        for (text, expected) in table {
            let until: Until = text.parse().unwrap();
            assert_eq!(until.after(&now()).unwrap(), instant(expected), "{text}");
        }
        for text in ["", "soon", "25:00", "2026-13-01", "1h"] {
            assert!(text.parse::<Until>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_instant_is_shown_with_how_far_away_it_is() {
        let table = [
            ("2026-11-27T18:24:06Z", "19:24 (12 s ago)"),
            ("2026-11-27T18:19:18Z", "19:19 (5 min ago)"),
            ("2026-11-27T19:24:18Z", "20:24 (in 1 h)"),
            ("2026-11-27T19:24:17.9Z", "20:24 (in 1 h)"),
            ("2026-11-27T20:30:00Z", "21:30 (in 2 h 6 min)"),
            ("2026-11-26T18:24:18Z", "26 Nov 19:24 (1 day ago)"),
            ("2026-12-07T18:24:18Z", "7 Dec 19:24 (in 10 days)"),
            ("2030-01-31T16:00:00Z", "2030-01-31 17:00 (in 1160 days)"),
        ];
        for (text, expected) in table {
            assert_eq!(at(instant(text), &now()), expected);
        }
    }

    #[test]
    fn a_sequence_number_of_porchlights_is_an_instant() {
        assert_eq!(of_sequence("A01795803858141"), Some(instant("2026-11-27T18:24:18.141Z")));
        for other in ["", "A0132B23", "A0132", "B01795803858141", "A0179580385814x", "A00000000000000"] {
            assert_eq!(of_sequence(other), None, "{other}");
        }
    }
}
