//! The second half of a presence: what somebody is doing.

use std::fmt;

/// What somebody is doing. Source: presence-api 2.2.
///
/// The numbers are part of the record format: they are never given another meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Activity {
    /// Available.
    Available = 0,
    /// The first stage of an available session's fade. Nobody can write it.
    AvailableInactive = 1,
    /// Away.
    Away = 2,
    /// Back soon.
    BeRightBack = 3,
    /// Busy.
    Busy = 4,
    /// Wants no interruptions.
    DoNotDisturb = 5,
    /// In a call.
    InACall = 6,
    /// In a conference call.
    InAConferenceCall = 7,
    /// Idle. Only PATCH writes it.
    Inactive = 8,
    /// In a meeting. Only PATCH writes it.
    InAMeeting = 9,
    /// Offline.
    Offline = 10,
    /// Appearing offline.
    OffWork = 11,
    /// Out of office.
    OutOfOffice = 12,
    /// Cannot be told. Nobody can write it.
    PresenceUnknown = 13,
    /// Presenting.
    Presenting = 14,
    /// Open to urgent matters only. Only PATCH writes it.
    UrgentInterruptionsOnly = 15,
}

impl Activity {
    /// Every value, in the order of the numbers.
    pub const ALL: [Activity; 16] = [
        Activity::Available,
        Activity::AvailableInactive,
        Activity::Away,
        Activity::BeRightBack,
        Activity::Busy,
        Activity::DoNotDisturb,
        Activity::InACall,
        Activity::InAConferenceCall,
        Activity::Inactive,
        Activity::InAMeeting,
        Activity::Offline,
        Activity::OffWork,
        Activity::OutOfOffice,
        Activity::PresenceUnknown,
        Activity::Presenting,
        Activity::UrgentInterruptionsOnly,
    ];

    /// The name, in Graph's spelling.
    pub const fn name(self) -> &'static str {
        match self {
            Activity::Available => "Available",
            Activity::AvailableInactive => "AvailableInactive",
            Activity::Away => "Away",
            Activity::BeRightBack => "BeRightBack",
            Activity::Busy => "Busy",
            Activity::DoNotDisturb => "DoNotDisturb",
            Activity::InACall => "InACall",
            Activity::InAConferenceCall => "InAConferenceCall",
            Activity::Inactive => "Inactive",
            Activity::InAMeeting => "InAMeeting",
            Activity::Offline => "Offline",
            Activity::OffWork => "OffWork",
            Activity::OutOfOffice => "OutOfOffice",
            Activity::PresenceUnknown => "PresenceUnknown",
            Activity::Presenting => "Presenting",
            Activity::UrgentInterruptionsOnly => "UrgentInterruptionsOnly",
        }
    }

    /// The value of this name, ASCII case aside.
    pub fn from_name(name: &str) -> Option<Activity> {
        Activity::ALL.into_iter().find(|value| value.name().eq_ignore_ascii_case(name))
    }

    /// The value of this number in the record format.
    pub(crate) fn from_number(number: u8) -> Option<Activity> {
        Activity::ALL.get(usize::from(number)).copied()
    }
}

impl fmt::Display for Activity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}
