//! What whoever owns a service has to say in a release: this crate knows instances and traffic, not models.
//!
//! A release asks at two places, and tells when traffic went back. What is done at the second place (an alias
//! moves) and the traffic are one: whatever ends a release between the switch and its end (a failure, a kill)
//! is put right by the next change of the service, which calls the same methods again. So each of them may be
//! called twice, and doing it twice changes nothing.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use trainyard_base::{Advice, Advise};

use super::cause::Cause;

/// An instance that takes part in a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Side {
    /// Its id.
    pub id: String,
    /// Where it answers itself.
    pub address: SocketAddr,
    /// What was released as it ([`ReleaseSpec::label`](super::ReleaseSpec::label)).
    pub label: BTreeMap<String, String>,
}

/// The two instances of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sides {
    /// The one that served before; none where nothing did.
    pub blue: Option<Side>,
    /// The new one.
    pub green: Side,
    /// Who releases it, and why.
    pub cause: Cause,
}

/// Why traffic went back to blue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoneBack {
    /// What was seen.
    pub reason: String,
    /// Whether green was found bad; otherwise its release was broken off, which says nothing about it.
    pub is_verdict: bool,
}

/// Why a release does not go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Green was judged, and is not good enough.
    Verdict {
        /// What was found.
        reason: String,
        /// What to do.
        hint: String,
    },
    /// What was to be done cannot be done.
    Failure {
        /// Why not.
        reason: String,
        /// Whose turn it is, and what to do.
        advice: Advice,
    },
}

impl Refusal {
    /// A failure as whoever met it tells it.
    pub fn failure(error: &impl Advise) -> Self {
        Self::Failure { reason: error.to_string(), advice: error.advice() }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Verdict { reason, .. } | Self::Failure { reason, .. } => f.write_str(reason),
        }
    }
}

impl Advise for Refusal {
    fn advice(&self) -> Advice {
        match self {
            Self::Verdict { hint, .. } => Advice::input(hint),
            Self::Failure { advice, .. } => advice.clone(),
        }
    }
}

/// The word of a service's owner. By default it agrees with everything.
#[async_trait]
pub trait Review: Send + Sync {
    /// Green is healthy and gets no request yet; blue gets all of them. A refusal removes green. What was
    /// found is a sentence for the history.
    async fn before_switch(&self, _sides: &Sides) -> Result<Option<String>, Refusal> {
        Ok(None)
    }

    /// Green got the traffic and proved itself: it is the one from now on, and this makes it known (the alias
    /// moves). Blue is still warm; a refusal sends traffic back to it.
    async fn before_blue_stops(&self, _sides: &Sides) -> Result<(), Refusal> {
        Ok(())
    }

    /// Traffic went back to blue, or never left it: what [`before_blue_stops`](Self::before_blue_stops) may
    /// have made known of green is taken back.
    async fn after_going_back(&self, _sides: &Sides, _why: &GoneBack) -> Result<(), Refusal> {
        Ok(())
    }
}

/// Agrees with everything.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unreviewed;

impl Review for Unreviewed {}
