//! Whole tables scored: shared out in parts with fixed bounds, each committed as one object, so that a job that was
//! killed goes on and its output is the same, byte for byte.

mod answer_columns;
mod bad_rows;
mod delta;
mod estimate;
mod explained_columns;
mod inputs;
mod job;
mod models;
mod options;
mod output;
mod part;
mod place;
mod record;
mod replay;
mod room;
mod shard;
mod summary;
mod threads;
mod tracked;

pub use estimate::{Estimate, estimate};
pub use job::predict;
pub use options::{AskedModel, PredictOptions, TableFormat};
pub use replay::{Differing, NotReplayed, ReplayOptions, ReplaySummary, replay};
pub use shard::{NoShard, Shard};
pub use summary::{Done, PredictSummary, ScoredModel};
