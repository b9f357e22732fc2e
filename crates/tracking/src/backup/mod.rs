//! A server's data in one folder, made while it runs, and put back.
//!
//! ```text
//! DEST/mlflow.db           the database, as it was at one moment
//! DEST/registry.db         that of the registry, if it is another one
//! DEST/users.db            that of users, roles and tokens, if the server has some
//! DEST/artifacts/…         the files of runs and models
//! DEST/checksums.sha256    the digest of each, as `sha256sum -c` reads it
//! ```
//!
//! The database is copied first: files are stored before the rows that speak of them, so what the copied rows
//! speak of is there when the files are copied.

mod checksums;
mod make;
mod places;
mod restore;
mod tree;

pub use make::make;
pub(crate) use make::{beside, copies_beside};
pub use places::{Made, Places};
pub use restore::restore;
