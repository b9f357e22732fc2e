//! Sign-in by OpenID Connect: providers that say who somebody is, for pages (authorisation code with PKCE) and for
//! programs (tokens that the provider signed, `Authorization: Bearer`).
//!
//! ```text
//! settings ─► provider (metadata, keys: fetch) ─► claims (signature: jwk; who it is for, and until when)
//!                                                   └► identity (a person, or a service account) ─► people (tables)
//! ```

mod claims;
mod code_flow;
mod fetch;
mod identity;
mod jwk;
mod jwt;
mod people;
mod provider;
mod refused;
mod service;
mod settings;

pub(crate) use code_flow::Returned;
pub(crate) use jwt::is_jwt;
pub(crate) use people::{identities, join};
pub(crate) use refused::Refused;
pub(crate) use service::Oidc;
pub use settings::OidcConfig;
pub(crate) use settings::TOKEN_DAYS;
