"""The service people write by hand: Flask around `mlflow.pyfunc`. `MODEL` names the folder."""

import os

import mlflow.pyfunc
import pandas as pd
from flask import Flask, jsonify, request

model = mlflow.pyfunc.load_model(os.environ["MODEL"])
app = Flask(__name__)


@app.post("/invocations")
def invocations():
    split = request.get_json()["dataframe_split"]
    frame = pd.DataFrame(split["data"], columns=split["columns"])
    predictions = model.predict(frame)
    if isinstance(predictions, pd.DataFrame):
        return jsonify({"predictions": predictions.to_dict(orient="records")})
    return jsonify({"predictions": predictions.tolist()})
