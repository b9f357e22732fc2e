//! Bare model files (`serve -m model.joblib`): each is served from a folder that is made around it.

use trainyard_base::TemporaryFolder;
use trainyard_mlflow::uri::ModelUri;
use trainyard_pipeline::{FileFlavor, WrapOptions, wrap};
use trainyard_serve::{ModelSource, ServeOptions};

use crate::failure::Failure;

/// Puts folders in the place of the files among the sources. They are there until the answer is dropped; none are
/// made where nothing is a file.
pub(super) fn wrapped(
    options: &mut ServeOptions,
    flavor: Option<FileFlavor>,
) -> Result<Option<TemporaryFolder>, Failure> {
    let sources = std::iter::once(&mut options.source);
    let sources = sources.chain(options.more.iter_mut().map(|(_, source)| source));
    let mut made: Option<TemporaryFolder> = None;
    for (number, source) in sources.enumerate() {
        let ModelSource::Uri(ModelUri::Folder(path)) = source else { continue };
        // The file of a folder is taken for a slip, which is told where folders are looked at.
        if !path.is_file() || path.file_name().is_some_and(|name| name == "MLmodel") {
            continue;
        }
        if made.is_none() {
            let folder = TemporaryFolder::create("model").map_err(|error| {
                Failure::runtime(format!("no room for a folder around the model: {error}"))
            })?;
            made = Some(folder);
        }
        let Some(parent) = &made else { continue };
        let output = parent.path().join(number.to_string());
        wrap(&WrapOptions {
            file: path.clone(),
            flavor,
            output: output.clone(),
            sample: None,
            without: Vec::new(),
            predict_fn: "predict".to_owned(),
        })?;
        *path = output;
    }
    if made.is_none() && flavor.is_some() {
        return Err(Failure::input("--flavor says what wrote a model file, and no file is served")
            .hint("give the file by --model-uri, or leave --flavor out"));
    }
    Ok(made)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn options(path: &Path) -> ServeOptions {
        ServeOptions::new(ModelSource::Uri(path.display().to_string().parse().unwrap()))
    }

    #[test]
    fn files_are_served_from_folders_and_folders_as_they_are() {
        let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/tests/models");
        let mut asked = options(&models.join("xgb_booster/model.ubj"));
        let made = wrapped(&mut asked, None).unwrap().unwrap();
        let ModelSource::Uri(ModelUri::Folder(folder)) = asked.source else { panic!() };
        assert!(folder.join("MLmodel").is_file());
        drop(made);
        assert!(!folder.exists());

        let mut asked = options(&models.join("sk_rf"));
        assert!(wrapped(&mut asked, None).unwrap().is_none());
        assert!(wrapped(&mut asked, Some(FileFlavor::Sklearn)).is_err());
        assert_eq!(asked.source.describe(), options(&models.join("sk_rf")).source.describe());
    }
}
