//! The API of users, roles and permissions: upstream's paths, messages and rules, and tokens beside them.

mod asked;
mod doors;
mod forms;
mod grants;
mod groups;
mod roles;
mod router;
mod sign_up;
mod team;
mod tokens;
mod users;

pub(crate) use router::router;
pub(crate) use team::team;
