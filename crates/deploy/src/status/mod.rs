//! What of a service runs, what it should be, and what it says when it is asked.

mod certificate;
mod look;
mod report;
mod route;
mod serving;
mod verdict;

pub use certificate::CertificateSeen;
pub use look::status;
pub use report::{Health, InstanceReport, Role, ServiceStatus, Wanted};
pub(crate) use route::{instances_of, route_on_disk};
pub use serving::{Serving, served_last, serving};
pub use verdict::State;
