//! The first half of a presence: how reachable somebody is.

use std::fmt;

/// How reachable somebody is. Source: presence-api 2.1.
///
/// The numbers are part of the record format: they are never given another meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Availability {
    /// Reachable.
    Available = 0,
    /// Reachable but idle. Only PATCH writes it.
    AvailableIdle = 1,
    /// Away.
    Away = 2,
    /// Back soon.
    BeRightBack = 3,
    /// Busy.
    Busy = 4,
    /// Busy but idle. Only PATCH writes it.
    BusyIdle = 5,
    /// Wants no interruptions.
    DoNotDisturb = 6,
    /// Without a session, or appearing so.
    Offline = 7,
    /// Cannot be told: a bulk read of an unknown id. Nobody can write it.
    PresenceUnknown = 8,
}

impl Availability {
    /// Every value, in the order of the numbers.
    pub const ALL: [Availability; 9] = [
        Availability::Available,
        Availability::AvailableIdle,
        Availability::Away,
        Availability::BeRightBack,
        Availability::Busy,
        Availability::BusyIdle,
        Availability::DoNotDisturb,
        Availability::Offline,
        Availability::PresenceUnknown,
    ];

    /// The name, in Graph's spelling.
    pub const fn name(self) -> &'static str {
        match self {
            Availability::Available => "Available",
            Availability::AvailableIdle => "AvailableIdle",
            Availability::Away => "Away",
            Availability::BeRightBack => "BeRightBack",
            Availability::Busy => "Busy",
            Availability::BusyIdle => "BusyIdle",
            Availability::DoNotDisturb => "DoNotDisturb",
            Availability::Offline => "Offline",
            Availability::PresenceUnknown => "PresenceUnknown",
        }
    }

    /// The value of this name, ASCII case aside.
    pub fn from_name(name: &str) -> Option<Availability> {
        Availability::ALL.into_iter().find(|value| value.name().eq_ignore_ascii_case(name))
    }

    /// The value of this number in the record format.
    pub(crate) fn from_number(number: u8) -> Option<Availability> {
        Availability::ALL.get(usize::from(number)).copied()
    }
}

impl fmt::Display for Availability {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}
