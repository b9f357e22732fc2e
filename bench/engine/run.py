"""Tree ensembles: our engine beside the libraries that grew them and ONNX Runtime, one thread each.

    python run.py FOLDER [--binary PATH]

Makes the models once (FOLDER is kept), measures the Python libraries in this process and ours by
`cargo run --release -p trainyard-models --example engine`, one after the other, and prints a table.
Figures are microseconds a call, the first decile of the rounds; wall time on a busy machine says little.
"""

import argparse
import json
import os
import subprocess
import time
import warnings
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "ORT_DISABLE_TELEMETRY"):
    os.environ[name] = "1"

import catboost as cb
import lightgbm as lgb
import numpy as np
import onnxruntime as ort
import xgboost as xgb
from sklearn.datasets import make_classification
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

warnings.filterwarnings("ignore")
ROWS, COLUMNS = 20_000, 50
ROOT = Path(__file__).resolve().parents[2]


def data():
    X, y = make_classification(ROWS, COLUMNS, n_informative=20, random_state=0)
    return X.astype(np.float32), y


def models(X, y):
    return {
        "RandomForest 100": RandomForestClassifier(100, n_jobs=1, random_state=0).fit(X, y),
        "HistGradientBoosting 100": HistGradientBoostingClassifier(max_iter=100, random_state=0).fit(X, y),
        "XGBoost 500x6": xgb.XGBClassifier(n_estimators=500, max_depth=6, n_jobs=1).fit(X, y),
        "CatBoost 500x6": cb.CatBoostClassifier(iterations=500, depth=6, thread_count=1, verbose=0, allow_writing_files=False).fit(X, y),
        "LightGBM 500x31": lgb.LGBMClassifier(n_estimators=500, num_leaves=31, n_jobs=1, verbose=-1).fit(X, y),
    }


def write(folder, X, y):
    import cloudpickle

    (folder / "rows.f32").write_bytes(X[:1000].tobytes())
    for name, model in models(X, y).items():
        path = folder / name
        path.mkdir(parents=True, exist_ok=True)
        flavors = {"python_function": {"loader_module": "mlflow", "predict_fn": "predict_proba"}}
        if "XGB" in name:
            (path / "model.ubj").write_bytes(bytes(model.get_booster().save_raw("ubj")))
            flavors["xgboost"] = {"data": "model.ubj", "model_class": "xgboost.core.Booster"}
        elif "Light" in name:
            (path / "model.lgb").write_text(model.booster_.model_to_string())
            flavors["lightgbm"] = {"data": "model.lgb", "model_class": "lightgbm.basic.Booster"}
        elif "CatBoost" in name:
            model.save_model(str(path / "model.cb"))
            flavors["catboost"] = {"data": "model.cb", "model_type": "CatBoost"}
        else:
            (path / "model.pkl").write_bytes(cloudpickle.dumps(model))
            flavors["sklearn"] = {"pickled_model": "model.pkl"}
        (path / "MLmodel").write_text(json.dumps({"flavors": flavors}))
        (path / "python.pkl").write_bytes(cloudpickle.dumps(model))
        # The class CatBoost answers sums, as no class of a folder answers probabilities.
        answers = sums_of(model)(X[:1000]) if "CatBoost" in name else model.predict_proba(X[:1000])[:, 1]
        (path / "expected.json").write_text(json.dumps(answers.astype(float).tolist()))
        try:
            write_onnx(path, model)
        except Exception as error:  # skl2onnx cannot convert every version of every model
            print(f"{name}: no ONNX: {type(error).__name__}: {str(error)[:80]}")
    (folder / "done").write_text("")


def sums_of(model):
    return lambda rows: model.predict(rows, prediction_type="RawFormulaVal", thread_count=1)


def write_onnx(path, model):
    from skl2onnx import to_onnx, update_registered_converter
    from skl2onnx.common.data_types import FloatTensorType

    if isinstance(model, (xgb.XGBClassifier, lgb.LGBMClassifier)):
        from onnxmltools.convert.lightgbm.operator_converters.LightGbm import convert_lightgbm
        from onnxmltools.convert.xgboost.operator_converters.XGBoost import convert_xgboost
        from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes as shapes

        convert = convert_xgboost if isinstance(model, xgb.XGBClassifier) else convert_lightgbm
        update_registered_converter(type(model), type(model).__name__, shapes, convert, options={"zipmap": [False], "nocl": [False]})
    onx = to_onnx(model, initial_types=[("X", FloatTensorType([None, COLUMNS]))], options={id(model): {"zipmap": False}}, target_opset={"": 18, "ai.onnx.ml": 3})
    (path / "model.onnx").write_bytes(onx.SerializeToString())


def measure(call, rounds, rows):
    """CPU and wall microseconds a call, the first decile of the rounds."""
    call(0)
    cpu, wall = [], []
    for number in range(rounds):
        before = time.process_time_ns(), time.perf_counter_ns()
        call(number % rows)
        after = time.process_time_ns(), time.perf_counter_ns()
        cpu.append(after[0] - before[0])
        wall.append(after[1] - before[1])
    return float(np.quantile(cpu, 0.1)) / 1000, float(np.quantile(wall, 0.1)) / 1000


def python_figures(folder, name, X):
    import cloudpickle

    model = cloudpickle.loads((folder / name / "python.pkl").read_bytes())
    if hasattr(model, "n_jobs"):
        model.n_jobs = 1
    batch = X[:1000]
    calls = {"library": sums_of(model) if "CatBoost" in name else model.predict_proba}
    if "XGB" in name:
        booster = model.get_booster()
        booster.set_param({"nthread": 1})
        calls["library, inplace_predict"] = booster.inplace_predict
    if "Light" in name:
        calls["library, Booster.predict"] = model.booster_.predict
    onnx = folder / name / "model.onnx"
    if onnx.exists():
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = ort.InferenceSession(str(onnx), options, providers=["CPUExecutionProvider"])
        calls["ONNX Runtime"] = lambda rows: session.run(None, {"X": rows})
    calls |= compilers(folder / name, name)
    for how, call in calls.items():
        single = measure(lambda at: call(X[at:at + 1]), 300, 1000)
        thousand = measure(lambda at: call(batch), 12, 1000)
        yield how, single, thousand


def compilers(folder, name):
    """oneDAL and lleaves, where they are installed: they want other packages than the tests do."""
    calls = {}
    try:
        import daal4py

        daal4py.daalinit(1)
        if "XGB" in name:
            calls["oneDAL"] = daal4py.mb.convert_model(xgb.Booster(model_file=folder / "model.ubj")).predict_proba
        if "Light" in name:
            calls["oneDAL"] = daal4py.mb.convert_model(lgb.Booster(model_file=folder / "model.lgb")).predict_proba
    except ImportError:
        pass
    try:
        import lleaves

        if "Light" in name:
            compiled = lleaves.Model(model_file=str(folder / "model.lgb"))
            compiled.compile()
            calls["lleaves"] = lambda rows: compiled.predict(rows, n_jobs=1)
    except ImportError:
        pass
    return calls


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--binary", help="the built example; cargo makes it otherwise")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    X, y = data()
    if not (arguments.folder / "done").exists():
        write(arguments.folder, X, y)
    names = [path.name for path in sorted(arguments.folder.iterdir()) if (path / "MLmodel").exists()]
    command = [arguments.binary] if arguments.binary else ["cargo", "run", "--release", "-q", "-p", "trainyard-models", "--example", "engine", "--"]
    print(f"| model | implementation | 1 row: CPU µs | 1 row: wall µs | 1000 rows: CPU µs | a row of them |\n|---|---|---|---|---|---|")
    for name in names:
        for how, single, thousand in python_figures(arguments.folder, name, X):
            row(name, how, single, thousand)
        output = subprocess.run([*command, str(arguments.folder), name], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for line in output.splitlines():
            ours = json.loads(line)
            row(name, ours["how"], ours["single"], ours["thousand"])


def row(name, how, single, thousand):
    print(f"| {name} | {how} | {single[0]:.1f} | {single[1]:.1f} | {thousand[0]:.0f} | {thousand[0] / 1000:.2f} |", flush=True)


main()
