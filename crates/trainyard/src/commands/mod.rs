//! The verbs, one file each, and what they share.

mod backup;
pub(crate) mod deploy;
mod deploy_history;
mod deploy_status;
pub(crate) mod gateway;
mod gateway_actions;
mod hash_password;
pub(crate) mod health;
mod import;
pub(crate) mod init;
mod listener;
pub(crate) mod monitor;
pub(crate) mod profile;
mod project;
pub(crate) mod promote;
pub(crate) mod retrain;
pub(crate) mod run;
pub(crate) mod serve;
pub(crate) mod server;
mod server_signals;
mod shutdown;
mod summary;
pub(crate) mod temporary;
mod tls;
mod tracking_pages;
pub(crate) mod train;
mod upstream_tls;
mod watch;

pub(crate) use listener::listen;
pub(crate) use server_signals::server_signals;
pub(crate) use shutdown::shutdown_signal;
