//! How sums become predictions.

use super::text::malformed;
use crate::{Error, Result};

#[derive(Debug, Clone, Copy)]
pub(super) enum Objective {
    Identity,
    /// `1 / (1 + exp(-s x))`
    Sigmoid(f64),
    Softmax,
    Exp,
    /// The target was its root.
    Square,
    /// `log(1 + exp(x))`
    Softplus,
}

impl Objective {
    /// Reads the line of the header; a model has so many outputs.
    pub(super) fn read(text: &str, outputs: usize) -> Result<Self> {
        let mut words = text.split_whitespace();
        let name = words.next().unwrap_or_default();
        let words: Vec<&str> = words.collect();
        let parameter = |key: &str| -> Result<f64> {
            let value = words.iter().find_map(|word| word.strip_prefix(key)?.strip_prefix(':'));
            let number = value.and_then(|value| value.parse().ok());
            number.ok_or_else(|| malformed(format!("objective {text:?} has no {key}")))
        };
        if name.starts_with("multiclass") && parameter("num_class")? != outputs as f64 {
            return Err(malformed(format!("objective {text:?} of a model of {outputs} classes")));
        }
        Ok(match name {
            // Of these all but huber take `reg_sqrt`, and say so.
            "regression" | "regression_l1" | "regression_l2" | "fair" | "quantile" | "mape"
                if words.contains(&"sqrt") =>
            {
                Self::Square
            }
            "" | "custom" | "none" | "regression" | "regression_l1" | "regression_l2" | "huber"
            | "fair" | "quantile" | "mape" | "lambdarank" | "rank_xendcg" => Self::Identity,
            "binary" | "multiclassova" => Self::Sigmoid(parameter("sigmoid")?),
            "cross_entropy" | "xentropy" => Self::Sigmoid(1.0),
            "cross_entropy_lambda" | "xentlambda" => Self::Softplus,
            "multiclass" => Self::Softmax,
            "poisson" | "gamma" | "tweedie" => Self::Exp,
            other => {
                return Err(Error::Unsupported {
                    what: format!("LightGBM's objective {other:?}"),
                    hint: "the built-in objectives are; serve the model with Python workers"
                        .to_owned(),
                });
            }
        })
    }

    pub(super) fn apply(self, sums: &mut [f64], outputs: usize) {
        let each: &dyn Fn(f64) -> f64 = match self {
            Self::Identity => return,
            Self::Sigmoid(s) => &move |x| 1.0 / (1.0 + (-s * x).exp()),
            Self::Exp => &f64::exp,
            Self::Square => &|x| x.signum() * x * x,
            Self::Softplus => &|x| x.exp().ln_1p(),
            Self::Softmax => {
                for row in sums.chunks_exact_mut(outputs.max(1)) {
                    let max = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                    let mut sum = 0.0;
                    for x in row.iter_mut() {
                        *x = (*x - max).exp();
                        sum += *x;
                    }
                    for x in row.iter_mut() {
                        *x /= sum;
                    }
                }
                return;
            }
        };
        for x in sums.iter_mut() {
            *x = each(*x);
        }
    }
}
