//! Two columns in, a verdict out: drift statistics with Evidently's numbers.
