//! The monitor step on tables in files.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot read its data must fail and say where"
)]

mod halves;
mod same_answers;
mod tables;
mod tables_as_people_have_them;
