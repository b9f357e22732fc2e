//! The MLflow-compatible tracking server: store, search, artifacts, api.
