//! The binary as a user runs it: real processes, real sockets, real files.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on must say where")]

mod attacked;
mod backup;
mod bad_input;
mod behaviour;
mod command;
mod container;
mod contract;
mod downloads;
mod gateway;
mod help;
mod import;
mod monitor;
mod names;
mod pages;
mod project;
mod releases;
mod retrain;
mod run;
mod secrets;
mod serve;
mod server;
mod server_killed;
mod signals;
mod tls;
mod upstream;
mod watch;
mod workflow;
