//! CatBoost's binary files and its JSON: all losses, symmetric and other trees, categories one by one and by CTRs.
//!
//! CatBoost compares features in `f32` and sums leaves in `f64`, in the order of the trees, and so does this. What a file says
//! twice must agree, so that a cut or edited file is no other model.

mod answer;
mod binary;
mod bins;
mod booster;
mod city;
mod ctr;
mod file;
mod flatbuffer;
mod forest;
mod json;
mod labels;
mod model;
mod rows;
mod symmetric;

pub(crate) use answer::{Answer, Class};
pub(crate) use booster::Booster;
pub(crate) use model::{CatboostModel, class_of};
pub(crate) use rows::Given;
