//! What a service leaves on the disk.

pub(crate) mod file;
pub(crate) mod folder;
pub(crate) mod history;
pub(crate) mod instances;
pub(crate) mod journal;
pub(crate) mod lock;
pub(crate) mod pending;
pub(crate) mod restarts;
pub(crate) mod served_before;
pub(crate) mod supervisor;
