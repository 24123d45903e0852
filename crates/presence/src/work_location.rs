//! Where the user works from.

use crate::Timestamp;

/// The kind of place. The numbers are part of the record format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum LocationType {
    /// Not said. Only PATCH and the location actions can write it; it still is a layer of its own.
    Unspecified = 0,
    /// In an office.
    Office = 1,
    /// Somewhere else.
    Remote = 2,
    /// Not working.
    TimeOff = 3,
}

impl LocationType {
    /// Every value, in the order of the numbers.
    pub const ALL: [LocationType; 4] =
        [LocationType::Unspecified, LocationType::Office, LocationType::Remote, LocationType::TimeOff];

    /// The name, in Graph's spelling.
    pub const fn name(self) -> &'static str {
        match self {
            LocationType::Unspecified => "unspecified",
            LocationType::Office => "office",
            LocationType::Remote => "remote",
            LocationType::TimeOff => "timeOff",
        }
    }

    /// The value of this name, ASCII case aside.
    pub fn from_name(name: &str) -> Option<LocationType> {
        LocationType::ALL.into_iter().find(|value| value.name().eq_ignore_ascii_case(name))
    }

    pub(crate) fn from_number(number: u8) -> Option<LocationType> {
        LocationType::ALL.get(usize::from(number)).copied()
    }
}

/// Which layer a location comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LocationSource {
    /// Set by the user; it wins.
    Manual,
    /// Found out by a device.
    Automatic,
}

impl LocationSource {
    /// The name, in Graph's spelling.
    pub const fn name(self) -> &'static str {
        match self {
            LocationSource::Manual => "manual",
            LocationSource::Automatic => "automatic",
        }
    }
}

/// One layer of work location.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The kind of place.
    pub kind: LocationType,
    /// The place's id, as it was given.
    pub place: Option<String>,
    /// When the layer ends; `None`: when it is cleared.
    pub ends_at: Option<Timestamp>,
}

impl Location {
    pub(crate) fn lives(&self, now: Timestamp) -> bool {
        self.ends_at.is_none_or(|end| now < end)
    }
}
