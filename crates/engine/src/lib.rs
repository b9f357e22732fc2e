//! Tables in the engine that holds them, summed up there: nothing but counts and quantiles leaves it.
//!
//! An engine is asked by SQL over ADBC, the C interface of Arrow to databases. Its driver is a shared library that is loaded
//! when an engine is asked for and never before. What comes back is a [`trainyard_drift::Profile`], which is compared as
//! the profile of any table is: kind, method, score and verdict are not known here.
//!
//! - [`Source`] is a table or a query of an engine, as a URI says it.
//! - [`summarize`] asks the engine, within [`Limits`].
//! - [`windows`] asks it in which windows of time rows lie.

mod conditions;
mod connect;
mod counts;
mod dialect;
mod error;
mod library;
mod limits;
mod rank_error;
mod sample;
mod sampled;
mod session;
mod shape;
mod source;
mod statements;
mod summary;
mod time_limit;
mod types;
mod values;
mod windows;

pub use dialect::Engine;
pub use error::{Error, Result};
pub use limits::{DRIVER_VARIABLE, LABEL_CHARACTERS_MAX, Limits, POINTS, ROWS_MAX, WINDOWS_MAX};
pub use rank_error::Sampled;
pub use sample::{SAMPLE_ROWS, SAMPLE_ROWS_ALLOWED, SAMPLED_FROM, Sample};
pub use source::Source;
pub use summary::{Summary, summarize};
pub use windows::{Windowed, Windows, windows};
