//! Upstream's older tables become those of our version, in place: what `mlflow db upgrade` does, without Python.
//!
//! The statements are data (`migrations_sqlite.sql`, `migrations_postgres.sql`): those that upstream's own
//! migrations run, so that what comes out is what upstream's own upgrade makes. What upstream does with values
//! in Python is in [`trace_json`].

mod migrations;
mod prepared;
mod python_scalar;
mod run;
mod strangers;
mod trace_json;

pub(crate) use migrations::{HEAD, Position, read_head};
pub(crate) use run::{Step, on_postgres, on_sqlite, outdated, run};
