//! Out of office.

/// The user is out of office. It has no end of its own; it is there until it is cleared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutOfOffice {
    /// The automatic reply, never empty.
    pub message: Option<String>,
}
