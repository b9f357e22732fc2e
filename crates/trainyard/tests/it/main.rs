//! The binary as a user runs it: real processes, real sockets, real files.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on must say where")]

mod attacked;
mod bad_input;
mod command;
mod container;
mod downloads;
mod gateway;
mod help;
mod monitor;
mod names;
mod pages;
mod project;
mod retrain;
mod run;
mod secrets;
mod serve;
mod server;
mod server_killed;
mod upstream;
mod watch;
mod workflow;
