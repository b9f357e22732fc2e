//! What a file holds, as far as a page shows it: a form for each kind, within limits of bytes, rows and depth.

mod beginning;
mod columnar;
mod delimited;
mod grid;
mod inline;
mod json;
mod measure;
mod notebook;
mod show;

pub(crate) use inline::section;
pub(crate) use measure::PAGE;
pub(crate) use show::{File, SHOWN, read_passive, show};
