//! Who is told what a pipeline did: webhooks, Slack, e-mail and Alertmanager.

mod alertmanager;
mod alertmanager_config;
mod config;
mod credential;
mod deliver;
mod email;
mod email_config;
mod happened;
mod link;
mod markup;
mod ongoing;
mod outbox;
mod receiver;
mod slack;
mod smtp;
mod state_file;
mod tell;
#[cfg(test)]
pub(crate) mod test_mail;
mod webhook;

pub use alertmanager_config::Alertmanager;
pub use config::{Notify, Occasion};
pub use email_config::{Email, Encryption};
pub use happened::{Alert, Happened, Late, Trouble};
pub(crate) use ongoing::{About, Ongoing};
pub use outbox::notify;
pub(crate) use receiver::Receiver;
pub(crate) use tell::{repeat, tell};
