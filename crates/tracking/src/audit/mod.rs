//! The audit log outside of its table: the chain that shows whether it was edited, copies of it in files or an
//! object store, and its retention.
//!
//! Events are written by the [`store`](crate::store) with the changes that they speak of. Whoever can write to the
//! database can edit them, and with patience the whole chain; so a copy of the log, or only its last hash, belongs
//! where they cannot write. An export is that, and says so when the log does not go on from where it ended.

mod chain;
mod export;
mod log;
mod prune;

pub use chain::{Anchor, Checkpoint, FAULTS_MAX, Fault, NotAnchor, Verified, Verifier, verify};
pub(crate) use chain::{BEGIN, CHECKPOINT, LOG, NO_HASH, seal};
pub use export::{Exported, export, lines, verify_files};
pub use log::AuditLog;
pub use prune::{Pruned, prune};
