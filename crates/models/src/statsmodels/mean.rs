//! What a model answers of a linear predictor: the mean of its distribution.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

use crate::python::Value;

/// From a linear predictor to a mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Mean {
    Identity,
    Logistic,
    Normal,
    Cauchy,
    Exp,
    OneMinusExp,
    /// To this power.
    Power(f64),
    ComplementaryLogLog,
    LogLog,
    /// With this dispersion.
    NegativeBinomial(f64),
}

impl Mean {
    /// The inverse of a link of a family, by its class; none for a link that is not known.
    pub(super) fn of_link(link: Value<'_>) -> Option<Self> {
        let class = link.class()?;
        let name = class.strip_prefix("statsmodels.genmod.families.links.")?;
        let number = |name: &str| link.get(name).and_then(Value::float);
        Some(match name {
            "Logit" | "logit" => Self::Logistic,
            "Log" | "log" => Self::Exp,
            "LogC" | "logc" => Self::OneMinusExp,
            "Identity" | "identity" | "Power" | "InversePower" | "inverse_power" | "Sqrt"
            | "sqrt" | "InverseSquared" | "inverse_squared" => match number("power")? {
                1.0 => Self::Identity,
                power => Self::Power(1.0 / power),
            },
            "Probit" | "probit" | "Cauchy" | "cauchy" | "CDFLink" => {
                match link.get("dbn")?.class()?.rsplit('.').next()? {
                    "norm_gen" => Self::Normal,
                    "cauchy_gen" => Self::Cauchy,
                    _ => return None,
                }
            }
            "CLogLog" | "cloglog" => Self::ComplementaryLogLog,
            "LogLog" | "loglog" => Self::LogLog,
            "NegativeBinomial" | "nbinom" => Self::NegativeBinomial(number("alpha")?),
            _ => return None,
        })
    }

    pub(super) fn of(self, x: f64) -> f64 {
        match self {
            Self::Identity => x,
            Self::Logistic => 1.0 / (1.0 + (-x).exp()),
            Self::Normal => 0.5 * libm::erfc(-x * FRAC_1_SQRT_2),
            // Not one half and the arc tangent, which has no digits left far below zero.
            Self::Cauchy => 1.0_f64.atan2(-x) / PI,
            Self::Exp => x.exp(),
            Self::OneMinusExp => 1.0 - x.exp(),
            // As NumPy does these two.
            Self::Power(2.0) => x * x,
            Self::Power(0.5) => x.sqrt(),
            Self::Power(power) => x.powf(power),
            Self::ComplementaryLogLog => 1.0 - (-x.exp()).exp(),
            Self::LogLog => (-(-x).exp()).exp(),
            Self::NegativeBinomial(alpha) => -1.0 / (alpha * (1.0 - (-x).exp())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Mean;

    /// SciPy's and statsmodels' numbers at 0.3, and far out.
    #[test]
    fn means_are_those_of_statsmodels() {
        for (mean, x, expected) in [
            (Mean::Identity, 0.3, 0.3),
            (Mean::Logistic, 0.3, 0.574442516811659),
            (Mean::Normal, 0.3, 0.6179114221889526),
            (Mean::Normal, -8.0, 6.22096057427174e-16),
            (Mean::Cauchy, 0.3, 0.5927735790777424),
            (Mean::Exp, 0.3, 1.3498588075760032),
            (Mean::OneMinusExp, -0.3, 0.2591817793182821),
            (Mean::Power(-1.0), 0.3, 3.3333333333333335),
            (Mean::Power(2.0), 0.3, 0.09),
            (Mean::ComplementaryLogLog, 0.3, 0.7407231340091724),
            (Mean::LogLog, 0.3, 0.4767236907145941),
            (Mean::NegativeBinomial(1.0), -0.3, 2.858295913510082),
        ] {
            let found = mean.of(x);
            assert!((found - expected).abs() <= 1e-13 * expected.abs(), "{mean:?}: {found}");
        }
    }
}
