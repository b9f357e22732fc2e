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
mod error;
mod local;

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use object_store::ObjectStore;
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::signer::Signer;

pub use address::Address;
pub use cloud::Environment;
pub use error::{Error, Result};

/// Clients kept. A program that uses more buckets than this opens some of them again.
const STORES_MAX: usize = 64;

/// What a URI names.
#[derive(Clone)]
pub struct Place {
    /// Where it lies.
    pub store: Arc<dyn ObjectStore>,
    /// The same store, if others can be let in by signed URLs.
    pub direct: Option<Arc<dyn DirectStore>>,
    /// The path in `store`; empty for its root.
    pub path: Path,
    /// The same as a path of this machine, if it is there.
    pub local: Option<PathBuf>,
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.store, self.path)
    }
}

/// A store that signs requests to it, which need no other credentials then.
pub trait DirectStore: ObjectStore + MultipartStore + Signer {}

impl<T: ObjectStore + MultipartStore + Signer> DirectStore for T {}

/// A bucket's client.
#[derive(Clone)]
pub(crate) struct Client {
    store: Arc<dyn ObjectStore>,
    direct: Option<Arc<dyn DirectStore>>,
}

/// The stores that were used, by bucket.
#[derive(Default)]
pub struct Stores {
    environment: Environment,
    known: Mutex<HashMap<String, Client>>,
}

impl fmt::Debug for Stores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stores").finish_non_exhaustive()
    }
}

impl Stores {
    /// Stores that take keys and endpoints from the process' environment.
    pub fn from_env() -> Self {
        Self::new(Environment::of_process())
    }

    /// Stores that take keys and endpoints from `environment`.
    pub fn new(environment: Environment) -> Self {
        Self { environment, known: Mutex::default() }
    }

    /// What `uri` names: a path (relative ones to the working directory) or a URI of one of the
    /// schemes above. Nothing is read or written.
    pub fn open(&self, uri: &str) -> Result<Place> {
        self.at(Address::parse(uri)?)
    }

    /// The same for a URI that was read already.
    pub fn at(&self, address: Address) -> Result<Place> {
        match address {
            Address::Local(path) => local::place(path),
            Address::Bucket { bucket, path } => {
                let Client { store, direct } = self.client(&bucket)?;
                Ok(Place { store, direct, path, local: None })
            }
        }
    }

    /// The client of a bucket, as [`Address`] writes it.
    fn client(&self, bucket: &str) -> Result<Client> {
        // The guarded map is whole between any two operations, so a panic elsewhere is no harm.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = known.get(bucket) {
            return Ok(client.clone());
        }
        let client = cloud::client(bucket, &self.environment)?;
        if known.len() >= STORES_MAX {
            known.clear();
        }
        known.insert(bucket.to_owned(), client.clone());
        Ok(client)
    }
}

/// What `uri` names, with a client of its own and the process' environment.
pub fn open(uri: &str) -> Result<Place> {
    Stores::from_env().open(uri)
}

/// `scheme` of `scheme:…`; none for a path, on which a colon may be anywhere after a slash.
pub fn scheme(uri: &str) -> Option<&str> {
    let (scheme, _rest) = uri.split_once(':')?;
    let mut chars = scheme.chars();
    let named = chars.next().is_some_and(|first| first.is_ascii_alphabetic())
        && chars.all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    named.then_some(scheme)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes_are_told_from_paths() {
        assert_eq!(scheme("s3://bucket/x"), Some("s3"));
        assert_eq!(scheme("mlflow-artifacts:/1"), Some("mlflow-artifacts"));
        assert_eq!(scheme("/a/b:c"), None);
        assert_eq!(scheme("./mlartifacts"), None);
        assert_eq!(scheme("mlartifacts"), None);
    }

    #[test]
    fn unknown_schemes_are_refused_by_name() {
        let error = open("hdfs://x/y").unwrap_err().to_string();
        assert!(error.contains("'hdfs'"), "{error}");
    }

    #[test]
    fn one_bucket_has_one_client() {
        let stores = Stores::new(Environment::of([("AWS_REGION", "eu-west-1")]));
        let a = stores.open("s3://bucket/a b/c").unwrap();
        let b = stores.open("s3://bucket/").unwrap();
        assert_eq!(stores.open("s3://bucket/a%20b/").unwrap().path.as_ref(), "a%20b");
        let c = stores.open("s3://other/x").unwrap();
        assert!(Arc::ptr_eq(&a.store, &b.store) && !Arc::ptr_eq(&a.store, &c.store));
        assert_eq!((a.path.as_ref(), b.path.as_ref()), ("a b/c", ""));
        assert_eq!(a.local, None);
    }

    #[test]
    fn folders_are_absolute() {
        let place = open("some/folder").unwrap();
        let local = place.local.unwrap();
        assert!(local.is_absolute() && local.ends_with("some/folder"), "{}", local.display());
        assert!(place.path.as_ref().ends_with("some/folder"));
    }
}
