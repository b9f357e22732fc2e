//! `TreeEnsembleClassifier`, `TreeEnsembleRegressor` and `TreeEnsemble` on the one tree engine.
//!
//! The file's nodes become [`TreeSpec`](crate::tree::TreeSpec)s: every mode is one of `<=`, `<`, `==` and set membership,
//! with the branches swapped for the opposites.

mod ensemble;
mod flat;
mod numbered;

pub(crate) use flat::{classifier, regressor};
pub(crate) use numbered::ensemble;
