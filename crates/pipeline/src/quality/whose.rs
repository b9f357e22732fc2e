//! Which of the predictions of a window something is said of.

use trainyard_drift::Measure;

/// All of them, or some.
#[derive(Debug, Clone, Copy)]
pub(super) enum Whose<'a> {
    All,
    /// Those of a version.
    Version(&'a str),
    /// Those that satisfy a condition, with its place among these.
    Segment(usize, &'a str),
}

impl Whose<'_> {
    /// Names in a measure whose it is.
    pub(super) fn name(self, measure: Measure) -> Measure {
        match self {
            Self::All => measure,
            Self::Version(version) => Measure { version: Some(version.to_owned()), ..measure },
            Self::Segment(_, condition) => measure.of_segment(condition),
        }
    }
}
