//! The binary as a user runs it: real processes, real sockets, real files.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on must say where")]

mod attacked;
mod audit;
mod backup;
mod bad_input;
mod behaviour;
mod chart;
mod command;
mod compose;
mod container;
mod contract;
mod dashboards;
mod downloads;
mod gateway;
mod gc;
mod help;
mod image;
mod import;
mod login;
mod monitor;
mod names;
mod pages;
mod project;
mod releases;
mod retrain;
mod run;
mod secrets;
mod serve;
mod serve_keys;
mod server;
mod server_killed;
mod signals;
mod team;
mod tls;
mod token;
mod up;
mod up_soak;
mod upgrade;
mod upstream;
mod waiting_server;
mod watch;
mod webhooks;
mod workflow;
