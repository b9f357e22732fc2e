//! Tabular data and an algorithm to a fitted model, metrics and an MLflow model folder.
