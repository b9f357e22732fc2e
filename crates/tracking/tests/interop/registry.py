"""The registry and the life cycle of runs and experiments, with the unmodified client."""

import sys
import tempfile
from pathlib import Path

import mlflow
from mlflow.exceptions import MlflowException, RestException

mlflow.set_tracking_uri(sys.argv[1])
client = mlflow.MlflowClient()


def refused(call, code):
    try:
        call()
    except (MlflowException, RestException) as error:
        assert error.error_code == code, (error.error_code, error)
        return str(error)
    raise AssertionError(f"not refused: expected {code}")


# Registered models and versions
client.create_registered_model("a", tags={"t": "1"}, description="first")
refused(lambda: client.create_registered_model("a"), "RESOURCE_ALREADY_EXISTS")
refused(lambda: client.get_registered_model("missing"), "RESOURCE_DOES_NOT_EXIST")
experiment_id = client.create_experiment("life", tags={"k": "v"})
run = client.create_run(experiment_id, run_name="r")
client.log_text(run.info.run_id, "x", "model/MLmodel")
first = client.create_model_version("a", f"runs:/{run.info.run_id}/model", run.info.run_id)
second = client.create_model_version("a", f"runs:/{run.info.run_id}/model", run.info.run_id)
assert (str(first.version), str(second.version)) == ("1", "2")
client.update_model_version("a", "1", description="about one")
client.set_model_version_tag("a", "1", "gate", "passed")
client.set_registered_model_tag("a", "owner", "me")
client.set_registered_model_alias("a", "Champion", "1")
client.set_registered_model_alias("a", "Champion", "2")
model = client.get_registered_model("a")
assert model.aliases == {"Champion": "2"} or model.aliases == {"Champion": 2}, model.aliases
assert model.tags == {"t": "1", "owner": "me"}, model.tags
version = client.get_model_version("a", "1")
assert version.tags == {"gate": "passed"} and version.description == "about one"
refused(lambda: client.get_model_version_by_alias("a", "nope"), "INVALID_PARAMETER_VALUE")
client.delete_registered_model_alias("a", "Champion")
client.delete_model_version_tag("a", "1", "gate")
client.delete_registered_model_tag("a", "owner")

# Stages (deprecated, still used)
client.transition_model_version_stage("a", "1", "Production")
client.transition_model_version_stage("a", "2", "production", archive_existing_versions=True)
assert client.get_model_version("a", "1").current_stage == "Archived"
(latest,) = client.get_latest_versions("a", stages=["Production"])
assert str(latest.version) == "2"

# Copies, searches, renames
copied = client.copy_model_version("models:/a/2", "b")
assert copied.source == "models:/a/2", copied.source
assert client.get_model_version_download_uri("b", "1").endswith("/model")
assert [m.name for m in client.search_registered_models(order_by=["name DESC"])] == ["b", "a"]
assert len(client.search_model_versions("name = 'a'")) == 2
assert len(client.search_model_versions(f"run_id = '{run.info.run_id}'", max_results=1)) == 1
client.rename_registered_model("b", "c")
assert client.get_model_version("c", "1").name == "c"
client.delete_model_version("a", "2")
refused(lambda: client.get_model_version("a", "2"), "RESOURCE_DOES_NOT_EXIST")
client.delete_registered_model("c")

# Runs and experiments go and come back
client.delete_run(run.info.run_id)
assert client.get_run(run.info.run_id).info.lifecycle_stage == "deleted"
refused(lambda: client.log_metric(run.info.run_id, "m", 1.0), "INVALID_PARAMETER_VALUE")
client.restore_run(run.info.run_id)
client.log_metric(run.info.run_id, "m", 1.0)
client.set_tag(run.info.run_id, "gone", "soon")
client.delete_tag(run.info.run_id, "gone")
client.rename_experiment(experiment_id, "renamed")
client.set_experiment_tag(experiment_id, "more", "x")
client.delete_experiment(experiment_id)
assert client.get_experiment(experiment_id).lifecycle_stage == "deleted"
client.restore_experiment(experiment_id)
assert client.get_experiment_by_name("renamed").tags["more"] == "x"
assert client.get_experiment_by_name("nobody") is None
client.log_param(run.info.run_id, "p", "1")
refused(lambda: client.log_param(run.info.run_id, "p", "2"), "INVALID_PARAMETER_VALUE")
client.set_terminated(run.info.run_id, "FAILED")
assert client.get_run(run.info.run_id).info.status == "FAILED"

# Pages of results
for i in range(7):
    client.create_run(experiment_id, run_name=f"page-{i}")
seen, token = [], None
while True:
    page = client.search_runs([experiment_id], max_results=3, page_token=token)
    seen += [r.info.run_id for r in page]
    token = page.token
    if not token:
        break
assert len(seen) == len(set(seen)) == 8, seen

# Artifact trees
with tempfile.TemporaryDirectory() as directory:
    source = Path(directory) / "tree"
    (source / "deep" / "er").mkdir(parents=True)
    (source / "deep" / "er" / "data ä.bin").write_bytes(bytes(range(256)) * 5000)
    (source / "top.txt").write_text("top")
    client.log_artifacts(run.info.run_id, str(source), "tree")
    client.log_artifact(run.info.run_id, str(source / "top.txt"))
    target = Path(directory) / "back"
    target.mkdir()
    client.download_artifacts(run.info.run_id, "tree", str(target))
    assert (target / "tree/deep/er/data ä.bin").read_bytes() == bytes(range(256)) * 5000
    assert (target / "tree/top.txt").read_text() == "top"
listed = {f.path: f.file_size for f in client.list_artifacts(run.info.run_id, "tree")}
assert listed == {"tree/deep": None, "tree/top.txt": 3}, listed
try:
    client.download_artifacts(run.info.run_id, "not/there")
except Exception:
    pass
else:
    raise AssertionError("a missing artifact was downloaded")

# Logged models
created = client.create_logged_model(experiment_id, name="lm", source_run_id=run.info.run_id, tags={"a": "b"}, params={"p": "1"})
client.finalize_logged_model(created.model_id, "READY")
client.set_logged_model_tags(created.model_id, {"c": "d"})
client.log_metric(run.info.run_id, "score", 0.5, model_id=created.model_id)
stored = client.get_logged_model(created.model_id)
assert str(stored.status) in ("READY", "LoggedModelStatus.READY"), stored.status
assert stored.tags["c"] == "d" and stored.params == {"p": "1"}, stored
assert [m.key for m in stored.metrics] == ["score"], stored.metrics
client.delete_logged_model_tag(created.model_id, "c")
found = client.search_logged_models([experiment_id], filter_string="metrics.score > 0.4")
assert [m.model_id for m in found] == [created.model_id]
client.delete_logged_model(created.model_id)
print("ok")
