//! MLflow's file store (`./mlruns`), which it kept everything in before databases: read, and brought into a
//! database with ids, times and stages as they are.
//!
//! [`survey()`] reads everything and writes nothing; [`import()`] brings it over. What is in the database already is
//! not changed, so that an import which was broken off is simply done again.

mod artifacts;
mod counts;
mod file_store;
mod files;
mod locations;
mod meta;
mod metric_file;
mod plan;
mod problem;
mod read_models;
mod read_run;
mod report;
mod survey;
mod target;
mod transfer;
mod transfer_models;
mod transfer_runs;
mod travelling;

pub use counts::{Counts, Kind};
pub use locations::ArtifactsAre;
pub use problem::{Problem, Problems};
pub use report::{Options, Report};
pub use survey::{Survey, survey};
pub use target::Target;
pub use transfer::import;
