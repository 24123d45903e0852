//! `$select` on a presence.

use crate::error::Error;

/// The members of a presence, in the order in which they are written.
///
/// Each is a bit; the inner members of the complex ones have bits of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Part {
    Id = 1,
    Availability = 1 << 1,
    Activity = 1 << 2,
    OutOfOfficeSettings = 1 << 3,
    OutOfOfficeMessage = 1 << 4,
    IsOutOfOffice = 1 << 5,
    SequenceNumber = 1 << 6,
    StatusMessage = 1 << 7,
    StatusMessageContent = 1 << 8,
    PublishedDateTime = 1 << 9,
    ExpiryDateTime = 1 << 10,
    WorkLocation = 1 << 11,
    PlaceId = 1 << 12,
    Source = 1 << 13,
    WorkLocationType = 1 << 14,
}

/// Every path that can be selected, and the bits that it means.
const PATHS: [(&str, &[Part]); 15] = [
    ("id", &[Part::Id]),
    ("availability", &[Part::Availability]),
    ("activity", &[Part::Activity]),
    ("outOfOfficeSettings", &[Part::OutOfOfficeSettings, Part::OutOfOfficeMessage, Part::IsOutOfOffice]),
    ("outOfOfficeSettings/message", &[Part::OutOfOfficeSettings, Part::OutOfOfficeMessage]),
    ("outOfOfficeSettings/isOutOfOffice", &[Part::OutOfOfficeSettings, Part::IsOutOfOffice]),
    ("sequenceNumber", &[Part::SequenceNumber]),
    (
        "statusMessage",
        &[Part::StatusMessage, Part::StatusMessageContent, Part::PublishedDateTime, Part::ExpiryDateTime],
    ),
    ("statusMessage/message", &[Part::StatusMessage, Part::StatusMessageContent]),
    ("statusMessage/publishedDateTime", &[Part::StatusMessage, Part::PublishedDateTime]),
    ("statusMessage/expiryDateTime", &[Part::StatusMessage, Part::ExpiryDateTime]),
    ("workLocation", &[Part::WorkLocation, Part::PlaceId, Part::Source, Part::WorkLocationType]),
    ("workLocation/placeId", &[Part::WorkLocation, Part::PlaceId]),
    ("workLocation/source", &[Part::WorkLocation, Part::Source]),
    ("workLocation/workLocationType", &[Part::WorkLocation, Part::WorkLocationType]),
];

/// Which members of a presence to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Select {
    parts: u32,
    /// What goes into the context string: the list in parentheses, or nothing when all is sent.
    context: String,
}

impl Select {
    /// Everything.
    pub(crate) const ALL: Select = Select { parts: u32::MAX, context: String::new() };

    /// Every path that can be selected.
    pub(crate) fn paths() -> impl Iterator<Item = &'static str> {
        PATHS.into_iter().map(|(path, _)| path)
    }

    /// # Errors
    ///
    /// Names the first path that is not there.
    pub(crate) fn parse(list: Option<&str>) -> Result<Select, Error> {
        let Some(list) = list else { return Ok(Select::ALL) };
        let (mut parts, mut paths) = (0, Vec::new());
        for path in list.split(',').map(str::trim) {
            if path == "*" {
                return Ok(Select::ALL);
            }
            let (_, meant) = PATHS.iter().find(|(known, _)| *known == path).ok_or_else(|| unknown(path))?;
            parts |= meant.iter().fold(0, |bits, part| bits | *part as u32);
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
        Ok(Select { parts, context: format!("({})", paths.join(",")) })
    }

    /// These members, without a word in the context string.
    pub(crate) fn of(parts: &[Part]) -> Select {
        let parts = parts.iter().fold(0, |bits, part| bits | *part as u32);
        Select { parts, context: String::new() }
    }

    /// The same and one more, without a word in the context string.
    pub(crate) fn with(self, part: Part) -> Select {
        Select { parts: self.parts | part as u32, ..self }
    }

    /// Whether everything is to be sent. Not where every member was named by itself, which comes to the same.
    pub(crate) fn is_all(&self) -> bool {
        self.parts == u32::MAX
    }

    /// Whether this member is to be sent.
    pub(crate) fn has(&self, part: Part) -> bool {
        self.parts & part as u32 != 0
    }

    /// A number that differs with the members and with the context string.
    pub(crate) fn digest(&self) -> u64 {
        u64::from(self.parts) ^ rapidhash::v3::rapidhash_v3(self.context.as_bytes()) << 32
    }

    /// What goes into the context string.
    pub(crate) fn context(&self) -> &str {
        &self.context
    }
}

fn unknown(path: &str) -> Error {
    Error::BadQuery(format!("Could not find a property named '{path}' on type 'microsoft.graph.presence'."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_selected_and_unknown_ones_named() {
        let select = Select::parse(Some("availability, statusMessage/message")).unwrap();
        assert!(select.has(Part::Availability) && select.has(Part::StatusMessage));
        assert!(select.has(Part::StatusMessageContent) && !select.has(Part::PublishedDateTime));
        assert_eq!(select.context(), "(availability,statusMessage/message)");
        assert_eq!(Select::parse(Some("id,*")).unwrap(), Select::ALL);
        assert_eq!(
            Select::parse(Some("nope")),
            Err(Error::BadQuery(
                "Could not find a property named 'nope' on type 'microsoft.graph.presence'.".to_owned()
            ))
        );
        assert!(Select::parse(Some("")).is_err());
        assert!(Select::parse(Some("Availability")).is_err(), "member names are exact");
    }
}
