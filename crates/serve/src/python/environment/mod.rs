//! The Python environments of models: made from the files beside a model, shared, kept for the next time, removed when
//! nobody uses them any more.
//!
//! - what a model wants: `wanted`, by `requirements` (one line) and `conda` (folders of before);
//! - making one: `find_python` (the Python), `build` (the steps), `tool` (one run of uv or pip);
//! - keeping them: `cache` (what is where), `lock` (who may), `contents` (what one holds), `share` (files that two
//!   have), `sweep` (what is removed);
//! - `obtain`: from what a model wants to an interpreter.
//!
//! ```text
//! DIR/8c1f…/        an environment
//! DIR/8c1f….json    what was asked for as 8c1f… is in this environment, whole
//! DIR/8c1f….lock    shared by who uses it, held alone by who makes or removes it
//! DIR/index.lock    held while environments are compared, entered or removed
//! DIR/wheels/       what uv and pip keep, unless they have a better place
//! ```

mod build;
mod cache;
mod conda;
mod contents;
mod find_python;
mod lock;
mod obtain;
mod requirements;
mod share;
mod sweep;
#[cfg(test)]
mod tests;
mod tool;
mod wanted;

pub(crate) use obtain::{Environment, environment};
pub(crate) use wanted::Requirements;
