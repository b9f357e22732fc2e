"""Writes sm_logit: `mlflow.statsmodels.save_model` of a model with a formula, with what Python answers beside it."""
import json, shutil, sys
from pathlib import Path
import mlflow, numpy as np, pandas as pd, statsmodels.formula.api as smf
from mlflow.models import infer_signature

rng = np.random.default_rng(3)
frame = pd.DataFrame({"age": rng.integers(20, 70, 40), "town": rng.choice(["Leeds", "York", "Bath"], 40), "income": rng.gamma(3.0, 900.0, 40).round(2)})
frame["left"] = (rng.random(40) < 1 / (1 + np.exp((frame.age - 45) / 12 - (frame.town == "York")))).astype(int)
results = smf.logit("left ~ age + C(town) + np.log(income)", frame).fit(disp=0)
inputs = frame.drop(columns=["left"])
out = Path(sys.argv[1])
shutil.rmtree(out, ignore_errors=True)
mlflow.statsmodels.save_model(results, out, signature=infer_signature(inputs, results.predict(inputs)), input_example=inputs.iloc[:3], pip_requirements=["mlflow==3.17.2", "statsmodels==0.15.0"])
rows = inputs.iloc[:10]
answer = mlflow.pyfunc.load_model(str(out)).predict(rows)
(out / "expected.json").write_text(json.dumps({"inputs": {"columns": list(rows), "data": rows.astype(object).to_numpy().tolist()}, "pyfunc_predict": np.asarray(answer).tolist()}))
