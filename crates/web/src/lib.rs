//! The pages people look at: experiments, runs, metrics, artifacts, comparison, for each model a cockpit and its data
//! over time, the services that hosts record, and the team.
//!
//! Rendered here, on the server, from any [`Tracking`]; they work without scripts, load nothing
//! from elsewhere, and show what users logged as text only: whatever could be active (HTML
//! reports, SVG images) is shown in a sandbox of its own (`artifact`). What they change goes through forms
//! (`form`, `posted`) that only a page of this server can have sent (`ticket`), by the way of the API.

mod alias_moves;
mod artifact;
mod artifact_kind;
mod artifact_owner;
mod artifact_tree;
mod assets;
mod best;
mod boxes;
mod chosen_runs;
mod cockpit;
mod colour_choice;
mod colours;
mod column_choice;
mod columns;
mod compare;
mod cookies;
mod curve_data;
mod curves;
mod direction;
mod drawn;
mod error;
mod experiment;
mod experiments;
mod folder;
mod form;
mod format;
mod frame;
mod grammar;
mod gzip;
mod history;
mod home;
mod image_steps;
mod lineage;
mod links;
mod live;
mod logged_model;
mod markdown;
mod metric;
mod models;
mod monitoring;
mod of_histories;
mod page;
mod pagination;
mod passive_pdf;
mod pinned;
mod plots;
mod posted;
mod preview;
mod query;
mod relations;
mod release_marks;
mod router;
mod run;
mod run_change;
mod run_forms;
mod run_list;
mod run_metrics;
mod run_table;
mod runs_csv;
mod sandbox;
mod scorers;
mod search;
mod services;
mod signature;
mod site;
mod style_page;
mod team;
mod ticket;
mod turns;
mod webhooks;

pub use router::{router, router_below, router_with};
pub use site::Beside;
