//! The control socket, by which deployers and operators steer a running gateway.

mod client;
mod message;
mod server;
pub(super) mod socket;

pub(crate) use client::Control;
pub use message::GatewayStatus;
pub(crate) use message::{GoBack, PROTOCOL, Switch, Try};
pub(super) use server::serve;
