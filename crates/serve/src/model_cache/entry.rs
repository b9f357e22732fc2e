//! What is written down about a copy: what it is of, and the digest of each file. The first line is the digest
//! of the rest: a version number with a flipped bit would be another version.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use trainyard_mlflow::entities::ModelVersion;
use trainyard_mlflow::resolve::ResolvedModel;

use super::copy::CopiedFile;

/// A copy of a model folder.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// The source as the user wrote it, for people who look into the file.
    pub(super) source: String,
    /// When it was made, in milliseconds since 1970.
    pub(super) kept_at_ms: i64,
    /// The folder beside the entry.
    pub(super) folder: String,
    pub(super) files: Vec<CopiedFile>,
    name: Option<String>,
    version: Option<ModelVersion>,
    alias: Option<String>,
    run_id: Option<String>,
    model_id: Option<String>,
    artifact_uri: String,
}

impl Entry {
    pub(super) fn new(
        source: String,
        kept_at_ms: i64,
        folder: String,
        files: Vec<CopiedFile>,
        resolved: &ResolvedModel,
    ) -> Self {
        let ResolvedModel { name, version, alias, run_id, model_id, artifact_uri } =
            resolved.clone();
        // What it was trained to is of no use without the registry.
        let version = version.map(|version| ModelVersion {
            model_params: Vec::new(),
            model_metrics: Vec::new(),
            ..version
        });
        Self {
            source,
            kept_at_ms,
            folder,
            files,
            name,
            version,
            alias,
            run_id,
            model_id,
            artifact_uri,
        }
    }

    /// What the registry said of the model when it was kept.
    pub(super) fn resolved(&self) -> ResolvedModel {
        ResolvedModel {
            name: self.name.clone(),
            version: self.version.clone(),
            alias: self.alias.clone(),
            run_id: self.run_id.clone(),
            model_id: self.model_id.clone(),
            artifact_uri: self.artifact_uri.clone(),
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.bytes))
    }

    pub(super) fn write(&self) -> serde_json::Result<Vec<u8>> {
        let text = serde_json::to_vec_pretty(self)?;
        let digest = hex::encode(Sha256::digest(&text));
        Ok([digest.as_bytes(), b"\n", &text].concat())
    }

    /// The entry, or why it is none.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        let mut parts = bytes.splitn(2, |byte| *byte == b'\n');
        let (digest, text) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        if hex::encode(Sha256::digest(text)).as_bytes() != digest {
            return Err("what is written about the copy is not what was written".to_owned());
        }
        serde_json::from_slice(text).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use trainyard_mlflow::entities::KeyValue;

    use super::*;

    #[test]
    fn an_entry_comes_back_and_no_byte_of_it_may_change() {
        let version = ModelVersion {
            name: "Iris".to_owned(),
            version: "3".to_owned(),
            tags: vec![KeyValue::new("a", "b")],
            ..ModelVersion::default()
        };
        let resolved = ResolvedModel {
            name: Some("Iris".to_owned()),
            version: Some(version),
            alias: Some("Production".to_owned()),
            artifact_uri: "mlflow-artifacts:/1".to_owned(),
            ..ResolvedModel::default()
        };
        let file = CopiedFile { path: "a/b".to_owned(), bytes: 7, sha256: "00".to_owned() };
        let entry =
            Entry::new("models:/Iris@a".to_owned(), 5, "m".to_owned(), vec![file], &resolved);
        assert_eq!((entry.resolved(), entry.bytes()), (resolved, 7));
        let bytes = entry.write().unwrap();
        assert_eq!(Entry::read(&bytes).unwrap(), entry);
        for index in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[index] ^= 1;
            assert!(Entry::read(&damaged).is_err(), "byte {index}");
        }
        assert!(Entry::read(b"").is_err() && Entry::read(&bytes[..bytes.len() - 1]).is_err());
    }
}
