"""What a training script does, with the unmodified client. argv: tracking URI."""

import sys

import mlflow
import numpy as np
import pandas as pd
from mlflow.entities import Dataset  # noqa: F401 (the entity module must import without a server)
from mlflow.models import infer_signature
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

mlflow.set_tracking_uri(sys.argv[1])
experiment = mlflow.set_experiment("/iris_staging")
again = mlflow.set_experiment("/iris_staging")
assert experiment.experiment_id == again.experiment_id

features, target = load_iris(return_X_y=True, as_frame=True)
model = LogisticRegression(max_iter=500).fit(features, target)
signature = infer_signature(features, model.predict(features))

with mlflow.start_run(run_name="first") as run:
    mlflow.log_param("C", 1.0)
    mlflow.log_params({"solver": "lbfgs", "max_iter": 500})
    for step in range(5):
        mlflow.log_metric("loss", 1.0 / (step + 1), step=step)
    mlflow.log_metrics({"accuracy": model.score(features, target), "nan": float("nan"), "inf": float("inf")})
    mlflow.set_tag("team", "field")
    mlflow.set_tags({"stage": "dev", "ключ": "значение"})
    mlflow.log_text("hello", "notes/hello.txt")
    mlflow.log_dict({"a": [1, 2]}, "config.json")
    dataset = mlflow.data.from_pandas(features.assign(target=target), name="iris", targets="target")
    mlflow.log_input(dataset, context="training")
    info = mlflow.sklearn.log_model(
        model,
        name="model",
        signature=signature,
        input_example=features.head(3),
        registered_model_name="IrisClassifier",
    )

client = mlflow.MlflowClient()
stored = client.get_run(run.info.run_id)
assert stored.info.status == "FINISHED", stored.info
assert stored.info.run_name == "first"
assert stored.data.params == {"C": "1.0", "solver": "lbfgs", "max_iter": "500"}, stored.data.params
assert stored.data.metrics["loss"] == 0.2
assert np.isnan(stored.data.metrics["nan"])
assert stored.data.metrics["inf"] > 1e308
assert stored.data.tags["ключ"] == "значение"
(dataset_input,) = stored.inputs.dataset_inputs
assert dataset_input.dataset.name == "iris"
assert dataset_input.tags[0].value == "training"
assert stored.outputs.model_outputs[0].model_id == info.model_id

history = client.get_metric_history(run.info.run_id, "loss")
assert [(m.step, m.value) for m in history] == [(i, 1.0 / (i + 1)) for i in range(5)], history

assert mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/notes/hello.txt") == "hello"
assert mlflow.artifacts.load_dict(f"runs:/{run.info.run_id}/config.json") == {"a": [1, 2]}
names = sorted(f.path for f in client.list_artifacts(run.info.run_id))
assert names == ["config.json", "notes"], names

# The registry, by alias, version, model and run
client.set_registered_model_alias("IrisClassifier", "Production", "1")
expected = model.predict(features)
for uri in [
    "models:/IrisClassifier@Production",
    "models:/IrisClassifier/1",
    "models:/IrisClassifier/latest",
    f"models:/{info.model_id}",
    f"runs:/{run.info.run_id}/model",
]:
    loaded = mlflow.pyfunc.load_model(uri)
    assert (loaded.predict(features) == expected).all(), uri
    assert loaded.metadata.signature == signature, uri

version = client.get_model_version_by_alias("IrisClassifier", "Production")
assert version.version == "1" or version.version == 1, version
assert version.run_id == run.info.run_id

# Nested runs
with mlflow.start_run(run_name="parent") as parent:
    children = []
    for c in [0.1, 1.0, 10.0]:
        with mlflow.start_run(run_name=f"child-{c}", nested=True) as child:
            mlflow.log_param("C", c)
            mlflow.log_metric("accuracy", LogisticRegression(C=c, max_iter=500).fit(features, target).score(features, target))
            children.append(child.info.run_id)
found = mlflow.search_runs(
    experiment_names=["/iris_staging"],
    filter_string=f"tags.mlflow.parentRunId = '{parent.info.run_id}' and metrics.accuracy > 0.5",
    order_by=["params.C ASC"],
)
assert set(found.run_id) == set(children), found
assert list(found["params.C"]) == ["0.1", "1.0", "10.0"], found

# Autolog
mlflow.sklearn.autolog()
with mlflow.start_run(run_name="auto") as auto:
    LogisticRegression(max_iter=500).fit(features, target)
mlflow.sklearn.autolog(disable=True)
logged = client.get_run(auto.info.run_id)
assert logged.data.params["max_iter"] == "500", logged.data.params
assert "training_accuracy_score" in logged.data.metrics, logged.data.metrics
assert logged.outputs.model_outputs, "autolog logs the model"
autologged = mlflow.pyfunc.load_model(f"models:/{logged.outputs.model_outputs[0].model_id}")
assert (autologged.predict(features) == expected).all()

models = mlflow.search_logged_models(
    experiment_ids=[experiment.experiment_id],
    filter_string="name = 'model'",
    output_format="list",
)
assert info.model_id in [m.model_id for m in models], models
assert isinstance(mlflow.search_runs(experiment_names=["/iris_staging"]), pd.DataFrame)
print("ok")
