//! What a report says of a comparison beside its result.

/// What a result does not know about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Meta {
    /// Heading; "Data drift" when empty.
    pub title: String,
    /// What the reference is: a path or a model's URI.
    pub reference: String,
    /// What current is.
    pub current: String,
    /// When the comparison was made, as it shall be shown. Empty: not shown.
    pub time: String,
}

impl Meta {
    pub(crate) fn title(&self) -> &str {
        if self.title.is_empty() { "Data drift" } else { &self.title }
    }
}
