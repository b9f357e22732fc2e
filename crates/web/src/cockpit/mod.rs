//! A registered model as its people need it: what serves and since when, whether all is right, what happened, which
//! versions there are and how they differ, and what to do next.
//!
//! Everything is read from what is recorded anyway: tags of versions, runs of releases and of looks at production data,
//! and the audit log. What cannot be read is left out; the rest of a page is as good without.

mod actions;
mod change;
mod difference;
mod health;
mod recent;
mod records;
mod release;
mod show;
mod snippets;
mod standing;
mod timeline;
mod timeline_sources;
mod version;
mod versions;

pub(crate) use actions::open_requests;
pub(crate) use change::{change, change_version};
pub(crate) use difference::show as show_difference;
pub(crate) use health::Health;
pub(crate) use recent::show as show_recent;
pub(crate) use records::{Records, looks_within};
pub(crate) use release::{Candidate, Releases};
pub(crate) use show::{production, show};
pub(crate) use standing::PRODUCTION;
pub(crate) use timeline::releases as table_of_releases;
pub(crate) use version::show as show_version;
