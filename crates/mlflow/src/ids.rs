//! Ids of two parts. Both parts are texts, so they are named where they are written: two arguments side
//! by side would be swapped in silence.

/// One version of a registered model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VersionId<'a> {
    /// The registered model.
    pub name: &'a str,
    /// A whole number from 1, as text.
    pub version: &'a str,
}

/// An alias of a registered model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AliasId<'a> {
    /// The registered model.
    pub name: &'a str,
    /// Such as `Production`.
    pub alias: &'a str,
}
