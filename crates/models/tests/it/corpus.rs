//! A file of many models: gzipped, a line of JSON that says what each is, and then the bytes of all.

use std::io::Read as _;
use std::path::Path;

use serde_json::{Value, json};
use trainyard_models::{Error, load};

use crate::support::check;

/// What became of a model beside what its library answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The same answer, or refused where that is expected.
    Equal,
    /// Refused by name when it is loaded, though its library answers.
    Refused,
    /// Another answer, or none.
    Differs,
}

#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) reason: String,
}

/// What the file says, and the bytes of all of its models.
pub(crate) fn read(file: &Path) -> (Value, Vec<u8>) {
    let mut bytes = Vec::new();
    let packed = std::fs::File::open(file).unwrap();
    flate2::read::GzDecoder::new(packed).read_to_end(&mut bytes).unwrap();
    let line = bytes.iter().position(|&byte| byte == b'\n').unwrap();
    let text = std::str::from_utf8(&bytes[..line]).unwrap();
    let text = text.replace("-Infinity", "\"-inf\"").replace("Infinity", "\"inf\"");
    (serde_json::from_str(&text.replace("NaN", "null")).unwrap(), bytes.split_off(line + 1))
}

/// Writes each model below `folder` as MLflow would, and holds it against its library.
pub(crate) fn outcomes(file: &Path, folder: &Path) -> Vec<Outcome> {
    let (corpus, bytes) = read(file);
    let each = corpus["models"].as_array().unwrap().iter();
    each.map(|model| {
        let name = model["name"].as_str().unwrap();
        let folder = folder.join(name);
        write(&folder, model, &bytes);
        let (kind, reason) = outcome(&folder, model["pyfunc_predict"] == "refused");
        Outcome { name: name.to_owned(), kind, reason }
    })
    .collect()
}

fn write(folder: &Path, model: &Value, bytes: &[u8]) {
    std::fs::create_dir_all(folder).unwrap();
    let number = |key: &str| usize::try_from(model[key].as_u64().unwrap()).unwrap();
    let content = &bytes[number("start")..number("start") + number("length")];
    std::fs::write(folder.join(model["file"].as_str().unwrap()), content).unwrap();
    let mut flavors = model["flavor"].clone();
    flavors["python_function"] =
        json!({"loader_module": "mlflow", "predict_fn": model["predict_fn"]});
    let mlmodel = json!({"flavors": flavors, "mlflow_version": "2.0.0"});
    std::fs::write(folder.join("MLmodel"), mlmodel.to_string()).unwrap();
    std::fs::write(folder.join("expected.json"), model.to_string()).unwrap();
}

fn outcome(folder: &Path, is_refused: bool) -> (Kind, String) {
    match load(folder) {
        Err(Error::Unsupported { what, .. } | Error::Unservable { what, .. }) => {
            (if is_refused { Kind::Equal } else { Kind::Refused }, what)
        }
        Err(error) => (Kind::Differs, error.to_string()),
        Ok(_) if is_refused => (Kind::Differs, "it is not refused".to_owned()),
        Ok(_) => match check(folder) {
            Ok(()) => (Kind::Equal, String::new()),
            Err(reason) => (Kind::Differs, reason),
        },
    }
}
