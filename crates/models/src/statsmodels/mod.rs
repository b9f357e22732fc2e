//! Results of statsmodels: linear models, generalized ones and those of discrete choice, with their formulas.

mod design;
mod expression;
mod mean;
mod model;
mod names;

pub(crate) use model::StatsmodelsModel;
