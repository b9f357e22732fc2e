//! `POST /graphql`: the queries of upstream's pages over the same trait.
//!
//! A root field is answered whole, in proto JSON ([`resolve`]); [`project`] then cuts out what was selected.

mod execute;
mod project;
mod resolve;
mod schema;
mod syntax;

pub(super) use execute::routes;
