//! Tokens of clients: what a line of their file says, and how the file changes.

mod entry;
mod file;

pub(crate) use entry::digest;
pub use entry::{Entry, Scope};
pub use file::{add, new_secret, read, revoke};
