//! The ground floor: small things that every room needs, with few dependencies and no network.
//!
//! - [`advice`]: what to do about an error, and whose fault it is;
//! - [`better`]: which values of a metric are better;
//! - [`size`] and [`duration`]: bytes and times as users write them;
//! - [`memory`]: what this process may still take, by the machine and by its control groups;
//! - [`budget`]: bytes that all requests together may hold;
//! - [`mod@caught`]: panics of libraries that are no traces on the terminal;
//! - [`file`]: files that are replaced as a whole and stay, and [`temporary`]: folders that do not;
//! - [`json`]: JSON as Python reads it;
//! - [`prometheus`]: counters, and the page of them;
//! - [`leaky_bucket`] and [`rate`]: how often somebody may be wrong, and how often somebody may ask;
//! - [`media_type`]: what a file is, by its name;
//! - [`mod@nearest`]: the name that somebody meant;
//! - [`pandas`]: what pandas takes for missing;
//! - [`random`]: numbers that a seed decides, on every machine;
//! - [`service`]: what a host records of a service that it runs;
//! - [`status_page`]: how small pages look by which servers say how they are;
//! - [`stratified`]: rows drawn by class, as scikit-learn draws them;
//! - [`words`]: what one room writes and another reads.

pub mod advice;
pub mod better;
pub mod budget;
pub mod caught;
pub mod duration;
pub mod file;
pub mod json;
pub mod leaky_bucket;
pub mod media_type;
pub mod memory;
pub mod nearest;
pub mod pandas;
pub mod prometheus;
pub mod random;
pub mod rate;
pub mod service;
pub mod size;
pub mod status_page;
pub mod stratified;
pub mod temporary;
pub mod words;

pub use advice::{Advice, Advise, Fault};
pub use better::Better;
pub use budget::{Budget, Full, Share};
pub use caught::caught;
pub use nearest::{did_you_mean, nearest};
pub use temporary::TemporaryFolder;
