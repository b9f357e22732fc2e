//! Requests in, answers out: connections, routes, error bodies.

pub(crate) mod accept;
pub(crate) mod access_log;
mod admission;
mod body;
mod error;
mod explain;
mod guard;
mod handle;
mod open_inference;
mod operations;
mod parquet;
mod predict;
pub(crate) mod request_id;
pub(crate) mod response;
mod route;
