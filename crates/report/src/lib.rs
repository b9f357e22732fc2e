//! Results for people and machines: one small self-contained HTML page, a terminal table, Markdown and
//! JSON.
//!
//! Everything is text in memory: no files, no clock, no requests.

pub mod drift;
mod number;
pub mod quality;
