//! Users, roles and permissions, with MLflow's own tables, API and rules, and tokens and aliases beyond them.
//!
//! ```text
//! request ─► sign_in (who is it?) ─► routes (users, roles, tokens)      ─► directory ─► tables
//!                                 └► API, pages ─► guarded ─► store          │
//!                                                     └► rights ─► index ◄───┘
//! ```

mod access_control;
mod config;
mod directory;
mod guarded;
mod index;
mod open_routes;
mod password;
mod permission;
mod resource;
mod rights;
mod roles_sql;
mod routes;
mod rows;
mod schema;
mod sign_in;
mod token;
mod users_sql;

pub use access_control::{AccessControl, NewToken};
pub use config::AccessConfig;
