//! The pages people look at: experiments, runs, metrics, artifacts, comparison, registry.
//!
//! Rendered here, on the server, from any [`Tracking`]; they work without scripts, load nothing
//! from elsewhere, and show what users logged as text only: whatever could be active (HTML
//! reports, SVG images) is shown in a sandbox of its own (`artifact`).

mod alias_moves;
mod artifact;
mod artifact_kind;
mod artifact_tree;
mod column_choice;
mod columns;
mod compare;
mod curve_data;
mod curves;
mod error;
mod experiment;
mod experiments;
mod format;
mod history;
mod links;
mod logged_model;
mod metric;
mod models;
mod page;
mod pagination;
mod query;
mod relations;
mod router;
mod run;
mod run_list;
mod run_table;
mod runs_csv;
mod sandbox;
mod search_box;
mod signature;
mod site;
mod webhooks;

pub use router::{router, router_below, router_with_webhooks};
