//! The verbs, one file each, and what they share.

pub(crate) mod deploy;
pub(crate) mod gateway;
mod gateway_actions;
mod hash_password;
pub(crate) mod health;
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
mod shutdown;
mod summary;
pub(crate) mod temporary;
mod tracking_pages;
pub(crate) mod train;
mod watch;

pub(crate) use listener::listen;
pub(crate) use shutdown::shutdown_signal;
