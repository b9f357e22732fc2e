//! From a model folder to something that predicts.

use std::fs::File;
use std::io::Read as _;
use std::path::{Component, Path};

use trainyard_mlflow::model::{Flavors, MlModel};

use crate::onnx::OnnxModel;
use crate::{Error, Predictor, Result};

/// Bytes of one model file. The largest forests people serve are a few gigabytes in memory.
const MAX_FILE_BYTES: u64 = 2 << 30;

/// A model folder in memory.
#[derive(Debug)]
pub struct LoadedModel {
    /// What the folder says of itself: signature, flavors, origin.
    pub mlmodel: MlModel,
    /// Predicts.
    pub predictor: Box<dyn Predictor>,
}

/// Reads a model folder. A flavor, estimator or operator that is not known here is refused by name.
pub fn load(folder: &Path) -> Result<LoadedModel> {
    let mlmodel = MlModel::read(folder)?;
    let predictor = predictor(folder, &mlmodel.flavors)?;
    Ok(LoadedModel { mlmodel, predictor })
}

fn predictor(folder: &Path, flavors: &Flavors) -> Result<Box<dyn Predictor>> {
    if let Some(onnx) = &flavors.onnx {
        return Ok(Box::new(OnnxModel::parse(&read(folder, &onnx.data)?, &onnx.data)?));
    }
    Err(Error::Unsupported {
        what: format!("a model of flavors {}", flavors.names().join(", ")),
        hint: "models of any Python code run in Python workers; scikit-learn, XGBoost, LightGBM and ONNX models run here"
            .to_owned(),
    })
}

/// Reads a file of the folder, which must lie within it and within [`MAX_FILE_BYTES`].
pub(crate) fn read(folder: &Path, name: &str) -> Result<Vec<u8>> {
    let malformed = |reason: String| Error::Malformed { file: name.to_owned(), reason };
    let inside = Path::new(name).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if !inside {
        return Err(malformed("the path leads out of the model folder".into()));
    }
    let file = File::open(folder.join(name)).map_err(|error| malformed(format!("cannot be opened: {error}")))?;
    let mut bytes = Vec::new();
    let read = file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|error| malformed(format!("cannot be read: {error}")))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(malformed(format!("larger than the limit of {MAX_FILE_BYTES} bytes")));
    }
    Ok(bytes)
}
