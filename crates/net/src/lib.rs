//! Connections of strangers, for every server of the house: the tracking server, the model server and the
//! gateway take theirs from here. And connections to where strangers say ([`Egress`]).
//!
//! ```text
//! listener ─► place (limit in all, share of an address)  ─► watched stream (silence, stalls)
//!          └► crowd (a few more, probes only, the oldest goes)
//!          ─► handshake, where TLS is spoken
//!          ─► rest, until bytes come ◄─► hyper ─► paced request body ─► service ─► held response body
//! ```
//!
//! What can keep a connection open, and what ends it:
//!
//! - a handshake that takes ten seconds;
//! - silence before the first request, between two requests, or in the middle of a head: [`Limits::idle`];
//! - a body that comes slower than [`Limits::body_rate_min`];
//! - an answer that is not read: nothing written for [`Limits::idle`];
//! - more connections than [`Limits::connections_max`]: newcomers get a place in the crowd, where only
//!   probes are answered, so that `/health` never waits behind those who say nothing. Where
//!   [`Limits::silent_give_way`] is set, whoever has been silent for longest makes room for them.

#![expect(unexpected_cfgs, reason = "`cargo xtask fuzz` sets `fuzzing`")]

mod accept;
mod ahead;
mod body;
mod certificate;
mod challenge;
mod client_authorities;
mod connection;
pub mod descriptors;
mod egress;
mod handshake;
mod limits;
mod listener;
mod marks;
mod places;
mod stream;
mod strict;
mod watched;

pub use accept::{Arrival, Open, accept};
pub use body::{Held, Paced, PacedError};
pub use certificate::{Certificate, CertificateError};
pub use challenge::TlsChallenges;
pub use client_authorities::ClientAuthorities;
pub use egress::{Allowed, Egress, NotAllowable, is_http_port, is_public};
pub use limits::{Limits, Protocols};
pub use listener::Listener;
pub use marks::Busy;
pub use places::subscriber;

/// A stream whose heads are watched as those of the gateway's connections are: for its fuzz target.
#[cfg(fuzzing)]
pub fn strict<I>(stream: I) -> impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin
where
    I: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    strict::Strict::new(stream, std::sync::Arc::new(marks::Marks::default()), true)
}
