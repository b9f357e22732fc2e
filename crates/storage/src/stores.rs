//! The stores that a program uses, each with one client.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use crate::address::Address;
use crate::direct::DirectAccess;
use crate::environment::Environment;
use crate::error::Result;
use crate::place::{Client, Place};
use crate::{cloud, local};

/// Clients kept. A program that uses more buckets than this opens some of them again.
const STORES_MAX: usize = 64;

/// The stores that were used, by bucket.
#[derive(Default)]
pub struct Stores {
    environment: Environment,
    access: DirectAccess,
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
        Self { environment, access: DirectAccess::default(), known: Mutex::default() }
    }

    /// The same, with another way for clients into buckets.
    #[must_use]
    pub fn with_access(self, access: DirectAccess) -> Self {
        Self { access, ..self }
    }

    /// What `uri` names: a path (relative ones to the working directory) or a URI of one of the
    /// crate's schemes. Nothing is read or written.
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
        let client = cloud::client(bucket, &self.environment, &self.access)?;
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

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
