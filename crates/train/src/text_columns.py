"""Loads the ONNX model of this folder for MLflow's pyfunc.

Since pandas 3, text columns are not numpy arrays any more, and onnxruntime takes nothing else: such
columns become objects here. All else is mlflow.onnx.
"""

import mlflow.onnx
import pandas as pd


class TextColumns:
    def __init__(self, model):
        self.model = model

    def predict(self, data, params=None):
        if isinstance(data, pd.DataFrame):
            text = [name for name in data.columns if isinstance(data[name].dtype, pd.StringDtype)]
            data = data.astype(dict.fromkeys(text, object))
        return self.model.predict(data, params)


def _load_pyfunc(path):
    return TextColumns(mlflow.onnx._load_pyfunc(path))
