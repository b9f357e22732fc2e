"""Models for the tests of Python workers, and what MLflow's own server says of them.

    save DIRECTORY          logs the models
    ask FOLDER REQUESTS     answers a JSON list of bodies as MLflow's server does, one line each
"""

import json
import os
import sys
import time

import mlflow.pyfunc
import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema, TensorSpec
from mlflow.types.schema import Array


def daemon():
    """The process id of a child that did all to get away: no parent, no session, no environment."""
    here, there = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.write(there, str(os.getpid()).encode())
            os.closerange(0, 1000)
            os.execve("/bin/sleep", ["sleep", "1000"], {})
        os._exit(0)
    return os.read(here, 20).decode()


class Obedient(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        what = model_input["what"].iloc[0]
        x = model_input["x"]
        if what == "scale":
            return x.to_numpy() * (params or {}).get("factor", 2.0)
        if what == "frame":
            return pd.DataFrame({"y": x * 2, "label": ["a"] * len(x)})
        if what == "series":
            return x * 2
        if what == "texts":
            return ["two"] * len(x)
        if what == "dicts":
            return [{"score": 0.5, "tags": ["a"]} for _ in x]
        if what == "matrix":
            return np.stack([x, x * 2], axis=1)
        if what == "nothing":
            return None
        if what == "nan":
            return np.array([float("nan")] * len(x))
        if what == "types":
            return [json.dumps({name: [str(model_input[name].dtype), repr(list(model_input[name]))] for name in model_input})]
        if what == "nested":
            return [repr([type(tags).__name__, list(tags)]) for tags in model_input["tags"]]
        if what == "raise":
            raise ValueError("the model does not like this")
        if what == "mlflow error":
            raise MlflowException("no such thing", error_code=5)
        if what == "crash":
            os.kill(os.getpid(), 9)
        if what == "hang":
            time.sleep(1000)
        if what == "slow":
            time.sleep(1)
            return x.to_numpy()
        if what == "daemon":
            return [daemon()] * len(x)
        if what == "environment":
            return [json.dumps(dict(os.environ))] * len(x)
        if what == "hog":
            return np.ones(1 << 33, dtype=np.uint8)[:1]
        raise KeyError(what)


class Tensor(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return model_input.sum(axis=1)


class Unsigned(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        if isinstance(model_input, dict):
            return [repr([(name, values.dtype, values.tolist()) for name, values in model_input.items()])]
        if isinstance(model_input, np.ndarray):
            return [repr((model_input.dtype, model_input.tolist()))]
        return [repr((model_input.dtypes.astype(str).tolist(), model_input.values.tolist()))]


class Unloadable(mlflow.pyfunc.PythonModel):
    def load_context(self, context):
        raise RuntimeError("the weights are gone")

    def predict(self, context, model_input, params=None):
        return model_input


def save(directory):
    columns = [
        ColSpec(DataType.double, "x"),
        ColSpec(DataType.string, "what"),
        ColSpec(DataType.long, "n", required=False),
        ColSpec(DataType.datetime, "when", required=False),
        ColSpec(Array(DataType.string), "tags", required=False),
    ]
    params = ParamSchema([ParamSpec("factor", DataType.double, 2.0)])
    signature = ModelSignature(Schema(columns), params=params)
    tensor = ModelSignature(Schema([TensorSpec(np.dtype("float64"), (-1, 2))]))
    any_columns = ModelSignature(Schema([ColSpec(DataType.double, "x")]))
    for name, model, signature in [
        ("obedient", Obedient(), signature),
        ("tensor", Tensor(), tensor),
        ("unsigned", Unsigned(), None),
        ("unloadable", Unloadable(), any_columns),
    ]:
        mlflow.pyfunc.save_model(
            os.path.join(directory, name), python_model=model, signature=signature, pip_requirements=["mlflow"]
        )


def ask(folder, requests):
    from fastapi.testclient import TestClient
    from mlflow.pyfunc import scoring_server

    client = TestClient(scoring_server.init(mlflow.pyfunc.load_model(folder)))
    for request in json.loads(requests):
        answer = client.post("/invocations", content=request, headers={"Content-Type": "application/json"})
        print(json.dumps({"status": answer.status_code, "body": answer.text}))


if __name__ == "__main__":
    {"save": save, "ask": ask}[sys.argv[1]](*sys.argv[2:])
