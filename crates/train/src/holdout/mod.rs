//! Which rows are held out: the setting, the rule that a run records, and both applied to tables.

mod assign;
mod moment;
mod row_hash;
mod rule;
mod setting;

pub use assign::Assigned;
pub use rule::Rule;
pub use setting::Holdout;

pub(crate) use assign::assign;
