//! The pages over a real store, read as text and looked at in a real browser.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod artifacts;
mod best;
mod browser;
mod changes;
mod cockpit;
mod curves;
mod experiment;
mod hostile;
mod live;
mod locations;
mod monitoring;
mod pages;
mod services;
mod site;
mod team;
