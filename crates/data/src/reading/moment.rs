//! What a text is that is a time.

/// A text that is a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    /// Microseconds since 1970, in UTC, which also times without a zone are taken for.
    pub(super) micros: i64,
    /// A date alone.
    pub(super) is_date: bool,
    /// It says how far from UTC it is.
    pub(super) is_zoned: bool,
}
