"""Random signatures and requests, and what MLflow's scoring server makes of each.

    python enforcement.py SEED COUNT

One JSON line a case: `signature` (as in MLmodel), `body`, and either `error` or what the model is
handed: `columns` (name to list of values) and `params`.
"""

import base64
import json
import math
import random
import sys
import warnings

warnings.filterwarnings("ignore")

import numpy as np
import pandas as pd
from mlflow.models import Model, ModelSignature
from mlflow.models.utils import _enforce_params_schema, _enforce_schema
from mlflow.pyfunc import scoring_server
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema, TensorSpec
from mlflow.types.schema import AnyType, Array, Map, Object, Property

SCALARS = ["boolean", "integer", "long", "float", "double", "string", "binary", "datetime"]
GOOD = {
    "boolean": [True, False],
    "integer": [0, 1, -7, 2**31 - 1, 3.0],
    "long": [0, 5, -(2**63), 2**53, 1.0],
    "float": [0.5, -1.25, 3, 1e10],
    "double": [0.1, 5, -0.0, 1e-300, 1e300],
    "string": ["a", "", "ü", "1.5", "NaN"],
    "binary": [base64.b64encode(b"xy").decode(), ""],
    "datetime": ["2024-01-02", "2024-01-02T03:04:05", "2024-01-02 03:04:05.123456"],
}
ODD = [
    None, True, 0, 1, 2, -1, 1.5, 2.0, 2**31, 2**63 - 1, 2**63, 1e300, 1e39, float("nan"), float("inf"),
    "a", "", "1", "1.5", " 7 ", "true", "False", "1e3", "2024-01-02", "not a date", "2024-01-02T00:00:00Z",
    [1], [], {"x": 1}, {},
]
DTYPES = ["float64", "float32", "int64", "int32", "bool", "str"]


class Catcher:
    """Stands where the model would, and keeps what it is handed."""

    def __init__(self, signature):
        self.metadata = Model(signature=signature)
        self.signature = signature

    def predict(self, data, params=None):
        params = _enforce_params_schema(params, self.signature.params) if self.signature.params else {}
        self.data = _enforce_schema(data, self.signature.inputs)
        self.params = params
        return []


def plain(value):
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(item) for item in value]
    if value is None or value is pd.NaT:
        return None
    if isinstance(value, (bytes, bytearray)):
        return {"bytes": bytes(value).hex()}
    if isinstance(value, (pd.Timestamp, np.datetime64)):
        return {"ns": int(pd.Timestamp(value).value)}
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        value = float(value)
        return None if math.isnan(value) else str(value) if math.isinf(value) else value
    return str(value)


def columns(data):
    if isinstance(data, pd.DataFrame):
        return {str(name): [plain(value) for value in data[name]] for name in data}
    if isinstance(data, dict):
        return {name: plain(values) for name, values in data.items()}
    return {"0": plain(data)}


def any_type(rng, depth=0):
    kind = rng.random()
    if kind < 0.5 or depth > 1:
        return DataType[rng.choice(["boolean", "long", "double", "string"])]
    if kind < 0.7:
        return Array(any_type(rng, depth + 1))
    if kind < 0.85:
        return Map(any_type(rng, depth + 1))
    names = rng.sample(["p", "q", "r"], rng.randint(1, 2))
    return Object([Property(name, any_type(rng, depth + 1), required=rng.random() < 0.7) for name in names])


def good(rng, kind):
    if isinstance(kind, DataType):
        pool = GOOD[kind.name]
        return rng.choice(pool)
    if isinstance(kind, Array):
        return [good_exact(rng, kind.dtype) for _ in range(rng.randint(1, 3))]
    if isinstance(kind, Map):
        return {key: good_exact(rng, kind.value_type) for key in rng.sample("abc", rng.randint(1, 2))}
    if isinstance(kind, Object):
        return {p.name: good_exact(rng, p.dtype) for p in kind.properties if p.required or rng.random() < 0.5}
    return rng.choice([1, "a", [1, "x"], {"k": None}])


def good_exact(rng, kind):
    """Within arrays, objects and maps MLflow converts nothing."""
    exact = {"long": [0, 5, -3], "double": [0.5, -2.25], "boolean": [True, False], "string": ["a", "ü"]}
    return rng.choice(exact[kind.name]) if isinstance(kind, DataType) else good(rng, kind)


def value(rng, kind, odd):
    return rng.choice(ODD) if rng.random() < odd else good(rng, kind)


def column_case(rng):
    complex_types = rng.random() < 0.3
    names = rng.sample(["a", "b", "c c", "d"], rng.randint(1, 3))
    specs = [
        ColSpec(any_type(rng) if complex_types else DataType[rng.choice(SCALARS)], name, required=rng.random() < 0.7)
        for name in names
    ]
    odd = rng.choice([0, 0, 0.15])
    rows = rng.randint(1, 3)
    left_out = {spec.name for spec in specs if rng.random() < (0.05 if spec.required else 0.4)}
    table = {s.name: [value(rng, s.type, odd) for _ in range(rows)] for s in specs if s.name not in left_out}
    if rng.random() < 0.1:
        table["zz"] = [1] * rows
    order = list(table)
    rng.shuffle(order)
    form = rng.choice(["dataframe_split", "dataframe_records"] + ([] if complex_types else ["inputs", "instances"]))
    if form == "dataframe_split":
        data = {"columns": order, "data": [[table[name][row] for name in order] for row in range(rows)]}
    elif form == "inputs":
        data = {name: table[name] for name in order}
    else:
        data = [{name: table[name][row] for name in order} for row in range(rows)]
    return Schema(specs), form, data


def tensor_case(rng):
    dtype = rng.choice(DTYPES)
    named = rng.random() < 0.4
    width = rng.randint(1, 3)
    shape = rng.choice([(-1, width), (-1,), (-1, -1), (-1, 2, width)])
    pool = {"float64": [0.5, 1, -2.25], "float32": [0.5, 3, 0.1], "int64": [1, -5, 7], "int32": [1, 2, -3], "bool": [True, False], "str": ["a", "bc"]}[dtype]

    def tensor(shape):
        return rng.choice(pool) if not shape else [tensor(shape[1:]) for _ in range(shape[0])]

    rows = rng.randint(1, 3)
    wrong = rng.random() < 0.15
    real = (rows,) + tuple((size if size > 0 else 2) + (wrong and rng.random() < 0.7) for size in shape[1:])
    if named:
        specs = [TensorSpec(np.dtype(dtype), shape, "t")]
        return Schema(specs), "inputs", {"t" if rng.random() < 0.95 else "u": tensor(real)}
    return Schema([TensorSpec(np.dtype(dtype), shape)]), rng.choice(["inputs", "instances"]), tensor(real)


def params_of(rng):
    specs = [
        ParamSpec("n", DataType.long, 3),
        ParamSpec("x", DataType.double, 0.5),
        ParamSpec("s", DataType.string, "a"),
        ParamSpec("list", DataType.double, [1.0], shape=(-1,)),
        ParamSpec("flag", DataType.boolean, True),
    ]
    chosen = rng.sample(specs, rng.randint(1, 3))
    pool = [1, 2.5, "a", True, None, [1.0, 2.0], [1], ["a"], 2**40, "7"]
    given = {spec.name: rng.choice(pool + [spec.default] * 12) for spec in chosen if rng.random() < 0.7}
    return ParamSchema(chosen), given


def main():
    rng = random.Random(int(sys.argv[1]))
    for _ in range(int(sys.argv[2])):
        schema, form, data = (tensor_case if rng.random() < 0.2 else column_case)(rng)
        body = {form: data}
        params = None
        if rng.random() < 0.2:
            params, body["params"] = params_of(rng)
        signature = ModelSignature(inputs=schema, params=params)
        case = {"signature": signature.to_dict(), "body": json.dumps(body)}
        model = Catcher(signature)
        try:
            scoring_server.invocations(case["body"], "application/json", model, schema)
            case["columns"], case["params"] = columns(model.data), plain(model.params)
        except Exception as error:
            case["error"] = str(error)[-300:]
        print(json.dumps(case))


if __name__ == "__main__":
    main()
