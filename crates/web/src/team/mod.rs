//! The team: who there is and what each may do, tokens, what waits for approval, and who changed what.
//!
//! What somebody may do is decided where the API decides it ([`Team`](trainyard_mlflow::team::Team), and the store that
//! each request is given); pages only leave out what would be refused.

mod approvals;
mod audit;
mod grants;
mod group;
mod held_roles;
mod member;
mod member_change;
mod overview;
mod place;
mod role;
mod tokens;

pub(crate) use approvals::{change as decide, show as show_approvals};
pub(crate) use audit::show as show_audit;
pub(crate) use group::{change as change_group, show as show_group};
pub(crate) use member::show as show_member;
pub(crate) use member_change::change as change_member;
pub(crate) use overview::{change, show};
pub(crate) use role::{change as change_role, show as show_role};
pub(crate) use tokens::{change as change_tokens, show as show_tokens};
