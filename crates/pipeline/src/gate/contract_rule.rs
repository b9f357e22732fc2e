//! `[gate] contract`: whether a version may break clients of the one in production.

use serde::Deserialize;

/// What is done with a version whose signature breaks clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContractRule {
    /// It is refused.
    #[default]
    Keep,
    /// It is told.
    MayBreak,
}
