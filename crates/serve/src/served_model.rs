//! A model that serves: what predicts, what reads its requests, and where it came from.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use trainyard_mlflow::resolve::ResolvedModel;
use trainyard_models::Predictor;
use trainyard_signature::enforce::{Enforced, Enforcer, Protocol};
use trainyard_signature::model::{MlModel, Schema};

use crate::answer::Form;
use crate::python::Pool;

/// What predicts.
#[derive(Debug)]
pub(crate) enum Engine {
    /// In this process.
    Native(Box<dyn Predictor>),
    /// In worker processes.
    Python(Pool),
}

impl Engine {
    /// Bytes held in memory, roughly.
    pub(crate) fn size_bytes(&self) -> u64 {
        match self {
            Self::Native(predictor) => predictor.size_bytes() as u64,
            Self::Python(pool) => pool.size_bytes(),
        }
    }
}

/// A model that has shown that it works.
#[derive(Debug)]
pub(crate) struct ServedModel {
    /// The name of its endpoint, which gives it.
    pub(crate) name: Arc<str>,
    /// What the folder says of itself.
    pub(crate) mlmodel: MlModel,
    pub(crate) engine: Engine,
    /// Where it came from.
    pub(crate) resolved: ResolvedModel,
    /// Version number, or the model id, or nothing for a plain folder.
    pub(crate) version: Arc<str>,
    pub(crate) loaded_at: DateTime<Utc>,
    /// Reads bodies of `/predict` and of the Open Inference Protocol.
    pub(crate) strict: Enforcer,
    /// Reads bodies of `/invocations`.
    pub(crate) scoring: Enforcer,
    /// The input example as a scoring request, to show; none if the folder has none, or a large one.
    pub(crate) example: Option<String>,
    /// Why the model was not tried before it serves; none if it predicted its input example.
    pub(crate) unverified: Option<&'static str>,
}

impl ServedModel {
    /// What reads requests of a protocol.
    pub(crate) fn enforcer(&self, protocol: Protocol) -> &Enforcer {
        match protocol {
            Protocol::Invocations => &self.scoring,
            Protocol::Predict | Protocol::OpenInference => &self.strict,
        }
    }

    /// What Python's model answers a request with.
    pub(crate) fn form(&self, request: &Enforced) -> Form {
        match &self.engine {
            Engine::Native(predictor) if predictor.answers_series(request.frame) => Form::Series,
            _ if !request.frame => Form::Arrays,
            Engine::Native(_) | Engine::Python(_) => Form::Frame,
        }
    }

    /// What the signature says that the model takes, if it says so.
    pub(crate) fn inputs(&self) -> Option<&Schema> {
        self.mlmodel.signature.as_ref()?.inputs.as_ref()
    }
}
