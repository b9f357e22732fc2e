//! Real engines: DuckDB, PostgreSQL, SQLite and what stands behind Flight SQL hold the tables that are compared here row by row, too.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot read its data must fail and say where"
)]

mod bigquery;
mod conditions;
mod engines;
mod labels;
mod refused;
mod same_report;
mod sampled;
mod spark;
mod tables;
mod warehouses;
mod windows;
