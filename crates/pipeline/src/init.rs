//! `trainyard init`: a working project, to be filled with data.

use std::path::{Path, PathBuf};

use crate::install_from::InstallFrom;
use crate::{Error, Result};

/// What is written, by path within the project. `examples/iris` is the same plus its data.
pub const FILES: [(&str, &str); 6] = [
    ("trainyard.toml", include_str!("../templates/trainyard.toml")),
    ("Dockerfile", include_str!("../templates/Dockerfile")),
    (".gitignore", include_str!("../templates/gitignore")),
    (".github/install-trainyard.sh", include_str!("../templates/install-trainyard.sh")),
    (".github/workflows/pipeline.yaml", include_str!("../templates/pipeline.yaml")),
    (".github/workflows/drift.yaml", include_str!("../templates/drift.yaml")),
];

/// Writes a project into `folder` (created) and returns the files written. A file that is already
/// there is an error, before anything is written: a project is never overwritten. The workflows take
/// `trainyard` from `install_from`, or else from a variable of the repository.
pub fn init(folder: &Path, install_from: Option<&InstallFrom>) -> Result<Vec<PathBuf>> {
    for (name, _) in FILES {
        let path = folder.join(name);
        if path.try_exists().map_err(|source| Error::io(&path, source))? {
            return Err(Error::AlreadyAProject { path });
        }
    }
    let data = folder.join("data");
    std::fs::create_dir_all(&data).map_err(|source| Error::io(&data, source))?;
    FILES
        .iter()
        .map(|(name, text)| {
            let path = folder.join(name);
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent).map_err(|source| Error::io(parent, source))?;
            }
            let text = match install_from {
                Some(source) if name.contains("workflows/") => source.write_into(text),
                _ => (*text).to_owned(),
            };
            std::fs::write(&path, text).map_err(|source| Error::io(&path, source))?;
            Ok(path)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;

    #[test]
    fn what_is_written_is_a_project() {
        let folder = tempfile::tempdir().unwrap();
        let written = init(folder.path(), None).unwrap();
        assert_eq!(written.len(), FILES.len());
        let config = Config::read(folder.path()).unwrap();
        assert_eq!(config.model.name, "IrisClassifier");
        assert!(folder.path().join("data").is_dir());
    }

    #[test]
    fn a_project_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("Dockerfile");
        std::fs::write(&file, "mine").unwrap();
        assert!(matches!(init(folder.path(), None), Err(Error::AlreadyAProject { .. })));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
        assert!(!folder.path().join("trainyard.toml").exists());
    }

    #[test]
    fn the_example_is_what_init_writes() {
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/iris");
        for (name, text) in FILES {
            let there = std::fs::read_to_string(example.join(name)).unwrap();
            assert_eq!(there, text, "examples/iris/{name}");
        }
    }
}
