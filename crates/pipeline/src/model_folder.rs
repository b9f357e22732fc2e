//! The folder of a model, as somebody named it on a command line: what is none is refused in the words of whoever meant
//! another path, a file, or a registered model.

use std::io::ErrorKind;
use std::path::Path;

use trainyard_signature::model::MLMODEL_FILE;

use crate::{Error, Result};

/// Refuses a path at which there is no folder of a model.
///
/// # Errors
///
/// If nothing is there, or a file, or a folder without `MLmodel`; each with what to give instead.
pub fn check_model_folder(folder: &Path) -> Result<()> {
    let path = folder.display();
    let file = folder.join(MLMODEL_FILE);
    match file.metadata() {
        Ok(about) if about.is_file() => return Ok(()),
        // What nobody may look at is there all the same.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            return Err(Error::io(file, error));
        }
        _ => {}
    }
    let (what, hint) = if folder.ends_with(MLMODEL_FILE) && folder.is_file() {
        (format!("{path} is a file of a model"), "give the folder that it is in")
    } else if folder.is_file() {
        let hint = "`trainyard model wrap FILE FOLDER --sample TABLE` makes a folder of it";
        (format!("{path} is a file, not the folder of a model"), hint)
    } else if folder.is_dir() {
        let hint = "give the folder of a model, the one with the file MLmodel in it";
        (format!("{path} has no file MLmodel"), hint)
    } else {
        let hint = "check the path; a registered model is models:/Name@alias or models:/Name/3";
        (format!("no such file or folder: {path}"), hint)
    };
    Err(Error::predict(what, hint))
}

#[cfg(test)]
mod tests {
    use trainyard_base::Advise as _;

    use super::*;

    #[test]
    fn what_is_no_model_folder_is_told_what_to_give() {
        let folder = tempfile::tempdir().unwrap();
        let refused = |path: &Path| {
            let error = check_model_folder(path).unwrap_err();
            format!("{error}; {}", error.hint().unwrap())
        };
        let file = folder.path().join("model.joblib");
        std::fs::write(&file, "x").unwrap();
        assert!(refused(&file).contains("model wrap"), "{}", refused(&file));
        assert!(refused(&folder.path().join("gone")).contains("no such file or folder"));
        assert!(refused(folder.path()).contains("has no file MLmodel"));
        let mlmodel = folder.path().join(MLMODEL_FILE);
        std::fs::write(&mlmodel, "flavors: {}").unwrap();
        assert!(refused(&mlmodel).contains("the folder that it is in"));
        check_model_folder(folder.path()).unwrap();
    }
}
