//! A model's data and quality over time: what looks at windows of production data recorded, drawn as their own page
//! draws it, beside releases.

mod charts;
mod looks;
mod recorded;
mod show;
mod window;

pub(crate) use show::show;
