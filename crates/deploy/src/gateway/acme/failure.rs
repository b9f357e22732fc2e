//! Why an attempt came to nothing, in words for logs, status and metrics.

use std::error::Error;
use std::time::Duration;

/// What is kept of a reason: authorities may say much.
const REASON_CHARS_MAX: usize = 600;

/// Why there is no new certificate.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The authority refused, or cannot be reached.
    #[error("{}", told(.0))]
    Authority(#[from] instant_acme::Error),
    /// It did not find what it was to find at a name.
    #[error("the authority could not see that {name} leads here: {reason}")]
    Unproved {
        /// The name.
        name: String,
        /// What the authority says.
        reason: String,
    },
    /// It does not offer the challenge that the settings want.
    #[error("the authority does not offer {challenge} for {name}")]
    NotOffered {
        /// The name.
        name: String,
        /// The challenge.
        challenge: &'static str,
    },
    /// It ended the order without a reason.
    #[error("the authority gave the order up without a reason")]
    GivenUp,
    /// A challenge's certificate could not be made.
    #[error("the certificate for a challenge could not be made: {0}")]
    Challenge(#[from] rcgen::Error),
    /// A challenge's certificate could not be shown.
    #[error("the certificate for a challenge cannot be shown: {0}")]
    Show(#[from] rustls::Error),
    /// What came cannot be used.
    #[error("the certificate that came cannot be used: {0}")]
    Unusable(String),
    /// A file could not be read or written.
    #[error("{0}")]
    File(Box<crate::Error>),
    /// It took too long.
    #[error("the authority did not finish within {} s", .0.as_secs())]
    Late(Duration),
}

impl From<crate::Error> for Failure {
    fn from(error: crate::Error) -> Self {
        Self::File(Box::new(error))
    }
}

impl Failure {
    /// In one line, of a length that can be kept.
    pub(super) fn reason(&self) -> String {
        let text = self.to_string();
        let plain = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter });
        plain.take(REASON_CHARS_MAX).collect()
    }

    /// Whether the authority says that it was asked too often.
    pub(super) fn is_rate_limit(&self) -> bool {
        self.is_problem("urn:ietf:params:acme:error:rateLimited")
    }

    /// Whether the authority does not know the account (any more).
    pub(super) fn is_unknown_account(&self) -> bool {
        self.is_problem("urn:ietf:params:acme:error:accountDoesNotExist")
    }

    fn is_problem(&self, kind: &str) -> bool {
        let Self::Authority(instant_acme::Error::Api(problem)) = self else { return false };
        problem.r#type.as_deref() == Some(kind)
    }
}

/// An error with what is below it: "client error (Connect)" alone helps nobody.
fn told(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        let more = source.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = source.source();
    }
    text
}
