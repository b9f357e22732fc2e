"""Small models of whatever CatBoost is installed, in one file: run once for each version that is kept.

old_catboost.py FILE.gz: as old_versions.py writes it. Made with CatBoost 0.24.4, 0.26.1, 1.0.6 and 1.1.1; the files are
in tests/models/old.
"""

import gzip
import json
import sys
import tempfile
from pathlib import Path

import catboost as cb
import numpy as np

from catboost_table import CATEGORIES, FEW, asked, table

RNG = np.random.RandomState(7)
MODELS = []
BYTES = bytearray()


def save(name, model, rows, file_format="cbm", **saved):
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "model.cb"
        model.save_model(str(path), format=file_format, **saved)
        content = path.read_bytes()
        loaded = type(model)()
        loaded.load_model(str(path), format=file_format)
    data = [[None if value != value else value for value in row] for row in rows.astype(object).values.tolist()]
    flavor = {"catboost": {"data": "model.cb", "model_type": type(model).__name__, "save_format": file_format}}
    MODELS.append({"name": name, "flavor": flavor, "file": "model.cb", "start": len(BYTES), "length": len(content), "predict_fn": "predict", "inputs": {"columns": list(rows), "data": data}, "pyfunc_predict": np.asarray(loaded.predict(rows)).tolist(), "tolerance": 1e-12})
    BYTES.extend(content)


def main():
    frame, target = table(RNG, RNG.randint)
    rows = asked(frame)
    numbers = frame[["age", "income"]]
    pool = cb.Pool(frame, cat_features=CATEGORIES)
    three = np.digitize(target, [0.5, 1.5])
    labels = {"text": np.where(target > 1.2, "yes", "no"), "integers": (target > 1.2).astype(int), "flags": target > 1.2, "floats": np.where(target > 1.2, 1.5, 2.5), "three": np.array(["u", "v", "w"])[three], "three_tens": three * 10}
    for name, label in labels.items():
        model = cb.CatBoostClassifier(cat_features=CATEGORIES, max_ctr_complexity=3, **FEW).fit(frame, label)
        save(name, model, rows)
        save(name + "-json", model, rows, file_format="json", pool=pool)
    for loss, answers in [("RMSE", target), ("Poisson", np.abs(target)), ("Quantile:alpha=0.3", target), ("MAPE", np.abs(target) + 1)]:
        model = cb.CatBoostRegressor(cat_features=CATEGORIES, loss_function=loss, **FEW).fit(frame, answers)
        save(loss.split(":")[0], model, rows)
        save(loss.split(":")[0] + "-json", model, rows, file_format="json", pool=pool)
    for policy in ["Lossguide", "Depthwise"]:
        save(policy + "_classes", cb.CatBoostClassifier(grow_policy=policy, **FEW).fit(numbers, three), numbers[:30])
        save(policy, cb.CatBoostRegressor(grow_policy=policy, **FEW).fit(numbers, target), numbers[:30])
    save("one_vs_all", cb.CatBoostClassifier(loss_function="MultiClassOneVsAll", **FEW).fit(numbers, three), numbers[:30])
    save("cross_entropy", cb.CatBoostClassifier(loss_function="CrossEntropy", **FEW).fit(numbers, (target > 1) * 0.8), numbers[:30])
    line = json.dumps({"versions": {"catboost": cb.__version__}, "models": MODELS})
    with open(sys.argv[1], "wb") as file, gzip.GzipFile(fileobj=file, mode="wb", mtime=0) as packed:
        packed.write(line.encode() + b"\n" + bytes(BYTES))


main()
