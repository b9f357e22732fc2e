//! Metrics of quantities: RMSE, MAE, R², MAPE.

/// All four; R² is NaN for fewer than two rows. Formulas as in `sklearn.metrics`.
pub fn evaluate(truth: &[f64], predicted: &[f64]) -> Vec<(&'static str, f64)> {
    let rows = truth.len() as f64;
    let pairs = || truth.iter().zip(predicted);
    let squared: f64 = pairs().map(|(t, p)| (t - p) * (t - p)).sum();
    let absolute: f64 = pairs().map(|(t, p)| (t - p).abs()).sum();
    let relative: f64 = pairs().map(|(t, p)| (p - t).abs() / t.abs().max(f64::EPSILON)).sum();
    let mean = truth.iter().sum::<f64>() / rows;
    let spread: f64 = truth.iter().map(|t| (t - mean) * (t - mean)).sum();
    let r2 = if truth.len() < 2 {
        f64::NAN
    } else if spread == 0.0 {
        // Constant truth: perfect or useless, nothing between.
        if squared == 0.0 { 1.0 } else { 0.0 }
    } else {
        1.0 - squared / spread
    };
    vec![
        ("rmse", (squared / rows).sqrt()),
        ("mae", absolute / rows),
        ("r2", r2),
        ("mape", relative / rows),
    ]
}

/// How much predictions are too high in the mean.
pub fn bias(truth: &[f64], predicted: &[f64]) -> f64 {
    let sum: f64 = truth.iter().zip(predicted).map(|(truth, predicted)| predicted - truth).sum();
    sum / truth.len() as f64
}
