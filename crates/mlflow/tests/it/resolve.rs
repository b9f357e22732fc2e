//! Models that real Python logged and registered, found by every kind of URI and fetched.

use trainyard_mlflow::Tracking;
use trainyard_mlflow::client::{Credentials, RestClient};
use trainyard_mlflow::resolve::{fetch, resolve, resolve_stage};
use trainyard_mlflow::uri::ModelUri;
use trainyard_signature::model::{InputExample, MlModel};
use trainyard_testkit::tracking_suite::unique;

use crate::upstream::server;

/// Logs a scikit-learn model twice under a name, and prints run id and model id of the second.
const TRAIN: &str = "
import sys, warnings
warnings.filterwarnings('ignore')
import mlflow, pandas as pd
from sklearn.linear_model import LogisticRegression
name = sys.argv[1]
x = pd.DataFrame({'a': [0.0, 1.0, 2.0, 3.0], 'b b': [1.0, 0.0, 1.0, 0.0]})
mlflow.set_experiment(name)
for c in (1.0, 2.0):
    with mlflow.start_run() as run:
        model = LogisticRegression(C=c).fit(x, [0, 0, 1, 1])
        info = mlflow.sklearn.log_model(model, name='model', input_example=x[:2], registered_model_name=name)
client = mlflow.MlflowClient()
client.set_registered_model_alias(name, 'Production', 1)
client.transition_model_version_stage(name, 2, 'Staging')
print(run.info.run_id, info.model_id)
";

#[tokio::test]
async fn every_uri_finds_the_model_that_python_logged() {
    let server = server();
    let name = unique("Resolve me");
    let out = trainyard_testkit::run_python(
        TRAIN,
        &[&name],
        &[("MLFLOW_TRACKING_URI", &server.url()), ("GIT_PYTHON_REFRESH", "quiet")],
    );
    let (run_id, model_id) = out.lines().last().unwrap().split_once(' ').unwrap();
    let client = Tracking::from(RestClient::new(&server.url(), Credentials::None).unwrap());
    for (uri, version, alias) in [
        (format!("models:/{name}@Production"), Some("1"), Some("Production")),
        (format!("models:/{name}/Production"), Some("1"), Some("Production")),
        (format!("models:/{name}/production"), Some("1"), Some("Production")),
        (format!("models:/{name}/staging"), Some("2"), Some("Staging")),
        (format!("models:/{name}/2"), Some("2"), None),
        (format!("models:/{name}/latest"), Some("2"), None),
        (format!("models:/{model_id}"), None, None),
        (format!("runs:/{run_id}/model"), None, None),
    ] {
        let parsed: ModelUri = uri.parse().unwrap();
        let resolved = resolve(&client, &parsed).await.unwrap();
        let found = resolved.version.as_ref().map(|version| version.version.as_str());
        assert_eq!((found, resolved.alias.as_deref()), (version, alias), "{uri}");
        if version == Some("1") {
            continue;
        }
        assert_eq!(resolved.model_id.as_deref(), Some(model_id), "{uri}");
        assert_eq!(resolved.run_id.as_deref(), Some(run_id), "{uri}");
        let folder = tempfile::tempdir().unwrap();
        assert!(fetch(&client, &resolved, folder.path()).await.unwrap() >= 6, "{uri}");
        let model = MlModel::read(folder.path()).unwrap();
        assert_eq!(model.run_id.as_deref(), Some(run_id));
        assert_eq!(model.flavors.names(), ["python_function", "sklearn"]);
        let inputs = model.signature.as_ref().unwrap().inputs.as_ref().unwrap();
        assert_eq!(inputs.names(), ["a", "b b"]);
        let example = InputExample::read(folder.path(), &model).unwrap().unwrap();
        assert!(example.payload.contains("dataframe_split"));
        // A folder on this machine is a model, too.
        let local: ModelUri = folder.path().to_str().unwrap().parse().unwrap();
        let copy = tempfile::tempdir().unwrap();
        let local = resolve(&client, &local).await.unwrap();
        fetch(&client, &local, copy.path()).await.unwrap();
        assert_eq!(MlModel::read(copy.path()).unwrap(), model);
    }

    for (uri, part) in [
        (format!("models:/{name}@nobody"), "its aliases are Production"),
        (format!("models:/{name}/nowhere"), "its aliases are Production"),
        (format!("models:/{name}/Archived"), "alias or stage \"Archived\""),
        (format!("models:/{name}/77"), "77"),
        ("models:/nothing@x".to_owned(), "nothing"),
        ("models:/m-0000".to_owned(), "m-0000"),
        ("runs:/0000/model".to_owned(), "0000"),
    ] {
        let error = resolve(&client, &uri.parse().unwrap()).await.unwrap_err();
        assert!(error.is_not_found(), "{uri}: {error:?}");
        assert!(error.to_string().contains(part), "{uri}: {error}");
    }
    let stage = resolve_stage(&client, &name, "PRODUCTION").await.unwrap();
    assert_eq!(stage.alias.as_deref(), Some("Production"));
    let nothing =
        resolve(&client, &format!("runs:/{run_id}/other").parse().unwrap()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let error = fetch(&client, &nothing, folder.path()).await.unwrap_err();
    assert!(error.is_not_found() && error.to_string().contains("no model at"), "{error}");
}
