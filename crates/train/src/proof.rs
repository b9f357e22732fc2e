//! What a model folder carries so that its reader can tell whether it is still the model that was made.
//!
//! MLflow records neither. `checksums.sha256` has the digests of all files, as `sha256sum` writes them;
//! the registered version has the digest of that list as a tag. `serving_output_example.json` is what the
//! model answered to its input example when it was made. `trainyard serve` compares both before it serves.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float32Type, Int64Type};
use arrow_array::{Array as _, RecordBatch};
use arrow_schema::DataType;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use trainyard_models::{LoadedModel, Prediction};

use crate::{Error, Result};

/// The list of digests.
const CHECKSUMS_FILE: &str = "checksums.sha256";

/// Tag of a registered version with the digest of that list.
pub(crate) const CHECKSUMS_TAG: &str = "trainyard.checksums_sha256";

/// The answer to the input example.
pub(crate) const ANSWER_FILE: &str = "serving_output_example.json";

/// What the model answers to `example`, as `POST /invocations` would: a record a row.
pub(crate) fn answer(model: &LoadedModel, example: &RecordBatch) -> Result<String> {
    let prediction = model.predictor.predict(example)?;
    let Prediction::Named(outputs) = &prediction else {
        return Err(Error::Internal("a trained model answers named outputs".to_owned()));
    };
    let record = |row: usize| {
        let cells = outputs.iter().map(|(name, output)| Some((name.clone(), cell(output, row)?)));
        cells.collect::<Option<Map<String, Value>>>().map(Value::Object)
    };
    let records: Option<Vec<Value>> = (0..example.num_rows()).map(record).collect();
    let records =
        records.ok_or_else(|| Error::Internal("an output of several values".to_owned()))?;
    Ok(json!({ "predictions": records }).to_string())
}

/// One value of an output that has one a row.
fn cell(output: &Prediction, row: usize) -> Option<Value> {
    let (Prediction::Column(values) | Prediction::Matrix { values, width: 1 }) = output else {
        return None;
    };
    Some(match values.data_type() {
        DataType::Float32 => {
            f64::from(*values.as_primitive::<Float32Type>().values().get(row)?).into()
        }
        DataType::Int64 => (*values.as_primitive::<Int64Type>().values().get(row)?).into(),
        DataType::Boolean => values.as_boolean().value(row).into(),
        DataType::Utf8 => values.as_string::<i32>().value(row).into(),
        _ => return None,
    })
}

/// Writes the digests of all files of a folder beside them; answers the digest of the list.
pub(crate) fn write_checksums(folder: &Path) -> Result<String> {
    let mut names = Vec::new();
    let mut open = vec![PathBuf::new()];
    while let Some(place) = open.pop() {
        let directory = folder.join(&place);
        let entries =
            std::fs::read_dir(&directory).map_err(|error| Error::io(&directory, error))?;
        for entry in entries {
            let entry = entry.map_err(|error| Error::io(&directory, error))?;
            let name = place.join(entry.file_name());
            let kind = entry.file_type().map_err(|error| Error::io(&directory, error))?;
            if kind.is_dir() { open.push(name) } else { names.push(name) }
        }
    }
    names.sort();
    let mut list = String::new();
    for name in names.iter().filter(|name| **name != Path::new(CHECKSUMS_FILE)) {
        let path = folder.join(name);
        let content = std::fs::read(&path).map_err(|error| Error::io(&path, error))?;
        list.push_str(&hex::encode(Sha256::digest(&content)));
        let _infallible = writeln!(list, "  {}", name.display());
    }
    let path = folder.join(CHECKSUMS_FILE);
    std::fs::write(&path, &list).map_err(|error| Error::io(&path, error))?;
    Ok(hex::encode(Sha256::digest(list.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_sha256sum() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("code")).unwrap();
        std::fs::write(folder.path().join("model"), "hello").unwrap();
        std::fs::write(folder.path().join("code/a.py"), "").unwrap();
        let first = write_checksums(folder.path()).unwrap();
        let list = std::fs::read_to_string(folder.path().join(CHECKSUMS_FILE)).unwrap();
        assert_eq!(
            list,
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  code/a.py\n\
             2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824  model\n"
        );
        // The list is not in the list.
        assert_eq!(write_checksums(folder.path()).unwrap(), first);
    }
}
