//! Results for people and machines: one small self-contained HTML page, a terminal table, Markdown,
//! JSON, and the SVG charts they are made of.
//!
//! [`drift`] renders a drift result. [`chart`] draws and knows nothing of drift; other results use it too.
//! Everything is text in memory: no files, no clock, no requests.

pub mod chart;
pub mod drift;
mod number;
