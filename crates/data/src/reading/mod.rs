//! What text says beyond its letters: numbers as people write them, and times.

mod candidate;
mod convert;
mod date;
mod digits;
mod expected;
mod form;
mod found;
mod moment;
mod nothing;
mod numeral;
mod survey;
mod time;

pub(crate) use convert::convert;
pub(crate) use expected::{Expected, Sort};
pub use form::{DateOrder, Decimal, Form};
pub use found::{Exception, Reading};
pub(crate) use numeral::amount;
pub(crate) use survey::Survey;
