//! What was found in upstream's tracking server from 2023 to 2026, tried on this one: a row for each
//! idea. Whatever an attack sends, nothing outside of the artifacts is read, written or removed, nobody is
//! asked in the server's name, and no page of ours runs what a stranger logged.

mod artifact_paths;
mod list;
mod locations;
mod names_and_sizes;
mod open_routes;
mod other_hosts;
mod row;
mod server_disk;
mod version_sources;
mod web_pages;
