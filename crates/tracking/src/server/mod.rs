//! The HTTP server around the API: connections, security, logs and metrics.
//!
//! ```text
//! connection ─► guard (request id, Host, Origin, authorize, headers, log, metrics)
//!            ─► api routes ─► Tracking
//!            └► pages, for every path that is not the API's; live, as streams of what changes on them
//! ```

mod acting_body;
pub mod actor;
pub(crate) mod allowed_hosts;
mod answer_memory;
mod artifacts_only;
pub mod auth;
mod auth_file;
pub(crate) mod connections;
mod cors;
mod guard;
pub(crate) mod keyed_lock;
mod live;
mod live_page;
mod live_places;
pub(crate) mod login_limit;
mod opened;
mod options;
pub(crate) mod presented;
mod request_origin;
mod serve;
mod slashes;
pub mod ui;
pub(crate) mod verdict;
mod workspace;

pub use crate::api::HostPolicy;
pub use actor::{Actor, ActorKind};
pub use opened::Opened;
pub use options::{Authorize, CONNECTIONS_MAX, ServerOptions};
pub use serve::{app, serve, serve_once_opened};
pub use trainyard_net::Limits;
