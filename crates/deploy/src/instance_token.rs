//! The token that an instance asks for, where it asks for one. Who deploys it knows it, and so does its gateway;
//! clients show their own to the gateway.

use std::fmt;

use http::HeaderValue;
use serde::{Deserialize, Serialize};

/// A secret, which is shown nowhere.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InstanceToken(String);

impl InstanceToken {
    /// The secret of a variable or a file; none where nothing is in it.
    pub(crate) fn of(text: &str) -> Option<Self> {
        let secret = text.trim();
        (!secret.is_empty()).then(|| Self(secret.to_owned()))
    }

    /// The value of `Authorization` that it stands for; none where no header can say it.
    pub fn header(&self) -> Option<HeaderValue> {
        let mut value = HeaderValue::from_str(&format!("Bearer {}", self.0)).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

impl fmt::Debug for InstanceToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InstanceToken(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_sent_and_not_shown() {
        let token = InstanceToken::of(" pl4nted\n").unwrap();
        assert_eq!(token.header().unwrap(), "Bearer pl4nted");
        let shown = format!("{token:?} {:?}", token.header());
        assert!(!shown.contains("pl4nted"), "{shown}");
        assert_eq!(InstanceToken::of("\n"), None);
    }
}
