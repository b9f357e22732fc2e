//! LightGBM's text models: all objectives, categories, kinds of missing values, linear leaves.
//!
//! LightGBM computes in `f64`, and so does this. The text is believed in nothing that it says twice: sizes,
//! counts, lengths and end marks must agree, so that a cut or edited file is no other model.

mod booster;
mod categories;
mod linear;
mod objective;
mod text;
mod tree;

pub(crate) use booster::{Booster, LightgbmModel};
