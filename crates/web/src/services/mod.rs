//! What serves on hosts elsewhere: how each service is, its instances, what goes through, a release that goes on.
//!
//! A page knows of a service what its host recorded last (`trainyard up`, each minute), and says how old that is: what
//! was not heard of lately is not known, whatever it was.

mod change;
mod charts;
mod controls;
mod detail;
mod glance;
mod list;
mod recorded;
mod sentence;
mod show;

pub(crate) use change::{asked_of_model, change};
pub(crate) use recorded::{OfModel, Service, read_of};
pub(crate) use sentence::{in_a_cockpit, serving_in_short, why_not};
pub(crate) use show::{list, show};
