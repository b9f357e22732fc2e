"""Trains a model and logs it to MLflow: the program of `train.command` in trainyard.toml."""

import os

import mlflow
import pandas as pd
from mlflow.models import infer_signature
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import {{estimator}}
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

TARGET = {{target}}
LEFT_OUT = {{exclude}}
# What skops, in which MLflow stores scikit-learn's models, must be told to trust. It is yours: you made it.
TRUSTED = ["numpy.dtype", "sklearn.tree._tree.Tree"]

# `trainyard` gives all rows but those that it holds out to judge the model by.
path = os.environ.get("TRAINYARD_TRAIN_DATA", {{data}})
data = pd.read_parquet(path) if path.endswith(".parquet") else pd.read_csv(path)
data = data.dropna(subset=[TARGET])
X, y = data.drop(columns=[TARGET, *LEFT_OUT]), data[TARGET]

numbers = list(X.select_dtypes(["number", "bool"]).columns)
labels = [column for column in X.columns if column not in numbers]
columns = ColumnTransformer(
    [
        ("numbers", SimpleImputer(strategy="median"), numbers),
        ("labels", OneHotEncoder(handle_unknown="ignore"), labels),
    ]
)
model = make_pipeline(columns, {{estimator}}(random_state=42))

with mlflow.start_run():
    model.fit(X, y)
    mlflow.log_metric("train_score", model.score(X, y))
    mlflow.sklearn.log_model(
        model,
        name="model",
        signature=infer_signature(X, model.predict(X)),
        input_example=X.head(3),
        registered_model_name={{name}},
        skops_trusted_types=TRUSTED,
    )
