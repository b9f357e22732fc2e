//! Who is told. Each hears by itself: one who is away is told again, and nobody else twice.

use std::collections::BTreeSet;
use std::fmt;

use sha2::{Digest as _, Sha256};

use super::config::Notify;

/// Characters of the hash of an address.
const HASH_CHARS: usize = 16;

/// Somebody who is told.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Receiver {
    Webhook,
    Slack,
    /// One of those who get mail, as `to` names it.
    Email(String),
    /// By its URL.
    Alertmanager(String),
}

impl Receiver {
    /// All that a project names.
    pub(crate) fn all(config: &Notify) -> Vec<Self> {
        let webhook = config.webhook_url_env.is_some().then_some(Self::Webhook);
        let slack = config.slack_url_env.is_some().then_some(Self::Slack);
        let mails = config.email.iter().flat_map(|email| email.to.iter().cloned().map(Self::Email));
        let managers = config.alertmanager.iter().map(|one| Self::Alertmanager(one.url.clone()));
        let all: BTreeSet<Self> =
            webhook.into_iter().chain(slack).chain(mails).chain(managers).collect();
        all.into_iter().collect()
    }

    /// By which files know it: they hold no addresses of people.
    pub(crate) fn id(&self) -> String {
        let (kind, address) = match self {
            Self::Webhook => return "webhook".to_owned(),
            Self::Slack => return "slack".to_owned(),
            Self::Email(address) => ("email", address),
            Self::Alertmanager(url) => ("alertmanager", url),
        };
        let mut hash = hex::encode(Sha256::digest(address));
        hash.truncate(HASH_CHARS);
        format!("{kind}-{hash}")
    }

    /// Whether it forgets what it does not hear again.
    pub(crate) fn is_forgetful(&self) -> bool {
        matches!(self, Self::Alertmanager(_))
    }
}

impl fmt::Display for Receiver {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Webhook => formatter.write_str("the webhook"),
            Self::Slack => formatter.write_str("Slack"),
            Self::Email(address) => formatter.write_str(address),
            Self::Alertmanager(_) => formatter.write_str("Alertmanager"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_who_is_named_is_one_and_files_do_not_say_who() {
        let config: Notify = toml::from_str(
            "slack_url_env = \"S\"\nalertmanager = [{ url = \"https://h\" }, { url = \"https://h\" }]\n\
             [email]\nserver = \"h\"\nfrom = \"a@h\"\nto = [\"B <b@example.org>\", \"c@example.org\"]\n",
        )
        .unwrap();
        let all = Receiver::all(&config);
        assert_eq!(all.len(), 4, "{all:?}");
        let ids: BTreeSet<String> = all.iter().map(Receiver::id).collect();
        assert_eq!(ids.len(), 4);
        assert!(ids.iter().all(|id| !id.contains("example") && !id.contains("//h")), "{ids:?}");
        assert_eq!(all.iter().filter(|one| one.is_forgetful()).count(), 1);
    }
}
