//! What a loaded model does.

use std::fmt;

use arrow_array::{ArrayRef, RecordBatch};
use trainyard_base::{Advice, Advise, Fault};

use crate::explanation::Explanation;

/// The result of loading or running a model.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a model cannot be loaded or run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder holds a flavor, estimator or operator that cannot be evaluated here.
    #[error("{what} is not supported")]
    Unsupported {
        /// Flavor, estimator or operator, by its own name.
        what: String,
        /// What would help.
        hint: String,
    },
    /// The same, and Python could not serve it either: workers are no way out.
    #[error("{what} is not supported")]
    Unservable {
        /// What it is, by its own name.
        what: String,
        /// What would help.
        hint: String,
    },
    /// A file is damaged, oversized, or not of its format.
    #[error("{file}: {reason}")]
    Malformed {
        /// File within the model folder.
        file: String,
        /// What is wrong, with the value.
        reason: String,
    },
    /// The input does not fit the model (wrong columns, types or shape).
    #[error("{0}")]
    Input(String),
    /// What evaluates the model gives no answer, whatever the rows are.
    #[error("{0}")]
    Unanswered(String),
    /// MLmodel or another file of the folder could not be read.
    #[error(transparent)]
    ModelFile(#[from] trainyard_signature::Error),
}

impl Advise for Error {
    fn advice(&self) -> Advice {
        match self {
            Self::Unsupported { hint, .. } | Self::Unservable { hint, .. } => Advice::input(hint),
            Self::Malformed { .. } | Self::Input(_) => Fault::Input.into(),
            Self::Unanswered(_) => Fault::Environment.into(),
            Self::ModelFile(error) => error.advice(),
        }
    }
}

/// What a model answered, one entry a row of the input.
#[derive(Debug, Clone)]
pub enum Prediction {
    /// One value a row: labels, regression values (a 1-D array in Python).
    Column(ArrayRef),
    /// `width` values a row, row-major: probabilities (a 2-D array in Python).
    Matrix {
        /// rows × width values.
        values: ArrayRef,
        /// Values a row.
        width: usize,
    },
    /// One map a row, all with the same keys (a list of dicts in Python): `ZipMap` of an ONNX graph.
    Maps {
        /// Keys in order; integer classes in decimal, as JSON has them.
        keys: Vec<String>,
        /// rows x keys values, row-major.
        values: ArrayRef,
    },
    /// Named outputs in order, as an ONNX graph has them.
    Named(Vec<(String, Prediction)>),
}

/// A model in memory: immutable, shared by all requests.
pub trait Predictor: Send + Sync + fmt::Debug {
    /// Predicts every row of `input`, whose columns are those of the signature, in its order.
    fn predict(&self, input: &RecordBatch) -> Result<Prediction>;

    /// What each column of `input` gave to the answers: exact, or refused by the name of what cannot be
    /// explained. Rows are compared with the training rows that took the ways of trees, and with zero by linear
    /// models; or with the rows of a `background`, in time times its rows. It takes some ten times as long as
    /// predicting; many rows are better asked for in parts.
    fn explain(
        &self,
        input: &RecordBatch,
        background: Option<&RecordBatch>,
    ) -> Result<Explanation> {
        let _ = (input, background);
        Err(unexplained("a model of this kind"))
    }

    /// Whether it may take columns of text; `false` where it is known to take numbers alone.
    fn takes_text(&self) -> bool {
        true
    }

    /// The classes that the columns of a [`Prediction::Matrix`] of probabilities are of, in order, where they
    /// are known.
    fn classes(&self) -> Option<Vec<String>> {
        None
    }

    /// Whether its answers hold the probability of each class already, so that nobody asks for it beside them.
    fn answers_probabilities(&self) -> bool {
        false
    }

    /// Whether Python answers with a series (`pandas.Series`) or data frame, not with an array: MLflow writes such a one
    /// as records. `of_frame` says that the rows are a data frame.
    fn answers_series(&self, of_frame: bool) -> bool {
        let _ = of_frame;
        false
    }

    /// Whether it may know columns by name; `false` where it was fitted to an array, and Python's model takes nothing but
    /// arrays and data frames.
    fn knows_names(&self) -> bool {
        true
    }

    /// Bytes held in memory, roughly; for limits and `/health`.
    fn size_bytes(&self) -> usize;
}

/// The refusal to explain a model, by its name.
pub(crate) fn unexplained(model: &str) -> Error {
    Error::Unsupported {
        what: format!("an explanation of {model}"),
        hint: "models of trees and linear models are explained, behind steps that make each column of one \
               column"
            .to_owned(),
    }
}
