"""Small models of whatever versions of statsmodels and category_encoders are installed, in one file as old_versions.py makes them.

    cat old_packages.py results.py encoders.py > all.py && python all.py FILE.gz

Made with statsmodels 0.14.4, category_encoders 2.6.4, scikit-learn 1.5.2 and pandas 2.2.3; the file is in tests/models/old. What is refused is left out.
"""

import gzip
import io
import json
import sys
import types
import warnings

import cloudpickle
import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import *
from sklearn.linear_model import *
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import *

warnings.filterwarnings("ignore")
RNG = np.random.default_rng(0)
MODELS = []
BYTES = bytearray()
LONG = True
# One model of so many.
EVERY = 4
SEEN = 0
# What is not installed fits nothing.
xgb = lgb = types.SimpleNamespace()


def folder(name, file, content, flavor, predict_fn, rows, answer, tolerance):
    global SEEN
    SEEN += 1
    if name.startswith(("refused", "strict")) or SEEN % EVERY:
        return
    answer = answer if isinstance(answer, dict) else np.asarray(answer).tolist()
    if isinstance(rows, pd.DataFrame):
        data = [[None if v is None or v != v else v for v in row] for row in rows.astype(object).to_numpy().tolist()]
        inputs = {"columns": list(rows), "data": data}
    else:
        inputs = np.asarray(rows).tolist()
    MODELS.append({"name": name, "flavor": flavor, "file": file, "start": len(BYTES), "length": len(content), "predict_fn": predict_fn, "inputs": inputs, "pyfunc_predict": answer, "tolerance": tolerance})
    BYTES.extend(content)


def save(name, model, rows, kinds=(), tolerance=1e-12):
    method = "predict" if hasattr(model, "predict") else "transform"
    try:
        answer = getattr(model, method)(rows)
    except Exception as error:
        print(f"not answered: {name}: {error}"[:160], file=sys.stderr)
        return
    folder(name, "model.pkl", cloudpickle.dumps(model), {"sklearn": {"code": None, "pickled_model": "model.pkl"}}, method, rows, answer, tolerance)


def done():
    import category_encoders
    import sklearn
    import statsmodels

    versions = {module.__name__: module.__version__ for module in (statsmodels, category_encoders, sklearn, pd) if module}
    with gzip.GzipFile(sys.argv[1], "wb", mtime=0) as file:
        file.write(json.dumps({"versions": versions, "models": MODELS}).encode() + b"\n" + bytes(BYTES))


