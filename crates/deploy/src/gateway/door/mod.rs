//! Who may come in: tokens and certificates of clients, and what they are for.

mod admission;
mod caller;
mod seen;
mod tokens;

pub(super) use admission::{Asking, Door};
pub(super) use caller::{Caller, subject};
pub(super) use tokens::Tokens;
