//! The storage of artifacts: every call, and the door that all of them go through.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use object_store::path::Path as StorePath;
use trainyard_base::Budget;
use trainyard_mlflow::artifacts::{ArtifactFile, Artifacts, ByteRange, ByteStream, DirectFile};
use trainyard_mlflow::entities::FileInfo;
use trainyard_mlflow::{Detail, Error, Result};
use trainyard_storage::{Address, Stores, scheme};

use super::allowed_roots::Reach;
use super::error::{location_error, no_such_artifact};
use super::location::{Location, local_path, proxied_path};
use super::memory::Memory;
use super::path::ArtifactPath;
use super::presigned::PresignedObject;
use super::{listing, transfer};
use crate::error::invalid;

/// Where artifacts go if nobody says otherwise, below the working directory, as upstream.
pub const DESTINATION: &str = "./mlartifacts";

/// Reads and writes artifact files.
#[derive(Debug, Clone)]
pub struct ArtifactStorage {
    destination: Location,
    destination_address: Address,
    stores: Arc<Stores>,
    /// None for who may go wherever a location says.
    reach: Option<Reach>,
    memory: Memory,
}

impl ArtifactStorage {
    /// Storage whose `mlflow-artifacts:/` URIs lie below `destination`: a path (relative ones to
    /// the working directory) or a URI that [`trainyard_storage`] knows. It goes nowhere else. Nothing is
    /// created before the first upload.
    pub fn open(destination: &str) -> Result<Self> {
        Self::with_stores(destination, Stores::from_env())
    }

    /// The same, with the keys and endpoints that `stores` have.
    pub fn with_stores(destination: &str, stores: Stores) -> Result<Self> {
        let address = Address::parse(destination).map_err(location_error)?;
        let memory = Memory::new(Budget::of_process(None));
        Self::reaching(address, Arc::new(stores), &[], Vec::new(), memory)
    }

    /// The same, with a budget for all uploads and listings that it shares with others.
    #[must_use]
    pub fn with_memory(self, budget: Arc<Budget>) -> Self {
        Self { memory: Memory::new(budget), ..self }
    }

    /// The same, for a program that acts for its own user: it goes wherever a location says.
    pub fn anywhere(self) -> Result<Self> {
        let destination = Location::open(self.destination_address.clone(), &self.stores, None)?;
        Ok(Self { destination, reach: None, ..self })
    }

    /// The same, for requests of others: it goes also below `roots` (paths and URIs as locations begin
    /// with them), and never to `private` files.
    pub fn below(&self, roots: &[String], private: Vec<PathBuf>) -> Result<Self> {
        let (destination, stores) = (self.destination_address.clone(), Arc::clone(&self.stores));
        Self::reaching(destination, stores, roots, private, self.memory.clone())
    }

    fn reaching(
        destination: Address,
        stores: Arc<Stores>,
        roots: &[String],
        private: Vec<PathBuf>,
        memory: Memory,
    ) -> Result<Self> {
        let mut reach = Reach::new(private);
        reach.add(destination.clone());
        for root in roots {
            reach.add_written(root)?;
        }
        Ok(Self {
            destination: Location::open(destination.clone(), &stores, Some(&reach))?,
            destination_address: destination,
            stores,
            reach: Some(reach),
            memory,
        })
    }

    /// The place that `path` below `root_uri` names, if it may be touched: the door of every call.
    async fn place(&self, root_uri: &str, path: &ArtifactPath) -> Result<(Location, StorePath)> {
        let root = match (scheme(root_uri), &self.reach) {
            // Symlinks may lead out of the run's own folder, not out of what the destination allows.
            (Some("mlflow-artifacts"), _) => self.destination.below(&proxied_path(root_uri)?)?,
            (_, Some(reach)) => {
                Location::open(reach.check(root_uri)?, &self.stores, self.reach.as_ref())?
            }
            (_, None) => {
                let address = Address::parse(root_uri).map_err(location_error)?;
                Location::open(address, &self.stores, None)?
            }
        };
        let place = root.resolve(path)?;
        root.check_inside(&place).await?;
        Ok((root, place))
    }

    /// The same for a file, which the root is not.
    async fn file_place(
        &self,
        root_uri: &str,
        path: &str,
    ) -> Result<(Location, StorePath, String)> {
        let path = ArtifactPath::parse(path)?;
        if path.is_root() {
            return invalid!("Artifact path must include a filename.");
        }
        let (location, place) = self.place(root_uri, &path).await?;
        let name = match scheme(root_uri) {
            Some("mlflow-artifacts") => proxied_path(root_uri)?.join(&path).to_string(),
            _ => path.to_string(),
        };
        Ok((location, place, name))
    }
}

#[async_trait]
impl Artifacts for ArtifactStorage {
    async fn list(&self, root_uri: &str, path: &str) -> Result<Vec<FileInfo>> {
        let path = ArtifactPath::parse(path)?;
        let (location, place) = self.place(root_uri, &path).await?;
        listing::list(&location, &place, &path, &self.memory).await
    }

    async fn download(&self, root_uri: &str, path: &str) -> Result<ByteStream> {
        Ok(self.open(root_uri, path, None).await?.body)
    }

    async fn open(
        &self,
        root_uri: &str,
        path: &str,
        range: Option<ByteRange>,
    ) -> Result<ArtifactFile> {
        let (location, place, name) = self.file_place(root_uri, path).await?;
        if location.is_local() {
            let file = local_path(&place);
            let found = tokio::fs::metadata(&file).await;
            if found.as_ref().is_ok_and(std::fs::Metadata::is_dir) {
                let message = format!("Artifact path refers to a directory, not a file: '{name}'");
                return Err(Error::Detailed { detail: Detail::Directory, message });
            }
            // Reading a pipe would never end.
            if found.is_ok_and(|found| !found.is_file()) {
                return Err(no_such_artifact(&name));
            }
        }
        transfer::open(&location, &place, &name, range).await
    }

    async fn upload(&self, root_uri: &str, path: &str, body: ByteStream) -> Result<()> {
        let (location, place, _name) = self.file_place(root_uri, path).await?;
        transfer::write(&location, &place, body, &self.memory).await
    }

    async fn delete(&self, root_uri: &str, path: &str) -> Result<()> {
        let path = ArtifactPath::parse(path)?;
        let (location, place) = self.place(root_uri, &path).await?;
        let address = location.address(&place);
        let needed = match self.reach.clone() {
            // Looks at the disk, like all that removes does.
            Some(reach) => tokio::task::spawn_blocking(move || reach.needs(&address))
                .await
                .map_err(|error| Error::internal(format!("artifacts on the disk: {error}")))?,
            None => address.contains(&self.destination_address),
        };
        if needed {
            return invalid!("Invalid path");
        }
        transfer::remove(&location, &place).await
    }

    async fn direct_file(&self, root_uri: &str, path: &str) -> Result<Option<Box<dyn DirectFile>>> {
        let (location, place, _name) = self.file_place(root_uri, path).await?;
        let file = location.direct.map(|direct| PresignedObject { direct, place });
        Ok(file.map(|file| Box::new(file) as Box<dyn DirectFile>))
    }
}
