//! Tests of the tracking crate from outside.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod access;
mod access_audit;
mod access_matrix;
mod approvals;
mod attack;
mod audit;
mod auth;
mod changes;
mod conformance;
mod connections;
mod curves;
mod dataset_records;
mod failover;
mod groups;
mod http;
mod import;
mod interop;
mod known_attacks;
mod limits;
mod mutated;
mod oidc;
mod oidc_pages;
mod oidc_provider;
mod patroni;
mod refused_first;
mod registry;
mod removal;
mod scorers;
mod search;
mod served;
mod server_http;
mod storage;
mod store;
mod store_durability;
mod store_interop;
mod store_place;
mod store_postgres;
mod store_rolling;
mod store_suite;
mod trace_metrics;
mod traces;
mod traces_access;
mod upgrade;
mod upstream_pages;
mod webhook_receiver;
mod webhooks;
