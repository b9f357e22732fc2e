//! Spans: from OpenTelemetry's messages to the JSON text that MLflow stores, and back.
//!
//! ```text
//! protobuf ─► count ─┐
//!                    ├─► otlp ─► read (meaning, preview) ─► Span ─► store
//! JSON ──────────────┘
//! stored text ─► stored ─► JSON of the answers
//! ```

pub(crate) mod any_value;
mod conventions;
pub(crate) mod count;
mod meaning;
pub(crate) mod otlp;
pub(crate) mod preview;
pub(crate) mod read;
pub(crate) mod stored;
pub(crate) mod usage;
