"""Prints all that a client sees, in an order of its own."""

import json
import math

import mlflow
from mlflow.entities import ViewType

client = mlflow.MlflowClient()


def number(value):
    return "nan" if math.isnan(value) else value


def files(run_id, path=None):
    for file in client.list_artifacts(run_id, path):
        if file.is_dir:
            yield from files(run_id, file.path)
        else:
            yield [file.path, file.file_size]


def of_run(run):
    info, data = run.info, run.data
    history = {
        # A value that was logged twice is one value.
        key: sorted({(m.step, m.timestamp, str(number(m.value))) for m in client.get_metric_history(info.run_id, key)})
        for key in data.metrics
    }
    datasets = [
        [i.dataset.name, i.dataset.digest, i.dataset.source, i.dataset.profile, sorted((t.key, t.value) for t in i.tags)]
        for i in run.inputs.dataset_inputs
    ]
    return {
        "info": [info.run_name, info.status, info.start_time, info.end_time, info.lifecycle_stage, info.user_id],
        "latest": {key: str(number(value)) for key, value in data.metrics.items()},
        "history": history, "params": data.params, "tags": data.tags, "datasets": datasets,
        "outputs": sorted(o.model_id for o in run.outputs.model_outputs) if run.outputs else [],
        "files": sorted(files(info.run_id)),
    }


def of_model(model):
    return {
        "info": [model.name, str(model.status), model.source_run_id, model.creation_timestamp, model.model_type or None],
        "params": model.params, "tags": model.tags,
        "metrics": sorted([m.key, m.value, m.step, m.run_id, m.dataset_name or None] for m in model.metrics or []),
    }


def of_version(version):
    source = version.source if version.source.startswith("models:") else version.source.rsplit("/", 3)[1:]
    return [version.run_id, source, version.tags, version.current_stage, version.status, version.creation_timestamp]


experiments = client.search_experiments(view_type=ViewType.ALL)
ids = [experiment.experiment_id for experiment in experiments]
seen = {
    "experiments": {e.experiment_id: [e.name, e.lifecycle_stage, e.tags, e.creation_time] for e in experiments},
    "runs": {r.info.run_id: of_run(client.get_run(r.info.run_id)) for r in client.search_runs(ids, run_view_type=ViewType.ALL)},
    "models": {m.model_id: of_model(m) for m in client.search_logged_models(experiment_ids=ids)},
    "registry": {
        r.name: [r.description or "", r.tags, {alias: str(version) for alias, version in r.aliases.items()}]
        for r in client.search_registered_models()
    },
    "versions": {f"{v.name}/{v.version}": of_version(client.get_model_version(v.name, v.version)) for v in client.search_model_versions()},
}
# The experiment that every database has was made when the database was.
seen["experiments"].get("0", [0])[3:] = []
print(json.dumps(seen, sort_keys=True))
