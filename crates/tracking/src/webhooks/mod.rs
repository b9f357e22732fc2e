//! Webhooks: changes of the registry, told to whoever subscribed, with MLflow's API, payloads and signatures.
//!
//! ```text
//! change ─► the same transaction: a row for each active webhook of its event (store/webhook_outbox.rs)
//!        ─► deliver: claims rows, several servers never the same one
//!        ─► sender: signs, connects where it may, asks no second address
//!        ─► the row says how it went: delivered, or due again after a pause
//! ```
//!
//! A delivery that was acknowledged to nobody is sent again, so receivers get each event at least once, and know
//! by `X-MLflow-Delivery-Id` what they have had.

pub(crate) mod change;
pub(crate) mod deliver;
mod destination;
pub(crate) mod event;
mod handle;
mod log;
mod options;
pub(crate) mod payload;
mod secret;
mod sender;
pub(crate) mod service;

pub use handle::Webhooks;
pub use options::WebhookOptions;
