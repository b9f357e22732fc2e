//! Which fields are missing.

use trainyard_base::pandas::is_missing;

/// The words that are read as missing.
#[derive(Debug, Clone, Copy)]
pub(super) enum Nulls<'a> {
    /// Those of pandas.
    Pandas,
    /// These, and the empty field.
    Words(&'a [String]),
}

impl Nulls<'_> {
    pub(super) fn has(self, field: &[u8]) -> bool {
        match self {
            Self::Pandas => is_missing(field),
            Self::Words(words) => {
                field.is_empty() || words.iter().any(|word| word.as_bytes() == field)
            }
        }
    }
}
