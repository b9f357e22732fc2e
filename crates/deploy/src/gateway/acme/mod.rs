//! Certificates by ACME (RFC 8555): the gateway gets them from a certificate authority by itself, and renews them
//! before they end.
//!
//! ```text
//! settings ─► run: a look at the certificate on the disk, and at attempts before ─► when is the next one due?
//!             └► order: account ─► challenges shown (HTTP-01, TLS-ALPN-01) ─► key and chain ─► tls/acme.pem
//! ```
//!
//! What must never happen:
//!
//! - that the authority is hammered: each attempt is written down before it is made, so neither failures nor
//!   restarts bring the next one nearer;
//! - that a certificate which is still good is given up: whatever fails, what is on the disk goes on serving;
//! - that half of a certificate is on the disk: key and chain are one file, replaced as a whole.
//!
//! Only the gateway that holds the service's `gateway.lock` runs this, so there is one at a time. The challenges of
//! HTTP-01 are answered by the listener that tells clients to come back with TLS, those of TLS-ALPN-01 by the
//! clients' own.

mod account;
mod attempts;
mod challenges;
mod failure;
mod files;
mod installed;
mod order;
mod renewal_info;
mod run;
mod seen;
mod settings;
mod tls_challenge;

pub(super) use files::certificate;
pub(super) use run::run;
pub(super) use seen::Acme;
pub use seen::AcmeSeen;
pub use settings::{AcmeSettings, Challenge};
