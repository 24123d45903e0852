//! Pairs of availability and activity, and which of them each method takes.

use std::fmt;
use std::time::Duration;

use crate::refusal::Method;
use crate::{Activity, Availability, Refusal};

/// An availability with an activity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pair {
    /// How reachable.
    pub availability: Availability,
    /// Doing what.
    pub activity: Activity,
}

impl fmt::Display for Pair {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.availability, self.activity)
    }
}

const fn pair(availability: Availability, activity: Activity) -> Pair {
    Pair { availability, activity }
}

impl Pair {
    /// What is seen without any live session.
    pub const OFFLINE: Pair = pair(Availability::Offline, Activity::Offline);

    /// What a bulk read answers for an id that nobody has.
    pub const UNKNOWN: Pair = pair(Availability::PresenceUnknown, Activity::PresenceUnknown);

    /// The first stage of an available session's fade.
    pub(crate) const INACTIVE: Pair = pair(Availability::Available, Activity::AvailableInactive);

    /// The second stage of an available session's fade.
    pub(crate) const AWAY: Pair = pair(Availability::Away, Activity::Away);

    /// How a session's pair ranks among those of other sessions: the larger wins.
    ///
    /// Source: presence-api 11.1 for availabilities, 11.2 for activities within one.
    pub(crate) fn strength(self) -> (u8, u8) {
        let availability = match self.availability {
            Availability::DoNotDisturb => 8,
            Availability::Busy => 7,
            Availability::BusyIdle => 6,
            Availability::Available => 5,
            Availability::AvailableIdle => 4,
            Availability::BeRightBack => 3,
            Availability::Away => 2,
            Availability::Offline => 1,
            Availability::PresenceUnknown => 0,
        };
        let activity = match self.activity {
            Activity::Presenting | Activity::InAConferenceCall => 4,
            Activity::UrgentInterruptionsOnly | Activity::InACall => 3,
            Activity::DoNotDisturb | Activity::InAMeeting => 2,
            Activity::Busy | Activity::Available => 1,
            Activity::AvailableInactive
            | Activity::Away
            | Activity::BeRightBack
            | Activity::Inactive
            | Activity::Offline
            | Activity::OffWork
            | Activity::OutOfOffice
            | Activity::PresenceUnknown => 0,
        };
        (availability, activity)
    }

    /// What this pair becomes while the person is out of office. Source: presence-api 12.
    pub(crate) fn out_of_office(self) -> Pair {
        match (self.availability, self.activity) {
            (Availability::Available, Activity::Available | Activity::AvailableInactive)
            | (Availability::Away, Activity::Away)
            | (Availability::Offline, Activity::Offline) => pair(self.availability, Activity::OutOfOffice),
            _ => self,
        }
    }
}

fn checked(pair: Pair, supported: &'static [Pair], method: Method) -> Result<Pair, Refusal> {
    if supported.contains(&pair) {
        Ok(pair)
    } else {
        Err(Refusal::PairNotSupported { pair, method, supported })
    }
}

/// A pair that setPresence takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionPair(Pair);

impl SessionPair {
    /// All of them. Source: presence-api 7.2.
    pub const ALL: &'static [Pair] = &[
        pair(Availability::Available, Activity::Available),
        pair(Availability::Busy, Activity::InACall),
        pair(Availability::Busy, Activity::InAConferenceCall),
        pair(Availability::Away, Activity::Away),
        pair(Availability::DoNotDisturb, Activity::Presenting),
    ];

    /// # Errors
    ///
    /// [`Refusal::PairNotSupported`] for any other pair.
    pub fn new(pair: Pair) -> Result<SessionPair, Refusal> {
        checked(pair, SessionPair::ALL, Method::SetPresence).map(SessionPair)
    }

    /// The pair.
    pub const fn get(self) -> Pair {
        self.0
    }
}

/// A pair that setUserPreferredPresence takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PreferredPair(Pair);

impl PreferredPair {
    /// All of them. Source: presence-api 9.1.
    pub const ALL: &'static [Pair] = &[
        pair(Availability::Available, Activity::Available),
        pair(Availability::Busy, Activity::Busy),
        pair(Availability::DoNotDisturb, Activity::DoNotDisturb),
        pair(Availability::BeRightBack, Activity::BeRightBack),
        pair(Availability::Away, Activity::Away),
        pair(Availability::Offline, Activity::OffWork),
    ];

    /// # Errors
    ///
    /// [`Refusal::PairNotSupported`] for any other pair.
    pub fn new(pair: Pair) -> Result<PreferredPair, Refusal> {
        checked(pair, PreferredPair::ALL, Method::SetUserPreferredPresence).map(PreferredPair)
    }

    /// The pair.
    pub const fn get(self) -> Pair {
        self.0
    }
}

/// A pair that PATCH takes: any that makes sense, standing without a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StandingPair(Pair);

impl StandingPair {
    /// All of them. Source: presence-api 13.
    pub const ALL: &'static [Pair] = &[
        pair(Availability::Available, Activity::Available),
        pair(Availability::Available, Activity::OutOfOffice),
        pair(Availability::AvailableIdle, Activity::Inactive),
        pair(Availability::Away, Activity::Away),
        pair(Availability::Away, Activity::BeRightBack),
        pair(Availability::Away, Activity::OutOfOffice),
        pair(Availability::BeRightBack, Activity::BeRightBack),
        pair(Availability::Busy, Activity::Busy),
        pair(Availability::Busy, Activity::InACall),
        pair(Availability::Busy, Activity::InAConferenceCall),
        pair(Availability::Busy, Activity::InAMeeting),
        pair(Availability::BusyIdle, Activity::Inactive),
        pair(Availability::DoNotDisturb, Activity::DoNotDisturb),
        pair(Availability::DoNotDisturb, Activity::Presenting),
        pair(Availability::DoNotDisturb, Activity::UrgentInterruptionsOnly),
        pair(Availability::Offline, Activity::Offline),
        pair(Availability::Offline, Activity::OffWork),
        pair(Availability::Offline, Activity::OutOfOffice),
    ];

    /// # Errors
    ///
    /// [`Refusal::PairNotSupported`] for any other pair.
    pub fn new(pair: Pair) -> Result<StandingPair, Refusal> {
        checked(pair, StandingPair::ALL, Method::Patch).map(StandingPair)
    }

    /// The pair meant by an availability alone: the activity of the same name, or `Inactive` for the idle ones.
    ///
    /// # Errors
    ///
    /// [`Refusal::PairNotSupported`] for `PresenceUnknown`.
    pub fn of_availability(availability: Availability) -> Result<StandingPair, Refusal> {
        let activity = match availability {
            Availability::Available => Activity::Available,
            Availability::AvailableIdle | Availability::BusyIdle => Activity::Inactive,
            Availability::Away => Activity::Away,
            Availability::BeRightBack => Activity::BeRightBack,
            Availability::Busy => Activity::Busy,
            Availability::DoNotDisturb => Activity::DoNotDisturb,
            Availability::Offline => Activity::Offline,
            Availability::PresenceUnknown => Activity::PresenceUnknown,
        };
        StandingPair::new(pair(availability, activity))
    }

    /// The pair meant by an activity alone: the availability that it implies.
    ///
    /// # Errors
    ///
    /// [`Refusal::PairNotSupported`] for `AvailableInactive` and `PresenceUnknown`.
    pub fn of_activity(activity: Activity) -> Result<StandingPair, Refusal> {
        let availability = match activity {
            Activity::Available | Activity::AvailableInactive | Activity::OutOfOffice => {
                Availability::Available
            }
            Activity::Inactive => Availability::AvailableIdle,
            Activity::Away => Availability::Away,
            Activity::BeRightBack => Availability::BeRightBack,
            Activity::Busy | Activity::InACall | Activity::InAConferenceCall | Activity::InAMeeting => {
                Availability::Busy
            }
            Activity::DoNotDisturb | Activity::Presenting | Activity::UrgentInterruptionsOnly => {
                Availability::DoNotDisturb
            }
            Activity::Offline | Activity::OffWork => Availability::Offline,
            Activity::PresenceUnknown => Availability::PresenceUnknown,
        };
        StandingPair::new(pair(availability, activity))
    }

    /// The pair.
    pub const fn get(self) -> Pair {
        self.0
    }
}

/// How long a preference of this availability holds when nothing is said. Source: presence-api 9.1 and 13.
pub(crate) fn preferred_duration_default(availability: Availability) -> Duration {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    match availability {
        Availability::Available | Availability::BeRightBack | Availability::Away | Availability::Offline => {
            DAY * 7
        }
        Availability::AvailableIdle
        | Availability::Busy
        | Availability::BusyIdle
        | Availability::DoNotDisturb
        | Availability::PresenceUnknown => DAY,
    }
}
