//! A URI as an object store and a path in it: a folder of this machine, S3 (any endpoint), Google
//! Cloud Storage, Azure Blob Storage.
//!
//! ```text
//! ./mlartifacts, /data, file:///data       this machine
//! s3://bucket/path, s3a://…                S3 and what speaks its protocol
//! gs://bucket/path                         Google Cloud Storage
//! wasbs://container@account.blob.core.windows.net/path
//! abfss://container@account.dfs.core.windows.net/path
//! ```
//!
//! Keys and endpoints come from the environment, under the names that MLflow and the clouds' own
//! tools read, so that a setup which works for them works here ([`cloud`]). A client holds
//! connections: [`Stores`] keeps one for each bucket.

mod address;
pub mod cloud;
mod direct;
mod environment;
mod error;
mod local;
mod place;
mod stores;

pub use address::{Address, scheme};
pub use direct::{Direct, DirectAccess, DirectStore, DirectTransfers, public_endpoint};
pub use environment::Environment;
pub use error::{Error, Result};
pub use place::Place;
pub use stores::{Stores, open};
