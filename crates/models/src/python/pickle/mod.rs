//! Pickles of protocol 0 to 5, read as data.
//!
//! The machine that Python runs on a pickle is followed, but its calls are not made: a class called with
//! arguments becomes an [`Object`](super::Object) that says so, and only NumPy's own constructors are
//! carried out, by our code. Globals that models are not made of are refused by name before anything else happens.

mod joblib;
mod literals;
mod machine;
mod objects;
mod shape;

pub(crate) use machine::read;
