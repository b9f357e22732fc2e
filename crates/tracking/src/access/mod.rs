//! Users, roles and permissions, with MLflow's own tables, API and rules, and tokens and aliases beyond them.
//!
//! ```text
//! request ─► sign_in (who is it?) ─► routes (users, roles, tokens, pages to sign in on) ─► directory ─► tables
//!               └► oidc, sessions └► API, pages ─► guarded ─► store                           │
//!                                                     └► rights ─► index ◄────────────────────┤
//!                                      the server's audit log ◄─ feed ◄─ outbox ◄─ changes ◄──┘
//! ```

mod access_control;
mod browser;
mod changes;
mod config;
mod cookies;
mod directory;
mod feed;
mod groups_sql;
mod guarded;
mod index;
mod members;
mod oidc;
mod open_routes;
mod outbox;
mod pages;
mod password;
mod pattern;
mod per_user;
mod permission;
mod refusals;
mod resource;
mod rights;
mod roles_sql;
mod routes;
mod rows;
mod schema;
mod scope;
mod sessions;
mod sign_in;
mod token;
mod users_sql;

pub use access_control::{AccessControl, NewToken};
pub use config::AccessConfig;
pub use oidc::OidcConfig;
