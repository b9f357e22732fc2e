//! Against scikit-learn and NannyML: recorded results and the real packages.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot read its data must fail and say where"
)]

mod nannyml;
mod power;
mod sklearn;
mod support;
