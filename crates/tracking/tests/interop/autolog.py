"""Autologging, nested runs, datasets and artifact trees, with the unmodified client. argv: tracking URI."""

import os
import sys
import tempfile

import matplotlib

matplotlib.use("Agg")

import mlflow  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import xgboost  # noqa: E402
from mlflow import MlflowClient  # noqa: E402
from sklearn.datasets import load_diabetes, load_iris  # noqa: E402
from sklearn.ensemble import RandomForestClassifier  # noqa: E402
from sklearn.linear_model import Ridge  # noqa: E402
from sklearn.model_selection import GridSearchCV, train_test_split  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402

mlflow.set_tracking_uri(sys.argv[1])
client = MlflowClient()
mlflow.set_experiment("autolog")


def files(run_id, path=None):
    """Every file below a path, as the client lists them."""
    found = []
    for entry in client.list_artifacts(run_id, path):
        found += files(run_id, entry.path) if entry.is_dir else [entry.path]
    return found


def logged_model(run_id):
    """The one logged model that a run has put out."""
    (output,) = client.get_run(run_id).outputs.model_outputs
    return client.get_logged_model(output.model_id)


# scikit-learn: a pipeline with metrics, params, dataset and model
mlflow.sklearn.autolog(log_input_examples=True, registered_model_name="Ridge")
features, target = load_diabetes(return_X_y=True, as_frame=True)
train, test, train_target, test_target = train_test_split(features, target, random_state=0)
with mlflow.start_run(run_name="ridge") as run:
    pipeline = make_pipeline(StandardScaler(), Ridge(alpha=0.5)).fit(train, train_target)
    pipeline.score(test, test_target)
stored = client.get_run(run.info.run_id)
assert stored.data.params["ridge__alpha"] == "0.5", stored.data.params
assert 0 < stored.data.metrics["training_r2_score"] < 1, stored.data.metrics
assert any(key.startswith("Pipeline_score") for key in stored.data.metrics), stored.data.metrics
assert stored.data.tags["estimator_name"] == "Pipeline"
assert [(d.dataset.source_type, d.tags[0].value) for d in stored.inputs.dataset_inputs] == [("code", "train")]
model = logged_model(run.info.run_id)
assert model.status == "READY" and model.source_run_id == run.info.run_id, model
loaded = mlflow.pyfunc.load_model(f"models:/{model.model_id}")
np.testing.assert_allclose(loaded.predict(test), pipeline.predict(test))
version = client.get_registered_model("Ridge").latest_versions[0]
assert (version.version, version.run_id) == ("1", run.info.run_id), version
mlflow.sklearn.autolog(disable=True)

# scikit-learn: a search makes child runs
mlflow.sklearn.autolog(max_tuning_runs=3, log_models=False)
iris, species = load_iris(return_X_y=True, as_frame=True)
with mlflow.start_run(run_name="search") as parent:
    GridSearchCV(RandomForestClassifier(random_state=0), {"n_estimators": [3, 5, 7]}, cv=2).fit(iris, species)
children = client.search_runs(
    [parent.info.experiment_id], f"tags.mlflow.parentRunId = '{parent.info.run_id}'", order_by=["metrics.mean_test_score DESC"]
)
assert len(children) == 3, children
assert sorted(child.data.params["n_estimators"] for child in children) == ["3", "5", "7"]
assert "best_n_estimators" in client.get_run(parent.info.run_id).data.params
assert any(name.startswith("cv_results") for name in files(parent.info.run_id)), files(parent.info.run_id)
mlflow.sklearn.autolog(disable=True)

# XGBoost: one value of each metric a round, importances, model
mlflow.xgboost.autolog(model_format="json")
matrix, held_out = xgboost.DMatrix(train, train_target), xgboost.DMatrix(test, test_target)
with mlflow.start_run(run_name="booster") as run:
    booster = xgboost.train(
        {"objective": "reg:squarederror", "max_depth": 3, "eta": 0.3, "eval_metric": ["rmse", "mae"]},
        matrix, num_boost_round=15, evals=[(matrix, "train"), (held_out, "test")], early_stopping_rounds=10, verbose_eval=False,
    )
stored = client.get_run(run.info.run_id)
assert stored.data.params["max_depth"] == "3", stored.data.params
history = client.get_metric_history(run.info.run_id, "train-rmse")
rounds = [metric.step for metric in history]
assert sorted(set(rounds)) == list(range(len(set(rounds)))) and len(set(rounds)) >= 10, rounds
assert [m.value for m in sorted(history, key=lambda m: m.step)][0] > min(m.value for m in history)
names = files(run.info.run_id)
assert "feature_importance_weight.json" in names and "feature_importance_weight.png" in names, names
model = logged_model(run.info.run_id)
loaded = mlflow.xgboost.load_model(f"models:/{model.model_id}")
np.testing.assert_allclose(loaded.predict(held_out), booster.predict(held_out))
found = mlflow.search_logged_models(experiment_ids=[run.info.experiment_id], filter_string=f"source_run_id = '{run.info.run_id}'", output_format="list")
assert [m.model_id for m in found] == [model.model_id], found
mlflow.xgboost.autolog(disable=True)

# Nested runs, and a run that fails
with mlflow.start_run(run_name="outer") as outer:
    mlflow.log_metric("depth", 0)
    for number in range(2):
        with mlflow.start_run(run_name=f"inner-{number}", nested=True) as inner:
            mlflow.log_metrics({"depth": 1, "number": number}, step=number)
            with mlflow.start_run(nested=True):
                mlflow.set_tag("innermost", number)
assert client.get_parent_run(inner.info.run_id).info.run_id == outer.info.run_id
try:
    with mlflow.start_run(run_name="fails") as failed:
        raise ValueError("on purpose")
except ValueError:
    pass
assert client.get_run(failed.info.run_id).info.status == "FAILED"
table = mlflow.search_runs(experiment_names=["autolog"], filter_string="attributes.run_name LIKE 'inner-%'", order_by=["metrics.number DESC"])
assert list(table["metrics.number"]) == [1.0, 0.0], table

# Datasets of several kinds in one run, found again
with mlflow.start_run(run_name="data") as run:
    frame = pd.DataFrame({"a": range(5), "b": list("vwxyz"), "when": pd.date_range("2024-01-01", periods=5)})
    mlflow.log_input(mlflow.data.from_pandas(frame, name="frame"), context="training", tags={"split": "1"})
    mlflow.log_input(mlflow.data.from_numpy(np.arange(6.0).reshape(3, 2), name="array"), context="testing")
    mlflow.log_inputs([mlflow.data.from_pandas(frame.head(2), name="frame")], ["check"], [{}]) if hasattr(mlflow, "log_inputs") else None
inputs = {(d.dataset.name, t.value) for d in client.get_run(run.info.run_id).inputs.dataset_inputs for t in d.tags if t.key == "mlflow.data.context"}
assert {("frame", "training"), ("array", "testing")} <= inputs, inputs
found = client.search_runs([run.info.experiment_id], "datasets.name = 'array' AND datasets.context = 'testing'")
assert [r.info.run_id for r in found] == [run.info.run_id]

# A tree of artifacts up, listed, down and partly removed
with mlflow.start_run(run_name="tree") as run, tempfile.TemporaryDirectory() as folder:
    expected = {}
    for name in ("top.bin", "a/one.txt", "a/b/two.txt", "a/b c/über 3.txt", "empty.txt"):
        path = os.path.join(folder, "up", name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        expected[name] = b"" if name == "empty.txt" else os.urandom(3 << 20 if name == "top.bin" else 100)
        with open(path, "wb") as file:
            file.write(expected[name])
    mlflow.log_artifacts(os.path.join(folder, "up"), "tree")
    mlflow.log_figure(__import__("matplotlib.pyplot").pyplot.figure(), "plots/figure.png")
    mlflow.log_image(np.zeros((4, 4, 3), dtype=np.uint8), "plots/image.png")
    mlflow.log_table({"x": [1, 2], "y": ["a", "b"]}, "table.json")
    mlflow.log_table({"x": [3], "y": ["c"]}, "table.json")
    assert sorted(files(run.info.run_id, "tree")) == sorted(f"tree/{name}" for name in expected)
    down = mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path="tree", dst_path=os.path.join(folder, "down"))
    for name, content in expected.items():
        with open(os.path.join(down, name), "rb") as file:
            assert file.read() == content, name
    assert list(mlflow.load_table("table.json", run_ids=[run.info.run_id])["x"]) == [1, 2, 3]

print("ok")
