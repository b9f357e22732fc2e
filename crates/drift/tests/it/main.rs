//! Against Evidently and SciPy: recorded results and the real packages.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot read its data must fail and say where"
)]

mod cases;
mod evidently;
mod quiet;
mod support;
