//! A pair of availability and activity as people type it.

use std::ffi::OsStr;

use clap::builder::{PossibleValue, TypedValueParser};
use clap::{Arg, Command};
use porchlight_presence::{Activity, Availability, Pair, PreferredPair, SessionPair};

/// Reads `Busy/InACall`, `busy`, `in a call` or `do-not-disturb`: case, spaces, dashes and underscores do not count, and
/// one half is enough where the other follows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PairParser {
    supported: &'static [Pair],
    /// The same for help and for completion.
    shown: &'static [&'static str],
}

impl PairParser {
    /// What setPresence takes.
    pub(crate) const SESSION: PairParser = PairParser {
        supported: SessionPair::ALL,
        shown: &["Available", "Busy/InACall", "Busy/InAConferenceCall", "Away", "DoNotDisturb/Presenting"],
    };

    /// What setUserPreferredPresence takes.
    pub(crate) const PREFERRED: PairParser = PairParser {
        supported: PreferredPair::ALL,
        shown: &["Available", "Busy", "DoNotDisturb", "BeRightBack", "Away", "Offline/OffWork"],
    };

    /// # Errors
    ///
    /// What is wrong with the text. A pair that is well-formed is for the server to take or not.
    fn read(self, text: &str) -> Result<Pair, String> {
        let unknown = |what: &str| format!("'{what}' is none; there are {}", self.shown.join(", "));
        if let Some((availability, activity)) = text.split_once('/') {
            return Ok(Pair {
                availability: named(availability, &Availability::ALL, |known| known.name())
                    .ok_or_else(|| unknown(availability))?,
                activity: named(activity, &Activity::ALL, |known| known.name())
                    .ok_or_else(|| unknown(activity))?,
            });
        }
        let by_availability = named(text, self.supported, |pair| pair.availability.name());
        let by_activity = || named(text, self.supported, |pair| pair.activity.name());
        by_availability.or_else(by_activity).ok_or_else(|| unknown(text))
    }
}

impl TypedValueParser for PairParser {
    type Value = Pair;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<Pair, clap::Error> {
        let parser = *self;
        let read = move |text: &str| parser.read(text);
        TypedValueParser::parse_ref(&read, command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.shown.iter().copied().map(PossibleValue::new)))
    }
}

/// The first of these whose name is meant.
fn named<T: Copy>(text: &str, known: &[T], name: impl Fn(&T) -> &'static str) -> Option<T> {
    let folded = |text: &str| {
        let letters = text.chars().filter(|c| !matches!(c, ' ' | '-' | '_'));
        letters.map(|c| c.to_ascii_lowercase()).collect::<String>()
    };
    let text = match folded(text).as_str() {
        "dnd" => "donotdisturb".to_owned(),
        "brb" => "berightback".to_owned(),
        text => text.to_owned(),
    };
    known.iter().copied().find(|known| folded(name(known)) == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(parser: PairParser, text: &str) -> String {
        parser.read(text).map_or_else(|error| error, |pair| pair.to_string())
    }

    #[test]
    fn what_is_shown_is_what_the_server_takes() {
        for parser in [PairParser::SESSION, PairParser::PREFERRED] {
            let shown: Vec<Pair> = parser.shown.iter().map(|text| parser.read(text).unwrap()).collect();
            assert_eq!(shown, parser.supported);
        }
    }

    #[test]
    fn pairs_are_read_as_people_type_them() {
        let table = [
            (PairParser::SESSION, "busy", "Busy/InACall"),
            (PairParser::SESSION, "in a conference-call", "Busy/InAConferenceCall"),
            (PairParser::SESSION, "presenting", "DoNotDisturb/Presenting"),
            (PairParser::SESSION, "DND", "DoNotDisturb/Presenting"),
            (PairParser::SESSION, "busy/in_a_meeting", "Busy/InAMeeting"),
            (PairParser::PREFERRED, "do-not-disturb", "DoNotDisturb/DoNotDisturb"),
            (PairParser::PREFERRED, "brb", "BeRightBack/BeRightBack"),
            (PairParser::PREFERRED, "off work", "Offline/OffWork"),
            (PairParser::PREFERRED, "offline", "Offline/OffWork"),
        ];
        for (parser, text, expected) in table {
            assert_eq!(read(parser, text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_pair_is_told_what_there_is() {
        let expected =
            "'lunch' is none; there are Available, Busy, DoNotDisturb, BeRightBack, Away, Offline/OffWork";
        assert_eq!(read(PairParser::PREFERRED, "lunch"), expected);
        assert!(read(PairParser::PREFERRED, "busy/lunch").starts_with("'lunch' is none"));
        assert!(read(PairParser::SESSION, "offline").starts_with("'offline' is none"));
        assert!(read(PairParser::SESSION, "").starts_with("'' is none"));
    }
}
