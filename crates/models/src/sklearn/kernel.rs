//! Kernels by scikit-learn's names, `sklearn.metrics.pairwise.pairwise_kernels`.

use super::estimator::Fields;
use super::nearest::Metric;
use crate::Result;
use crate::numeric::kernels::KernelFunction;

/// How alike two rows are.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kernel {
    Function(KernelFunction),
    Laplacian { gamma: f64 },
    Cosine,
}

impl Kernel {
    /// The kernel of an estimator that was fitted to so many columns, with the defaults of the kernel's own function
    /// for what the estimator leaves open.
    pub(super) fn read(fields: Fields<'_>, columns: usize) -> Result<Self> {
        let or = |name: &str, default: f64| match fields.optional(name) {
            Some(_) => fields.float(name),
            None => Ok(default),
        };
        // Since 1.3 KernelPCA says which one it took.
        let gamma = or("gamma_", or("gamma", 1.0 / columns.max(1) as f64)?)?;
        let (coef0, degree) = (or("coef0", 1.0)?, or("degree", 3.0)?);
        Ok(match fields.text("kernel", "") {
            "linear" => Self::Function(KernelFunction::Linear),
            "poly" | "polynomial" => Self::Function(KernelFunction::Poly { gamma, coef0, degree }),
            "rbf" => Self::Function(KernelFunction::Rbf { gamma }),
            "sigmoid" => Self::Function(KernelFunction::Sigmoid { gamma, coef0 }),
            "laplacian" => Self::Laplacian { gamma },
            "cosine" => Self::Cosine,
            other => return Err(fields.unsupported(format!("kernel {other:?}"))),
        })
    }

    pub(super) fn of(self, a: &[f64], b: &[f64]) -> f64 {
        match self {
            Self::Function(function) => function.of(a, b),
            Self::Laplacian { gamma } => (-gamma * Metric::Manhattan.reduced(a, b)).exp(),
            Self::Cosine => 1.0 - Metric::Cosine.reduced(a, b),
        }
    }
}
