//! Artifact files: `mlflow-artifacts:` URIs below one destination, and local paths as they are.
//!
//! Everything goes through `object_store`, so another kind of destination is a URL scheme in
//! [`trainyard_storage`] and nothing else. Files stream in both directions, a part at a time; a file is
//! replaced in one step and is on the disk when the call returns.

mod direct;
mod location;
mod path;
mod transfer;

use async_trait::async_trait;
use object_store::path::Path as StorePath;
use trainyard_mlflow::artifacts::{ArtifactFile, Artifacts, ByteRange, ByteStream, DirectFile};
use trainyard_mlflow::entities::FileInfo;
use trainyard_mlflow::{Error, Result};

use direct::DirectObject;
use location::Location;
pub use path::ArtifactPath;
use trainyard_storage::Stores;
pub(crate) use trainyard_storage::scheme;

/// Where artifacts go if nobody says otherwise, below the working directory, as upstream.
pub const DEFAULT_DESTINATION: &str = "./mlartifacts";

/// Reads and writes artifact files.
#[derive(Debug)]
pub struct ArtifactStorage {
    destination: Location,
    stores: Stores,
}

impl ArtifactStorage {
    /// Storage whose `mlflow-artifacts:/` URIs lie below `destination`: a path (relative ones to
    /// the working directory) or a URI that [`trainyard_storage`] knows. Nothing is created before
    /// the first upload.
    pub fn open(destination: &str) -> Result<Self> {
        Self::with_stores(destination, Stores::from_env())
    }

    /// The same, with the keys and endpoints that `stores` have.
    pub fn with_stores(destination: &str, stores: Stores) -> Result<Self> {
        Ok(Self { destination: Location::open(destination, &stores)?, stores })
    }

    /// The place that `path` below `root_uri` names.
    async fn place(&self, root_uri: &str, path: &ArtifactPath) -> Result<(Location, StorePath)> {
        let root = match scheme(root_uri) {
            Some("mlflow-artifacts") => {
                // Symlinks are checked against the destination, not the run's own folder.
                let root = self.destination.below(&location::proxied_path(root_uri)?)?;
                self.destination.check_inside(&root.resolve(path)?).await?;
                root
            }
            _ => Location::open(root_uri, &self.stores)?,
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
            return Err(Error::invalid("Artifact path must include a filename."));
        }
        let (location, place) = self.place(root_uri, &path).await?;
        let name = match scheme(root_uri) {
            Some("mlflow-artifacts") => location::proxied_path(root_uri)?.join(&path).to_string(),
            _ => path.to_string(),
        };
        Ok((location, place, name))
    }
}

#[async_trait]
impl Artifacts for ArtifactStorage {
    async fn list_artifacts(&self, root_uri: &str, path: &str) -> Result<Vec<FileInfo>> {
        let path = ArtifactPath::parse(path)?;
        let (location, place) = self.place(root_uri, &path).await?;
        // A walk below a file fails where a walk below nothing is empty.
        if location.is_local() {
            let directory = location::local_path(&place);
            let found = tokio::fs::metadata(&directory).await;
            if !found.is_ok_and(|metadata| metadata.is_dir()) {
                return Ok(Vec::new());
            }
        }
        let listed = location
            .store
            .list_with_delimiter(Some(&place))
            .await
            .map_err(|error| transfer::storage(&place, &error))?;
        let relative = |found: &StorePath| {
            let name = found.filename().unwrap_or_default();
            if path.is_root() { name.to_owned() } else { format!("{path}/{name}") }
        };
        let directories = listed.common_prefixes.iter().map(|directory| FileInfo {
            path: relative(directory),
            is_dir: true,
            file_size: None,
        });
        let files = listed.objects.iter().map(|object| FileInfo {
            path: relative(&object.location),
            is_dir: false,
            file_size: i64::try_from(object.size).ok(),
        });
        let mut entries: Vec<FileInfo> = directories.chain(files).collect();
        entries.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Ok(entries)
    }

    async fn download_artifact(&self, root_uri: &str, path: &str) -> Result<ByteStream> {
        Ok(self.open_artifact(root_uri, path, None).await?.body)
    }

    async fn open_artifact(
        &self,
        root_uri: &str,
        path: &str,
        range: Option<ByteRange>,
    ) -> Result<ArtifactFile> {
        let (location, place, name) = self.file_place(root_uri, path).await?;
        if location.is_local() {
            let file = location::local_path(&place);
            if tokio::fs::metadata(&file).await.is_ok_and(|found| found.is_dir()) {
                return Err(Error::not_found(format!(
                    "Artifact path refers to a directory, not a file: '{name}'"
                )));
            }
        }
        transfer::open(&location, &place, &name, range).await
    }

    async fn upload_artifact(&self, root_uri: &str, path: &str, body: ByteStream) -> Result<()> {
        let (location, place, _name) = self.file_place(root_uri, path).await?;
        transfer::write(&location, &place, body).await
    }

    async fn delete_artifact(&self, root_uri: &str, path: &str) -> Result<()> {
        let path = ArtifactPath::parse(path)?;
        let (location, place) = self.place(root_uri, &path).await?;
        if self.destination.contains_root(&place) {
            return Err(Error::invalid("Invalid path"));
        }
        transfer::remove(&location, &place).await
    }

    async fn direct_file(&self, root_uri: &str, path: &str) -> Result<Option<Box<dyn DirectFile>>> {
        let (location, place, _name) = self.file_place(root_uri, path).await?;
        let file = location.direct.map(|store| DirectObject { store, place });
        Ok(file.map(|file| Box::new(file) as Box<dyn DirectFile>))
    }
}

#[cfg(test)]
mod tests;
