//! Whether a model was tried on its input example, and what becomes of one that was not.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{Float64Array, Int64Array, RecordBatch};
use serde_json::Value;
use trainyard_models::{Error, LoadedModel, Prediction, Predictor};
use trainyard_serve::{Loader, ModelSource, ServeOptions};
use trainyard_signature::model::MlModel;

use crate::support::{Running, model};

const EXAMPLE: &str = "serving_input_example.json";
const RECORDED: &str = "serving_output_example.json";

/// What a predictor does with its rows.
#[derive(Debug, Clone, Copy)]
enum Does {
    Zeros,
    Refuses,
    /// Unless there are none.
    RefusesRows,
    NoNumbers,
}

impl Predictor for Does {
    fn predict(&self, input: &RecordBatch) -> trainyard_models::Result<Prediction> {
        let rows = input.num_rows();
        match self {
            Self::Zeros => Ok(Prediction::Column(Arc::new(Int64Array::from(vec![0; rows])))),
            Self::RefusesRows if rows == 0 => {
                Ok(Prediction::Column(Arc::new(Int64Array::from(vec![0; rows]))))
            }
            Self::Refuses | Self::RefusesRows => {
                Err(Error::Input("no such rows, please".to_owned()))
            }
            Self::NoNumbers => {
                Ok(Prediction::Column(Arc::new(Float64Array::from(vec![f64::NAN; rows]))))
            }
        }
    }

    fn size_bytes(&self) -> usize {
        0
    }
}

/// A copy of a model folder to change.
fn copied() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(model("iris_columns")).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            std::fs::copy(entry.path(), directory.path().join(entry.file_name())).unwrap();
        }
    }
    directory
}

/// What `/health` says of a folder once it is decided.
async fn verdict(folder: &Path, does: Does, require_verified: bool) -> Value {
    let source = folder.display().to_string();
    let mut options = ServeOptions::new(ModelSource::Uri(source.parse().unwrap()));
    options.require_verified = require_verified;
    options.loader = Loader(Arc::new(move |folder: &Path| {
        Ok(LoadedModel { mlmodel: MlModel::read(folder)?, predictor: Box::new(does) })
    }));
    let server = Running::start(options, None).await;
    let health = server
        .wait_for("verdict", |health| matches!(health["status"].as_str(), Some("ok" | "failed")))
        .await;
    for path in ["/docs", "/openapi.json"] {
        let page = server.get(path).await;
        assert!(!page.text.contains("nobody's business"), "{path}");
        assert_eq!(page.status == 200, health["status"] == "ok", "{path}");
    }
    server.stop().await;
    health
}

/// What is done to an example, what is then said of it, and how.
type Change<'a> = (&'a str, &'a str, &'a dyn Fn(&Path));

#[tokio::test]
async fn an_example_that_says_nothing_is_a_warning_or_refused_when_asked_for() {
    let outside = tempfile::tempdir().unwrap();
    let secret = outside.path().join("secret.json");
    std::fs::write(&secret, r#"{"dataframe_split": {"data": [["nobody's business"]]}}"#).unwrap();
    let changes: [Change<'_>; 5] = [
        ("not there", "cannot be read", &|path| std::fs::remove_file(path).unwrap()),
        ("a link out of the folder", "cannot be read", &|path| {
            std::fs::remove_file(path).unwrap();
            symlink(&secret, path).unwrap();
        }),
        ("huge", "cannot be read", &|path| {
            std::fs::File::create(path).unwrap().set_len((16 << 20) + 1).unwrap();
        }),
        ("no JSON", "does not fit", &|path| std::fs::write(path, "{").unwrap()),
        ("of other columns", "does not fit", &|path| {
            std::fs::write(path, r#"{"dataframe_split": {"columns": ["x"], "data": [[1]]}}"#)
                .unwrap();
        }),
    ];
    for (what, reason, change) in changes {
        let folder = copied();
        change(&folder.path().join(EXAMPLE));
        let health = verdict(folder.path(), Does::Zeros, false).await;
        assert_eq!(
            (&health["status"], &health["verified"]),
            (&"ok".into(), &false.into()),
            "{what}"
        );
        assert!(health["unverified_reason"].as_str().unwrap().contains(reason), "{what}: {health}");
        let health = verdict(folder.path(), Does::Zeros, true).await;
        assert_eq!(health["status"], "failed", "{what}");
        assert!(health["reason"].as_str().unwrap().contains("--require-verified"), "{health}");
        // Whoever recorded the answer wants it compared.
        std::fs::write(folder.path().join(RECORDED), r#"{"predictions": [0]}"#).unwrap();
        let health = verdict(folder.path(), Does::Zeros, false).await;
        assert_eq!(health["status"], "failed", "{what}");
        assert!(health["reason"].as_str().unwrap().contains("recorded answer"), "{health}");
    }
}

#[tokio::test]
async fn a_model_that_fails_at_what_its_signature_promises_is_refused() {
    let folder = copied();
    let health = verdict(folder.path(), Does::Zeros, true).await;
    assert_eq!((&health["status"], &health["verified"]), (&"ok".into(), &true.into()));
    assert!(health["unverified_reason"].is_null());
    for (does, reason) in [(Does::Refuses, "no such rows"), (Does::NoNumbers, "predicts NaN")] {
        let health = verdict(folder.path(), does, false).await;
        assert_eq!(health["status"], "failed");
        let said = health["reason"].as_str().unwrap();
        assert!(said.contains("does not reproduce its input example"), "{said}");
        assert!(said.contains(reason), "{said}");
    }
    // Without a signature the example promises nothing.
    let mlmodel = folder.path().join("MLmodel");
    let text = std::fs::read_to_string(&mlmodel).unwrap();
    let without: Vec<&str> = text
        .split_inclusive('\n')
        .scan(false, |within, line| {
            *within = line.starts_with("signature:") || (*within && line.starts_with(' '));
            Some(if *within { "" } else { line })
        })
        .collect();
    std::fs::write(&mlmodel, without.concat()).unwrap();
    assert!(MlModel::read(folder.path()).unwrap().signature.is_none());
    let health = verdict(folder.path(), Does::Refuses, false).await;
    assert_eq!((&health["status"], &health["verified"]), (&"ok".into(), &false.into()));
    assert!(health["unverified_reason"].as_str().unwrap().contains("no signature"), "{health}");
}

#[tokio::test]
async fn a_model_that_takes_nothing_of_its_signature_is_refused_without_an_example() {
    let folder = copied();
    std::fs::remove_file(folder.path().join(EXAMPLE)).unwrap();
    let health = verdict(folder.path(), Does::Refuses, false).await;
    assert_eq!(health["status"], "failed", "{health}");
    let said = health["reason"].as_str().unwrap();
    assert!(said.contains("does not take what its signature says: no such rows"), "{said}");
    // One that only minds the values that were made up is not known to refuse those of requests.
    let health = verdict(folder.path(), Does::RefusesRows, false).await;
    assert_eq!((&health["status"], &health["verified"]), (&"ok".into(), &false.into()), "{health}");
}

#[tokio::test]
async fn links_within_the_folder_are_files_of_it() {
    // As Kubernetes mounts them.
    let folder = copied();
    let data = folder.path().join("..data");
    std::fs::create_dir(&data).unwrap();
    for file in [EXAMPLE, "MLmodel"] {
        std::fs::rename(folder.path().join(file), data.join(file)).unwrap();
        symlink(Path::new("..data").join(file), folder.path().join(file)).unwrap();
    }
    let health = verdict(folder.path(), Does::Zeros, true).await;
    assert_eq!((&health["status"], &health["verified"]), (&"ok".into(), &true.into()), "{health}");
}
